"""When the commits of a state directory become durable.

A commit is made in memory first. The journal takes it before anything leaves the runtime that may
depend on it: an answer to whoever is outside of objects, a message to a socket, a request. So the
answers of a tick share one wait for the disk, and while nobody outside waits, in a long
fast-forward for instance, many ticks do. One record of the journal has all of them: a process that
is killed leaves every object as it was at one and the same instant.

Objects that use SQL write, and wait for, their own file as soon as they commit, all at the same
time; what was committed before them is in the journal by then. The other objects' files follow
later (`backlog`).
"""

import warnings
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from dobook.errors import DobookError
from dobook.storage.backlog import Backlog, Place
from dobook.storage.committer import Committer
from dobook.storage.connection import SqliteError
from dobook.storage.journal import Entry, Journal
from dobook.storage.rows import Changes
from dobook.storage.store import ObjectStore

MAX_COMMITS_BEHIND: Final = 4_096
MAX_S_BEHIND: Final = 1.0  # of real time, which nothing else depends on


class JournaledCommitter(Committer):
    """Commits the stores of a state directory.

    Args:
        journal: Where writes become durable.
        backlog: Where rows wait that are in the journal and not in their files.
        may_lag: Whether it can be that nobody outside notices for a while.
        before_write: Called before the journal or a file is written; what it raises fails the
            commits that were to be written.
        on_lost: Told of an error that has taken back what others have heard of already.
        told: What a `Committer` is given.
    """

    def __init__(
        self,
        *told: Any,
        journal: Journal,
        backlog: Backlog,
        may_lag: Callable[[], bool],
        before_write: Callable[[], None],
        on_lost: Callable[[BaseException], None],
    ) -> None:
        super().__init__(*told)
        self._journal = journal
        self._backlog = backlog
        self._may_lag = may_lag
        self._before_write = before_write
        self._on_lost = on_lost
        # What the journal does not have yet: of each store the values before its first commit.
        self._ahead: dict[ObjectStore, dict[str, Any]] = {}
        self._asleep: dict[Place, ObjectStore] = {}  # of those, whose objects have left memory
        self._commits_ahead = 0
        self._ticks_ahead = 0
        self._ahead_since = 0.0
        # Since the last checkpoint, by place: stores come and go.
        self._journaled = set(backlog.places())
        self._sealed: set[Place] = set()
        self._unsynced: dict[ObjectStore, None] = {}
        self._had_files: set[Place] = set()

    def catch_up(self) -> BaseException | None:
        """Have the journal take everything that is committed; returns why it could not.

        Then the objects are back at what it has.
        """
        return self._catch_up(heard=True) if self._ahead else None

    def asleep(self, place: Place) -> ObjectStore | None:
        """Return the store of an object that has left memory before the journal had all of it."""
        return self._asleep.pop(place, None)

    def leave_asleep(self, store: ObjectStore) -> None:
        """Note that an object has left memory."""
        if store in self._ahead:
            self._asleep[store.place] = store

    def checkpoint(self) -> None:
        """Have the disk take every object's file, and start the journal again.

        A file that cannot be written keeps the journal as it is.

        Raises:
            StateDirectoryError: If the disk does not take an open file; the journal keeps all.
            OSError: If the disk refuses otherwise.
        """
        self.catch_up()
        failed = self._backlog.write_all()
        # Closing a file has synced it.
        self._backlog.each(ObjectStore.sync, (s for s in self._unsynced if s.is_open))
        self._unsynced.clear()
        if failed:
            self._journal.postpone()
            place, error = next(iter(failed.items()))
            path = self._backlog.path(place)
            warnings.warn(
                f"{len(failed)} objects could not be written to their files; their rows stay in the "
                f"journal. The first is {path}: {error}",
                stacklevel=2,
            )
            return
        self._journaled.clear()
        self._sealed.clear()
        self._had_files.clear()
        self._journal.restart()

    # ------------------------------------------------------------------ through the journal

    def _commit_all(self, dirty: list[ObjectStore], *, leaves: bool) -> None:
        sealed = self._sealed
        if any(store.is_open or (sealed and store.place in sealed) for store in dirty):
            self.catch_up()
            self._commit_at_once([store for store in dirty if store.dirty])
            return
        for store in dirty:
            self._commit_ahead(store)
        if not self._ahead:
            return
        self._ticks_ahead += 1
        if leaves or not self._may_lag() or self._is_far_behind():
            self._catch_up(heard=self._ticks_ahead > 1)
        else:
            self.behind = True

    def _commit_ahead(self, store: ObjectStore) -> None:
        log = store.committed()
        if log:
            before = self._ahead.setdefault(store, log)
            if before is not log:
                for key, old in log.items():
                    before.setdefault(key, old)
        self._commits_ahead += 1
        self._committed(store, log)

    def _is_far_behind(self) -> bool:
        if self._ticks_ahead == 1:
            self._ahead_since = monotonic()
        return (
            self._commits_ahead >= MAX_COMMITS_BEHIND
            or monotonic() - self._ahead_since >= MAX_S_BEHIND
        )

    def _catch_up(self, *, heard: bool) -> BaseException | None:
        """Write what the journal does not have.

        Args:
            heard: Whether other objects may have heard of it.
        """
        ahead = self._ahead
        work = [(store, store.committed_changes(log)) for store, log in ahead.items()]
        try:
            self._before_write()
            self._journal.append(self._entry_of(store, changes) for store, changes in work)
        except (SqliteError, OSError, DobookError) as error:
            self._is_level()
            for store, log in ahead.items():
                store.take_back(log)
            for store, log in ahead.items():
                self._on_failure(store, error)
                self._on_commit(store, log)  # its alarm is again what it was
            if heard:
                self._on_lost(error)
            return error
        for store, changes in work:
            self._backlog.add(store.place, changes)
        self._is_level()  # not before: an interrupt in between has it all written once more
        self._checkpoint_if_full()
        return None

    def _is_level(self) -> None:
        self._ahead = {}
        self._asleep.clear()
        self._commits_ahead = self._ticks_ahead = 0
        self.behind = False

    def _entry_of(self, store: ObjectStore, changes: Changes) -> Entry:
        place = store.place
        new = place not in self._had_files and self._backlog.is_new(place)
        if not new:
            self._had_files.add(place)
        self._journaled.add(place)
        return _entry(store, changes, new=new)

    # ------------------------------------------------------------------ through files

    def _commit_at_once(self, dirty: list[ObjectStore]) -> None:
        entries = []
        work: list[tuple[ObjectStore, Changes]] = []
        alone: list[ObjectStore] = []
        for store in dirty:
            changes = store.changes()
            place = store.place
            if place in self._sealed or store.in_sql_transaction:
                if place not in self._sealed:
                    if place in self._journaled:
                        # What the journal says of it is in its file, once the disk has that.
                        if not self._synced(store):
                            continue
                        entries.append(_entry(store, Changes([], None), seal=True))
                    self._sealed.add(place)
                alone.append(store)
            elif changes.rows or changes.alarm is not None:
                entries.append(self._entry_of(store, changes))
            work.append((store, changes))
        try:
            self._before_write()
            if entries:
                self._journal.append(entries)
        except (SqliteError, OSError, DobookError) as error:
            self._fail([store for store, _ in work], error)
            return
        failed = []
        for store, changes in work:
            if store.is_open:
                self._unsynced[store] = None
                if not self._commit(store, changes):
                    failed.append((store, changes))
            else:
                self._backlog.add(store.place, changes)
                self._committed(store, store.committed())
        for store, changes in failed:
            if store.place not in self._sealed:
                self._journal.append([_entry(store, store.present(changes))])
        self._backlog.each(self._synced, (store for store in alone if store.is_open))
        self._checkpoint_if_full()

    def _synced(self, store: ObjectStore) -> bool:
        """Wait for the disk to have a store's file; breaks the object if it refuses."""
        try:
            store.sync()
        except (OSError, DobookError) as error:
            self._fail([store], error)
            return False
        return True

    def _checkpoint_if_full(self) -> None:
        if self._journal.full or self._backlog.full:
            try:
                self.checkpoint()
            except (OSError, DobookError) as error:
                self._journal.postpone()  # it has everything still
                warnings.warn(f"the journal goes on growing: {error}", stacklevel=2)


def _entry(store: ObjectStore, changes: Changes, *, seal: bool = False, new: bool = False) -> Entry:
    unique_key, identity = store.place
    return Entry(unique_key, identity, changes.rows, changes.alarm, seal, new)
