"""`ctx.storage.sql`: SQL on the object's own database.

Owns `SqlStorage` and the order of things in one `exec`: check the object, prepare, announce the
write, run. Transactions belong to the host, reading to `cursor`, what is allowed to
`rules`.
Implements developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
"""

from typing import TYPE_CHECKING, Any, Final, Protocol

from dobook.errors import PlatformError, misspelt
from dobook.ownership import Owner
from dobook.storage.connection import Connection
from dobook.storage.sql.cursor import SqlStorageCursor
from dobook.storage.sql.prepared import Prepared
from dobook.storage.sql.session import (
    NO_STATEMENT,
    ONLY_LAST_BINDS,
    WRONG_NUMBER,
    Plan,
    Session,
)
from dobook.storage.sql.text import Statement, looks_at_schema, split
from dobook.storage.sql.values import javascript_text, to_sqlite

NO_COLUMNS: Final[list[str]] = []
SIZE: Final = (
    "SELECT (SELECT * FROM pragma_page_count) - (SELECT * FROM pragma_freelist_count), "
    "(SELECT * FROM pragma_page_size)"
)


class SqlHost(Protocol):
    """What SQL needs of the object it belongs to."""

    unsafe_limits: bool
    """True: only the engine's limits hold, not the hosted service's."""

    @property
    def owner(self) -> Owner | None:
        """The object; None where anybody may look."""

    def connection(self) -> Connection:
        """Return the object's database, opening it if need be."""

    def will_write(self) -> None:
        """Open a transaction and schedule its commit, before a statement that may write."""

    def settle_schema(self) -> None:
        """Create the engine's own tables as on the platform, before user code looks at them."""

    def check(self) -> None:
        """Raise if the object is broken or gone."""


class SqlStorage:
    """The SQL interface of one object.

    Example:
        >>> sql.exec("CREATE TABLE hit(path TEXT, n INTEGER)").rowsRead
        0
        >>> sql.exec("INSERT INTO hit VALUES (?, ?)", "/", 3).rowsWritten
        1
        >>> sql.exec("SELECT n FROM hit WHERE path = ?", "/").one().n
        3

    Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
    """

    def __init__(self, host: SqlHost) -> None:
        self._host = host
        self._session: Session
        self._connection: Connection | None = None  # whose session it is
        self._plans: dict[str, Plan] = {}
        self._hosted = not host.unsafe_limits

    def exec(self, query: str, *bindings: Any) -> SqlStorageCursor:
        """Run one or more statements; the result is that of the last.

        Args:
            query: The SQL. Several statements are separated by `;`; only the last one can have
                parameters (`?`, `?1`, `:name`), bound by position.
            bindings: str, int, float, bytes or None for each parameter.

        Returns:
            A cursor over the rows. What the statement writes is written already.

        Raises:
            PlatformError: If SQLite refuses a statement, with SQLite's own text. Statements
                before it stay done.
            PlatformTypeError: If a value cannot be bound.

        Example:
            >>> sql.exec("SELECT ? AS a, ? AS b", "x", 1.5).toArray()
            [{'a': 'x', 'b': 1.5}]

        Waits: never; the statement runs at once.
        Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#exec
        """
        host = self._host
        host.check()
        connection = host.connection()
        if connection is not self._connection:
            self._attach(connection)
        try:
            plan = self._plans[query]
        except (KeyError, TypeError):  # TypeError: the query is a list, a dict
            return self._first_time(query, bindings)
        if len(bindings) != plan.parameters:
            return self._first_time(query, bindings)
        values: Any = to_sqlite(bindings, self._hosted) if bindings else ()
        if plan.looks:
            self._look(query)
        if plan.mapping is not None:
            values = plan.by_name(values)
        if plan.writes:
            self._will_write()
            return self._write(plan, values)
        return self._read(plan, values)

    @property
    def databaseSize(self) -> int:
        """The size of the database in bytes, a multiple of the page size.

        Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#databasesize
        """
        self._host.check()
        connection = self._host.connection()
        row = connection.execute(SIZE).fetchone()
        return max(int(row[0]), 1) * int(row[1])  # in memory there may be no page yet

    def _attach(self, connection: Connection) -> None:
        self._connection = connection
        self._session = Session(connection, hosted=self._hosted, owner=self._host.owner)
        self._plans = self._session.plans

    def _look(self, query: str) -> None:
        if "defer_foreign_keys" in query.lower():
            self._session.deferred = True
        else:
            self._host.settle_schema()

    def _will_write(self) -> None:
        session = self._session
        if session.deferred:
            session.deferred = False
            deferred = session.defers_foreign_keys
            self._host.will_write()
            if deferred:  # opening the transaction may have ended it
                session.connection.execute("PRAGMA defer_foreign_keys = ON")
        else:
            self._host.will_write()

    # The next two repeat Session.run for speed: one exec() is worth two microseconds.

    def _read(self, plan: Plan, values: Any) -> SqlStorageCursor:
        session = self._session
        idle = session.idle
        cursor = idle.pop() if idle else session.connection.reader()
        rules = session.rules
        rules.on = plan
        try:
            cursor.execute(plan.text, values)
        except Exception as error:
            session.recover(error, cursor, plan.statement, values)
        finally:
            rules.on = False
        columns = plan.columns
        if columns is None:
            columns = plan.columns = [column[0] for column in cursor.description or ()]
        return SqlStorageCursor(session, cursor, columns, 0, 0, None, plan)

    def _write(self, plan: Plan, values: Any) -> SqlStorageCursor:
        session = self._session
        db = session.db
        cursor = session.writer
        before = db.total_changes
        rules = session.rules
        rules.on = plan
        try:
            cursor.execute(plan.text, values)
        except Exception as error:
            session.recover(error, cursor, plan.statement, values)
        finally:
            rules.on = False
        if cursor.description is None:
            changes = db.total_changes - before
            direct = cursor.rowcount
            return SqlStorageCursor(session, None, NO_COLUMNS, changes, direct, plan, plan)
        # RETURNING: all is written at the first step; an unread rest would forbid the commit.
        columns = [column[0] for column in cursor.description]
        rows = session.fetch_all(cursor)
        changes = db.total_changes - before
        made = SqlStorageCursor(session, iter(rows), columns, changes, len(rows), plan, plan)
        if rows:
            session.connection.unread.append(made)
        return made

    def _first_time(self, query: object, bindings: tuple[Any, ...]) -> SqlStorageCursor:
        """Run a query without a plan, or whose number of bindings is wrong."""
        session = self._session
        if not isinstance(query, str):
            query = "undefined" if query is None else javascript_text(query)
        values: Any = to_sqlite(bindings, self._hosted)
        if looks_at_schema(query):
            self._look(query)
        *first, last = split(query)
        prepared = self._run_first(query, first, last) if first else None
        self._check(last, sure=len(values) == last.parameters)
        if len(values) != last.parameters:
            raise PlatformError(WRONG_NUMBER)
        plan = Plan(last)
        if plan.mapping is not None:
            values = plan.by_name(values)
        if plan.writes:
            if last.defines:
                plan.per_row = session.count_writes(plan)  # afterwards SQLite cannot say any more
            self._will_write()
            result = self._write(plan, values)
        else:
            result = self._read(plan, values)
        if last.defines:
            session.plans.clear()  # columns may have other names now
        elif not first:
            session.remember(query, plan)
        if prepared is not None:
            prepared.cursor = result
        return result

    def _run_first(self, query: str, first: list[Statement], last: Statement) -> Prepared | None:
        """Run all statements of a text but the last.

        Returns:
            Where the cursor of the last one is noted; None for a text whose last cursor is still
            being read, which is prepared once more for this run alone.
        """
        session = self._session
        prepared = session.prepared.get(query)
        if prepared is None:
            prepared = session.keep_prepared(query)
            try:
                for statement in first:
                    self._before(statement)
                    prepared.opened.append(session.open(statement))
                    if statement.defines:
                        session.plans.clear()
                if not last.verb:
                    raise PlatformError(NO_STATEMENT)
                session.prepare(last)
            except BaseException:  # it was not prepared, so nothing of it stays open
                session.prepared.pop(query).close()
                raise
            return prepared
        busy = prepared.in_use
        for position, statement in enumerate(first):
            self._before(statement)
            if not busy:
                prepared.reset(position)
            session.step(statement)
            if statement.defines:
                session.plans.clear()
        return None if busy else prepared

    def _before(self, statement: Statement) -> None:
        self._check(statement, sure=statement.parameters == 0)
        if statement.parameters:
            raise PlatformError(ONLY_LAST_BINDS)
        if statement.writes:
            self._will_write()

    def _check(self, statement: Statement, *, sure: bool) -> None:
        """Raise what is wrong with a statement before anything is written for it.

        Running it would raise the same, but after a transaction was opened; with one open there
        is no difference, and the check is saved.
        """
        if not statement.verb:
            raise PlatformError(NO_STATEMENT)
        session = self._session
        # To prepare would end the deferral of foreign keys, which holds until a statement is over.
        needed = statement.writes and not session.connection.in_transaction and not session.deferred
        if needed or not sure or statement.renamed_to is not None:
            session.prepare(statement)

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> Any:
            raise misspelt(self, name)
