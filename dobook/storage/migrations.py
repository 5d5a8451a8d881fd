"""Numbered migrations of dobook's own files, each atomic with its own record.

A file's version stands in its table `meta`. Opening it runs the migrations it has not had, in
order, each in one transaction; a file of a newer dobook is refused. The objects' databases are not
touched: their layout is the real engine's.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from dobook.errors import StateDirectoryError
from dobook.storage.connection import Connection
from dobook.storage.sqlite_errors import malformed

Migration = Callable[[Connection], None]

CREATE_META: Final = "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID"


def statements(*texts: str) -> Migration:
    """Return a migration that runs some statements."""

    def migrate(connection: Connection) -> None:
        for text in texts:
            connection.execute(text)

    return migrate


def migrate(connection: Connection, path: Path, migrations: Sequence[Migration]) -> None:
    """Bring a file up to date.

    Args:
        connection: The file.
        path: Where it is, for the message.
        migrations: All of them; the first one leads to version 1.

    Raises:
        StateDirectoryError: If it was written by a newer dobook, or has a view, a trigger or
            anything else than plain tables in it.
        SqliteError: If it cannot be written; then it is as it was.
    """
    check_plain(connection, path)
    connection.execute(CREATE_META)
    row = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    version = 0 if row is None else row[0]
    if type(version) is not int:
        raise malformed()
    if version > len(migrations):
        raise StateDirectoryError(
            f"{path} was written by a newer dobook (version {version}, this one knows "
            f"{len(migrations)}). Upgrade dobook to open it."
        )
    for number, migration in enumerate(migrations[version:], version + 1):
        connection.begin()
        try:
            migration(connection)
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('version', ?)", (number,))
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


def check_plain(connection: Connection, path: Path) -> None:
    """Check that a file has plain tables only: whatever computes may come from a stranger."""
    schema = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    for kind, name, sql in schema:
        if kind == "index" and sql is None:
            continue  # of a primary key
        odd = kind != "table" or not isinstance(sql, str) or sql[:14].upper() == "CREATE VIRTUAL"
        if not odd:
            quoted = name.replace('"', '""')
            columns = connection.execute(f'PRAGMA table_xinfo("{quoted}")').fetchall()
            odd = any(column[6] for column in columns)  # generated ones
        if odd:
            where = connection.path or path
            raise StateDirectoryError(
                f"{where} has the {kind} {name!r:.80} in it, which dobook does not make. It is "
                "left as it is. If the directory is not your own, do not use it; else move the "
                "file away to start without it."
            )
