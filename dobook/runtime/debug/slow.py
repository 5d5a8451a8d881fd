"""Storage operations that take time on purpose, and those whose awaiting is counted.

A slow operation locks the input gate, unless it allows concurrency; the code that awaits it
continues before the events that had to wait. A counted one tells the planned faults when it is
awaited.
"""

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from dobook.events import InputGateClosed, InputGateOpened
from dobook.gates import GRACE_TICKS, InputGate, open_gate
from dobook.runtime.aborts import DurableObjectAbort
from dobook.runtime.calls.promise import Promise
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.loop.turns import SectionEnd, StorageFuture
from dobook.runtime.storage.stored import Stored

if TYPE_CHECKING:
    from dobook.runtime.protocols import Instance


class _Lock:
    """The lock of one slow operation; released once the turn that awaited it is over."""

    ended = True  # never read here, but SectionEnd expects it of a section
    unconfirmed = False

    def __init__(self, instance: "Instance", gate: InputGate) -> None:
        self._instance = instance
        self._gate = gate
        self._held = True
        self.grace = False
        self._loop = instance.runtime.loop
        gate.lock()
        gate.passing += 1  # tasks that this turn has started are part of it
        self._loop.call_soon(self._turn_ends, GRACE_TICKS)
        if (observers := instance.runtime.observers).detailed:
            observers.emit(InputGateClosed, instance.actor.label, 0, "storage")

    def _turn_ends(self, ticks: int) -> None:
        if ticks:
            self._loop.call_soon(self._turn_ends, ticks - 1)
        else:
            self._gate.passing -= 1

    def leave(self) -> None:
        """Release the lock, after the rest of this turn if it is not over."""
        if self.grace:
            self.grace = False
            self._gate.passing += 1
            self._loop.call_soon(self._turn_ends, GRACE_TICKS)
            self._loop.call_soon(self._leave_later, GRACE_TICKS)
        elif self._held:
            self._held = False
            if (observers := self._instance.runtime.observers).detailed:
                observers.emit(InputGateOpened, self._instance.actor.label, 0)
            self._gate.unlock()

    def _leave_later(self, ticks: int) -> None:
        if ticks:
            self._loop.call_soon(self._leave_later, ticks - 1)
        else:
            self.leave()


class SlowPromise(Promise):
    """The outcome of an operation that takes virtual time."""

    __slots__ = ("_caller", "_done", "_ends", "_instance", "_lock", "_plain", "_promise")

    def __init__(self, instance: "Instance", promise: Promise, ms: float, *, locks: bool) -> None:
        loop = instance.runtime.loop
        self._instance = instance
        self._promise = promise
        self._done = False
        self._caller = asyncio.current_task(loop)
        self._ends: list[SectionEnd] = []
        self._plain: list[asyncio.Future[None]] = []
        frame = current_frame.get()
        inside = frame is not None and frame.instance is instance
        gate = open_gate(frame.gate) if frame is not None and inside else instance.gate
        self._lock = _Lock(instance, gate) if locks else None
        loop.call_later(ms / 1000, self._over)

    def _over(self) -> None:
        self._done = True
        for future in self._plain:
            if not future.done():
                future.set_result(None)
        if self._lock is None:
            return
        for end in self._ends[:1]:
            end.complete()
        for end in self._ends[1:]:  # awaited more than once: the others follow as events do
            end.section = _NOTHING  # type: ignore[assignment]
            end.complete()
        if not self._ends:
            self._lock.leave()

    def __await__(self) -> Generator[Any, None, Any]:
        loop = self._instance.runtime.loop
        if not self._done:
            if self._lock is None:
                future = StorageFuture(loop=loop)
                self._plain.append(future)
                yield from future
            else:
                if asyncio.current_task(loop) is not self._caller:
                    self._lock.grace = True
                end = SectionEnd(loop, self._lock)  # type: ignore[arg-type]
                self._ends.append(end)
                yield end
            if isinstance(self._promise, Stored):
                return self._promise._value  # the object's other tasks have had their turns
        return (yield from self._promise.__await__())


class _Nothing:
    unconfirmed = False

    def leave(self) -> None:
        """Do nothing: no lock is held."""


_NOTHING = _Nothing()


class CountedPromise(Promise):
    """A promise that tells the planned faults when it is awaited."""

    __slots__ = ("_instance", "_promise")

    def __init__(self, instance: "Instance", promise: Promise) -> None:
        self._instance = instance
        self._promise = promise

    def __await__(self) -> Generator[Any, None, Any]:
        instance = self._instance
        if instance.actor.faults is not None and instance.dead is None:
            instance.actor.faults.awaited(instance)
            if instance.dead is not None:
                raise DurableObjectAbort(str(instance.dead))
        return (yield from self._promise.__await__())
