"""A state directory: where the real engine's files lie, and dobook's own beside them.

    PATH/
      worker-Counter/            one folder a class, named by its unique key
        1f0c….sqlite             one database an object, named by its id
        metadata.sqlite          the alarms of the class
      .dobook/
        lock                     held while a process uses the directory
        journal                  rows on their way to the objects' files, and whether all went well
        state.sqlite             names of objects, the clock, notes of deployments
        ledger                   the same once more, in case the other is lost
        history.sqlite           what point-in-time recovery goes back to

Everything outside `.dobook` is what `wrangler dev --persist-to` and Miniflare write and read. There
the objects lie in `v3/do` of the folder; PATH may be that folder too, see `state_root`.
Source: cloudflare/workerd src/workerd/server/server.c++, alarm-scheduler.c++
"""

import contextlib
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from dobook.errors import StateDirectoryError
from dobook.storage import files
from dobook.storage.alarm_indexes import AlarmIndexes
from dobook.storage.boot import UNKNOWN, boot_mark
from dobook.storage.connection import STORAGE_ERRORS, Connection, SqliteError, close_all_below
from dobook.storage.entries import Entry, replay
from dobook.storage.history.opening import open_history
from dobook.storage.journal import Journal, damage_of
from dobook.storage.layout import OWN, state_root
from dobook.storage.loading import check_whole
from dobook.storage.lock import databases_allowed, keep_lock, lock_directory, release
from dobook.storage.names import check_place, check_unique_key, is_identity, is_segment
from dobook.storage.own_state import LEDGER_FILE, STATE_FILE, OwnState
from dobook.storage.pending_files import Backlog, progress_bar
from dobook.storage.rows import Changes
from dobook.storage.store import ObjectStore

Place = tuple[str, str]


class StateDirectory:
    """One state directory, held by this process until `close`.

    Args:
        path: The directory; created if it does not exist.
        power_safe: Whether what is committed is to survive a loss of power, not only the end of
            the process.
        history: Whether to keep what point-in-time recovery goes back to.

    Attributes:
        was_clean: Whether it was closed properly the last time.
        recovered: How many objects' last writes came out of the journal.
        session: How many runtimes have used it before.

    Raises:
        StateDirectoryError: If another process holds it, or it cannot be written.
    """

    def __init__(self, path: Path, *, power_safe: bool = True, history: bool = True) -> None:
        self._power_safe = power_safe
        try:
            path = state_root(path)
            own = path / OWN
            files.check_no_link(own)
            files.make_folder(own, durable=power_safe)
        except StateDirectoryError:
            raise
        except OSError as error:
            raise StateDirectoryError(
                f"{path} cannot be used as a state directory ({error.strerror}). Choose a "
                "directory that can be written."
            ) from None
        self.path = path
        self._prepared: set[str] = set()  # classes whose folder and index are there
        self._folders: dict[str, Path] = {}
        self._doubtful: set[Place] = set()  # objects whose files the disk may not have
        self._open: OrderedDict[ObjectStore, None] = OrderedDict()
        with contextlib.ExitStack() as undo:
            self._lock = lock_directory(own / "lock", path)
            undo.callback(release, self._lock)
            undo.callback(close_all_below, path)
            self._max_open = databases_allowed()
            try:
                self.journal = Journal(own / "journal", wait=power_safe)
                undo.callback(self.journal.close)
                if not self.journal.existed and power_safe:
                    files.sync_folder(own)
                self.own = OwnState(own, power_safe=power_safe)
                undo.callback(self._give_up_own)
                self.backlog = Backlog(path, wait=power_safe)
                self.alarms = AlarmIndexes(self.folder, self.own.name, power_safe=power_safe)
                self._take_in_journal()
                self.history = open_history(
                    own / "history.sqlite", wanted=history, torn=self._lost_power()
                )
                if self.history is not None:
                    undo.callback(self.history.close)
                if self._lost_power():
                    self.journal.mark_boot(self.clock_ms)
                self.session = self.own.number("session") or self.journal.generation
                self.own.set_meta(clean=0, session=self.session + 1)
            except SqliteError as error:
                raise StateDirectoryError(f"{own} cannot be used ({error}).") from error
            except OSError as error:
                if isinstance(error, StateDirectoryError):
                    raise
                raise StateDirectoryError(f"{own} cannot be used ({error}).") from error
            undo.pop_all()

    def _give_up_own(self) -> None:
        with contextlib.suppress(StateDirectoryError):
            self.own.close()

    # ------------------------------------------------------------------ the journal

    def _take_in_journal(self) -> None:
        """Take in what the journal has of the last session, and make it ready for this one."""
        journal, found = self.journal, self.journal.found
        closed = self.own.closed
        damage = damage_of(found, closed=closed)
        if not journal.existed and not closed:
            damage = "it is missing, although the directory was not closed properly"
        self.was_clean = not damage and (
            closed if found.old or not journal.existed else found.clean
        )
        self.alarms.was_clean = self.was_clean
        if self.own.is_new and found.generation > 1:
            warnings.warn(
                f"{self.path / OWN} has lost {STATE_FILE} and {LEDGER_FILE}: the names of objects are "
                "lost. Their ids, rows and alarms are not.",
                stacklevel=5,
            )
        self.recovered = 0
        if not self.was_clean:
            if self._power_safe and journal.existed:
                journal.sync()  # what a killed process wrote may not have reached the disk
            with progress_bar(len(found.entries), "recovering") as bar:
                self.recovered = replay(found.entries, self._take_in, bar.add)
        if damage:
            self._warn_of_damage(damage)
        if found.old or damage:
            if not self.was_clean:  # the alarms that have changed are not known for sure
                self.alarms.distrust(self.path)
            journal.rewrite(self._waiting_entries(), found.clock_ms or 0)
        elif found.clean:
            journal.restart(found.clock_ms or 0)

    def _take_in(self, entry: Entry) -> None:
        """Queue an object's journal entry for its file."""
        place = check_place(entry.unique_key, entry.id, self.journal.path)
        if entry.name is not None:
            self.own.recovered(place, entry.name)
        if entry.look:
            self.alarms.look(place)
        if entry.alarm is not None:
            self.alarms.changed(place, entry.alarm[0])
        if not entry.rows and entry.alarm is None:
            return
        if entry.new:  # the journal has all of it, the file perhaps half
            files.remove_database(self.file(*place))
        self.backlog.keep(place, Changes(entry.rows, entry.alarm), new=entry.new)

    def _waiting_entries(self) -> Iterator[Entry]:
        for place in self.backlog.places():
            pending = self.backlog.get(place)
            if pending is not None:
                changes = pending.changes()
                yield Entry(*place, changes.rows, changes.alarm, new=pending.new)

    def _warn_of_damage(self, damage: str) -> None:
        journal = self.journal
        evidence = ""
        if journal.existed:
            aside = journal.path.with_name(f"{journal.path.name}{files.DAMAGED_SUFFIX}")
            files.replace_atomically(aside, files.read_file(journal.path), durable=self._power_safe)
            evidence = f" A copy of it is {aside.name}."
        warnings.warn(
            f"the journal of {self.path} is damaged: {damage}. Everything that can be read has been "
            f"recovered, of {self.recovered} objects; the last writes of others may be missing."
            f"{evidence}",
            stacklevel=6,
        )

    @property
    def clock_ms(self) -> int:
        """The latest time that is known of the runtime's clock, in ms since 1970; 0 if none is."""
        return max(self.own.clock_ms, self.journal.found.clock_ms or 0)

    def _lost_power(self) -> bool:
        """Return whether the machine may have been started anew while the directory was in use."""
        used_in, now = self.journal.found.boot, boot_mark()
        return not self.was_clean and (used_in == UNKNOWN or used_in != now)

    # ------------------------------------------------------------------ objects

    def folder(self, unique_key: str) -> Path:
        """Return where a class has its files; the same object each time.

        Raises:
            StateDirectoryError: If the key cannot name a folder, or the folder is a symbolic link,
                which could lead anywhere.
        """
        folder = self._folders.get(unique_key)
        if folder is None:
            folder = self.path / check_unique_key(unique_key, self.path)
            files.check_no_link(folder)
            self._folders[unique_key] = folder
        return folder

    def prepare(self, unique_key: str) -> None:
        """Make a class's folder and the index of its alarms, which changes are added to.

        Raises:
            OSError: If the disk refuses.
        """
        if unique_key in self._prepared:
            return
        folder = self.folder(unique_key)
        files.make_folder(folder, durable=self._power_safe)
        if not self.ids(unique_key):
            self.alarms.create(unique_key)
        self._prepared.add(unique_key)

    def file(self, unique_key: str, identity: str) -> Path:
        """Return the database file of an object."""
        return self.path / unique_key / f"{identity}.sqlite"

    def unique_keys(self) -> list[str]:
        """Return the classes that have files or will have, in order."""
        found = {p.name for p in self.path.iterdir() if p.is_dir() and is_segment(p.name)}
        found.update(place[0] for place in self.backlog.places())
        return sorted(found)

    def ids(self, unique_key: str) -> list[str]:
        """Return the ids of the objects of a class that have a file, or will have, in order."""
        folder = self.path / unique_key
        found = {p.stem for p in folder.glob("*.sqlite") if is_identity(p.stem)}
        found.update(place[1] for place in self.backlog.places() if place[0] == unique_key)
        return sorted(found)

    def make_sure(self, place: Place) -> None:
        """Write what the disk may have lost, before an object's file is used.

        Raises:
            StateDirectoryError: If the disk refuses again, or the file has lost what it had.
        """
        if self._all_whole:
            check_whole(self.file(*place))
        if place in self._doubtful:
            self._settle(place)

    @property
    def _all_whole(self) -> bool:
        """Whether no crash can have left a file half made."""
        return self.journal.existed and self.journal.found.clean and not self.journal.found.damage

    def is_doubtful(self, place: Place) -> bool:
        """Return whether the disk may lack writes to an object's file."""
        return place in self._doubtful

    def doubt(self, place: Place) -> None:
        """Note that the disk may lack writes to an object's file."""
        self._doubtful.add(place)

    def _settle(self, place: Place) -> None:
        path = self.file(*place)
        if files.exists(path):
            try:
                with contextlib.closing(Connection(path, power_safe=True)) as connection:
                    connection.checkpoint()
            except STORAGE_ERRORS as error:
                raise StateDirectoryError(
                    f"{path} cannot be synced ({error}). What it says may not be on the disk, so it is "
                    "not used before that works."
                ) from error
        self._doubtful.discard(place)

    def open_stores(self) -> list[ObjectStore]:
        """Return the stores whose databases are open."""
        return list(self._open)

    def sync_open(self) -> dict[Place, Exception]:
        """Wait until the disk has all open databases, and those it is not sure of.

        Returns:
            The errors of those that it refuses.
        """
        failed: dict[Place, Exception] = {}
        for store, error in self.backlog.each(ObjectStore.sync, list(self._open)):
            try:
                store.checkpoint()
            except STORAGE_ERRORS:
                failed[store.place] = error
        failed.update(self.backlog.each(self._settle, sorted(self._doubtful)))
        return failed

    def used(self, store: ObjectStore) -> None:
        """Note that a store's database was opened; closes those used least when there are many."""
        self._open[store] = None
        self._open.move_to_end(store)
        if len(self._open) > self._max_open:
            for old in list(self._open):
                if not old.dirty and not old.transactions and old is not store:
                    self.close_store(old)
                    if len(self._open) <= self._max_open:
                        break

    def close_store(self, store: ObjectStore) -> None:
        """Close a store's database; a disk that refuses then harms nobody else.

        The database's log has everything still. It is written back when the object is used next,
        and the journal is kept until it has been.
        """
        self._open.pop(store, None)
        try:
            store.close()
        except STORAGE_ERRORS as error:
            self.doubt(store.place)
            warnings.warn(
                f"{store.path} could not be written back from its log ({error}); nothing is lost, "
                "and it is tried again.",
                stacklevel=2,
            )

    def delete_class(self, unique_key: str) -> None:
        """Delete the files, names and history of a class's objects, which nobody uses any more.

        The backlog and the journal must have nothing of them: call after a checkpoint.

        Raises:
            StateDirectoryError: If a file cannot be deleted.
        """
        folder = self.folder(unique_key)
        for store in [s for s in self._open if s.place[0] == unique_key]:
            del self._open[store]
            with contextlib.suppress(*STORAGE_ERRORS):
                store.forget()
        self.own.delete_class(unique_key)
        if self.history is not None:
            self.history.delete_class(unique_key)
        self._prepared.discard(unique_key)
        self.alarms.delete_class(unique_key)
        self._doubtful = {place for place in self._doubtful if place[0] != unique_key}
        try:
            files.remove_tree(folder)
            if self._power_safe:
                files.sync_folder(self.path)
        except OSError as error:
            raise StateDirectoryError(f"{folder} cannot be deleted ({error.strerror}).") from None

    # ------------------------------------------------------------------ the end

    @property
    def waiting(self) -> bool:
        """Whether something is in the journal only."""
        return bool(self._doubtful) or next(self.backlog.places(), None) is not None

    def forked(self) -> None:
        """Leave the directory to the parent of this process, which keeps the lock."""
        release(self._lock)

    def opened(self) -> None:
        """Note that a runtime has the directory open and will close it."""
        keep_lock(self._lock)

    def closing(self) -> None:
        """Note that the directory is being closed; an interrupted close leaves no lock behind."""
        keep_lock(self._lock, kept=False)

    def close(self, clock_ms: int) -> None:
        """Close every file and release the directory.

        Args:
            clock_ms: The time on the runtime's clock, in ms since 1970.

        Raises:
            StateDirectoryError: If the disk refuses. The directory is let go all the same; what
                its files lack is in the journal.
        """
        closing = contextlib.ExitStack()
        closing.callback(release, self._lock)
        closing.callback(close_all_below, self.path)
        closing.callback(self.backlog.close)
        closing.callback(self.journal.close)
        closing.callback(self.own.close)
        if self.history is not None:
            closing.callback(self.history.close)
        # From here on an exception closes everything. In the lines above it closes nothing, so that
        # closing can be repeated.
        with closing:
            self._close_stores()
            if self.history is not None:
                self.history.close(durable=self._power_safe)
            self.own.flush()
            clean = not self.waiting and not self.alarms.unread
            self.own.set_meta(clean=1 if clean else 0)
            if clean:
                self.journal.restart(clock_ms, clean=True)

    def _close_stores(self) -> None:
        stores, self._open = list(self._open), OrderedDict()
        for store, _ in self.backlog.each(ObjectStore.close, stores, "closing"):
            self.doubt(store.place)
        for place, _ in self.backlog.each(self._settle, sorted(self._doubtful)):
            self.doubt(place)
