"""`Kernel`: the parts of a runtime, connected. What the modules below `Runtime` are handed.

`Runtime` is what users hold. Everything inside, and the layers above that need more than a user
does, works with the kernel: `kernel_of(runtime)`. The kernel is the only mutable root.

Source: cloudflare/workerd src/workerd/server/server.c++
"""

import contextlib
import random
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from typing import Literal

from dobook.clock import format_time
from dobook.errors import UsageError
from dobook.observer import Observers
from dobook.runtime.calls.post import PostOffice
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.debug.faults import Faults
from dobook.runtime.debug.meters import Meters
from dobook.runtime.debug.trace import Recorder
from dobook.runtime.debug.watched import make_watched
from dobook.runtime.driving.forked import check_open
from dobook.runtime.driving.realtime import RealTime
from dobook.runtime.driving.runner import Driver
from dobook.runtime.loop.loop import Clock, RuntimeLoop
from dobook.runtime.loop.scheduling import Order
from dobook.runtime.loop.turns import task_factory
from dobook.runtime.objects.actor import Actor
from dobook.runtime.objects.alarms import AlarmScheduler
from dobook.runtime.objects.eviction import Residency
from dobook.runtime.objects.namespace import DurableObjectNamespace
from dobook.runtime.patching.current import TimeAndChance
from dobook.runtime.patching.patches import patches
from dobook.runtime.protocols import Actor as AnyActor
from dobook.runtime.protocols import Instance
from dobook.runtime.registry import Registry
from dobook.runtime.reports.uncaught import report, uncaught
from dobook.runtime.reports.unheard import Unheard
from dobook.runtime.sockets.transport import Wire
from dobook.runtime.storage.storage import DurableObjectStorage
from dobook.runtime.storage.stores import Stores
from dobook.runtime.worker.env import Env
from dobook.runtime.worker.exports import Exports, exports_of
from dobook.runtime.worker.network import Network
from dobook.runtime.worker.worker import Worker
from dobook.storage.directory import StateDirectory

Durability = Literal["power", "process"]


class Kernel:
    """What a runtime consists of.

    Args:
        path: The state directory; None keeps everything in memory.
        seed: Where everything that chance decides comes from.
        start_ms: The clock's first instant, in ms since 1970.
        durability: What an answer has waited for.
        worker: The Worker's name.
        unsafe_limits: Whether only the engine's own limits are enforced.
        history_ms: How far back point-in-time recovery reaches, in ms of virtual time.

    Attributes:
        session: How many runtimes this one continues, each with chances of its own.
        owner: The process that has the runtime, if this one is its child.
        generation: Changes whenever contexts that instances have made are out of date.
    """

    owner: int | None = None
    session = 0

    def __init__(
        self,
        path: Path | None,
        *,
        seed: int,
        start_ms: int,
        durability: Durability,
        worker: str,
        unsafe_limits: bool,
        history_ms: int,
    ) -> None:
        self.path = path
        self.seed = seed
        self.worker = worker
        self.durability = durability
        self.closed = False
        self.generation = 0
        self.turning = False
        self.on_close: list[Callable[[], None]] = []  # called before anything is closed
        directory = (
            None
            if path is None
            else StateDirectory(path, power_safe=durability == "power", history=history_ms > 0)
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
        self.real_time = RealTime(self, self.driver.held)
        self.recorder = Recorder(self)
        self.meters = Meters(self)
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

    def begin_session(self, session: int) -> None:
        """Draw from another part of what the seed gives, or unique ids would be given twice."""
        self.session = session
        if session:
            for stream in (self.registry.rng, self.alarms.rng, self.time_and_chance.generator):
                stream.seed(f"{self.seed} session {session} {stream.random()}")

    # ------------------------------------------------------------------ objects

    @property
    def namespaces(self) -> list[DurableObjectNamespace]:
        """The namespaces, in the order they were registered."""
        return self.registry.namespaces()

    def exports_of(self, env: Env | None) -> Exports:
        """Return the exports of the Worker that has an `env`; None for the runtime's own.

        Raises:
            AttributeError: If the compatibility date or flags switch them off.
        """
        return exports_of(self, self.env if env is None else env)

    def actor_of(self, which: object) -> AnyActor:
        """Return the object behind a stub, an actor or `BINDING/name`."""
        if isinstance(which, Actor):
            return which
        if isinstance(which, str):
            which = self.registry.stub(which)
        if isinstance(which, DurableObjectStub):
            return which._namespace.actor(which.id)
        raise UsageError(f"expected a stub or 'BINDING/name', not {which!r:.80}")

    def watch(self, instance: Instance, storage: DurableObjectStorage) -> None:
        """Make an object's new storage report its operations if a trace, a meter or a fault asks."""
        make_watched(instance, storage)

    # ------------------------------------------------------------------ what happens

    def settle(self, *, alarms: bool = True) -> None:
        """Run everything that needs no further time; without `alarms`, none of those."""
        with contextlib.nullcontext() if alarms else self.alarms.kept_back():
            self.driver.turn(self.loop.time())

    def report(self, actor: AnyActor, where: str, error: BaseException, cause: int = 0) -> None:
        """Report an error that nobody awaits: of `waitUntil`, an alarm, a socket, a commit."""
        report(self, actor.label, where, error, cause)

    # ------------------------------------------------------------------ the end

    def check_open(self) -> None:
        """Raise if the runtime has been closed.

        Raises:
            UsageError: If so.
        """
        check_open(self)

    def close(self) -> None:
        """Write what is left, close every file and unlock the state directory. Twice is fine.

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
            self.real_time.stop()
            self.settle(alarms=False)

    def _end(self) -> None:
        if self.stores.directory is not None:
            self.stores.directory.closing()
        self.closed = self.time_and_chance.closed = True
        self.residency.end_all()
        self.driver.finish()

    def __repr__(self) -> str:
        where = "memory" if self.path is None else str(self.path)
        state = "closed" if self.closed else f"at {format_time(self.loop.now_ms)}"
        return f"<dobook.Runtime in {where}, {state}>"
