"""The engine's rows inside an object's database, and the user's tables beside them, to be dropped."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from dobook.storage import schema
from dobook.storage.connection import Connection
from dobook.storage.kv import KV


@dataclass(frozen=True, slots=True)
class Changes:
    """What a commit writes: (key, stored bytes or None for deleted), and the alarm if it changed.

    `alarm` is a tuple of the time in ns since 1970, or of None; absent (None) if it did not change.
    """

    rows: list[tuple[str, bytes | None]]
    alarm: tuple[int | None] | None

    @property
    def tables(self) -> tuple[str, ...]:
        """The statements that make the tables these changes need."""
        needed = []
        if any(value is not None for _, value in self.rows):
            needed.append(schema.CREATE_KV)
        if self.alarm is not None and self.alarm[0] is not None:
            needed.append(schema.CREATE_METADATA)
        return tuple(needed)


def write_rows(connection: Connection, changes: Changes) -> None:
    """Write changed rows and the alarm in the transaction that is open."""
    for table in changes.tables:
        connection.execute(table)
    puts = [row for row in changes.rows if row[1] is not None]
    if len(puts) == 1:
        connection.execute(schema.PUT, puts[0])
    elif puts:
        connection.executemany(schema.PUT, puts)
    if len(puts) < len(changes.rows) and (puts or has_table(connection, "_cf_KV")):
        deletes = [(key,) for key, value in changes.rows if value is None]
        connection.executemany(schema.DELETE, deletes)
    if changes.alarm is not None and (
        changes.alarm[0] is not None or has_table(connection, "_cf_METADATA")
    ):
        connection.execute(schema.PUT_ALARM, changes.alarm)


def has_table(connection: Connection, name: str) -> bool:
    """Return whether a database has a table."""
    return (
        connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)
        ).fetchone()
        is not None
    )


def read_alarm(connection: Connection) -> int | None:
    """Return an object's alarm in ms since 1970, read from its database."""
    if not has_table(connection, "_cf_METADATA"):
        return None
    row = connection.execute(schema.GET_ALARM).fetchone()
    return None if row is None or row[0] is None else int(row[0]) // schema.NS_PER_MS


def load_rows(connection: Connection, kv: KV) -> None:
    """Have `kv` take in all rows of a database, and the alarm."""
    with connection.stopper.allowed():
        for name in schema.TABLES:
            if has_table(connection, name):
                kv.note_engine_table(name)
        if kv.has_engine_table("_cf_KV"):
            # Closed whatever happens: the traceback of an interrupt would keep it, and with it the
            # file and its lock.
            with contextlib.closing(connection.execute(schema.ALL)) as rows:
                kv.load_all(rows)
        kv.alarm_ms = read_alarm(connection)


def settle_schema(connection: Connection, kv: KV, will_write: Callable[[], None]) -> None:
    """Have those of the engine's tables that the real engine would have made by now."""
    for name, create in schema.TABLES.items():
        if kv.has_engine_table(name):
            connection.execute(create)
        elif has_table(connection, name):  # everything was deleted in this turn
            will_write()
            connection.execute(f"DROP TABLE {name}")


def user_objects(connection: Connection) -> list[tuple[str, str]]:
    """Return kind and name of the tables, views and triggers that the user has made."""
    rows = connection.execute(
        "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view', 'trigger') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' "
        "ORDER BY sql LIKE 'create virtual%' DESC"  # they take their shadow tables along
    )
    return [(kind, name) for kind, name in rows]


def drop(connection: Connection, objects: list[tuple[str, str]]) -> None:
    """Drop what `user_objects` has returned, and what comes with it, in the open transaction.

    The engine's own tables go too, as its database is made anew; they come back when needed. Only
    `sqlite_sequence` stays, empty: SQLite does not let it go.
    """
    connection.plans.clear()
    connection.execute("PRAGMA defer_foreign_keys = ON")
    for kind in ("trigger", "view", "table"):
        for _, name in (o for o in objects if o[0] == kind):
            quoted = name.replace('"', '""')
            connection.execute(f'DROP {kind} IF EXISTS "{quoted}"')
    for table in (*schema.TABLES, "sqlite_stat1"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
