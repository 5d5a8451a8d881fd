"""The history of a state directory's objects: one database of dobook's own, `.dobook/history.sqlite`.

What an object is about to commit is written here first, one transaction a tick, without waiting
for the disk. So after a killed process history knows at least as much as the objects' files, and
since it holds old values, not differences, knowing more does no harm. A loss of power may take
or tear any of it: then the file is deleted unread and history begins anew (the journal knows in
which boot of the machine it was used), and so does the history of an object whose file another
program has changed.
"""

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from dobook.codec import serialize
from dobook.errors import StateDirectoryError
from dobook.storage import files
from dobook.storage.blank import blank_database
from dobook.storage.connection import STORAGE_ERRORS, Connection, SqliteError, error_text
from dobook.storage.entries import decode, encode_nameless
from dobook.storage.history.pages import Pages
from dobook.storage.history.points import Point
from dobook.storage.kv import ALARM, DELETED, MISSING, Encoded
from dobook.storage.migrations import migrate, statements

_MIGRATIONS = (
    statements(
        "CREATE TABLE IF NOT EXISTS objects (object INTEGER PRIMARY KEY, unique_key TEXT, id TEXT, "
        "pending INTEGER, file TEXT, UNIQUE (unique_key, id))",
        "CREATE TABLE IF NOT EXISTS points (object INTEGER, number INTEGER, at_ms INTEGER, "
        "pinned INTEGER, PRIMARY KEY (object, number)) WITHOUT ROWID",
        # replaced: an entry as in the journal; of two with the same key the older one (by part) counts
        "CREATE TABLE IF NOT EXISTS undo (object INTEGER, part INTEGER, number INTEGER, "
        "replaced BLOB, PRIMARY KEY (object, part))",
        # serial: which of the object's copies; a page is as the copy of the same or a lower serial has
        "CREATE TABLE IF NOT EXISTS images (object INTEGER, number INTEGER, serial INTEGER, "
        "pages INTEGER, PRIMARY KEY (object, number)) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS pages (object INTEGER, page INTEGER, serial INTEGER, data BLOB, "
        "PRIMARY KEY (object, page, serial))",
    ),
)
_PER_OBJECT = ("points", "undo", "images", "pages")
_ALARM_KEY = 0  # a number, which no row's key is
FEW: Final = 8  # keys, which are looked through as fast as a dict and take less memory
_ADD_UNDO = "INSERT OR REPLACE INTO undo VALUES (?, ?, ?, ?)"


class HistoryFile:
    """The database that holds the history of all objects of a state directory.

    Args:
        path: The file. What it knows must be as new as the objects' files: after a power cut it
            has to be deleted before.

    Raises:
        StateDirectoryError: If it cannot be opened.
        SqliteError: If it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = Connection(path, blank=blank_database(), power_safe=False)
        try:
            migrate(self._db, path, _MIGRATIONS)
            found = self._db.execute(
                "SELECT unique_key, id, pending FROM objects WHERE pending IS NOT NULL"
            ).fetchall()
        except BaseException:
            with contextlib.suppress(SqliteError):
                self._db.close()
            raise
        self.pending: dict[tuple[str, str], int] = {
            (unique_key, identity): number for unique_key, identity, number in found
        }
        self._queue: dict[str, list[tuple[Any, ...]]] = {}
        self._logs: list[FileLog] = []

    def log(self, unique_key: str, identity: str, folder: Path) -> "FileLog":
        """Return the log of an object, whose file is in `folder`; nothing is read before use."""
        return FileLog(self, unique_key, identity, folder)

    def flush(self) -> None:
        """Write what was added.

        Raises:
            StateDirectoryError: If the file refuses; what was added stays waiting.
        """
        if not self._queue:
            return
        with self._transaction():
            for sql, rows in self._queue.items():
                self._db.executemany(sql, rows)
        self._queue.clear()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what is done inside, or undo it and say what the disk has refused."""
        try:
            with self._db.transaction():
                yield
        except (SqliteError, MemoryError) as error:
            raise StateDirectoryError(
                f"the history at {self._db.path} cannot be written ({error_text(error)})."
            ) from error

    def delete_class(self, unique_key: str) -> None:
        """Delete the history of a class's objects."""
        self.flush()
        self._logs = [log for log in self._logs if log.unique_key != unique_key]
        self.pending = {k: number for k, number in self.pending.items() if k[0] != unique_key}
        of_class = "SELECT object FROM objects WHERE unique_key = ?"
        with self._transaction():
            for table in (*_PER_OBJECT, "objects"):
                self._db.execute(f"DELETE FROM {table} WHERE object IN ({of_class})", (unique_key,))

    def close(self, *, durable: bool = False) -> None:
        """Write what is left, and what the objects' files look like now.

        A history that cannot be written is deleted and begins anew the next time; objects lose
        nothing.

        Args:
            durable: Whether to wait for the disk, after which the directory counts as closed.
        """
        if self._db.closed:
            return
        try:
            for log in self._logs:
                log.seal()
            self.flush()
        except StateDirectoryError:
            self._queue.clear()
        try:
            self._db.close()
            if durable:
                files.sync_file(self._path)
                files.sync_folder(self._path.parent)
        except STORAGE_ERRORS:
            with contextlib.suppress(OSError):
                files.remove_database(self._path)

    # ------------------------------------------------------------------ for the logs

    def opened(self, log: "FileLog") -> int:
        """Return the number of an object's log, which is used from now on."""
        self.flush()
        self._logs.append(log)
        with self._transaction():
            row = self._db.execute(
                "SELECT object, file FROM objects WHERE unique_key = ? AND id = ?",
                (log.unique_key, log.id),
            ).fetchone()
            if row is None:
                cursor = self._db.execute(
                    "INSERT INTO objects (unique_key, id) VALUES (?, ?)", (log.unique_key, log.id)
                )
                return int(cursor.lastrowid or 0)
            number = int(row[0])
            if row[1] is not None:
                if row[1] != file_state(log.path):
                    for table in _PER_OBJECT:
                        self._db.execute(f"DELETE FROM {table} WHERE object = ?", (number,))
                self._db.execute("UPDATE objects SET file = NULL WHERE object = ?", (number,))
            return number

    def later(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Queue rows for the next `flush`."""
        self._queue.setdefault(sql, []).extend(rows)

    def now(self, sql: str, *rows: tuple[Any, ...]) -> None:
        """Write rows after everything that waits."""
        self.later(sql, list(rows))
        self.flush()

    def read(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        """Return the rows of a query.

        Raises:
            StateDirectoryError: If the disk refuses.
        """
        self.flush()
        try:
            return self._db.execute(sql, values).fetchall()
        except (SqliteError, MemoryError) as error:
            raise StateDirectoryError(
                f"the history at {self._db.path} cannot be read ({error_text(error)})."
            ) from error


class FileLog:
    """The points of one object on disk."""

    __slots__ = ("_file", "_images", "_object", "_part", "folder", "id", "unique_key")

    def __init__(self, file: HistoryFile, unique_key: str, identity: str, folder: Path) -> None:
        self._file = file
        self.unique_key = unique_key
        self.id = identity
        self.folder = folder
        self._object: int | None = None
        self._part: int | None = None
        self._images: Pages | None = None

    @property
    def path(self) -> Path:
        """The object's own file."""
        return self.folder / f"{self.id}.sqlite"

    @property
    def _key(self) -> int:
        if self._object is None:
            self._object = self._file.opened(self)
        return self._object

    def seal(self) -> None:
        """Note what the object's file looks like, to find out whether somebody changes it."""
        self._file.later(
            "UPDATE objects SET file = ? WHERE object = ?", [(file_state(self.path), self._key)]
        )

    def points(self) -> list[Point]:
        """Return the points, oldest first."""
        rows = self._file.read(
            "SELECT number, at_ms, pinned FROM points WHERE object = ? ORDER BY number",
            (self._key,),
        )
        return [Point(number, at_ms, bool(pinned)) for number, at_ms, pinned in rows]

    def append(self, point: Point) -> None:
        """Add a point after the others."""
        self._file.later("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?)", [(self._key, *point)])

    change = append

    def pin(self, number: int) -> None:
        """Keep a point when others are joined."""
        self._file.now(
            "UPDATE points SET pinned = 1 WHERE object = ? AND number = ?", (self._key, number)
        )

    def replaced(self, number: int, values: dict[str, Any]) -> Collection[str]:
        """Add values that the point has replaced; returns their keys."""
        if values:
            key = self._key
            if self._part is None:
                ((last,),) = self._file.read(
                    "SELECT coalesce(max(part), 0) FROM undo WHERE object = ?", (key,)
                )
                self._part = last
            self._part += 1
            self._file.later(_ADD_UNDO, [(key, self._part, number, _encoded(values))])
        return tuple(values) if len(values) <= FEW else dict.fromkeys(values)

    def undo(self, number: int) -> dict[str, Any]:
        """Return the values that the points after `number` have replaced, the oldest of each."""
        rows = self._file.read(
            "SELECT replaced FROM undo WHERE object = ? AND number > ? ORDER BY part DESC",
            (self._key, number),
        )
        merged: dict[str, Any] = {}
        for (data,) in rows:
            merged.update(_decoded(data))
        return merged

    def add_image(self, number: int, image: bytes) -> None:
        """Keep the SQL database as it is at a point."""
        self._pages().add(number, image)

    def image(self, number: int) -> bytes | None:
        """Return the SQL database at a point; None if it is what it was then."""
        return self._pages().at(number)

    def _pages(self) -> Pages:
        if self._images is None:
            self._images = Pages(self._file, self._key)
        return self._images

    def join(self, numbers: list[int]) -> None:
        """Forget points, making what they replaced part of the next one's."""
        key = self._key
        gone = set(numbers)
        nearer: dict[int, int] = {}  # the point before that stays
        further: dict[int, int] = {}  # the one after
        stays: int | None = None
        waiting: list[int] = []
        for number in (p.number for p in self.points()):
            if number not in gone:
                further.update(dict.fromkeys(waiting, number))
                stays, waiting = number, []
            elif stays is not None:
                nearer[number] = stays
                waiting.append(number)
        joined = [number for number in nearer if number in further]
        parts = self._file.read("SELECT part, number FROM undo WHERE object = ?", (key,))
        later = self._file.later
        later(
            "UPDATE undo SET number = ? WHERE object = ? AND part = ?",
            [(further[number], key, part) for part, number in parts if number in further],
        )
        # The point before may depend on the copy.
        later(
            "UPDATE OR IGNORE images SET number = ? WHERE object = ? AND number = ?",
            [(nearer[number], key, number) for number in joined],
        )
        for table in ("images", "points"):
            later(
                f"DELETE FROM {table} WHERE object = ? AND number = ?",
                [(key, number) for number in joined],
            )
        self._merge_undo()
        self._pages().drop()

    def _merge_undo(self) -> None:
        for number, first, last in self._file.read(
            "SELECT number, min(part), max(part) FROM undo WHERE object = ? GROUP BY number "
            "HAVING count(*) > 1",
            (self._key,),
        ):
            merged: dict[str, Any] = {}
            for (data,) in self._file.read(
                "SELECT replaced FROM undo WHERE object = ? AND part BETWEEN ? AND ? "
                "ORDER BY part DESC",
                (self._key, first, last),
            ):
                merged.update(_decoded(data))
            self._file.now(
                "DELETE FROM undo WHERE object = ? AND part BETWEEN ? AND ?",
                (self._key, first, last),
            )
            self._file.now(_ADD_UNDO, (self._key, first, number, _encoded(merged)))

    def cut(self, number: int) -> None:
        """Forget everything before a point."""
        key = self._key
        self._file.flush()
        for table, until in (("points", "<"), ("undo", "<="), ("images", "<")):
            self._file.later(
                f"DELETE FROM {table} WHERE object = ? AND number {until} ?", [(key, number)]
            )
        self._file.flush()
        self._pages().drop()

    def size(self) -> int:
        """Return about how many bytes are kept."""
        ((undo, pages),) = self._file.read(
            "SELECT (SELECT coalesce(sum(length(replaced) + 32), 0) "
            "FROM undo WHERE object = ?), "
            "(SELECT coalesce(sum(length(data)), 0) FROM pages WHERE object = ?)",
            (self._key, self._key),
        )
        return int(undo) + int(pages)

    def set_pending(self, number: int | None) -> None:
        """Remember, or forget, which point the next session begins from."""
        self._file.now("UPDATE objects SET pending = ? WHERE object = ?", (number, self._key))
        if number is None:
            self._file.pending.pop((self.unique_key, self.id), None)
        else:
            self._file.pending[self.unique_key, self.id] = number

    def flush(self) -> None:
        """Write what was added."""
        self._file.flush()


def file_state(path: Path) -> str:
    """Return what changes about a file when somebody writes to it."""
    try:
        stat = path.stat()
    except OSError:
        return "none"
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _encoded(values: dict[str, Any]) -> bytes:
    rows = [(key, _bytes(value)) for key, value in values.items() if key is not ALARM]
    alarm = (values[ALARM],) if len(rows) < len(values) else None
    return encode_nameless(rows, alarm)


def _decoded(data: bytes) -> dict[str, Any]:
    (entry,) = decode(data)
    values: dict[str, Any] = {
        key: MISSING if value is None else Encoded(value) for key, value in entry.rows
    }
    if entry.alarm is not None:
        values[ALARM] = entry.alarm[0]
    return values


def _bytes(value: object) -> bytes | None:
    if value is MISSING or value is DELETED:
        return None
    return value if type(value) is Encoded else serialize(value)
