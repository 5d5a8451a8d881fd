"""Names that are replaced while a runtime's loop turns, and put back after."""

from collections.abc import Callable
from typing import Any

Swap = tuple[dict[str, Any], str, Any, Any]  # namespace, name, what is there, what stands in


class Swaps:
    """A context manager that replaces names; nested, only the outermost one counts.

    Attributes:
        wanted: Returns what is to be replaced; None for nothing.
    """

    def __init__(self) -> None:
        self.wanted: Callable[[], list[Swap]] | None = None
        self._depth = 0
        self._swaps: list[Swap] = []

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > 1 or self.wanted is None:
            return
        self._swaps = self.wanted()
        for names, name, _, stand_in in self._swaps:
            names[name] = stand_in

    def __exit__(self, *exc: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        for names, name, value, stand_in in self._swaps:
            if names.get(name) is stand_in:
                names[name] = value
        self._swaps = []
