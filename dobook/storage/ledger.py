"""A second copy of what `state.sqlite` knows: names of objects, notes of deployments.

An id does not lead back to its name, so a lost name is lost for good. Each name is therefore also
appended to `.dobook/ledger`, one line each: a checksum, a space and a JSON array. When
`state.sqlite` is missing or damaged, it is made again from here; a line that cannot be read is left
out. The file is read at no other time.
"""

import json
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from dobook.storage import files

NAME: Final = "name"
NOTE: Final = "note"
GONE: Final = "gone"
READ_BYTES: Final = 1024 * 1024
MAX_LINE_BYTES: Final = 16 * 1024 * 1024

Line = tuple[Any, ...]


class Ledger:
    """The ledger of a state directory.

    Args:
        path: The file; created with the first line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._end = files.size_of_file(path)

    @property
    def size(self) -> int:
        """Its size in bytes; 0 without a file."""
        return self._end

    def end_after(self, lines: Iterable[Line]) -> int:
        """Return what its size will be once `append` has added lines."""
        data = b"".join(map(_encoded, lines))
        return self._end + len(data) + (1 if data and self._needs_break else 0)

    @property
    def _needs_break(self) -> bool:
        """Whether a last line that a crash has cut could spoil the next one."""
        return self._fd is None and self._end > 0

    def append(self, lines: Iterable[Line]) -> None:
        """Add lines; `sync` waits for the disk.

        Raises:
            OSError: If the disk refuses; then none of them counts.
        """
        data = b"".join(map(_encoded, lines))
        if not data:
            return
        if self._needs_break:
            data = b"\n" + data
        if self._fd is None:
            self._fd = files.system.open(str(self._path), os.O_RDWR | os.O_CREAT)
        files.write_at(self._fd, data, self._end)
        self._end += len(data)

    def sync(self) -> None:
        """Wait until the disk has all lines.

        Raises:
            OSError: If the disk refuses.
        """
        if self._fd is not None:
            files.system.sync(self._fd)

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            files.system.close(fd)


class Unreadable(NamedTuple):
    """A line of a ledger that cannot be read; lines are numbered from 1."""

    number: int


def read_ledger(path: Path) -> Iterator[Line]:
    """Yield the lines of a ledger that can be read, in order.

    Raises:
        OSError: If the file cannot be read.
    """
    for line in read_ledger_lines(path):
        if not isinstance(line, Unreadable):
            yield line


def read_ledger_lines(path: Path) -> Iterator[Line | Unreadable]:
    """Yield the lines of a ledger, and those that cannot be read, without holding all of it.

    Raises:
        OSError: If the file cannot be read.
    """
    if not files.exists(path):
        return
    number = 0
    for raw in _lines(path):
        number += 1
        if not raw:
            continue
        checksum, _, text = raw.partition(b" ")
        try:
            good = int(checksum, 16) == zlib.crc32(text)
            line = json.loads(text) if good else None
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, list) and line and isinstance(line[0], str):
            yield tuple(line)
        else:
            yield Unreadable(number)


def _lines(path: Path) -> Iterator[bytes]:
    fd = files.system.open(str(path), os.O_RDONLY)
    try:
        position, rest = 0, b""
        while part := files.system.read(fd, READ_BYTES, position):
            position += len(part)
            *lines, rest = (rest + part).split(b"\n")
            if len(rest) > MAX_LINE_BYTES:  # no line of dobook's is as long
                rest = rest[:MAX_LINE_BYTES]
            yield from lines
        yield rest
    finally:
        files.system.close(fd)


def _encoded(line: Line) -> bytes:
    text = json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)
