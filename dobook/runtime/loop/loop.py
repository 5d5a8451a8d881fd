"""The runtime's event loop: asyncio's own, with the clock and the wait replaced.

In virtual time the loop never sleeps. When nothing is ready it jumps to the next timer, unless
real work (a thread, a file, a socket) is under way, which it waits for. In real time it behaves
like any other loop, except that timers of one instant keep the order they were set in.

Time is a float of seconds since the runtime's start, on a grid of a microsecond so that sums of
delays compare equal; everything outside this file counts integer milliseconds since 1970.
"""

# ruff: noqa: D102 - the undocumented methods are those of asyncio and selectors

import asyncio
import contextlib
import datetime as dt
import heapq
import itertools
import selectors
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Any

from dobook import limits
from dobook.clock import format_time
from dobook.runtime.loop.asyncio_names import get_running_loop, set_result_unless_cancelled
from dobook.runtime.loop.frame import EXTERNAL, frame_of
from dobook.runtime.loop.livelock import link
from dobook.runtime.loop.real import monotonic
from dobook.runtime.loop.scheduling import Order
from dobook.runtime.loop.standstill import Again, Watch
from dobook.runtime.loop_base import Chain, Loop, Waiting

GRID = 6  # decimals of a second


class Timer(asyncio.TimerHandle):
    """A timer that runs after those set earlier for the same instant."""

    __slots__ = ("_place",)

    def __init__(
        self,
        place: tuple[float, int, int],
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: "RuntimeLoop",
        context: Context | None,
    ) -> None:
        if loop._debug:  # type: ignore[attr-defined]
            super().__init__(when, callback, args, loop, context)
        else:  # what that does, in one function rather than three
            self._context = copy_context() if context is None else context
            self._loop = loop
            self._callback = callback
            self._args = args
            self._cancelled = self._scheduled = False
            self._repr = self._source_traceback = None
            self._when = when
        self._place = place

    def __lt__(self, other: Any) -> bool:
        return self._place < other._place  # type: ignore[no-any-return]


class VirtualSelector(selectors.BaseSelector):
    """Wraps the real selector; in virtual time its wait is a jump of the clock."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.loop: RuntimeLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        loop = self.loop
        if loop is None:
            return self._real.select(timeout)
        loop.tick += 1
        if not loop.virtual:
            return self._real.select(timeout)
        if timeout is not None and timeout <= 0:
            loop.ticks_here += 1
            if loop.ticks_here >= limits.MAX_TICKS_AT_AN_INSTANT:
                loop.watch()
            if loop.woken or loop.in_flight:
                loop.woken = False
                return self._real.select(0)
            return []
        if loop.woken or loop.in_flight:
            loop.woken = False
            return self._real.select(None if loop.in_flight else 0)
        loop.pass_time()
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.loop is not None:
            self.loop.escapes("a socket")
        return self._real.register(fileobj, events, data)

    @property
    def sockets(self) -> int:
        """How many sockets are listened to; one is the loop's own, which wakes it."""
        return len(self._real.get_map())

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.get_key(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class RuntimeLoop(Loop):
    """An asyncio loop whose time is virtual unless switched to real time.

    Args:
        start_ms: The instant at which the loop's time is 0, in ms since 1970.
        order: In which order ready work runs; None for that in which it became ready.
    """

    def __init__(self, start_ms: int, order: Order | None = None) -> None:
        selector = VirtualSelector()
        self.order: Order | None = None
        if order is not None:
            self.set_order(order)
        self.start_ms = start_ms
        self.virtual = True
        self.in_flight = 0  # real operations that the clock must wait for
        self.torn: BaseException | None = None  # what has broken off a callback of the engine's
        self.woken = False  # another thread has called
        self.horizon: float | None = None  # virtual time goes no further than this
        self.on_escape: Callable[[str], None] | None = None  # told of what no seed can repeat
        self.before_real: Callable[[], None] | None = None  # called before real work begins
        self.before_jump: Callable[[float], float | None] | None = None
        self.time_and_chance: Any = None  # what code on this loop sees; see `current`
        self.chain: Chain | None = None  # what led to the callback that runs; see `livelock`
        self.failure: BaseException | None = None  # what the turn of the loop ends with
        self.ticks_here = 0  # of the loop, since the clock moved last
        self.tick = 0  # of the loop, counted from its beginning
        self.watch = Watch(self)
        self.wait: Waiting | None = None  # what is awaited while the loop turns
        self.is_alarm: Callable[[Any], bool] = lambda _timer: False
        self._now = 0.0
        self._offset = 0.0  # real mode: virtual time minus the monotonic clock
        self._sequence = itertools.count()
        self.next_task = itertools.count(1).__next__
        super().__init__(selector)
        # asyncio takes a timer when it is due within this; a nanosecond would vanish in a float
        # that counts a year of seconds.
        self._clock_resolution = 0.5 * 10**-GRID
        selector.loop = self

    if sys.platform == "emscripten":  # Pyodide: no sockets and no threads, so nobody wakes the loop

        def _make_self_pipe(self) -> None:
            self._ssock = self._csock = None
            self._internal_fds = 0

        def _close_self_pipe(self) -> None:
            pass

        def _write_to_self(self) -> None:
            pass

    def set_order(self, order: Order) -> None:
        """Draw the order of ready work from `order`, in place of the earlier one."""
        self.order = order
        self._run_once = self._run_once_in_order

    # ------------------------------------------------------------------ the clock

    def time(self) -> float:
        """Return seconds since the runtime's start."""
        return self._now if self.virtual else monotonic() + self._offset

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        now = self._now if self.virtual else self.time()
        return self.start_ms + int(now * 1000 + 1e-3)

    def seconds_at(self, at_ms: int) -> float:
        """Return the loop's time at an instant given in ms since 1970."""
        return (at_ms - self.start_ms) / 1000

    def set_time(self, seconds: float) -> None:
        """Set the virtual clock forward; timers on the way are not run."""
        self._now = max(self._now, round(seconds, GRID))

    def set_virtual(self, virtual: bool) -> None:  # noqa: FBT001
        """Switch between virtual and real time; the clock continues from where it stands."""
        now = self.time()
        if self.on_escape is not None and not virtual:
            self.on_escape("real time")
        self.virtual = virtual
        if virtual:
            self._now = round(now, GRID)
        else:
            self._offset = now - monotonic()

    def next_timer(self) -> float | None:
        """Return when the next timer that has not been cancelled is due, or None."""
        scheduled: list[Any] = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
            heapq.heappop(scheduled)._scheduled = False
        return scheduled[0]._when if scheduled else None

    def pass_time(self) -> None:
        """Jump to the next timer when nothing is ready, or stop the loop without one to reach."""
        self.ticks_here = 0
        due = self.next_timer()
        horizon = self.horizon
        if due is None or (horizon is not None and due > horizon):
            if horizon is not None:
                if self.before_jump is not None:
                    stop = self.before_jump(horizon)
                    if stop is not None:
                        self._now = max(self._now, stop)
                        return
                self._now = max(self._now, horizon)
            self.stop()
            return
        if horizon is None and not self._may_wait_for(due):
            self.stop()
            return
        if self.before_jump is not None:
            # Something other than a timer (the eviction of an idle object) may come first.
            stop = self.before_jump(due)
            if stop is not None:
                due = stop
        self._now = max(self._now, due)

    def _may_wait_for(self, due: float) -> bool:
        """Return whether the clock may jump to the next timer for what is awaited."""
        wait, timer = self.wait, self._scheduled[0]  # type: ignore[attr-defined]
        return wait is None or not self.is_alarm(timer) or wait.allows(due)

    @property
    def ready(self) -> "deque[asyncio.Handle]":
        """What runs in the next turns, in order."""
        queue: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]
        return queue

    def timers(self) -> list[asyncio.TimerHandle]:
        """Return the timers that are set."""
        return [timer for timer in self._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]

    @property
    def thread(self) -> int | None:
        """The thread that runs the loop, None if it does not run."""
        thread: int | None = self._thread_id  # type: ignore[attr-defined]
        return thread

    def abandon(self, selector: Any) -> None:
        """Close the loop of a forked process without touching its parent's.

        Args:
            selector: Takes the place of the one from before, of which only the descriptor is closed:
                what is registered there belongs to the parent as well.
        """
        own: Any = self
        own._selector.close()
        own._selector = selector
        for end in (own._ssock, own._csock):
            if end is not None:
                end.close()
        own._closed = True

    def turn_once(self) -> None:
        """Run one turn, from inside of another one."""
        self._run_once()

    def is_stuck(self) -> bool:
        """Return whether nothing is ready, no timer is set and nothing real is under way."""
        waiting = self._ready or self._scheduled or self.in_flight or self.woken  # type: ignore[attr-defined]
        return self.virtual and not waiting

    @property
    def alone(self) -> bool:
        """Whether time is virtual and nothing real, no thread and no socket, is under way."""
        return self.virtual and not self.in_flight and self._selector.sockets <= 1  # type: ignore[attr-defined]

    def escapes(self, what: str) -> None:
        """Note that something real begins, which no seed can repeat."""
        if self.before_real is not None:
            self.before_real()
        if self.on_escape is not None:
            self.on_escape(what)

    # ------------------------------------------------------------------ asyncio's hooks

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        if self._closed:  # type: ignore[attr-defined]
            self._check_closed()  # type: ignore[attr-defined]
        when = round(when, GRID)
        if callback is set_result_unless_cancelled:  # what asyncio.sleep waits for
            setattr(args[0], EXTERNAL, True)
        elif when <= self._now and self.virtual and (frame := frame_of(context)) is not None:
            chain = link(self, frame.instance, "sets a timer that is due at once")
            callback = Again(self, callback, chain)
        rank = 0 if self.order is None else self.order.rank(when, context, args)
        place = (when, rank, next(self._sequence))
        timer = Timer(place, when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True
        return timer

    def _run_once_in_order(self) -> None:
        assert self.order is not None
        self.order.arrange(self._ready)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        self.woken = True
        if self.on_escape is not None and not self.in_flight and self._on_other_thread():
            super().call_soon_threadsafe(self.on_escape, "another thread")
        return super().call_soon_threadsafe(callback, *args, context=context)

    def _on_other_thread(self) -> bool:
        turning = self.thread
        return turning is not None and turning != threading.get_ident()

    @contextlib.contextmanager
    def real_work(self) -> Iterator[None]:
        """Keep virtual time from moving on while something real is waited for."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        self.escapes("a thread")
        if self.time_and_chance is not None and (
            executor is None or isinstance(executor, ThreadPoolExecutor)
        ):
            func = self.time_and_chance.bind(func)
        future = super().run_in_executor(executor, func, *args)
        setattr(future, EXTERNAL, True)
        self.in_flight += 1
        future.add_done_callback(self._landed)
        return future

    def _landed(self, _future: object) -> None:
        self.in_flight -= 1


class Clock:
    """The runtime's clock, to read."""

    def __init__(self, loop: RuntimeLoop) -> None:
        self._loop = loop

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._loop.now_ms

    @property
    def now(self) -> dt.datetime:
        """The time as an aware datetime in UTC."""
        return dt.datetime.fromtimestamp(self._loop.now_ms / 1000, dt.UTC)

    @property
    def virtual(self) -> bool:
        """Whether time passes only when the runtime advances it."""
        return self._loop.virtual

    def __repr__(self) -> str:
        kind = "virtual" if self.virtual else "real"
        return f"<{kind} clock at {format_time(self.now_ms)}>"


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that is running on this thread, None if none is."""
    return get_running_loop()
