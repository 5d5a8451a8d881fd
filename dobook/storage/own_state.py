"""What a state directory knows beside the objects: their names, the clock, notes of deployments.

The facts lie in `.dobook/state.sqlite`, and once more in `.dobook/ledger` (see `ledger`). A new name
goes into the journal together with what its object writes, so it is as durable as that; the two
files get it at the next checkpoint.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from dobook.errors import StateDirectoryError
from dobook.ids import IdFactory
from dobook.storage import files
from dobook.storage.blank import blank_database, is_damage_of_own, is_half_made
from dobook.storage.connection import (
    STORAGE_ERRORS,
    Connection,
    SqliteError,
    error_text,
    what_is_wrong,
)
from dobook.storage.entries import Entry
from dobook.storage.facts import OWN_META, Place, is_name_of, read_facts, sum_of_notes
from dobook.storage.ledger import GONE, NAME, NOTE, Ledger, Line
from dobook.storage.migrations import migrate, statements

T = TypeVar("T")

STATE_FILE: Final = "state.sqlite"
LEDGER_FILE: Final = "ledger"
MAX_TIME_MS: Final = 8_640_000_000_000_000  # of a Date
MISSING: Final = object()
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
        self._ledger_path = own / LEDGER_FILE
        self._power_safe = power_safe
        self._ledger = Ledger(self._ledger_path)
        self._unjournaled: dict[Place, str] = {}  # new names that the journal does not have
        self._unwritten: dict[Place, str] = {}  # new names that it has, and the files do not
        self._anew = False  # the state file has been made again in this session
        self._compared = False  # with the ledger, in this session
        self._factories: dict[str, IdFactory] = {}
        has_ledger = self._ledger.size > 0
        had_file = files.size_of_file(self._path) > 0 and not is_half_made(self._path)
        self.is_new = not had_file and not has_ledger
        try:
            try:
                self._db = self._open()
            except (SqliteError, StateDirectoryError) as error:
                if not is_damage_of_own(self._path, error):
                    raise
                self._begin_anew(error)
            self._guarded(self._compare_if_needed)
            self._clock_ms = self.clock_ms  # the time that is remembered
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """Close what has been opened of a state that cannot be used."""
        database: Connection | None = getattr(self, "_db", None)
        if database is not None:
            with contextlib.suppress(SqliteError):
                database.close()
        with contextlib.suppress(OSError):
            self._ledger.close()

    def _open(self) -> Connection:
        db = Connection(self._path, blank=blank_database(), power_safe=self._power_safe)
        try:
            migrate(db, self._path, _MIGRATIONS)
        except BaseException:
            with contextlib.suppress(SqliteError):
                db.close()
            raise
        return db

    def _guarded(self, work: Callable[[], T]) -> T:
        """Do some work with the state file; if that is damaged, make it again and do it once more.

        Raises:
            SqliteError: If the file refuses for another reason.
        """
        try:
            return work()
        except SqliteError as error:
            if not is_damage_of_own(self._path, error):
                raise
            with contextlib.suppress(SqliteError):
                self._db.close()
            self._begin_anew(error)
            return work()

    def _begin_anew(self, error: Exception) -> None:
        """Set a damaged state file aside and make another from the ledger."""
        if self._anew:
            raise error
        self._anew = True
        aside = files.set_database_aside(self._path)
        then = f"the names of objects are made again from {LEDGER_FILE}"
        if not self._ledger.size:
            then = f"the names of objects are lost, as there is no {LEDGER_FILE}"
        warnings.warn(
            f"{what_is_wrong(self._path, error)} It is now {aside.name}; {then}.",
            stacklevel=6,
        )
        self._db = self._open()
        self._compare(quiet=True)

    # ------------------------------------------------------------------ names

    def name(self, place: Place) -> str | None:
        """Return the name an object was first used under, None if it is not known."""
        name = self._waiting_name(place)
        if name is not None:
            return name
        found = self._read(lambda: self._stored_name(place))
        if not self._compared and not is_name_of(self._factories, *place, found):
            self._read(self._compare)  # no name, or a wrong one: the ledger may know better
            found = self._read(lambda: self._stored_name(place))
        return found

    def _waiting_name(self, place: Place) -> str | None:
        name = self._unjournaled.get(place)
        return self._unwritten.get(place) if name is None else name

    def _stored_name(self, place: Place) -> str | None:
        row = self._db.execute(
            "SELECT name FROM names WHERE unique_key = ? AND id = ?", place
        ).fetchone()
        return row[0] if row is not None and isinstance(row[0], str) else None

    def _lacks(self, place: Place, name: str) -> bool:
        if self._waiting_name(place) is not None:
            return False
        try:
            return self._read(lambda: self._stored_name(place)) != name
        except StateDirectoryError:  # kept once more, if that cannot be said
            return True

    def remember_name(self, place: Place, name: str) -> None:
        """Keep the name of an object, if it is not known."""
        if self._lacks(place, name):
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
        if self._lacks(place, name):
            self._unwritten[place] = name

    def delete_class(self, unique_key: str) -> None:
        """Forget the names of a class's objects.

        Raises:
            StateDirectoryError: If the file cannot be written.
        """
        for waiting in (self._unjournaled, self._unwritten):
            for place in [place for place in waiting if place[0] == unique_key]:
                del waiting[place]

        def delete() -> None:
            self._db.execute("DELETE FROM names WHERE unique_key = ?", (unique_key,))

        self._write(delete, [(GONE, unique_key)])

    # ------------------------------------------------------------------ clock and notes

    def meta(self, key: str) -> Any:
        """Return one of dobook's own values, None if it was never set."""
        return self._read(lambda: self._stored_meta(key))

    def number(self, key: str) -> int | None:
        """Return one of dobook's own numbers, None if it was never set or makes no sense."""
        value = self.meta(key)
        return value if type(value) is int and 0 <= value <= MAX_TIME_MS else None

    @property
    def clock_ms(self) -> int:
        """The time that was kept, in ms since 1970; 0 if none was."""
        return self.number("clock_ms") or 0

    @property
    def closed(self) -> bool:
        """Whether the directory was closed properly, or never used."""
        return self.meta("clean") in (None, 1)

    def _stored_meta(self, key: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def notes(self) -> dict[str, Any]:
        """Return the values that deployments keep, which are not dobook's own."""
        return self._read(self._stored_notes)

    def _stored_notes(self) -> dict[str, Any]:
        rows = self._db.execute("SELECT key, value FROM meta").fetchall()
        return {key: value for key, value in rows if key not in OWN_META}

    def set_meta(self, **values: Any) -> None:
        """Store some values, and wait until those of deployments are on the disk.

        Raises:
            StateDirectoryError: If the file cannot be written.
        """
        notes = [(NOTE, key, value) for key, value in values.items() if key not in OWN_META]
        self._write(lambda: self._put_meta(values), notes, sync=bool(notes))

    def _put_meta(self, values: Mapping[str, Any]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

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
        lines: list[Line] = [(NAME, *place, name) for place, name in names.items()]
        self._write(lambda: self._put_names(names), lines, sync=True)
        self._unwritten.clear()
        self._unjournaled.clear()

    def _put_names(self, names: Mapping[Place, str]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO names VALUES (?, ?, ?)",
            [(*place, name) for place, name in names.items()],
        )

    def _write(self, work: Callable[[], None], lines: list[Line], *, sync: bool = False) -> None:
        """Change the state file in one transaction, and the ledger by the same.

        Args:
            work: Makes the change.
            lines: What the ledger gets.
            sync: Whether to wait for the disk, if that is asked for at all.
        """

        def write() -> None:
            with self._db.transaction():
                work()
                if lines:
                    # By these two a later session knows whether one of the files has lost something.
                    end = self._ledger.end_after(lines)
                    sums = sum_of_notes(self._stored_notes())
                    self._put_meta({"ledger_end": end, "notes_sum": sums})

        with self._writing():
            self._guarded(write)
            self._ledger.append(lines)
            if sync and self._power_safe:
                self._sync()

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
        except STORAGE_ERRORS as error:
            if isinstance(error, StateDirectoryError):
                raise
            text = error_text(error)
            raise StateDirectoryError(
                f"{self._path} cannot be written ({text}). What it lacks stays in the journal."
            ) from error

    def _read(self, work: Callable[[], T]) -> T:
        try:
            return self._guarded(work)
        except STORAGE_ERRORS as error:
            if isinstance(error, StateDirectoryError):
                raise
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

    def _compare_if_needed(self) -> None:
        """Compare the state file with the ledger, if one of them has lost something."""
        end, notes = self._stored_meta("ledger_end"), self._stored_notes()
        if end is None:  # nothing has been kept yet, or by an older dobook
            names = self._db.execute("SELECT 1 FROM names LIMIT 1").fetchone()
            if self._ledger.size or notes or names:
                self._compare(quiet=True)
        elif self._ledger.size != end or self._stored_meta("notes_sum") != sum_of_notes(notes):
            self._compare(quiet=True)

    def _compare(self, *, quiet: bool = False) -> None:
        """Correct the state file from the ledger, and add to the ledger what it lacks.

        Each line of the ledger has a checksum, and the other file's rows do not. So where both have
        something the ledger is right.

        Args:
            quiet: Whether it is normal that they differ, as after an unclean end.
        """
        self._compared = True
        names, notes = read_facts(self._ledger_path)
        rows = self._db.execute("SELECT unique_key, id, name FROM names").fetchall()
        stored = {(row[0], row[1]): row[2] for row in rows}
        wrong = {place: name for place, name in names.items() if stored.get(place) != name}
        known = self._stored_notes()
        odd = {key: value for key, value in notes.items() if known.get(key, MISSING) != value}
        unfounded = [p for p, name in stored.items() if p not in names and not self._fits(p, name)]
        lines: list[Line] = [
            (NAME, *place, name)
            for place, name in stored.items()
            if place not in names and self._fits(place, name)
        ]
        lines += [(NOTE, key, value) for key, value in known.items() if key not in notes]
        own = {key: self.number(key) for key in ("clean", "session", "clock_ms")}
        if not quiet and (wrong or unfounded or odd):
            # What else is wrong in it nobody knows: a new one gets what is right.
            self._db.close()
            aside = files.set_database_aside(self._path)
            warnings.warn(
                f"{self._path} is damaged: {len(wrong) + len(unfounded)} names and {len(odd)} notes "
                f"in it are wrong or missing. It is now {aside.name}; they are taken from "
                f"{LEDGER_FILE}.",
                stacklevel=6,
            )
            self._db = self._open()
            wrong = {p: name for p, name in stored.items() if self._fits(p, name)} | names
            odd = {**known, **notes, **own}

        def mend() -> None:
            self._db.executemany("DELETE FROM names WHERE unique_key = ? AND id = ?", unfounded)
            self._put_names(wrong)
            self._put_meta({key: value for key, value in odd.items() if value is not None})
            self._put_meta({"ledger_end": self._ledger.end_after(lines)})
            self._put_meta({"notes_sum": sum_of_notes(self._stored_notes())})

        self._write(mend, lines)

    def _fits(self, place: Place, name: object) -> bool:
        return is_name_of(self._factories, *place, name)
