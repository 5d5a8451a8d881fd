"""How user code is stepped: every turn of an object passes its input gate.

A handler runs as a coroutine. What it starts on its own (`asyncio.gather`, `create_task`, task
groups) becomes tasks of the loop, and these are wrapped so that each time one wakes, from a timer
or from another object's answer, it waits for the object's gate before it continues. The context
variable `current_frame` says on whose behalf code runs; tasks inherit it.

Source: cloudflare/workerd src/workerd/io/io-context.c++ (`IoContext::run` takes the input lock)
"""

# ruff: noqa: D102 - the undocumented methods are those that asyncio expects of a future

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from dobook import limits
from dobook.events import Admitted, Waiting
from dobook.gates import GOES_ON, GRACE_TICKS, CriticalSection, InputGate, open_gate
from dobook.runtime.loop.asyncio_names import GatheringFuture
from dobook.runtime.loop.frame import EXTERNAL, Frame, current_frame
from dobook.runtime.loop.livelock import end, link
from dobook.runtime.loop.task_waits import StorageTurn, Wait
from dobook.runtime.loop_base import Chain

if TYPE_CHECKING:
    from dobook.runtime.loop_base import Loop
    from dobook.runtime.protocols import Instance, ObjectFaults

_NOT_STARTED: Final = object()


class Done(int):
    """Whether a call is over: a truth value, and a method as asyncio has to ask a task."""

    def __call__(self) -> bool:
        """Return it, as `done()` of a task does."""
        return bool(self)


NOT_DONE: Final = Done(0)
DONE: Final = Done(1)


class ObjectTask(asyncio.Task[Any]):
    """A task whose hash and name say when it was made rather than where it lies in memory.

    asyncio keeps tasks in sets, and the order in which a set is gone through, for instance to
    cancel a group's tasks, has to be the same in every process.
    """

    __slots__ = ("_number", "chain", "early", "owner")

    owner: str  # the label of the object whose code has started it; empty for others
    chain: Chain | None  # what led to it
    early: bool  # the object's constructor has started it

    def __init__(self, coro: Any, *, loop: "Loop", **options: Any) -> None:
        self.owner = ""
        self.chain = None
        self.early = False
        self._number = loop.next_task()  # first: asyncio takes the hash while it makes the task
        if options.get("name") is None:
            options["name"] = f"Task-{self._number}"
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self._number

    def set_name(self, value: object) -> None:
        if value is not None:  # Python 3.13.0 sets the name None where none was given
            super().set_name(value)


class Pass(Wait):
    """What a task waits for at a shut gate; the gate itself runs its next step."""

    __slots__ = ("_gate", "_own")

    def __init__(self, loop: "Loop", gate: InputGate, *, own: bool) -> None:
        super().__init__(loop)
        self._gate = gate
        self._own = own
        gate.wait(self._admit)

    def cancel(self, msg: object = None) -> bool:
        if self._callback is None:
            return False
        self.cancelled = True
        gate = self._gate
        while gate is not None:  # the section may have handed its waiters to its parent
            gate.discard(self._admit)
            gate = getattr(gate, "parent", None)  # type: ignore[assignment]
        self._loop.call_soon(self._admit)
        return True

    def _admit(self) -> object:
        callback, self._callback = self._callback, None
        if callback is not None:
            assert self._context is not None
            self._context.run(callback, self)
            if self._own:
                return GOES_ON
        return None


class SectionEnd(Wait):
    """What a task waits for while a critical section of its object runs.

    The task continues under the section's lock, which is released after that turn.
    """

    __slots__ = ("section",)

    def __init__(self, loop: "Loop", section: CriticalSection) -> None:
        super().__init__(loop)
        self.section = section

    def cancel(self, msg: object = None) -> bool:
        callback, self._callback = self._callback, None
        if callback is None:
            return False
        self.cancelled = True  # the section keeps running without anybody waiting for it
        self._loop.call_soon(callback, self, context=self._context)
        return True

    def complete(self) -> None:
        """End the section: resume the waiter, then release the lock."""
        callback, self._callback = self._callback, None
        if callback is None:
            self.section.leave()
        else:
            self._loop.call_soon(callback, self, context=self._context)


class StorageFuture(asyncio.Future[None]):
    """What code waits for that awaits slow storage without a lock."""


# Waits that do not belong to the program, or that a planned crash has counted where they began.
_COUNTED_ALREADY = (Pass, SectionEnd, StorageFuture, StorageTurn)
# What an object's own code completes, rather than an event. The code that awaits it need not wait
# # at the gate while the turn that completed it is not over.
# Storage: what is written before and after is one.
_SAME_EVENT = (SectionEnd, StorageFuture, StorageTurn)
_OWN_DOING = (type(_NOT_STARTED), ObjectTask, GatheringFuture, StorageTurn)


@types.coroutine
def _steps(
    loop: "Loop",
    frame: "Frame | Instance",
    coro: Coroutine[Any, Any, Any],
    yielded: object,
    *,
    own: bool,
    over: Callable[[BaseException], None] | None = None,
) -> Generator[Any, None, Any]:
    # The first turn has reported the wait that it ended with to the planned faults already.
    counted = yielded is not _NOT_STARTED
    # How many `asyncio.sleep(0)` came in a row, and the time of the first.
    yields, since = 0, -1.0
    while True:
        error: BaseException | None = None
        if yielded is not _NOT_STARTED:
            faults = frame.instance.actor.faults
            crashes = (
                faults is not None
                and not counted
                and began_to_wait(faults, frame.instance, yielded)
            )
            if crashes:
                stop_code(coro, yielded)
                raise asyncio.CancelledError
            try:
                # A bare yield that ended the first turn has had its tick: the start of this task.
                if yielded is not None or not counted:
                    yield yielded
            except GeneratorExit:
                coro.close()
                raise
            except BaseException as caught:
                error = caught
            # A timer, asyncio.sleep(0) too, or the answer of another object comes after answers
            # that are on their way.
            if (answers := frame.instance.answers) is not None and (
                yielded is None or getattr(yielded, EXTERNAL, None) is True
            ):
                try:
                    yield from answers.all_given(loop)
                except GeneratorExit:
                    coro.close()
                    raise
                except BaseException as caught:
                    error = caught
            counted = False
        gate = open_gate(frame.gate)
        ended = yielded if type(yielded) is SectionEnd and not yielded.cancelled else None
        busy = gate.busy and not _passes(gate, yielded)
        if busy and ended is None and frame.instance.dead is None:
            number = _report_waiting(frame.instance)
            try:
                yield Pass(loop, gate, own=own)
            except GeneratorExit:
                coro.close()
                raise
            except BaseException as caught:
                error = caught
            if number and frame.instance.dead is None:
                observers = frame.instance.runtime.observers
                observers.emit(Admitted, frame.instance.actor.label, number)
        if frame.instance.dead is not None:
            # The object is gone; its code stops where it stands, as if it had never been resumed.
            stop_code(coro, yielded)
            raise asyncio.CancelledError
        store = frame.instance.actor.store
        if store.dirty and type(yielded) not in _SAME_EVENT and not _is_own_doing(yielded):
            store.marked = True
        if yielded is None:
            if since != loop.time():
                yields, since = 0, loop.time()
            yields += 1
        try:
            if yields > limits.MAX_YIELDS_AT_AN_INSTANT:
                yields = 0
                what = f"has awaited asyncio.sleep(0) {limits.MAX_YIELDS_AT_AN_INSTANT:,} times"
                try:
                    end(loop, frame.instance, what, coro)
                finally:
                    stop_code(coro)
            yielded = coro.send(None) if error is None else coro.throw(error)
        except BaseException as stop:
            if not isinstance(stop, StopIteration):
                frame.instance.runtime.driver.interrupts.left(frame.instance, stop)
            if own:  # the code that awaits it continues now
                open_gate(frame.gate).turn_goes_on()
            elif ended is not None and over is not None and not ended.section.unconfirmed:
                over(stop)  # before the section lets the next event in
            over = None  # the error's traceback has this frame, and must not hold the call
            if isinstance(stop, StopIteration):
                return stop.value
            nobody_hears = own and frame.instance.dead is not None
            if nobody_hears and not isinstance(stop, KeyboardInterrupt | SystemExit):
                raise asyncio.CancelledError from None  # nobody is left to hear of the error
            raise
        finally:
            if ended is not None:
                section = ended.section
                if own and type(section) is CriticalSection:
                    # Code that waits for this task, with gather for instance, is part of the turn.
                    section.parent.passing += 1
                    _leave_after_grace(loop, section, GRACE_TICKS)
                else:
                    section.leave()


def _passes(gate: InputGate, yielded: object) -> bool:
    """Return whether a wait is over in the turn that began it, which no gate holds up."""
    if not gate.passing:
        return type(yielded) is StorageTurn
    if yielded is not None and not _is_own_doing(yielded):
        return False
    if gate.grace:
        gate.turn_goes_on()
    return True


def _is_own_doing(yielded: object) -> bool:
    kind = type(yielded)
    # A plain future is one of a task group, an Event or a queue, unless it is marked as external.
    if kind is asyncio.Future:
        return not getattr(yielded, EXTERNAL, False)
    return kind in _OWN_DOING


def began_to_wait(faults: "ObjectFaults", instance: "Instance", yielded: object) -> bool:
    """Tell the planned faults that an object's code begins to wait; True if it crashes there."""
    if type(yielded) not in _COUNTED_ALREADY:
        faults.awaited(instance)
    return instance.dead is not None


def _report_waiting(instance: "Instance") -> int:
    """Report that a turn which could continue has to wait; returns the event's number."""
    observers = instance.runtime.observers
    if not observers.detailed:
        return 0
    return observers.emit(Waiting, instance.actor.label, 0, "input gate", turn="later")


async def resume(
    loop: "Loop",
    frame: "Frame | Instance",
    coro: Coroutine[Any, Any, Any],
    yielded: object,
    *,
    own: bool = False,
    over: Callable[[BaseException], None] | None = None,
) -> Any:
    """Resume a coroutine that was stepped once by hand and has yielded.

    Args:
        loop: The runtime's loop.
        frame: On whose behalf.
        coro: The coroutine.
        yielded: What it waits for.
        own: Whether the object's code has started it, rather than an event.
        over: Called with what ends the coroutine, StopIteration for a result, if that comes in the
            turn behind a critical section, which keeps the next event out until then.
    """
    steps = _steps(loop, frame, coro, yielded, own=own, over=over)
    del over  # the traceback of an error has this frame, and must not hold the call
    return await steps


def _leave_after_grace(loop: "Loop", section: CriticalSection, ticks: int) -> None:
    if ticks:
        loop.call_soon(_leave_after_grace, loop, section, ticks - 1)
    else:
        section.parent.passing -= 1
        section.leave()


async def gated(loop: "Loop", frame: Frame, coro: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine of an object, each turn through the gate."""
    return await _steps(loop, frame, coro, _NOT_STARTED, own=True)


def stop_code(coro: Coroutine[Any, Any, Any], yielded: object = None) -> None:
    """Close a coroutine of a dead object; what its `finally` blocks do has no effect any more.

    Args:
        coro: The coroutine.
        yielded: What it waited for, whose error nobody will see.
    """
    if isinstance(yielded, asyncio.Future):
        yielded.add_done_callback(_seen)
    try:
        coro.close()
    except BaseException:
        return


def _seen(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()


def task_factory(loop: Any, coro: Coroutine[Any, Any, Any], **options: Any) -> "asyncio.Task[Any]":
    """Make a task; one that an object starts is gated and belongs to that object."""
    if type(coro) is not types.CoroutineType:
        hand_over = getattr(type(coro), "_hand_over", None)
        if hand_over is not None:
            hand_over(coro)  # a promise, whose error is the task's from now on
    context: Context | None = options.get("context")
    frame = current_frame.get() if context is None else context.get(current_frame)
    if frame is None or frame.instance.runtime.loop is not loop:  # that of a runtime around this
        task = ObjectTask(coro, loop=loop, **options)
        turning = asyncio.current_task(loop)
        if turning is not None:
            task.chain = turning.chain  # type: ignore[attr-defined]
        return task
    try:
        chain = link(loop, frame.instance, "starts tasks that start others")
    except BaseException:
        coro.close()
        raise
    make = getattr(type(coro), "_run", None)
    if make is not None:
        coro = make(coro)  # a storage promise: several tasks may be made of it
    task = ObjectTask(gated(loop, frame, coro), loop=loop, **options)
    task.chain = chain
    task.add_done_callback(lambda _: stop_code(coro))  # it may have been cancelled at its start
    task.owner = frame.instance.actor.label
    task.early = frame.instance.object is None
    frame.instance.adopt(task)
    open_gate(frame.gate).turn_goes_on()
    return task
