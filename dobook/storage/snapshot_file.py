"""A world in one file: what `Runtime.snapshot` writes and `Runtime.restore` reads.

The file is a SQLite database, so any SQLite tool opens it:

    meta      key, value       format (1), clock_ms, the settings of `contents.World`, "note KEY"
    classes   unique_key, binding, class_name, sqlite     in the order they were registered
    objects   object, unique_key, id, name, alarm_ms, retries, runs_ms, sql
    rows      object, key, value

`objects.sql` is the object's own SQL database, a whole SQLite file again; NULL without tables.
`rows.value` is in V8's serialisation, as in the real engine's `_cf_KV`. Times are in ms since 1970.
Nothing in the file is code: the program that restores it supplies the classes.
"""

import contextlib
from pathlib import Path
from typing import Any, Final

from dobook.codec import deserialize
from dobook.errors import CodecError, StateDirectoryError
from dobook.storage.connection import Connection, SqliteError, error_text
from dobook.storage.contents import World
from dobook.storage.foreign import MAGIC, ForeignDatabase
from dobook.storage.foreign_files import MOST_BYTES, check_regular, read_regular, replace_users_file
from dobook.storage.image import image_of
from dobook.storage.snapshot_rows import FORMAT, NOTE, TABLES, read_world

APPLICATION_ID: Final = 0x646F_626B  # "dobk", in the file's header


def save_world(world: World, path: Path) -> None:
    """Write a world into a file; one of that name is replaced once the new one is whole.

    Raises:
        StateDirectoryError: If it cannot be written.
    """
    try:
        with contextlib.closing(Connection(None, limited=False)) as file:
            _write(file, world)
            data = image_of(file)
        replace_users_file(path, data)
    except (OSError, SqliteError) as error:
        reason = error_text(error) if isinstance(error, SqliteError) else error.strerror
        raise StateDirectoryError(
            f"the snapshot {path} cannot be written ({reason}). Choose a folder that exists and "
            "can be written."
        ) from error


def _write(file: Connection, world: World) -> None:
    file.begin()
    for table in TABLES.values():
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
        check_regular(path)
        with path.open("rb") as file:
            return _has_header(file.read(72))
    except OSError:
        return False


def _has_header(head: bytes) -> bool:
    return head.startswith(MAGIC) and head[68:72] == APPLICATION_ID.to_bytes(4, "big")


def _is_whole(data: bytes) -> bool:
    """Return whether a file has as many bytes as its header says: sqlite.org/fileformat2.html."""
    page_bytes = int.from_bytes(data[16:18], "big")
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    return len(data) == page_bytes * int.from_bytes(data[28:32], "big")


def load_world(path: Path, *, most: int = MOST_BYTES) -> World:
    """Return the world that a file holds.

    The file may come from a stranger: everything in it is checked before any of it is used, and
    reading ends in bounded time and memory. Values are decoded when they are needed.

    Args:
        path: The file.
        most: How many bytes it may have.

    Raises:
        StateDirectoryError: If it is too large, is not a snapshot, damaged, of a newer dobook, or has something
            in it that dobook does not write.
    """
    try:
        data = read_regular(path, most=most)
    except OSError as error:
        if isinstance(error, StateDirectoryError):
            raise
        raise StateDirectoryError(f"{path} cannot be read ({error.strerror}).") from error
    if not _has_header(data):
        raise StateDirectoryError(
            f"{path} is not a snapshot of dobook's; runtime.snapshot() makes one."
        )
    with contextlib.closing(ForeignDatabase(data, path)) as file:
        if not _is_whole(data):
            raise file.refused("its end is missing, or something was added to it")
        return read_world(file, path)


def check_values(world: World, path: Path) -> None:
    """Check that every stored value of a world can be read.

    Raises:
        StateDirectoryError: If one cannot; the message names the object and the key.
    """
    labels = world.labels()
    for place, found in world.objects.items():
        for key in found.rows:
            try:
                deserialize(found.stored(key))
            except CodecError as error:
                raise StateDirectoryError(
                    f"{path} is refused: the value of key {_short(key)} of {_short(labels[place])} "
                    f"cannot be read ({error}). dobook.open_state shows what the file has in it."
                ) from error


def _short(text: str) -> str:
    return repr(text) if len(text) <= 80 else f"{text[:80]!r}…"
