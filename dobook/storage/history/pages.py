"""Copies of one object's SQL database, of which only the pages that differ are kept.

A page of a copy is as the copy itself has it or, if it did not change, as the nearest one before.
"""

import zlib
from typing import Any, Final, Protocol

from dobook.storage.blank import PAGE_BYTES

COMPRESSION: Final = 1


class Rows(Protocol):
    """The database that the pages are in."""

    def later(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Queue rows, to be written with the next ones."""

    def now(self, sql: str, *rows: tuple[Any, ...]) -> None:
        """Write rows after everything that waits."""

    def read(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        """Return the rows of a query."""
        ...


class Pages:
    """The copies of one object's database.

    Args:
        file: Where they are kept, in the tables `images` and `pages`.
        number: The object's number there.
    """

    def __init__(self, file: Rows, number: int) -> None:
        self._file = file
        self._object = number
        self._hashes: list[int] = []  # of the pages of the last copy
        self._serial = -1

    def add(self, number: int, image: bytes) -> None:
        """Keep the SQL database as it is at a point."""
        key = self._object
        pages = [image[i : i + PAGE_BYTES] for i in range(0, len(image), PAGE_BYTES)]
        hashes = list(map(hash, pages))
        if self._serial < 0:
            self._serial = self._last()
            if self._serial >= 0:
                self._hashes = list(map(hash, self._read(self._serial, len(pages))))
        self._serial += 1
        old = self._hashes
        changed = [i for i, h in enumerate(hashes) if i >= len(old) or old[i] != h]
        self._hashes = hashes
        self._file.later(
            "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?)",
            [(key, i, self._serial, zlib.compress(pages[i], COMPRESSION)) for i in changed],
        )
        self._file.now(
            "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?)",
            (key, number, self._serial, len(pages)),
        )

    def at(self, number: int) -> bytes | None:
        """Return the SQL database at a point; None if it is what it was then."""
        rows = self._file.read(
            "SELECT serial, pages FROM images WHERE object = ? AND number >= ? "
            "ORDER BY number LIMIT 1",
            (self._object, number),
        )
        return b"".join(self._read(*rows[0])) if rows else None

    def _last(self) -> int:
        ((last,),) = self._file.read(
            "SELECT max((SELECT coalesce(max(serial), -1) FROM images WHERE object = ?), "
            "(SELECT coalesce(max(serial), -1) FROM pages WHERE object = ?))",
            (self._object, self._object),
        )
        return int(last)

    def _read(self, serial: int, count: int) -> list[bytes]:
        rows = self._file.read(
            "SELECT data, max(serial) FROM pages WHERE object = ? AND serial <= ? AND page < ? "
            "GROUP BY page ORDER BY page",
            (self._object, serial, count),
        )
        return [zlib.decompress(data) for data, _ in rows]

    def drop(self) -> None:
        """Delete the versions of pages that no copy needs any more."""
        # Of the versions between two copies that are kept only the last is needed. The last copy of
        # all is kept: the next one is compared with it.
        key = self._object
        serials = {
            serial
            for (serial,) in self._file.read("SELECT serial FROM images WHERE object = ?", (key,))
        }
        kept = sorted(serials | {self._serial if self._serial >= 0 else self._last()})
        rows = self._file.read(
            "SELECT page, serial FROM pages WHERE object = ? ORDER BY page, serial DESC", (key,)
        )
        gone = []
        page, left = -1, list(kept)
        for number, serial in rows:
            if number != page:
                page, left = number, list(kept)
            needed = False
            while left and left[-1] >= serial:
                left.pop()
                needed = True
            if not needed:
                gone.append((key, number, serial))
        if gone:
            self._file.now("DELETE FROM pages WHERE object = ? AND page = ? AND serial = ?", *gone)
