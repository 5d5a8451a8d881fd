"""What a command prints: its answer, and what went wrong."""

import sys


def say(text: object) -> None:
    """Print a line of the answer."""
    print(text, flush=True)  # noqa: T201 - a command's answer


def complain(trouble: str | BaseException) -> int:
    """Print what went wrong, with an error's notes; returns the exit status of a failed command."""
    notes = getattr(trouble, "__notes__", [])
    print("dobook:", *[str(trouble), *notes], file=sys.stderr)  # noqa: T201 - a command's answer
    return 1
