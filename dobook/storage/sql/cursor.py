"""The rows of one `sql.exec()`: `SqlStorageCursor` and its raw iterator.

Owns reading and nothing of running: the statement has made its first step before a cursor
exists. Rows are fetched as they are asked for, one ahead of the reader as on the platform, so a
cursor sees rows that are written while it is open.
Implements developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#sqlstoragecursor
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from dobook.codec import JsDict, JsList
from dobook.errors import PlatformError, misspelt
from dobook.ownership import CURSOR, check_owner, current_owner
from dobook.storage.connection import SqliteError
from dobook.storage.sql.session import Plan, Row, Session
from dobook.storage.sql.values import from_sqlite

NO_RESULTS: Final = "Expected exactly one result from SQL query, but got no results."
MANY_RESULTS: Final = "Expected exactly one result from SQL query, but got multiple results."


class SqlStorageCursor:
    """The rows of a query, read once, from the first to the last.

    Iterating gives one mapping for each row, usable as `row["name"]` and `row.name`; of columns
    with the same name the last one counts. `raw()` gives lists instead.

    Example:
        >>> cursor = sql.exec("SELECT 1 AS a UNION SELECT 2")
        >>> cursor.columnNames, cursor.next().value.a, cursor.toArray()
        (['a'], 1, [{'a': 2}])

    Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#sqlstoragecursor
    """

    __slots__ = (
        "_changes",
        "_direct",
        "_fetched",
        "_looked",
        "_names",
        "_peeked",
        "_plan",
        "_rows",
        "_session",
        "_source",
    )

    def __init__(
        self,
        session: Session,
        rows: Iterator[Row] | None,
        names: Sequence[str],
        changes: int = 0,
        direct: int = 0,
        plan: Plan | None = None,
        source: Plan | None = None,
    ) -> None:
        self._session = session
        self._rows = rows  # None: all read, or no rows at all
        self._names = names
        self._changes = changes  # rows changed, by triggers and foreign key actions too
        self._direct = direct  # of these, by the statement itself; -1 when unknown
        self._plan = plan  # None for a statement that does not write
        self._source = source  # the plan of any statement
        self._looked: int | None = None  # at how many rows, once it is over and somebody has asked
        self._fetched = 0
        self._peeked: Row | None = None

    @property
    def columnNames(self) -> list[str]:
        """The names of the columns, repeated ones included; empty for a statement without rows."""
        return list(self._names)

    @property
    def rowsRead(self) -> int:
        """How many rows the query has read so far.

        While rows are left to read these are the rows it has given. At its end rows are added that
        it has looked at without giving them: exact for scans of one table, sorted or not, an
        estimate for joins and searches in an index (see `scans`).
        """
        self._check()
        if self._rows is not None and self._peeked is None:
            self._peeked = self._fetch()  # the platform is one row ahead of its reader
        return self.looked_at()

    def looked_at(self) -> int:
        """Return what `rowsRead` is without reading ahead."""
        if self._rows is not None or self._source is None:
            return self._fetched
        if self._looked is None:
            changed = max(self._changes, 0)
            self._looked = self._session.rows_read(self._source, self._fetched, changed)
        return self._looked

    @property
    def over(self) -> bool:
        """Whether it has been read to the end."""
        return self._rows is None

    @property
    def unfinished(self) -> bool:
        """Whether rows are left that have not been handed out."""
        if self._rows is None and self._peeked is None:
            return False
        return self._fetched - (self._peeked is not None) < self._direct

    @property
    def rowsWritten(self) -> int:
        """How many rows of tables and indexes the statement has written.

        Changed rows times what one of them writes (itself and its index entries); rows written
        by triggers and foreign key actions count once each.
        """
        self._check()
        plan = self._plan
        if plan is None:
            return 0
        changes = self._changes
        if plan.per_row is None:
            plan.per_row = self._session.count_writes(plan)
        if plan.statement.defines or plan.statement.explained:
            return 0 if plan.statement.explained else plan.per_row
        direct = changes if self._direct < 0 else min(self._direct, changes)
        return direct * plan.per_row + (changes - direct if plan.programs else 0)

    def next(self) -> "JsDict":
        """Return `{done: False, value: row}`, or `{done: True}` after the last row."""
        self._check()
        row = self._step()
        if row is None:
            return JsDict(done=True)
        return JsDict(done=False, value=JsDict(zip(self._names, row)))  # noqa: B905

    def toArray(self) -> "JsList":
        """Return the remaining rows as a list."""
        if current_owner.get() is not self._session.owner:
            self._check()
        names = self._names
        # zip(strict=True) would cost a third more, here and below.
        return JsList([JsDict(zip(names, from_sqlite(row))) for row in self._rest()])  # noqa: B905

    def one(self) -> "JsDict":
        """Return the only row.

        Raises:
            PlatformError: If there is no row, or more than one.
        """
        if current_owner.get() is not self._session.owner:
            self._check()
        rows = self._rows
        if rows is None or self._peeked is not None:
            row = self._take()
            another = None if row is None else self._take()
        else:
            # Two calls of Session.fetch, written out for speed.
            session = self._session
            rules = session.rules
            row = another = None
            rules.on = True
            try:
                row = next(rows, None)
                if row is not None:
                    another = next(rows, None)
            except SqliteError as error:
                session.be_lenient(error)
                if row is None:
                    return self.one()
                another = row  # it is the second row that was not UTF-8
            finally:
                rules.on = False
            if another is None:
                self._finish(rows)
            self._fetched = 0 if row is None else 1
        self._rows = self._peeked = None
        if row is None:
            raise PlatformError(NO_RESULTS)
        if another is not None:
            raise PlatformError(MANY_RESULTS)
        return JsDict(zip(self._names, from_sqlite(row)))  # noqa: B905

    def raw(self) -> "RawIterator":
        """Return an iterator over the remaining rows as lists; it shares the cursor's position."""
        self._check()
        return RawIterator(self)

    def __iter__(self) -> "SqlStorageCursor":
        return self

    def __next__(self) -> "JsDict":
        if current_owner.get() is not self._session.owner:
            self._check()
        row = self._step()
        if row is None:
            raise StopIteration
        return JsDict(zip(self._names, row))  # noqa: B905

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> Any:
            raise misspelt(self, name)

    def __repr__(self) -> str:
        state = "read to the end" if self._rows is None else f"{self._fetched} rows read"
        return f"<SqlStorageCursor of {', '.join(self._names) or 'no columns'}: {state}>"

    def _check(self) -> None:
        """Raise if it is used in the code of another object."""
        check_owner(self._session.owner, CURSOR)

    def _fetch(self) -> Row | None:
        rows = self._rows
        if rows is None:
            return None
        row = self._session.fetch(rows)
        if row is None:
            self._rows = None
            self._finish(rows)
        else:
            self._fetched += 1
        return row

    def _finish(self, rows: Any) -> None:
        if self._plan is None:  # otherwise they are not SQLite's cursor but a list's iterator
            self._session.idle.append(rows)

    def _take(self) -> Row | None:
        row = self._peeked
        if row is None:
            return self._fetch()
        self._peeked = None
        return row

    def _step(self) -> Sequence[Any] | None:
        row = self._take()
        return None if row is None else from_sqlite(row)

    def _rest(self) -> list[Row]:
        rows = self._rows
        first = self._peeked
        self._rows = self._peeked = None
        found = [] if first is None else [first]
        if rows is not None:
            found += self._session.fetch_all(rows)
            self._fetched += len(found) - (first is not None)
            self._finish(rows)
        return found


class RawIterator:
    """The rows of a cursor as lists of values, in the order of `columnNames`."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: SqlStorageCursor) -> None:
        self._cursor = cursor

    def next(self) -> "JsDict":
        """Return `{done: False, value: list}`, or `{done: True}` after the last row."""
        row = next(self, None)
        return JsDict(done=True) if row is None else JsDict(done=False, value=row)

    def toArray(self) -> "JsList":
        """Return the remaining rows as a list of lists."""
        return JsList(self)

    def __iter__(self) -> "RawIterator":
        return self

    def __next__(self) -> list[Any]:
        self._cursor._check()  # noqa: SLF001 - the cursor's other half
        row = self._cursor._step()  # noqa: SLF001
        if row is None:
            raise StopIteration
        return list(row)
