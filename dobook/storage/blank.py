"""New databases as bytes: written in one piece, in place of the dozens of writes SQLite needs.

Source: sqlite.org/fileformat2.html, sqlite.org/c3ref/serialize.html
"""

import contextlib
import functools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from dobook.storage import files

MEMORY: Final = ":memory:"
PAGE_BYTES: Final = 4_096
SECTOR_BYTES: Final = 512  # what a disk writes whole or not at all


def is_half_made(path: Path) -> bool:
    """Return whether a file is what a crash leaves of one that was just being created.

    Nothing in it was acknowledged then: that takes a sync of the whole file.
    """
    blank = blank_database()
    if files.size_of_file(path) > len(blank):
        return False
    data = files.read_file(path)
    return data != blank and all(
        not any(sector) or sector == blank[place : place + len(sector)]
        for place in range(0, len(data), SECTOR_BYTES)
        if (sector := data[place : place + SECTOR_BYTES])
    )


@functools.cache
def blank_database(*statements: str) -> bytes:
    """Return the bytes of a database in WAL mode in which some statements have been run."""
    with contextlib.closing(sqlite3.connect(MEMORY, isolation_level=None)) as db:
        db.execute(f"PRAGMA page_size={PAGE_BYTES}")
        db.execute("PRAGMA user_version=0")  # makes the first page
        for statement in statements:
            db.execute(statement)
        blank = bytearray(db.serialize())
    blank[18:20] = b"\x02\x02"  # written and read through a WAL: sqlite.org/fileformat2.html
    return bytes(blank)


def new_database(blank: bytes, fill: Callable[[Any], None]) -> bytes:
    """Return the bytes of a database made from a blank one.

    Args:
        blank: What it begins as, see `blank_database`.
        fill: Called with something that has `execute` and `executemany`.
    """
    with contextlib.closing(sqlite3.connect(MEMORY, isolation_level=None)) as db:
        # In memory there is no WAL: the mark is taken off for the while.
        db.deserialize(blank[:18] + b"\x01\x01" + blank[20:])
        fill(db)
        image = bytearray(db.serialize())
    image[18:20] = blank[18:20]
    return bytes(image)
