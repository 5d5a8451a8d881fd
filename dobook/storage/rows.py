"""The engine's rows inside an object's database, and the user's tables beside them, to be dropped."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from dobook.errors import StateDirectoryError
from dobook.storage import schema
from dobook.storage.connection import Connection, SqliteError, unusable
from dobook.storage.kv import KV

_ENGINES: Final = (
    "SELECT type, name, sql FROM sqlite_master WHERE name LIKE '\\_cf\\_%' ESCAPE '\\' "
    "OR tbl_name LIKE '\\_cf\\_%' ESCAPE '\\'"
)
_PLAIN: Final = frozenset(
    text.replace("IF NOT EXISTS ", "", 1)
    for text in (*schema.TABLES.values(), schema.CREATE_ALARM_INDEX)
)


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


def engine_tables(connection: Connection) -> set[str]:
    """Return which of the engine's own tables (`_cf_…`) a database has.

    The file may come from a stranger. A trigger on one of them would run with each write, and a
    view or a generated column in the place of one would compute what is read.

    Raises:
        StateDirectoryError: If one is not a plain table, or something is attached to it.
    """
    found = set()
    for kind, name, sql in connection.execute(_ENGINES):
        if kind == "index" and sql is None:
            continue  # of the primary key
        if kind != "table" or not isinstance(name, str) or not isinstance(sql, str):
            raise _odd(connection, f"has the {kind} {name!r:.80} on a table of the engine")
        if sql not in _PLAIN:
            if sql[:14].upper() == "CREATE VIRTUAL":
                raise _odd(connection, f"has the virtual table {name!r:.80}")
            quoted = name.replace('"', '""')
            columns = connection.execute(f'PRAGMA table_xinfo("{quoted}")').fetchall()
            if any(column[6] for column in columns):
                raise _odd(connection, f"has a generated column in {name!r:.80}")
        found.add(name)
    return found


def read_alarm(connection: Connection) -> int | None:
    """Return an object's alarm in ms since 1970, read from its database.

    Raises:
        StateDirectoryError: If it is not a number.
    """
    if not has_table(connection, "_cf_METADATA"):
        return None
    row = connection.execute(schema.GET_ALARM).fetchone()
    if row is None or row[0] is None:
        return None
    if type(row[0]) is not int:
        raise _odd(connection, "has an alarm that is not a whole number")
    return row[0] // schema.NS_PER_MS


def typed_rows(
    connection: Connection, rows: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[str, bytes]]:
    """Yield rows of `_cf_KV`, whose columns may hold anything.

    Raises:
        StateDirectoryError: If a key is not text, or a value is not bytes.
    """
    for key, value in rows:
        if type(key) is not str or type(value) is not bytes:
            raise _odd(connection, f"has a row that the engine does not write (key {key!r:.80})")
        yield key, value


def load_rows(connection: Connection, kv: KV) -> None:
    """Load all rows of a database, and the alarm, into `kv`.

    Raises:
        StateDirectoryError: If the database has something in it that the engine does not write.
    """
    with connection.stopper.allowed():
        for name in schema.TABLES.keys() & engine_tables(connection):
            kv.note_engine_table(name)
        if kv.has_engine_table("_cf_KV"):
            # Closed whatever happens: the traceback of an interrupt would keep it, and with it the
            # file and its lock.
            with contextlib.closing(connection.execute(schema.ALL)) as rows:
                try:
                    kv.load_all(typed_rows(connection, rows))
                except SqliteError as error:
                    raise unusable(connection.path, error) from error
        kv.alarm_ms = read_alarm(connection)


def _odd(connection: Connection, what: str) -> StateDirectoryError:
    where = connection.path or "the object's database"
    return StateDirectoryError(
        f"{where} {what}. It is left as it is: move it away to start without it."
    )


def settle_schema(connection: Connection, kv: KV, will_write: Callable[[], None]) -> None:
    """Create those of the engine's tables that the real engine would have made by now."""
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

    The engine's own tables go too, as its database is made anew; they come back when needed.
    """
    connection.plans.clear()
    connection.execute("PRAGMA defer_foreign_keys = ON")
    for kind in ("trigger", "view", "table"):
        for _, name in (o for o in objects if o[0] == kind):
            quoted = name.replace('"', '""')
            connection.execute(f'DROP {kind} IF EXISTS "{quoted}"')
    for table in (*schema.TABLES, "sqlite_stat1"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    if has_table(connection, "sqlite_sequence"):
        connection.drop_sequences()
