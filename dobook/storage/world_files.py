"""A world laid out as a state directory: what restoring a snapshot onto disk writes.

Source: cloudflare/workerd src/workerd/server/server.c++, alarm-scheduler.c++
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from dobook.errors import StateDirectoryError
from dobook.storage import schema
from dobook.storage.alarm_index import METADATA
from dobook.storage.blank import blank_database
from dobook.storage.connection import Connection, SqliteError, error_text
from dobook.storage.contents import Contents, Place, World, write_contents
from dobook.storage.directory import StateDirectory
from dobook.storage.files import sync_file, sync_folder
from dobook.storage.image import from_image, image_of
from dobook.storage.layout import state_root


def write_state(world: World, path: Path) -> None:
    """Make a state directory that has the objects of a world.

    Args:
        world: What to write.
        path: The directory; it is made, or must be empty.

    Raises:
        StateDirectoryError: If there is something in it already, or it cannot be written.
    """
    root = state_root(path)
    if root.exists() and any(root.iterdir()):
        raise StateDirectoryError(
            f"{path} is not empty: restoring would mix two states. Choose a new directory."
        )
    directory = StateDirectory(path)
    try:
        alarms: dict[str, list[tuple[Place, Contents]]] = {}
        for place, found in world.objects.items():
            file = directory.file(*place)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(file_of(found))
            sync_file(file)
            if found.name is not None:
                directory.own.remember_name(place, found.name)
            if found.alarm_ms is not None:
                alarms.setdefault(place.unique_key, []).append((place, found))
        for unique_key, waiting in alarms.items():
            _write_index(directory.path / unique_key / METADATA, waiting)
        for folder in {place.unique_key for place in world.objects}:
            sync_folder(directory.path / folder)
        notes = {**world.notes, "session": world.settings.get("session", 0) + 1}
        directory.own.set_meta(**notes, clock_ms=world.clock_ms)
    except (OSError, SqliteError) as error:
        reason = error_text(error) if isinstance(error, SqliteError) else error.strerror
        raise StateDirectoryError(f"{path} cannot be written ({reason}).") from error
    finally:
        directory.close(world.clock_ms)


def file_of(contents: Contents) -> bytes:
    """Return an object's database file as the real engine lays it out."""
    blank = blank_database()
    with contextlib.closing(from_image(contents.image or blank, limited=False)) as connection:
        write_contents(connection, contents)
        image = bytearray(image_of(connection))
    image[18:20] = blank[18:20]  # read and written through a WAL, as all of them
    return bytes(image)


def _write_index(file: Path, waiting: Iterable[tuple[Place, Contents]]) -> None:
    with contextlib.closing(Connection(file)) as index:
        index.begin()
        index.execute(schema.CREATE_ALARM_INDEX)
        index.executemany(
            "INSERT INTO _cf_ALARM VALUES (?, ?, ?)",
            [(p.id, (c.alarm_ms or 0) * schema.NS_PER_MS, c.name) for p, c in waiting],
        )
        index.commit()
