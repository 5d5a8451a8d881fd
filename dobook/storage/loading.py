"""Taking in what an object's file has, and what waits for it; and saying what is wrong with one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dobook.errors import PlatformError, StateDirectoryError
from dobook.storage import files, schema
from dobook.storage.blank import blank_database, is_cut, is_half_made
from dobook.storage.connection import Connection, SqliteError, error_text, unusable
from dobook.storage.kv import KV
from dobook.storage.rows import Changes, load_rows


def load_file(file: str, kv: KV, *, power_safe: bool) -> None:
    """Load all rows of a database file, and the alarm, into `kv`.

    Raises:
        StateDirectoryError: If it cannot be opened.
        SqliteError: If it is damaged.
    """
    connection: Connection | None = None
    try:  # not `with`: an interrupt between opening and entering it would leave the file locked
        connection = Connection(Path(file), blank=blank_database(), power_safe=power_safe)
        load_rows(connection, kv)
    finally:
        if connection is not None:
            connection.close()


def load_changes(changes: Changes, kv: KV) -> None:
    """Load newer rows, and the alarm, into `kv`."""
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
    text = error_text(error)
    broken = PlatformError(
        f"Durable Object's storage could not {verb}: {text} Nothing that was acknowledged is lost; "
        "try again when the disk has room and works."
    )
    broken.__cause__ = error
    return broken


def check_whole(path: Path) -> None:
    """Refuse an object's file that is empty or cut, where no crash can be the reason.

    Raises:
        StateDirectoryError: If it is.
    """
    if not files.exists(path):
        return
    files.check_no_link(path)
    with reading(str(path)):
        lost = not files.size_of_file(path) or is_half_made(path) or is_cut(path)
    if lost:
        raise StateDirectoryError(
            f"{path} is damaged: it is empty or cut short, although the directory was closed "
            "properly. It is left as it is: move it away to continue without it."
        )
