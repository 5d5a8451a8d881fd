"""Between objects and their storage: opening it, losing it, and what a commit sets in motion."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import PlatformError
from dobook.ids import DurableObjectId
from dobook.runtime.calls.promise import Pending, Promise
from dobook.runtime.loop.frame import EXTERNAL
from dobook.runtime.loop.own_tasks import turn_lasts
from dobook.runtime.storage.refusals import broken, in_words
from dobook.storage.committer import Committer
from dobook.storage.connection import STORAGE_ERRORS
from dobook.storage.contents import Contents, Place, World, contents_of, put_into
from dobook.storage.directory import StateDirectory
from dobook.storage.durable_committer import JournaledCommitter
from dobook.storage.history.history import History
from dobook.storage.history.memory import MemoryLog
from dobook.storage.history.points import Log
from dobook.storage.kv import ALARM
from dobook.storage.sqlite_errors import is_interrupt
from dobook.storage.state_reader import StateReader
from dobook.storage.store import ObjectStore
from dobook.web.text import usv

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Instance, Kernel, Namespace

CLOCK_STEP_MS: Final = 1_000


class Stores:
    """The storage of a runtime's objects.

    Args:
        runtime: Whose objects they are.
        directory: Where they are kept; None for in memory.
        power: Whether an answer waits for the disk.
        unsafe_limits: Enforce only the engine's limits, not the hosted service's.
        history_ms: How far back point-in-time recovery reaches; 0 turns it off.
    """

    def __init__(
        self,
        runtime: "Kernel",
        directory: StateDirectory | None,
        *,
        power: bool,
        unsafe_limits: bool,
        history_ms: int,
    ) -> None:
        self._runtime = runtime
        self._clock = self._now_ms  # bound once here, and shared by all objects
        self._used = None if directory is None else directory.used
        self.directory = directory
        self._power = power
        self.unsafe_limits = unsafe_limits
        self.history_ms = history_ms
        self._notes: dict[str, Any] = {}  # of objects in memory
        self.given: dict[Place, Contents] = {}  # of a world that this runtime continues
        self._history = None if directory is None else directory.history
        told = (runtime.loop.call_soon, self._note, self._committed, self.failed)
        self.committer = (
            Committer(*told)
            if directory is None
            else JournaledCommitter(
                *told,
                directory=directory,
                clock=self._clock,
                may_lag=lambda: runtime.loop.alone,
                before_write=self._before_write,
                on_lost=self._lost,
            )
        )
        self.committer.source = runtime.time_and_chance
        self.committer.turn_lasts = turn_lasts
        runtime.loop.before_real = self.leave

    @property
    def recovered(self) -> int:
        """How many objects' last writes came out of the journal, after an unclean end."""
        return 0 if self.directory is None else self.directory.recovered

    def open(self, namespace: "Namespace", identity: str) -> ObjectStore:
        """Return the storage of an object that is not in memory."""
        directory = self.directory
        keep = self.history_ms > 0 and namespace.sqlite
        if directory is None:
            store = ObjectStore(None, identity, self.committer, unsafe_limits=self.unsafe_limits)
            given = self.given.pop(Place(namespace.unique_key, identity), None)
            if given is not None:
                put_into(store, given)
            if keep:
                self._keep_history(store, MemoryLog(), new=store.was_new)
            return store
        asleep = self.committer.asleep((namespace.unique_key, identity))
        if asleep is not None:
            return asleep
        folder = directory.folder(namespace.unique_key)
        directory.make_sure((namespace.unique_key, identity))
        store = ObjectStore(
            folder,
            identity,
            self.committer,
            unsafe_limits=self.unsafe_limits,
            power_safe=self._power,
            backlog=directory.backlog,
            on_open=self._used,
        )
        if store.kv.alarm_ms is not None:  # its file could perhaps not be read before
            self._runtime.alarms.ensure(namespace, DurableObjectId(identity), store.kv.alarm_ms)
        if keep and self._history is not None:
            log = self._history.log(namespace.unique_key, identity, folder)
            self._keep_history(store, log, new=store.was_new)
            assert store.history is not None
            if self._history.pending:
                store.history.pending = self._history.pending.get((namespace.unique_key, identity))
        return store

    def _keep_history(self, store: ObjectStore, log: Log, *, new: bool) -> None:
        store.history = History(log, self._clock, self.history_ms, store.place[1], new=new)

    def _now_ms(self) -> int:
        return self._runtime.loop.now_ms

    def _note(self, dirty: list[ObjectStore]) -> None:
        if self.history_ms > 0:
            now_ms = self._runtime.loop.now_ms
            for store in dirty:
                if store.history is not None:
                    store.history.note(store, now_ms)

    def _before_write(self) -> None:
        if self.directory is not None:
            self.directory.own.keep_clock(self._runtime.loop.now_ms, step_ms=CLOCK_STEP_MS)
        if self._history is not None:
            self._history.flush()

    def begin_session(self, actor: "Actor") -> None:
        """Take an object's storage back to where its last session asked for.

        Raises:
            PlatformError: If the storage cannot be written.
        """
        store = actor.store
        history = store.history
        assert history is not None
        self.committer.flush()
        try:
            history.go_back(store)
            self.committer.flush()
            # Before `went_back` deletes the pending bookmark, its result has to be durable.
            refused = self.committer.catch_up()
            if refused is not None:
                raise PlatformError(str(refused))
            history.went_back()
        except STORAGE_ERRORS as error:
            store.discard()
            raise PlatformError(
                f"Durable Object's storage could not be restored: {error}"
            ) from error

    def name_of(self, namespace: "Namespace", identity: DurableObjectId) -> None:
        """Keep the name an object is used under."""
        if self.directory is not None and identity.name is not None:
            place = namespace.unique_key, identity.toString()
            self.directory.own.remember_name(place, usv(identity.name))

    def asleep(self, namespace: "Namespace") -> Iterator[tuple[str, str | None]]:
        """Yield (id, name) of the objects of a class that are on disk and not in memory."""
        directory = self.directory
        if directory is None:
            for place, given in self.given.items():
                if place.unique_key == namespace.unique_key:
                    yield place.id, given.name
            return
        self.committer.catch_up()  # else an object that has just left memory would be missing
        for identity in directory.ids(namespace.unique_key):
            if identity not in namespace.actors:
                yield identity, directory.own.name((namespace.unique_key, identity))

    def peek(self, namespace: "Namespace", identity: str) -> tuple[int, int | None]:
        """Return how many rows an object has and its alarm in ms, without waking it."""
        if self.directory is None:
            given = self.given[Place(namespace.unique_key, identity)]
            return len(given.rows), given.alarm_ms
        store = self.open(namespace, identity)
        try:
            return len(list(store.kv.keys())), store.kv.alarm_ms
        finally:
            store.forget()

    def delete_class(self, unique_key: str) -> None:
        """Delete what there is of a class's objects, which are not in memory any more."""
        for place in [place for place in self.given if place.unique_key == unique_key]:
            del self.given[place]
        if self.directory is not None:
            self.committer.checkpoint()  # or the journal would bring it back
            self.directory.delete_class(unique_key)

    def world(self) -> tuple[dict[Place, Contents], dict[str, Any]]:
        """Return what all objects have committed, and the notes kept beside them.

        Raises:
            UsageError: If an object is in the middle of a transaction with SQL.
        """
        objects = dict(self.given)
        registered = set()
        for namespace in self._runtime.namespaces:
            registered.add(namespace.unique_key)
            for identity, actor in namespace.actors.items():
                objects[Place(namespace.unique_key, identity)] = contents_of(
                    actor.store, actor.id.name
                )
            for identity, name in self.asleep(namespace) if self.directory is not None else ():
                store = self.open(namespace, identity)
                try:
                    objects[Place(namespace.unique_key, identity)] = contents_of(store, name)
                finally:
                    store.forget()
        if self.directory is None:
            return objects, dict(self._notes)
        state = StateReader(self.directory.path)
        others = [place for place in state.places() if place.unique_key not in registered]
        objects |= {place: state.contents(place) for place in others}
        return objects, self.directory.own.notes()

    def adopt(self, world: World) -> None:
        """Load the objects of a world into memory, to begin with."""
        self.given = dict(world.objects)
        self._notes.update(world.notes)

    def note(self, key: str) -> Any:
        """Return what was kept beside the objects under a key, None if nothing was."""
        return self._notes.get(key) if self.directory is None else self.directory.own.meta(key)

    def keep_note(self, key: str, value: object) -> None:
        """Keep a number or text beside the objects, as long as they are kept."""
        if self.directory is None:
            self._notes[key] = value
        else:
            self.directory.own.set_meta(**{key: value})

    def load_alarms(self, namespace: "Namespace") -> None:
        """Schedule the alarms that an earlier process left."""
        load = self._runtime.alarms.load
        self.committer.catch_up()
        if self.directory is not None:
            self._warn_of_other_workers(namespace, self.directory)
            for identity, at_ms, name in self.directory.alarms.of_class(
                namespace.unique_key, self.directory.ids
            ):
                load(namespace, DurableObjectId(identity, name), at_ms)
        for place, given in self.given.items():
            if place.unique_key == namespace.unique_key and given.alarm_ms is not None:
                load(
                    namespace,
                    DurableObjectId(place.id, given.name),
                    given.alarm_ms,
                    retries=given.retries,
                    runs_ms=given.runs_ms,
                )

    def _warn_of_other_workers(self, namespace: "Namespace", directory: StateDirectory) -> None:
        """Warn if the directory has no objects of a class, but another Worker's of that name."""
        keys = directory.unique_keys()
        # Keys that are in use here, or that this one was made to differ from, are not a mistake.
        used = {n.unique_key for n in self._runtime.namespaces}
        others = [
            key
            for key in keys
            if key.endswith(f"-{namespace.class_name}")
            and key not in used
            and not namespace.unique_key.startswith(f"{key}-")
        ]
        if others and namespace.unique_key not in keys:
            warnings.warn(
                f"{directory.path} has no objects of {namespace.unique_key}, but of "
                f"{' and '.join(others)}: ids depend on the Worker's name. To use those, open it "
                f"with Runtime(path, worker={others[0].removesuffix(f'-{namespace.class_name}')!r}).",
                stacklevel=5,
            )

    def release(self, actor: "Actor") -> None:
        """Forget an object that has left memory; with a directory its file has everything."""
        if actor.store.dirty:
            return
        if self.directory is None:
            actor.store.close()
        else:
            self.directory.close_store(actor.store)
            self.committer.leave_asleep(actor.store)
            if actor.sockets is not None and actor.sockets.needed:
                return  # its connections stay open without it
            actor.namespace.release(actor)
            if actor.meter is not None:
                actor.meter.add_stay(actor)

    def leave(self) -> None:
        """Flush commits before something leaves that may depend on them.

        Raises:
            PlatformError: If the disk refuses.
        """
        error = self.committer.catch_up()
        if error is not None:
            raise broken(error)

    def before_leaving(self) -> None:
        """Flush commits, and warn if the disk refuses: what depends on them is lost then."""
        error = self.committer.catch_up()
        if error is not None:
            warnings.warn(
                f"the last writes could not be saved ({error}): the objects are as they were the "
                "last time they could be.",
                stacklevel=4,
            )

    def turn_over(self) -> None:
        """Flush commits and persist the clock."""
        self.before_leaving()
        if self.directory is not None:
            loop = self._runtime.loop
            step_ms = 1 if loop.virtual else CLOCK_STEP_MS
            self.directory.own.keep_clock(loop.now_ms, step_ms=step_ms)

    def durable(self, instance: "Instance") -> Promise:
        """Return a promise that is done when what an object has written is durable.

        Raises:
            PlatformError: If the disk refuses.
        """
        waiter = self._runtime.loop.create_future()

        def done() -> None:
            if not waiter.done():
                waiter.set_result(None)

        commit = instance.output_gate.commit
        answers = instance.answers
        # The object's other tasks and events run first. Answers that are on their way do if they
        # have waited for a commit before this one.
        setattr(
            waiter,
            EXTERNAL,
            True if commit is None and answers is not None and answers.confirmed else "sync",
        )
        if commit is None:
            self.leave()
            self._runtime.loop.call_soon(done)  # other events get in all the same
        else:
            commit.leaves = True
            commit.waiters.append(done)
        return Pending(waiter)

    def _committed(self, store: ObjectStore, log: dict[str, Any]) -> None:
        if ALARM in log:
            try:
                self._runtime.alarms.committed(store.owner)
            except Exception as error:  # MemoryError, for instance; `mending` sets the alarm again
                self._runtime.loop.torn = error
                raise

    def failed(self, store: ObjectStore, error: BaseException) -> None:
        """Reset an object whose commit has failed: its callers get the error."""
        actor: Actor = store.owner
        if not is_interrupt(error):
            self._runtime.report(actor, "commit", error)
        elif actor.instance is not None:  # SQLite has undone its turn: a statement was stopped
            actor.instance.interrupted()
        if actor.instance is not None:
            # The engine marks what a transaction() could not commit, not what an event could not.
            actor.instance.reset(broken(error), flagged=getattr(error, "ends_transaction", False))
        if self.directory is not None and self.directory.is_doubtful(store.place):
            self.release(actor)  # `open` checks the disk before the next use

    def _lost(self, error: BaseException) -> None:
        """End every object's life: each may have heard of what could not be written."""
        runtime, reason = self._runtime, broken(error)
        runtime.post.drop(reason, lambda call: call.home is not None)
        runtime.wire.drop()
        for instance in runtime.residency.instances():
            instance.reset(reason, flagged=False)

    def save(self) -> None:
        """Write what is left and the alarms, as the runtime closes.

        Raises:
            StateDirectoryError: If the disk refuses; the journal has what could not be written.
        """
        with in_words("what is left cannot be written"):
            self.committer.close()
            directory = self.directory
            if directory is None:
                return
            runtime = self._runtime
            for namespace in runtime.namespaces:
                rows = [
                    (entry.id.toString(), entry.due_ms, entry.id.name and usv(entry.id.name))
                    for entry in runtime.alarms.of(namespace)
                    if entry.due_ms is not None
                ]
                with runtime.loop.real_work():
                    runtime.driver.run(directory.alarms.write(namespace.unique_key, rows))
            directory.own.set_meta(clock_ms=runtime.loop.now_ms)

    def close(self) -> None:
        """Close every file and release the directory.

        Raises:
            StateDirectoryError: If the disk refuses. The directory is let go all the same, and
                the journal has what could not be written.
        """
        builtin = self._runtime.time_and_chance.builtin
        if builtin is not None:
            builtin.close()
        try:
            if self.directory is not None:
                with in_words("it cannot be closed properly"):
                    self.directory.close(self._runtime.loop.now_ms)
        finally:
            for namespace in self._runtime.namespaces:
                for actor in namespace.actors.values():
                    with contextlib.suppress(*STORAGE_ERRORS):
                        actor.store.forget()
