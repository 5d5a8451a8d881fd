"""The history of one object: what point-in-time recovery goes back through.

A point is a state the object has had, with a number and the virtual time it came about. Between
two points stand the values that the later one replaced; going back puts them in place again, the
newest first. Writes of one virtual instant share a point unless a bookmark has been handed out
in between, so work that takes no virtual time costs no history.

SQL has no such list. Before the first SQL write after a point the whole database is copied, page
by page, and only pages that differ from the copy before are kept. A database of s MB (above one)
is copied at most every s seconds of virtual time, or where a bookmark was handed out; the writes
in between share a point.

Both are bounded: points are kept for the window (30 days), at most `MAX_POINTS` of them
(`tidy` joins those that lie closest for their age, so what is long ago gets coarser; handed-out
bookmarks last longest) and at most `MAX_BYTES` an object.

A bookmark is four groups of hex digits that order as strings. The first counts the recoveries,
the second the points, the last one names the object.
Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#pitr-point-in-time-recovery-api
"""

import contextlib
import hashlib
import re
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, Final

from dobook.clock import format_time
from dobook.codec import serialize
from dobook.errors import PlatformError
from dobook.storage.contents import Contents, contents_of, user_image
from dobook.storage.history.points import Log, Point, superfluous
from dobook.storage.image import from_image, image_of, load_image, size_of
from dobook.storage.kv import ALARM, DELETED, KV, MISSING, Encoded
from dobook.storage.rows import Changes, write_rows
from dobook.storage.schema import NS_PER_MS, TABLES

if TYPE_CHECKING:
    from dobook.storage.connection import Connection
    from dobook.storage.store import ObjectStore

MAX_POINTS: Final = 4_096
MAX_BYTES: Final = 64 * 1024 * 1024
TIDY_EVERY: Final = 256  # new points
FREE_IMAGE_BYTES: Final = 1024 * 1024  # databases up to this size are copied whenever it helps
SESSION: Final = 1 << 32  # points from one recovery to the next
START: Final = "00000000-00000000-00000000-" + "0" * 32

_BOOKMARK = re.compile(r"([0-9a-f]{8})-([0-9a-f]{8})-[0-9a-f]{8}-([0-9a-f]{32})")


class History:
    """The points of one object, oldest first.

    Args:
        log: Where they are kept.
        clock: Returns the time in ms since 1970.
        window_ms: How far one can go back.
        label: What the object's bookmarks are recognised by.
        new: Whether the object began empty, so that all of its past is known.
        pending: The point that the next session begins from.
    """

    __slots__ = (
        "_at_ms",
        "_clock",
        "_image_ms",
        "_imaged",
        "_label",
        "_loaded",
        "_log",
        "_new",
        "_number",
        "_pinned",
        "_previous",
        "_sql_number",
        "_touched",
        "_window_ms",
        "pending",
    )

    def __init__(
        self,
        log: Log,
        clock: Callable[[], int],
        window_ms: int,
        label: str,
        *,
        new: bool,
    ) -> None:
        self._log = log
        self._clock = clock
        self._window_ms = window_ms
        self._label = label
        self._new = new
        self.pending: int | None = None  # the point that the next session begins from
        self._loaded = False
        self._number = 0
        self._at_ms = 0
        self._pinned = False
        self._imaged = -1  # the point whose SQL database was copied last
        self._image_ms = 0
        self._previous = 0  # the point before the last
        self._sql_number = -1  # the last point that is known to have changed SQL
        self._touched: Collection[str] = ()  # keys that the last point has replaced already

    # ------------------------------------------------------------------ taking note

    def before_sql(self, connection: "Connection", *, nested: bool) -> None:
        """Copy the SQL database, if the write about to be made is the first after a point.

        Args:
            connection: The object's database, before the write.
            nested: Whether a transaction is open, which may end at another time.
        """
        self._load()
        if self._imaged == self._number:
            return
        if self._pinned or nested or self._is_time_for_copy(connection):
            self._copy(connection, self._number)
        elif self._sql_number != self._number:
            # The write will be part of the last point, and is its first one to SQL.
            self._copy(connection, self._previous)
            self._sql_number = self._number

    def note(self, store: "ObjectStore", now_ms: int) -> None:
        """Take note of what a store is about to commit."""
        if not self._loaded:
            self._load()
        # With SQL, what counts is whether the database was copied before the write.
        sql = store.in_sql_transaction
        if self._imaged == self._number if sql else now_ms != self._at_ms or self._pinned:
            self._begin(self._number + 1, now_ms, pinned=False)
            if sql:
                self._sql_number = self._number
        elif now_ms != self._at_ms:
            self._at_ms = now_ms
            self._log.change(Point(self._number, now_ms, self._pinned))
        kv = store.kv
        undo = kv.undo
        if kv.source is not None:  # what was not in the cache still has to be looked up
            read = kv.source.read_row
            undo = {k: _stored(read(k)) if v is MISSING else v for k, v in undo.items()}
        touched = self._touched
        if not touched:
            self._touched = self._log.replaced(self._number, undo)
            return
        new = {key: old for key, old in undo.items() if key not in touched}
        if new:
            self._touched = _joined(touched, self._log.replaced(self._number, new))

    # ------------------------------------------------------------------ bookmarks

    def points(self) -> list[Point]:
        """Return the states that can be gone back to, oldest first; the last one is now."""
        self._load()
        return list(self._log.points())

    def bookmark(self, number: int) -> str:
        """Return the bookmark of a point without handing it out: it may be joined with others."""
        return self._text(number)

    def current(self) -> str:
        """Return the bookmark of the last point."""
        self._load()
        if not self._pinned and self._number:
            self._pinned = True
            self._log.pin(self._number)
        return self._text(self._number)

    def at_time(self, at_ms: float) -> str:
        """Return the bookmark of the last point at a time in ms since 1970.

        Raises:
            PlatformError: If it is in the future, or longer ago than history reaches.
        """
        self._load()
        now_ms = self._clock()
        if at_ms > now_ms:
            raise PlatformError(
                f"Cannot get a bookmark for a time in the future: {format_time(round(at_ms))}."
            )
        found = [p for p in self._log.points() if p.at_ms <= at_ms]
        if at_ms < now_ms - self._window_ms or not found:
            raise PlatformError(
                f"Cannot get a bookmark for {format_time(round(at_ms))}: the history of this "
                "Durable Object does not reach so far back."
            )
        number = found[-1].number
        if number == self._number:
            return self.current()
        self._log.pin(number)
        return self._text(number)

    def restore_next(self, bookmark: object) -> str:
        """Start the next session from a bookmark.

        Returns:
            The bookmark of the state that the session will find before it goes back.

        Raises:
            PlatformError: If it is not a bookmark of this object, or its state is no longer kept.
        """
        self._load()
        number = self._read(bookmark)
        self._log.set_pending(number)
        self.pending = number
        return self._text(self._before_restore())

    def contents_at(self, store: "ObjectStore", bookmark: str) -> Contents:
        """Return what an object had stored at a bookmark, leaving it as it is.

        Raises:
            PlatformError: If it is not a bookmark of this object, or its state is no longer kept.
            UsageError: If its SQL database has changes that are not committed.
        """
        self._load()
        number = self._read(bookmark)
        now = contents_of(store)
        rows, alarm_ms = dict(now.rows), now.alarm_ms
        for key, old in self._log.undo(number).items():
            if key is ALARM:
                alarm_ms = old
            elif old is MISSING or old is DELETED:
                rows.pop(key, None)
            else:
                rows[key] = old
        copied = self._log.image(number)
        if copied is None:
            return Contents(rows, alarm_ms, now.image)
        with contextlib.closing(from_image(copied)) as connection:
            return Contents(rows, alarm_ms, user_image(connection))

    # ------------------------------------------------------------------ going back

    def go_back(self, store: "ObjectStore") -> None:
        """Make the storage what it was at the pending bookmark, as uncommitted writes.

        Everything written before must be committed. SQL tables, rows and alarm go back in one
        transaction, or, without SQL, in the commit that follows. Doing it twice is doing it once,
        so after a crash in between it is done again; `went_back` ends it.
        """
        self._load()
        number = self.pending
        assert number is not None
        if number not in {p.number for p in self._log.points()}:
            return  # the window has moved on
        image = self._log.image(number)
        undo = self._log.undo(number)
        self._begin(self._before_restore(), self._clock(), pinned=True)
        kv = store.kv
        if image is not None:
            connection = store.connection()
            self._copy(connection, self._number)
            # What the restore replaces is noted before the file has it: killed in between, the next
            # session finds the restored rows, and could not know any more what they replaced.
            self._begin(self._number + 1, self._at_ms, pinned=False)
            self._sql_number = self._number
            self._touched = self._log.replaced(self._number, _values(kv, undo))
            self._log.flush()
            store.seal()
            reverted = _changes(undo)
            load_image(
                connection,
                image,
                keep=TABLES.values(),
                change=lambda other: write_rows(other, reverted),
            )
            store.sync()
        else:
            self._log.flush()
        store.touch()
        for key, old in undo.items():
            kv.revert(key, old)

    def went_back(self) -> None:
        """Note that the restored state is committed."""
        self.pending = None
        self._log.set_pending(None)

    # ------------------------------------------------------------------ bounds

    def tidy(self) -> None:
        """Forget what is too old, too much, or too fine."""
        log = self._log
        points = log.points()
        oldest_ms = self._clock() - self._window_ms
        first = 0
        while first + 1 < len(points) and points[first + 1].at_ms <= oldest_ms:
            first += 1
        first = max(first, len(points) - 2 * MAX_POINTS)
        while log.size() > MAX_BYTES and first < len(points) - 1:
            first = max(first + 1, (first + len(points)) // 2)
            log.cut(points[first].number)
        if first:
            log.cut(points[first].number)
        points = points[first:]
        if len(points) > MAX_POINTS:
            log.join(superfluous(points, len(points) - MAX_POINTS * 3 // 4, self._clock()))

    # ------------------------------------------------------------------ inside

    def _load(self) -> None:
        if self._loaded:
            return
        points = self._log.points()
        self._loaded = True
        if points:
            self._number, self._at_ms, _ = points[-1]
            self._pinned = True  # what it has touched is not known any more
        else:
            self._at_ms = 0 if self._new else self._clock()
            self._pinned = True
            self._log.append(Point(0, self._at_ms, pinned=True))

    def _begin(self, number: int, at_ms: int, *, pinned: bool) -> None:
        # Counted by the point's number, because an object may be evicted after each point.
        if number % TIDY_EVERY == 0:
            self.tidy()
        self._previous = self._number
        self._number, self._at_ms, self._pinned = number, at_ms, pinned
        self._touched = ()
        self._log.append(Point(number, at_ms, pinned))

    def _is_time_for_copy(self, connection: "Connection") -> bool:
        now_ms = self._clock()
        if now_ms == self._at_ms:
            return False
        size = size_of(connection)
        return size <= FREE_IMAGE_BYTES or now_ms - self._image_ms >= size // 1024

    def _copy(self, connection: "Connection", number: int) -> None:
        self._log.add_image(number, image_of(connection))
        self._imaged = number
        self._image_ms = self._clock()

    def _before_restore(self) -> int:
        return (self._number // SESSION + 1) * SESSION

    def _text(self, number: int) -> str:
        if not number:
            return START
        return f"{number // SESSION:08x}-{number % SESSION:08x}-00000000-{self._tag()}"

    def _tag(self) -> str:
        return hashlib.blake2b(self._label.encode(), digest_size=16).hexdigest()

    def _read(self, bookmark: object) -> int:
        match = _BOOKMARK.fullmatch(bookmark) if isinstance(bookmark, str) else None
        if match is None:
            raise PlatformError(f"Invalid bookmark: {bookmark!r:.80}")
        number = int(match[1], 16) * SESSION + int(match[2], 16)
        if bookmark != START and match[3] != self._tag():
            raise PlatformError(f"The bookmark is of another Durable Object: {bookmark}")
        if number not in {p.number for p in self._log.points()}:
            raise PlatformError(
                f"The bookmark's state is not kept any more, or never was: {bookmark}"
            )
        return number


def _changes(undo: dict[str, Any]) -> Changes:
    """Return what an undo log puts in place, as it is stored."""
    rows: list[tuple[str, bytes | None]] = []
    for key, old in undo.items():
        if key is not ALARM:
            gone = old is MISSING or old is DELETED
            rows.append((key, None if gone else old if type(old) is Encoded else serialize(old)))
    at_ms = undo.get(ALARM)
    alarm = (None if at_ms is None else at_ms * NS_PER_MS,) if ALARM in undo else None
    return Changes(rows, alarm)


def _values(kv: KV, keys: Iterable[str]) -> dict[str, Any]:
    """Return what keys, and the alarm, have now."""
    found: dict[str, Any] = {}
    for key in keys:
        value = kv.alarm_ms if key is ALARM else kv.rows.get(key, MISSING)
        if value is MISSING and kv.source is not None:
            value = _stored(kv.source.read_row(key))
        found[key] = value
    return found


def _stored(data: bytes | None) -> Any:
    return MISSING if data is None else Encoded(data)


def _joined(keys: Collection[str], more: Collection[str]) -> Collection[str]:
    if more is keys:
        return keys
    if not isinstance(keys, dict):
        keys = dict.fromkeys(keys)
    keys.update(dict.fromkeys(more))
    return keys
