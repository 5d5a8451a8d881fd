"""One object's SQLite database: open, pragmas, transactions, sync, close.

Owns every contact with the `sqlite3` module; the other storage files work through this one and
through the names it exports. Never decides when to write or what a row means, and never applies
the user's SQL rules (`sql.session` does, through `set_authorizer`).

Files are laid out as the real engine lays them out: WAL journal, pages of 4,096 bytes, foreign
keys enforced.

Who waits for the disk, and when. A commit does not (`synchronous=OFF`): `sync` does, so that several
commits may share one wait, and on another thread. What `sync` waits for the first time is the
database file, then the folder that has its name and the name of the write-ahead log, then the log;
afterwards the log alone. Writing the log back into the database file is left to SQLite itself with
`synchronous=NORMAL`: it syncs the log, writes the pages, syncs the file and only then empties the
log. In any other order a power cut could leave a file that is torn and no log to mend it.

Source: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous,
cloudflare/workerd src/workerd/util/sqlite.c++ (`setupSecurity`)
"""

import contextlib
import os
import sqlite3
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from dobook import limits
from dobook.errors import StateDirectoryError
from dobook.storage import files
from dobook.storage.blank import MEMORY, PAGE_BYTES, begin_file
from dobook.storage.foreign_files import check_database_files
from dobook.storage.sqlite_errors import OPEN_REASONS, malformed, primary_code
from dobook.storage.sqlite_errors import STORAGE_ERRORS as STORAGE_ERRORS
from dobook.storage.sqlite_errors import SqliteError as SqliteError  # for those who use both
from dobook.storage.sqlite_errors import error_text as error_text
from dobook.storage.sqlite_errors import is_constraint as is_constraint
from dobook.storage.sqlite_errors import is_critical as is_critical
from dobook.storage.sqlite_errors import is_damage as is_damage
from dobook.storage.stopping import Stopper

SqliteCursor = sqlite3.Cursor
LIMIT_FUNCTION_ARG: Final = sqlite3.SQLITE_LIMIT_FUNCTION_ARG
SQLITE_VERSION: Final = sqlite3.sqlite_version_info
CACHED_STATEMENTS: Final = 512
COMMITS_BETWEEN_LOOKS: Final = 256
MAX_WAL_BYTES: Final = 8 * 1024 * 1024
BUSY_TIMEOUT_S: Final = 1.0  # another program may hold the file for the length of one commit

# What the real engine sets with sqlite3_limit(), hosted or not. The hosted service's further
# limits are applied by `sql`. cloudflare/workerd src/workerd/util/sqlite.c++, setupSecurity.
ENGINE_LIMITS: Final = (
    (sqlite3.SQLITE_LIMIT_LENGTH, 4 * 1024 * 1024),
    (sqlite3.SQLITE_LIMIT_SQL_LENGTH, limits.MAX_SQL_STATEMENT_BYTES),
    (sqlite3.SQLITE_LIMIT_COLUMN, limits.MAX_SQL_COLUMNS),
    (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100),
    (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 5),
    (sqlite3.SQLITE_LIMIT_VDBE_OP, 25_000),
    (sqlite3.SQLITE_LIMIT_FUNCTION_ARG, 127),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, limits.MAX_SQL_LIKE_PATTERN_BYTES),
    (sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, limits.MAX_SQL_BINDINGS),
    (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 10),
    (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
)


class Connection:
    """The database of one object.

    `execute` runs the engine's own statements: the user's rules do not apply to them. Everything
    but `sync` belongs to one thread at a time.

    Example:
        >>> connection = Connection(None)
        >>> connection.begin()
        >>> _ = connection.execute("CREATE TABLE t(x)")
        >>> connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
        >>> connection.commit()
        >>> connection.execute("SELECT sum(x) FROM t").fetchone()
        (3,)
        >>> connection.close()
    """

    db: sqlite3.Connection

    def __init__(
        self,
        path: Path | None,
        *,
        blank: bytes | None = None,
        power_safe: bool = True,
        limited: bool = True,
    ) -> None:
        """Open the database, creating the file if it is missing.

        Args:
            path: The file; None for a database in memory. The directory must exist.
            blank: What a new file begins with (see `blank_database`); None for an empty one.
            power_safe: Whether the file is to survive a loss of power, once `sync` has returned;
                otherwise the disk is never waited for, which survives a killed process.
            limited: Whether the engine's limits hold, as they do for objects' databases.

        Raises:
            StateDirectoryError: If the file is foreign, damaged, locked, read-only, or the disk
                is full. The cause is the error of SQLite.
        """
        self.path = path
        self.plans: dict[Any, Any] = {}  # of `sql`: emptied whenever the schema may have changed
        self.idle: list[sqlite3.Cursor] = []  # of `sql`: cursors read to the end
        self.unread: list[Any] = []  # of `sql`: cursors of RETURNING, which forbid the commit
        self.on_lost: Callable[[Exception], None] | None = None
        """Called when SQLite ended the transaction on its own: all its writes are undone."""
        self.rules: Any = None  # of `sql`: what holds for the user's statements
        self.source: Any = None  # of `sql`: whose time and chance they see; None for the real ones
        self._cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()
        self._owned: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()
        self.stopper = Stopper()
        self.closed = False
        self._limited = limited
        self._sync_lock = threading.RLock()  # reentrant, in case an exception prevents its release
        self._fds: list[int] = []  # of the log and the file, for `sync`
        self._power_safe = power_safe and path is not None
        self._synced_once = False
        self._begun = False  # a transaction was begun here, and neither committed nor undone here
        self._commits = 0
        self.doubtful = False
        """Whether the disk has refused a sync: what it has is unknown until a checkpoint works."""
        self._new = False
        place = MEMORY if path is None else str(path.absolute())
        if path is not None:
            _close_left_over(place)
        try:
            if path is not None:
                check_database_files(path)
                self._new = begin_file(path, blank, durable=self._power_safe)
        except OSError as error:
            raise StateDirectoryError(f"{path} cannot be opened ({error}).") from error
        try:
            self._connect(place)
        except sqlite3.Error as error:
            raise unusable(path, error) from error
        except UnicodeDecodeError:  # of SQLite's message, which quotes the file
            damaged = malformed()
            raise unusable(path, damaged) from damaged

    def _connect(self, place: str) -> None:
        try:
            if self.path is not None:
                _not_closed[place] = self  # first, so that an interrupt leaves nothing open
            self.db = sqlite3.connect(
                place,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=CACHED_STATEMENTS,
            )
            self._prepare()
            self._control = self.cursor()
            if self._power_safe and files.size_of_file(f"{place}-wal"):
                self.checkpoint()  # a process may have been killed before it could sync this log
        except BaseException:
            self._let_go()
            raise

    def _prepare(self) -> None:
        db = self.db
        self.stopper.watch(db)
        if self.path is not None:
            # The directory is locked, so nobody else needs the shared index of the journal.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute(f"PRAGMA page_size={PAGE_BYTES}")
            # SQLite itself never waits for the disk: `sync` and `checkpoint` do, where they must.
            db.execute("PRAGMA synchronous=OFF")
            db.execute("PRAGMA journal_mode=WAL")
            if self._power_safe:
                db.execute("PRAGMA wal_autocheckpoint=0")
        # Builds of SQLite differ in these defaults; the real engine's are:
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("PRAGMA recursive_triggers=OFF")
        db.execute("PRAGMA secure_delete=OFF")
        if self.path is not None and not self._new:
            # Finds out now what would otherwise fail the object's first write: a damaged schema,
            # a lock, a file or disk that cannot be written.
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
        for limit in ENGINE_LIMITS if self._limited else ():
            db.setlimit(*limit)
        if sys.version_info >= (3, 12):
            db.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)  # noqa: FBT003

    def execute(self, sql: str, params: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one of the engine's own statements, on a cursor of its own."""
        return self.cursor().execute(sql, params)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one of the engine's own statements for each row of bindings."""
        self.db.executemany(sql, rows)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.db.in_transaction

    def begin(self) -> None:
        """Open a transaction for writing."""
        self._control.execute("BEGIN IMMEDIATE")
        self._begun = True

    @property
    def undone(self) -> bool:
        """Whether SQLite has undone the whole transaction of its own accord.

        It does when the disk or memory refuses, also where a statement that only reads has failed.
        """
        return self._begun and not self.closed and not self.db.in_transaction

    def commit(self) -> None:
        """Commit; the rows are in the file, but the disk may not have them: see `sync`.

        Raises:
            sqlite3.IntegrityError: If a deferred foreign key is violated; the transaction stays
                open.
        """
        self._begun = False
        self._control.execute("COMMIT")
        if self._power_safe:
            self._commits += 1
            if self._commits % COMMITS_BETWEEN_LOOKS == 0:
                self._bound_log()

    def _bound_log(self) -> None:
        """Empty a log that has grown long; if the disk refuses, the log keeps growing."""
        if files.size_of_file(f"{self.path}-wal") > MAX_WAL_BYTES:
            with contextlib.suppress(*STORAGE_ERRORS):
                self.checkpoint()

    def checkpoint(self) -> None:
        """Write the log back into the file and empty it, so that neither can be lost or torn.

        Raises:
            SqliteError: If the disk refuses; then the log has everything still.
            StateDirectoryError: If the file is `doubtful`, and stays so because it is being read.
        """
        if self.path is None:
            return
        if not self._power_safe:
            self._control.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return
        before, self.doubtful = self.doubtful, True
        self._control.execute("PRAGMA synchronous=NORMAL")
        try:
            busy, _, _ = self._control.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._control.execute("PRAGMA synchronous=OFF")
        self.doubtful = bool(busy) and before
        if self.doubtful:
            raise StateDirectoryError(f"{self.path} cannot be written back while it is being read.")

    @property
    def has_unread(self) -> bool:
        """Whether what RETURNING gave was not read to its end, so that nothing can be committed.

        The real engine's SQLite refuses then, as the statement is still running. Here it has ended.
        """
        if self.unread:
            self.unread = [cursor for cursor in self.unread if cursor.unfinished]
        return bool(self.unread)

    def rollback(self) -> None:
        """Undo the transaction; nothing happens when SQLite has done so already."""
        self.unread.clear()
        self.plans.clear()
        self._begun = False
        if self.db.in_transaction:
            self._control.execute("ROLLBACK")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is written inside; undo it if that, or the commit, raises."""
        try:
            self.begin()
            yield
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def savepoint(self, name: str) -> None:
        """Open a savepoint. The name must be one of the engine's own, not a user's text."""
        self._control.execute(f"SAVEPOINT {name}")

    def release(self, name: str) -> None:
        """Make what happened since the savepoint part of the transaction around it."""
        self._control.execute(f"RELEASE {name}")

    def rollback_to(self, name: str) -> None:
        """Undo what happened since the savepoint, which stays open."""
        self.plans.clear()
        self._control.execute(f"ROLLBACK TO {name}")

    def cursor(self) -> sqlite3.Cursor:
        """Return a cursor that `close` closes, even if it is still in use then."""
        cursor = self.db.cursor()
        self._owned.add(cursor)
        return cursor

    def reader(self) -> sqlite3.Cursor:
        """Return a cursor that `cancel_readers` will close; put it into `idle` after use."""
        if self.idle:
            return self.idle.pop()
        cursor = self.db.cursor()
        self._cursors.add(cursor)
        return cursor

    def cancel_readers(self) -> None:
        """Close the user's cursors, which else keep tables from being dropped."""
        if self.rules is not None:
            self.rules.on = False  # an exception in the user's statement may have left it on
        self.idle.clear()
        self.plans.clear()
        for cursor in list(self._cursors):
            cursor.close()
        self._cursors.clear()

    def drop_sequences(self) -> None:
        """Drop `sqlite_sequence`, which SQLite keeps once there was an AUTOINCREMENT.

        It is renamed in the schema first, as SQLite refuses to drop it under its own name.
        """
        if sys.version_info >= (3, 12):
            self.db.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, False)  # noqa: FBT003
        try:
            self.execute("PRAGMA writable_schema=ON")
            self.execute(
                "UPDATE sqlite_master SET name='_cf_sequence', tbl_name='_cf_sequence', "
                "sql='CREATE TABLE _cf_sequence(name,seq)' WHERE name='sqlite_sequence'"
            )
        finally:
            self.execute("PRAGMA writable_schema=RESET")  # off, and the schema is read again
            if sys.version_info >= (3, 12):
                self.db.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)  # noqa: FBT003
        self.execute("DROP TABLE _cf_sequence")

    def reset_counters(self) -> None:
        """Reset `changes()` and `last_insert_rowid()` to 0, as in a database just opened.

        Only a row with that number sets the second one; deleting no row sets the first.
        """
        if self.rules is None:
            return  # nobody has run SQL
        self.rules.on = False
        self.execute("CREATE TEMP TABLE IF NOT EXISTS _cf_zero(n INTEGER PRIMARY KEY)")
        self.execute("INSERT OR REPLACE INTO temp._cf_zero VALUES (0)")
        self.execute("DELETE FROM temp._cf_zero WHERE n = 1")

    def set_authorizer(self, authorizer: Callable[..., int]) -> None:
        """Make SQLite ask `authorizer` about every statement, the engine's own included.

        Args:
            authorizer: Called as `sqlite3.Connection.set_authorizer` describes.
        """
        self.db.set_authorizer(authorizer)

    def sync(self) -> None:
        """Wait until everything committed so far survives a loss of power.

        Any thread may call it, also while the owner runs statements. In memory it does nothing.

        Raises:
            StateDirectoryError: If the disk refuses. From then on `doubtful` is set: a disk that
                has refused once may report success the next time without having the data, so
                nothing but a checkpoint, which writes it anew, is believed.
        """
        if not self._power_safe or self.path is None:
            return
        with self._sync_lock:
            if self.closed:
                return  # closing has synced
            try:
                if self.doubtful:
                    raise OSError("an earlier sync has failed")
                self._sync_now(self.path)
            except OSError as error:
                self.doubtful = True
                raise StateDirectoryError(f"{self.path} cannot be synced ({error}).") from error

    def _sync_now(self, path: Path) -> None:
        if self._synced_once:
            files.system.sync(self._fds[0])
        elif files.exists(f"{path}-wal"):  # otherwise nothing has been written yet
            # The descriptors stay open until the database is closed: closing one of the main file
            # would drop the locks that SQLite holds on it.
            # sqlite.org/howtocorrupt.html#_posix_advisory
            for place in (f"{path}-wal", str(path))[len(self._fds) :]:
                self._fds.append(files.system.open(place, os.O_RDWR))
            log, file = self._fds
            files.system.sync(file)
            files.system.sync_folder(str(path.parent))
            files.system.sync(log)
            self._synced_once = True

    def close(self) -> None:
        """Write the log back into the file and close. Closing twice does nothing.

        Raises:
            SqliteError: If the disk refuses. The database is closed then too, and its log has
                everything that was committed; whether the disk has that is unknown.
        """
        with self._sync_lock:
            self._close()

    def _close(self) -> None:
        if self.closed:
            return
        try:
            if self._is_connected():
                self._write_back()
        finally:
            self._let_go()

    def _is_connected(self) -> bool:
        try:
            self.db.total_changes  # noqa: B018 - raises if it is closed
        except (AttributeError, sqlite3.ProgrammingError):
            return False
        return True

    def _write_back(self) -> None:
        self.cancel_readers()
        for cursor in list(self._owned):
            cursor.close()
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
        if self._power_safe:  # for what SQLite does on its own when it closes, too
            self.db.execute("PRAGMA synchronous=NORMAL")
        if self.path is not None:
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _let_go(self) -> None:
        """Close everything; after an interruption this can be repeated."""
        if hasattr(self, "db"):
            # SQLite keeps a file open, and locked, as long as a cursor has a statement in it.
            for cursor in (*self._cursors, *self._owned):
                with contextlib.suppress(sqlite3.ProgrammingError):  # it was closed already
                    cursor.close()
            self.db.close()
        while self._fds:
            with contextlib.suppress(OSError):
                files.system.close(self._fds.pop())
        self.closed = True
        if self.path is not None:
            place = str(self.path.absolute())
            if _not_closed.get(place) is self:
                del _not_closed[place]


# All connections to files that are open in this process. An exception may come between any two lines:
# after a connection was opened and before somebody has it who will close it, or before it is closed.
# SQLite would keep its file locked until the process ends.
_not_closed: dict[str, Connection] = {}


def _close_left_over(place: str) -> None:
    """Close the connection to a file that an exception has left open.

    Each file has at most one connection, as each is exclusive.
    """
    left = _not_closed.get(place)
    if left is not None:
        with contextlib.suppress(*STORAGE_ERRORS):
            left._close()  # noqa: SLF001 - nobody syncs it, so without the lock


def close_all_below(folder: Path) -> None:
    """Close all connections to files in a folder, which nobody uses any more."""
    beginning = f"{folder.absolute()}{os.sep}"
    for place in list(_not_closed):
        if place.startswith(beginning):
            _close_left_over(place)


def unusable(path: Path | None, error: sqlite3.Error) -> StateDirectoryError:
    """Return what says that a file cannot be used, and why."""
    advice = (
        " It is left as it is: move it away to continue without it." if is_damage(error) else ""
    )
    return StateDirectoryError(what_is_wrong(path, error) + advice)


def what_is_wrong(path: Path | None, error: BaseException) -> str:
    """Return a sentence on why a database cannot be used.

    Args:
        path: Its file.
        error: SQLite's error, or one that `unusable` made of it.
    """
    cause = error if isinstance(error, sqlite3.Error) else error.__cause__
    if not isinstance(cause, sqlite3.Error):
        return str(error)
    reason = OPEN_REASONS.get(primary_code(cause) or 0, "cannot be opened")
    return f"{path} {reason} ({error_text(cause)})."
