"""The alarms of a class's objects: the real engine's index of them, and the objects themselves.

`_cf_ALARM` in a class's `metadata.sqlite` lists the alarms. It is read after a clean end and
written at the end; after an unclean one, or where it is damaged, the objects' own files are asked.
Source: cloudflare/workerd src/workerd/server/alarm-scheduler.c++
"""

import contextlib
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dobook.errors import StateDirectoryError
from dobook.storage import schema
from dobook.storage.connection import Connection, SqliteError, unusable
from dobook.storage.foreign_files import check_database_files, check_regular
from dobook.storage.names import is_identity
from dobook.storage.rows import engine_tables, read_alarm

METADATA = "metadata.sqlite"

Alarm = tuple[str, int, str | None]  # id, time in ms since 1970, name


def read_index(folder: Path) -> list[Alarm] | None:
    """Return the alarms that a class's index lists, soonest first; None if it is damaged.

    Args:
        folder: Where the class has its files.
    """
    index = folder / METADATA
    try:
        check_regular(index)
        check_database_files(index)
    except FileNotFoundError:
        return []
    except StateDirectoryError as error:  # a symbolic link or a pipe of that name, or beside it
        _set_aside(index, error)
        return None
    try:
        with contextlib.closing(Connection(index)) as connection:
            rows: list[Any] = []
            if "_cf_ALARM" in engine_tables(connection):
                rows = connection.execute(
                    "SELECT * FROM _cf_ALARM ORDER BY scheduled_time, actor_id"
                ).fetchall()
    except SqliteError as error:
        reason: StateDirectoryError = unusable(index, error)
    except StateDirectoryError as error:
        reason = error
    else:
        if all(map(_is_alarm, rows)):
            return [
                (row[0], row[1] // schema.NS_PER_MS, row[2] if len(row) > 2 else None)
                for row in rows
                if row[1] is not None
            ]
        reason = StateDirectoryError(f"{index} has a row that the engine does not write.")
    _set_aside(index, reason)
    return None


def _is_alarm(row: tuple[Any, ...]) -> bool:
    name = row[2] if len(row) > 2 else None
    return (
        is_identity(row[0])
        and (row[1] is None or type(row[1]) is int)
        and (name is None or type(name) is str)
    )


def _set_aside(index: Path, reason: StateDirectoryError) -> None:
    aside = index.with_name(f"{METADATA}.damaged")
    for suffix in ("", "-wal", "-shm", "-journal"):  # not left beside the new one
        file = Path(f"{index}{suffix}")
        with contextlib.suppress(OSError):
            file.replace(file.with_name(f"{file.name}.damaged"))
    warnings.warn(
        f"{reason} The alarms are read from the objects instead; the file is now {aside.name}.",
        stacklevel=6,
    )


def alarm_in(file: Path) -> int | None:
    """Return the alarm in an object's own file in ms since 1970, None without one.

    Raises:
        StateDirectoryError: If the file cannot be read.
        SqliteError: If it is damaged.
    """
    try:
        check_regular(file)
        check_database_files(file)
    except FileNotFoundError:
        return None
    with contextlib.closing(Connection(file)) as connection:
        engine_tables(connection)
        return read_alarm(connection)


async def write_index(folder: Path, alarms: Iterable[Alarm]) -> None:
    """Write the index of a class's alarms, off the loop's thread."""
    import aiosqlite  # only where a directory is closed

    rows = [(identity, at_ms * schema.NS_PER_MS, name) for identity, at_ms, name in alarms]
    if not os.path.isdir(folder):  # noqa: PTH112, ASYNC240 - one look, as the runtime is closed
        if not rows:
            return
        os.mkdir(folder)  # noqa: PTH102
    check_database_files(folder / METADATA)
    async with aiosqlite.connect(folder / METADATA) as index:
        await index.execute("PRAGMA journal_mode=WAL")
        await index.execute(schema.CREATE_ALARM_INDEX)
        columns = await index.execute_fetchall("PRAGMA table_info(_cf_ALARM)")
        if all(column[1] != "actor_name" for column in columns):
            await index.execute("ALTER TABLE _cf_ALARM ADD COLUMN actor_name TEXT")
        await index.execute("DELETE FROM _cf_ALARM")
        await index.executemany("INSERT INTO _cf_ALARM VALUES (?, ?, ?)", rows)
        await index.commit()
