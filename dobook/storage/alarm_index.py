"""The alarms of a class's objects: the real engine's index of them, and the objects themselves.

`_cf_ALARM` in a class's `metadata.sqlite` lists the alarms. It is brought up to date at each
checkpoint and whole after a proper end. After an unclean end it is as it was at the last
checkpoint, and the journal says which alarms have changed since. Where the index is missing or
damaged, the objects' own files are read.
Source: cloudflare/workerd src/workerd/server/alarm-scheduler.c++
"""

import contextlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dobook.errors import StateDirectoryError
from dobook.storage import files, schema
from dobook.storage.blank import blank_database, is_half_made, new_database
from dobook.storage.connection import Connection, SqliteError, what_is_wrong
from dobook.storage.foreign_files import check_database_files, check_regular
from dobook.storage.names import is_identity
from dobook.storage.rows import engine_tables, read_alarm
from dobook.storage.sqlite_errors import malformed

METADATA = "metadata.sqlite"
FIRST_COLUMNS = ["actor_id", "scheduled_time"]  # an older engine's index has no others

Alarm = tuple[str, int, str | None]  # id, time in ms since 1970, name

_PUT = (
    "INSERT INTO _cf_ALARM (actor_id, scheduled_time, actor_name) VALUES (?, ?, ?) "
    "ON CONFLICT DO UPDATE SET scheduled_time = excluded.scheduled_time, "
    "actor_name = coalesce(excluded.actor_name, actor_name)"
)


def read_index(folder: Path) -> list[Alarm] | None:
    """Return the alarms that a class's index lists, soonest first; None if it does not say.

    That is, if it is missing, was never filled, or is damaged.

    Args:
        folder: Where the class has its files.
    """
    index = folder / METADATA
    try:
        check_regular(index)
        check_database_files(index)
        if is_unfilled(folder):
            return None
        with contextlib.closing(Connection(index)) as connection:
            if "_cf_ALARM" not in engine_tables(connection):
                return None
            if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                raise malformed()
            columns = columns_of(connection)
            if columns[:2] != FIRST_COLUMNS:
                raise malformed()
            name = "actor_name" if "actor_name" in columns else "NULL"
            rows = connection.execute(
                f"SELECT actor_id, scheduled_time, {name} FROM _cf_ALARM "
                "ORDER BY scheduled_time, actor_id"
            ).fetchall()
        if not all(map(_is_alarm, rows)):
            raise StateDirectoryError(f"{index} has a row that the engine does not write.")
    except FileNotFoundError:
        return None
    except (SqliteError, OSError) as error:  # also a symbolic link or a pipe of that name
        set_index_aside(index, error)
        return None
    return [(row[0], row[1] // schema.NS_PER_MS, row[2]) for row in rows if row[1] is not None]


def columns_of(index: Connection) -> list[str]:
    """Return the names of the columns of an index's table."""
    return [row[1] for row in index.execute("PRAGMA table_info(_cf_ALARM)").fetchall()]


def is_unfilled(folder: Path) -> bool:
    """Return whether a class's index is what a crash leaves of one that was being made."""
    index = folder / METADATA
    return files.exists(index) and (not files.size_of_file(index) or is_half_made(index))


def _is_alarm(row: tuple[Any, ...]) -> bool:
    return (
        is_identity(row[0])
        and (row[1] is None or type(row[1]) is int)
        and (row[2] is None or type(row[2]) is str)
    )


def set_index_aside(index: Path, reason: Exception) -> None:
    """Keep a damaged index as evidence, and warn."""
    aside = None
    with contextlib.suppress(OSError):
        aside = files.set_database_aside(index)
    where = "" if aside is None else f" The file is now {aside.name}."
    warnings.warn(
        f"{what_is_wrong(index, reason)} The alarms are read from the objects instead.{where}",
        stacklevel=6,
    )


def alarm_in(file: Path) -> int | None:
    """Return the alarm in an object's own file in ms since 1970, None without one.

    Raises:
        OSError: If the file cannot be read.
        SqliteError: If it is damaged.
    """
    try:
        check_regular(file)
        check_database_files(file)
    except FileNotFoundError:
        return None
    if not files.size_of_file(file) or is_half_made(file):
        return None
    with contextlib.closing(Connection(file)) as connection:
        engine_tables(connection)
        return read_alarm(connection)


def create_index(
    folder: Path, rows: Sequence[tuple[str, int, str | None]] = (), *, power_safe: bool
) -> None:
    """Make an index, from which changes count.

    Args:
        folder: Where the class has its files.
        rows: All alarms there are: id, time in ns since 1970, name.
        power_safe: Whether to wait for the disk.

    Raises:
        OSError: If the disk refuses.
    """
    index = folder / METADATA
    image = new_database(
        blank_database(schema.CREATE_ALARM_INDEX),
        lambda made: made.executemany("INSERT INTO _cf_ALARM VALUES (?, ?, ?)", rows),
    )
    files.remove_orphans(index, durable=power_safe)
    files.replace_atomically(index, image, durable=power_safe)


def change_index(
    folder: Path, changes: Mapping[str, tuple[int | None, str | None]], *, power_safe: bool
) -> None:
    """Bring a class's index up to date, and wait for the disk.

    Args:
        folder: Where the class has its files.
        changes: By id: the time in ms since 1970, None without an alarm; and the object's name.
        power_safe: Whether to wait for the disk.

    Raises:
        StateDirectoryError: If it cannot be opened.
        SqliteError: If it cannot be written, or is damaged.
    """
    opened = Connection(folder / METADATA, power_safe=power_safe)
    with contextlib.closing(opened) as index, index.transaction():
        _make_table(index)
        index.executemany(
            "DELETE FROM _cf_ALARM WHERE actor_id = ?",
            [(identity,) for identity, (at_ms, _) in changes.items() if at_ms is None],
        )
        index.executemany(
            _PUT,
            [
                (identity, at_ms * schema.NS_PER_MS, name)
                for identity, (at_ms, name) in changes.items()
                if at_ms is not None
            ],
        )


def _make_table(index: Connection) -> None:
    index.execute(schema.CREATE_ALARM_INDEX)
    if "actor_name" not in columns_of(index):  # the real engine's, of long ago
        index.execute("ALTER TABLE _cf_ALARM ADD COLUMN actor_name TEXT")


async def write_index(folder: Path, alarms: Iterable[Alarm], *, power_safe: bool) -> None:
    """Write the index of a class's alarms, off the loop's thread.

    Args:
        folder: Where the class has its files.
        alarms: All alarms of the class.
        power_safe: Whether to wait for the disk.
    """
    import aiosqlite  # only where a directory is closed

    rows = [(identity, at_ms * schema.NS_PER_MS, name) for identity, at_ms, name in alarms]
    if not files.exists(folder):
        if not rows:
            return
        files.make_folder(folder, durable=power_safe)
    if not files.exists(folder / METADATA) or is_unfilled(folder):
        # Whole or not at all: what is there counts from then on.
        create_index(folder, rows, power_safe=power_safe)
        return
    # Opened here, as aiosqlite's thread outlives the loop where opening fails.
    with contextlib.closing(Connection(folder / METADATA)) as opened:
        async with aiosqlite.Connection(lambda: opened.db, iter_chunk_size=64) as index:
            await index.execute("BEGIN IMMEDIATE")
            await index.execute(schema.CREATE_ALARM_INDEX)
            columns = await index.execute_fetchall("PRAGMA table_info(_cf_ALARM)")
            if all(column[1] != "actor_name" for column in columns):
                await index.execute("ALTER TABLE _cf_ALARM ADD COLUMN actor_name TEXT")
            await index.execute("DELETE FROM _cf_ALARM")
            await index.executemany(
                "INSERT INTO _cf_ALARM (actor_id, scheduled_time, actor_name) VALUES (?, ?, ?)",
                rows,
            )
            await index.execute("COMMIT")
            await index.execute("PRAGMA synchronous=NORMAL")  # for this: see `connection`
            await index.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
