"""What tables an object's database has, for people to look at. Reads only.

Source: sqlite.org/pragma.html#pragma_table_list, sqlite.org/pragma.html#pragma_table_xinfo
"""

from dataclasses import dataclass

from dobook.storage.connection import Connection
from dobook.storage.sql.rules import allowed_name


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or view."""

    name: str
    declared: str  # its type as written, "" without one
    not_null: bool
    default: str | None  # as SQL
    key: int  # place in the primary key from 1; 0: not part of it
    generated: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view that the user made."""

    name: str
    kind: str  # "table", "virtual" or "view"
    columns: tuple[Column, ...]
    rows: int | None  # None for views, which would have to be run
    sql: str  # the statement that made it


def tables(connection: Connection) -> list[Table]:
    """Return the user's tables and views by name; the engine's own and shadow tables are left out.

    Example:
        >>> connection = Connection(None)
        >>> _ = connection.execute("CREATE TABLE hit(path TEXT NOT NULL, n INTEGER DEFAULT 0)")
        >>> [(t.name, t.kind, [c.name for c in t.columns], t.rows) for t in tables(connection)]
        [('hit', 'table', ['path', 'n'], 0)]
        >>> connection.close()
    """
    found = []
    for name, kind, sql in connection.execute(
        "SELECT l.name, l.type, coalesce(m.sql, '') FROM pragma_table_list AS l "
        "JOIN sqlite_master AS m ON m.name = l.name AND m.type IN ('table', 'view') "
        "WHERE l.schema = 'main' AND l.type <> 'shadow' ORDER BY l.name"
    ).fetchall():
        if not allowed_name(name) or name.startswith("sqlite_"):
            continue
        columns = tuple(
            Column(column, declared, bool(not_null), default, key, hidden > 1)
            for column, declared, not_null, default, key, hidden in connection.execute(
                'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)',
                (name,),
            )
            if hidden != 1  # of virtual tables: there for queries only
        )
        rows = None
        if kind != "view":
            quoted = name.replace('"', '""')
            rows = connection.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()[0]
        found.append(Table(name, kind, columns, rows, sql))
    return found
