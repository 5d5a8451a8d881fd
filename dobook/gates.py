"""Input gates, critical sections and output gates.

An **input gate** decides when an object may be handed its next event: a new call, or the end of
something it waited for. While it is locked, events queue and are let in one at a time, in order.
A **critical section** (`blockConcurrencyWhile`) locks the gate for its duration and is itself a
gate for what its own code waits for. An **output gate** holds back what an object says (answers,
calls, messages) until the writes before it are durable.

A waiter is a callable that runs one turn of the object before it returns, so that the next waiter
sees whatever lock that turn has taken. Gates know neither storage nor instances.

Source: cloudflare/workerd src/workerd/io/io-gate.h
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

Waiter = Callable[[], object]
# Returned by a waiter whose turn continues in other tasks: those that wait for the one that ran.
GOES_ON: Final = object()
GRACE_TICKS: Final = 5  # of the loop, until the code that awaits a task has continued


class InputGate:
    """Lets events in one at a time, and none while it is locked.

    Args:
        call_soon: Runs a callable on the loop's next tick.

    `busy` is true while an event that comes now has to wait; callers test it and either run at
    once or pass a waiter to `wait`.
    """

    __slots__ = (
        "_call_soon",
        "after_turns",
        "busy",
        "grace",
        "locks",
        "passing",
        "sections",
        "turns",
        "waiters",
    )

    def __init__(self, call_soon: Callable[[Waiter], object]) -> None:
        self._call_soon = call_soon
        self.locks = 0
        # An empty deque takes 600 bytes, and most objects never have anybody waiting.
        self.waiters: deque[Waiter] | None = None
        self.sections: deque[Waiter] | None = None  # critical sections: they go before the waiters
        self.busy = False
        self.grace = 0  # ticks of the loop until a turn is over that tasks have continued
        self.passing = 0  # above 0: locked, but for the rest of a turn that is under way
        # How many reasons there are why a turn lasts longer than a tick, those of sections too.
        self.turns = 0
        self.after_turns: Callable[[], None] | None = None  # called when the last reason is gone

    def lock(self) -> None:
        """Shut the gate; locks add up."""
        self.locks += 1
        self.busy = True

    def unlock(self) -> None:
        """Take one lock away; with the last one the first waiter is let in on the next tick."""
        self.locks -= 1
        if self.locks == 0:
            if self.waiters or self.sections:
                self._call_soon(self._admit)
            else:
                self.busy = False

    def turn_goes_on(self) -> None:
        """Keep events out until the tasks that a turn has started, or that have ended, are quiet.

        On the platform the code that awaits them would continue before the next event. On asyncio's
        loop that takes some ticks, in which only the object's own work may run.
        """
        if not self.grace:
            self.begin_turn()
            self._call_soon(self._grace_tick)
        self.grace = GRACE_TICKS

    def _grace_tick(self) -> None:
        self.grace -= 1
        if self.grace:
            self._call_soon(self._grace_tick)
        else:
            self.end_turn()

    def begin_turn(self) -> None:
        """Lock the gate for everything but the rest of the turn that is under way."""
        self.lock()
        self.passing += 1
        self.count_turns(1)

    def end_turn(self) -> None:
        """Take one `begin_turn` back."""
        self.count_turns(-1)
        self.passing -= 1
        self.unlock()

    def leave_turn(self) -> None:
        """Take one `begin_turn` back as code continues: once the object's own tasks are quiet."""
        self.turn_goes_on()
        self.end_turn()

    def count_turns(self, change: int) -> None:
        """Add to the number of reasons why a turn lasts longer than a tick."""
        self.turns += change
        if not self.turns and self.after_turns is not None:
            after, self.after_turns = self.after_turns, None
            self._call_soon(after)  # before the waiters, which belong to another turn

    def wait(self, waiter: Waiter) -> None:
        """Queue a waiter behind those that came before."""
        if self.waiters is None:
            self.waiters = deque()
        self.waiters.append(waiter)
        self.busy = True

    def wait_as_section(self, waiter: Waiter) -> None:
        """Queue the beginning of a critical section, before all other waiters."""
        if self.sections is None:
            self.sections = deque()
        self.sections.append(waiter)
        self.busy = True

    def discard(self, waiter: Waiter) -> None:
        """Forget a waiter that no longer wants in."""
        if self.waiters and waiter in self.waiters:
            self.waiters.remove(waiter)
            self.busy = bool(self.locks or self.waiters or self.sections)

    def readmit(self) -> None:
        """Admit waiters again in the middle of a turn, which waits and stays on the stack."""
        if self.busy and not self.locks:
            self._admit()

    def _admit(self) -> None:
        # Each waiter runs a turn; a turn that locks the gate ends the admission.
        try:
            while not self.locks and (queue := self.sections or self.waiters):
                if queue.popleft()() is GOES_ON:
                    self.passing += 1
                    self._call_soon(partial(self._after_grace, GRACE_TICKS))
                    return
        except BaseException:
            self._call_soon(self._admit)  # the others wait still
            raise
        self.busy = bool(self.locks or self.waiters or self.sections)

    def _after_grace(self, ticks: int) -> None:
        if ticks:
            self._call_soon(partial(self._after_grace, ticks - 1))
            return
        self.passing -= 1
        self._admit()


class CriticalSection(InputGate):
    """The inside of one `blockConcurrencyWhile`: holds its parent's lock until it ends.

    What the section's own code waits for is admitted by the section, everything else by the
    parent after the end. Sections nest.
    """

    __slots__ = ("depth", "ended", "over", "parent", "unconfirmed")

    def __init__(self, parent: InputGate, call_soon: Callable[[Waiter], object]) -> None:
        super().__init__(call_soon)
        self.parent = parent
        self.depth: int = getattr(parent, "depth", 0) + 1
        self.ended = False
        self.over = False  # its turns no longer count for the parent
        self.unconfirmed = False  # what its last turn wrote is not durable for its caller yet

    def enter(self, start: Waiter) -> None:
        """Lock the parent, now or when it is this section's turn; start when that turn is over."""

        def begin() -> None:
            self.parent.lock()
            self._call_soon(start_after_the_turn)

        def start_after_the_turn() -> None:
            if self.parent.turns:  # they end on their own, after some ticks
                self._call_soon(start_after_the_turn)
            else:
                start()

        # The code that begins a section has been admitted already, so the section goes before the
        # events that still wait; only another section holds it up.
        parent = self.parent
        if parent.locks or parent.sections:
            parent.wait_as_section(begin)
        else:
            begin()

    def end_turns(self) -> None:
        """Let the section's writes be committed before the code that awaits it continues."""
        self.over = True
        self.parent.count_turns(-self.turns)

    def count_turns(self, change: int) -> None:
        """Count for the parent too, until the section is over."""
        self.turns += change
        if not self.over:
            self.parent.count_turns(change)

    def leave(self) -> None:
        """End the section, and move the waiters inside it to the parent."""
        if self.ended:
            return
        self.ended = True
        while self.waiters:
            self.parent.wait(self.waiters.popleft())
        while self.sections:
            self.parent.wait_as_section(self.sections.popleft())
        self.parent.unlock()


def open_gate(gate: InputGate) -> InputGate:
    """Return the gate that counts for code started inside `gate`.

    That is `gate` itself or, once its section has ended, the nearest enclosing one that has not.
    """
    while isinstance(gate, CriticalSection) and gate.ended:
        gate = gate.parent
    return gate


class OutputGate:
    """Holds back what an object says until its writes are durable.

    The writes of one tick, of any number of objects, become durable together: they share one
    `Commit`. The gate is shut while `commit` is set.
    """

    __slots__ = ("commit",)

    def __init__(self) -> None:
        self.commit: Commit | None = None

    def pass_through(self, speak: Waiter, *, leaves: bool = False) -> None:
        """Call `speak` now or, while writes are on their way to disk, after them; in order.

        Args:
            speak: What the object has to say.
            leaves: Whether it is heard outside.
        """
        if self.commit is None:
            speak()
        else:
            self.commit.waiters.append(speak)
            self.commit.leaves |= leaves


class Commit:
    """One group of writes on its way to disk, the gates it keeps shut and who waits for it.

    `leaves` says that one of those who wait will be heard outside, where nothing can be taken back.
    `lingers` says that an object of those who wait has work in the background, which goes first.
    """

    __slots__ = ("gates", "leaves", "lingers", "waiters")

    def __init__(self) -> None:
        self.gates: list[OutputGate] = []
        self.waiters: list[Waiter] = []
        self.leaves = False
        self.lingers = False

    def shut(self, gate: OutputGate) -> None:
        """Shut a gate until this group is durable."""
        if gate.commit is not self:
            self.gates.append(gate)  # first: what is in the list is opened whatever happens
            gate.commit = self

    def done(self) -> None:
        """Open the gates, unless a later group keeps them shut, and let the waiters speak."""
        for gate in self.gates:
            if gate.commit is self:
                gate.commit = None
        waiters, self.waiters = self.waiters, []
        left = iter(waiters)
        try:
            for speak in left:
                speak()
        except BaseException:
            self.waiters = [*left, *self.waiters]  # calling this once more has the others speak
            raise
