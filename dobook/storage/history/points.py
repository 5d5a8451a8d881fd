"""What a history is made of: its points, where they are kept, and which to give up first."""

from collections.abc import Collection
from typing import Any, NamedTuple, Protocol


class Point(NamedTuple):
    """A state that the object has had. `pinned`: a bookmark of it was handed out."""

    number: int
    at_ms: int
    pinned: bool


class Log(Protocol):
    """Where the points of one object are kept: `history.memory`, `history.file`."""

    def points(self) -> list[Point]:
        """Return the points, oldest first."""

    def append(self, point: Point) -> None:
        """Add a point after the others."""

    def change(self, point: Point) -> None:
        """Replace the last point by one of the same number."""

    def pin(self, number: int) -> None:
        """Keep a point when others are joined."""

    def replaced(self, number: int, values: dict[str, Any]) -> Collection[str]:
        """Add values that the point has replaced; MISSING (or DELETED) for a key that had none.

        Returns:
            The keys that the point has replaced, at least the given ones.
        """
        ...

    def undo(self, number: int) -> dict[str, Any]:
        """Return the values that the points after `number` have replaced, the oldest of each."""

    def add_image(self, number: int, image: bytes) -> None:
        """Keep the SQL database as it is at a point."""

    def image(self, number: int) -> bytes | None:
        """Return the SQL database at a point; None if it is what it was then."""

    def join(self, numbers: list[int]) -> None:
        """Forget points, making what they replaced part of the next one's."""

    def cut(self, number: int) -> None:
        """Forget everything before a point."""

    def size(self) -> int:
        """Return about how many bytes are kept."""

    def set_pending(self, number: int | None) -> None:
        """Remember, or forget, which point the next session begins from; safe when it returns."""

    def flush(self) -> None:
        """Write what was added."""


def superfluous(points: list[Point], count: int, now_ms: int) -> list[int]:
    """Return up to so many points whose neighbours, given how long ago they are, lie closest."""
    gone: set[int] = set()
    while len(gone) < count:
        left = [p for p in points if p.number not in gone]
        gaps = sorted(
            # After a killed process the clock may stand before what is known already.
            ((after.at_ms - before.at_ms) / (max(now_ms - point.at_ms, 0) + 1), index)
            for index, (before, point, after) in enumerate(
                zip(left, left[1:], left[2:], strict=False)
            )
            if not point.pinned
        )
        if not gaps:
            break
        taken: set[int] = set()  # no two neighbours in one go: their gaps would have grown
        for _, index in gaps[: max(1, len(gaps) // 2)]:
            if len(gone) < count and index - 1 not in taken and index + 1 not in taken:
                taken.add(index)
                gone.add(left[index + 1].number)
    return sorted(gone)
