"""One event at a time: what is ready waits in lanes, and somebody else says which goes next.

Stands in for the runtime's `Order`. The loop's own callbacks (timers, gates, commits) run as ever;
whenever none is left, one ready event is let go: a message arrives at an object, an alarm or a
socket's message is delivered, or a piece of waiting code continues. Events of one lane keep their
order: messages of one stub, alarms of one object, the waiting code of one object, each of the
scenario's own tasks. Tasks of one object that await its storage have a lane each: any of them may go
next, and the object's gate keeps events out until all of its tasks are quiet.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from dobook.events import Fault
from dobook.explorer.decisions import Decisions
from dobook.explorer.schedule import DELAYS_MS, JUMPS_MS, late, lateness
from dobook.gates import InputGate, open_gate
from dobook.runtime.access import kernel_of
from dobook.runtime.loop.asyncio_names import context_of, run, task_of, waits_for
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.loop.own_tasks import waits_for_an_event
from dobook.runtime.loop.scheduling import Order
from dobook.runtime.loop.task_waits import StorageTurn

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Call
    from dobook.runtime.runtime import Runtime

OUTSIDE = "outside"
MOST_EVENTS = 20_000  # of one run
_DELAYS = tuple(late(ms) for ms in DELAYS_MS)
_JUMPS = tuple(late(ms) for ms in JUMPS_MS)


class ReadyEvent:
    """An event that waits to be let go; see `decisions.Event`."""

    __slots__ = ("actor", "at", "call", "gate", "handle", "lane", "name", "number", "owner")

    def __init__(
        self,
        lane: object,
        owner: str,
        name: str,
        number: int,
        handle: object,
        call: "Call | None",
        actor: "Actor | None",
    ) -> None:
        self.actor = actor
        self.lane = lane
        self.owner = owner
        self.name = name
        self.number = number  # in the order in which they became ready
        self.handle = handle
        self.call = call
        self.at = 0.0  # its earliest arrival, in seconds of the loop
        self.gate: InputGate | None = None  # shut by this event: its object's turn is not over

    def peers(self) -> frozenset[str]:
        """Return whose calls it may answer: its own, and those that its object has not answered."""
        calls = [] if self.call is None else [self.call]
        if self.actor is not None and self.actor.instance is not None:
            calls += self.actor.instance.calls
        return frozenset([OUTSIDE if c.home is None else c.home.actor.label for c in calls])

    def __repr__(self) -> str:
        return f"<{self.name} at {self.owner}>"


class Scheduler(Order):
    """Lets ready events go one at a time.

    Args:
        runtime: Whose events.
        decisions: Who decides which.
    """

    def __init__(self, runtime: "Runtime", decisions: Decisions) -> None:
        super().__init__(0)
        self._runtime = runtime
        self._loop = kernel_of(runtime).loop
        self._decisions = decisions
        self._lanes: dict[object, deque[ReadyEvent]] = {}
        self._tasks: dict[str, dict[int, int]] = {}  # by owner: id of a task → its number there
        self._steps: dict[str, int] = {}
        self._sent: dict[str, int] = {}
        self._let_go: set[int] = set()  # ids of calls that have been
        self._held: list[object] = []  # keeps what `_tasks` and `_let_go` know by id
        self._number = 0
        self.events = 0
        self.overran = False
        self.sequences: dict[str, list[str]] = {}  # by owner: names of what happened there
        self.before_event: Callable[[], None] | None = None
        kernel_of(runtime).loop.set_order(self)
        evict_before = kernel_of(runtime).loop.before_jump
        assert evict_before is not None
        self._evict_before = evict_before
        kernel_of(runtime).loop.before_jump = self._before_jump

    # ------------------------------------------------------------------ the loop asks

    def arrange(self, ready: "deque[Any]") -> None:
        """Take the steps of tasks out of the loop's queue; put one event in if it is empty."""
        for _ in range(len(ready)):
            handle = ready.popleft()
            task = task_of(handle)
            if isinstance(task, asyncio.Task) and not handle.cancelled():
                self._take_step(handle, task)
            else:
                ready.append(handle)
        if not ready and self._lanes:
            if self.before_event is not None:
                self.before_event()
            handle = self._next()
            if handle is not None:
                ready.append(handle)

    def deliverable(self, items: "deque[Any]", lane: Callable[[Any], int]) -> int:
        """Take the mail; it is delivered when its turn comes."""
        while items:
            call = items.popleft()
            sender = OUTSIDE if call.home is None else call.home.actor.label
            self._take_call(call, ("mail", lane(call)), sender)
        return 0

    def rank(self, when: float, context: Context | None, args: tuple[Any, ...]) -> int:
        """Keep timers of one instant in the order they were set; their events have lanes."""
        return 0

    # ------------------------------------------------------------------ what becomes ready

    def defer(self, call: "Call") -> bool:
        """Queue an alarm or a socket's message; returns False when its turn has come."""
        if id(call) in self._let_go:
            return False
        kind = "alarm" if call.kind == "alarm" else "socket"
        self._take_call(call, (kind, call.actor.label), kind)
        return True

    def _take_call(self, call: "Call", lane: object, sender: str) -> None:
        owner = call.actor.label
        key = f"{sender}>{owner}"
        nth = self._sent[key] = self._sent.get(key, 0) + 1
        event = self._take(lane, owner, f"{sender} {call.kind} {nth}", None, call, call.actor)
        if self._decisions.active and len(self._lanes[lane]) == 1:
            option = self._decisions.decide("message", owner, _DELAYS)
            if option is not None:
                ms = lateness(option)
                event.at = self._loop.time() + ms / 1000
                self._loop.call_at(event.at, _nothing)
                self._report(owner, f"message {ms} ms late")

    def _take_step(self, handle: Any, task: "asyncio.Task[Any]") -> None:
        frame = context_of(handle).get(current_frame)
        actor = None if frame is None else frame.instance.actor
        awaited = waits_for(task)
        if frame is None or actor is None:
            owner, lane = OUTSIDE, ("task", id(task))
        else:
            owner, lane = actor.label, ("steps", id(frame.instance))
            if type(awaited) is StorageTurn:
                lane = ("after storage", id(task))
        tasks = self._tasks.setdefault(owner, {})
        number = tasks.get(id(task))
        if number is None:
            number = tasks[id(task)] = len(tasks) + 1
            self._held.append(task)
        event = self._take(lane, owner, f"step of {number}", handle, None, actor)
        if frame is not None and _belongs_to_the_turn(task, awaited):
            event.gate = open_gate(frame.gate)
            event.gate.begin_turn()

    def _take(
        self,
        lane: object,
        owner: str,
        name: str,
        handle: object,
        call: "Call | None",
        actor: "Actor | None",
    ) -> ReadyEvent:
        self._number += 1
        event = ReadyEvent(lane, owner, name, self._number, handle, call, actor)
        self._lanes.setdefault(lane, deque()).append(event)
        return event

    # ------------------------------------------------------------------ letting go

    def _next(self) -> Any:
        now = self._loop.time() + 1e-9
        ready = [queue[0] for queue in self._lanes.values() if queue[0].at <= now]
        if not ready:
            return None
        ready.sort(key=_by_number)
        self.events += 1
        if self.events > MOST_EVENTS:
            self.overran = True
            self._loop.stop()
        event = ready[self._decisions.pick(ready)]
        queue = self._lanes[event.lane]
        queue.popleft()
        if not queue:
            del self._lanes[event.lane]
        self.sequences.setdefault(event.owner, []).append(event.name)
        if event.gate is not None:
            return asyncio.Handle(_run_in_turn, (event.handle, event.gate), self._loop)
        if event.call is None:
            return event.handle
        self._held.append(event.call)
        self._let_go.add(id(event.call))
        return asyncio.Handle(event.call.actor.deliver, (event.call,), self._loop)

    def _before_jump(self, due: float) -> float | None:
        stop = self._evict_before(due)
        if stop is not None or self._loop.horizon is not None or self._in_a_section():
            return stop
        option = self._decisions.decide("clock", "clock", _JUMPS)
        if option is None:
            return None
        self._report("clock", f"jump of {option[1:]}")
        return due + lateness(option) / 1000

    def _in_a_section(self) -> bool:
        # The 30 s of blockConcurrencyWhile are not timed by the clock, so no jump may end them.
        return any(
            instance.gate.locks for instance in kernel_of(self._runtime).residency.instances()
        )

    def _report(self, label: str, what: str) -> None:
        observers = self._runtime.observers
        if observers.detailed:
            observers.emit(Fault, label, 0, what)


def _belongs_to_the_turn(task: Any, awaited: object) -> bool:
    """Return whether a step of an object's task comes before the next event.

    After storage the gate is shut already. A handler's own task begins by waiting for what its first
    turn has ended with. What a constructor has started may be overtaken by the first event.
    """
    if awaited is None:
        return bool(task.owner) and not task.early
    return type(awaited) is not StorageTurn and not waits_for_an_event(task)


def _run_in_turn(handle: asyncio.Handle, gate: InputGate) -> None:
    try:
        if not handle.cancelled():
            run(handle)
    finally:
        gate.leave_turn()


def _by_number(event: ReadyEvent) -> int:
    return event.number


def _nothing() -> None:
    """Do nothing: this timer stops the clock at a delayed delivery."""
