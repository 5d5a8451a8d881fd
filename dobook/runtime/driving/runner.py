"""Who turns the loop: a cell, a magic, a script, a test; the only file that crosses loops.

The runtime's loop runs on the caller's thread, also when that thread is already inside another
loop, as a notebook cell is: the running loop is taken away for the while and given back. Awaiting
an answer on such a foreign loop submits first and turns on that loop's next tick, so that calls
gathered in one cell are all on their way before the first one runs.

An interrupt ends what is under way; see `interrupts`.

In real time a thread of its own turns the loop whenever nobody else does (see `realtime`). Whoever
wants it, to turn it or only to look, takes it over between two callbacks: `with driver.held`.
"""

import asyncio
import contextlib
import threading
from asyncio import tasks
from collections.abc import Callable, Generator, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from dobook.errors import DeadlockError, UsageError
from dobook.runtime.aborts import BrokenOff, Interrupted
from dobook.runtime.calls.call import Call
from dobook.runtime.calls.deadlock import deadlock, where_it_stands
from dobook.runtime.driving import forked
from dobook.runtime.driving.hopeless import Wait
from dobook.runtime.driving.interrupts import Interrupts, marked
from dobook.runtime.driving.mending import mend
from dobook.runtime.driving.realtime import Held
from dobook.runtime.driving.sleep import Sleep
from dobook.runtime.loop.asyncio_names import set_running_loop, swap_current_task
from dobook.runtime.loop.loop import running_loop
from dobook.runtime.loop.places import has_torn_callback
from dobook.runtime.patching.swaps import Swaps

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel

SETTLING_TICKS = 1_000  # of the loop, at most, until nothing is ready in real time
HANDING_ON_TICKS = 10  # of a foreign loop, for an interrupt to cancel what waits there
GRACE_TICKS = 4  # of a foreign loop, for code that awaits one answer to continue before time moves


Awaited = Call | Sleep  # on a foreign loop


class Driver:
    """Turns the loop of one runtime."""

    def __init__(self, runtime: "Kernel") -> None:
        self._runtime = runtime
        self._loop = runtime.loop
        self.held = Held(runtime.loop)
        forked.watch(runtime)
        self.interrupts = Interrupts(runtime)
        self.swaps = Swaps()
        self._bridged: dict[asyncio.Future[None], tuple[Awaited, asyncio.AbstractEventLoop]] = {}
        self._waiting: list[tuple[Awaited, asyncio.Future[None], asyncio.AbstractEventLoop]] = []
        self._pumping: asyncio.AbstractEventLoop | None = None  # the foreign loop that turns this
        self._newest = runtime.context  # of those who wait
        self._stopped = False
        self.after_turn: Callable[[], None] | None = None  # somebody looks at what has changed

    # ------------------------------------------------------------------ turning

    def turn(self, horizon: float | None = None) -> None:
        """Run the loop until it is stopped or nothing is left to do.

        Args:
            horizon: Virtual time goes exactly this far, in seconds of the loop; None for as far as
                there are timers.

        Raises:
            UsageError: If called from inside the loop, from a handler for instance.
            KeyboardInterrupt: If the user interrupts.
        """
        loop = self._loop
        if running_loop() is loop:
            raise UsageError(
                "this would turn the runtime's loop from inside itself. In a handler or in "
                "runtime.run(...) use await: `await stub.method()`, `await asyncio.sleep(3600)`."
            )
        runtime = self._runtime
        runtime.check_open()
        if threading.get_ident() != self.held.background:
            if self.interrupts.expected:
                self.end_begun()
                raise Interrupted
            self.interrupts.stopping = None
        with self._turning() as catches:
            loop.horizon = horizon
            self._stopped = False
            if horizon is not None and not loop.virtual:
                loop.call_soon(self._settle, SETTLING_TICKS)
            try:
                if not (catches and self.interrupts.ending):  # while another thread had it
                    loop.run_forever()
            except BaseException as error:
                if error is not self.interrupts.escaped and error is not self.interrupts.broken:
                    if not isinstance(error, BrokenOff) and not has_torn_callback(error):
                        raise
                    loop.torn = error
            finally:
                loop.horizon = None
                torn, loop.torn = loop.torn, None
                if runtime.owner is not None:
                    pass  # a handler has forked, and this is the child: nothing here is its own
                elif torn is not None:
                    self.interrupts.escaped = torn
                    mend(runtime, torn)
                elif catches and self.interrupts.ending:
                    self.interrupts.end_running()
        if runtime.owner is not None:
            runtime.check_open()
        if self.after_turn is not None:
            self.after_turn()
        self.interrupts.raise_what_ended_it(catches=catches)
        if loop.failure is not None:
            failure, loop.failure = loop.failure, None
            raise failure

    @contextlib.contextmanager
    def _turning(self) -> Iterator[bool]:
        runtime = self._runtime
        with self.interrupts.caught() as catches, self.held, _no_running_loop():
            runtime.generation += 1
            runtime.context = runtime.time_and_chance.context()
            runtime.turning = True
            try:
                with self.swaps:
                    yield catches
            finally:
                runtime.turning = False
                if runtime.owner is None:
                    runtime.stores.turn_over()

    def run(self, awaitable: object) -> Any:
        """Run until an awaitable is done; returns its result.

        Raises:
            DeadlockError: If it can never be done.
        """
        if running_loop() is self._loop:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            raise UsageError(
                "runtime.run(...) cannot be used inside the runtime's own loop; use await."
            )
        if self._runtime.closed:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            self._runtime.check_open()
        with self.held:
            return self._run(awaitable)

    def _run(self, awaitable: object) -> Any:
        mark = object()
        context = self._runtime.time_and_chance.context()
        future = self._loop.create_task(
            awaitable if asyncio.iscoroutine(awaitable) else _awaiting(awaitable),
            context=context if self._loop.virtual else context.run(marked, mark),
        )
        future.set_name("outside")  # what the trace calls it
        future.add_done_callback(self._stop)
        try:
            with self.interrupts.running(future, mark):
                self._turn_until(future.done, [future])
        except BaseException:
            if not future.done():
                future.cancel()
                with contextlib.suppress(BaseException):
                    self.turn(self._loop.time())
            if future.done() and not future.cancelled():
                future.exception()  # nobody will ask for it: the interrupt takes its place
            raise
        if not future.done():
            future.cancel()
            self.turn(self._loop.time())
            raise DeadlockError(self.why_stuck())
        return future.result()

    def _turn_until(self, done: Callable[[], bool], awaited: list[Any]) -> None:
        """Turn until something is done, or nothing can happen any more that would do it."""
        loop = self._loop
        before, loop.wait = loop.wait, Wait(self._runtime, awaited)
        try:
            self.turn()
            while not loop.virtual and not done():  # in real time something always can
                self.turn()
            # What an earlier, interrupted turn waited for stops the loop too when it ends at last.
            while self._stopped and not done():
                self.turn()
        finally:
            loop.wait = before

    def _stop(self, _done: object) -> None:
        self._stopped = True
        self._loop.stop()

    def _settle(self, ticks: int) -> None:
        """In real time: stop as soon as nothing is ready any more."""
        loop = self._loop
        if not ticks:
            loop.stop()
        elif loop.in_flight:
            loop.call_later(0.001, self._settle, ticks - 1)
        elif loop.ready or ticks > SETTLING_TICKS - GRACE_TICKS:
            loop.call_soon(self._settle, ticks - 1)
        else:
            loop.stop()

    def why_stuck(self) -> str:
        """List the calls that are still under way when nothing can continue."""
        held = [
            f"{call.get_name()}{where_it_stands(call)}"
            for instance in self._runtime.residency.instances()
            for call in instance.calls
        ]
        what = "; ".join(held[:5]) + ("; …" if len(held) > 5 else "")
        hint = deadlock(self._runtime) or (
            "Two objects that wait for each other, one that calls itself inside "
            "blockConcurrencyWhile, or a write to a stream that nobody reads, look like this."
        )
        due = self._loop.next_timer()
        return (
            "nothing is ready and "
            + ("no timer is set" if due is None else "no alarm that is set can change that")
            + ", so what is awaited can never happen. "
            + (f"Still waiting: {what}. " if held else "")
            + hint
        )

    def finish(self) -> None:
        """Let cancelled tasks end, as the runtime closes."""
        loop = self._loop
        left = [task for task in asyncio.all_tasks(loop) if not task.done()]
        for task in left:
            task.cancel()
        if left:
            with _no_running_loop():
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    # ------------------------------------------------------------------ foreign loops

    def wait_elsewhere(self, call: Awaited) -> Generator[Any, None, None]:
        """Wait for a call on another loop than the runtime's.

        Raises:
            UsageError: If no loop runs.
        """
        foreign = running_loop()
        if foreign is None:
            raise UsageError(
                "await needs a running loop. In a script use runtime.run(stub.method()), in an "
                "async function await it."
            )
        future: asyncio.Future[None] = foreign.create_future()
        if self._loop.virtual:
            self._wait_turning(call, future, foreign)
        else:
            self._wait_bridged(call, future, foreign)
        try:
            yield from future
        except asyncio.CancelledError as error:
            if self.interrupts.stopping is None or isinstance(error, Interrupted):
                raise
            raise self.interrupts.stopping from None

    async def sleep_elsewhere(self, seconds: float) -> None:
        """Sleep on another loop than the runtime's: virtual time passes, and what is due runs."""
        with Sleep(self._loop, seconds) as sleep:
            await sleep.elsewhere(self.wait_elsewhere)
        if self._loop.virtual:
            self.turn(self._loop.time())  # what is due at the same instant and was set later

    def _wait_turning(
        self, call: Awaited, future: "asyncio.Future[None]", foreign: asyncio.AbstractEventLoop
    ) -> None:
        self._waiting.append((call, future, foreign))
        self._newest = copy_context()  # of the cell, which is where a handler's prints belong
        if self._pumping is not foreign:  # another one may have ended in the midst of it
            self._pumping = foreign
            foreign.call_soon(self._pump, foreign)

    def _wait_bridged(
        self, call: Awaited, future: "asyncio.Future[None]", foreign: asyncio.AbstractEventLoop
    ) -> None:
        """Real time: the answer comes from the thread that turns the loop."""

        def arrived(_done: object) -> None:
            if self._bridged.pop(future, None) is not None:
                with contextlib.suppress(RuntimeError):  # the foreign loop has been closed
                    foreign.call_soon_threadsafe(_resolve, future)

        def attach() -> None:
            if call.done:
                arrived(None)
            else:
                call.waiter().add_done_callback(arrived)

        self._bridged[future] = (call, foreign)
        self._loop.call_soon_threadsafe(attach)

    def unbridge(self) -> None:
        """Real time has ended: those who wait on other loops have to turn this one themselves."""
        bridged, self._bridged = self._bridged, {}
        for future, (call, foreign) in bridged.items():
            with contextlib.suppress(RuntimeError):
                foreign.call_soon_threadsafe(self._wait_turning, call, future, foreign)

    def _pump(self, foreign: asyncio.AbstractEventLoop) -> None:
        pending = [w for w in self._waiting if not w[1].done()]
        self._waiting = pending
        if not pending:
            self._pumping = None
            return
        if not any(call.done for call, _, _ in pending):
            waiters = [call.waiter() for call, _, _ in pending]
            for waiter in waiters:
                waiter.add_done_callback(self._stop)
            try:
                self._turn_until(lambda: any(call.done for call, _, _ in pending), waiters)
            except KeyboardInterrupt as error:  # a bare one would end the foreign loop
                self._hand_on(foreign, error if isinstance(error, Interrupted) else Interrupted())
                return
            except BaseException as error:
                for _, future, _ in pending:
                    if not future.done():
                        future.set_exception(error)
                self._pumping = None
                return
            finally:
                for waiter in waiters:
                    waiter.remove_done_callback(self._stop)
            if not any(call.done for call, _, _ in pending):
                for _, future, _ in pending:
                    future.set_exception(DeadlockError(self.why_stuck()))
                self._pumping = None
                return
        for call, future, _ in pending:
            if call.done and not future.done():
                future.set_result(None)
        # Code that has its answer continues first; it may call again at this very instant.
        self._after_grace(foreign, GRACE_TICKS)

    def _after_grace(self, foreign: asyncio.AbstractEventLoop, ticks: int) -> None:
        if ticks:
            foreign.call_soon(self._after_grace, foreign, ticks - 1)
        else:
            self._newest.copy().run(self._pump, foreign)

    # ------------------------------------------------------------------ interrupts

    def end_begun(self) -> None:
        """End what was begun from here, after an interrupt that no turn of the loop has seen."""
        self.interrupts.expected = False
        if self._runtime.closed or not (self._loop.virtual or self.held.wrest()):
            return
        with self._turning():
            self.interrupts.end_begun()

    def _hand_on(self, foreign: asyncio.AbstractEventLoop, error: Interrupted) -> None:
        """Interrupt those who wait on another loop.

        Whoever has a handler there (the kernel, asyncio.run) cancels what he runs: with it ends
        all that it has begun, which an error in one of several gathered waits would leave behind.
        """
        if not self.interrupts.hand_on(error):
            for _, future, _ in self._waiting:
                if not future.done():
                    future.set_exception(error)
        # Where nobody was cancelled, the calls have been all the same.
        self._after_grace(foreign, HANDING_ON_TICKS)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


@contextlib.contextmanager
def _no_running_loop() -> Iterator[None]:
    outer = running_loop()
    if outer is None:
        yield
        return
    # A sync cell runs inside one of the kernel's tasks, so the current task has to go as well: since
    # 3.14 there is one for the whole thread. A callback, and a cell in the browser, runs in none.
    task = tasks.current_task(outer)
    swap = swap_current_task if task is not None else None
    if swap is not None:
        swap(outer, None)
    set_running_loop(None)
    try:
        yield
    finally:
        set_running_loop(outer)
        if swap is not None:
            swap(outer, task)


async def _awaiting(awaitable: Any) -> Any:
    return await awaitable
