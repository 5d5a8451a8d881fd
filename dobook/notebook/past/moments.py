"""An object's storage at the moments that can be gone back to: `%storage OBJ --history`.

Moments are the points of point-in-time recovery. Looking at one changes nothing; a fork continues
from it in a runtime of its own, and going back takes the object itself there.
"""

from typing import Any

from dobook.clock import format_time
from dobook.errors import UsageError
from dobook.notebook.core.display import Card, count, shorten
from dobook.notebook.core.frame import TIME, Frame, make_frame
from dobook.notebook.core.session import Session, Target
from dobook.notebook.inspector.state_frames import contents_frame, differences_frame
from dobook.runtime.access import kernel_of
from dobook.runtime.branching import history_of
from dobook.runtime.objects.inside import run_inside
from dobook.runtime.reports.shown import shown
from dobook.runtime.runtime import Runtime
from dobook.storage.contents import Contents, contents_of
from dobook.storage.differences import Difference, differences
from dobook.storage.history.history import History
from dobook.storage.history.points import Point

MOST_POINTS = 100  # in the slider: the latest ones
_CARD_POINTS = 8
_MOST_CHANGES = 4  # of a point, in one line


class ObjectPast:
    """The moments of one object.

    Args:
        session: The session.
        label: `BINDING/name`.

    Raises:
        UsageError: If no history of it is kept.
    """

    def __init__(self, session: Session, label: str) -> None:
        self._session = session
        self.label = label
        session.target(label)  # complains about what does not exist
        if session.store(self._target) is not None:
            _ = self._history

    @property
    def _target(self) -> Target:
        return self._session.target(self.label)

    @property
    def _history(self) -> History:
        return history_of(self._session.kernel.actor_of(self._target.stub))

    def moments(self) -> list[Point]:
        """Return the latest moments, oldest first; the last one is now."""
        if self._session.peek(self._target) is None:
            return []
        return self._history.points()[-MOST_POINTS:]

    def points(self) -> Frame:
        """Return the moments as a DataFrame, oldest first.

        Index: range. Columns: at (datetime64[ms, UTC], when it came about), changed (string, in
        what it differs from the moment before), bookmark (string). No moments: same columns, no
        rows. `.attrs`: object, time.
        """
        rows, before = [], None
        for point in self.moments():
            found = self.contents(point)
            changed = "" if before is None else change_text(self._between(before, found))
            rows.append((point.at_ms, changed, self._history.bookmark(point.number)))
            before = found
        columns = {"at": TIME, "changed": "string", "bookmark": "string"}
        caption = f"{self.label}: {count(len(rows), 'moment')} to go back to"
        now_ms = self._session.runtime.clock.now_ms
        return make_frame(columns, rows, caption, now_ms, object=self.label)

    def contents(self, point: Point) -> Contents:
        """Return what the object had stored at a moment."""
        store = self._session.peek(self._target)
        assert store is not None
        return self._history.contents_at(store, self._history.bookmark(point.number))

    def storage(self, place: int = -1) -> Frame:
        """Return the rows at a moment, by its place in `points()`: key, value, type, bytes."""
        point = self.at(place)
        label = f"{self.label} at {format_time(point.at_ms)}"
        return contents_frame(self.contents(point), label, "", point.at_ms)

    def diff(self, place: int) -> Frame:
        """Return in what a moment differs from now: object, what, key, change, here, there."""
        point = self.at(place)
        now_ms = self._session.runtime.clock.now_ms
        here, there = f"{format_time(point.at_ms)}", f"now ({format_time(now_ms)})"
        return differences_frame(self.to_now(point), here, there, now_ms)

    def to_now(self, point: Point) -> list[Difference]:
        """Return in what a moment differs from now."""
        store = self._session.peek(self._target)
        assert store is not None
        return self._between(self.contents(point), contents_of(store))

    def fork(self, place: int) -> Runtime:
        """Return a new runtime that continues with the object as it was at a moment."""
        bookmark = self._bookmark(place)
        return self._session.runtime.fork(at={self._target.stub: bookmark})

    def restore(self, place: int) -> str:
        """Take the object back to a moment; returns the bookmark that undoes it."""
        bookmark = self._bookmark(place)
        undo: list[str] = []

        async def go_back(ctx: Any) -> None:
            undo.append(await ctx.storage.onNextSessionRestoreBookmark(bookmark))

        runtime, stub = self._session.runtime, self._target.stub
        runtime.run(run_inside(kernel_of(runtime), stub, go_back))
        runtime.crash(stub)
        runtime.run(
            run_inside(kernel_of(runtime), stub, lambda ctx: ctx.storage.getCurrentBookmark())
        )
        return undo[0]

    def at(self, place: int) -> Point:
        """Return a moment by its place in `points()`.

        Raises:
            UsageError: If no such moment exists.
        """
        moments = self.moments()
        try:
            return moments[place]
        except IndexError:
            raise UsageError(
                f"{self.label} has {count(len(moments), 'moment')}, none at {place}."
            ) from None

    def card(self) -> Card:
        """Return the static card: the latest moments, and what changed with each."""
        frame = self.points().tail(_CARD_POINTS)
        rows = [
            (format_time(round(at.timestamp() * 1000)), changed or "the oldest moment that is kept")
            for at, changed in zip(frame["at"], frame["changed"], strict=True)
        ]
        note = f"{count(len(self.moments()), 'moment')} to go back to"
        return Card(self.label, tuple(rows), note)

    def _bookmark(self, place: int) -> str:
        return self._history.bookmark(self.at(place).number)

    def _between(self, before: Contents, after: Contents) -> list[Difference]:
        return list(differences(before, after, self.label))


def change_text(found: list[Difference]) -> str:
    """Return differences in a line."""
    texts = []
    for one in found[:_MOST_CHANGES]:
        name = " ".join(filter(None, ("" if one.what == "key" else one.what, one.key)))
        here, there = side_text(one, one.here), side_text(one, one.there)
        texts.append(f"{name}: {here or 'none'} → {there or 'none'}")
    more = len(found) - len(texts)
    return "; ".join(texts) + (f"; {more:,} more" if more else "") or "nothing"


def side_text(one: Difference, value: Any) -> str:
    """Return what one side of a difference has, empty if nothing."""
    if one.what == "alarm":
        return "" if value is None else format_time(value)
    only = "only there" if value is one.here else "only here"
    return "" if value is None and one.change in (only, "changed") else shorten(shown(value), 60)
