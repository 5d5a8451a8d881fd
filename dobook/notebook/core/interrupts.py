"""The stop button, whenever it is pressed: what a cell has begun ends with the cell.

While the runtime's loop turns, its driver takes the interrupt. Here are the moments between:
the code of a cell runs or waits for something else. Python would raise KeyboardInterrupt in a sync
cell, also in the middle of dobook's own bookkeeping, and ipykernel cancels an async cell when its
loop wakes the next time, which may be never.
"""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import InteractiveShell

from dobook.runtime.aborts import Interrupted
from dobook.runtime.access import kernel_of
from dobook.runtime.driving.interrupts import STUCK_AFTER_S, press
from dobook.runtime.loop.loop import running_loop
from dobook.runtime.loop.places import would_swallow

if TYPE_CHECKING:
    from dobook.notebook.core.session import Session

_AGAIN_S = 0.01
_TICKS = 2  # of the kernel's loop
_ENGINE = ("dobook.runtime", "dobook.storage", "dobook.gates", __name__)


class CellInterrupts:
    """Takes the interrupts of a session's cells.

    Args:
        session: The session.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._turns: list[int] = []  # before each of the cells that run, one inside another
        self._unraisable: Any = None  # the hook for what nobody can catch, around the outermost
        self._before: Any = None  # the handler around the outermost of them
        self._number = 0  # of the outermost one
        self._lock = threading.Lock()  # of the two lines above
        self._since: float | None = None  # an interrupt could not be raised where it came

    def begin(self, _info: object) -> None:
        """Prepare for interrupts in a cell that begins, perhaps inside another one."""
        runtime = self._session.runtime
        if not self._turns:
            self._since = None
            kernel_of(runtime).driver.interrupts.forget()
            if threading.current_thread() is threading.main_thread():
                with contextlib.suppress(ValueError):  # not the main interpreter
                    self._before = signal.signal(signal.SIGINT, self._pressed)
                    self._unraisable, sys.unraisablehook = sys.unraisablehook, self._swallowed
        self._turns.append(kernel_of(runtime).generation)

    def over(self, result: object) -> None:
        """Clean up after a cell: if an interrupt has ended it, end what it has begun too."""
        if not self._turns:
            return  # the cell that loaded dobook
        turns = self._turns.pop()
        if not self._turns:
            self.let_go()
        runtime = self._session.runtime
        driver = kernel_of(runtime).driver
        error = getattr(result, "error_in_exec", None)  # no result: it was cancelled
        interrupts = driver.interrupts
        stopped = interrupts.stopping is not None or isinstance(error, KeyboardInterrupt)
        interrupts.expected, interrupts.stopping = False, None
        if stopped and (turns != kernel_of(runtime).generation or kernel_of(runtime).post.busy):
            driver.end_begun()

    def let_go(self) -> None:
        """Restore the interrupt handler from before the cell, also when the cell unloads dobook."""
        with self._lock:
            self._number += 1
            before, self._before = self._before, None
        if before is not None and signal.getsignal(signal.SIGINT) == self._pressed:
            signal.signal(signal.SIGINT, before)
        if sys.unraisablehook == self._swallowed:
            sys.unraisablehook = self._unraisable

    def _swallowed(self, unraisable: Any) -> None:
        """Send an interrupt again that came in a destructor or a callback of a weak reference."""
        here = threading.current_thread() is threading.main_thread()
        if not here or not isinstance(unraisable.exc_value, KeyboardInterrupt):
            self._unraisable(unraisable)
        elif signal.getsignal(signal.SIGINT) == self._pressed:  # a turn sends it again on its own
            threading.Timer(_AGAIN_S, self._press_again, (self._number,)).start()

    def _press_again(self, number: int) -> None:
        with self._lock:  # as long as the cell runs, the handler is ours
            if self._number == number:
                press()

    def _pressed(self, signum: int, frame: FrameType | None) -> None:
        # None: a cell has replaced the handler, and what it has begun has put it back since.
        before = self._before or signal.default_int_handler
        if before is not signal.default_int_handler:
            self._pressed_in_async_cell(before, signum, frame)
        elif would_swallow(frame) or (_not_here(frame) and not self._is_stuck()):
            threading.Timer(_AGAIN_S, press).start()
        else:
            self._since = None
            before(signum, frame)

    def _is_stuck(self) -> bool:
        now = time.monotonic()
        if self._since is None:
            self._since = now
        return now - self._since > STUCK_AFTER_S

    def _pressed_in_async_cell(self, before: object, signum: int, frame: FrameType | None) -> None:
        interrupts = self._session.kernel.driver.interrupts
        if interrupts.stopping is None:
            interrupts.expect()
            self._watch(self._number)
        elif self._session.kernel.driver.held.kept_waiting:
            raise Interrupted
        loop = running_loop()
        if loop is not None and callable(before):
            # Tasks that have only just been made are to be waiting for something by then; and
            # ipykernel's handler does not wake its loop.
            loop.call_soon_threadsafe(_after, _TICKS, lambda: before(signum, None))

    def _watch(self, number: int) -> None:
        watch = threading.Timer(STUCK_AFTER_S, self._press_if_stuck, (number,))
        watch.daemon = True
        watch.start()

    def _press_if_stuck(self, number: int) -> None:
        with self._lock:  # as long as the cell runs, the handler is ours
            driver = self._session.kernel.driver
            if driver.interrupts.stopping is None or self._number != number:
                return
            if driver.held.kept_waiting:
                press()
        self._watch(number)


def install(shell: InteractiveShell, session: "Session") -> Callable[[], None]:
    """Take the interrupts of a shell's cells; returns what undoes it."""
    interrupts = CellInterrupts(session)
    shell.events.register("pre_run_cell", interrupts.begin)
    shell.events.register("post_run_cell", interrupts.over)

    def undo() -> None:
        shell.events.unregister("pre_run_cell", interrupts.begin)
        shell.events.unregister("post_run_cell", interrupts.over)
        interrupts.let_go()

    return undo


def _not_here(frame: FrameType | None) -> bool:
    """Return whether an exception must not be raised where a thread is at the moment.

    That is in the engine's own code, which it would leave between two states, and in what is called
    as an object goes, where it would be swallowed.
    """
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.startswith(_ENGINE) or would_swallow(frame) or frame.f_code.co_name == "__del__":
            return True
        if name.partition(".")[0] not in sys.stdlib_module_names:
            return False
        frame = frame.f_back
    return False


def _after(ticks: int, function: Callable[[], object]) -> None:
    loop = running_loop()
    assert loop is not None
    if ticks:
        loop.call_soon(_after, ticks - 1, function)
    else:
        function()
