"""`Runtime`: opens and closes everything, owns the clock, turns the loop. The only mutable root.

Source: cloudflare/workerd src/workerd/server/server.c++
"""

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import Callable, Iterable
from contextvars import Context
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from dobook import limits
from dobook.clock import DEFAULT_START_MS, format_time, parse_duration, parse_time
from dobook.errors import UsageError
from dobook.observer import Observers
from dobook.runtime.branching import Branching
from dobook.runtime.calls.namespace import DurableObjectNamespace, Env
from dobook.runtime.calls.post import PostOffice
from dobook.runtime.calls.promise import Promise
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.calls.turns import task_factory
from dobook.runtime.faults import Faults
from dobook.runtime.insight.insight import Insight
from dobook.runtime.insight.trace import Recorder
from dobook.runtime.insight.uncaught import report, uncaught
from dobook.runtime.insight.unheard import Unheard
from dobook.runtime.loop.current import TimeAndChance
from dobook.runtime.loop.drive import Driver
from dobook.runtime.loop.forked import check_open
from dobook.runtime.loop.loop import Clock, RuntimeLoop, running_loop
from dobook.runtime.loop.order import Order
from dobook.runtime.loop.patches import patches, watch_class
from dobook.runtime.loop.realtime import TimeKeeping
from dobook.runtime.objects.actor import Actor
from dobook.runtime.objects.alarm import AlarmRun
from dobook.runtime.objects.alarms import AlarmScheduler
from dobook.runtime.objects.residency import Residency
from dobook.runtime.registry import Registry, default_binding
from dobook.runtime.sockets.client import Connecting
from dobook.runtime.sockets.wire import Wire
from dobook.runtime.storage.stores import Stores
from dobook.runtime.worker.network import Network
from dobook.runtime.worker.worker import Worker
from dobook.storage.directory import StateDirectory

Durability = Literal["power", "process"]


class Runtime(TimeKeeping, Connecting, Insight, Branching):
    """A durable objects runtime in this process.

    Args:
        path: A state directory, which other processes find again; None keeps everything in memory.
        seed: Where everything that chance decides comes from: unique ids, the random part of
            retries, `random`, `uuid`, `secrets` and `os.urandom` in handlers and, unless it is 0,
            the order in which ready work of different objects and callers runs (see `order`).
        start: The clock's first instant: ms since 1970, a datetime or an ISO text. A state
            directory goes on from where its clock stood, unless that is earlier.
        durability: What an answer has waited for, with a path: "power" for the disk, "process" for
            the operating system, which survives a killed process.
        worker: The Worker's name, the first part of unique keys.
        unsafe_limits: Enforce only the engine's own limits, not the hosted service's.
        history: How far back point-in-time recovery reaches, in virtual time: text such as "7d", a
            timedelta or ms. 0 keeps no history, and deletes what a state directory has of it.

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
        history: str | float | dt.timedelta = limits.PITR_HISTORY_MS,
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
        self.on_close: list[Callable[[], None]] = []  # called before anything is closed
        start_ms, history_ms = parse_time(start), parse_duration(history)
        directory = (
            None
            if self.path is None
            else StateDirectory(self.path, power_safe=durability == "power", history=history_ms > 0)
        )
        if directory is not None:
            start_ms = max(start_ms, directory.clock_ms)
        self.loop = RuntimeLoop(start_ms, Order(seed) if seed else None)
        self.time_and_chance = self.loop.time_and_chance = TimeAndChance(self.loop, seed)
        self.context: Context = self.time_and_chance.context()
        self.call_soon = self.loop.call_soon  # one method for the gates of every object
        self.loop.set_task_factory(task_factory)  # type: ignore[arg-type, unused-ignore]
        self.loop.set_exception_handler(uncaught)
        self.observers = Observers(lambda: self.loop.now_ms)
        self.unheard: list[Unheard] = []  # refusals that nobody has awaited, oldest first
        self.driver = Driver(self)
        self.post = PostOffice(self)
        self.residency = Residency(self)
        self.loop.before_jump = self.residency.evict_before
        self.clock = Clock(self.loop)
        self.recorder = Recorder(self)
        self.faults = Faults(self)
        self.wire = Wire(self)
        self.alarms = AlarmScheduler(self, random.Random(f"{seed} alarms"))
        self.env = Env()
        self.network = Network(self)
        self.worker_entry: Worker | None = None
        self.workers: dict[str, Worker] = {}  # by name, for service bindings
        self.stores = Stores(
            self,
            directory,
            power=durability == "power",
            unsafe_limits=unsafe_limits,
            history_ms=history_ms,
        )
        self.registry = Registry(self, random.Random(f"{seed} ids"))
        self.begin_session(0 if directory is None else directory.session)
        self._release_patches = patches.hold(self)
        if directory is not None:
            directory.opened()

    # ------------------------------------------------------------------ classes

    def register(
        self,
        cls: type,
        binding: str | None = None,
        *,
        name: str | None = None,
        sqlite: bool = True,
        unique_key: str | None = None,
        bound: bool = True,
    ) -> DurableObjectNamespace:
        """Make a class's objects available, or replace the class and restart its objects.

        Args:
            cls: A class that takes `(ctx, env)`.
            binding: The name in `env`; by default the class's name in capitals.
            name: The class's name, if it is not `cls.__name__`.
            sqlite: Whether it is declared with `new_sqlite_classes` rather than `new_classes`.
            unique_key: What ids are derived from; by default `{worker}-{name}`.
            bound: Whether `env` has it. Without a binding `ctx.exports` reaches its objects.

        Returns:
            The namespace, also at `runtime.env.BINDING` if it is bound.

        Raises:
            UsageError: If `cls` is no class, or the same class has the other kind of storage.
        """
        self.check_open()
        if not isinstance(cls, type):
            raise UsageError(f"register() takes a class, not {type(cls).__name__}: {cls!r:.80}")
        class_name = name or cls.__name__
        with self.driver.held:
            watch_class(cls)
            return self.registry.register(
                cls,
                (binding or default_binding(class_name)) if bound else None,
                class_name,
                unique_key or f"{self.worker}-{class_name}",
                sqlite=sqlite,
            )

    def namespace(self, which: str | type) -> DurableObjectNamespace:
        """Return a namespace by its binding, its class or its class's name.

        Raises:
            UnknownNameError: If there is none; the message names the nearest.
        """
        return self.registry.find(which)

    def serve_worker(self, entry: Any, *, entrypoints: Iterable[type] = ()) -> Worker:
        """Make a class or function the Worker that answers requests from outside.

        Args:
            entry: A class that takes `(ctx, env)` and has `fetch(request)`, or a function
                `on_fetch(request, env, ctx)`.
            entrypoints: Its other classes, which `ctx.exports` reaches by their names.
        """
        self.check_open()
        named = {cls.__name__: cls for cls in entrypoints}
        for cls in filter(None, [entry if isinstance(entry, type) else None, *named.values()]):
            watch_class(cls)
        self.worker_entry = Worker(self, entry, entrypoints=named)
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
        with self.driver.held:
            return self.worker_entry.fetch(input, init, **options)

    @property
    def namespaces(self) -> list[DurableObjectNamespace]:
        """The namespaces, in the order they were registered."""
        return self.registry.namespaces()

    def stub(self, path: str) -> DurableObjectStub:
        """Return a stub by `BINDING/name`, or `BINDING/` and the 64 digits of an id.

        Raises:
            UnknownNameError: If there is no such binding.
            UsageError: If the text is not of that form.
        """
        return self.registry.stub(path)

    # ------------------------------------------------------------------ time

    def run(self, awaitable: Any) -> Any:
        """Turn the loop on this thread until an awaitable is done; returns its result.

        Time passes as far as the awaitable needs. Works in a script, a test and a notebook cell.

        Raises:
            DeadlockError: If it can never be done.
            UsageError: If called from inside the runtime's own loop.
        """
        return self.driver.run(awaitable)

    def settle(self, *, alarms: bool = True) -> None:
        """Let everything happen that needs no further time; without `alarms`, none of those runs."""
        with contextlib.nullcontext() if alarms else self.alarms.kept_back():
            self.driver.turn(self.loop.time())

    def advance(self, duration: str | float | dt.timedelta) -> list[AlarmRun]:
        """Let virtual time pass; timers and alarms on the way run in order.

        Args:
            duration: Milliseconds, a timedelta, or text such as "1h30m".

        Returns:
            The alarm handlers that ran, in order.
        """
        return self.advance_to(self.loop.now_ms + parse_duration(duration))

    async def sleep(self, duration: str | float | dt.timedelta) -> None:
        """Let time pass, as a cell or another coroutine sees it; what is due on the way runs.

        In a cell, `asyncio.sleep` waits for real and leaves the virtual clock where it is.

        Args:
            duration: Milliseconds, a timedelta, or text such as "1h30m".

        Example:
            >>> import asyncio, dobook
            >>> async def cell(runtime):
            ...     before = runtime.clock.now_ms
            ...     await runtime.sleep("1h")
            ...     return runtime.clock.now_ms - before
            >>> with dobook.Runtime() as runtime:
            ...     asyncio.run(cell(runtime))
            3600000
        """
        ms = parse_duration(duration)
        self.check_open()
        if running_loop() is self.loop or not self.loop.virtual:
            await asyncio.sleep(ms / 1000)
        else:
            await self.driver.sleep_elsewhere(ms / 1000)

    def advance_to(self, when: str | float | dt.datetime) -> list[AlarmRun]:
        """Let virtual time pass until an instant (ms since 1970, a datetime or ISO text).

        Raises:
            UsageError: If that is in the past, or time is real.
        """
        at_ms = parse_time(when)
        self.check_virtual()
        if at_ms < self.loop.now_ms:
            raise UsageError(
                f"it is {format_time(self.loop.now_ms)} already; time cannot go back to "
                f"{format_time(at_ms)}."
            )
        return self._recording(lambda: self.driver.turn(self.loop.seconds_at(at_ms)))

    def advance_next(self, count: int = 1) -> list[AlarmRun]:
        """Let virtual time pass until the next alarm has run, `count` times."""
        self.check_virtual()
        return self._recording(lambda: self._run_alarms(count))

    def advance_until_idle(self, *, limit: int = 10_000) -> list[AlarmRun]:
        """Let virtual time pass until no alarm is scheduled any more.

        Args:
            limit: Stop after so many instants at which alarms run; recurring ones never end.
        """
        self.check_virtual()
        return self._recording(lambda: self._run_alarms(limit))

    def _run_alarms(self, count: int) -> None:
        for _ in range(count):
            if not self.alarms.running:  # one that is under way already counts as the first
                next_ms = self.alarms.next_ms()
                if next_ms is None:
                    return
                self.driver.turn(self.loop.seconds_at(next_ms))
            while self.alarms.running and (timer := self.loop.next_timer()) is not None:
                self.driver.turn(timer)  # a handler that sleeps has not run before it is through
            if self.alarms.running:
                return  # it waits for something that no time brings

    def _recording(self, go: Callable[[], None]) -> list[AlarmRun]:
        self.alarms.runs = []
        self.alarms.keep_runs = True
        try:
            go()
            self.alarms.record_running()
        finally:
            self.alarms.keep_runs = False
        runs, self.alarms.runs = self.alarms.runs, []
        return runs

    # ------------------------------------------------------------------ objects

    def evict(
        self, which: Any, *, websockets: Literal["hibernate", "close"] = "hibernate"
    ) -> Promise:
        """Take an object out of memory once it is idle; its storage stays.

        Args:
            which: A stub or `BINDING/name`.
            websockets: Whether hibernatable connections stay ("hibernate") or are lost ("close").

        Returns:
            A promise; awaiting raises PlatformError if the object is not running.
        """
        with self.driver.held:
            actor = self.actor_of(which)
            evicting = self.residency.evict_when_idle(actor, close_sockets=websockets == "close")
            return self.post.promise_of(evicting, actor)

    def crash(self, which: Any) -> None:
        """End an object's life as a crash would: what was not committed is lost."""
        with self.driver.held:
            self.faults.crash(which)

    def actor_of(self, which: Any) -> Actor:
        """Return the object behind a stub, an actor or `BINDING/name`."""
        if isinstance(which, Actor):
            return which
        if isinstance(which, str):
            which = self.stub(which)
        if isinstance(which, DurableObjectStub):
            return which._namespace.actor(which.id)
        raise UsageError(f"expected a stub or 'BINDING/name', not {which!r:.80}")

    def report(self, actor: Actor, where: str, error: BaseException, cause: int = 0) -> None:
        """Take note of an error that nobody awaits: of `waitUntil`, an alarm, a socket, a commit."""
        report(self, actor.label, where, error, cause)

    # ------------------------------------------------------------------ the end

    def check_open(self) -> None:
        """Raise if the runtime has been closed.

        Raises:
            UsageError: If so.
        """
        check_open(self)

    def close(self) -> None:
        """Write what is left, close every file and let the state directory go. Twice is fine.

        Raises:
            StateDirectoryError: If the disk refuses. The runtime is closed all the same, and the
                directory's journal has what could not be written.
        """
        if self.closed or self.loop.is_closed():  # an exception came before that was noted
            self.closed = True
            return
        closing = contextlib.ExitStack()
        closing.callback(self._release_patches)
        closing.callback(self.loop.close)
        closing.callback(self.stores.close)
        closing.callback(self._end)
        closing.callback(self.stores.save)
        with closing:  # whatever fails, the rest is closed
            for close in reversed(self.on_close):
                close()
            self.stop_real_time()
            self.settle(alarms=False)

    def _end(self) -> None:
        if self.stores.directory is not None:
            self.stores.directory.closing()
        self.closed = self.time_and_chance.closed = True
        self.residency.end_all()
        self.driver.finish()

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
