"""Real time: the same loop on the clock on the wall, run by a thread while nobody else does.

In virtual time nothing happens unless somebody turns the loop. To answer browsers while cells are
idle, a runtime can be switched to real time: its clock continues from where it stands, at the
speed of the one on the wall, and one thread runs the loop. An alarm that was due in ten minutes
still is. A cell, a magic or a test that needs the loop takes it over between two callbacks, runs
it on its own thread, served requests included, and gives it back.
"""

import threading
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import UsageError
from dobook.events import Error
from dobook.runtime.driving.interrupts import STUCK_AFTER_S, break_off
from dobook.runtime.loop.loop import running_loop
from dobook.runtime.loop.real import monotonic
from dobook.runtime.loop_base import Loop

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel

SWEEP_S: Final = 1.0  # how often idle objects are looked for
LOOK_S: Final = 0.25  # how often those who look at the runtime are notified
WREST_TRIES: Final = 4
THREAD_NAME: Final = "dobook-runtime"


class Held:
    """Keeps the loop to one thread: inside `with driver.held` no other thread turns it.

    Attributes:
        background: The thread that turns the loop when nobody else does, 0 in virtual time.
        claims: How many other threads have the loop or wait for it.
        changed: Notified when one of them is through.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._lock = threading.RLock()
        self._owner = 0
        self._depth = 0
        self._claimed = False  # by the owner
        self.background = 0
        self.waiting_since: float | None = (
            None  # of a thread that claims it; by the monotonic clock
        )
        self.claims = 0
        self.changed = threading.Condition()

    def forked(self) -> None:
        """Release what other threads held when this process was forked: they are not in it."""
        self.background = self.claims = 0
        if not self.here:  # else a handler has forked this process, and its turn still has to end
            self._lock = threading.RLock()
            self._owner = self._depth = 0
        self.changed = threading.Condition()

    @property
    def here(self) -> bool:
        """Whether the calling thread has the loop."""
        return self._owner == threading.get_ident()

    def __enter__(self) -> None:
        mine = threading.get_ident()
        claimed = self._owner != mine and self.background not in (0, mine)
        if claimed:
            with self.changed:
                self.claims += 1
            try:
                self._loop.call_soon_threadsafe(self._make_way)
                self.waiting_since = monotonic()
                self._lock.acquire()
                self.waiting_since = None
            except BaseException:
                self.waiting_since = None
                self._through()
                break_off(self.background)  # the user has interrupted: end a stuck handler
                raise
        else:
            self._lock.acquire()
        self._taken(claimed=claimed)

    @property
    def kept_waiting(self) -> bool:
        """Whether somebody has waited for the loop for so long that a handler must be stuck."""
        since = self.waiting_since
        return since is not None and monotonic() - since > STUCK_AFTER_S

    def wrest(self) -> bool:
        """Make the other thread release the loop, even out of an endless handler.

        Returns:
            Whether it has.
        """
        for _ in range(WREST_TRIES):
            answered = threading.Event()
            self._loop.call_soon_threadsafe(answered.set)
            if self.here or answered.wait(STUCK_AFTER_S):
                return True
            break_off(self.background)
        return False

    def try_enter(self) -> bool:
        """Take the loop unless another thread has it; returns whether it was taken."""
        taken = self._lock.acquire(blocking=False)
        if taken:
            self._taken(claimed=False)
        return taken

    def _taken(self, *, claimed: bool) -> None:
        self._depth += 1
        if self._depth == 1:
            self._owner = threading.get_ident()
            self._claimed = claimed

    def __exit__(self, *exc: object) -> None:
        self._depth -= 1
        if self._depth:
            self._lock.release()
            return
        self._owner = 0
        claimed, self._claimed = self._claimed, False
        self._lock.release()
        if claimed:
            self._through()
        elif self.background:
            with self.changed:
                self.changed.notify_all()

    def _through(self) -> None:
        with self.changed:
            self.claims -= 1
            self.changed.notify_all()

    def _make_way(self) -> None:
        if self.claims and threading.get_ident() == self.background:
            self._loop.stop()


class Background:
    """The thread that turns a runtime's loop in real time."""

    def __init__(self, runtime: "Kernel", held: Held) -> None:
        self._runtime = runtime
        self._held = held
        self._ending = False
        self._sweeping: Any = None
        self._looking: Any = None
        self._thread = threading.Thread(target=self._main, name=THREAD_NAME, daemon=True)
        with self._held:
            runtime.loop.set_virtual(False)
            self._sweeping = runtime.loop.call_later(SWEEP_S, self._sweep)
            self._looking = runtime.loop.call_later(LOOK_S, self._look)
            self._thread.start()
            assert self._thread.ident is not None
            self._held.background = self._thread.ident

    def stop(self) -> None:
        """End the thread; the clock stands still from now on."""
        held, loop = self._held, self._runtime.loop
        with held.changed:
            self._ending = True
            held.changed.notify_all()
        loop.call_soon_threadsafe(self._stop_here)
        self._thread.join()
        with held:
            held.background = 0
            self._sweeping.cancel()
            self._looking.cancel()
            loop.set_virtual(True)
        self._runtime.driver.unbridge()

    def _stop_here(self) -> None:
        if threading.get_ident() == self._thread.ident:
            self._runtime.loop.stop()

    def _main(self) -> None:
        held = self._held
        while True:
            with held.changed:
                while not self._ending and (held.claims or not held.try_enter()):
                    held.changed.wait()
                if self._ending and not held.here:
                    return
            try:
                if self._ending:
                    return
                self._runtime.driver.turn()
            except BaseException as error:  # SystemExit ends the handler and nothing else
                self._runtime.observers.emit(Error, "", 0, "real time", repr(error))
            finally:
                held.__exit__()

    def _look(self) -> None:
        """Notify the observers of changes in the middle of a long turn."""
        driver = self._runtime.driver
        if driver.after_turn is not None:
            driver.after_turn()
        self._looking = self._runtime.loop.call_later(LOOK_S, self._look)

    def _sweep(self) -> None:
        """Evict the objects that have been idle for long enough."""
        loop, residency = self._runtime.loop, self._runtime.residency
        if not self._runtime.post.busy:  # a queued call may be for an idle object
            now = loop.time()
            while residency.evict_before(now) is not None:
                continue
        self._sweeping = loop.call_later(SWEEP_S, self._sweep)


class RealTime:
    """Switches a runtime between virtual and real time.

    Args:
        kernel: The runtime's parts.
        held: Who has its loop.
    """

    def __init__(self, kernel: "Kernel", held: Held) -> None:
        self._kernel = kernel
        self._held = held
        self._background: Background | None = None

    @property
    def on(self) -> bool:
        """Whether time is real."""
        return self._background is not None

    def start(self) -> None:
        """Make time real; see `Runtime.start_real_time`."""
        self._kernel.check_open()
        _not_inside(self._kernel)
        if self._background is None:
            self._background = Background(self._kernel, self._held)

    def stop(self) -> None:
        """Make time virtual; see `Runtime.stop_real_time`."""
        _not_inside(self._kernel)
        background, self._background = self._background, None
        if background is not None:
            background.stop()

    def check_virtual(self) -> None:
        """Raise if time is real.

        Raises:
            UsageError: If so.
        """
        if not self._kernel.loop.virtual:
            raise UsageError(
                "time is real at the moment; it cannot be moved forward. Stop the server, or call "
                "runtime.stop_real_time()."
            )


def _not_inside(runtime: "Kernel") -> None:
    if running_loop() is runtime.loop:
        raise UsageError(
            "time cannot be switched between virtual and real from inside the runtime; do it in "
            "a script or a cell."
        )
