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
from typing import Any, Final

from dobook.storage import files

NAME: Final = "name"
NOTE: Final = "note"
GONE: Final = "gone"

Line = tuple[Any, ...]


class Ledger:
    """The ledger of a state directory.

    Args:
        path: The file; created with the first line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._end = 0

    def append(self, lines: Iterable[Line]) -> None:
        """Add lines; `sync` waits for the disk.

        Raises:
            OSError: If the disk refuses; then none of them counts.
        """
        data = b"".join(map(_encoded, lines))
        if not data:
            return
        if self._fd is None:
            self._fd = files.system.open(str(self._path), os.O_RDWR | os.O_CREAT)
            self._end = files.system.size(self._fd)
            if self._end:  # a last line that a crash has cut does not spoil the next one
                data = b"\n" + data
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


def read_ledger(path: Path) -> Iterator[Line]:
    """Yield the lines of a ledger that can be read, in order.

    Raises:
        OSError: If the file cannot be read.
    """
    if not files.exists(path):
        return
    for raw in files.read_file(path).split(b"\n"):
        checksum, _, text = raw.partition(b" ")
        try:
            if int(checksum, 16) != zlib.crc32(text):
                continue
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, list) and line and isinstance(line[0], str):
            yield tuple(line)


def _encoded(line: Line) -> bytes:
    text = json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)
