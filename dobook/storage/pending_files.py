"""Rows that are safe in the journal and not yet in their objects' files.

The journal is what an answer waits for, so an object's own file can be written later: at a
checkpoint, when SQL needs it, or when the directory is closed. An object that is changed a thousand
times is then written once, and one that has no file yet gets it whole, in one write, without a
journal of its own. A file that cannot be written keeps its rows waiting and harms no other.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dobook.progress import Progress
from dobook.storage import files
from dobook.storage.blank import blank_database, new_database
from dobook.storage.connection import STORAGE_ERRORS, Connection
from dobook.storage.rows import Changes, write_rows

Place = tuple[str, str]
SYNC_THREADS = 8
QUIET_S = 2.0  # nobody needs a bar for less
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
        """Queue changes that an earlier process left because it could not write the file."""
        pending = self._pending[place] = Pending(new=new)
        pending.add(changes)

    def add(self, place: Place, changes: Changes) -> Pending:
        """Queue changes for an object's file."""
        pending = self._pending.get(place)
        if pending is None:
            pending = self._pending[place] = Pending(new=not self._exists(place))
        pending.add(changes)
        return pending

    def _exists(self, place: Place) -> bool:
        # A Path would keep the id in the table of interned strings for good.
        return files.exists(f"{self._root}/{place[0]}/{place[1]}.sqlite")

    def is_new(self, place: Place) -> bool:
        """Return whether an object had no file at the last checkpoint."""
        pending = self._pending.get(place)
        return pending.new if pending is not None else not self._exists(place)

    def get(self, place: Place) -> Pending | None:
        """Return what waits for an object's file, None if nothing does."""
        return self._pending.get(place)

    def write_with(self, connection: Connection, place: Place) -> None:
        """Write what waits for a file that has just been opened.

        Raises:
            SqliteError: If the disk refuses; then it stays waiting.
        """
        pending = self._pending.get(place)
        if pending is not None:
            with connection.transaction():
                write_rows(connection, pending.changes())
            del self._pending[place]

    def write_all(self) -> dict[Place, Exception]:
        """Write every file and wait for the disk.

        Returns:
            The errors of those that could not be written, which stay waiting.
        """
        written: dict[Place, None] = {}
        fresh: list[Place] = []
        failed: dict[Place, Exception] = {}
        with progress_bar(len(self._pending), "writing") as bar:
            for place, pending in list(self._pending.items()):
                try:
                    if write_file(self.path(place), pending.changes(), power_safe=self._wait):
                        fresh.append(place)
                except STORAGE_ERRORS as error:
                    failed[place] = error
                else:
                    written[place] = None
                bar.add()
        if self._wait:
            failed.update(self.each(self._sync_fresh, fresh, "syncing"))
            folders = dict.fromkeys(place[0] for place in fresh)
            for unique_key, refusal in self.each(self._sync_folder, folders):
                failed.update((place, refusal) for place in fresh if place[0] == unique_key)
        for place in written:
            if place not in failed:
                del self._pending[place]
        return failed

    def _sync_fresh(self, place: Place) -> None:
        path = self.path(place)
        try:
            files.sync_file(path)
        except OSError:
            # The next sync of this file may report success without having the data: a disk that
            # has refused forgets it. So the file has to be written anew.
            with contextlib.suppress(OSError):
                files.remove_database(path)
            raise

    def _sync_folder(self, unique_key: str) -> None:
        files.sync_folder(self._root / unique_key)

    def each(
        self, work: Callable[[Any], object], items: Iterable[Any], verb: str = ""
    ) -> list[tuple[Any, Exception]]:
        """Do something that waits for the disk to each of the items, several at a time.

        Args:
            work: What to do to an item.
            items: The items.
            verb: What a bar says when it takes long; without one there is no bar.

        Returns:
            The items for which it failed, each with its error.
        """
        waiting = list(items)

        def attempt(item: object) -> Exception | None:
            try:
                work(item)
            except STORAGE_ERRORS as error:
                return error
            return None

        if len(waiting) < 2:
            errors = [attempt(item) for item in waiting]
        else:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(SYNC_THREADS, thread_name_prefix="dobook-sync")
            errors = []
            with progress_bar(len(waiting), verb) as bar:
                for error in self._threads.map(attempt, waiting):
                    errors.append(error)
                    if verb:
                        bar.add()
        return [(item, e) for item, e in zip(waiting, errors, strict=True) if e is not None]

    def places(self) -> Iterator[Place]:
        """Yield the objects whose files are behind."""
        yield from self._pending

    def close(self) -> None:
        """Shut the threads down."""
        if self._threads is not None:
            self._threads.shutdown()


def progress_bar(total: int, verb: str) -> Progress:
    """Return a bar for work on many objects, which shows itself after QUIET_S."""
    return Progress(total, after_s=QUIET_S, desc=f"{verb} objects", unit="object")


def write_file(path: Path, changes: Changes, *, power_safe: bool = True) -> bool:
    """Write changes to a file, creating a whole one if it is missing.

    Returns:
        Whether the file was made; then it still has to be synced.
    """
    if not files.exists(path):
        files.make_folder(path.parent, durable=power_safe)
        files.remove_orphans(path, durable=power_safe)
        blank = blank_database(*changes.tables)
        image = new_database(blank, lambda connection: write_rows(connection, changes))
        files.replace_atomically(path, image, durable=False)  # never half a file
        return True
    with (
        contextlib.closing(
            Connection(path, blank=blank_database(), power_safe=power_safe)
        ) as connection,
        connection.transaction(),
    ):
        write_rows(connection, changes)
    return False
