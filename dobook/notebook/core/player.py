"""Letting virtual time pass on its own, at a rate, while somebody watches.

One player for a session: all of its clocks show the same and stop the same. It moves the clock on
the kernel's own loop, a tenth of a second at a time, so cells and buttons come in between.
"""

import asyncio
import contextlib
import io
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dobook.errors import UsageError
from dobook.runtime.access import kernel_of
from dobook.runtime.objects.alarm import AlarmRun

if TYPE_CHECKING:
    from dobook.notebook.core.session import Session

TICK_S: Final = 0.1
MOST_RUNS: Final = 6
RATES: Final = (1, 10, 60, 600, 3_600, 86_400)


class Player:
    """Plays a session's clock.

    Attributes:
        rate: Virtual seconds in a real one; 0 while it stands still.
        ran: The last alarms that views have set off, oldest first.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._timer: asyncio.TimerHandle | None = None
        self._left_ms = 0.0
        self._last = 0.0
        self.rate = 0.0
        self.ran: deque[AlarmRun] = deque(maxlen=MOST_RUNS)

    def play(self, rate: float, loop: asyncio.AbstractEventLoop) -> None:
        """Start the clock, or change its rate.

        Args:
            rate: Virtual seconds in a real one.
            loop: The kernel's loop.

        Raises:
            UsageError: If the rate is not a positive number, or time is real.
        """
        if not 0 < rate <= 31_536_000:
            raise UsageError("a rate is a number of virtual seconds in a real one, above 0.")
        self._session.kernel.real_time.check_virtual()
        self.rate = rate
        self._left_ms, self._last = 0.0, time.monotonic()
        if self._timer is None:
            self._timer = loop.call_later(TICK_S, self._tick, loop)

    def pause(self) -> None:
        """Stop the clock."""
        self.rate = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def note(self, runs: Sequence[AlarmRun]) -> None:
        """Remember the alarms that ran."""
        self.ran.extend(runs)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        runtime = self._session.runtime
        if not self.rate or kernel_of(runtime).closed or not kernel_of(runtime).loop.virtual:
            self.rate = 0.0
            return
        now = time.monotonic()
        # A cell that kept the kernel busy must not make the clock leap.
        self._left_ms += min(now - self._last, 5 * TICK_S) * self.rate * 1000
        self._last = now
        step_ms = int(self._left_ms)
        self._left_ms -= step_ms
        try:
            # What handlers print is in their objects' logs; there is no cell to print into.
            with contextlib.redirect_stdout(io.StringIO()):
                self.note(runtime.advance(step_ms))
        except BaseException:
            self.pause()
            self._session.views.refresh()
            raise
        self._timer = loop.call_later(TICK_S, self._tick, loop)
