"""The journal's entries as bytes: what one object changed in one tick.

Reading takes nothing on trust: the bytes may come from a damaged disk or from a stranger.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

_LENGTH: Final = struct.Struct("<i")
_CHANGES: Final = struct.Struct("<bqi")  # flags, alarm, number of rows
_NOTHING: Final = -1
# Bits of an entry's flags.
ALARM_SET: Final = 1
SEAL: Final = 2
NEW: Final = 4
NAMED: Final = 8
LOOK: Final = 16
_KNOWN: Final = ALARM_SET | SEAL | NEW | NAMED | LOOK


class Entry(NamedTuple):
    """What one object changed in one tick.

    Attributes:
        unique_key: The unique key of the object's class.
        id: The object's id, 64 hex digits.
        rows: (key, stored bytes or None for deleted).
        alarm: Absent (None) if it was not changed, otherwise a tuple of the time in ns since 1970,
            or of None.
        seal: The object's own file has everything that earlier entries say, and what SQL changed
            since; they do not count any more.
        new: The object had no file at the last checkpoint, so the journal has all of it.
        name: The name the object is used under, if this entry tells it.
        look: The alarm has been changed in the object's own file.
    """

    unique_key: str
    id: str
    rows: list[tuple[str, bytes | None]]
    alarm: tuple[int | None] | None = None
    seal: bool = False
    new: bool = False
    name: str | None = None
    look: bool = False


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return _LENGTH.pack(len(data)) + data


_NO_NAMES: Final = _text("") + _text("")


def encode(entry: Entry) -> bytes:
    """Return an entry as bytes."""
    unique_key, identity, rows, alarm, seal, new, name, look = entry
    flags = (SEAL if seal else 0) | (NEW if new else 0) | (LOOK if look else 0)
    if name is not None:
        flags |= NAMED
    data = _text(unique_key) + _text(identity) + _encode_changes(rows, alarm, flags)
    return data if name is None else data + _text(name)


def encode_nameless(rows: list[tuple[str, bytes | None]], alarm: tuple[int | None] | None) -> bytes:
    """Return an entry as bytes that does not say whose it is, because that is known."""
    return _NO_NAMES + _encode_changes(rows, alarm, 0)


def _encode_changes(
    rows: list[tuple[str, bytes | None]], alarm: tuple[int | None] | None, flags: int
) -> bytes:
    at_ns = _NOTHING
    if alarm is not None:
        flags |= ALARM_SET
        if alarm[0] is not None:
            at_ns = alarm[0]
    if not rows:
        return _CHANGES.pack(flags, at_ns, 0)
    parts = [_CHANGES.pack(flags, at_ns, len(rows))]
    for key, value in rows:
        parts.append(_text(key))
        if value is None:
            parts.append(_LENGTH.pack(_NOTHING))
        else:
            parts.append(_LENGTH.pack(len(value)))
            parts.append(value)
    return b"".join(parts)


def decode(payload: bytes) -> Iterator[Entry]:
    """Yield the entries in a record.

    Raises:
        ValueError: If the bytes are not entries.
    """
    position = 0

    def take(size: int) -> bytes:
        nonlocal position
        if size < 0 or size > len(payload) - position:
            raise ValueError(f"a length of {size} does not fit")
        position += size
        return payload[position - size : position]

    def number() -> int:
        return int(_LENGTH.unpack(take(_LENGTH.size))[0])

    def text() -> str:
        return take(number()).decode()  # strictly: no half of a surrogate pair is ever stored

    while position < len(payload):
        unique_key, identity = text(), text()
        flags, at_ns, count = _CHANGES.unpack(take(_CHANGES.size))
        if flags & ~_KNOWN or count < 0:
            raise ValueError(f"flags {flags} or a count of {count} is unknown")
        rows: list[tuple[str, bytes | None]] = []
        for _ in range(count):
            key = text()
            length = number()
            rows.append((key, None if length == _NOTHING else take(length)))
        alarm = (None if at_ns == _NOTHING else at_ns,) if flags & ALARM_SET else None
        yield Entry(
            unique_key,
            identity,
            rows,
            alarm,
            bool(flags & SEAL),
            bool(flags & NEW),
            text() if flags & NAMED else None,
            bool(flags & LOOK),
        )


def replay(
    entries: Iterable[Entry],
    apply: Callable[[Entry], None],
    done: Callable[[int], None] = lambda _: None,
) -> int:
    """Merge the entries that still count, by object and in order; returns how many objects.

    Args:
        entries: The entries of a generation.
        apply: Called with one merged entry an object. `seal` says that the object's own file is
            newer than its earlier entries, `look` that the alarm may have changed in the file.
        done: Called with 1 for each entry that has been read or applied.
    """
    merged: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        key = (entry.unique_key, entry.id)
        before = merged.get(key)
        if before is not None:
            done(1)
        if before is None:
            merged[key] = entry._replace(rows=list(entry.rows), look=entry.look or entry.seal)
            continue
        name = entry.name if entry.name is not None else before.name
        look = before.look or entry.look or entry.seal
        if entry.seal:
            merged[key] = entry._replace(rows=list(entry.rows), name=name, look=look)
            continue
        before.rows.extend(entry.rows)
        merged[key] = before._replace(
            alarm=before.alarm if entry.alarm is None else entry.alarm,
            name=name,
            look=look,
            new=before.new or entry.new,
        )
    for entry in merged.values():
        # Of a key that was deleted and written again only the last counts: rows have no order.
        apply(entry._replace(rows=list(dict(entry.rows).items())))
        done(1)
    return len(merged)
