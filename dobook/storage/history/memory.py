"""The history of an object that lives in memory: references to the values that were replaced.

Values are frozen and never change, so keeping one costs a reference. Copies of the SQL database
share the pages in which they do not differ.
"""

from typing import Any

from dobook.storage.blank import PAGE_BYTES
from dobook.storage.history.points import Point


class MemoryLog:
    """The points of one object in memory."""

    __slots__ = ("_images", "_points", "_undo")

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._undo: dict[int, dict[str, Any]] = {}
        self._images: dict[int, list[bytes]] = {}  # in order of the points

    def points(self) -> list[Point]:
        """Return the points, oldest first."""
        return self._points

    def append(self, point: Point) -> None:
        """Add a point after the others."""
        self._points.append(point)

    def change(self, point: Point) -> None:
        """Replace the last point by one of the same number."""
        self._points[-1] = point

    def pin(self, number: int) -> None:
        """Keep a point when others are joined."""
        self._points = [p._replace(pinned=True) if p.number == number else p for p in self._points]

    def replaced(self, number: int, values: dict[str, Any]) -> dict[str, Any]:
        """Add values that the point has replaced; returns all that it has. Takes the dict over."""
        undo = self._undo.setdefault(number, values)
        if undo is not values:
            undo.update(values)
        return undo

    def undo(self, number: int) -> dict[str, Any]:
        """Return the values that the points after `number` have replaced, the oldest of each."""
        merged: dict[str, Any] = {}
        for point in reversed(self._points):
            if point.number <= number:
                break
            merged.update(self._undo.get(point.number, {}))
        return merged

    def add_image(self, number: int, image: bytes) -> None:
        """Keep the SQL database as it is at a point."""
        pages = [image[i : i + PAGE_BYTES] for i in range(0, len(image), PAGE_BYTES)]
        if self._images:
            last = next(reversed(self._images.values()))
            for index, (old, new) in enumerate(zip(last, pages, strict=False)):
                if old == new:
                    pages[index] = old
        self._images[number] = pages

    def image(self, number: int) -> bytes | None:
        """Return the SQL database at a point; None if it is what it was then."""
        for at, pages in self._images.items():
            if at >= number:
                return b"".join(pages)
        return None

    def join(self, numbers: list[int]) -> None:
        """Forget points, making what they replaced part of the next one's."""
        gone = set(numbers)
        kept: list[Point] = []
        images: dict[int, list[bytes]] = {}
        carried: dict[str, Any] = {}
        for point in self._points:
            number = point.number
            image = self._images.get(number)
            undo = self._undo.get(number, {})
            if number in gone and kept:
                carried = {**undo, **carried}
                self._undo.pop(number, None)
                if image is not None:  # the point before may depend on it
                    images.setdefault(kept[-1].number, image)
                continue
            if carried:
                self._undo[number] = {**undo, **carried}
                carried = {}
            kept.append(point)
            if image is not None:
                images[number] = image
        self._points, self._images = kept, images

    def cut(self, number: int) -> None:
        """Forget everything before a point."""
        for point in self._points:
            if point.number < number:
                self._undo.pop(point.number, None)
                self._images.pop(point.number, None)
        self._points = [p for p in self._points if p.number >= number]
        if self._points:
            self._undo.pop(self._points[0].number, None)

    def size(self) -> int:
        """Return about how many bytes are kept."""
        values = sum(
            _size(key) + _size(v) for undo in self._undo.values() for key, v in undo.items()
        )
        pages = {id(page) for pages in self._images.values() for page in pages}
        return values + len(pages) * PAGE_BYTES

    def set_pending(self, number: int | None) -> None:
        """Do nothing: what memory would forget, it forgets with everything else."""

    def flush(self) -> None:
        """Do nothing."""


def _size(value: object) -> int:
    if isinstance(value, str | bytes):
        return len(value) + 50
    if isinstance(value, dict):
        return 100 + sum(_size(k) + _size(v) for k, v in value.items())
    if isinstance(value, list):
        return 60 + sum(map(_size, value))
    return 32
