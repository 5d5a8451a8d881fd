"""Reading an object's SQL database from outside, for `%sql` and the inspector; never writing."""

from dataclasses import dataclass
from typing import Any, Protocol

from dobook.errors import UsageError
from dobook.ownership import Owner
from dobook.storage.connection import Connection
from dobook.storage.sql.storage import SqlStorage
from dobook.storage.store import ObjectStore

MOST_TABLES = 20
_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
    "AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY name"
)


class Readable(Protocol):
    """Something with an SQL database: an object's storage, or a copy of one."""

    unsafe_limits: bool

    def connection(self) -> Connection:
        """Return the database."""

    def check(self) -> None:
        """Raise if it cannot be used any more."""


class Reader:
    """What `SqlStorage` asks of an object; refuses to write."""

    def __init__(self, store: Readable) -> None:
        self._store = store
        self.unsafe_limits = store.unsafe_limits
        self.owner: Owner | None = None

    def connection(self) -> Any:
        """Return the object's database."""
        return self._store.connection()

    def will_write(self) -> None:
        """Refuse to write.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            "%sql only reads: a write from outside would pass the object's gates by. Write in a "
            "method of the class, with self.ctx.storage.sql.exec(...)."
        )

    def settle_schema(self) -> None:
        """Leave the tables as they are."""

    def check(self) -> None:
        """Raise if the object is broken."""
        self._store.check()


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A table of an object's database.

    Attributes:
        name: Its name.
        columns: Its columns' names.
        count: How many rows it has.
        rows: The first of them.
    """

    name: str
    columns: tuple[str, ...]
    count: int
    rows: tuple[tuple[Any, ...], ...]


def sql_tables(store: ObjectStore, most_rows: int) -> list[SqlTable]:
    """Return the tables that an object's own code has made, by name.

    Args:
        store: The object's storage. A database that has never been opened is not opened for this.
        most_rows: Rows of each table.
    """
    on_disk = store.path is not None and store.path.exists()
    if not store.is_open and store.image is None and not on_disk:
        return []
    sql = SqlStorage(Reader(store))
    tables = []
    for (name,) in list(sql.exec(_TABLES).raw())[:MOST_TABLES]:
        quoted = '"' + str(name).replace('"', '""') + '"'
        cursor = sql.exec(f"SELECT * FROM {quoted} LIMIT {most_rows:d}")
        rows = tuple(tuple(row) for row in cursor.raw())
        ((number,),) = sql.exec(f"SELECT count(*) FROM {quoted}").raw()
        tables.append(SqlTable(str(name), tuple(cursor.columnNames), int(number), rows))
    return tables
