"""Whole databases as bytes: copying one, and putting a copy in the place of what is there.

Source: sqlite.org/c3ref/serialize.html, sqlite.org/backup.html
"""

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from dobook.errors import StateDirectoryError
from dobook.storage.blank import PAGE_BYTES, blank_database
from dobook.storage.connection import Connection
from dobook.storage.foreign_files import read_regular

READS: Final = 20  # of a file that changes while it is read

_VERSIONS: Final = slice(18, 20)  # of the header: 2, 2 for a database in WAL mode
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")


def size_of(connection: Connection) -> int:
    """Return the size of a database in bytes."""
    return int(connection.execute("PRAGMA page_count").fetchone()[0]) * PAGE_BYTES


def image_of(connection: Connection) -> bytes:
    """Return a database as bytes, uncommitted changes of its own included."""
    if not size_of(connection):
        return blank_database()  # one in memory without its first page, which SQLite refuses
    return bytes(connection.db.serialize())


def from_image(image: bytes, *, limited: bool = True) -> Connection:
    """Return a database in memory that has the content of an image.

    Args:
        image: What `image_of` returned, or a file's bytes.
        limited: Whether the engine's limits are to hold.
    """
    connection = Connection(None, limited=limited)
    try:
        data = bytearray(image)
        data[_VERSIONS] = b"\x01\x01"  # in memory there is no WAL
        connection.db.deserialize(bytes(data))
    except BaseException:
        connection.close()
        raise
    return connection


def harden(connection: Connection) -> None:
    """Make SQLite distrust a database's schema and pages, and refuse to write.

    `Connection` turns on the defensive mode already, where Python has it.
    """
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
        connection.execute(f"PRAGMA {pragma}")


def load_image(
    connection: Connection,
    image: bytes,
    *,
    keep: Iterable[str] = (),
    change: Callable[[Connection], None] = lambda _: None,
) -> None:
    """Load an image into a database, in one transaction.

    Args:
        connection: The database; no transaction may be open.
        image: What `image_of` returned.
        keep: Tables, as the statements that create them, whose rows stay as they are.
        change: Called with the new content, in memory, before the database gets it.

    Raises:
        SqliteError: If the file refuses; then nothing has changed.
    """
    connection.cancel_readers()
    with contextlib.closing(from_image(image)) as other:
        for statement in keep:
            connection.execute(statement)
            other.execute(statement)
            found = _TABLE.match(statement)
            assert found is not None
            name = found[1]
            rows = connection.execute(f"SELECT * FROM {name}").fetchall()
            other.execute(f"DELETE FROM {name}")
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                other.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        change(other)
        other.db.backup(connection.db)


def bytes_of(path: Path) -> bytes:
    """Return a database file that somebody else may be using, with its journal, as bytes.

    The file, its folder and its journal stay as they are, and no lock is taken: the bytes are read,
    again if they have changed meanwhile. No symbolic link is followed.

    Raises:
        StateDirectoryError: If it cannot be read, or its journal cannot be applied.
    """
    wal = Path(f"{path}-wal")
    try:
        for _ in range(READS):
            before = _state(path), _state(wal)
            data = read_regular(path)
            journal = read_regular(wal) if before[1] is not None and before[1][0] else b""
            if before == (_state(path), _state(wal)):
                break
        else:
            raise StateDirectoryError(f"{path} is being written all the time. Try again later.")
    except StateDirectoryError:
        raise
    except OSError as error:
        raise StateDirectoryError(f"{path} cannot be read ({error.strerror}).") from error
    if not journal:
        return data or blank_database()
    with tempfile.TemporaryDirectory(prefix="dobook-") as folder:
        beside = Path(folder) / "copy"
        beside.write_bytes(data)
        Path(f"{beside}-wal").write_bytes(journal)
        try:
            with contextlib.closing(Connection(beside, power_safe=False)) as merged:
                return image_of(merged)
        except StateDirectoryError as error:
            raise StateDirectoryError(str(error).replace(str(beside), str(path))) from error


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns
