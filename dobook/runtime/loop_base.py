"""What code that runs on the runtime's loop may ask of it, and what led to that code.

`RuntimeLoop` (loop.py) is the only class of this kind. The loop itself knows the code that it runs
(tasks of objects, their gates), so that code knows the loop by this base class.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Chain(NamedTuple):
    """What led to a piece of code.

    Attributes:
        depth: How many calls from object to object, this one included.
        links: How many things in a row were set in motion at one instant, without outside input.
        at: That instant, in seconds of the loop.
    """

    depth: int
    links: int
    at: float


class Ordering(Protocol):
    """In which order ready work runs; see `scheduling`."""

    def mix(self, items: "deque[T]", lane: Callable[[T], int]) -> None:
        """Reorder a queue in place; items of the same lane keep their order."""

    def deliverable(self, items: "deque[T]", lane: Callable[[T], int]) -> int:
        """Reorder a queue in place and return how many of its first items arrive now."""
        ...


class Waiting(Protocol):
    """What is awaited while the loop turns; see `hopeless`."""

    def allows(self, due: float) -> bool:
        """Return whether the clock may jump to an alarm, at a time of the loop in seconds."""
        ...


class Loop(asyncio.SelectorEventLoop):
    """An asyncio loop whose time is virtual unless switched to real time.

    Attributes:
        start_ms: The instant at which the loop's time is 0, in ms since 1970.
        virtual: Whether time passes only when nothing is ready.
        order: In which order ready work runs; None for that in which it became ready.
        in_flight: Real operations that the clock must wait for.
        torn: What has broken off a callback of the engine's own.
        horizon: Virtual time goes no further than this, in seconds of the loop.
        on_escape: Told of what no seed can repeat.
        before_real: Called before real work begins.
        before_jump: Called with the time that the clock is about to jump to; returns where it is to
            stop before that, or None.
        time_and_chance: What code on this loop sees; see `current`.
        chain: What led to the callback that runs; see `livelock`.
        failure: What the turn of the loop ends with.
        ticks_here: Ticks of the loop since the clock moved last.
        tick: Ticks of the loop since its beginning.
        is_alarm: Whether a timer is an alarm's.
        wait: What is awaited while the loop turns.
        next_task: Returns the number of the next task.
    """

    start_ms: int
    virtual: bool
    order: Ordering | None
    in_flight: int
    torn: BaseException | None
    horizon: float | None
    on_escape: Callable[[str], None] | None
    before_real: Callable[[], None] | None
    before_jump: Callable[[float], float | None] | None
    time_and_chance: Any
    chain: Chain | None
    failure: BaseException | None
    ticks_here: int
    tick: int
    is_alarm: Callable[[Any], bool]
    wait: Waiting | None
    next_task: Callable[[], int]

    if TYPE_CHECKING:

        @property
        def now_ms(self) -> int:
            """Milliseconds since 1970."""
            ...

        @property
        def ready(self) -> "deque[asyncio.Handle]":
            """What runs in the next turns, in order."""
            ...

        @property
        def thread(self) -> int | None:
            """The thread that runs the loop, None if it does not run."""

        def abandon(self, selector: Any) -> None:
            """Close the loop of a forked process without touching its parent's."""

        def timers(self) -> list[asyncio.TimerHandle]:
            """Return the timers that are set."""
            ...

        @property
        def alone(self) -> bool:
            """Whether time is virtual and nothing real, no thread and no socket, is under way."""
            ...

        def set_time(self, seconds: float) -> None:
            """Set the virtual clock forward; timers on the way are not run."""

        def set_virtual(self, virtual: bool) -> None:  # noqa: FBT001
            """Switch between virtual and real time; the clock continues from where it stands."""

        def seconds_at(self, at_ms: int) -> float:
            """Return the loop's time at an instant given in ms since 1970."""
            ...

        def next_timer(self) -> float | None:
            """Return when the next timer that has not been cancelled is due, or None."""

        def real_work(self) -> AbstractContextManager[None]:
            """Keep virtual time from moving on while something real is waited for."""
            ...
