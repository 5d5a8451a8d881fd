"""What a disk may contain after a power cut, worked out from a log of what was done to it.

The model, with `sync` as the only wait:

* **Contents.** The page cache has the newest version of every sector of 512 bytes, and may have
  given any earlier one to the disk since the file was last synced. So each sector that was written
  since has one of its versions, independent of all other sectors: a write may be kept, lost, or torn
  between sectors, and later writes may be kept without earlier ones. Within a sector there is no
  tearing, and a later write contains the earlier ones.
* **Sizes.** A file's size is one of those it had since it was synced, independent of its contents. A
  file whose growth is kept and whose data is lost reads as zeros. A cut that is kept zeroes what it
  cut off, unless that was written again later.
* **Names.** A new, renamed or deleted name may be lost until its folder is synced. "strict" is what
  POSIX promises: any subset is kept, and to sync a file does not keep its name. "ordered" is what
  ext4, XFS and btrfs do: names are kept in order, so a prefix is; to sync any folder keeps all of
  them, and to sync a file keeps all up to its own. A name belongs to one folder: when that is gone,
  its names are too, and a new folder of the same name begins empty.

A **kill** of the process is not a power cut: all that was done before is kept, and of a write that
is under way any part.

Source: "All File Systems Are Not Created Equal" (Pillai et al., OSDI 2014), "Finding
Crash-Consistency Bugs with Bounded Black-Box Crash Testing" (Mohan et al., OSDI 2018)
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from tests.disk.recorder import (
    Image,
    Log,
    Operation,
    folder_of,
    is_below,
    overwrite,
    replay_name,
    resize,
)

SECTOR: Final = 512
MOST_OPERATIONS: Final = 12
Names = Literal["strict", "ordered"]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a disk kept of a file that had `n` operations since it was synced.

    Operations are counted from 1, so 0 is nothing and n everything. `sectors` names those whose
    version differs from `version`.
    """

    version: int
    size: int
    sectors: tuple[tuple[int, int], ...] = ()  # sector, version


@dataclass(frozen=True, slots=True)
class Choice:
    """What a disk kept of everything: by file what is not "all of it", and which names are lost."""

    what: str
    files: tuple[tuple[int, Kept], ...] = ()
    lost_names: tuple[int, ...] = ()


@dataclass(slots=True)
class File:
    """A file's contents: what the disk has for sure, and what was done since."""

    durable: bytes = b""
    current: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)

    def apply(self, operation: Operation) -> None:
        """Write or truncate."""
        self.pending.append(operation)
        if operation.kind == "write":
            overwrite(self.current, operation.data, operation.offset)
        else:
            resize(self.current, operation.offset)

    def sync(self) -> None:
        """Have the disk keep everything."""
        if self.pending:
            self.durable = bytes(self.current)
            self.pending = []

    def sectors_of(self, number: int) -> range:
        """Return the sectors that the n-th operation since the last sync has written."""
        operation = self.pending[number - 1]
        end = operation.offset + len(operation.data)
        if operation.kind != "write" or not operation.data:
            return range(0)
        return range(operation.offset // SECTOR, (end - 1) // SECTOR + 1)

    def content(self, kept: Kept | None) -> bytes:
        """Return the contents that the disk has if it kept this much; None for everything."""
        if kept is None or not self.pending:
            return bytes(self.current)
        wanted: dict[int, list[int]] = {}  # sectors by version, where it is not the usual one
        for sector, version in kept.sectors:
            wanted.setdefault(version, []).append(sector)
        now = bytearray(self.durable)  # as the page cache had it
        size = len(now)
        result = bytearray(now)
        parts: dict[int, bytes] = {s: _sector(now, s) for s in wanted.get(0, ())}
        for number, operation in enumerate(self.pending, 1):
            if operation.kind == "write":
                overwrite(now, operation.data, operation.offset)
            else:
                resize(now, operation.offset)
                if number <= kept.size:  # a cut that is kept frees what earlier versions had
                    _zero_from(result, operation.offset)
                    for sector, part in parts.items():
                        cut = max(0, operation.offset - sector * SECTOR)
                        parts[sector] = part[:cut] + bytes(SECTOR - len(part[:cut]))
            if number <= kept.size:
                size = len(now)
            if number == kept.version:
                result = bytearray(now)
            for sector in wanted.get(number, ()):
                parts[sector] = _sector(now, sector)
        for sector, part in parts.items():
            overwrite(result, part, sector * SECTOR)
        resize(result, size)
        return bytes(result)


def _sector(content: bytearray, number: int) -> bytes:
    return bytes(content[number * SECTOR : (number + 1) * SECTOR]).ljust(SECTOR, b"\0")


def _zero_from(content: bytearray, start: int) -> None:
    content[start:] = bytes(max(0, len(content) - start))


class Disk:
    """A disk on which a log is played: what it must have, and what it may have lost.

    Args:
        log: Whose start it has.
        names: When names are kept.
    """

    def __init__(self, log: Log, names: Names = "strict") -> None:
        self.mode = names
        numbers = log.start_numbers()
        self.files = {
            numbers[path]: File(data, bytearray(data))
            for path, data in log.start.items()
            if data is not None
        }
        self.names: dict[str, int | None] = {path: numbers.get(path) for path in log.start}
        self.pending: list[Operation] = []  # names that may be lost
        self._emptied: dict[int, dict[str, int | None]] = {}  # by `id` of rmdir: what was in there

    def apply(self, operation: Operation) -> None:
        """Do the next operation of the log."""
        kind = operation.kind
        if kind in ("write", "truncate"):
            self.files[operation.file].apply(operation)
        elif kind == "sync":
            self.files[operation.file].sync()
            if self.mode == "ordered":
                own = [n for n, op in enumerate(self.pending, 1) if op.file == operation.file]
                self._keep_names(self.pending[: max(own, default=0)])
        elif kind == "sync_folder":
            if self.mode == "ordered":
                self._keep_names(self.pending)
            else:
                self._keep_names([op for op in self.pending if _folder(op) == operation.path])
        elif kind != "mark":
            if kind == "create":
                self.files[operation.file] = File()
            elif kind == "rmdir":
                self._emptied[id(operation)] = self._ever_in(operation.path)
            self.pending.append(operation)

    def _ever_in(self, folder: str) -> dict[str, int | None]:
        """Return the names that a crash could bring back into a folder that is empty now."""
        found = {path: number for path, number in self.names.items() if is_below(path, folder)}
        for operation in self.pending:
            if operation.kind in ("create", "rename") and is_below(_path(operation), folder):
                found[_path(operation)] = operation.file
        return found

    def _replay(self, names: dict[str, int | None], operation: Operation) -> None:
        """Do to names what an operation did; with a folder goes what could come back in it."""
        for path, number in self._emptied.get(id(operation), {}).items():
            if names.get(path, 0) == number:  # else it is in a new folder of that name
                del names[path]
        replay_name(names, operation)

    def _keep_names(self, kept: Sequence[Operation]) -> None:
        for operation in kept:
            self._replay(self.names, operation)
        done = {id(operation) for operation in kept}
        left: list[Operation] = []
        gone: list[str] = []  # folders; nothing that was done in them before can come back
        for operation in reversed(self.pending):
            if id(operation) in done:
                if operation.kind == "rmdir":
                    gone.append(operation.path)
            elif not any(is_below(_path(operation), folder) for folder in gone):
                left.append(operation)
        self.pending = left[::-1]

    # ------------------------------------------------------------------ one state

    def image(self, choice: Choice, *, part: Operation | None = None) -> Image:
        """Return what the disk contains after a choice.

        Args:
            choice: What is kept.
            part: A write that came last and was done in part.
        """
        names = dict(self.names)
        for number, operation in enumerate(self.pending):
            if number not in choice.lost_names:
                self._replay(names, operation)
        kept = dict(choice.files)
        image: Image = {}
        for path in sorted(names):  # folders come before what is in them
            folder = folder_of(path)
            if folder and folder not in image:
                continue  # nothing leads to it
            number = names[path]
            if number is None:
                image[path] = None
            else:
                content = self.files[number].content(kept.get(number))
                if part is not None and part.file == number:
                    longer = bytearray(content)
                    overwrite(longer, part.data, part.offset)
                    content = bytes(longer)
                image[path] = content
        return image

    # ------------------------------------------------------------------ all states

    def choices(self, rng: random.Random, at_random: int = 4) -> Iterator[Choice]:
        """Yield the choices that a disk has: systematic ones, then some drawn at random."""
        dirty = {number: file for number, file in self.files.items() if file.pending}
        nothing = tuple((number, Kept(0, 0)) for number in dirty)
        no_names = tuple(range(len(self.pending)))
        yield Choice("all kept")
        if not dirty and not self.pending:
            return
        yield Choice("all lost", nothing, no_names)
        if dirty and self.pending:
            yield Choice("names lost", (), no_names)
            yield Choice("contents lost", nothing)
        for lost in self._name_choices():
            yield Choice(f"names {lost} lost", (), lost)
            yield Choice(f"names {lost} and contents lost", nothing, lost)
        for number, file in dirty.items():
            others = tuple(pair for pair in nothing if pair[0] != number)
            if others:
                yield Choice(f"only file {number} kept", others)
                yield Choice(f"only file {number} lost", ((number, Kept(0, 0)),))
            for what, kept in _file_choices(file, rng):
                yield Choice(f"file {number}: {what}", ((number, kept),))
                if others:
                    yield Choice(f"file {number} alone: {what}", (*others, (number, kept)))
        for number in range(at_random):
            kept_files = tuple((key, _random_kept(file, rng)) for key, file in dirty.items())
            yield Choice(f"at random {number}", kept_files, self._random_names(rng))

    def _name_choices(self) -> Iterator[tuple[int, ...]]:
        count = len(self.pending)
        for number in range(1, count):
            yield tuple(range(number, count))  # a prefix is kept
        if self.mode == "strict" and count > 1:
            for number in range(count - 1):
                yield (number,)
            for number in range(1, count):
                yield tuple(n for n in range(count) if n != number)

    def _random_names(self, rng: random.Random) -> tuple[int, ...]:
        count = len(self.pending)
        if self.mode == "ordered":
            return tuple(range(rng.randint(0, count), count))
        share = rng.random()
        return tuple(n for n in range(count) if rng.random() < share)


def _path(operation: Operation) -> str:
    return operation.target or operation.path


def _folder(operation: Operation) -> str:
    return folder_of(_path(operation))


def _file_choices(file: File, rng: random.Random) -> Iterator[tuple[str, Kept]]:
    """Yield what a disk may have kept of one file, but all and nothing.

    Of a file with a long past, as one has that is never synced, only some operations are looked at.
    """
    count = len(file.pending)
    numbers: Sequence[int] = range(1, count + 1)
    if count > MOST_OPERATIONS:
        last = numbers[-MOST_OPERATIONS // 2 :]
        earlier = numbers[: -MOST_OPERATIONS // 2]
        numbers = [*sorted(rng.sample(earlier, MOST_OPERATIONS // 2)), *last]
    yield "size kept, data lost", Kept(0, count)
    yield "data kept, size lost", Kept(count, 0)
    for number in numbers:
        sectors = file.sectors_of(number)
        if number < count:
            yield f"the first {number} of {count} kept", Kept(number, number)
        if sectors:
            lost = tuple((sector, number - 1) for sector in sectors)
            own = tuple((sector, number) for sector in sectors)
            if count > 1:
                yield f"operation {number} of {count} lost", Kept(count, count, lost)
                yield f"operation {number} of {count} alone kept", Kept(0, count, own)
            if len(sectors) > 1:
                half = len(sectors) // 2
                yield f"operation {number} torn", Kept(count, count, lost[half:])
                yield f"operation {number} torn backwards", Kept(count, count, lost[:half])
        elif number > 1:
            yield f"operations before cut {number} lost", Kept(0, number)
            yield f"cut {number} of {count} lost", Kept(count, number - 1)


def _random_kept(file: File, rng: random.Random) -> Kept:
    count = len(file.pending)
    usual = rng.choice((0, rng.randint(0, count), count))
    versions: dict[int, set[int]] = {}
    for number in range(1, count + 1):
        for sector in file.sectors_of(number):
            versions.setdefault(sector, {0, count}).add(number)
    share = rng.choice((0.0, 0.1, 0.5, 1.0))
    sectors = tuple(
        (sector, rng.choice(sorted(found)))
        for sector, found in sorted(versions.items())
        if rng.random() < share
    )
    return Kept(usual, rng.choice((0, rng.randint(0, count), count)), sectors)


def parts_of(write: Operation | None) -> list[Operation]:
    """Return what a killed process may have done of a write: some of it from its beginning."""
    if write is None or write.kind != "write":
        return []
    length = len(write.data)
    ends = {SECTOR - write.offset % SECTOR, length // 2, length - 1} - {0}
    return [write._replace(data=write.data[:end]) for end in sorted(ends) if 0 < end < length]
