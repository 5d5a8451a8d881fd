"""A world laid out as a state directory: what restoring a snapshot onto disk writes.

Source: cloudflare/workerd src/workerd/server/server.c++, alarm-scheduler.c++
"""

import contextlib
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from dobook.errors import StateDirectoryError
from dobook.storage import schema
from dobook.storage.alarm_index import METADATA
from dobook.storage.blank import blank_database
from dobook.storage.connection import STORAGE_ERRORS, Connection, error_text
from dobook.storage.contents import Contents, Place, World, write_contents
from dobook.storage.directory import StateDirectory
from dobook.storage.files import sync_folder
from dobook.storage.foreign_files import create_file
from dobook.storage.image import from_image, image_of
from dobook.storage.layout import OWN, state_root
from dobook.storage.names import check_place, check_unique_key


def write_state(world: World, path: Path) -> None:
    """Make a state directory that has the objects of a world.

    Every name is checked before anything is written. The files are written beside and moved into
    place at the end, so a failure leaves nothing behind.

    Args:
        world: What to write.
        path: The directory; it is made, or must be empty.

    Raises:
        StateDirectoryError: If there is something in it already, it cannot be written, or a name
            in the world cannot be the name of a file.
    """
    for place in world.objects:
        check_place(*place, "the snapshot")
    for record in world.classes:
        check_unique_key(record.unique_key, "the snapshot")
    root = state_root(path)
    try:
        made = not root.exists()
        if not made and any(root.iterdir()):
            raise StateDirectoryError(
                f"{path} is not empty: restoring would mix two states. Choose a new directory."
            )
        token = f".restoring-{secrets.token_hex(8)}"
        root.parent.mkdir(parents=True, exist_ok=True)
        work = root.with_name(token) if made else root / token
        work.mkdir()
        try:
            _write_files(world, work)
            if made:
                work.rename(root)
            else:
                _move_contents(work, root)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        sync_folder(root)
        sync_folder(root.parent)
    except StateDirectoryError:
        raise
    except STORAGE_ERRORS as error:
        reason = (isinstance(error, OSError) and error.strerror) or error_text(error)
        raise StateDirectoryError(f"{path} cannot be written ({reason}).") from error


def _write_files(world: World, folder: Path) -> None:
    directory = StateDirectory(folder)
    try:
        alarms: dict[str, list[tuple[Place, Contents]]] = {}
        for place, found in world.objects.items():
            file = directory.file(*place)
            file.parent.mkdir(exist_ok=True)
            # Two names may be one on this file system: the second is refused, not mixed in.
            create_file(file, file_of(found))
            if found.name is not None:
                directory.own.remember_name(place, found.name)
            if found.alarm_ms is not None:
                alarms.setdefault(place.unique_key, []).append((place, found))
        for unique_key, waiting in alarms.items():
            _write_index(directory.path / unique_key / METADATA, waiting)
        for unique_key in {place.unique_key for place in world.objects}:
            sync_folder(directory.path / unique_key)
        notes = {**world.notes, "session": world.settings.get("session", 0) + 1}
        directory.own.set_meta(**notes, clock_ms=world.clock_ms)
    finally:
        directory.close(world.clock_ms)


def _move_contents(work: Path, root: Path) -> None:
    """Move what is in `work` up into `root`, or nothing of it."""
    moved: list[Path] = []
    try:
        # dobook's own folder last: with it the directory counts as one of dobook's.
        for entry in sorted(work.iterdir(), key=lambda entry: (entry.name == OWN, entry.name)):
            target = root / entry.name
            entry.rename(target)
            moved.append(target)
        work.rmdir()
    except BaseException:
        for target in moved:
            shutil.rmtree(target, ignore_errors=True)
        raise


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
