"""When the commits of a state directory become durable.

A commit is made in memory first. The journal takes it before anything leaves the runtime that may
depend on it: an answer to a caller outside of objects, a message to a socket, a request. So the
answers of a tick share one wait for the disk, and while nobody outside waits, in a long
fast-forward for instance, many ticks do. One record of the journal has all of them: a process that
is killed leaves every object as it was at one and the same instant.

An object whose database is open commits to its own file, and syncs that; all such objects of a tick
sync at the same time. What was committed before them is in the journal by then. The files of the
other objects follow later (`backlog`).

So each object has its latest rows in one of two places, and moves between them:

    journal → file    At the first commit with an open database. The file gets the rows that the
                      journal has, is synced, and a *seal* in the journal says that they no longer
                      count. Only then does the commit go to the file.
    file → journal    When the database is closed, which has synced it. Later entries count again.

A checkpoint empties the journal: afterwards every object's rows are in its file.
"""

import warnings
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import DobookError
from dobook.storage.committer import Committer
from dobook.storage.connection import STORAGE_ERRORS
from dobook.storage.entries import Entry
from dobook.storage.pending_files import Place
from dobook.storage.rows import Changes
from dobook.storage.store import ObjectStore

if TYPE_CHECKING:
    from dobook.storage.directory import StateDirectory

MAX_COMMITS_BEHIND: Final = 4_096
MAX_S_BEHIND: Final = 1.0  # of real time, which nothing else depends on


class JournaledCommitter(Committer):
    """Commits the stores of a state directory.

    Args:
        directory: The state directory.
        clock: Returns the time on the runtime's clock, in ms since 1970.
        may_lag: Whether it can be that nobody outside notices for a while.
        before_write: Called before the journal or a file is written; what it raises fails the
            commits that were to be written.
        on_lost: Called with an error that has taken back what others have heard of already.
        told: What a `Committer` is given.
    """

    def __init__(
        self,
        *told: Any,
        directory: "StateDirectory",
        clock: Callable[[], int],
        may_lag: Callable[[], bool],
        before_write: Callable[[], None],
        on_lost: Callable[[BaseException], None],
    ) -> None:
        super().__init__(*told)
        self._directory = directory
        self._journal = directory.journal
        self._backlog = directory.backlog
        self._own = directory.own
        self._clock = clock
        self._may_lag = may_lag
        self._before_write = before_write
        self._on_lost = on_lost
        # What the journal does not have yet: of each store the values before its first commit.
        self._ahead: dict[ObjectStore, dict[str, Any]] = {}
        self._asleep: dict[Place, ObjectStore] = {}  # of those, whose objects have left memory
        self._commits_ahead = 0
        self._ticks_ahead = 0
        self._ahead_since = 0.0
        # By place, as stores come and go:
        self._journaled = set(self._backlog.places())  # the journal has entries that count
        self._announced: set[Place] = set()  # the journal says to look at the file for the alarm

    def catch_up(self) -> BaseException | None:
        """Write everything that is committed to the journal; returns why it could not.

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
        """Write every object's file, wait for the disk, and start the journal again.

        A file that cannot be written keeps the journal as it is.

        Raises:
            StateDirectoryError: If the disk does not take what is needed; the journal keeps all.
            OSError: If the disk refuses otherwise.
        """
        self.catch_up()
        failed = self._backlog.write_all()
        failed.update(self._directory.sync_open())
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
        self._directory.alarms.checkpoint()
        self._own.flush()
        self._journal.restart(self._clock())
        self._journaled.clear()
        self._announced.clear()

    # ------------------------------------------------------------------ through the journal

    def _commit_all(self, dirty: list[ObjectStore], *, leaves: bool) -> None:
        try:
            self._commit_each(dirty, leaves=leaves)
        except BaseException as error:
            if self._ahead:  # the gates are about to open, and the journal does not have these
                self._take_back(error, heard=True)
            raise

    def _commit_each(self, dirty: list[ObjectStore], *, leaves: bool) -> None:
        if any(store.is_open for store in dirty):
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
        log = store.kv.undo
        if log:
            before = self._ahead.setdefault(store, log)
            if before is not log:
                for key, old in log.items():
                    before.setdefault(key, old)
        store.committed()
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
        try:
            work = [(store, store.committed_changes(log)) for store, log in ahead.items()]
            self._before_write()
            self._append([self._entry_of(store, changes) for store, changes in work])
        except Exception as error:  # of any kind, as the group's waiters must not hang
            self._take_back(error, heard=heard)
            return error
        for store, changes in work:
            self._journaled_now(store, changes)
        self._is_level()  # last: after an interrupt in the lines above, all of it is written again
        self._checkpoint_if_full()
        return None

    def _take_back(self, error: BaseException, *, heard: bool) -> None:
        """Undo all commits that the journal does not have."""
        ahead = self._ahead
        self._is_level()
        for store, log in ahead.items():
            store.take_back(log)
        for store, log in ahead.items():
            self._on_failure(store, error)
            self._on_commit(store, log)  # its alarm is again what it was
        if heard:
            self._on_lost(error)

    def _is_level(self) -> None:
        self._ahead = {}
        self._asleep.clear()
        self._commits_ahead = self._ticks_ahead = 0
        self.behind = False

    def _append(self, entries: list[Entry]) -> None:
        """Write entries to the journal, and the names that are new."""
        for unique_key in {entry.unique_key for entry in entries}:
            self._directory.prepare(unique_key)
        names = self._own.new_names() if self._own.has_new_names else []
        if entries or names:
            self._journal.append([*entries, *names], self._clock())
            self._own.journaled(names)

    def _entry_of(self, store: ObjectStore, changes: Changes) -> Entry:
        unique_key, identity = place = store.place
        new = self._backlog.is_new(place)
        return Entry(unique_key, identity, changes.rows, changes.alarm, new=new)

    def _journaled_now(self, store: ObjectStore, changes: Changes) -> None:
        """Note that the journal has changes which the object's file does not."""
        self._backlog.add(store.place, changes)
        self._journaled.add(store.place)
        self._note_alarm(store.place, changes)

    def _note_alarm(self, place: Place, changes: Changes) -> None:
        if changes.alarm is not None:
            self._directory.alarms.changed(place, changes.alarm[0])

    # ------------------------------------------------------------------ through files

    def _commit_at_once(self, dirty: list[ObjectStore]) -> None:
        """Commit stores of which some have an open database."""
        for store, refusal in self._seal([store for store in dirty if store.is_open]).items():
            self._fail([store], refusal)
        entries: list[Entry] = []
        work: list[tuple[ObjectStore, Changes]] = []
        for store in dirty:
            if not store.dirty:  # sealing has failed
                continue
            try:
                changes = store.changes()
                if not store.is_open:
                    if changes.rows or changes.alarm is not None:
                        entries.append(self._entry_of(store, changes))
                elif changes.alarm is not None and store.place not in self._announced:
                    entries.append(Entry(*store.place, [], look=True))
            except Exception as error:
                self._fail([store], error)
            else:
                work.append((store, changes))
        try:
            self._before_write()
            for store, _ in work:
                self._directory.prepare(store.place[0])
            self._append(entries)
        except Exception as error:  # of any kind, as the group's waiters must not hang
            self._fail([store for store, _ in work], error)
            return
        self._announced.update((e.unique_key, e.id) for e in entries if e.look)
        synced: dict[ObjectStore, None] = {}
        for store, changes in work:
            if not store.is_open:
                self._journaled_now(store, changes)
                self._committed(store, store.committed())
            elif self._commit(store, changes):
                self._note_alarm(store.place, changes)
                synced[store] = None
        for store, refusal in self._backlog.each(ObjectStore.sync, synced):
            self._not_synced(store, refusal)
        self._checkpoint_if_full()

    def seal(self, store: ObjectStore) -> None:
        """Mark an object's journal entries as obsolete, because its file has them.

        Raises:
            Exception: What the disk, or the journal, has refused with; then they still count.
        """
        for error in self._seal([store]).values():
            raise error

    def _seal(self, stores: Iterable[ObjectStore]) -> dict[ObjectStore, Exception]:
        """Seal those of some open stores that the journal has entries of; returns the refusals."""
        wanted = [store for store in stores if store.place in self._journaled]
        failed = dict(self._backlog.each(ObjectStore.sync, wanted))
        sealed = [store for store in wanted if store not in failed]
        if sealed:
            try:
                self._append([Entry(*store.place, [], seal=True) for store in sealed])
            except Exception as error:  # of any kind, as the group's waiters must not hang
                failed.update(dict.fromkeys(sealed, error))
            else:
                for store in sealed:
                    self._journaled.discard(store.place)
                    self._announced.add(store.place)
        return failed

    def _not_synced(self, store: ObjectStore, error: Exception) -> None:
        """Retry a commit that the disk refused, another way.

        A disk that has refused a sync may report success the next time without having the data. A
        checkpoint writes all of it anew. If that fails as well, the object is reset, and its file
        is not used again before a checkpoint has worked.
        """
        try:
            store.checkpoint()
        except STORAGE_ERRORS:
            self._directory.doubt(store.place)
            self._fail([store], error)

    def _checkpoint_if_full(self) -> None:
        if self._journal.full or self._backlog.full:
            try:
                self.checkpoint()
            except (*STORAGE_ERRORS, DobookError) as error:
                self._journal.postpone()  # it has everything still
                warnings.warn(f"the journal continues to grow: {error}", stacklevel=2)
