"""The check of a class's folder: its index of alarms, and each object's file."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dobook.codec import deserialize
from dobook.errors import CodecError, StateDirectoryError
from dobook.storage import files, schema
from dobook.storage.alarm_index import FIRST_COLUMNS, METADATA, columns_of
from dobook.storage.blank import is_half_made
from dobook.storage.checking.copies import copied, flaw_of_database, flaw_of_file
from dobook.storage.checking.findings import DAMAGE, NOTE, OK, StateReport
from dobook.storage.checking.odd import note_odd_file
from dobook.storage.connection import Connection, SqliteError, error_text
from dobook.storage.names import is_identity
from dobook.storage.rows import engine_tables
from dobook.storage.sqlite_errors import malformed

if TYPE_CHECKING:
    from dobook.storage.checking.journal import JournalCheck

_SUFFIX = ".sqlite"
_BESIDE = ("-wal", "-shm")
_NAMED = "Calls to the object fail and name the file; others are not affected."


class ClassFolder:
    """A class's folder.

    Args:
        report: Takes the findings.
        root: The state directory.
        unique_key: The class.
        journal: What the journal has, which is newer than the files.

    Attributes:
        objects: How many objects the class has.
    """

    def __init__(
        self, report: StateReport, root: Path, unique_key: str, journal: "JournalCheck"
    ) -> None:
        self._report = report
        self._folder = root / unique_key
        self._key = unique_key
        self._journal = journal
        self._index: dict[str, int] | None = None  # by id, in ns since 1970
        self.objects = 0

    def check(self) -> Iterator[str]:
        """Check everything in the folder; yields each object's id when that is done."""
        waiting = {
            identity
            for (unique_key, identity), entry in self._journal.places.items()
            if unique_key == self._key and (entry.rows or entry.alarm is not None)
        }
        try:
            names = sorted(os.listdir(self._folder)) if self._folder.is_dir() else []  # noqa: PTH208
        except OSError as error:
            self._report.add(
                DAMAGE, self._key, "folder", f"it cannot be listed ({error.strerror}).", _NAMED
            )
            return
        self._read_index(names)
        for name in names:
            identity = name.removesuffix(_SUFFIX)
            if name.endswith(_SUFFIX) and is_identity(identity):
                waiting.discard(identity)
                self.objects += 1
                self._check_object(identity)
                yield identity
            elif not self._is_beside(name):
                note_odd_file(self._report, f"{self._key}/{name}", name)
        for identity in sorted(waiting):  # objects without a file so far
            self.objects += 1
            self._check_alarm(identity, None, has_file=False)
            yield identity
        if self._index:
            for identity in sorted(self._index):
                what = f"it has an alarm of {identity}, which has no file."
                then = "The alarm runs on an empty object."
                self._report.add(DAMAGE, f"{self._key}/{METADATA}", "alarm", what, then)

    def _is_beside(self, name: str) -> bool:
        """Return whether a file belongs to a database; add a finding about a log without one."""
        for suffix in _BESIDE:
            if name.endswith(suffix):
                database = name.removesuffix(suffix)
                known = database == METADATA or is_identity(database.removesuffix(_SUFFIX))
                if known and files.exists(self._folder / database):
                    return True
                if known and suffix == "-wal" and files.size_of_file(self._folder / name):
                    what = "it is the log of a database that is missing."
                    then = "It is deleted when the object is used, which begins empty."
                    self._report.add(DAMAGE, f"{self._key}/{name}", "log", what, then)
                return known
        return name == METADATA

    # ------------------------------------------------------------------ the index of alarms

    def _read_index(self, names: list[str]) -> None:
        path, place = self._folder / METADATA, f"{self._key}/{METADATA}"
        anew = "The alarms are read from the objects instead."
        flaw = flaw_of_file(path)
        if flaw is not None:
            self._report.add(DAMAGE, place, "index", f"{flaw}.", anew)
            return
        if METADATA not in names or not files.size_of_file(path) or is_half_made(path):
            if any(name.endswith(_SUFFIX) and name != METADATA for name in names):
                self._report.add(NOTE, place, "index", "it is missing or empty.", anew)
            return
        try:
            with copied(path) as db:
                flaw = flaw_of_database(db, path)
                if flaw is None and "_cf_ALARM" in engine_tables(db):
                    if columns_of(db)[:2] != FIRST_COLUMNS:
                        raise malformed()
                    self._index = {}
                    rows = db.execute("SELECT actor_id, scheduled_time FROM _cf_ALARM")
                    for identity, at_ns in rows:
                        if is_identity(identity) and type(at_ns) is int:
                            self._index[identity] = at_ns
                        else:
                            flaw = f"it has an alarm of {identity!r} at {at_ns!r}"
        except StateDirectoryError as error:
            flaw = str(error).replace(f"{path} ", "it ", 1).partition(" It is left as")[0]
        except SqliteError as error:
            flaw = error_text(error)
        if flaw is not None:
            self._index = None
            self._report.add(DAMAGE, place, "index", f"{flaw}.".replace("..", "."), anew)
        elif self._index is None:
            self._report.add(NOTE, place, "index", "its table is missing.", anew)
        else:
            self._report.add(OK, place, "index", f"it lists {len(self._index):,} alarms.")

    # ------------------------------------------------------------------ objects

    def _check_object(self, identity: str) -> None:
        path = self._folder / f"{identity}{_SUFFIX}"
        place = f"{self._key}/{path.name}"
        entry = self._journal.places.get((self._key, identity))
        if flaw := flaw_of_file(path):
            self._report.add(DAMAGE, place, "object", f"{flaw}.", _NAMED)
            self._forget(identity)
            return
        if (not files.size_of_file(path) or is_half_made(path)) and self._journal.closed:
            what = "it is empty or cut short, although the directory was closed properly."
            self._report.add(DAMAGE, place, "object", what, _NAMED)
            self._forget(identity)
            return
        if not files.size_of_file(path) or is_half_made(path):
            what = "a crash has interrupted the making of it; nothing in it was acknowledged."
            self._report.add(NOTE, place, "half-made", what, "It is made anew.")
            self._check_alarm(identity, None, has_file=False)
            return
        if entry is not None and entry.new:
            self._check_alarm(identity, None, has_file=False)  # the journal has all of it
            return
        alarm: int | None = None
        try:
            with copied(path) as db:
                flaw = flaw_of_database(db, path)
                if flaw is None:
                    flaw, alarm = self._check_rows(db)
        except StateDirectoryError as error:
            flaw = str(error).replace(f"{path} ", "it ", 1).partition(" It is left as")[0]
        except SqliteError as error:
            flaw = error_text(error)
        if flaw is not None:
            self._report.add(DAMAGE, place, "object", f"{flaw}.".replace("..", "."), _NAMED)
            self._forget(identity)
        else:
            self._check_alarm(identity, alarm, has_file=True)

    def _forget(self, identity: str) -> None:
        if self._index is not None:
            self._index.pop(identity, None)

    def _check_rows(self, db: Connection) -> tuple[str | None, int | None]:
        """Return what is wrong with an object's rows, and its alarm in ns since 1970."""
        tables = engine_tables(db)
        if "_cf_KV" in tables:
            for key, value in db.execute("SELECT key, value FROM _cf_KV"):
                if not isinstance(key, str) or not isinstance(value, bytes):
                    return f"the row {key!r:.80} is not a text and bytes", None
                try:
                    deserialize(value)
                except CodecError as error:
                    return f"the value of {key!r:.80} cannot be read ({error})", None
        alarm = None
        if "_cf_METADATA" in tables:
            row = db.execute(schema.GET_ALARM).fetchone()
            if row is not None and row[0] is not None:
                if type(row[0]) is not int:
                    return f"its alarm is not a time ({row[0]!r:.80})", None
                alarm = row[0]
        return None, alarm

    def _check_alarm(self, identity: str, in_file: int | None, *, has_file: bool) -> None:
        """Compare an object's alarm with the index, where that is to be right."""
        if self._index is None:
            return
        listed = self._index.pop(identity, None)
        entry = self._journal.places.get((self._key, identity))
        if not self._journal.trusted or not has_file:
            return
        if entry is not None and (entry.alarm is not None or entry.look):
            return  # the journal is newer than the index
        if _ms(listed) != _ms(in_file):
            what = f"it says {_said(listed)} for {identity}, whose own file says {_said(in_file)}."
            then = "The index counts until the object is used."
            self._report.add(DAMAGE, f"{self._key}/{METADATA}", "alarm", what, then)


def _ms(at_ns: int | None) -> int | None:
    return None if at_ns is None else at_ns // schema.NS_PER_MS


def _said(at_ns: int | None) -> str:
    return "no alarm" if at_ns is None else f"an alarm at {at_ns // schema.NS_PER_MS} ms"
