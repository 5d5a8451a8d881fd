"""The rows of a snapshot file, each checked for its type and range before it is used.

SQLite lets any column hold any type, whatever its declaration says, and a snapshot may come from a
stranger. See `dobook.storage.snapshot_file` for what the tables mean.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

from dobook.errors import StateDirectoryError
from dobook.storage.contents import ClassRecord, Contents, Place, World
from dobook.storage.foreign import ForeignDatabase, check_image
from dobook.storage.kv import Encoded
from dobook.storage.names import check_place, check_unique_key, flaw_of

FORMAT: Final = 1
NOTE: Final = "note "
TABLES: Final = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value)",
    "classes": (
        "CREATE TABLE classes (unique_key TEXT PRIMARY KEY, binding TEXT, class_name TEXT, "
        "sqlite INT)"
    ),
    "objects": (
        "CREATE TABLE objects (object INTEGER PRIMARY KEY, unique_key TEXT, id TEXT, name TEXT, "
        "alarm_ms INT, retries INT, runs_ms INT, sql BLOB, UNIQUE (unique_key, id))"
    ),
    "rows": (
        "CREATE TABLE rows (object INT, key TEXT, value BLOB, PRIMARY KEY (object, key)) "
        "WITHOUT ROWID"
    ),
}

_FIRST_MS: Final = -62_135_596_800_000  # the years 1 to 9999, which datetime has
_LAST_MS: Final = 253_402_300_799_999
_MOST_ALARM_MS: Final = 8_640_000_000_000_000  # the last time of a JavaScript Date
_MOST_COUNT: Final = 2**31 - 1
_MOST_NUMBER: Final = 2**63 - 1
_MOST_NAME: Final = 10_000  # characters of a class's name or binding
_OWN_NOTES: Final = frozenset({"version", "clean", "session", "clock_ms", "self"})


def read_world(file: ForeignDatabase, path: Path) -> World:
    """Return what a snapshot file holds.

    Args:
        file: The file's database.
        path: Where it is, for messages.

    Raises:
        StateDirectoryError: If anything in it is not what dobook writes.
    """
    checked = _Checked(file)
    meta, notes = checked.meta(path)
    clock_ms = meta.pop("clock_ms")
    classes = list(checked.classes(path))
    rows = checked.rows()
    objects = checked.objects(path, rows)
    return World(objects, classes, clock_ms, meta, notes)


class _Checked:
    def __init__(self, file: ForeignDatabase) -> None:
        self._file = file

    def meta(self, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the settings with the clock, and the notes."""
        # The format first: a newer one may have other tables.
        found: dict[str, Any] = {}
        self._file.check_schema({"meta": TABLES["meta"]}, others=True)
        for key, value in self._file.rows("SELECT key, value FROM meta"):
            if not isinstance(key, str):
                self._wrong("meta.key", key, "text")
            found[key] = value
        version = self._number("format", found.pop("format", None), 1, _MOST_COUNT)
        if version > FORMAT:
            raise StateDirectoryError(
                f"{path} was written by a newer dobook (format {version}, this one knows "
                f"{FORMAT}). Upgrade dobook to open it."
            )
        self._file.check_schema(TABLES)
        meta: dict[str, Any] = {
            "clock_ms": self._number("clock_ms", found.pop("clock_ms", None), _FIRST_MS, _LAST_MS)
        }
        bounds = {
            "seed": (-_MOST_NUMBER, _MOST_NUMBER),
            "unsafe_limits": (0, 1),
            "history": (0, _MOST_NUMBER),
            "session": (0, _MOST_COUNT),
        }
        for key, (least, most) in bounds.items():
            if key in found:
                meta[key] = self._number(key, found.pop(key), least, most)
        if "worker" in found:
            meta["worker"] = self._text("worker", found.pop("worker"))
            flaw = flaw_of(f"{meta['worker']}-Class")
            if flaw is not None:
                raise self._file.refused(f"its Worker cannot be called so: {flaw}")
        notes: dict[str, Any] = {}
        for key, value in found.items():
            name = key.removeprefix(NOTE)
            if name == key or name in _OWN_NOTES or not name.isidentifier():
                raise self._file.refused(f"it has the setting {key[:80]!r}, which does not exist")
            if not isinstance(value, (str, int, float)):
                self._wrong(f"meta.value of {key}", value, "text or a number")
            notes[name] = value
        return meta, notes

    def classes(self, path: Path) -> Iterator[ClassRecord]:
        query = "SELECT unique_key, binding, class_name, sqlite FROM classes ORDER BY rowid"
        for unique_key, binding, class_name, sqlite in self._file.rows(query):
            yield ClassRecord(
                check_unique_key(unique_key, path),
                self._text("classes.binding", binding),
                self._text("classes.class_name", class_name),
                bool(self._number("classes.sqlite", sqlite, 0, 1)),
            )

    def rows(self) -> dict[int, dict[str, Encoded]]:
        """Return the rows by the number of the object."""
        found: dict[int, dict[str, Encoded]] = {}
        for number, key, value in self._file.rows("SELECT object, key, value FROM rows"):
            if type(number) is not int:
                self._wrong("rows.object", number, "a whole number")
            if type(key) is not str:
                self._wrong("rows.key", key, "text")
            if type(value) is not bytes:
                self._wrong("rows.value", value, "bytes")
            found.setdefault(number, {})[key] = Encoded(value)
        return found

    def objects(self, path: Path, rows: dict[int, dict[str, Encoded]]) -> dict[Place, Contents]:
        query = (
            "SELECT object, unique_key, id, name, alarm_ms, retries, runs_ms, sql FROM objects "
            "ORDER BY object"
        )
        found: dict[Place, Contents] = {}
        for number, unique_key, identity, name, alarm, retries, runs, image in self._file.rows(
            query
        ):
            place = Place(*check_place(unique_key, identity, path))
            if place in found:
                raise self._file.refused(
                    f"the object {place.id} of {place.unique_key} is twice in it"
                )
            if image is not None:
                if type(image) is not bytes:
                    self._wrong("objects.sql", image, "a database")
                check_image(image, f"{path}: the SQL of {place.unique_key}/{place.id[:8]}…")
            found[place] = Contents(
                rows.pop(number, {}),
                self._maybe("objects.alarm_ms", alarm),
                image,
                None if name is None else self._text("objects.name", name, _MOST_NUMBER),
                self._number("objects.retries", retries, 0, _MOST_COUNT),
                self._maybe("objects.runs_ms", runs),
            )
        if rows:
            raise self._file.refused("it has rows of an object that is not in it")
        return found

    def _maybe(self, what: str, value: object) -> int | None:
        if value is None:
            return None
        return self._number(what, value, -_MOST_ALARM_MS, _MOST_ALARM_MS)

    def _number(self, what: str, value: object, least: int, most: int) -> int:
        if type(value) is not int:
            self._wrong(what, value, "a whole number")
        if not least <= value <= most:
            raise self._file.refused(f"{what} is {value}, expected {least} to {most}")
        return int(value)

    def _text(self, what: str, value: object, most: int = _MOST_NAME) -> str:
        if type(value) is not str:
            self._wrong(what, value, "text")
        if len(value) > most:
            raise self._file.refused(f"{what} has {len(value):,} characters")
        return str(value)

    def _wrong(self, what: str, value: object, expected: str) -> NoReturn:
        kind = "NULL" if value is None else type(value).__name__
        raise self._file.refused(f"{what} is {kind}, expected {expected}")
