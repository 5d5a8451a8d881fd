"""What a state directory knows beside the objects: their names, the clock, notes of deployments.

The facts lie in `.dobook/state.sqlite`, and once more in `.dobook/ledger` (see `ledger`). A new name
goes into the journal together with what its object writes, so it is as durable as that; the two
files get it at the next checkpoint.
"""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from dobook.errors import StateDirectoryError
from dobook.storage import files
from dobook.storage.blank import blank_database, is_half_made
from dobook.storage.connection import Connection, SqliteError, error_text, is_damage, what_is_wrong
from dobook.storage.entries import Entry
from dobook.storage.ledger import GONE, NAME, NOTE, Ledger, Line, read_ledger
from dobook.storage.migrations import migrate, statements
from dobook.storage.names import is_identity, is_segment

Place = tuple[str, str]

STATE_FILE: Final = "state.sqlite"
LEDGER_FILE: Final = "ledger"
OWN_META: Final = ("version", "clean", "session", "clock_ms")
CREATE_NAMES: Final = (
    "CREATE TABLE IF NOT EXISTS names (unique_key TEXT, id TEXT, name TEXT, "
    "PRIMARY KEY (unique_key, id)) WITHOUT ROWID"
)
_MIGRATIONS: Final = (statements(CREATE_NAMES),)


class OwnState:
    """dobook's own facts in a state directory.

    Args:
        own: The folder `.dobook`.
        power_safe: Whether to wait for the disk where it matters.

    Attributes:
        is_new: Whether there was neither a state file nor a ledger.

    Raises:
        StateDirectoryError: If the files cannot be read or written.
    """

    def __init__(self, own: Path, *, power_safe: bool) -> None:
        self._path = own / STATE_FILE
        self._power_safe = power_safe
        self._ledger = Ledger(own / LEDGER_FILE)
        self._unjournaled: dict[Place, str] = {}  # new names that the journal does not have
        self._unwritten: dict[Place, str] = {}  # new names that it has, and the files do not
        has_ledger = files.exists(own / LEDGER_FILE)
        had_file = files.size_of_file(self._path) > 0 and not is_half_made(self._path)
        self.is_new = not had_file and not has_ledger
        try:
            self._db = self._open()
        except (SqliteError, StateDirectoryError) as error:
            if not is_damage(error):
                raise
            aside = files.set_database_aside(self._path)
            warnings.warn(
                f"{what_is_wrong(self._path, error)} It is now {aside.name}; the names of objects are "
                f"made again from {LEDGER_FILE}.",
                stacklevel=6,
            )
            self._db = self._open()
            had_file = False
        try:
            if not had_file and has_ledger:
                self._rebuild(own / LEDGER_FILE)
            elif had_file and not has_ledger:
                self._ledger.append(self._all_lines())
            self._clock_ms = self.meta("clock_ms") or 0  # the time that is remembered
        except BaseException:
            with contextlib.suppress(SqliteError):
                self._db.close()
            with contextlib.suppress(OSError):
                self._ledger.close()
            raise

    def _open(self) -> Connection:
        db = Connection(self._path, blank=blank_database(), power_safe=self._power_safe)
        try:
            migrate(db, self._path, _MIGRATIONS)
        except BaseException:
            with contextlib.suppress(SqliteError):
                db.close()
            raise
        return db

    # ------------------------------------------------------------------ names

    def name(self, place: Place) -> str | None:
        """Return the name an object was first used under, None if it is not known."""
        name = self._unjournaled.get(place) or self._unwritten.get(place)
        if name is not None:
            return name
        rows = self._read("SELECT name FROM names WHERE unique_key = ? AND id = ?", *place)
        return rows[0][0] if rows else None

    def remember_name(self, place: Place, name: str) -> None:
        """Keep the name of an object, if it is not known."""
        known = None
        with contextlib.suppress(StateDirectoryError):  # kept once more, if that cannot be said
            known = self.name(place)
        if known is None:
            self._unjournaled[place] = name

    @property
    def has_new_names(self) -> bool:
        """Whether there are names for the next record of the journal."""
        return bool(self._unjournaled)

    def new_names(self) -> list[Entry]:
        """Return the names that the journal does not have yet, as entries of it."""
        return [Entry(*place, [], name=name) for place, name in self._unjournaled.items()]

    def journaled(self, entries: list[Entry]) -> None:
        """Note that the journal has the names that `new_names` returned."""
        for entry in entries:
            place = entry.unique_key, entry.id
            name = self._unjournaled.pop(place, None)
            if name is not None:
                self._unwritten[place] = name

    def recovered(self, place: Place, name: str) -> None:
        """Take in a name that the journal had."""
        if self.name(place) is None:
            self._unwritten[place] = name

    def delete_class(self, unique_key: str) -> None:
        """Forget the names of a class's objects.

        Raises:
            StateDirectoryError: If the file cannot be written.
        """
        for waiting in (self._unjournaled, self._unwritten):
            for place in [place for place in waiting if place[0] == unique_key]:
                del waiting[place]
        with self._writing():
            with self._db.transaction():
                self._db.execute("DELETE FROM names WHERE unique_key = ?", (unique_key,))
            self._ledger.append([(GONE, unique_key)])

    # ------------------------------------------------------------------ clock and notes

    def meta(self, key: str) -> Any:
        """Return one of dobook's own values, None if it was never set."""
        rows = self._read("SELECT value FROM meta WHERE key = ?", key)
        return rows[0][0] if rows else None

    def notes(self) -> dict[str, Any]:
        """Return the values that deployments keep, which are not dobook's own."""
        rows = self._read("SELECT key, value FROM meta")
        return {key: value for key, value in rows if key not in OWN_META}

    def set_meta(self, **values: Any) -> None:
        """Store some values, and wait for the disk to have those of deployments.

        Raises:
            StateDirectoryError: If the file cannot be written.
        """
        notes = [(NOTE, key, value) for key, value in values.items() if key not in OWN_META]
        with self._writing():
            with self._db.transaction():
                self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
            self._ledger.append(notes)
            if notes and self._power_safe:
                self._sync()

    def keep_clock(self, now_ms: int, *, step_ms: int) -> None:
        """Remember the time, if at least `step_ms` have passed since that was done last."""
        if now_ms - self._clock_ms >= step_ms:
            self._clock_ms = now_ms
            with contextlib.suppress(StateDirectoryError):  # the journal knows the time as well
                self.set_meta(clock_ms=now_ms)

    # ------------------------------------------------------------------ durability

    def flush(self) -> None:
        """Write the names that are new, and wait for the disk: a checkpoint needs both.

        Raises:
            StateDirectoryError: If the files cannot be written; the names stay waiting.
        """
        names = {**self._unwritten, **self._unjournaled}
        with self._writing():
            if names:
                with self._db.transaction():
                    self._db.executemany(
                        "INSERT OR REPLACE INTO names VALUES (?, ?, ?)",
                        [(*place, name) for place, name in names.items()],
                    )
                self._ledger.append([(NAME, *place, name) for place, name in names.items()])
            if self._power_safe:
                self._sync()
        self._unwritten.clear()
        self._unjournaled.clear()

    def _sync(self) -> None:
        if self._db.doubtful:
            self._db.checkpoint()
        else:
            self._db.sync()
        self._ledger.sync()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (SqliteError, OSError) as error:
            if isinstance(error, StateDirectoryError):
                raise
            text = error_text(error) if isinstance(error, SqliteError) else str(error)
            raise StateDirectoryError(
                f"{self._path} cannot be written ({text}). What it lacks stays in the journal."
            ) from error

    def _read(self, query: str, *values: str) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except SqliteError as error:
            raise StateDirectoryError(
                f"{self._path} cannot be read ({error_text(error)}). Try again when the disk works."
            ) from error

    def close(self) -> None:
        """Close the files.

        Raises:
            StateDirectoryError: If the disk refuses; they are closed all the same.
        """
        try:
            with self._writing():
                self._db.close()
        finally:
            with contextlib.suppress(OSError):
                self._ledger.close()

    # ------------------------------------------------------------------ the second copy

    def _all_lines(self) -> list[Line]:
        """Return what a ledger of an older dobook's directory would have."""
        names = self._read("SELECT unique_key, id, name FROM names")
        return [
            *((NAME, *row) for row in names),
            *((NOTE, key, value) for key, value in self.notes().items()),
        ]

    def _rebuild(self, ledger: Path) -> None:
        names: dict[Place, str] = {}
        notes: dict[str, Any] = {}
        for line in read_ledger(ledger):
            match line:
                case ("name", unique_key, identity, str(name)):
                    if is_segment(unique_key) and is_identity(identity):
                        names[unique_key, identity] = name
                case ("note", str(key), int() | float() | str() | None as value):
                    if key not in OWN_META:
                        notes[key] = value
                case ("gone", gone):
                    names = {place: name for place, name in names.items() if place[0] != gone}
        with self._writing(), self._db.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO names VALUES (?, ?, ?)",
                [(*place, name) for place, name in names.items()],
            )
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", notes.items())
