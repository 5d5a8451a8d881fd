"""Taking in what an object's file has, and what waits for it; and saying what is wrong with one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dobook.errors import PlatformError, StateDirectoryError
from dobook.storage import schema
from dobook.storage.blank import blank_database
from dobook.storage.connection import Connection, SqliteError, error_text, unusable
from dobook.storage.kv import KV
from dobook.storage.rows import Changes, load_rows


def load_file(file: str, kv: KV, *, power_safe: bool) -> None:
    """Have `kv` take in all rows of a database file, and the alarm.

    Raises:
        StateDirectoryError: If it cannot be opened.
        SqliteError: If it is damaged.
    """
    opened = Connection(Path(file), blank=blank_database(), power_safe=power_safe)
    with contextlib.closing(opened) as connection:
        load_rows(connection, kv)


def load_changes(changes: Changes, kv: KV) -> None:
    """Have `kv` take in rows that are newer than those it has, and the alarm."""
    rows = dict(kv.rows)
    for key, value in changes.rows:
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value
    kv.load_all(rows.items())
    if changes.alarm is not None:
        (at_ns,) = changes.alarm
        kv.alarm_ms = None if at_ns is None else at_ns // schema.NS_PER_MS


@contextlib.contextmanager
def reading(file: str) -> Iterator[None]:
    """Turn errors of a database file into a sentence on why it cannot be used.

    Raises:
        StateDirectoryError: In place of an error of SQLite or of the system.
    """
    try:
        yield
    except SqliteError as error:
        raise unusable(Path(file), error) from error
    except OSError as error:
        if isinstance(error, StateDirectoryError):
            raise
        raise StateDirectoryError(f"{file} cannot be read ({error}).") from error


def storage_error(verb: str, error: BaseException) -> PlatformError:
    """Return what an object's code gets when its storage could not `verb`."""
    text = error_text(error) if isinstance(error, SqliteError) else str(error)
    broken = PlatformError(
        f"Durable Object's storage could not {verb}: {text} Nothing that was acknowledged is lost; "
        "try again when the disk has room and works."
    )
    broken.__cause__ = error
    return broken
