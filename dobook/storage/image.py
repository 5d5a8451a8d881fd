"""Whole databases as bytes: copying one, and putting a copy in the place of what is there.

Source: sqlite.org/c3ref/serialize.html, sqlite.org/backup.html
"""

import contextlib
import re
from collections.abc import Iterable
from typing import Final

from dobook.storage.connection import PAGE_BYTES, Connection

_VERSIONS: Final = slice(18, 20)  # of the header: 2, 2 for a database in WAL mode
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")


def size_of(connection: Connection) -> int:
    """Return the size of a database in bytes."""
    return int(connection.execute("PRAGMA page_count").fetchone()[0]) * PAGE_BYTES


def image_of(connection: Connection) -> bytes:
    """Return a database as bytes, uncommitted changes of its own included."""
    return bytes(connection.db.serialize())


def from_image(image: bytes) -> Connection:
    """Return a database in memory that has the content of an image."""
    connection = Connection(None)
    try:
        data = bytearray(image)
        data[_VERSIONS] = b"\x01\x01"  # in memory there is no WAL
        connection.db.deserialize(bytes(data))
    except BaseException:
        connection.close()
        raise
    return connection


def load_image(connection: Connection, image: bytes, *, keep: Iterable[str] = ()) -> None:
    """Give a database the content of an image, in one transaction.

    Args:
        connection: The database; no transaction may be open.
        image: What `image_of` returned.
        keep: Tables, as the statements that create them, whose rows stay as they are.

    Raises:
        SqliteError: If the file refuses; then nothing has changed.
    """
    connection.cancel_readers()
    with contextlib.closing(from_image(image)) as other:
        for statement in keep:
            other.execute(statement)
            found = _TABLE.match(statement)
            assert found is not None
            name = found[1]
            rows = connection.execute(f"SELECT * FROM {name}").fetchall()
            other.execute(f"DELETE FROM {name}")
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                other.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        other.db.backup(connection.db)
