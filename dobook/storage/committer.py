"""When writes are committed: the writes of one tick, of any objects, together.

In memory a commit is all there is. `journaled` says what more there is to it in a state directory.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from dobook.gates import Commit
from dobook.storage.rows import Changes
from dobook.storage.store import ObjectStore

# How many ticks of the loop a commit takes to be confirmed, where work in the background may abort the
# object meanwhile. Source: observed in workerd, where the confirmation is an event of its own
LINGER_TICKS: Final = 2


class Committer:
    """Commits dirty stores once a tick and opens the output gates they kept shut.

    Args:
        call_soon: Runs a callable on the loop's next tick.
        before_commit: Told of the stores that are about to be committed.
        on_commit: Told of each store and the undo log of what it committed.
        on_failure: Told of each store whose commit failed, before anything waiting on it is let go.
    """

    source: Any = None  # the clock and chance that SQL of its stores sees; None for the real ones
    behind = False  # whether there are commits that the journal does not have
    # Whether a turn of one of some objects lasts longer than this tick; calls the callable after it.
    turn_lasts: Callable[[Iterable[ObjectStore], Callable[[], None]], bool] | None = None

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], object],
        before_commit: Callable[[list[ObjectStore]], None],
        on_commit: Callable[[ObjectStore, dict[str, Any]], None],
        on_failure: Callable[[ObjectStore, BaseException], None],
    ) -> None:
        self._call_soon = call_soon
        self._before_commit = before_commit
        self._on_commit = on_commit
        self._on_failure = on_failure
        # For watching and for faults on purpose; None almost always.
        self.screen: Callable[[ObjectStore], bool] | None = None  # whether it may be committed
        self.after: Callable[[ObjectStore, dict[str, Any]], None] | None = None
        self.delay_ms: Callable[[ObjectStore], float] | None = None
        self.call_later: Callable[[float, Callable[[], None]], object] | None = None
        self._delayed: dict[ObjectStore, Commit] = {}
        self.group: Commit | None = None  # of this tick's writes; None before there are any
        self._dirty: dict[ObjectStore, None] = {}

    def add(self, store: ObjectStore, *, confirmed: bool) -> None:
        """Commit `store` with this tick; `confirmed` shuts its output gate until then."""
        if self.delay_ms is not None and self._add_delayed(store, confirmed=confirmed):
            return
        group = self.group
        if group is None:
            # First, so that an exception in this line leaves no group behind.
            self._call_soon(self._flush_tick)
            group = self.group = Commit()
        if not store.dirty or store not in self._dirty:
            store.dirty = True
            self._dirty[store] = None
        if confirmed:
            group.shut(store.output_gate)

    def flush(self) -> None:
        """Commit what has been collected so far, and open the gates at once."""
        for group in (*self._delayed.values(), self.group):
            if group is not None:
                group.lingers = False
        for store in list(self._delayed):
            self._flush_delayed(store)
        self._flush_group()

    def catch_up(self) -> BaseException | None:
        """Flush everything that is committed; returns why it could not be.

        Then the objects are back at what is.
        """
        return None

    def checkpoint(self) -> None:
        """Write every object's file."""

    def seal(self, store: ObjectStore) -> None:
        """Make an object's file its only record, before the file is changed as a whole."""

    def asleep(self, place: tuple[str, str]) -> ObjectStore | None:
        """Return the store of an object that has left memory before its commits were durable."""
        return None

    def leave_asleep(self, store: ObjectStore) -> None:
        """Note that an object has left memory."""

    def close(self) -> None:
        """Commit what is left, and flush it to the disk."""
        self.flush()
        self.checkpoint()

    def lost(self, store: ObjectStore, error: BaseException) -> None:
        """Break an object whose uncommitted changes SQLite has undone."""
        self._fail([store], error)

    # ------------------------------------------------------------------ one group

    def _add_delayed(self, store: ObjectStore, *, confirmed: bool) -> bool:
        """Delay the commit of a store that is slow on purpose; returns whether it is one."""
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
        if self.turn_lasts is None or not self.turn_lasts(self._dirty, self._flush_tick):
            self._flush_group()

    def _flush_group(self) -> None:
        group, self.group = self.group, None
        if group is None:
            return
        dirty, self._dirty = self._dirty, {}
        self._commit_group(group, list(dirty))

    def _open(self, group: Commit, ticks: int) -> None:
        """Let those speak who wait for a group, after some ticks of the loop."""
        if ticks:
            self._call_soon(lambda: self._open(group, ticks - 1))
        else:
            group.done()

    def _commit_group(self, group: Commit, dirty: list[ObjectStore]) -> None:
        dirty = [store for store in dirty if store.dirty]  # the others were rolled back
        try:
            screen = self.screen  # read once: running the last planned fault resets it
            if screen is not None:
                dirty = [store for store in dirty if screen(store)]
            self._before_commit(dirty)
            self._commit_all(dirty, leaves=group.leaves)
        except BaseException as error:  # of any kind, as the group's waiters must not hang
            failed = [store for store in dirty if store.dirty]
            self._fail(failed, error)
            # What was committed stays, and its alarm may not have been set: that is to be mended.
            if not isinstance(error, Exception) or len(failed) < len(dirty):
                raise
        finally:
            self._open(group, LINGER_TICKS if group.lingers else 0)

    def _commit_all(self, dirty: list[ObjectStore], *, leaves: bool) -> None:
        """Commit the stores of a group.

        Args:
            dirty: The stores.
            leaves: Whether something is sent outside when they are committed.
        """
        for store in dirty:
            self._commit(store)

    def _commit(self, store: ObjectStore, changes: Changes | None = None) -> bool:
        try:
            log = store.commit(changes)
        except Exception as error:  # of any kind, as the group's waiters must not hang
            self._fail([store], error)
            return False
        self._committed(store, log)
        return True

    def _committed(self, store: ObjectStore, log: dict[str, Any]) -> None:
        self._on_commit(store, log)
        if self.after is not None:
            self.after(store, log)

    def _fail(self, stores: list[ObjectStore], error: BaseException) -> None:
        for store in stores:
            store.wiped = False
            store.discard()
            self._on_failure(store, error)
