"""New databases as bytes: written in one piece, in place of the dozens of writes SQLite needs.

Source: sqlite.org/fileformat2.html, sqlite.org/c3ref/serialize.html
"""

import contextlib
import functools
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from dobook.storage import files
from dobook.storage.sqlite_errors import is_damage, primary_code

MEMORY: Final = ":memory:"
PAGE_BYTES: Final = 4_096
MAGIC: Final = b"SQLite format 3\0"
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


def is_cut(path: Path) -> bool:
    """Return whether a database file ends in the middle of a page, which SQLite overlooks."""
    size = files.size_of_file(path)
    if size % PAGE_BYTES == 0:
        return False
    with path.open("rb") as file:
        head = file.read(18)
    if not head.startswith(MAGIC):
        return False  # it is not a database at all, and SQLite raises an error
    named = int.from_bytes(head[16:], "big")
    return size % (65_536 if named == 1 else max(named, SECTOR_BYTES)) != 0


def begin_file(path: Path, blank: bytes | None, *, durable: bool) -> bool:
    """Create a database file that is missing, or of which a crash has left only half.

    The log beside such a half is kept: SQLite takes from it what was committed. A log without any
    file is not the new one's, and is deleted.

    Args:
        path: The file.
        blank: What a new file begins with; None leaves a missing one to SQLite.
        durable: Whether to wait until the disk has forgotten an old log.

    Returns:
        Whether the file is new.

    Raises:
        OSError: If the disk refuses.
    """
    half = files.size_of_file(path) > 0 and is_half_made(path)
    new = half or not files.size_of_file(path)
    if new and not half:
        files.remove_orphans(path, durable=durable)
    if half or (new and blank is not None):
        # One write in place of the dozens that SQLite needs to make a file, its journal and its
        # first tables.
        fd = files.system.open(str(path), os.O_RDWR | os.O_CREAT)
        try:
            files.write_at(fd, blank or blank_database(), 0)
        except OSError:  # what is left would look like damage
            with contextlib.suppress(OSError):
                files.system.truncate(fd, 0)
            raise
        finally:
            files.system.close(fd)
    return new


def is_damage_of_own(path: Path, error: BaseException) -> bool:
    """Return whether an error of one of dobook's own databases means that the file is damaged.

    dobook's own statements fit the tables that it makes. So where one fails as if it were wrong,
    the file's schema is; and a file that claims to be of a version nobody writes is damaged too.
    """
    if is_damage(error):
        return True
    found = error if isinstance(error, sqlite3.Error) else error.__cause__
    if not isinstance(found, sqlite3.Error):
        return False
    if primary_code(found) == sqlite3.SQLITE_READONLY:
        with contextlib.suppress(OSError), path.open("rb") as file:
            return any(version not in (1, 2) for version in file.read(20)[18:])
        return False
    return primary_code(found) == sqlite3.SQLITE_ERROR


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
        # In memory there is no WAL: its mark is removed meanwhile.
        db.deserialize(blank[:18] + b"\x01\x01" + blank[20:])
        fill(db)
        image = bytearray(db.serialize())
    image[18:20] = blank[18:20]
    return bytes(image)
