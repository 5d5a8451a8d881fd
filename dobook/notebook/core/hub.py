"""Which views are being looked at, and when they look again.

After each turn of the runtime's loop the views that a front end shows are refreshed: soon, on the
kernel's own loop, and at once when a cell has been running for a while without giving it a turn.
Without a view, this costs one comparison a turn. However many there are, a refresh takes a bounded
time: those that have waited longest come first, the others follow in the next one. A view whose
cell has run again, and the oldest of very many, stop refreshing and show that they have.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from dobook.errors import UsageError
from dobook.events import AnyEvent
from dobook.notebook.core.player import Player
from dobook.runtime.access import kernel_of
from dobook.runtime.loop.loop import running_loop

if TYPE_CHECKING:
    from dobook.notebook.core.session import Session
    from dobook.notebook.core.view import View
    from dobook.runtime.runtime import Runtime

MOST_FOLLOWING = 500  # the latest ones
MOST_S = 0.05  # of one refresh
SOON_S = 0.03
AT_LEAST_EVERY_S = 0.25  # while a cell blocks the kernel's loop


class Views:
    """The views of a session.

    Attributes:
        player: Lets the session's clock run.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self.player = Player(session)
        # Each with the cell and the execution that it was made in.
        self._shown: WeakKeyDictionary[View, tuple[str, str]] = WeakKeyDictionary()
        self._stale: WeakSet[View] = WeakSet()
        self._looks = 0
        self._pause_s = SOON_S  # at least as long as the last refresh took
        self._loop: asyncio.AbstractEventLoop | None = running_loop()
        self._scheduled = False
        self._refreshing = False
        self._last = 0.0

    def attach(self, runtime: "Runtime") -> None:
        """Follow a runtime; the one before is closed."""
        kernel_of(runtime).driver.after_turn = self.turned
        self.player.ran.clear()
        if self._shown:
            runtime.observers.add(self._noticed)
            self.turned()

    def play(self, rate: float) -> None:
        """Let the clock run at a rate.

        Raises:
            UsageError: If there is no kernel whose loop could turn it meanwhile.
        """
        if self._loop is None:
            raise UsageError(
                "a clock plays in a notebook, where a kernel's loop is there to turn it."
            )
        self.player.play(rate, self._loop)

    def follow(self, view: "View") -> None:
        """Keep a view up to date from now on, the latest of those that are."""
        if not self._shown:
            self._session.runtime.observers.add(self._noticed)
        cell, execution = _place(self._session.shell)
        self._shown.pop(view, None)
        for other, (its_cell, its_execution) in list(self._shown.items()):
            if cell == its_cell != "" and execution != its_execution:
                self.leave(other)  # what the cell showed before is gone
        self._shown[view] = cell, execution
        while len(self._shown) > MOST_FOLLOWING:
            self.leave(next(iter(self._shown)))
        view.following = True
        self.on_main(view.refresh)  # it may have been made a while ago

    def leave(self, view: "View") -> None:
        """Stop refreshing a view."""
        if self._shown.pop(view, None) is None:
            return
        self._stale.discard(view)
        view.following = False
        if not self._shown:
            self._session.runtime.observers.remove(self._noticed)

    def on_main(self, function: Callable[[], Any]) -> None:
        """Call a function on the thread that cells run on; some front ends use another one."""
        loop = self._loop
        if _on_main_thread() or loop is None:
            function()
        else:
            loop.call_soon_threadsafe(function)

    def turned(self) -> None:
        """Refresh the views, or schedule it, after a turn of the runtime's loop."""
        if not self._shown or self._refreshing or not _on_main_thread():
            return
        if time.monotonic() - self._last > max(AT_LEAST_EVERY_S, 4 * self._pause_s):
            self.refresh()
        elif not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_later(self._pause_s, self.refresh)

    def _noticed(self, _event: AnyEvent) -> None:
        # In real time another thread turns the loop, and its turn does not end.
        if not _on_main_thread() and not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self._loop.call_later, self._pause_s, self.refresh)

    def refresh(self) -> None:
        """Refresh the views: as many as there is time for, the others soon."""
        self._stale.update(self._shown)
        self._go_on()

    def _go_on(self) -> None:
        self._scheduled = False
        if self._refreshing:
            return
        self._refreshing = True
        begun, loop = time.monotonic(), self._loop
        try:
            with self._session.kernel.driver.held:
                for view in sorted(self._stale, key=lambda one: one.looked):
                    self._stale.discard(view)
                    self._looks += 1
                    view.looked = self._looks
                    view.refresh()
                    if loop is not None and time.monotonic() - begun > MOST_S:
                        break
        finally:
            self._refreshing = False
            self._last = time.monotonic()
            self._pause_s = max(SOON_S, self._last - begun)
        if self._stale and loop is not None:
            self._scheduled = True
            loop.call_later(self._pause_s, self._go_on)


def _place(shell: object) -> tuple[str, str]:
    """Return which cell runs and which execution of it this is; empty where nobody says."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else None
    if not parent:
        return "", ""
    cell = parent.get("metadata", {}).get("cellId", "")
    return str(cell or ""), str(parent.get("header", {}).get("msg_id", ""))


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def front_end(shell: Any) -> bool:
    """Return whether outputs of a shell are likely to be seen where views can be live.

    A notebook that is executed by a program (nbclient, nbval, nbconvert) has nobody who could
    press a button: there, outputs stay static and the same every time. A notebook server tells its
    kernels by an environment variable, VS Code by a variable of the notebook.
    """
    if not hasattr(shell, "kernel"):
        return False
    return (
        "JPY_SESSION_NAME" in os.environ
        or "__vsc_ipynb_file__" in shell.user_ns
        or sys.platform == "emscripten"
        or "google.colab" in sys.modules
    )
