"""`Runtime`: opens and closes everything, owns the clock, turns the loop. The only mutable root.

Source: cloudflare/workerd src/workerd/server/server.c++
"""

import datetime as dt
import random
import re
from collections.abc import Callable
from contextvars import Context, copy_context
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from dobook.clock import DEFAULT_START_MS, format_time, parse_duration, parse_time
from dobook.errors import PlatformError, UnknownNameError, UsageError
from dobook.ids import DurableObjectId
from dobook.observer import Observers
from dobook.runtime.actor import Actor
from dobook.runtime.alarms import AlarmRun, AlarmScheduler
from dobook.runtime.drive import Driver
from dobook.runtime.instance import Instance
from dobook.runtime.loop import Clock, RuntimeLoop
from dobook.runtime.namespace import DurableObjectNamespace, Env
from dobook.runtime.post import PostOffice
from dobook.runtime.promise import NOTHING, Pending, Promise
from dobook.runtime.residency import Residency
from dobook.runtime.snapshots import (
    AlarmSnapshot,
    ObjectSnapshot,
    alarm_snapshots,
    object_snapshots,
)
from dobook.runtime.stub import DurableObjectStub
from dobook.runtime.turns import task_factory
from dobook.runtime.wallclock import WallClock
from dobook.runtime.worker import Worker
from dobook.storage.directory import StateDirectory
from dobook.storage.kv import ALARM
from dobook.storage.committer import Committer
from dobook.storage.store import ObjectStore

Durability = Literal["power", "process"]


class Runtime:
    """A durable objects runtime in this process.

    Args:
        path: A state directory, which other processes find again; None keeps everything in memory.
        seed: Where unique ids and the random part of retries come from.
        start: The clock's first instant: ms since 1970, a datetime or an ISO text. A state
            directory goes on from where its clock stood, unless that is earlier.
        durability: What an answer has waited for, with a path: "power" for the disk, "process" for
            the operating system, which survives a killed process.
        worker: The Worker's name, the first part of unique keys.
        unsafe_limits: Enforce only the engine's own limits, not the hosted service's.

    Raises:
        StateDirectoryError: If the directory is in use or cannot be used.

    Example:
        >>> import dobook
        >>> class Counter:
        ...     def __init__(self, ctx, env):
        ...         self.ctx = ctx
        ...     async def increment(self):
        ...         n = (await self.ctx.storage.get("n") or 0) + 1
        ...         await self.ctx.storage.put("n", n)
        ...         return n
        >>> with dobook.Runtime() as runtime:
        ...     counter = runtime.register(Counter).getByName("a")
        ...     [runtime.run(counter.increment()) for _ in range(3)]
        [1, 2, 3]
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        seed: int = 0,
        start: int | str | dt.datetime = DEFAULT_START_MS,
        durability: Durability = "power",
        worker: str = "dobook",
        unsafe_limits: bool = False,
    ) -> None:
        if durability not in ("power", "process"):
            raise UsageError(f'durability is "power" or "process", not {durability!r}.')
        self.seed = seed
        self.worker = worker
        self.durability = durability
        self.path = None if path is None else Path(path)
        self.closed = False
        self.generation = 0
        self.turning = False
        self.context: Context = copy_context()
        self._unsafe_limits = unsafe_limits
        self._directory = None if self.path is None else StateDirectory(self.path)
        start_ms = parse_time(start)
        if self._directory is not None:
            start_ms = max(start_ms, self._directory.meta("clock_ms") or 0)
        self.loop = RuntimeLoop(start_ms)
        self.loop.set_task_factory(task_factory)
        self.post = PostOffice(self)
        self.residency = Residency(self)
        self.loop.before_jump = self.residency.evict_before
        self.clock = Clock(self.loop)
        self.observers = Observers(lambda: self.loop.now_ms)
        self.alarms = AlarmScheduler(self, random.Random(f"{seed} alarms"))  # noqa: S311
        self.env = Env()
        self.wall_clock = WallClock(lambda: self.loop.now_ms, lambda: self.loop.virtual)
        self.driver = Driver(self)
        self.worker_entry: Worker | None = None
        self._namespaces: dict[str, DurableObjectNamespace] = {}
        self._id_rng = random.Random(f"{seed} ids")  # noqa: S311
        power = self._directory is not None and durability == "power"
        self.committer = Committer(
            self.loop.call_soon,
            self._committed,
            self._commit_failed,
            self._directory.journal if power and self._directory is not None else None,
            self._directory.backlog if power and self._directory is not None else None,
        )

    # ------------------------------------------------------------------ classes

    def register(
        self,
        cls: type,
        binding: str | None = None,
        *,
        name: str | None = None,
        sqlite: bool = True,
        unique_key: str | None = None,
    ) -> DurableObjectNamespace:
        """Make a class's objects available, or replace the class and restart its objects.

        Args:
            cls: A class that takes `(ctx, env)`.
            binding: The name in `env`; by default the class's name in capitals.
            name: The class's name, if it is not `cls.__name__`.
            sqlite: Whether it is declared with `new_sqlite_classes` rather than `new_classes`.
            unique_key: What ids are derived from; by default `{worker}-{name}`.

        Returns:
            The namespace, also at `runtime.env.BINDING`.

        Raises:
            UsageError: If `cls` is no class, or the same class has the other kind of storage.
        """
        self.check_open()
        if not isinstance(cls, type):
            raise UsageError(f"register() takes a class, not {type(cls).__name__}: {cls!r:.80}")
        class_name = name or cls.__name__
        binding = binding or default_binding(class_name)
        self.wall_clock.watch(cls)
        for known in self._namespaces.values():
            if known.class_name == class_name and (unique_key in (None, known.unique_key)):
                if known.sqlite != sqlite:
                    raise UsageError(
                        f"{class_name} was declared with "
                        f"{'new_sqlite_classes' if known.sqlite else 'new_classes'}; the storage of "
                        "a class cannot be changed after it has been deployed. Use another class "
                        "name, or delete the class first."
                    )
                self._redefine(known, cls)
                if known.binding != binding:
                    self._rebind(known, binding)
                return known
        namespace = DurableObjectNamespace(
            self,
            binding,
            cls,
            class_name=class_name,
            unique_key=unique_key or f"{self.worker}-{class_name}",
            sqlite=sqlite,
            rng=self._id_rng,
        )
        self._namespaces[binding] = namespace
        self.env.bind(binding, namespace)
        if self._directory is not None:
            for identity, at_ms, object_name in self._directory.alarms(namespace.unique_key):
                self.alarms.load(namespace, DurableObjectId(identity, object_name), at_ms)
        return namespace

    def namespace(self, which: str | type) -> DurableObjectNamespace:
        """Return a namespace by its binding, its class or its class's name.

        Raises:
            UnknownNameError: If there is none; the message names the nearest.
        """
        for namespace in self._namespaces.values():
            if which in (namespace.binding, namespace.cls, namespace.class_name):
                return namespace
        name = which if isinstance(which, str) else which.__name__
        raise UnknownNameError("binding", name, self._namespaces)

    def serve_worker(self, entry: Any) -> Worker:
        """Make a class or function the Worker that answers requests from outside.

        Args:
            entry: A class that takes `(ctx, env)` and has `fetch(request)`, or a function
                `on_fetch(request, env, ctx)`.
        """
        self.check_open()
        if isinstance(entry, type):
            self.wall_clock.watch(entry)
        self.worker_entry = Worker(self, entry)
        return self.worker_entry

    def fetch(self, input: Any, init: Any = None, **options: Any) -> Promise:  # noqa: A002
        """Send the entry Worker a request.

        Args:
            input: A URL, a path (of `http://localhost`) or a Request.
            init: `method`, `headers`, `body`; also as keywords.

        Raises:
            UsageError: If there is no entry Worker.
        """
        if self.worker_entry is None:
            raise UsageError(
                "there is no Worker yet. Define one with %%worker or runtime.serve_worker(cls)."
            )
        if isinstance(input, str) and input.startswith("/"):
            input = f"http://localhost{input}"  # noqa: A001
        return self.worker_entry.fetch(input, init, **options)

    @property
    def namespaces(self) -> list[DurableObjectNamespace]:
        """The namespaces, in the order they were registered."""
        return list(self._namespaces.values())

    def stub(self, path: str) -> DurableObjectStub:
        """Return a stub by `BINDING/name`, or `BINDING/` and the 64 digits of an id.

        Raises:
            UnknownNameError: If there is no such binding.
            UsageError: If the text is not of that form.
        """
        binding, slash, name = path.partition("/")
        namespace = self.namespace(binding)
        if not slash or not name:
            raise UsageError(f"{path!r} names no object. Write {binding}/name.")
        if len(name) == 64 and all(c in "0123456789abcdefABCDEF" for c in name):
            return namespace.get(namespace.idFromString(name))
        return namespace.getByName(name)

    def _redefine(self, namespace: DurableObjectNamespace, cls: type) -> None:
        namespace.cls = cls
        for actor in namespace.actors.values():
            if actor.instance is not None:
                actor.instance.reset(
                    PlatformError("Durable Object reset because its code was updated.")
                )

    def _rebind(self, namespace: DurableObjectNamespace, binding: str) -> None:
        del self._namespaces[namespace.binding]
        self.env.unbind(namespace.binding)
        namespace.binding = binding
        self._namespaces[binding] = namespace
        self.env.bind(binding, namespace)

    # ------------------------------------------------------------------ time

    def run(self, awaitable: Any) -> Any:
        """Turn the loop on this thread until an awaitable is done; returns its result.

        Time passes as far as the awaitable needs. Works in a script, a test and a notebook cell.

        Raises:
            DeadlockError: If it can never be done.
            UsageError: If called from inside the runtime's own loop.
        """
        return self.driver.run(awaitable)

    def settle(self) -> None:
        """Let everything happen that needs no further time."""
        self.driver.turn(self.loop.time())

    def advance(self, duration: str | float | dt.timedelta) -> list[AlarmRun]:
        """Let virtual time pass; timers and alarms on the way run in order.

        Args:
            duration: Milliseconds, a timedelta, or text such as "1h30m".

        Returns:
            The alarm handlers that ran, in order.
        """
        return self.advance_to(self.loop.now_ms + parse_duration(duration))

    def advance_to(self, when: str | float | dt.datetime) -> list[AlarmRun]:
        """Let virtual time pass until an instant (ms since 1970, a datetime or ISO text).

        Raises:
            UsageError: If that is in the past, or time is real.
        """
        at_ms = parse_time(when)
        if not self.loop.virtual:
            raise UsageError("time is real at the moment; it cannot be moved forward.")
        if at_ms < self.loop.now_ms:
            raise UsageError(
                f"it is {format_time(self.loop.now_ms)} already; time cannot go back to "
                f"{format_time(at_ms)}."
            )
        return self._recording(lambda: self.driver.turn(self.loop.seconds_at(at_ms)))

    def advance_next(self, count: int = 1) -> list[AlarmRun]:
        """Let virtual time pass until the next alarm has run, `count` times."""

        def go() -> None:
            for _ in range(count):
                next_ms = self.alarms.next_ms()
                if next_ms is None:
                    break
                self.driver.turn(self.loop.seconds_at(next_ms))

        return self._recording(go)

    def advance_until_idle(self, limit: int = 10_000) -> list[AlarmRun]:
        """Let virtual time pass until no alarm is scheduled any more.

        Args:
            limit: Stop after so many alarms; recurring ones never end.
        """

        def go() -> None:
            for _ in range(limit):
                next_ms = self.alarms.next_ms()
                if next_ms is None:
                    break
                self.driver.turn(self.loop.seconds_at(next_ms))

        return self._recording(go)

    def _recording(self, go: Callable[[], None]) -> list[AlarmRun]:
        self.alarms.runs = []
        self.alarms.keep_runs = True
        try:
            go()
        finally:
            self.alarms.keep_runs = False
        runs, self.alarms.runs = self.alarms.runs, []
        return runs

    # ------------------------------------------------------------------ objects

    def objects(self) -> list[ObjectSnapshot]:
        """Return the objects the runtime knows, by binding and in the order of first use."""
        return object_snapshots(self)

    def scheduled_alarms(self) -> list[AlarmSnapshot]:
        """Return the alarms that are waiting, soonest first."""
        return alarm_snapshots(self)

    def evict(self, which: Any) -> Promise:
        """Take an object out of memory once it is idle; its storage stays.

        Args:
            which: A stub or `BINDING/name`.

        Returns:
            A promise; awaiting raises PlatformError if the object is not running.
        """
        actor = self.actor_of(which)
        return self.post.promise_of(self.residency.evict_when_idle(actor), actor)

    def crash(self, which: Any) -> None:
        """End an object's life as a crash would: what was not committed is lost."""
        actor = self.actor_of(which)
        if actor.instance is not None:
            actor.instance.reset(PlatformError("The Durable Object crashed."))

    def actor_of(self, which: Any) -> Actor:
        """Return the object behind a stub, an actor or `BINDING/name`."""
        if isinstance(which, Actor):
            return which
        if isinstance(which, str):
            which = self.stub(which)
        if isinstance(which, DurableObjectStub):
            return which._namespace.actor(which.id)  # noqa: SLF001 - a stub has no public members
        raise UsageError(f"expected a stub or 'BINDING/name', not {which!r:.80}")

    # ------------------------------------------------------------------ the engine's side

    def open_store(self, namespace: DurableObjectNamespace, identity: str) -> ObjectStore:
        """Return the storage of an object that is not known yet."""
        directory = self._directory
        if directory is None:
            return ObjectStore(None, self.committer, unsafe_limits=self._unsafe_limits)
        power = self.durability == "power"
        return ObjectStore(
            directory.file(namespace.unique_key, identity),
            self.committer,
            unsafe_limits=self._unsafe_limits,
            power_safe=power,
            backlog=directory.backlog if power else None,
            on_open=directory.used,
        )

    def actor_made(self, actor: Actor) -> None:
        """An object is known from now on; find or keep its name."""
        if self._directory is None:
            return
        unique_key, identity = actor.namespace.unique_key, actor.id.toString()
        if actor.id.name is not None:
            self._directory.remember_name(unique_key, identity, actor.id.name)

    def release(self, actor: Actor) -> None:
        """An object left memory; on disk nothing of it needs to stay here."""
        if self._directory is not None and not actor.store.dirty:
            actor.store.close()
            self._directory.dropped(actor.store)
            actor.namespace.actors.pop(actor.id.toString(), None)
            actor.released = True

    def report(self, actor: Actor, where: str, error: BaseException) -> None:
        """An error that nobody awaits: of `waitUntil`, an alarm or a socket's handler."""
        self.observers.emit(
            actor.label, "error", where=where, error=f"{type(error).__name__}: {error}"
        )

    def durable(self, instance: Instance) -> Promise:
        """Return a promise that is done when what an object has written is durable."""
        commit = instance.output_gate.commit
        if commit is None:
            return NOTHING
        waiter = self.loop.create_future()
        commit.waiters.append(lambda: None if waiter.done() else waiter.set_result(None))
        return Pending(waiter)

    def _committed(self, store: ObjectStore, log: dict[str, Any]) -> None:
        if ALARM in log:
            self.alarms.committed(store.owner)
        if self._directory is not None:
            self._directory.flush()

    def _commit_failed(self, store: ObjectStore, error: BaseException) -> None:
        actor: Actor = store.owner
        self.report(actor, "commit", error)
        broken = PlatformError(f"The Durable Object's storage could not be written: {error}")
        broken.__cause__ = error
        if actor.instance is not None:
            actor.instance.reset(broken)

    # ------------------------------------------------------------------ the end

    def check_open(self) -> None:
        """Raise if the runtime has been closed.

        Raises:
            UsageError: If so.
        """
        if self.closed:
            raise UsageError("this runtime is closed. Make another with dobook.Runtime(...).")

    def close(self) -> None:
        """Write what is left, close every file and let the state directory go. Twice is fine."""
        if self.closed:
            return
        self.driver.turn(self.loop.time())
        self.committer.close()
        directory = self._directory
        if directory is not None:
            for namespace in self.namespaces:
                rows = [
                    (entry.id.toString(), entry.due_ms, entry.id.name)
                    for entry in self.alarms.of(namespace)
                ]
                with self.loop.real_work():
                    self.driver.run(directory.write_alarms(namespace.unique_key, rows))
            directory.set_meta(clock_ms=self.loop.now_ms)
        self.closed = True
        self.residency.end_all()
        if directory is not None:
            directory.close()
        self.driver.finish()
        for namespace in self.namespaces:
            for actor in namespace.actors.values():
                actor.store.forget()
        self.loop.close()

    def __enter__(self) -> "Runtime":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "memory" if self.path is None else str(self.path)
        state = "closed" if self.closed else f"at {format_time(self.loop.now_ms)}"
        return f"<dobook.Runtime in {where}, {state}>"


def default_binding(class_name: str) -> str:
    """Return a class's binding when none is given.

    Example:
        >>> default_binding("RateLimiter")
        'RATE_LIMITER'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name).upper()
