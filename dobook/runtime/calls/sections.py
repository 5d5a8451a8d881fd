"""Critical sections of an object: `blockConcurrencyWhile` and asynchronous transactions.

The section's code runs as a task whose turns its own gate admits. When it ends, the code that
awaits it continues first, still under the section's lock. Only then are the events admitted that
had to wait.

Source: cloudflare/workerd src/workerd/io/io-gate.h (`CriticalSection`)
"""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from dobook.errors import PlatformError
from dobook.events import Deadlock, InputGateClosed, InputGateOpened
from dobook.gates import CriticalSection, open_gate
from dobook.limits import BLOCK_CONCURRENCY_TIMEOUT_MS, MAX_SECTION_DEPTH
from dobook.ownership import current_owner
from dobook.runtime.calls.deadlock import deadlock
from dobook.runtime.calls.promise import Promise
from dobook.runtime.loop.frame import Frame, current_frame
from dobook.runtime.loop.own_tasks import others_may_run
from dobook.runtime.loop.turns import SectionEnd
from dobook.runtime.reports.unheard import Refusal, note_later
from dobook.runtime.reports.users_code import place_of_error

if TYPE_CHECKING:
    from dobook.runtime.protocols import Instance

TIMED_OUT = (
    "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was "
    "canceled and the Durable Object was reset."
)


class SectionPromise(Promise):
    """The outcome of a critical section."""

    __slots__ = ("_section",)

    def __init__(self, section: "Section") -> None:
        self._section = section

    def __await__(self) -> Generator[Any, None, Any]:
        section = self._section
        if not section.done:
            end = SectionEnd(section.instance.runtime.loop, section.gate)
            section.ends.append(end)
            yield end
        if section.error is not None:
            self._hand_over()
            raise section.error
        return section.value

    def _hand_over(self) -> None:
        if self._section.refusal is not None:
            self._section.refusal.heard = True

    def __repr__(self) -> str:
        return f"<critical section, {'done' if self._section.done else 'running'}>"


class Section:
    """One run of a critical section.

    Args:
        instance: The object.
        body: Called under the lock; what it returns is awaited if it can be.
        breaks: Whether an error of the body resets the object.

    Raises:
        PlatformError: If it is inside of too many others.
    """

    def __init__(self, instance: "Instance", body: Callable[[], Any], *, breaks: bool) -> None:
        self.instance = instance
        self.body = body
        self.breaks = breaks
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None
        self.ends: list[SectionEnd] = []
        self.refusal: Refusal | None = None
        frame = current_frame.get()
        outer = instance.gate
        if frame is not None and frame.instance is instance:
            outer = open_gate(frame.gate)
        self.loop = instance.runtime.loop
        self.gate = CriticalSection(outer, self.loop.call_soon)
        if self.gate.depth > MAX_SECTION_DEPTH:
            raise PlatformError("blockConcurrencyWhile() calls are nested too deeply.")
        self.context: Context = copy_context()
        self.context.run(
            current_frame.set, Frame(instance, self.gate, frame.event if frame else None)
        )
        self.context.run(current_owner.set, instance.actor)
        instance.background += 1
        self.gate.enter(self._begin)

    def _begin(self) -> None:
        if self.instance.dead is not None:
            return
        instance = self.instance
        if instance.actor.store.dirty:
            instance.actor.store.marked = True
        # The section's own gate is open, so its code needs no gating until it waits; the task
        # factory wraps it all the same.
        task = self.loop.create_task(self._run(), context=self.context)
        timer = self.loop.call_later(BLOCK_CONCURRENCY_TIMEOUT_MS / 1000, self._time_out)
        task.add_done_callback(lambda t: self._ended(t, timer))
        instance.runtime.observers.emit(
            InputGateClosed, instance.actor.label, 0, "critical section"
        )

    async def _run(self) -> Any:
        try:
            result = self.body()
            if hasattr(type(result), "__await__"):
                result = await result
        except Exception as error:
            if self.breaks:  # now, before what this turn has written is committed
                self.instance.reset(error, unsaid=True)
            raise
        if self.breaks:  # a transaction commits what it wrote itself
            self.gate.unconfirmed = self.instance.output_gate.commit is not None
        return result

    def _time_out(self) -> None:
        error = PlatformError(TIMED_OUT)
        error.overloaded = True  # type: ignore[attr-defined]
        circle = deadlock(self.instance.runtime, self.instance)
        if circle:
            error.add_note(f"Deadlock: {circle}")
            observers = self.instance.runtime.observers
            observers.emit(Deadlock, self.instance.actor.label, 0, circle)
        self.instance.reset(error)

    def _ended(self, task: "asyncio.Task[Any]", timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        instance = self.instance
        instance.background -= 1
        if instance.dead is not None:
            if not task.cancelled():
                task.exception()
            return
        if task.cancelled():
            self.error = asyncio.CancelledError()
        else:
            self.error = task.exception()
            if self.error is None:
                self.value = task.result()
        if self.error is not None and self.breaks:
            self.done = True
            instance.reset(self.error)
        elif self.gate.busy and others_may_run(instance, None):
            self.gate.wait(self._complete)  # tasks that it has started are part of its last turn
        else:
            self._complete()

    def _complete(self) -> None:
        instance = self.instance
        self.done = True
        if instance.dead is not None:
            return
        self.gate.end_turns()
        if self.error is not None and not self.ends:
            place = place_of_error(self.error)
            self.refusal = note_later(
                instance.runtime, instance, "transaction()", self.error, place
            )
        instance.runtime.observers.emit(InputGateOpened, instance.actor.label, 0)
        if self.ends:
            for end in self.ends:
                end.complete()
        else:
            self.gate.leave()
