"""What outlives an object: its rows, its SQL database, its alarm, and when they become durable.

An `ObjectStore` is one object's storage in either of two places: in memory, or in one SQLite file
per object laid out as the real engine lays it out (`schema`). Writes are collected; the
`Committer` makes the writes of one tick of the loop durable together and opens the output gates
they kept shut. All methods act at once.

Source: cloudflare/workerd src/workerd/io/actor-sqlite.c++
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dobook.codec import serialize
from dobook.errors import PlatformError
from dobook.gates import OutputGate
from dobook.storage import files, schema
from dobook.storage.blank import blank_database
from dobook.storage.connection import (
    STORAGE_ERRORS,
    Connection,
    SqliteError,
    is_constraint,
    is_critical,
)
from dobook.storage.image import from_image, image_of, size_of
from dobook.storage.kv import ALARM, DELETED, KV, MISSING
from dobook.storage.loading import load_changes, load_file, reading, storage_error
from dobook.storage.rows import (
    Changes,
    drop,
    engine_tables,
    has_table,
    load_rows,
    read_alarm,
    settle_schema,
    typed_rows,
    user_objects,
    write_rows,
)
from dobook.storage.turn import Turn

if TYPE_CHECKING:
    from dobook.storage.committer import Committer
    from dobook.storage.history.history import History
    from dobook.storage.pending_files import Backlog

UNREAD = (
    "internal error: rows that a statement with RETURNING gave were not read to the end, and SQLite "
    "commits nothing before. Read them all, for instance with toArray()."
)
ROLLED_BACK = (
    "internal error: a statement (OR ROLLBACK, RAISE(ROLLBACK)) has rolled back everything that this "
    "event wrote, so it cannot be committed. Use OR ABORT, or RAISE(ABORT)."
)
UNDONE = (
    "internal error: the disk or memory has failed a statement, and SQLite has undone everything that "
    "this event wrote, so it cannot be committed. Try again when they work."
)
# Objects up to this size are read whole when they are first used, larger ones row by row.
WHOLE_LOAD_BYTES = 4 * 1024 * 1024


class ObjectStore:
    """The storage of one object.

    Args:
        folder: Where the object's class has its files; None keeps everything in memory.
        identity: The object's id, 64 hex digits, which names its file.
        committer: Who makes writes durable.
        unsafe_limits: Enforce only the engine's limits on SQL, not the hosted service's.
        power_safe: Whether the file is to survive a loss of power.
        backlog: Where rows may wait that are not in the file yet.
        on_open: Told when the database is opened.
    """

    __slots__ = (
        "_backlog",
        "_committer",
        "_connection",
        "_ends_transaction",
        "_on_open",
        "_power_safe",
        "_rolled_back",
        "_was_wiped",
        "broken",
        "dirty",
        "folder",
        "history",
        "image",
        "kv",
        "marked",
        "output_gate",
        "owner",
        "place",
        "transactions",
        "turn",
        "unsafe_limits",
        "was_new",
        "wiped",
    )

    def __init__(
        self,
        folder: Path | None,
        identity: str,
        committer: "Committer",
        *,
        unsafe_limits: bool = False,
        power_safe: bool = True,
        backlog: "Backlog | None" = None,
        on_open: Callable[["ObjectStore"], None] | None = None,
    ) -> None:
        self.folder = folder
        self.place = ("" if folder is None else folder.name, identity)
        self.kv = KV()
        self.output_gate = OutputGate()
        self.dirty = False
        self.marked = False  # set when an event begins while earlier ones' writes are uncommitted
        self.turn: Turn | None = None  # the SQL of the latest event that was marked
        self.broken: BaseException | None = None
        self.transactions = 0  # explicit asynchronous ones that are open
        self.unsafe_limits = unsafe_limits
        self.history: History | None = None  # None: not kept
        self.image: bytes | None = None  # in memory: what its database begins with
        self.was_new = True  # there was nothing of it when it was opened
        self.wiped = False  # everything was deleted, and that is not committed yet
        self._ends_transaction = False  # the next commit is that of an explicit one
        self._rolled_back = False  # by INSERT OR ROLLBACK, or RAISE(ROLLBACK)
        self._was_wiped = False  # by an event before the latest one
        self.owner: Any = None  # what a store's user wants to reach from the store
        self._committer = committer
        self._power_safe = power_safe
        self._backlog = backlog
        self._on_open = on_open
        self._connection: Connection | None = None
        if folder is not None:
            self._load(folder)

    @property
    def path(self) -> Path | None:
        """The object's database file, None in memory."""
        # Made anew each time: a path takes more memory than most objects' rows.
        return None if self.folder is None else self.folder / f"{self.place[1]}.sqlite"

    # ------------------------------------------------------------------ writing

    def check(self) -> None:
        """Raise if the object can no longer use its storage."""
        if self.broken is not None:
            raise self.broken

    def will_write(self, *, confirmed: bool = True) -> None:
        """Announce a write to SQL: open the transaction that the tick's commit will end."""
        self.touch(confirmed=confirmed)
        connection = self.connection()
        self._save_turn(connection)
        if not connection.in_transaction:
            if connection.undone:  # this event's earlier writes are gone, so none may be kept
                self._rolled_back = True
            with self._guard():
                if self.history is not None:
                    nested = bool(self.kv.layers or self.transactions)
                    self.history.before_sql(connection, nested=nested)
                connection.begin()
                for depth in range(len(self.kv.layers)):
                    connection.savepoint(f"_cf_savepoint_{depth}")

    def settle_schema(self) -> None:
        """Create those of the engine's tables that the real engine would have made by now."""
        connection = self.connection()
        with self._guard():
            settle_schema(connection, self.kv, self.will_write)

    def touch(self, *, confirmed: bool = True) -> None:
        """Announce a write to the rows or the alarm."""
        if self.marked:
            self._mark()
        if self.dirty:
            commit = self.output_gate.commit
            if commit is not None and commit is self._committer.group:
                return  # this tick's commit includes it, and the gate is shut until then
        # Inside an explicit transaction nothing is committed, nor the output gate shut, before it
        # ends; see `commit_transaction`.
        if not self.transactions:
            self._committer.add(self, confirmed=confirmed)

    def _mark(self) -> None:
        """Separate this event's writes from earlier ones, so that they can be undone alone."""
        self.marked = False
        kv = self.kv
        if self.transactions or kv.layers:
            return  # one that is open is undone as a whole
        kv.turn = {}
        self._was_wiped = self.wiped
        if self.turn is not None:
            self.turn.begin()

    def _save_turn(self, connection: Connection) -> None:
        if self.kv.turn is not None:
            if self.turn is None:
                self.turn = Turn()
            with self._guard():
                self.turn.before_sql(connection)

    def delete_all(self) -> int:
        """Remove all rows and SQL tables; returns the number of rows. The alarm stays.

        The real engine makes the database anew at once, so `discard` does not undo it. What is
        written afterwards in the same turn is committed with it, though.
        """
        self.wiped = not self.kv.layers
        count = self.kv.delete_all()
        if self._connection is not None or self.folder is not None or self.image is not None:
            connection = self.connection()
            with self._guard():
                tables = user_objects(connection)
                if tables or has_table(connection, "sqlite_sequence"):
                    self.will_write()
                    connection.cancel_readers()
                    drop(connection, tables)
                connection.reset_counters()
        return count

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Reset the object if the disk refuses one of the engine's own statements.

        Its code may not have awaited what it called, and must not continue as if that had worked.

        Raises:
            PlatformError: In place of an error of SQLite or of the system.
        """
        try:
            yield
        except STORAGE_ERRORS as error:
            raise self._refused("be used", error) from error

    def _refused(self, verb: str, error: BaseException) -> PlatformError:
        if self.owner is not None:
            self._committer.lost(self, error)
        return storage_error(verb, error)

    # ------------------------------------------------------------------ transactions

    def commit_before_transaction(self) -> None:
        """Commit what was written before an explicit transaction, however that will end."""
        if not self.transactions and self.dirty:
            self._committer.flush()

    def begin_transaction(self, *, explicit: bool) -> None:
        """Begin a transaction inside whatever is open.

        Args:
            explicit: One that may wait (`transaction`); `commit_before_transaction` goes before.
        """
        if self.marked:
            self._mark()
        connection = self._connection
        if connection is not None and connection.in_transaction:
            self._save_turn(connection)
            with self._guard():
                connection.savepoint(f"_cf_savepoint_{len(self.kv.layers)}")
        if explicit:
            self.transactions += 1
        self.kv.push()

    def commit_transaction(self, *, explicit: bool) -> None:
        """Keep what the innermost transaction did."""
        if not self.kv.layers:
            return  # the object was reset during the transaction, which has undone everything
        self.kv.pop()
        connection = self._connection
        sql = connection is not None and connection.in_transaction
        if connection is not None and sql:
            with self._guard():
                connection.release(f"_cf_savepoint_{len(self.kv.layers)}")
        if explicit:
            self.transactions -= 1
            if not self.transactions and (self.kv.undo or sql):
                self.touch()
                self._ends_transaction = True

    def rollback_transaction(self, *, explicit: bool) -> None:
        """Undo what the innermost transaction did."""
        if not self.kv.layers:
            return  # the object was reset during the transaction, which has undone everything
        self.kv.pop_and_undo()
        connection = self._connection
        sql = connection is not None and connection.in_transaction
        with self._guard():
            if connection is not None and sql:
                name = f"_cf_savepoint_{len(self.kv.layers)}"
                connection.rollback_to(name)
                connection.release(name)
            if explicit:
                self.transactions -= 1
                if not self.transactions and sql and not self.dirty and connection is not None:
                    connection.rollback()  # nothing was written before it

    def check_read(self) -> None:
        """Raise PlatformError if rows of RETURNING are unread, as then nothing can be committed."""
        if self._connection is not None and self._connection.has_unread:
            raise PlatformError(UNREAD)

    def changes(self) -> Changes:
        """Return what the next commit will write."""
        kv = self.kv
        rows = [(k, None if v is MISSING else serialize(v)) for k, v in kv.changes()]
        return Changes(rows, _alarm(kv.alarm_ms) if ALARM in kv.undo else None)

    def committed_changes(self, log: dict[str, Any]) -> Changes:
        """Return what was committed last of the rows, and the alarm, that an undo log names."""
        was, now = self.kv.uncommitted(), self.kv.rows
        rows: list[tuple[str, bytes | None]] = []
        for key in log:
            if key is not ALARM:
                value = was[key] if key in was else now.get(key, MISSING)
                gone = value is MISSING or value is DELETED
                rows.append((key, None if gone else serialize(value)))
        alarm = _alarm(was.get(ALARM, self.kv.alarm_ms)) if ALARM in log else None
        return Changes(rows, alarm)

    def take_back(self, log: dict[str, Any]) -> None:
        """Undo what has been committed, and what has not, by the log of what that replaced."""
        self.wiped = False
        self.discard()
        self.kv.undo = log
        self.kv.undo_all()

    def commit(self, changes: Changes | None = None) -> dict[str, Any]:
        """Write everything collected into the database file; returns the undo log.

        Args:
            changes: What `changes()` has returned, to save working it out again.

        Raises:
            SqliteError: If the file refuses.
            PlatformError: If rows that RETURNING gave have not been read, or a statement has
                rolled back the whole transaction.
        """
        connection = self._connection
        if self._rolled_back:
            raise PlatformError(ROLLED_BACK)
        if connection is not None and connection.undone:
            raise PlatformError(UNDONE)
        if self.folder is not None and self.kv.undo:
            connection = self.connection()
            if not connection.in_transaction:
                connection.begin()
            if self.kv.has_engine_table("_cf_KV"):  # also when what was put has been deleted
                connection.execute(schema.CREATE_KV)
            write_rows(connection, changes or self.changes())
        if connection is not None and connection.in_transaction:
            self.check_read()
            try:
                connection.commit()
            except SqliteError as error:
                error.ends_transaction = self._ends_transaction  # type: ignore[attr-defined]
                raise
        return self.committed()

    def committed(self) -> dict[str, Any]:
        """Note that the changes are safe; returns the undo log."""
        self.dirty = self.wiped = self.marked = self._ends_transaction = False
        self.turn = None
        return self.kv.committed()

    def discard(self, *, event: bool = False) -> None:
        """Undo everything that has not been committed, but for `delete_all`.

        Args:
            event: Only what the running event has written; what earlier ones wrote is committed.
        """
        if event and (self.marked or self.kv.turn is not None):
            self._discard_event()
            return
        self.dirty = self.marked = self._rolled_back = self._ends_transaction = False
        self.turn = None
        self.transactions = 0
        self.kv.undo_all()
        connection = self._connection
        if connection is not None:
            try:
                connection.cancel_readers()  # an exception's traceback may keep a cursor open
                connection.rollback()
                connection.reset_counters()
            except STORAGE_ERRORS:  # closing undoes the same, even if the disk fails
                self._connection = None
                with contextlib.suppress(*STORAGE_ERRORS):
                    connection.close()
        if self.wiped:
            self.touch()
            self.delete_all()
            if self.kv.alarm_ms is not None:
                self.kv.set_alarm(None)

    def _discard_event(self) -> None:
        connection, turn = self._connection, self.turn
        marked, self.marked = self.marked, True
        if marked:  # this event has written nothing
            self.kv.turn = turn = None
        wiped = not marked and self.wiped and not self._was_wiped
        self.transactions = 0
        self.kv.undo_turn()
        if connection is not None:
            try:
                connection.cancel_readers()
                connection.unread.clear()
                if turn is not None:
                    turn.undo(connection)
                connection.reset_counters()
            except STORAGE_ERRORS:
                self.discard()
                return
        if wiped:
            self.touch()
            self.delete_all()
            if self.kv.alarm_ms is not None:
                self.kv.set_alarm(None)
            self.marked = True

    # ------------------------------------------------------------------ the database

    def connection(self) -> Connection:
        """Return the object's database, opening it when needed.

        Raises:
            PlatformError: If the disk refuses; the object's rows stay where they are.
        """
        connection = self._connection
        if connection is not None:
            return connection
        lost = self._committer.catch_up()  # the file must not be ahead of other objects
        if lost is None:
            try:
                connection = self._opened()
            except STORAGE_ERRORS as error:
                lost = error
        if lost is not None:
            raise self._refused("be opened", lost)
        assert connection is not None
        self._connection = connection
        connection.source = self._committer.source
        connection.on_lost = self._lost
        if self._on_open is not None:
            self._on_open(self)
        return connection

    def _opened(self) -> Connection:
        if self.image is not None:
            connection = from_image(self.image)
            self.image = None
            return connection
        path = self.path
        if path is not None and self.folder is not None and not files.exists(path):
            files.make_folder(self.folder, durable=self._power_safe)
        connection = Connection(path, blank=blank_database(), power_safe=self._power_safe)
        try:
            if self._backlog is not None:
                self._backlog.write_with(connection, self.place)
        except BaseException:  # a database that lacks the waiting rows must never be used
            with contextlib.suppress(*STORAGE_ERRORS):
                connection.close()
            raise
        return connection

    def _lost(self, error: BaseException) -> None:
        if is_critical(error):
            self._committer.lost(self, error)
        elif is_constraint(error):  # OR ROLLBACK: the code may catch the error and continue
            self._rolled_back = True

    @property
    def in_sql_transaction(self) -> bool:
        """Whether SQL has written something that is not committed."""
        return self._connection is not None and self._connection.in_transaction

    @property
    def is_open(self) -> bool:
        """Whether the object holds an open database."""
        return self._connection is not None

    def sync(self) -> None:
        """Wait until the disk has all commits."""
        if self._connection is not None:
            self._connection.sync()

    def seal(self) -> None:
        """Make the file the object's only record, before it is changed as a whole.

        Raises:
            Exception: What the disk has refused with.
        """
        self._committer.seal(self)

    def checkpoint(self) -> None:
        """Write the database's log back into its file, and wait for the disk.

        Raises:
            SqliteError: If the disk refuses.
        """
        if self._connection is not None:
            self._connection.checkpoint()

    def close(self) -> None:
        """Close the database; it is opened again when needed. Rows in memory stay as they are.

        Raises:
            SqliteError: If the disk refuses; it is closed then too, see `Connection.close`.
        """
        connection = self._connection
        if connection is not None:
            if self.folder is None:
                self.image = image_of(connection) if size_of(connection) else None
            self._connection = None
            connection.close()

    def forget(self) -> None:
        """Close the database for good, also one in memory."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def read_row(self, key: str) -> bytes | None:
        """Return the stored bytes of a row, or None."""
        connection = self.connection()
        with self._guard():
            if self._is_bare(connection):
                return None
            row = connection.execute(schema.GET, (key,)).fetchone()
            if row is None:
                return None
            ((_, value),) = typed_rows(connection, [(key, row[0])])
            return value

    def read_rows(
        self, start: str, end: str | None, *, reverse: bool
    ) -> Iterator[tuple[str, bytes]]:
        """Yield the stored rows with start <= key < end, in key order."""
        bindings = (start,) if end is None else (start, end)
        connection = self.connection()
        with self._guard():
            if not self._is_bare(connection):
                found = connection.execute(schema.range_query(end, reverse=reverse), bindings)
                yield from typed_rows(connection, found)

    def _is_bare(self, connection: Connection) -> bool:
        """Return whether everything was deleted in this turn, the table of rows included."""
        return self.wiped and not has_table(connection, "_cf_KV")

    def _load(self, folder: Path) -> None:
        file = f"{folder}/{self.place[1]}.sqlite"  # a Path would be interned for good, id and all
        with reading(file):
            if size := files.size_of_file(file):
                self.was_new = False
                if size > WHOLE_LOAD_BYTES:
                    connection = self.connection()
                    engine_tables(connection)
                    connection.execute(schema.CREATE_KV)
                    self.kv.alarm_ms = read_alarm(connection)
                    self.kv.source = self
                    return
                if self._backlog is None:
                    load_rows(self.connection(), self.kv)
                else:  # rows and alarm go through the journal, so the file need not stay open
                    load_file(file, self.kv, power_safe=self._power_safe)
        pending = None if self._backlog is None else self._backlog.get(self.place)
        if pending is not None:
            self.was_new = False
            load_changes(pending.changes(), self.kv)


def _alarm(at_ms: int | None) -> tuple[int | None]:
    return (None if at_ms is None else at_ms * schema.NS_PER_MS,)
