"""SQL's functions of time and chance, by the clock and the seed of the object's runtime.

SQLite asks the operating system for the time and for random bytes. Its functions can be replaced by
name, `CURRENT_TIMESTAMP` and its kind included, as SQLite compiles these keywords to functions;
column defaults, views and triggers find what is in place when they run. What stands in puts the
runtime's time where `now` is meant, and leaves everything else to SQLite's own function, which it
calls on a second connection. So results, and what is NULL, are SQLite's in every version.

(SQLite could ask a VFS of our own for the time. But that has to be made in C, and the library that
Python's module is linked with cannot be reached where it is linked statically.)

SQLite refuses `now` where the same row has to give the same value again: in CHECK constraints,
generated columns and indexes. A function cannot ask where it is called, but the bytecode of the
running statement says it: there the instruction is `PureFunc` instead of `Function`.
Source: sqlite.org/lang_datefunc.html, sqlite.org/deterministic.html
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from dobook.storage.connection import SQLITE_VERSION, Connection
from dobook.storage.sqlite_errors import SqliteTooBigError

# Name, position of the time value, the version of SQLite that has it.
_OF_A_TIME: Final = (
    ("date", 0, (3,)),
    ("time", 0, (3,)),
    ("datetime", 0, (3,)),
    ("julianday", 0, (3,)),
    ("strftime", 1, (3,)),
    ("unixepoch", 0, (3, 38)),
)
_KEYWORDS: Final = {
    "current_date": "%Y-%m-%d",
    "current_time": "%H:%M:%S",
    "current_timestamp": "%Y-%m-%d %H:%M:%S",
}
TIMEDIFF_SINCE: Final = (3, 43)
SUBSEC_SINCE: Final = (3, 42)  # as a time value: now, with fractions of a second
KNOWS_UTC_SINCE: Final = (3, 46)  # that `now` is in UTC already, so that 'utc' changes nothing
_SUBSEC: Final = frozenset({"subsec", "subsecond"})
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LARGEST: Final = 2**63 - 1
_MOST_BYTES: Final = 2**31 - 1

# Bits of the instruction's last operand: where in a schema a function is called.
_IN_CHECK: Final = 4
_IN_GENERATED_COLUMN: Final = 8
_CALL: Final = re.compile(
    r"\b(date|time|datetime|julianday|unixepoch|strftime|timediff)\s*\(", re.I
)
_PLACE: Final = re.compile(r"\bcheck\s*\(|\bas\s*\(|^\s*create\s+(unique\s+)?index\b", re.I)
_DEFAULT: Final = re.compile(r"\bdefault\s*\(", re.I)
_NOW: Final = (
    r"\b{}\s*\(\s*(\)|'(now|subsec|subsecond)'|'[^']*'\s*(\)|,\s*'(now|subsec|subsecond)'))"
)


class Source(Protocol):
    """What tells the time and draws; a runtime's `TimeAndChance`.

    Attributes:
        builtin: A connection on which SQLite's functions are its own; made when needed.
    """

    builtin: Any

    def milliseconds(self) -> int:
        """Return the time in ms since 1970."""

    def random_bytes(self, size: int) -> bytes:
        """Return random bytes."""


class NotPureError(Exception):
    """`now` was used where a row has to give the same value again."""


class ClockFunctions:
    """What stands in for SQL's functions of time and chance on one connection.

    Args:
        connection: The connection.
        source: The clock and chance.
        running: Returns the text and the bytecode of the statement that runs.
    """

    def __init__(
        self,
        connection: Connection,
        source: Source,
        running: Callable[[], tuple[str, Iterable[tuple[Any, ...]]]],
    ) -> None:
        self._connection = connection
        self._source = source
        self._running = running
        self._schema: tuple[int, str] = (-1, "")  # version, what may refuse `now`
        self.failure: BaseException | None = None  # why the last call failed

    def add(self) -> None:
        """Put the functions in place."""
        db = self._connection.db
        # A build may mistrust what is not its own; views and defaults call these.
        db.execute("PRAGMA trusted_schema=ON")
        for name, position, since in _OF_A_TIME:
            if since <= SQLITE_VERSION:
                db.create_function(
                    name, -1, self._guarded(self._of_a_time(name, (position,))), deterministic=True
                )
        if SQLITE_VERSION >= TIMEDIFF_SINCE:
            timediff = self._guarded(self._of_a_time("timediff", (0, 1)))
            db.create_function("timediff", 2, timediff, deterministic=True)
        for name, form in _KEYWORDS.items():
            db.create_function(name, 0, self._guarded(self._keyword(form)))
        db.create_function("random", 0, self._guarded(self._random))
        db.create_function("randomblob", 1, self._guarded(self._randomblob))

    def take_failure(self) -> BaseException | None:
        """Return why the last call failed, once."""
        failure, self.failure = self.failure, None
        return failure

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that leaves its error where the session finds it.

        SQLite hands on no more than that there was one.
        """

        def guarded(*args: Any) -> Any:
            try:
                return function(*args)
            except BaseException as error:
                self.failure = error
                raise

        return guarded

    # ------------------------------------------------------------------ time

    def _now(self) -> dt.datetime:
        return _EPOCH + dt.timedelta(milliseconds=self._source.milliseconds())

    def _keyword(self, form: str) -> Callable[[], str]:
        return lambda: self._now().strftime(form)

    def _of_a_time(self, name: str, positions: tuple[int, ...]) -> Callable[..., Any]:
        queries: dict[int, str] = {}

        def call(*args: Any) -> Any:
            for position in positions:
                meant = _means_now(args, position)
                if meant:
                    self._check_pure(name)
                    # At the end it means the same; further modifiers keep their places.
                    after = ("subsec",) if meant == "subsec" and len(positions) == 1 else ()
                    args = (*args[:position], self._now_text(), *args[position + 1 :], *after)
            query = queries.get(len(args))
            if query is None:
                query = queries[len(args)] = f"SELECT {name}({','.join('?' * len(args))})"
            return self._ask(query, args)

        return call

    def _now_text(self) -> str:
        # The fraction is a little more than it is: versions that cut milliseconds off would
        # else be one short where a binary fraction is a little less.
        zone = "Z" if SQLITE_VERSION >= KNOWS_UTC_SINCE else ""
        now = self._now()
        return f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d}01{zone}"

    def _ask(self, query: str, args: tuple[Any, ...]) -> Any:
        """Ask SQLite's own function."""
        source = self._source
        if source.builtin is None:
            source.builtin = Connection(None)
        try:
            return source.builtin.execute(query, args).fetchone()[0]
        except SqliteTooBigError as error:
            raise OverflowError from error  # Python makes SQLite's error of it again

    def _check_pure(self, name: str) -> None:
        """Raise if the running statement calls a function where SQLite refuses `now`."""
        schema = self._schema_now()
        statement, code = self._running()
        schema += _refusing([statement])  # CREATE INDEX, which is not in the schema yet
        if not schema:
            return
        contexts, elsewhere = [], False
        for _, operation, _, _, _, function, context, *_ in code:
            if str(function).startswith(f"{name}("):
                if operation == "PureFunc":
                    contexts.append(context)
                elsewhere = elsewhere or operation == "Function"
        if not contexts or (elsewhere and not re.search(_NOW.format(name), schema, re.I)):
            return
        place = "an index"
        if contexts[0] & _IN_CHECK:
            place = "a CHECK constraint"
        elif contexts[0] & _IN_GENERATED_COLUMN:
            place = "a generated column"
        raise NotPureError(f"non-deterministic use of {name}() in {place}")

    def _schema_now(self) -> str:
        rules, execute = self._connection.rules, self._connection.execute
        on, rules.on = rules.on, False  # these two statements are not the user's
        try:
            version = execute("PRAGMA schema_version").fetchone()[0]
            if version != self._schema[0]:
                found = execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
                self._schema = version, _refusing(sql for (sql,) in found)
        finally:
            rules.on = on
        return self._schema[1]

    # ------------------------------------------------------------------ chance

    def _random(self) -> int:
        number = int.from_bytes(self._source.random_bytes(8), "little", signed=True)
        return -(number & _LARGEST) if number < 0 else number  # as SQLite: abs() of it never fails

    def _randomblob(self, size: object) -> bytes:
        if type(size) is not int:
            size = self._ask("SELECT CAST(? AS INTEGER)", (size,)) or 0
        if size > _MOST_BYTES:
            raise OverflowError
        return self._source.random_bytes(max(size, 1))


def _means_now(args: tuple[Any, ...], position: int) -> str:
    """Return "now" or "subsec" if a time value is missing or names the present, else ""."""
    if len(args) <= position:
        return "now" if len(args) == position else ""
    value = args[position]
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return ""
    value = value.partition("\0")[0].lower()
    if value in _SUBSEC and SQLITE_VERSION >= SUBSEC_SINCE:
        return "subsec"
    return "now" if value == "now" else ""


def _refusing(statements: Iterable[str]) -> str:
    """Return those definitions whose CHECK, generated column or index calls a function of time."""
    found = [_without_defaults(sql) for sql in statements if _PLACE.search(sql) is not None]
    return "\n".join(sql for sql in found if _CALL.search(sql) is not None)


def _without_defaults(sql: str) -> str:
    """Return a definition without the expressions of DEFAULT, where `now` may be used."""
    while (found := _DEFAULT.search(sql)) is not None:
        depth, end = 1, found.end()
        while depth and end < len(sql):
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        sql = sql[: found.start()] + sql[end:]
    return sql
