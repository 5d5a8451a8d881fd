"""The journal of a state directory: one wait for the disk for the writes of a tick, of any objects.

With durability "power" an answer leaves only when its writes would survive a power cut. Waiting
for every object's file would cost one wait each. Instead the rows that a tick has changed are
appended here, and this file alone is synced; the objects' files are written later (`backlog`). At a
checkpoint, and when the directory is closed, everything is in the objects' files, and the journal
starts again.

When a directory is opened, the journal is read and its rows are taken in: it holds rows as they are
after each tick, so taking them in twice is harmless. SQL changes are not in it: an object that uses
SQL syncs its own file, and its earlier entries are sealed off.

The layout:

    0       the head, twice (at 0 and 2,048), so that one damaged sector costs nothing
    4096    records, each a header and a payload of entries

A *generation* is one life of the file, from a checkpoint to the next; the space is written over and
never given back, because a disk is faster in overwriting. Every record carries its generation and
the generation's salt. The salt is random, so no value that a user stores can pass for a record.

**Torn or damaged.** In one generation each record is synced before the next one is written. So
after a power cut only the last record can be incomplete: a bad record with no good one of the same
generation behind it is the normal end. A bad record with good ones behind it is damage, and so is a
head that cannot be read while records can: `Reading.damage` says what was found.

Whether the directory was closed properly is also read here and nowhere else, as this is the one
file that is synced before anything is acknowledged.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dobook.storage import files, journal_v1
from dobook.storage.boot import UNKNOWN, boot_mark
from dobook.storage.entries import Entry, decode, encode
from dobook.storage.foreign_files import check_regular

# The runtime may put a seeded `os.urandom` in place later; salts must not repeat with a seed.
_urandom: Final = os.urandom

HEAD_MAGIC: Final = b"dbj2"
RECORD_MAGIC: Final = b"dbr2"
_HEAD: Final = struct.Struct("<4sQ8s8sBqI")  # magic, generation, salt, boot, clean, clock, checksum
_RECORD: Final = struct.Struct("<4sQ8sIqI")  # magic, generation, salt, length, clock, checksum
_HEAD_COPIES: Final = (0, 2_048)
FIRST_RECORD: Final = 4_096
CHUNK_BYTES: Final = 1024 * 1024
CHECKPOINT_BYTES: Final = 8 * 1024 * 1024


@dataclass(slots=True)
class Reading:
    """What a journal file says.

    Attributes:
        generation: The current generation; 0 before the first.
        salt: Its salt.
        boot: In which boot of the machine the file was used last; see `boot_mark`.
        clean: Whether the directory was closed properly, so that no entry counts.
        clock_ms: The latest time on the runtime's clock, in ms since 1970; None if unknown.
        entries: The entries of the generation, in order.
        end: Where the next record goes.
        damage: What is wrong, in words; empty for a journal that is whole or has a torn end.
        old: Whether it is of the layout of dobook 0.1.
        head_copies: How many of the two copies of its head can be read.
        short: Whether the file is shorter than it was made.
    """

    generation: int = 0
    salt: bytes = b""
    boot: bytes = UNKNOWN
    clean: bool = True
    clock_ms: int | None = None
    entries: list[Entry] = field(default_factory=list)
    end: int = FIRST_RECORD
    damage: str = ""
    old: bool = False
    head_copies: int = 0
    short: bool = False


class Journal:
    """The journal file of a state directory.

    Args:
        path: The file; created if it does not exist.
        wait: Whether to wait for the disk; without it a killed process loses nothing either.

    Attributes:
        existed: Whether there was a journal before.
        found: What was in it.

    Raises:
        OSError: If it cannot be read or created.
    """

    def __init__(self, path: Path, *, wait: bool = True) -> None:
        self.path = path
        self._wait = wait
        if files.exists(path):
            check_regular(path)
        self.existed = files.size_of_file(path) > 0
        self._fd = files.system.open(str(path), os.O_RDWR | os.O_CREAT)
        try:
            self.found = read_journal(path) if self.existed else Reading()
            self._size = files.system.size(self._fd)
        except BaseException:
            files.system.close(self._fd)
            raise
        self._generation = self.found.generation
        self._salt = self.found.salt
        self._position = self.found.end
        self._limit = CHECKPOINT_BYTES

    @property
    def full(self) -> bool:
        """Whether it is time for a checkpoint."""
        return self._position > self._limit

    @property
    def generation(self) -> int:
        """How often the journal has been started again."""
        return self._generation

    def append(self, entries: Iterable[Entry], clock_ms: int) -> None:
        """Write what a tick has changed and wait for the disk.

        Args:
            entries: What has changed.
            clock_ms: The time on the runtime's clock, in ms since 1970.

        Raises:
            OSError: If the disk refuses.
        """
        payload = b"".join(map(encode, entries))
        record = self._record(payload, clock_ms)
        end = self._position + len(record)
        try:
            if end > self._size:
                self._grow(end)
                if (
                    self._wait
                ):  # a record beyond the last whole chunk means that the end was cut off
                    files.system.sync(self._fd)
            files.write_at(self._fd, record, self._position)
            if self._wait:
                files.system.sync(self._fd)
        except BaseException:
            with contextlib.suppress(OSError):  # a refused record must not be found after a crash
                files.write_at(self._fd, bytes(_RECORD.size), self._position)
            raise
        self._position = end

    def _record(self, payload: bytes, clock_ms: int) -> bytes:
        bare = _RECORD.pack(RECORD_MAGIC, self._generation, self._salt, len(payload), clock_ms, 0)[
            :-4
        ]
        checksum = zlib.crc32(payload, zlib.crc32(bare))
        return b"%b%b%b" % (bare, checksum.to_bytes(4, "little"), payload)

    def restart(self, clock_ms: int, *, clean: bool = False) -> None:
        """Begin a new generation: the objects' files have everything that the last one had.

        Args:
            clock_ms: The time on the runtime's clock, in ms since 1970.
            clean: Whether the directory is being closed properly.

        Raises:
            OSError: If the disk refuses; then the last generation may count or not, and may be
                taken in again without harm.
        """
        before = self._generation, self._salt
        self._generation, self._salt = self._generation + 1, _urandom(8)
        try:
            if self._size < FIRST_RECORD or self._size % CHUNK_BYTES:
                self._grow(max(FIRST_RECORD, self._size))
            files.write_at(self._fd, self._head(clock_ms, clean=clean), 0)
            if self._wait:
                files.system.sync(self._fd)
        except BaseException:
            self._generation, self._salt = before
            raise
        self._position, self._limit = FIRST_RECORD, CHECKPOINT_BYTES

    def sync(self) -> None:
        """Wait until the disk has everything that was found.

        Raises:
            OSError: If the disk refuses.
        """
        files.system.sync(self._fd)

    def rewrite(self, entries: Iterable[Entry], clock_ms: int) -> None:
        """Put a new file in the place of one that is damaged, or of dobook 0.1.

        Args:
            entries: All that counts and is not in the objects' files.
            clock_ms: The time on the runtime's clock, in ms since 1970.

        Raises:
            OSError: If the disk refuses; the file is as it was.
        """
        self._generation, self._salt = self._generation + 1, _urandom(8)
        record = self._record(b"".join(map(encode, entries)), clock_ms)
        data = self._head(clock_ms, clean=False) + record
        data += bytes(-len(data) % CHUNK_BYTES)
        files.replace_atomically(self.path, data, durable=self._wait)
        files.system.close(self._fd)
        self._fd = files.system.open(str(self.path), os.O_RDWR)
        self._size, self._position = len(data), FIRST_RECORD + len(record)
        self._limit = self._position + CHECKPOINT_BYTES

    def _head(self, clock_ms: int, *, clean: bool) -> bytes:
        known = self._generation, self._salt, boot_mark(), clean, clock_ms
        bare = _HEAD.pack(HEAD_MAGIC, *known, 0)[:-4]
        head = bare + zlib.crc32(bare).to_bytes(4, "little")
        block = bytearray(FIRST_RECORD)
        for place in _HEAD_COPIES:
            block[place : place + len(head)] = head
        return bytes(block)

    def mark_boot(self, clock_ms: int) -> None:
        """Note that the file is used in this boot of the machine; its entries stay.

        Raises:
            OSError: If the disk refuses.
        """
        files.write_at(self._fd, self._head(clock_ms, clean=False), 0)
        files.system.sync(self._fd)

    def postpone(self) -> None:
        """Ask for no checkpoint for a while: one has just failed."""
        self._limit = self._position + CHECKPOINT_BYTES

    def close(self) -> None:
        """Close the file."""
        files.system.close(self._fd)

    def _grow(self, needed: int) -> None:
        """Make the file a whole number of chunks that has `needed` bytes."""
        # Zeros are written, not just reserved: writing over blocks that exist is what is fast.
        while self._size < needed or self._size % CHUNK_BYTES:
            missing = CHUNK_BYTES - self._size % CHUNK_BYTES
            files.write_at(self._fd, bytes(missing), self._size)
            self._size += missing


def damage_of(found: Reading, *, closed: bool) -> str:
    """Return what is wrong with a journal, in words; empty if nothing is.

    Args:
        found: What it says.
        closed: Whether `state.sqlite` says that the directory was closed properly, or never used.
    """
    if found.damage or found.clean or not found.short:
        return found.damage
    # A crash in the very first moments leaves a short file too, in which there can be nothing.
    if closed and found.generation == 1 and not found.entries:
        return ""
    return "it has been cut short"


def read_journal(path: Path) -> Reading:
    """Read a journal, which may be in use, without changing it.

    Raises:
        OSError: If it cannot be read.
    """
    data = files.read_file(path)
    if data[:4] == journal_v1.MAGIC:
        generation, entries, damage = journal_v1.read(data)
        # Version 1 could not tell whether it was closed properly: its entries always count.
        return Reading(generation, clean=False, entries=entries, damage=damage, old=True)
    heads = [head for place in _HEAD_COPIES if (head := _read_head(data, place)) is not None]
    if heads:
        generation, salt, boot, clean, clock_ms = max(heads)
        reading = Reading(generation, salt, boot, clean, clock_ms, head_copies=len(heads))
        if not clean:
            _read_records(data, reading)
            reading.short = _is_short(data, reading.end)
        return reading
    return _without_head(data)


def _is_short(data: bytes, end: int) -> bool:
    """Return whether a journal has lost its end.

    It grows by whole chunks of zeros, before anything is written to the new one. A crash may leave
    part of the last chunk, but then no record has reached that.
    """
    whole = len(data) - len(data) % CHUNK_BYTES
    return whole < len(data) and end > whole


def _read_head(data: bytes, place: int) -> tuple[int, bytes, bytes, bool, int] | None:
    raw = data[place : place + _HEAD.size]
    if len(raw) < _HEAD.size or raw[:4] != HEAD_MAGIC:
        return None
    _, generation, salt, boot, clean, clock_ms, checksum = _HEAD.unpack(raw)
    if zlib.crc32(raw[:-4]) != checksum:
        return None
    return generation, salt, boot, bool(clean), clock_ms


def _read_records(data: bytes, reading: Reading) -> None:
    """Read the records of a generation, those behind a damaged one included."""
    mark = _mark(reading.generation, reading.salt)
    position, skipped = FIRST_RECORD, 0
    while True:
        found = _read_record(data, position, mark)
        if found is None:
            after = _next_record(data, position + 1, mark)
            if after is None:
                break
            skipped += 1
            position = after
            continue
        clock_ms, entries, position = found
        if entries is None:
            skipped += 1
        else:
            reading.entries.extend(entries)
        reading.clock_ms = max(reading.clock_ms or 0, clock_ms)
        reading.end = position
    if skipped:
        reading.damage = (
            f"{skipped} of its records cannot be read, with good ones behind "
            f"{'it' if skipped == 1 else 'them'}"
        )


def _mark(generation: int, salt: bytes) -> bytes:
    """Return what each record of a generation begins with."""
    return _RECORD.pack(RECORD_MAGIC, generation, salt, 0, 0, 0)[:20]


def _read_record(
    data: bytes, position: int, mark: bytes
) -> tuple[int, list[Entry] | None, int] | None:
    """Return the clock, the entries (None: not to be understood) and the end of a record."""
    if not data.startswith(mark, position) or len(data) < position + _RECORD.size:
        return None
    _, _, _, length, clock_ms, checksum = _RECORD.unpack_from(data, position)
    begin = position + _RECORD.size
    payload = data[begin : begin + length]
    if len(payload) < length:
        return None
    if zlib.crc32(payload, zlib.crc32(data[position : begin - 4])) != checksum:
        return None
    try:
        return clock_ms, list(decode(payload)), begin + length
    except ValueError:
        return clock_ms, None, begin + length


def _next_record(data: bytes, position: int, mark: bytes) -> int | None:
    """Return where the next good record of a generation begins."""
    while (position := data.find(mark, position)) >= 0:
        if _read_record(data, position, mark) is not None:
            return position
        position += 1
    return None


def _without_head(data: bytes) -> Reading:
    """Read a journal whose head is gone, by the newest generation that has a record."""
    newest = b""
    position = 0
    while (position := data.find(RECORD_MAGIC, position)) >= 0:
        mark = data[position : position + 20]
        if _order(mark) > _order(newest) and _read_record(data, position, mark) is not None:
            newest = mark
        position += 1
    if not newest:
        # A file that was just being created has no head yet; anything else once had one.
        started = any(data[place : place + 4].strip(b"\0") for place in _HEAD_COPIES)
        damage = "its head cannot be read, and it has no records" if started else ""
        return Reading(clean=not damage, damage=damage)
    _, generation, salt, _, _, _ = _RECORD.unpack(newest + bytes(_RECORD.size - 20))
    reading = Reading(generation, salt, clean=False)
    _read_records(data, reading)
    reading.damage = "its head cannot be read" + (reading.damage and f", and {reading.damage}")
    return reading


def _order(mark: bytes) -> int:
    return int.from_bytes(mark[4:12], "little") if mark else -1
