"""When writes become durable: the writes of one tick, of any objects, together.

In memory a commit is all there is. In a state directory the tick's rows go to the journal first
(`journal`), which with durability "power" is waited for, once; the objects' own files follow later
(`backlog`). Objects that use SQL write, and wait for, their own file, all at the same time.
"""

import warnings
from collections.abc import Callable
from typing import Any

from dobook.errors import DobookError
from dobook.gates import Commit
from dobook.storage.backlog import Backlog
from dobook.storage.connection import SqliteError
from dobook.storage.journal import Entry, Journal
from dobook.storage.rows import Changes
from dobook.storage.store import ObjectStore


class Committer:
    """Commits dirty stores once a tick and opens the output gates they kept shut.

    Args:
        call_soon: Runs a callable on the loop's next tick.
        on_commit: Told of each store and the undo log of what it committed.
        on_failure: Told of each store whose commit failed, before anything waiting on it is let go.
        journal: Where writes become durable; None if nothing has to wait for the disk.
        backlog: Where rows wait that are in the journal and not in their files.
        before_commit: Told of the stores that are about to be committed; None if nobody asks.
    """

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], object],
        on_commit: Callable[[ObjectStore, dict[str, Any]], None],
        on_failure: Callable[[ObjectStore, BaseException], None],
        journal: Journal | None = None,
        backlog: Backlog | None = None,
        before_commit: Callable[[list[ObjectStore]], None] | None = None,
    ) -> None:
        self._call_soon = call_soon
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._before_commit = before_commit
        self._journal = journal
        self._backlog = backlog
        # For watching and for faults on purpose; None almost always.
        self.screen: Callable[[ObjectStore], bool] | None = None  # whether it may be committed
        self.after: Callable[[ObjectStore, dict[str, Any]], None] | None = None
        self.delay_ms: Callable[[ObjectStore], float] | None = None
        self.call_later: Callable[[float, Callable[[], None]], object] | None = None
        self._delayed: dict[ObjectStore, Commit] = {}
        self._group: Commit | None = None
        self._dirty: list[ObjectStore] = []
        # Since the last checkpoint, by place: stores come and go.
        self._journaled = set() if backlog is None else set(backlog.places())
        self._sealed: set[tuple[str, str]] = set()
        self._unsynced: dict[ObjectStore, None] = {}
        self._had_files: set[tuple[str, str]] = set()

    def add(self, store: ObjectStore, *, confirmed: bool) -> None:
        """Have `store` committed with this tick; `confirmed` shuts its output gate until then."""
        if self.delay_ms is not None and self._add_delayed(store, confirmed=confirmed):
            return
        group = self._group
        if group is None:
            group = self._group = Commit()
            self._call_soon(self._flush_tick)
        if not store.dirty:
            store.dirty = True
            self._dirty.append(store)
        if confirmed:
            group.shut(store.output_gate)

    def flush(self) -> None:
        """Commit what has been collected so far, and wait for the disk where that is asked for."""
        for store in list(self._delayed):
            self._flush_delayed(store)
        self._flush_tick()

    def _add_delayed(self, store: ObjectStore, *, confirmed: bool) -> bool:
        """Have a store whose storage is slow on purpose committed later; returns if it is one."""
        assert self.delay_ms is not None
        group = self._delayed.get(store)
        if group is None:
            ms = 0 if store.dirty else self.delay_ms(store)
            if not ms or self.call_later is None:
                return False
            group = self._delayed[store] = Commit()
            self.call_later(ms / 1000, lambda: self._flush_delayed(store, group))
        store.dirty = True
        if confirmed:
            group.shut(store.output_gate)
        return True

    def _flush_delayed(self, store: ObjectStore, group: Commit | None = None) -> None:
        if group is None or self._delayed.get(store) is group:
            group = self._delayed.pop(store)
            self._commit_group(group, [store])

    def _flush_tick(self) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        dirty, self._dirty = self._dirty, []
        self._commit_group(group, dirty)

    def _commit_group(self, group: Commit, dirty: list[ObjectStore]) -> None:
        dirty = [store for store in dirty if store.dirty]  # the others were rolled back
        screen = self.screen  # the last fault that was planned may take it away
        if screen is not None:
            dirty = [store for store in dirty if screen(store)]
        if self._before_commit is not None:
            try:
                self._before_commit(dirty)
            except (SqliteError, OSError, DobookError) as error:
                self._fail(dirty, error)
                group.done()
                return
        if self._journal is None or self._backlog is None:
            for store in dirty:
                self._commit(store, None)
        else:
            self._commit_journaled(dirty, self._journal, self._backlog)
        group.done()

    def lost(self, store: ObjectStore, error: BaseException) -> None:
        """SQLite has undone what a store had not committed: break the object."""
        self._fail([store], error)

    def _fail(self, stores: list[ObjectStore], error: BaseException) -> None:
        for store in stores:
            store.wiped = False
            store.discard()
            self._on_failure(store, error)

    def _commit(self, store: ObjectStore, changes: Changes | None) -> bool:
        try:
            log = store.commit(changes)
        except (SqliteError, OSError, DobookError) as error:
            self._fail([store], error)
            return False
        self._on_commit(store, log)
        if self.after is not None:
            self.after(store, log)
        return True

    def _commit_journaled(
        self, dirty: list[ObjectStore], journal: Journal, backlog: Backlog
    ) -> None:
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
                new = place not in self._had_files and backlog.is_new(place)
                if not new:
                    self._had_files.add(place)
                entries.append(_entry(store, changes, new=new))
                self._journaled.add(place)
            work.append((store, changes))
        if entries:
            try:
                journal.append(entries)
            except OSError as error:
                self._fail([store for store, _ in work], error)
                return
        failed = []
        for store, changes in work:
            if store.is_open:
                self._unsynced[store] = None
                if not self._commit(store, changes):
                    failed.append((store, changes))
            else:
                backlog.add(store.place, changes)
                log = store.committed()
                self._on_commit(store, log)
                if self.after is not None:
                    self.after(store, log)
        for store, changes in failed:
            if store.place not in self._sealed:
                journal.append([_entry(store, store.present(changes))])
        backlog.each(self._synced, (store for store in alone if store.is_open))
        if journal.full or backlog.full:
            try:
                self.checkpoint()
            except (OSError, DobookError) as error:
                journal.postpone()  # it has everything still
                warnings.warn(f"the journal goes on growing: {error}", stacklevel=2)

    def _synced(self, store: ObjectStore) -> bool:
        """Wait for the disk to have a store's file; breaks the object if it refuses."""
        try:
            store.sync()
        except (OSError, DobookError) as error:
            self._fail([store], error)
            return False
        return True

    def checkpoint(self) -> None:
        """Have the disk take every object's file, and start the journal again.

        A file that cannot be written keeps the journal as it is.

        Raises:
            StateDirectoryError: If the disk does not take an open file; the journal keeps all.
            OSError: If the disk refuses otherwise.
        """
        if self._journal is None or self._backlog is None:
            return
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

    def close(self) -> None:
        """Commit what is left and have the disk take it."""
        self.flush()
        self.checkpoint()


def _entry(store: ObjectStore, changes: Changes, *, seal: bool = False, new: bool = False) -> Entry:
    unique_key, identity = store.place
    return Entry(unique_key, identity, changes.rows, changes.alarm, seal, new)
