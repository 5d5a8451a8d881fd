"""What the user's interrupt (Ctrl-C, the notebook's stop button) does to a runtime.

It stops the loop between two callbacks and then ends what is under way; raising at once would
leave the loop between two states. Code that is stuck in a turn is broken off in place after 0.3 s,
which costs its object its memory and what the turn has written: there is no other state that the
object could be relied upon to be in.

In virtual time all that is under way ends, since nothing would continue it anyway. In real time
others are served too, so only what was begun from here ends, and what that has called in turn.

An interrupt may also come between two turns of the loop, while the code of a cell runs. The
notebook layer sees it there and calls `expect`.
"""

import _thread
import asyncio
import contextlib
import signal
import sys
import threading
from asyncio import CancelledError
from collections.abc import Iterator
from contextvars import Context, ContextVar, copy_context
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from dobook.runtime.aborts import INTERRUPTED, BrokenOff, Interrupted
from dobook.runtime.calls.rpc import carry_error
from dobook.runtime.driving.signals import Signals
from dobook.runtime.loop.loop import running_loop
from dobook.runtime.loop.places import in_sql_callback, is_torn, is_users, would_swallow
from dobook.storage.stopping import forget_stop, raise_in, stop_statement

if TYPE_CHECKING:
    from dobook.runtime.protocols import Call, Instance, Kernel

STUCK_AFTER_S: Final = 0.3
SOON_S: Final = 0.01
PATIENCE: Final = 50  # of interrupts that come in the engine's own code, until one is raised there
UNWIND_TICKS: Final = 50  # of the loop, for what was interrupted to run its `finally` blocks
TORN: Final = (
    "The Durable Object was reset because an exception from outside (of a signal handler, or a lack "
    "of memory) has broken off what dobook did for it."
)


class Interrupts:
    """Handles the user's interrupts of one runtime.

    Attributes:
        pressed: How often the user has interrupted since this turn of the loop began.
        expected: The user has interrupted between two turns: the next one does not begin.
        stopping: What an interrupt raises in those who wait on other loops, while they are being
            cancelled because of it.
        broken: What was raised in the code that has been broken off in place in this turn.
        carried: What a signal handler has raised where it would have done harm.
        raised: What a signal handler has raised in the user's code.
        escaped: What has left the user's code to end the program, or the engine's own code.
    """

    def __init__(self, runtime: "Kernel") -> None:
        self._runtime = runtime
        self.pressed = 0
        self.expected = False
        self.stopping: Interrupted | None = None
        self.broken: BaseException | None = None
        self.carried: BaseException | None = None
        self.raised: BaseException | None = None
        self.escaped: BaseException | None = None
        self._signals = Signals(self._carry)
        self._before: Any = signal.SIG_DFL  # the handler of interrupts around this turn
        self._turn = 0  # odd while the interrupts of a turn are caught
        self._lock = threading.RLock()  # of `_turn`
        self._unwinding = 0
        self._running: dict[object, asyncio.Task[Any]] = {}  # in real time
        self._begun: dict[Call, object] = {}  # in real time: what was begun from here, and its task
        self._most_begun = 64

    # ------------------------------------------------------------------ catching

    @contextlib.contextmanager
    def caught(self) -> Iterator[bool]:
        """Take the interrupts that come during a turn; yields whether it can, on this thread."""
        if threading.current_thread() is not threading.main_thread():
            yield False
            return
        self.pressed = 0
        self.broken = self.carried = self.raised = self.escaped = None
        try:
            before = signal.signal(signal.SIGINT, self._caught)
        except ValueError:  # not the main interpreter
            yield False
            return
        # An exception may have kept the last turn from restoring the handler or releasing the lock.
        if before == self._caught:
            before = self._before
        self._before = before
        self._lock = threading.RLock()
        self._turn += 1 + self._turn % 2
        wrapped = None
        try:
            wrapped = self._signals.wrap()
            yield True
        finally:
            try:
                with self._lock:
                    self._turn += 1
                forget_stop()
            finally:
                signal.signal(signal.SIGINT, before)
                if wrapped is not None:
                    self._signals.unwrap(wrapped)

    def _caught(self, _signum: int, frame: FrameType | None) -> None:
        self.pressed += 1
        if self.pressed == 1:
            self._runtime.loop.call_soon_threadsafe(self._runtime.loop.stop)
            self._watch(self._turn)
        elif self._turn % 2:
            if in_sql_callback(frame):
                stop_statement(BrokenOff())
            elif is_users(frame) or (self.pressed > PATIENCE and not would_swallow(frame)):
                raise BrokenOff
            else:
                self._watch(self._turn, SOON_S)

    def _carry(self, error: BaseException, frame: FrameType | None) -> bool:
        """Take what a signal handler has raised; returns False if it may be raised where it is."""
        if not self._turn % 2:
            return False
        if is_users(frame):
            self.raised = error
            return False
        # Stop the statement with the exception too, unless it ends before.
        if in_sql_callback(frame):
            self.raised = error
            stop_statement(error)
        if self.carried is None:
            self.carried = error
            self._runtime.loop.call_soon_threadsafe(self._runtime.loop.stop)
            watch = threading.Thread(target=self._raise_carried, args=(self._turn,), daemon=True)
            watch.start()
        return True

    def _raise_carried(self, turn: int) -> None:
        """Raise what is carried in the user's code, if that keeps the loop from stopping."""
        main = threading.main_thread().ident
        assert main is not None
        over = threading.Event()
        while not over.wait(SOON_S):
            with self._during(turn) as lasts:
                error = self.carried
                if not lasts or error is None:
                    return
                # No other thread runs in between: Python would let one after 5 ms only.
                if is_users(sys._current_frames().get(main)):
                    self.carried, self.raised = None, error
                    raise_in(main, error)
                    return

    @contextlib.contextmanager
    def _during(self, turn: int) -> Iterator[bool]:
        """Keep a turn from ending meanwhile; yields whether it lasts still."""
        lock = self._lock
        while not lock.acquire(timeout=STUCK_AFTER_S):
            if self._turn != turn or self._lock is not lock:
                yield False
                return
        try:
            yield self._turn == turn
        finally:
            lock.release()

    def _watch(self, turn: int, after_s: float = STUCK_AFTER_S) -> None:
        watch = threading.Timer(after_s, self._break_off, (turn, after_s))
        watch.daemon = True
        watch.start()

    def _break_off(self, turn: int, after_s: float) -> None:
        with self._during(turn) as lasts:  # so long its handler takes the signal
            if not lasts:
                return
            press()
        # Raised in a destructor, an exception is printed and gone: then once is not enough.
        if after_s == STUCK_AFTER_S:
            self._watch(turn)

    @property
    def ending(self) -> bool:
        """Whether a signal ends this turn of the loop."""
        return bool(self.pressed) or self.carried is not None or self.broken is not None

    def raise_what_ended_it(self, *, catches: bool) -> None:
        """Raise the interrupt, or the exception of a signal handler, that has ended a turn.

        Args:
            catches: Whether the turn has taken signals.

        Raises:
            BaseException: If one has; with the traceback of the code that was broken off, if any
                was.
        """
        escaped, self.escaped = self.escaped, None
        if catches:
            pressed, self.pressed = self.pressed, 0
            error, self.broken, self.carried = self.broken or self.carried, None, None
            if error is not None:
                raise error
            if pressed:
                raise Interrupted
        if escaped is not None:
            raise escaped

    def expect(self) -> None:
        """Note an interrupt between two turns; what the code runs in will be cancelled."""
        self.expected = True
        self.stopping = Interrupted()

    def hand_on(self, error: Interrupted) -> bool:
        """Pass the interrupt of a turn to the handler of the code around it, if it has one."""
        if self.stopping is not None:
            return True  # it has told us itself
        outer = signal.getsignal(signal.SIGINT)
        if not callable(outer) or outer is signal.default_int_handler:
            return False
        self.stopping = error
        outer(signal.SIGINT, None)
        return True

    def broke(self, instance: "Instance", error: BaseException) -> None:
        """Reset an object whose code was broken off in the middle of a turn."""
        self.broken = error
        instance.interrupted()

    def left(self, instance: "Instance", error: BaseException, call: "Call | None" = None) -> None:
        """End an object's life if the exception that left its code broke a turn off.

        Args:
            instance: The object.
            error: The exception.
            call: Whose turn it has ended, if it is to fail with the exception itself.
        """
        if isinstance(error, BrokenOff) or error is self.raised:
            if instance.dead is None:
                self.broke(instance, error)
            if threading.current_thread() is not threading.main_thread():
                self.escaped = error
        elif is_torn(error):
            if call is not None:
                call.settle(None, carry_error(error, remote=True))
            instance.interrupted(TORN)
            # The commit of its tick may have been begun and not scheduled.
            self._runtime.loop.call_soon(self._runtime.stores.committer.flush)
            if isinstance(error, Exception):
                return
            self.escaped = error
        elif isinstance(error, KeyboardInterrupt | SystemExit) and not isinstance(
            error, CancelledError
        ):
            self.escaped = error
        else:
            return
        if self._runtime.loop.is_running():
            self._runtime.loop.stop()

    # ------------------------------------------------------------------ what was begun from here

    @contextlib.contextmanager
    def running(self, task: "asyncio.Task[Any]", mark: object) -> Iterator[None]:
        """Track, inside a `with` block, a task that was begun from here, and all with its mark."""
        self._running[mark] = task
        try:
            yield
        finally:
            del self._running[mark]

    def note(self, call: "Call") -> None:
        """Keep in mind a call that no object has made, if it was begun from here."""
        mark = _mark.get()
        if running_loop() is not self._runtime.loop or mark in self._running:
            self._begun[call] = mark
            if len(self._begun) > self._most_begun:
                self._begun = {c: m for c, m in self._begun.items() if not c.done}
                self._most_begun = 64 + 2 * len(self._begun)

    def forget(self) -> None:
        """Exempt what was begun from here so far from the next interrupt."""
        self._begun.clear()

    # ------------------------------------------------------------------ ending it

    def end_running(self) -> None:
        """End what this turn of the loop is for; in virtual time, all that is under way."""
        self._end({call for call, mark in self._begun.items() if mark in self._running})

    def end_begun(self) -> None:
        """End what was begun from here; in virtual time, all that is under way."""
        self._end(set(self._begun))

    def end_all(self, error: BaseException | None = None) -> None:
        """End all that is under way, as interrupted or with another error."""
        self._end(None, error)

    def _end(self, which: "set[Call] | None", error: BaseException | None = None) -> None:
        runtime, error = self._runtime, error or Interrupted()
        if runtime.loop.virtual:
            which = None
        calls = [
            call
            for instance in runtime.residency.instances()
            for call in instance.calls
            if which is None or call in which
        ]
        calls += [call for call in which or () if call.instance is None]
        tasks = asyncio.all_tasks(runtime.loop) if which is None else self._running.values()
        for task in list(tasks):
            task.cancel(INTERRUPTED)
        runtime.post.drop(error, lambda call: which is None or call in which)
        for call in calls:
            call.interrupt(error)
        self._unwind()
        # Some handlers swallow their cancellation or need time to end: settle their calls here.
        for call in calls:
            if not call.done:
                call.settle(None, error)
                if call.instance is not None:
                    call.instance.interrupted()

    def _unwind(self) -> None:
        self._unwinding = UNWIND_TICKS
        self._runtime.loop.call_soon(self._unwind_tick)
        while self._unwinding:  # a stop requested earlier may end `run_forever` too early
            with contextlib.suppress(KeyboardInterrupt):
                self._runtime.loop.run_forever()

    def _unwind_tick(self) -> None:
        self._unwinding -= 1
        if self._unwinding:
            self._runtime.loop.call_soon(self._unwind_tick)
        else:
            self._runtime.loop.stop()


# By whose `runtime.run(...)` code was begun; tasks inherit it.
_mark: ContextVar[object] = ContextVar("dobook_mark", default=None)


def marked(mark: object) -> Context:
    """Return a context for what is begun from here."""
    context = copy_context()
    context.run(_mark.set, mark)
    return context


def press() -> None:
    """Interrupt the main thread once more, as the user has; it may be waiting for a lock."""
    if hasattr(signal, "pthread_kill"):
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()  # it wakes nobody, but there is nothing better on Windows


def break_off(thread: int) -> None:
    """Raise the interrupt in another thread, the next time it runs a line of Python."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(BrokenOff))
