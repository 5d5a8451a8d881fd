"""`Runtime`: what users open, hold and close. Its parts are in `dobook.runtime.kernel`."""

import asyncio
import contextlib
import datetime as dt
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

from dobook import limits
from dobook.clock import DEFAULT_START_MS, format_time, parse_duration, parse_time
from dobook.errors import UsageError, misspelt
from dobook.events import AnyEvent
from dobook.observer import Observers
from dobook.runtime.branching import fork, restore, snapshot
from dobook.runtime.calls.deadlock import why_awake
from dobook.runtime.calls.promise import Promise
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.client import DEFAULT_PATH, Client, open_client
from dobook.runtime.debug.commits import watch_commits
from dobook.runtime.debug.faults import Faults
from dobook.runtime.debug.meter import Cost, costs
from dobook.runtime.debug.snapshots import (
    AlarmSnapshot,
    ObjectSnapshot,
    alarm_snapshots,
    object_snapshots,
)
from dobook.runtime.kernel import Durability, Kernel
from dobook.runtime.loop.loop import Clock, running_loop
from dobook.runtime.objects.alarm import AlarmRun
from dobook.runtime.objects.namespace import DurableObjectNamespace
from dobook.runtime.patching.patches import watch_class
from dobook.runtime.registry import default_binding
from dobook.runtime.worker.env import Env
from dobook.runtime.worker.network import Network
from dobook.runtime.worker.worker import Worker


class Runtime:
    """A durable objects runtime in this process.

    Args:
        path: A state directory, which other processes find again; None keeps everything in memory.
        seed: Where everything that chance decides comes from: unique ids, the random part of
            retries, `random`, `uuid`, `secrets` and `os.urandom` in handlers and, unless it is 0,
            the order in which ready work of different objects and callers runs (see `order`).
        start: The clock's first instant: ms since 1970, a datetime or an ISO text. A state
            directory continues where its clock stood, unless that is earlier.
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
        self._kernel = Kernel(
            None if path is None else Path(path),
            seed=seed,
            start_ms=parse_time(start),
            durability=durability,
            worker=worker,
            unsafe_limits=unsafe_limits,
            history_ms=parse_duration(history),
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
            UsageError: If `cls` is not a class, or the same class has the other kind of storage.
        """
        kernel = self._kernel
        kernel.check_open()
        if not isinstance(cls, type):
            raise UsageError(f"register() takes a class, not {type(cls).__name__}: {cls!r:.80}")
        class_name = name or cls.__name__
        with kernel.driver.held:
            watch_class(cls)
            return kernel.registry.register(
                cls,
                (binding or default_binding(class_name)) if bound else None,
                class_name,
                unique_key or f"{kernel.worker}-{class_name}",
                sqlite=sqlite,
            )

    def namespace(self, which: str | type) -> DurableObjectNamespace:
        """Return a namespace by its binding, its class or its class's name.

        Raises:
            UnknownNameError: If there is none; the message names the nearest.
        """
        return self._kernel.registry.find(which)

    def stub(self, path: str) -> DurableObjectStub:
        """Return a stub by `BINDING/name`, or `BINDING/` and the 64 digits of an id.

        Raises:
            UnknownNameError: If there is no such binding.
            UsageError: If the text is not of that form.
        """
        return self._kernel.registry.stub(path)

    @property
    def env(self) -> Env:
        """The bindings, as objects get them: `runtime.env.COUNTER` is a namespace."""
        return self._kernel.env

    def serve_worker(self, entry: object, *, entrypoints: Iterable[type] = ()) -> Worker:
        """Make a class or function the Worker that answers requests from outside.

        Args:
            entry: A class that takes `(ctx, env)` and has `fetch(request)`, or a function
                `on_fetch(request, env, ctx)`.
            entrypoints: Its other classes, which `ctx.exports` reaches by their names.
        """
        kernel = self._kernel
        kernel.check_open()
        named = {cls.__name__: cls for cls in entrypoints}
        for cls in filter(None, [entry if isinstance(entry, type) else None, *named.values()]):
            watch_class(cls)
        kernel.worker_entry = Worker(kernel, entry, entrypoints=named)
        return kernel.worker_entry

    def fetch(self, input: object, init: object = None, **options: Any) -> Promise:  # noqa: A002
        """Send the entry Worker a request.

        Args:
            input: A URL, a path (of `http://localhost`) or a Request.
            init: `method`, `headers`, `body`; also as keywords.

        Raises:
            UsageError: If there is no entry Worker.
        """
        kernel = self._kernel
        if kernel.worker_entry is None:
            raise UsageError(
                "there is no Worker yet. Define one with %%worker or runtime.serve_worker(cls)."
            )
        if isinstance(input, str) and input.startswith("/"):
            input = f"http://localhost{input}"  # noqa: A001
        with kernel.driver.held:
            return kernel.worker_entry.fetch(input, init, **options)

    def connect(
        self,
        target: DurableObjectStub | str = "",
        path: str = DEFAULT_PATH,
        *,
        name: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Client:
        """Connect a WebSocket client to an object, or to the Worker.

        Args:
            target: A stub, `BINDING/name`, or nothing for the Worker.
            path: The path and query to ask for.
            name: Who connects; sent along as the parameter `name`.
            headers: Further headers.

        Returns:
            The client, connected.

        Raises:
            UsageError: If the answer opens no WebSocket; or if called from inside the runtime,
                where there is `await open_client(runtime, …)`.
        """
        kernel = self._kernel
        if running_loop() is kernel.loop:
            raise UsageError(
                "runtime.connect(...) cannot be used inside the runtime's own loop. There use "
                "await dobook.runtime.client.open_client(runtime, ...)."
            )
        opening: Any = open_client(self, target, path, name=name, headers=headers)
        client: Client = self.run(opening)
        self.settle()
        return client

    @property
    def network(self) -> Network:
        """What `fetch` to the internet is answered with; see `Network.answer`."""
        return self._kernel.network

    # ------------------------------------------------------------------ time

    @property
    def clock(self) -> Clock:
        """The clock that handlers see: `now_ms` in ms since 1970, `virtual`."""
        return self._kernel.clock

    def run(self, awaitable: object) -> Any:
        """Turn the loop on this thread until an awaitable is done; returns its result.

        Time passes as far as the awaitable needs. Works in a script, a test and a notebook cell.

        Raises:
            DeadlockError: If it can never be done.
            UsageError: If called from inside the runtime's own loop.
        """
        return self._kernel.driver.run(awaitable)

    def settle(self, *, alarms: bool = True) -> None:
        """Let everything happen that needs no further time; without `alarms`, none of those runs."""
        self._kernel.settle(alarms=alarms)

    def advance(self, duration: str | float | dt.timedelta) -> list[AlarmRun]:
        """Let virtual time pass; timers and alarms on the way run in order.

        Args:
            duration: Milliseconds, a timedelta, or text such as "1h30m".

        Returns:
            The alarm handlers that ran, in order.
        """
        return self.advance_to(self._kernel.loop.now_ms + parse_duration(duration))

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
        kernel = self._kernel
        kernel.check_open()
        if running_loop() is kernel.loop or not kernel.loop.virtual:
            await asyncio.sleep(ms / 1000)
        else:
            await kernel.driver.sleep_elsewhere(ms / 1000)

    def advance_to(self, when: str | float | dt.datetime) -> list[AlarmRun]:
        """Let virtual time pass until an instant (ms since 1970, a datetime or ISO text).

        Raises:
            UsageError: If that is in the past, or time is real.
        """
        at_ms = parse_time(when)
        kernel = self._kernel
        kernel.real_time.check_virtual()
        if at_ms < kernel.loop.now_ms:
            raise UsageError(
                f"it is {format_time(kernel.loop.now_ms)} already; time cannot go back to "
                f"{format_time(at_ms)}."
            )
        return self._recording(lambda: kernel.driver.turn(kernel.loop.seconds_at(at_ms)))

    def advance_next(self, count: int = 1) -> list[AlarmRun]:
        """Let virtual time pass until the next alarm has run, `count` times."""
        self._kernel.real_time.check_virtual()
        return self._recording(lambda: self._run_alarms(count))

    def advance_until_idle(self, *, limit: int = 10_000) -> list[AlarmRun]:
        """Let virtual time pass until no alarm is scheduled any more.

        Args:
            limit: Stop after so many instants at which alarms run; recurring ones never end.
        """
        self._kernel.real_time.check_virtual()
        return self._recording(lambda: self._run_alarms(limit))

    def _run_alarms(self, count: int) -> None:
        alarms, loop, turn = self._kernel.alarms, self._kernel.loop, self._kernel.driver.turn
        for _ in range(count):
            if not alarms.running:  # one that is under way already counts as the first
                next_ms = alarms.next_ms()
                if next_ms is None:
                    return
                turn(loop.seconds_at(next_ms))
            while alarms.running and (timer := loop.next_timer()) is not None:
                turn(timer)  # a handler that sleeps has not run before it is through
            if alarms.running:
                return  # it waits for something that no time brings

    def _recording(self, go: Callable[[], None]) -> list[AlarmRun]:
        alarms = self._kernel.alarms
        alarms.runs = []
        alarms.keep_runs = True
        try:
            go()
            alarms.record_running()
        finally:
            alarms.keep_runs = False
        runs, alarms.runs = alarms.runs, []
        return runs

    def start_real_time(self) -> AbstractContextManager[None]:
        """Let time pass at the speed of the clock on the wall.

        The clock continues from where it stands. One thread turns the runtime in the background;
        calls, magics and everything else work as before, except what moves the clock. Nothing
        happens if time is real already.

        Returns:
            A context manager: `with runtime.start_real_time():` makes time virtual again at its
            end, unless it was real before.

        Raises:
            UsageError: If called from inside the runtime, by a handler for instance.

        Example:
            >>> import asyncio, dobook
            >>> class Sleeper:
            ...     def __init__(self, ctx, env): ...
            ...     async def nap(self):
            ...         await asyncio.sleep(0.01)
            ...         return "slept"
            >>> with dobook.Runtime() as runtime:
            ...     sleeper = runtime.register(Sleeper).getByName("a")
            ...     with runtime.start_real_time():
            ...         print(runtime.run(sleeper.nap()), runtime.clock.virtual)
            slept False
        """
        before = self._kernel.real_time.on
        self._kernel.real_time.start()
        return contextlib.nullcontext() if before else _stopping(self)

    def stop_real_time(self) -> None:
        """Make time virtual again: it stands still until somebody moves it.

        Alarms stay as they are set. Nothing happens if time is virtual already.

        Raises:
            UsageError: If called from inside the runtime, by a handler for instance.
        """
        self._kernel.real_time.stop()

    # ------------------------------------------------------------------ objects

    def objects(self) -> list[ObjectSnapshot]:
        """Return the objects the runtime knows, by binding and in the order of first use."""
        with self._kernel.driver.held:
            return object_snapshots(self._kernel)

    def scheduled_alarms(self) -> list[AlarmSnapshot]:
        """Return the alarms that are waiting, soonest first."""
        with self._kernel.driver.held:
            return alarm_snapshots(self._kernel)

    def evict(
        self, which: object, *, websockets: Literal["hibernate", "close"] = "hibernate"
    ) -> Promise:
        """Take an object out of memory once it is idle; its storage stays.

        Args:
            which: A stub or `BINDING/name`.
            websockets: Whether hibernatable connections stay ("hibernate") or are lost ("close").

        Returns:
            A promise; awaiting raises PlatformError if the object is not running.
        """
        kernel = self._kernel
        with kernel.driver.held:
            actor = kernel.actor_of(which)
            evicting = kernel.residency.evict_when_idle(actor, close_sockets=websockets == "close")
            return kernel.post.promise_of(evicting, actor)

    def crash(self, which: object) -> None:
        """End an object's life as a crash would: what was not committed is lost."""
        with self._kernel.driver.held:
            self._kernel.faults.crash(which)

    @property
    def faults(self) -> Faults:
        """Faults on purpose: slow storage, crashes, failed writes, lost replies."""
        return self._kernel.faults

    def why_awake(self, which: object) -> list[str]:
        """Return what keeps an object from being evicted or hibernating; nothing: it may sleep.

        Args:
            which: A stub or `BINDING/name`.

        Example:
            >>> import asyncio, dobook
            >>> class Sleeper:
            ...     def __init__(self, ctx, env): ...
            ...     async def nap(self):
            ...         await asyncio.sleep(60)
            >>> with dobook.Runtime() as runtime:
            ...     stub = runtime.register(Sleeper).getByName("a")
            ...     nap = stub.nap()
            ...     runtime.settle()
            ...     runtime.why_awake(stub)
            ['nap() is under way']
        """
        with self._kernel.driver.held:
            return why_awake(self._kernel.actor_of(which))

    def costs(self) -> list[Cost]:
        """Return what objects have used and what the platform would bill, one each.

        Reads and writes are counted from the first call on; requests and duration always are.

        Example:
            >>> import dobook
            >>> class Counter:
            ...     def __init__(self, ctx, env):
            ...         self.storage = ctx.storage
            ...     async def increment(self):
            ...         await self.storage.put("n", (await self.storage.get("n") or 0) + 1)
            >>> with dobook.Runtime() as runtime:
            ...     costs = runtime.costs()
            ...     runtime.run(runtime.register(Counter).getByName("a").increment())
            ...     [(c.object, c.requests, c.reads, c.writes) for c in runtime.costs()]
            [('COUNTER/a', 1.0, 1, 1)]
        """
        with self._kernel.driver.held:
            self._kernel.meters.start()
            return costs(self._kernel)

    # ------------------------------------------------------------------ the trace

    @property
    def observers(self) -> Observers:
        """Who gets each event of the trace as it happens; see `Observers.add`."""
        return self._kernel.observers

    @property
    def tracing(self) -> bool:
        """Whether events are recorded; off at first. Recorded events stay when it is set off."""
        return self._kernel.recorder.on

    @tracing.setter
    def tracing(self, on: bool) -> None:
        with self._kernel.driver.held:
            self._kernel.recorder.switch(on=on)
            watch_commits(self._kernel)

    def trace(self, which: object = None, *, since_ms: int | None = None) -> list[AnyEvent]:
        """Return what has been recorded, oldest first: the last 10,000 events.

        Args:
            which: Only what concerns one object (a stub or `BINDING/name`): what happened at it
                and what was sent to it.
            since_ms: Only what happened then or later, in ms since 1970.

        Example:
            >>> import dobook
            >>> class Greeter:
            ...     def __init__(self, ctx, env): ...
            ...     def greet(self):
            ...         return "hello"
            >>> with dobook.Runtime() as runtime:
            ...     runtime.tracing = True
            ...     greeter = runtime.register(Greeter).getByName("a")
            ...     greeting = runtime.run(greeter.greet())
            ...     [event.kind for event in runtime.trace()]
            ['sent', 'rpc', 'started', 'answer']
        """
        events = self._kernel.recorder.events()
        if since_ms is not None:
            events = [event for event in events if event.t_ms >= since_ms]
        if which is None:
            return events
        label = self._kernel.actor_of(which).label
        return [event for event in events if label in (event.object, event.get("to"))]

    # ------------------------------------------------------------------ other runtimes

    def snapshot(self, path: str | Path) -> Path:
        """Write objects, alarms, clock and settings into one file, for `restore`.

        Args:
            path: The file. One that is there already is replaced once the new one is whole.

        Returns:
            The file.

        Raises:
            StateDirectoryError: If it cannot be written.
            UsageError: If an object is in the middle of a transaction with SQL.

        Example:
            >>> import dobook, tempfile, pathlib
            >>> class Counter:
            ...     def __init__(self, ctx, env):
            ...         self.storage = ctx.storage
            ...     async def increment(self):
            ...         n = (await self.storage.get("n") or 0) + 1
            ...         await self.storage.put("n", n)
            ...         return n
            >>> with tempfile.TemporaryDirectory() as folder, dobook.Runtime() as runtime:
            ...     counter = runtime.register(Counter).getByName("a")
            ...     first = runtime.run(counter.increment())
            ...     file = runtime.snapshot(pathlib.Path(folder) / "one.dobook")
            ...     with dobook.Runtime.restore(file, classes=[Counter]) as other:
            ...         other.run(other.env.COUNTER.getByName("a").increment())
            2
        """
        return snapshot(self._kernel, path)

    @classmethod
    def restore(
        cls,
        path: str | Path,
        *,
        classes: Iterable[type] = (),
        into: str | Path | None = None,
        **options: Any,
    ) -> "Runtime":
        """Return a new runtime that continues from a snapshot.

        Args:
            path: What `snapshot` wrote.
            classes: The classes again, as code is not in the file; they get the bindings and kinds
                of storage they had. Others can be registered later.
            into: A new state directory to keep it in; by default it is kept in memory.
            options: Options of `Runtime`, in place of the ones the snapshot was made with.

        Raises:
            StateDirectoryError: If the file is not a snapshot, is damaged or has something in it that
                dobook does not write, or if `into` is not empty.
            UsageError: If one of the classes was not in the snapshot.
        """
        return restore(cls, path, classes, into, options)

    def fork(self, *, at: Mapping[Any, str] | None = None, **options: Any) -> "Runtime":
        """Return a new runtime in memory with the same classes, objects, alarms and clock.

        Both go their own ways from here. What is under way in this one is not in the other.

        Args:
            at: Objects (stubs, or `BINDING/name`) that have there what they had at a bookmark.
            options: Options of `Runtime`, in place of this one's, for instance another `seed`.

        Raises:
            UsageError: If an object is in the middle of a transaction with SQL.
            PlatformError: If a bookmark belongs to another object, or its state is not kept.

        Example:
            >>> import dobook
            >>> class Box:
            ...     def __init__(self, ctx, env):
            ...         self.storage = ctx.storage
            ...     async def put(self, key, value):
            ...         await self.storage.put(key, value)
            ...     async def keys(self):
            ...         return list(await self.storage.list())
            >>> with dobook.Runtime() as runtime:
            ...     box = runtime.register(Box).getByName("a")
            ...     runtime.run(box.put("x", 1))
            ...     with runtime.fork() as other:
            ...         other.run(other.stub("BOX/a").put("y", 2))
            ...         other.run(other.stub("BOX/a").keys()), runtime.run(box.keys())
            (['x', 'y'], ['x'])
        """
        return fork(type(self), self._kernel, at or {}, options)

    # ------------------------------------------------------------------ the end

    def close(self) -> None:
        """Write what is left, close every file and let the state directory go. Twice is fine.

        Raises:
            StateDirectoryError: If the disk refuses. The runtime is closed all the same, and the
                directory's journal has what could not be written.
        """
        self._kernel.close()

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
        return repr(self._kernel)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in _OLD_NAMES]

    if not TYPE_CHECKING:  # or a type checker would find no misspelt name

        def __getattr__(self, name: str) -> Any:
            hint = _OLD_NAMES.get(name)
            if hint is None or "_kernel" not in self.__dict__:
                raise misspelt(self, name)
            warnings.warn(
                f"runtime.{name} will be removed: {hint}", DeprecationWarning, stacklevel=2
            )
            if name == "real_time":
                return self.start_real_time
            if name == "meter":
                return self._kernel.meters.start
            return getattr(self._kernel, name)


# Names that users had before this version, and what to write instead.
_OLD_NAMES: Final = {
    "closed": "a closed runtime raises UsageError when it is used",
    "durability": "keep what you gave to dobook.Runtime(...)",
    "meter": "write runtime.costs(), which begins to count",
    "namespaces": "write runtime.objects(), or runtime.namespace(binding)",
    "path": "keep what you gave to dobook.Runtime(...)",
    "real_time": "write `with runtime.start_real_time():`",
    "seed": "keep what you gave to dobook.Runtime(...)",
    "unheard": "use the fixture durable_objects of dobook.testing, which has it",
    "worker": "keep what you gave to dobook.Runtime(...)",
}


@contextlib.contextmanager
def _stopping(runtime: Runtime) -> Iterator[None]:
    try:
        yield
    finally:
        runtime.stop_real_time()
