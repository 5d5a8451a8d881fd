"""What accounts call helpers; the shop has others of the same name."""


def shown(cents):
    return f"{cents / 100:.2f} credits"
