"""Runs a user's statements on one connection: plans, rules, errors in the platform's words.

A `Session` belongs to one `Connection`. It keeps a plan for each query it has seen, so that a
query that comes again costs one dictionary look-up before SQLite has it. Never decides whether
an object may run SQL, and never opens or ends a transaction: `SqlStorage` and its host do.
Source: cloudflare/workerd src/workerd/util/sqlite.c++
"""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any, Final

from dobook import limits
from dobook.errors import PlatformError
from dobook.ownership import Owner
from dobook.storage.connection import (
    LIMIT_FUNCTION_ARG,
    Connection,
    SqliteCursor,
    SqliteError,
    error_text,
)
from dobook.storage.sql.clock import ClockFunctions, NotPureError
from dobook.storage.sql.functions import add_newer_functions
from dobook.storage.sql.prepared import Opened, Prepared
from dobook.storage.sql.refusals import as_the_engine_says
from dobook.storage.sql.rules import TRANSACTION_VERBS, Rules, allowed_name
from dobook.storage.sql.scans import rows_looked_at
from dobook.storage.sql.text import Statement, looks_at_schema, offset_of
from dobook.storage.sql.versions import missing_here
from dobook.web.text import stored_text

NO_STATEMENT: Final = "SQL code did not contain a statement."
WRONG_NUMBER: Final = "Wrong number of parameter bindings for SQL query."
ONLY_LAST_BINDS: Final = (
    "When executing multiple SQL statements in a single call, only the last statement can have "
    "parameters."
)
MAX_PREPARED: Final = 256  # texts of several statements; the engine keeps 1 MiB of all texts
DELETED: Final = "SQLite query was canceled because the database was deleted."
NOT_AUTHORIZED: Final = "not authorized: SQLITE_AUTH"
CLOSED_CURSOR: Final = "Cannot operate on a closed cursor."  # Python's words
# Before every text of a user's: SQLite's rules are asked when a statement is prepared, and Python
# keeps prepared ones by their text, the engine's own included, which no rules hold for.
USERS: Final = "\n"
UNDECODABLE: Final = "Could not decode to UTF-8"  # beginning of what Python says
# The real engine keeps prepared statements of this much SQL text in all, the latest used.
MAX_PLANNED_CHARS: Final = 1024 * 1024

_explained = itertools.count()

Row = tuple[Any, ...]


class Plan:
    """What is known about a query of one statement that SQLite has accepted once."""

    __slots__ = (
        "code",
        "columns",
        "looks",
        "mapping",
        "parameters",
        "per_row",
        "programs",
        "statement",
        "text",
        "writes",
    )

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self.text = USERS + statement.text
        self.writes = statement.writes
        self.looks = looks_at_schema(statement.text)
        self.parameters = statement.parameters
        self.mapping = statement.names
        self.code: list[Row] | None = None  # SQLite's bytecode, once somebody has asked
        self.columns: list[str] | None = None  # known after the first run
        self.per_row: int | None = None  # rows of tables and indexes that one changed row writes
        self.programs = False  # whether triggers or foreign key actions may run

    def by_name(self, values: list[Any]) -> dict[str, Any]:
        """Return the bindings as the mapping that named parameters need."""
        return dict(zip(self.mapping or (), values, strict=True))


class Session:
    """One connection as the user's SQL sees it."""

    def __init__(self, connection: Connection, *, hosted: bool, owner: Owner | None = None) -> None:
        self.connection = connection
        self.hosted = hosted
        self.owner = owner  # whose cursors they are
        self.db = connection.db
        self.writer = connection.cursor()
        self.idle = connection.idle
        # Several may look at one database, for instance a notebook beside the object: one set of
        # rules holds for all of them. Functions cannot be added while a statement runs.
        if connection.rules is None:
            connection.rules = Rules()
            add_newer_functions(self.db)
            if connection.source is not None:
                clock = ClockFunctions(connection, connection.source, self.running)
                clock.add()
                connection.rules.clock = clock
            connection.set_authorizer(connection.rules)
        self.rules: Rules = connection.rules
        connection.stopper.rules = self.rules
        self.plans: dict[str, Plan] = connection.plans
        self._planned_chars = 0
        self.prepared: dict[str, Prepared] = {}  # texts of several statements
        self.deferred = False  # PRAGMA defer_foreign_keys was used outside a transaction
        if hosted:
            self.db.setlimit(LIMIT_FUNCTION_ARG, limits.MAX_SQL_FUNCTION_ARGUMENTS)

    def remember(self, query: str, plan: Plan) -> None:
        """Keep the plan of a query, dropping the oldest ones when there is too much text."""
        plans = self.plans
        if not plans:
            self._planned_chars = 0
        plans[query] = plan
        self._planned_chars += len(query)
        while self._planned_chars > MAX_PLANNED_CHARS and plans:
            oldest = next(iter(plans))
            del plans[oldest]
            self._planned_chars -= len(oldest)

    def prepare(self, statement: Statement) -> None:
        """Let SQLite check a statement without running it.

        Raises:
            PlatformError: If the statement is not valid, or not allowed.
        """
        if statement.verb == "PRAGMA":
            return  # some of them act as soon as they are prepared
        names = statement.names
        nothing: Any = [None] * statement.parameters if names is None else dict.fromkeys(names)
        text = statement.text if statement.explained else "EXPLAIN " + statement.text
        with contextlib.closing(self.connection.reader()) as cursor:
            self.run(cursor, text, nothing, statement)
        if not allowed_name(statement.renamed_to):
            raise PlatformError(NOT_AUTHORIZED)

    def step(self, statement: Statement) -> None:
        """Run a statement without bindings, forget its rows and reset it."""
        with contextlib.closing(self.connection.reader()) as cursor:
            self.run(cursor, USERS + statement.text, (), statement)

    def open(self, statement: Statement) -> Opened | None:
        """Make the first step of a statement without bindings; None if it is over then."""
        cursor = self.connection.reader()
        try:
            self.run(cursor, USERS + statement.text, (), statement)
        except BaseException:
            cursor.close()
            raise
        if cursor.description is None:
            cursor.close()
            return None
        if not statement.writes:
            return Opened(cursor, returns=False)
        opened = Opened(cursor, returns=cursor.fetchone() is not None)
        cursor.close()
        if opened.unfinished:
            self.connection.unread.append(opened)
        return opened

    def keep_prepared(self, query: str) -> Prepared:
        """Return where it is noted what a text leaves open, forgetting the oldest of many texts."""
        if len(self.prepared) >= MAX_PREPARED:
            self.prepared.pop(next(iter(self.prepared))).close()
        made = self.prepared[query] = Prepared()
        return made

    @property
    def defers_foreign_keys(self) -> bool:
        """Whether foreign keys are checked at the next commit only."""
        row = self.connection.execute("PRAGMA defer_foreign_keys").fetchone()
        return row is not None and row[0] == 1

    def run(self, cursor: SqliteCursor, text: str, values: Any, statement: Statement) -> None:
        """Make a statement's first step on `cursor`, under the user's rules."""
        self.rules.on = statement
        try:
            cursor.execute(text, values)
        except Exception as error:
            self.recover(error, cursor, statement, values)
        finally:
            self.rules.on = False

    def recover(
        self, error: Exception, cursor: SqliteCursor, statement: Statement, values: object
    ) -> None:
        """Run a statement again whose text could not be encoded; raise any other error.

        JavaScript replaces the halves of surrogate pairs on the way to UTF-8.
        """
        if isinstance(error, UnicodeEncodeError):
            self.run(cursor, USERS + well_formed(statement.text), well_formed(values), statement)
        elif isinstance(error, SqliteError):
            raise self.error(error, statement) from None
        else:
            self.note_lost(error)
            raise error

    def note_lost(self, error: Exception) -> None:
        """Notify the store if SQLite has undone the transaction: INSERT OR ROLLBACK, or the disk."""
        if self.connection.undone and self.connection.on_lost is not None:
            self.connection.on_lost(error)

    def error(self, error: SqliteError, statement: Statement | None = None) -> PlatformError:
        """Return the platform's error for one of SQLite's.

        Raises:
            BaseException: What a signal handler raised, if that stopped the statement.
        """
        self.note_lost(error)
        stopped = self.connection.stopper.stopped(error)
        if stopped is not None:
            raise stopped from None
        if self.connection.closed or str(error) == CLOSED_CURSOR:
            return PlatformError(DELETED)
        clock = self.rules.clock
        failure = None if clock is None else clock.take_failure()
        if isinstance(failure, NotPureError):
            return PlatformError(f"{failure}: SQLITE_ERROR")
        if failure is not None and not isinstance(failure, Exception):
            raise failure  # an interrupt; SQLite reports only that a function raised
        reason, self.rules.reason = self.rules.reason, None
        if reason is not None and (statement is None or statement.verb in TRANSACTION_VERBS):
            return PlatformError(reason)
        message = str(error)
        text = error_text(error)
        if statement is not None:
            offset = offset_of(message, statement.text)
            if offset is not None:
                text = f"{message} at offset {offset}{text[len(message) :]}"
            text = as_the_engine_says(text)
        told = PlatformError(text)
        if statement is not None and (note := missing_here(message, statement.text)):
            told.add_note(note)
        return told

    def fetch(self, rows: Iterator[Row]) -> Row | None:
        """Return the next row, None after the last one."""
        rules = self.rules
        while True:
            rules.on = True
            try:
                return next(rows, None)
            except SqliteError as error:
                self.be_lenient(error)
            finally:
                rules.on = False

    def fetch_all(self, rows: Iterator[Row]) -> list[Row]:
        """Return the remaining rows."""
        found: list[Row] = []
        rules = self.rules
        while True:
            rules.on = True
            try:
                found.extend(rows)
            except SqliteError as error:
                self.be_lenient(error)
            else:
                return found
            finally:
                rules.on = False

    def be_lenient(self, error: SqliteError) -> None:
        """Read text that is not UTF-8 with replacement characters from here on.

        Python's cursor is still on the row that it could not read, so it can be asked again.

        Raises:
            PlatformError: If this was another error.
        """
        if not str(error).startswith(UNDECODABLE) or self.db.text_factory is replacing:
            raise self.error(error) from None
        self.db.text_factory = replacing

    def explain(self, plan: Plan) -> list[Row]:
        """Return the bytecode of a statement; none if it cannot run any more, or not yet."""
        if plan.code is None:
            names = plan.mapping
            nothing: Any = [None] * plan.parameters if names is None else dict.fromkeys(names)
            try:
                # Never the same text twice: Python would step a statement that it has kept, and
                # SQLite before 3.41 crashes when such an EXPLAIN of a RETURNING outlives a change
                # of tables.
                text = f"EXPLAIN {plan.text}\n-- {next(_explained)}"
                plan.code = self.db.execute(text, nothing).fetchall()
            except SqliteError:
                return []
        return plan.code

    def running(self) -> tuple[str, list[Row]]:
        """Return the text and the bytecode of the statement that runs; empty if none does."""
        rules = self.rules
        on, rules.on = rules.on, False
        try:
            if isinstance(on, Statement):
                on = Plan(on)
            return (on.text, self.explain(on)) if isinstance(on, Plan) else ("", [])
        finally:
            rules.on = on

    def rows_read(self, plan: Plan, returned: int, changed: int) -> int:
        """Estimate how many rows a finished statement has read.

        Args:
            plan: The statement's.
            returned: How many rows it has given.
            changed: How many rows it has changed.
        """
        if self.connection.closed or plan.statement.explained or plan.statement.defines:
            return returned
        execute = self.connection.execute

        def entries(root: int) -> int:
            found = execute("SELECT tbl_name FROM sqlite_master WHERE rootpage = ?", (root,))
            for (table,) in found.fetchall():
                quoted = table.replace('"', '""')
                return int(execute(f'SELECT count(*) FROM "{quoted}"').fetchone()[0])
            return 0

        return rows_looked_at(self.explain(plan), entries, returned, changed)

    def count_writes(self, plan: Plan) -> int:
        """Find out how many rows of tables and indexes a statement writes for each changed row.

        SQLite's bytecode shows it: its Insert and IdxInsert instructions on stored tables. For a
        statement that defines something it is the number of rows written in all.
        Source: cloudflare/workerd patches/sqlite/0001-row-counts-plain.patch
        """
        code = self.explain(plan)
        if not code:
            return 1
        stored = {step[2] for step in code if step[1] == "OpenWrite"}
        written = [step[2] for step in code if step[1] in WRITING and step[2] in stored]
        plan.programs = any(step[1] == "Program" for step in code)
        if plan.statement.defines:
            return len(written)
        # An upsert has two instructions for one table; DELETE counts its rows by another one.
        return len(set(written)) or 1


WRITING: Final = frozenset({"Insert", "IdxInsert"})


def replacing(data: bytes) -> str:
    """Decode text that may not be UTF-8."""
    return data.decode("utf-8", "replace")


def well_formed(value: object) -> Any:
    """Replace lone surrogates in a text, a list of bindings or a mapping of them."""
    if isinstance(value, str):
        return stored_text(value)
    if isinstance(value, list):
        return [well_formed(v) for v in value]
    if isinstance(value, dict):
        return {k: well_formed(v) for k, v in value.items()}
    return value
