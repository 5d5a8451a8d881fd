"""When writes become durable: the writes of one tick, of any objects, together.

In memory, and with durability "process", a commit is all there is. With "power" the tick's rows go
to the journal first (`journal`), which is waited for once; then they are written to the objects'
own files. Objects that use SQL wait for their own file, all of them at the same time.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dobook.errors import DobookError
from dobook.gates import Commit
from dobook.storage.connection import SqliteError
from dobook.storage.journal import Entry, Journal
from dobook.storage.store import Changes, ObjectStore

SYNC_THREADS = 8


class Committer:
    """Commits dirty stores once a tick and opens the output gates they kept shut.

    Args:
        call_soon: Runs a callable on the loop's next tick.
        on_commit: Told of each store and the undo log of what it committed.
        on_failure: Told of each store whose commit failed, before anything waiting on it is let go.
        journal: Where writes become durable; None if nothing has to wait for the disk.
    """

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], object],
        on_commit: Callable[[ObjectStore, dict[str, Any]], None],
        on_failure: Callable[[ObjectStore, BaseException], None],
        journal: Journal | None = None,
    ) -> None:
        self._call_soon = call_soon
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._journal = journal
        self._group: Commit | None = None
        self._dirty: list[ObjectStore] = []
        self._journaled: dict[ObjectStore, None] = {}
        self._sealed: set[ObjectStore] = set()
        self._threads: ThreadPoolExecutor | None = None

    def add(self, store: ObjectStore, *, confirmed: bool) -> None:
        """Have `store` committed with this tick; `confirmed` shuts its output gate until then."""
        group = self._group
        if group is None:
            group = self._group = Commit()
            self._call_soon(self.flush)
        if not store.dirty:
            store.dirty = True
            self._dirty.append(store)
        if confirmed:
            group.shut(store.output_gate)

    def flush(self) -> None:
        """Commit what has been collected so far, and wait for the disk where that is asked for."""
        group, self._group = self._group, None
        if group is None:
            return
        dirty, self._dirty = self._dirty, []
        dirty = [store for store in dirty if store.dirty]  # the others were rolled back
        if self._journal is None:
            for store in dirty:
                self._commit(store, None)
        else:
            self._commit_journaled(dirty, self._journal)
        group.done()

    def _commit(self, store: ObjectStore, changes: Changes | None) -> bool:
        try:
            log = store.commit(changes)
        except (SqliteError, OSError, DobookError) as error:
            store.discard()
            self._on_failure(store, error)
            return False
        self._on_commit(store, log)
        return True

    def _commit_journaled(self, dirty: list[ObjectStore], journal: Journal) -> None:
        entries = []
        work: list[tuple[ObjectStore, Changes]] = []
        alone: list[ObjectStore] = []
        for store in dirty:
            changes = store.changes()
            work.append((store, changes))
            if store in self._sealed or store.in_sql_transaction:
                alone.append(store)
                if store not in self._sealed:
                    self._sealed.add(store)
                    if store in self._journaled:
                        # What the journal says of it is in its file, once the disk has that.
                        store.sync()
                        entries.append(_entry(store, Changes([], None), seal=True))
            elif changes.rows or changes.alarm is not None:
                entries.append(_entry(store, changes))
                self._journaled[store] = None
        if entries:
            try:
                journal.append(entries)
            except OSError as error:
                for store in dirty:
                    store.discard()
                    self._on_failure(store, error)
                return
        failed = [
            (store, changes) for store, changes in work if not self._commit(store, changes)
        ]
        for store, changes in failed:
            if store not in self._sealed:
                journal.append([_entry(store, store.present(changes))])
        self._sync(store for store in alone if store.is_open)
        if journal.full:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Have the disk take every object's file, and start the journal again."""
        if self._journal is None:
            return
        self._sync(store for store in self._journaled if store.is_open)  # closing has synced
        self._journaled.clear()
        self._sealed.clear()
        self._journal.restart()

    def _sync(self, stores: Iterable[ObjectStore]) -> None:
        waiting = list(stores)
        if len(waiting) == 1:
            waiting[0].sync()
        elif waiting:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(SYNC_THREADS, thread_name_prefix="dobook-sync")
            list(self._threads.map(ObjectStore.sync, waiting))

    def close(self) -> None:
        """Commit what is left and let the threads go."""
        self.flush()
        self.checkpoint()
        if self._threads is not None:
            self._threads.shutdown()


def _entry(store: ObjectStore, changes: Changes, *, seal: bool = False) -> Entry:
    assert store.path is not None
    return Entry(store.path.parent.name, store.path.stem, changes.rows, changes.alarm, seal)
