"""What the user's interrupt (Ctrl-C, the notebook's stop button) does to a runtime.

It stops the loop between two callbacks and then ends what is under way; raising at once would
leave the loop between two states. Code that is stuck in a turn is broken off in place after 0.3 s,
which costs its object its memory and what the turn has written: there is no other state that the
object could be relied upon to be in.

In virtual time all that is under way ends, since nothing would go on with it anyway. In real time
others are served too, so only what was begun from here ends, and what that has called in turn.

An interrupt may also come between two turns of the loop, while the code of a cell runs. Who sees
it there, the notebook layer, says so (`expect`).
"""

import _thread
import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from contextvars import Context, ContextVar, copy_context
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import PlatformError
from dobook.runtime.calls.promise import INTERRUPTED, BrokenOff, Interrupted
from dobook.runtime.loop.loop import running_loop

if TYPE_CHECKING:
    from dobook.runtime.calls.call import Call
    from dobook.runtime.objects.instance import Instance
    from dobook.runtime.runtime import Runtime

STUCK_AFTER_S: Final = 0.3
UNWIND_TICKS: Final = 50  # of the loop, for what was interrupted to run its `finally` blocks
RESET: Final = "The Durable Object was reset because the user interrupted its code."


class Interrupts:
    """What is done about the user's interrupts of one runtime.

    Attributes:
        pressed: How often the user has interrupted since this turn of the loop began.
        expected: The user has interrupted between two turns: the next one does not begin.
        stopping: What an interrupt raises in those who wait on other loops, while they are being
            cancelled because of it.
        broken: What was raised in the code that has been broken off in place in this turn.
    """

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self.pressed = 0
        self.expected = False
        self.stopping: Interrupted | None = None
        self.broken: BaseException | None = None
        self._turn = 0  # odd while the interrupts of a turn are caught
        self._lock = threading.Lock()  # of `_turn`
        self._unwinding = 0
        self._running: dict[object, asyncio.Task[Any]] = {}  # in real time
        self._begun: dict[Call, object] = {}  # in real time: what was begun from here, by whom
        self._most_begun = 64

    # ------------------------------------------------------------------ catching

    @contextlib.contextmanager
    def caught(self) -> Iterator[bool]:
        """Take the interrupts that come during a turn; yields whether it can, on this thread."""
        if threading.current_thread() is not threading.main_thread():
            yield False
            return
        self.pressed = 0
        self.broken = None
        try:
            before = signal.signal(signal.SIGINT, self._caught)
        except ValueError:  # not the main interpreter
            yield False
            return
        self._turn += 1
        try:
            yield True
        finally:
            with self._lock:
                self._turn += 1
            signal.signal(signal.SIGINT, before)

    def _caught(self, _signum: int, frame: FrameType | None) -> None:
        self.pressed += 1
        if self.pressed == 1:
            self._runtime.loop.call_soon_threadsafe(self._runtime.loop.stop)
            self._watch(self._turn)
        elif self._turn % 2 and not would_swallow(frame):
            raise BrokenOff

    def _watch(self, turn: int) -> None:
        watch = threading.Timer(STUCK_AFTER_S, self._break_off, (turn,))
        watch.daemon = True
        watch.start()

    def _break_off(self, turn: int) -> None:
        with self._lock:  # as long as it is this turn, its handler takes the signal
            if self._turn != turn:
                return
            press()
        # Raised in a destructor, an exception is printed and gone: then once is not enough.
        self._watch(turn)

    def raise_if_pressed(self) -> None:
        """Raise the interrupt that has ended a turn.

        Raises:
            Interrupted: If one has; with the traceback of the code that was broken off, if any was.
        """
        pressed, self.pressed = self.pressed, 0
        error, self.broken = self.broken, None
        if pressed:
            raise error or Interrupted

    def expect(self) -> None:
        """The user has interrupted between two turns; what the code runs in will be cancelled."""
        self.expected = True
        self.stopping = Interrupted()

    def hand_on(self, error: Interrupted) -> bool:
        """Give the interrupt of a turn to the handler of the code around it, if it has one."""
        if self.stopping is not None:
            return True  # it has told us itself
        outer = signal.getsignal(signal.SIGINT)
        if not callable(outer) or outer is signal.default_int_handler:
            return False
        self.stopping = error
        outer(signal.SIGINT, None)
        return True

    def broke(self, instance: "Instance", error: BaseException) -> None:
        """Code of an object has been broken off in the middle of a turn."""
        self.broken = error
        reset_interrupted(instance)

    # ------------------------------------------------------------------ what was begun from here

    @contextlib.contextmanager
    def running(self, task: "asyncio.Task[Any]", mark: object) -> Iterator[None]:
        """For this while a task runs that was begun from here, and all that bears its mark."""
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
        """Let what was begun from here so far go on when the user interrupts."""
        self._begun.clear()

    # ------------------------------------------------------------------ ending it

    def end_running(self) -> None:
        """End what this turn of the loop is for; in virtual time, all that is under way."""
        self._end({call for call, mark in self._begun.items() if mark in self._running})

    def end_begun(self) -> None:
        """End what was begun from here; in virtual time, all that is under way."""
        self._end(set(self._begun))

    def end_all(self) -> None:
        """End all that is under way."""
        self._end(None)

    def _end(self, which: "set[Call] | None") -> None:
        runtime, error = self._runtime, Interrupted()
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
        for call in calls:  # those that swallow their cancellation, or need time to end
            if not call.done:
                call.settle(None, error)
                if call.instance is not None:
                    reset_interrupted(call.instance)

    def _unwind(self) -> None:
        self._unwinding = UNWIND_TICKS
        self._runtime.loop.call_soon(self._unwind_tick)
        while self._unwinding:  # a stop that was asked for before may come in between
            with contextlib.suppress(KeyboardInterrupt):
                self._runtime.loop.run_forever()

    def _unwind_tick(self) -> None:
        self._unwinding -= 1
        if self._unwinding:
            self._runtime.loop.call_soon(self._unwind_tick)
        else:
            self._runtime.loop.stop()


def reset_interrupted(instance: "Instance") -> None:
    """End an object's life because its code has been interrupted in the middle of a turn."""
    error = PlatformError(RESET)
    for call in list(instance.calls):
        call.settle(None, error)  # not rejected, which would break the stub that made it
    instance.reset(error, stubs=False, unsaid=True)


# By whose `runtime.run(...)` code was begun; tasks inherit it.
_mark: ContextVar[object] = ContextVar("dobook_mark", default=None)


def marked(mark: object) -> Context:
    """Return a context for what is begun from here."""
    context = copy_context()
    context.run(_mark.set, mark)
    return context


def would_swallow(frame: FrameType | None) -> bool:
    """Return whether an exception raised in a frame would only be printed: a weak reference goes."""
    return frame is not None and frame.f_globals.get("__name__") in ("weakref", "_weakrefset")


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
