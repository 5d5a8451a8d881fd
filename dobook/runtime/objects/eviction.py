"""Which objects are in memory, and evicting those that nothing needs any more.

An object that has had nothing to do for 10 s is evicted: its memory is lost, its storage stays.
Virtual time passes only when somebody lets it, so idle objects stay while cells are merely read.

Source: developers.cloudflare.com/durable-objects/concepts/durable-object-lifecycle/
"""

import heapq
from typing import TYPE_CHECKING

from dobook import limits
from dobook.errors import PlatformError
from dobook.events import Evicted, Reset, Started
from dobook.runtime.loop.loop import GRID

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Instance, Kernel


IDLE_EVICTION_S = limits.IDLE_EVICTION_MS / 1000


def eviction_time(instance: "Instance") -> float:
    """Return when an idle instance may be evicted, in seconds on the grid of the loop's clock."""
    return round(instance.idle_since + IDLE_EVICTION_S, GRID)


class Residency:
    """The instances of a runtime."""

    def __init__(self, runtime: "Kernel") -> None:
        self._runtime = runtime
        self._instances: dict[Instance, None] = {}
        self._idle: list[Instance] = []  # a heap, by the time at which each may be evicted

    def instances(self) -> "list[Instance]":
        """Return the instances, in the order they were made."""
        return list(self._instances)

    def started(self, instance: "Instance", cause: int = 0) -> None:
        """Report a new instance, made for the event of the number `cause`."""
        self._instances[instance] = None
        observers = self._runtime.observers
        if observers.active:
            observers.emit(Started, instance.actor.label, cause)

    def gone(self, instance: "Instance", error: BaseException) -> None:
        """Forget an instance that was reset, and report it."""
        self._instances.pop(instance, None)
        _tell(instance)  # end the waits for it to be idle
        self._runtime.observers.emit(
            Reset, instance.actor.label, 0, f"{type(error).__name__}: {error}"
        )

    def idle(self, instance: "Instance") -> None:
        """Note that an instance has nothing to do at the moment."""
        if instance.on_idle is not None:
            _tell(instance)
        if not instance.in_idle_queue:
            instance.in_idle_queue = True
            instance.evict_at = eviction_time(instance)
            heapq.heappush(self._idle, instance)

    def mend(self) -> None:
        """Queue the idle instances anew after an exception may have broken that off."""
        self._idle.clear()
        for actor in [a for n in self._runtime.namespaces for a in n.actors.values()]:
            instance = actor.instance
            if instance is not None and instance not in self._instances:
                if instance.object is None:
                    actor.instance = None  # it has never come to be
                    continue
                self._instances[instance] = None
        for instance in list(self._instances):
            if instance.dead is not None or instance.actor.instance is not instance:
                del self._instances[instance]
                continue
            instance.in_idle_queue = False
            instance.maybe_idle()

    def evict_before(self, target: float) -> float | None:
        """Evict the first object that will have been idle long enough by `target` seconds.

        Returns:
            When that is, in seconds of the loop, or None.
        """
        loop = self._runtime.loop
        idle = self._idle
        while idle:
            instance = idle[0]
            deadline = instance.evict_at
            if deadline > target:
                return None
            heapq.heappop(idle)
            instance.in_idle_queue = False
            if instance.dead is not None or instance.busy:
                continue
            if eviction_time(instance) > deadline:
                self.idle(instance)  # it has been busy since
                continue
            loop.set_time(deadline)
            self.evict(instance, "idle")
            return deadline
        return None

    async def evict_when_idle(self, actor: "Actor", *, close_sockets: bool = False) -> None:
        """Evict an object as soon as it has nothing to do.

        Args:
            actor: The object.
            close_sockets: Whether its hibernatable connections are lost.

        Raises:
            PlatformError: If it is not in memory.
        """
        actor = actor.current()
        if actor.instance is None:
            raise PlatformError("Cannot evict Durable Object: it is not currently running.")
        while True:
            instance = actor.instance
            if instance is None:  # it was reset meanwhile
                return
            if not instance.busy:
                if close_sockets:
                    actor.drop_sockets()
                self.evict(instance, "asked")
                return
            waiter = self._runtime.loop.create_future()
            instance.on_idle = [*(instance.on_idle or ()), waiter]
            await waiter

    def evict(self, instance: "Instance", why: str) -> None:
        """Evict an instance."""
        actor = instance.actor
        self._runtime.stores.committer.flush()
        if instance.dead is not None:
            return  # reset: what it had written could not be committed
        try:
            instance.evict()
        finally:  # whatever fails, nothing is delivered to it any more
            self._instances.pop(instance, None)
            if actor.instance is instance:
                actor.instance = None
        self._runtime.observers.emit(Evicted, actor.label, 0, why)
        self._runtime.stores.release(actor)

    def end_all(self) -> None:
        """Evict everything, as the runtime closes."""
        for instance in list(self._instances):
            instance.evict()
        self._instances.clear()
        self._idle.clear()


def _tell(instance: "Instance") -> None:
    waiters, instance.on_idle = instance.on_idle, None
    for waiter in waiters or ():
        if not waiter.done():
            waiter.set_result(None)
