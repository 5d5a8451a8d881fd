"""A world in one file: what `Runtime.snapshot` writes and `Runtime.restore` reads.

The file is a SQLite database, so any SQLite tool opens it:

    meta      key, value       format (1), clock_ms, the settings of `contents.World`, "note KEY"
    classes   unique_key, binding, class_name, sqlite     in the order they were registered
    objects   object, unique_key, id, name, alarm_ms, retries, runs_ms, sql
    rows      object, key, value

`objects.sql` is the object's own SQL database, a whole SQLite file again; NULL without tables.
`rows.value` is in V8's serialisation, as in the real engine's `_cf_KV`. Times are in ms since 1970.
Nothing in the file is code: the classes come from whoever restores it.
"""

import contextlib
from pathlib import Path
from typing import Any, Final

from dobook.errors import StateDirectoryError
from dobook.storage.connection import Connection, SqliteError, error_text
from dobook.storage.contents import ClassRecord, Contents, Place, World
from dobook.storage.files import sync_file
from dobook.storage.image import copy_of, image_of
from dobook.storage.kv import Encoded

FORMAT: Final = 1
APPLICATION_ID: Final = 0x646F_626B  # "dobk", in the file's header
NOTE: Final = "note "
_TABLES: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value)",
    "CREATE TABLE classes (unique_key TEXT PRIMARY KEY, binding TEXT, class_name TEXT, sqlite INT)",
    "CREATE TABLE objects (object INTEGER PRIMARY KEY, unique_key TEXT, id TEXT, name TEXT, "
    "alarm_ms INT, retries INT, runs_ms INT, sql BLOB, UNIQUE (unique_key, id))",
    "CREATE TABLE rows (object INT, key TEXT, value BLOB, PRIMARY KEY (object, key)) WITHOUT ROWID",
)


def save_world(world: World, path: Path) -> None:
    """Write a world into a file; one of that name is replaced once the new one is whole.

    Raises:
        StateDirectoryError: If it cannot be written.
    """
    beside = path.with_name(f"{path.name}.new")
    try:
        with contextlib.closing(Connection(None, limited=False)) as file:
            _write(file, world)
            beside.write_bytes(image_of(file))
        sync_file(beside)
        beside.replace(path)
    except (OSError, SqliteError) as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        reason = error_text(error) if isinstance(error, SqliteError) else error.strerror
        raise StateDirectoryError(
            f"the snapshot {path} cannot be written ({reason}). Choose a folder that exists and "
            "can be written."
        ) from error


def _write(file: Connection, world: World) -> None:
    file.begin()
    for table in _TABLES:
        file.execute(table)
    file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    meta: dict[str, Any] = {**world.settings, "format": FORMAT, "clock_ms": world.clock_ms}
    meta |= {f"{NOTE}{key}": value for key, value in world.notes.items()}
    file.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
    file.executemany(
        "INSERT INTO classes VALUES (?, ?, ?, ?)",
        [(c.unique_key, c.binding, c.class_name, c.sqlite) for c in world.classes],
    )
    for number, (place, found) in enumerate(world.objects.items(), 1):
        file.execute(
            "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (number, *place, found.name, found.alarm_ms, found.retries, found.runs_ms, found.image),
        )
        file.executemany(
            "INSERT INTO rows VALUES (?, ?, ?)",
            [(number, key, found.stored(key)) for key in found.rows],
        )
    file.commit()


def is_snapshot(path: Path) -> bool:
    """Return whether a file is a snapshot, by its header."""
    try:
        with path.open("rb") as file:
            head = file.read(72)
    except OSError:
        return False
    return head[:16] == b"SQLite format 3\0" and head[68:72] == APPLICATION_ID.to_bytes(4, "big")


def load_world(path: Path) -> World:
    """Return the world that a file holds.

    Raises:
        StateDirectoryError: If it is no snapshot, damaged, or of a newer dobook.
    """
    if path.exists() and not is_snapshot(path):
        raise StateDirectoryError(
            f"{path} is no snapshot of dobook's; runtime.snapshot() makes one."
        )
    try:
        with contextlib.closing(copy_of(path, limited=False)) as file:
            return _read(file, path)
    except SqliteError as error:
        raise StateDirectoryError(
            f"the snapshot {path} is damaged ({error_text(error)})."
        ) from error


def _read(file: Connection, path: Path) -> World:
    meta = dict(file.execute("SELECT key, value FROM meta").fetchall())
    version = meta.pop("format")
    if version > FORMAT:
        raise StateDirectoryError(
            f"{path} was written by a newer dobook (format {version}, this one knows {FORMAT}). "
            "Upgrade dobook to open it."
        )
    clock_ms = meta.pop("clock_ms")
    classes = [
        ClassRecord(unique_key, binding, class_name, bool(sqlite))
        for unique_key, binding, class_name, sqlite in file.execute(
            "SELECT unique_key, binding, class_name, sqlite FROM classes ORDER BY rowid"
        )
    ]
    rows: dict[int, dict[str, Any]] = {}
    for number, key, value in file.execute("SELECT object, key, value FROM rows"):
        rows.setdefault(number, {})[key] = Encoded(value)
    objects = {
        Place(unique_key, identity): Contents(
            rows.get(number, {}), alarm_ms, sql, name, retries, runs_ms
        )
        for number, unique_key, identity, name, alarm_ms, retries, runs_ms, sql in file.execute(
            "SELECT object, unique_key, id, name, alarm_ms, retries, runs_ms, sql FROM objects "
            "ORDER BY object"
        )
    }
    notes = {k.removeprefix(NOTE): meta.pop(k) for k in list(meta) if k.startswith(NOTE)}
    return World(objects, classes, clock_ms, meta, notes)
