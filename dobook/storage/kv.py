"""The key-value rows of one object: a cache that is also the transaction log.

`rows` holds the current values, frozen (see `dobook.codec`): isolated from the caller and cheap to
hand out again. `undo` remembers, for every key touched since the last commit, what was there
before. So a rollback copies back, and the keys of `undo` are exactly the dirty ones. Transactions
stack further undo layers on top.

A memory-backed object has all its rows here. A disk-backed one loads them from its database: all
at once while it is small (`complete`), otherwise row by row.

Nothing here waits, checks limits or knows of gates; that is `dobook.runtime.storage.storage`.
Source: cloudflare/workerd src/workerd/util/sqlite-kv.c++, src/workerd/io/actor-sqlite.c++
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

from dobook.codec import JsBuffer, deserialize, freeze, thaw


class Missing:
    """Stands for a key that has no value, where None is one."""

    def __repr__(self) -> str:
        return "MISSING"


class Deleted:
    """Stands for a row that the cache has removed and the source still has."""

    def __repr__(self) -> str:
        return "DELETED"


class AlarmKey(str):
    """The key under which the alarm time stands in undo logs, beside the rows it changed with."""

    __slots__ = ()


MISSING: Final = Missing()
DELETED: Final = Deleted()
ALARM: Final = AlarmKey("\x00alarm")


class Encoded(bytes):
    """A value as it came from disk, decoded when somebody reads it."""

    __slots__ = ()


class RowSource(Protocol):
    """Where rows that are not in the cache are read from."""

    def read_row(self, key: str) -> bytes | None:
        """Return the stored bytes of a row, or None."""

    def read_rows(
        self, start: str, end: str | None, *, reverse: bool
    ) -> Iterator[tuple[str, bytes]]:
        """Yield the stored rows with start <= key < end, in key order."""
        ...


class KV:
    """Rows of one object, with undo layers. All methods act at once.

    Args:
        source: Where rows are read from that are not cached; None if all rows are here.
    """

    __slots__ = (
        "_had",
        "_sorted",
        "alarm_ms",
        "cursor",
        "layers",
        "rows",
        "source",
        "turn",
        "undo",
    )

    def __init__(self, source: RowSource | None = None) -> None:
        self.rows: dict[str, Any] = {}
        self.undo: dict[str, Any] = {}
        self.layers: tuple[dict[str, Any], ...] = ()  # an empty list would take 56 bytes
        # What the latest event found where it wrote; None if it alone has written, see `turn`.
        self.turn: dict[str, Any] | None = None
        self.alarm_ms: int | None = None
        self.source = source
        self._sorted: list[str] | None = None
        # bits: the real engine has made its table for rows, its table for alarms; 4, 8: the same,
        # by what is not committed yet (alarms, rows)
        self._had = 0
        self.cursor: Any = None  # the iterator of `storage.kv.list`: there is one at a time

    # ------------------------------------------------------------------ reading

    def get(self, key: str) -> Any:
        """Return a fresh copy of the value, or None; a key without value reads as None too."""
        found = self.rows.get(key, MISSING)
        if found is MISSING:
            return None if self.source is None else self._load(key)
        kind = type(found)
        if kind is int or kind is str:
            return found
        if kind is Encoded:
            found = self.rows[key] = freeze(deserialize(found))
        elif found is DELETED:
            return None
        return fresh(found)

    def has(self, key: str) -> bool:
        """Return whether there is a row."""
        found = self.rows.get(key, MISSING)
        if found is MISSING and self.source is not None:
            self._load(key)
            found = self.rows.get(key, MISSING)
        return found is not MISSING and found is not DELETED

    def scan(
        self,
        start: str = "",
        end: str | None = None,
        *,
        reverse: bool = False,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """Return the rows with start <= key < end, ordered by the keys' UTF-8 bytes.

        Args:
            start: First key that may appear.
            end: First key that may not; None for no end.
            reverse: From the last key to the first.
            limit: At most so many rows, counted from where the order begins.
        """
        if limit is not None and limit <= 0:
            return {}
        if self.source is not None:
            return self._list_from_source(start, end, reverse=reverse, limit=limit)
        keys = self._sorted_keys()
        low = bisect_left(keys, start) if start else 0
        high = len(keys) if end is None else bisect_left(keys, end)
        if limit is not None and high - low > limit:
            low, high = (high - limit, high) if reverse else (low, low + limit)
        chosen = keys[low:high]
        if reverse:
            chosen.reverse()
        rows = self.rows
        found = {}
        for key in chosen:
            value = rows[key]
            if type(value) is Encoded:
                value = self._decoded(key, value)
            found[key] = JsBuffer(value) if type(value) is bytes else thaw(value)
        return found

    def keys(self) -> Iterable[str]:
        """Return the keys in order."""
        return self._sorted_keys() if self.source is None else list(self.scan())

    # ------------------------------------------------------------------ writing

    def put(self, key: str, frozen: object) -> None:
        """Store a value that is already frozen."""
        if self.cursor is not None:
            self.cursor.will_write(key, frozen)
        rows = self.rows
        undo = self.undo
        if key not in undo:
            old = undo[key] = rows.get(key, MISSING)
            if old is MISSING:
                self._sorted = None
        elif key not in rows:
            self._sorted = None
        turn = self.turn
        if turn is not None and key not in turn:
            turn[key] = rows.get(key, MISSING)
        rows[key] = frozen

    def delete(self, key: str) -> bool:
        """Remove a row; returns whether there was one."""
        self._had |= 8
        if not self.has(key):
            return False
        if self.cursor is not None:
            self.cursor.will_write(key, MISSING)
        old = self.rows.pop(key)
        if self.source is not None:
            self.rows[key] = DELETED  # a tombstone: the source still has the row
        self.undo.setdefault(key, old)
        if self.turn is not None:
            self.turn.setdefault(key, old)
        self._sorted = None
        return True

    def delete_all(self) -> int:
        """Remove every row; returns how many there were."""
        if self.cursor is not None:
            self.cursor.lose()
        keys = list(self.keys())
        for key in keys:
            self.delete(key)
        self._had = 0  # the database is made anew
        return len(keys)

    def set_alarm(self, at_ms: int | None) -> None:
        """Set the alarm time in ms since 1970, or remove it with None."""
        self.undo.setdefault(ALARM, self.alarm_ms)
        if self.turn is not None:
            self.turn.setdefault(ALARM, self.alarm_ms)
        if at_ms is not None:
            self._had |= 4
        self.alarm_ms = at_ms

    def has_engine_table(self, name: str) -> bool:
        """Return whether the real engine would have made its table for rows or alarms by now.

        Args:
            name: "_cf_KV" or "_cf_METADATA".
        """
        if name == "_cf_METADATA":
            return self.alarm_ms is not None or bool(self._had & 6)
        return bool(self.rows) or self.source is not None or bool(self._had & 9)

    def note_engine_table(self, name: str) -> None:
        """Note that the real engine has made one of its tables."""
        self._had |= 2 if name == "_cf_METADATA" else 1

    def revert(self, key: str, old: Any) -> None:
        """Write what an undo log remembers of a key, or of the alarm."""
        if key is ALARM:
            self.set_alarm(old)
        elif old is MISSING or old is DELETED:
            self.delete(key)
        else:
            self.put(key, freeze(deserialize(old)) if type(old) is Encoded else old)

    # ------------------------------------------------------------------ transactions

    def push(self) -> None:
        """Begin a nested transaction."""
        self.layers = (*self.layers, self.undo)
        self.undo = {}

    def pop(self) -> None:
        """Keep what the innermost transaction did, as part of the one around it."""
        inner, self.undo = self.undo, self.layers[-1]
        self.layers = self.layers[:-1]
        for key, old in inner.items():
            self.undo.setdefault(key, old)

    def pop_and_undo(self) -> None:
        """Undo what the innermost transaction did."""
        self._restore(self.undo)
        self.undo = self.layers[-1]
        self.layers = self.layers[:-1]

    def undo_all(self) -> None:
        """Undo everything since the last commit, open transactions included."""
        while self.layers:
            self.pop_and_undo()
        self._restore(self.undo)
        self.undo, self.turn = {}, None

    def undo_turn(self) -> None:
        """Undo what the latest event did, open transactions included."""
        while self.layers:
            self.pop_and_undo()
        turn, self.turn = self.turn, None
        if turn:
            self._restore(turn)
            for key, old in turn.items():
                if self.undo.get(key, turn) is old:  # it is again what is committed
                    del self.undo[key]

    def changes(self) -> list[tuple[str, Any]]:
        """Return (key, frozen value or MISSING) of every row changed since the last commit."""
        rows = self.rows
        changed = []
        for key in self.undo:
            if key is not ALARM:
                value = rows.get(key, MISSING)
                changed.append((key, MISSING if value is DELETED else value))
        return changed

    def uncommitted(self) -> dict[str, Any]:
        """Return what has changed since the last commit, each as it was then."""
        was: dict[str, Any] = {}
        for log in (self.undo, *reversed(self.layers)):
            was.update(log)
        return was

    def committed(self) -> dict[str, Any]:
        """Forget the undo log, as its changes are safe now; returns it."""
        log, self.undo, self.turn = self.undo, {}, None
        if self._had & 12:
            self._had |= self._had >> 3 | self._had >> 1 & 2
            self._had &= 3
        if self.rows:
            self._had |= 1
        if self.source is not None:
            for key in log:
                if self.rows.get(key) is DELETED:
                    del self.rows[key]
        return log

    # ------------------------------------------------------------------ loading

    def load_all(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take in all rows of the source, which is not asked again."""
        self.rows = {
            key: value if type(value) is Encoded else Encoded(value) for key, value in rows
        }
        self.source = None  # only now: reading the rows may fail
        self._sorted = None

    def _load(self, key: str) -> Any:
        assert self.source is not None
        data = self.source.read_row(key)
        if data is None:
            return None
        frozen = self.rows[key] = freeze(deserialize(data))
        return fresh(frozen)

    def _decoded(self, key: str, value: object) -> Any:
        if type(value) is Encoded:
            value = self.rows[key] = freeze(deserialize(value))
        return value

    def _list_from_source(
        self, start: str, end: str | None, *, reverse: bool, limit: int | None
    ) -> dict[str, Any]:
        # The rows of this turn may not be in the database yet, so both are merged.
        assert self.source is not None
        dirty = {k for log in (*self.layers, self.undo) for k in log if k is not ALARM}
        own = sorted(
            (
                k
                for k in dirty
                if k >= start
                and (end is None or k < end)
                and self.rows.get(k, DELETED) is not DELETED
            ),
            reverse=reverse,
        )
        result: dict[str, Any] = {}
        position = 0

        def take_own(before: str | None) -> None:
            nonlocal position
            while position < len(own) and (limit is None or len(result) < limit):
                key = own[position]
                if before is not None and (key < before if reverse else key > before):
                    return
                result[key] = fresh(self._decoded(key, self.rows[key]))
                position += 1

        for key, data in self.source.read_rows(start, end, reverse=reverse):
            take_own(key)
            if limit is not None and len(result) >= limit:
                return result
            if key not in dirty:
                cached = self.rows.get(key, MISSING)
                result[key] = (
                    fresh(freeze(deserialize(data)))
                    if cached is MISSING
                    else fresh(self._decoded(key, cached))
                )
        take_own(None)
        return result

    def _sorted_keys(self) -> list[str]:
        keys = self._sorted
        if keys is None:
            # Code point order is the order of the UTF-8 bytes.
            keys = self._sorted = sorted(self.rows)
        return keys

    def _restore(self, log: dict[str, Any]) -> None:
        rows = self.rows
        if log and self.cursor is not None:
            self.cursor.lose()
        self._had &= ~8
        for key, old in log.items():
            if key is ALARM:
                self.alarm_ms = old
                self._had &= ~4
            elif old is MISSING:
                rows.pop(key, None)
            else:
                rows[key] = old
        self._sorted = None


def fresh(frozen: object) -> Any:
    """Return a fresh copy of a value; bytes answer to an ArrayBuffer's names."""
    return JsBuffer(frozen) if type(frozen) is bytes else thaw(frozen)
