"""Rows that are safe in the journal and not yet in their objects' files.

The journal is what an answer waits for, so an object's own file can be written later: at a
checkpoint, when SQL needs it, or when the directory is closed. An object that is changed a thousand
times is then written once, and one that has no file yet gets it whole, in one write, without a
journal of its own. A file that cannot be written keeps its rows waiting and harms no other.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dobook.errors import StateDirectoryError
from dobook.storage.connection import (
    Connection,
    SqliteError,
    blank_database,
    flush,
    new_database,
)
from dobook.storage.rows import Changes, write_rows

Place = tuple[str, str]
SYNC_THREADS = 8
MAX_OBJECTS = 20_000  # that may wait; each costs a file when its turn comes


class Pending:
    """What waits to be written to one object's file.

    `new` says that there was no file at the last checkpoint.
    """

    __slots__ = ("alarm", "new", "rows")

    def __init__(self, *, new: bool) -> None:
        self.rows: dict[str, bytes | None] = {}
        self.alarm: tuple[int | None] | None = None
        self.new = new

    def add(self, changes: Changes) -> None:
        """Take in later changes."""
        self.rows.update(changes.rows)
        if changes.alarm is not None:
            self.alarm = changes.alarm

    def changes(self) -> Changes:
        """Return everything that waits."""
        return Changes(list(self.rows.items()), self.alarm)


class Backlog:
    """The objects of a state directory whose files are behind.

    Args:
        root: The state directory.
        wait: Whether to wait for the disk.

    An object's place is the folder of its class and its id.
    """

    def __init__(self, root: Path, *, wait: bool = True) -> None:
        self._root = root
        self._wait = wait
        self._pending: dict[Place, Pending] = {}
        self._threads: ThreadPoolExecutor | None = None

    @property
    def full(self) -> bool:
        """Whether it is time for a checkpoint."""
        return len(self._pending) >= MAX_OBJECTS

    def path(self, place: Place) -> Path:
        """Return an object's file."""
        return self._root / place[0] / f"{place[1]}.sqlite"

    def keep(self, place: Place, changes: Changes, *, new: bool) -> None:
        """Have changes that an earlier process left wait, as the file could not be written."""
        pending = self._pending[place] = Pending(new=new)
        pending.add(changes)

    def add(self, place: Place, changes: Changes) -> Pending:
        """Have changes written to an object's file later."""
        pending = self._pending.get(place)
        if pending is None:
            pending = self._pending[place] = Pending(new=not self._exists(place))
        pending.add(changes)
        return pending

    def _exists(self, place: Place) -> bool:
        # A Path would keep the id in the table of interned strings for good.
        return os.path.exists(f"{self._root}/{place[0]}/{place[1]}.sqlite")  # noqa: PTH110

    def is_new(self, place: Place) -> bool:
        """Return whether an object had no file at the last checkpoint."""
        pending = self._pending.get(place)
        return pending.new if pending is not None else not self._exists(place)

    def get(self, place: Place) -> Pending | None:
        """Return what waits for an object's file, None if nothing does."""
        return self._pending.get(place)

    def write_with(self, connection: Connection, place: Place) -> None:
        """Write what waits for a file that has just been opened."""
        pending = self._pending.get(place)
        if pending is not None:
            connection.begin()
            write_rows(connection, pending.changes())
            connection.commit()
            del self._pending[place]

    def write_all(self) -> dict[Place, Exception]:
        """Write every file and wait for the disk.

        Returns:
            The errors of those that could not be written, which go on waiting.

        Raises:
            OSError: If the disk does not take what was written.
        """
        fresh: list[Path] = []
        folders: dict[Path, None] = {}
        failed: dict[Place, Exception] = {}
        for place, pending in list(self._pending.items()):
            path = self.path(place)
            folders[path.parent] = None
            try:
                if write_file(path, pending.changes(), power_safe=self._wait):
                    fresh.append(path)
            except (OSError, SqliteError, StateDirectoryError) as error:
                failed[place] = error
            else:
                del self._pending[place]
        if self._wait:
            self.each(sync_file, fresh)
            self.each(sync_folder, folders)
        return failed

    def each(self, work: Callable[[Any], object], items: Iterable[Any]) -> None:
        """Do something that waits for the disk to each of the items, several at a time."""
        waiting = list(items)
        if len(waiting) == 1:
            work(waiting[0])
        elif waiting:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(SYNC_THREADS, thread_name_prefix="dobook-sync")
            list(self._threads.map(work, waiting))

    def places(self) -> Iterator[Place]:
        """Yield the objects whose files are behind."""
        yield from self._pending

    def close(self) -> None:
        """Let the threads go."""
        if self._threads is not None:
            self._threads.shutdown()


def write_file(path: Path, changes: Changes, *, power_safe: bool = True) -> bool:
    """Write changes to a file, making it whole if there is none.

    Returns:
        Whether the file was made; then it still has to be synced.
    """
    blank = blank_database(*changes.tables)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        image = new_database(blank, lambda connection: write_rows(connection, changes))
        beside = path.with_suffix(".new")
        beside.write_bytes(image)
        beside.replace(path)  # never half a file
        return True
    connection = Connection(path, blank=blank, power_safe=power_safe)
    try:
        connection.begin()
        write_rows(connection, changes)
        connection.commit()
    finally:
        connection.close()
    return False


def sync_file(path: Path) -> None:
    """Wait until the disk has a file."""
    fd = os.open(path, os.O_RDWR)
    try:
        flush(fd)
    finally:
        os.close(fd)


def sync_folder(path: Path) -> None:
    """Wait until the disk has the names in a folder."""
    if os.name == "nt":
        return
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
