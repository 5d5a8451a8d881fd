"""The journal of a state directory: one wait for the disk for the writes of a tick, of any objects.

With durability "power" an answer leaves only when its writes would survive a loss of power. To
wait for every object's file would cost one wait each. Instead the rows that a tick has changed are
appended here, and this file alone is waited for; the objects' files are written at once as well,
but the disk takes them when it likes. From time to time, and at the end, it is made to
(`checkpoint`), and the journal starts again.

After an unclean end the journal is replayed into the files: it holds rows as they are after each
tick, so doing it twice does no harm. SQL changes are not in it: an object that uses SQL waits for
its own file, and its earlier entries are sealed off.

A record is its length, the generation and a checksum, then the entries. A generation is one life
of the file from a checkpoint to the next; the space is written over, never given back, because
a disk is faster at that.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from dobook.storage.connection import flush

_HEAD: Final = struct.Struct("<4sIQI")  # magic, length, generation, checksum
_MAGIC: Final = b"dbj1"
_LENGTH: Final = struct.Struct("<i")
_CHANGES: Final = struct.Struct("<bqi")  # flags, alarm, number of rows
CHUNK_BYTES: Final = 1024 * 1024
CHECKPOINT_BYTES: Final = 8 * 1024 * 1024
_NOTHING: Final = -1
ALARM_SET: Final = 1  # bits of an entry's flags
SEAL: Final = 2
NEW: Final = 4


class Entry(NamedTuple):
    """What one object changed in one tick.

    `rows` are (key, stored bytes or None for deleted). `alarm` is absent (None) if it was not
    changed, otherwise a tuple of the time in ns, or of None. `seal` voids what came before. `new`
    says that the object had no file at the last checkpoint, so that the journal has all of it.
    """

    unique_key: str
    id: str
    rows: list[tuple[str, bytes | None]]
    alarm: tuple[int | None] | None = None
    seal: bool = False
    new: bool = False


class Journal:
    """The journal file of a state directory.

    Args:
        path: The file; made if it does not exist.
        wait: Whether to wait for the disk; without it a killed process loses nothing either.
    """

    def __init__(self, path: Path, *, wait: bool = True) -> None:
        self._wait = wait
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._size = os.fstat(self._fd).st_size
        self._position = 0
        self._limit = CHECKPOINT_BYTES
        self._generation = 1
        head = self._read(0, _HEAD.size)
        if len(head) == _HEAD.size and head[:4] == _MAGIC:
            self._generation = _HEAD.unpack(head)[2]

    @property
    def full(self) -> bool:
        """Whether it is time for a checkpoint."""
        return self._position > self._limit

    def append(self, entries: Iterable[Entry]) -> None:
        """Write what a tick has changed and wait for the disk.

        Raises:
            OSError: If the disk refuses.
        """
        payload = b"".join(map(encode, entries))
        record = _HEAD.pack(_MAGIC, len(payload), self._generation, zlib.crc32(payload)) + payload
        end = self._position + len(record)
        try:
            if end > self._size:
                self._grow(end)
            self._write(self._position, record)
            if self._wait:
                flush(self._fd)
        except OSError:
            with contextlib.suppress(OSError):  # what was refused must not come back after a crash
                self._write(self._position, bytes(_HEAD.size))
            raise
        self._position = end

    def read(self) -> Iterator[Entry]:
        """Yield the entries since the last checkpoint, in order; a torn end is left out.

        What is appended afterwards stands behind them.
        """
        for end, entries in _records(self._read, self._generation):
            self._position = end
            yield from entries

    def restart(self) -> None:
        """Void all entries: the objects' files have everything.

        Raises:
            OSError: If the disk refuses.
        """
        # An empty record of a new generation, so that the old ones are not read again.
        record = _HEAD.pack(_MAGIC, 0, self._generation + 1, zlib.crc32(b""))
        if self._size < len(record):
            self._grow(len(record))
        self._write(0, record)
        if self._wait:
            flush(self._fd)
        self._generation, self._position = self._generation + 1, len(record)
        self._limit = CHECKPOINT_BYTES

    def postpone(self) -> None:
        """Ask for no checkpoint for a while: one has just failed."""
        self._limit = self._position + CHECKPOINT_BYTES

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _read(self, position: int, length: int) -> bytes:
        os.lseek(self._fd, position, os.SEEK_SET)
        return os.read(self._fd, length)

    def _write(self, position: int, data: bytes) -> None:
        os.lseek(self._fd, position, os.SEEK_SET)
        while data:
            data = data[os.write(self._fd, data) :]

    def _grow(self, needed: int) -> None:
        # Zeros are written, not just reserved: writing over blocks that exist is what is fast.
        while self._size < needed:
            self._write(self._size, bytes(CHUNK_BYTES))
            self._size += CHUNK_BYTES
        if self._wait:
            os.fsync(self._fd)


def entries_in(path: Path) -> Iterator[Entry]:
    """Yield the entries of a journal that may be in use, without touching it."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    if data[:4] == _MAGIC and len(data) >= _HEAD.size:
        generation = _HEAD.unpack_from(data)[2]
        reading = _records(lambda position, length: data[position : position + length], generation)
        for _, entries in reading:
            yield from entries


def _records(
    read: Callable[[int, int], bytes], generation: int
) -> Iterator[tuple[int, Iterator[Entry]]]:
    position = 0
    while True:
        head = read(position, _HEAD.size)
        if len(head) < _HEAD.size:
            return
        magic, length, record_generation, checksum = _HEAD.unpack(head)
        if magic != _MAGIC or record_generation != generation:
            return
        payload = read(position + _HEAD.size, length)
        if len(payload) < length or zlib.crc32(payload) != checksum:
            return
        position += _HEAD.size + length
        yield position, decode(payload)


def replay(entries: Iterable[Entry], apply: Callable[[Entry], None]) -> int:
    """Apply the entries that still count, per object in order; returns how many objects."""
    left: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        key = (entry.unique_key, entry.id)
        before = left.get(key)
        if entry.seal or before is None:
            left[key] = entry._replace(rows=list(entry.rows), seal=False)
            continue
        before.rows.extend(entry.rows)
        if entry.alarm is not None:
            left[key] = before._replace(alarm=entry.alarm)
    # Of a key that was deleted and written again only the last counts: rows are not put in order.
    changed = [
        e._replace(rows=list(dict(e.rows).items()))
        for e in left.values()
        if e.rows or e.alarm is not None
    ]
    for entry in changed:
        apply(entry)
    return len(changed)


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return _LENGTH.pack(len(data)) + data


_NO_NAMES: Final = _text("") + _text("")


def encode(entry: Entry) -> bytes:
    """Return an entry as bytes."""
    flags = (SEAL if entry.seal else 0) | (NEW if entry.new else 0)
    names = _text(entry.unique_key) + _text(entry.id)
    return names + _encode_changes(entry.rows, entry.alarm, flags)


def encode_nameless(rows: list[tuple[str, bytes | None]], alarm: tuple[int | None] | None) -> bytes:
    """Return an entry as bytes that has no names, because it is known whose it is."""
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
    """Yield the entries in a record."""
    position = 0

    def number() -> int:
        nonlocal position
        (value,) = _LENGTH.unpack_from(payload, position)
        position += _LENGTH.size
        return int(value)

    def data(length: int) -> bytes:
        nonlocal position
        position += length
        return payload[position - length : position]

    def text() -> str:
        return data(number()).decode("utf-8", "surrogatepass")

    while position < len(payload):
        unique_key, identity = text(), text()
        flags, at_ns, count = _CHANGES.unpack_from(payload, position)
        position += _CHANGES.size
        rows: list[tuple[str, bytes | None]] = []
        for _ in range(count):
            key = text()
            length = number()
            rows.append((key, None if length == _NOTHING else data(length)))
        alarm = (None if at_ns == _NOTHING else at_ns,) if flags & ALARM_SET else None
        yield Entry(unique_key, identity, rows, alarm, bool(flags & SEAL), bool(flags & NEW))
