"""What the shop calls helpers; accounts have others of the same name."""


def shown(count):
    return f"{count} left"
