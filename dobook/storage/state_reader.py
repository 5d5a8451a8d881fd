"""Looking at a state directory or a snapshot without a runtime: nothing is written, nothing locked.

Files are copied into memory before they are read, so it does not matter whether a runtime or the
real engine is using them, or whether the folder can be written. Rows that are in dobook's journal
and not in the objects' files yet are taken from there.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dobook.errors import StateDirectoryError, UnknownNameError, UsageError
from dobook.ids import IdFactory
from dobook.storage import schema
from dobook.storage.alarm_index import METADATA
from dobook.storage.contents import ClassRecord, Contents, Place, World, user_image
from dobook.storage.entries import Entry, replay
from dobook.storage.foreign import ForeignDatabase
from dobook.storage.image import bytes_of
from dobook.storage.journal import read_journal
from dobook.storage.kv import Encoded
from dobook.storage.layout import OWN, state_root
from dobook.storage.migrations import CREATE_META
from dobook.storage.names import is_identity, is_segment
from dobook.storage.own_state import CREATE_NAMES, STATE_FILE
from dobook.storage.rows import has_table, read_alarm, typed_rows
from dobook.storage.snapshot_file import is_snapshot, load_world


class StateReader:
    """What a state directory holds.

    Args:
        path: A state directory of dobook's, of wrangler's or Miniflare's, or a snapshot file.

    Raises:
        StateDirectoryError: If there is nothing, or a snapshot that cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise StateDirectoryError(f"{path} does not exist.")
        self.clock_ms: int | None = None
        self._world: World | None = None
        self._names: dict[Place, str] = {}
        self._journal: dict[Place, Entry] = {}
        self.root = self.path
        if not self.path.is_dir():
            self._world = load_world(self.path)
            self.clock_ms = self._world.clock_ms
            return
        self.root = state_root(self.path)
        if not self.root.is_dir():
            raise StateDirectoryError(f"{self.root} does not exist.")
        self._read_own()
        self._read_alarm_names()

    # ------------------------------------------------------------------ what there is

    def unique_keys(self) -> list[str]:
        """Return the unique keys of the classes that have objects, in order."""
        return sorted({place.unique_key for place in self.places()})

    def places(self, unique_key: str | None = None) -> list[Place]:
        """Return the objects, of one class or of all, by class and id."""
        if self._world is not None:
            found = set(self._world.objects)
        else:
            found = {
                Place(file.parent.name, file.stem)
                for file in self.root.glob(f"*/{'?' * 64}.sqlite")
                if is_segment(file.parent.name) and is_identity(file.stem)
            } | set(self._journal)
        return sorted(p for p in found if unique_key in (None, p.unique_key))

    def name(self, place: Place) -> str | None:
        """Return the name an object was used under, if that is known."""
        return self._world.objects[place].name if self._world else self._names.get(place)

    def label(self, place: Place) -> str:
        """Return how an object is called here: its unique key, and its name or id."""
        name = self.name(place)
        return f"{place.unique_key}/{name if name is not None else place.id}"

    def contents(self, place: Place) -> Contents:
        """Return what an object has stored.

        Raises:
            StateDirectoryError: If its file is damaged or foreign.
        """
        if self._world is not None:
            return self._world.objects[place]
        file = self.root / place.unique_key / f"{place.id}.sqlite"
        entry = self._journal.get(place)
        rows: dict[str, Any] = {}
        alarm_ms, image = None, None
        if file.exists() and not (entry is not None and entry.new):
            with contextlib.closing(ForeignDatabase(bytes_of(file), file)) as database:
                database.check_engine_tables()
                connection = database.connection
                if has_table(connection, "_cf_KV"):
                    found = typed_rows(connection, database.rows(schema.ALL))
                    rows = {key: Encoded(value) for key, value in found}
                alarm_ms = read_alarm(connection)
                image = user_image(connection)
        if entry is not None:
            for key, value in entry.rows:
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = Encoded(value)
            if entry.alarm is not None:
                (at_ns,) = entry.alarm
                alarm_ms = None if at_ns is None else at_ns // schema.NS_PER_MS
        return Contents(rows, alarm_ms, image, self._names.get(place))

    def world(self) -> World:
        """Return everything, for comparing."""
        if self._world is not None:
            return self._world
        objects = {place: self.contents(place) for place in self.places()}
        classes = [
            ClassRecord(key, key, key.partition("-")[2] or key, sqlite=True)
            for key in self.unique_keys()
        ]
        return World(objects, classes, self.clock_ms or 0, {})

    # ------------------------------------------------------------------ finding

    def find_class(self, text: str) -> str:
        """Return the unique key of a class given by it, by its binding or by its name.

        Raises:
            UnknownNameError: If no class is found; the message names the nearest.
            UsageError: If there are several.
        """
        keys = self.unique_keys()
        if text in keys:
            return text
        recorded = [] if self._world is None else self._world.classes
        found = {c.unique_key for c in recorded if text in (c.binding, c.class_name)}
        found = found or {key for key in keys if key.endswith(f"-{text}")}
        found = found or {key for key in keys if _letters(key).endswith(_letters(text))}
        if len(found) > 1:
            raise UsageError(f"{text} may be {' or '.join(sorted(found))}. Write one of these.")
        if not found:
            raise UnknownNameError("class", text, keys)
        return found.pop()

    def find(self, text: str) -> Place:
        """Return an object given as `CLASS/name`, or `CLASS/` and its id or the start of it.

        Raises:
            UnknownNameError: If there is no such class or object; the message names the nearest.
        """
        which, slash, name = text.partition("/")
        unique_key = self.find_class(which)
        if not slash or not name:
            raise UsageError(f"{text!r} names no object. Write {which}/name or {which}/id.")
        places = self.places(unique_key)
        exact = IdFactory(unique_key).from_name(name).toString()
        for place in places:
            if name in (self.name(place), place.id) or place.id == exact:
                return place
        begins = [p for p in places if len(name) >= 4 and p.id.startswith(name.lower().rstrip("…"))]
        if len(begins) == 1:
            return begins[0]
        known = [self.name(place) or place.id for place in places]
        raise UnknownNameError("object", name, known)

    # ------------------------------------------------------------------ inside

    def _read_own(self) -> None:
        """Read what dobook keeps beside: names, the clock, and the journal after an open end."""
        own = self.root / OWN
        state = own / STATE_FILE
        clean: Any = 1
        if state.exists():
            with contextlib.closing(ForeignDatabase(bytes_of(state), state)) as db:
                db.check_schema({"meta": CREATE_META, "names": CREATE_NAMES}, others=True)
                meta = dict(db.rows("SELECT key, value FROM meta"))
                clean = meta.get("clean", 1)
                clock_ms = meta.get("clock_ms")
                if type(clock_ms) is int:
                    self.clock_ms = clock_ms
                for unique_key, identity, name in db.rows("SELECT unique_key, id, name FROM names"):
                    if is_segment(unique_key) and is_identity(identity) and type(name) is str:
                        self._names[Place(unique_key, identity)] = name
        journal = own / "journal"
        if not journal.exists():
            return
        try:
            found = read_journal(journal)
        except OSError as error:
            raise StateDirectoryError(f"{journal} cannot be read ({error}).") from error
        if not (found.old and clean):
            replay(found.entries, self._take)
        if found.clock_ms is not None:
            self.clock_ms = max(self.clock_ms or 0, found.clock_ms)

    def _take(self, entry: Entry) -> None:
        if not (is_segment(entry.unique_key) and is_identity(entry.id)):
            return
        place = Place(entry.unique_key, entry.id)
        if entry.name is not None:
            self._names.setdefault(place, entry.name)
        if entry.rows or entry.alarm is not None:
            self._journal[place] = entry

    def _read_alarm_names(self) -> None:
        """Read the names that the real engine keeps with the alarms it has set."""
        for index in self.root.glob(f"*/{METADATA}"):
            if not is_segment(index.parent.name):
                continue
            # A damaged or foreign index has no names; the objects themselves can still be read.
            with contextlib.suppress(StateDirectoryError):
                for identity, name in _alarm_names(index):
                    self._names.setdefault(Place(index.parent.name, identity), name)


def _alarm_names(index: Path) -> Iterator[tuple[str, str]]:
    with contextlib.closing(ForeignDatabase(bytes_of(index), index)) as database:
        database.check_engine_tables()
        if has_table(database.connection, "_cf_ALARM"):
            for row in database.rows("SELECT * FROM _cf_ALARM"):
                if len(row) > 2 and is_identity(row[0]) and type(row[2]) is str:
                    yield row[0], row[2]


def _letters(text: str) -> str:
    return text.replace("_", "").replace("-", "").lower()


def is_state(path: Path) -> bool:
    """Return whether a path looks like what `StateReader` reads."""
    return path.is_dir() or is_snapshot(path)
