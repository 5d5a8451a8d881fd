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
from dobook.storage.rows import has_table, read_alarm

METADATA = "metadata.sqlite"

Alarm = tuple[str, int, str | None]  # id, time in ms since 1970, name


def read_index(folder: Path) -> list[Alarm] | None:
    """Return the alarms that a class's index lists, soonest first; None if it is damaged.

    Args:
        folder: Where the class has its files.
    """
    index = folder / METADATA
    if not index.exists():
        return []
    try:
        with contextlib.closing(Connection(index)) as connection:
            rows: list[Any] = []
            if has_table(connection, "_cf_ALARM"):
                rows = connection.execute(
                    "SELECT * FROM _cf_ALARM ORDER BY scheduled_time, actor_id"
                ).fetchall()
    except SqliteError as error:
        reason: StateDirectoryError = unusable(index, error)
    except StateDirectoryError as error:
        reason = error
    else:
        return [
            (row[0], row[1] // schema.NS_PER_MS, row[2] if len(row) > 2 else None)
            for row in rows
            if row[1] is not None
        ]
    aside = index.with_name(f"{METADATA}.damaged")
    with contextlib.suppress(OSError):
        index.replace(aside)
    warnings.warn(
        f"{reason} The alarms are read from the objects instead; the file is now {aside.name}.",
        stacklevel=6,
    )
    return None


def alarm_in(file: Path) -> int | None:
    """Return the alarm in an object's own file in ms since 1970, None without one.

    Raises:
        StateDirectoryError: If the file cannot be read.
        SqliteError: If it is damaged.
    """
    if not file.exists():
        return None
    with contextlib.closing(Connection(file)) as connection:
        return read_alarm(connection)


async def write_index(folder: Path, alarms: Iterable[Alarm]) -> None:
    """Write the index of a class's alarms, off the loop's thread."""
    import aiosqlite  # only where a directory is closed

    rows = [(identity, at_ms * schema.NS_PER_MS, name) for identity, at_ms, name in alarms]
    if not os.path.isdir(folder):  # noqa: PTH112, ASYNC240 - one look, as the runtime is closed
        if not rows:
            return
        os.mkdir(folder)  # noqa: PTH102
    async with aiosqlite.connect(folder / METADATA) as index:
        await index.execute("PRAGMA journal_mode=WAL")
        await index.execute(schema.CREATE_ALARM_INDEX)
        columns = await index.execute_fetchall("PRAGMA table_info(_cf_ALARM)")
        if all(column[1] != "actor_name" for column in columns):
            await index.execute("ALTER TABLE _cf_ALARM ADD COLUMN actor_name TEXT")
        await index.execute("DELETE FROM _cf_ALARM")
        await index.executemany("INSERT INTO _cf_ALARM VALUES (?, ?, ?)", rows)
        await index.commit()
