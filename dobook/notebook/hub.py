"""Which views are being looked at, and when they look again.

After each turn of the runtime's loop the views that a front end shows are refreshed: soon, on the
kernel's own loop, and at once when a cell has been running for a while without giving it a turn.
Without a view, this costs one comparison a turn.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from dobook.errors import UsageError
from dobook.notebook.player import Player
from dobook.observer import Event
from dobook.runtime.loop.loop import running_loop

if TYPE_CHECKING:
    from dobook.notebook.session import Session
    from dobook.notebook.widgets.base import View
    from dobook.runtime.runtime import Runtime

MOST_FOLLOWING = 60  # the latest ones; older ones are as they were until a button is pressed
SOON_S = 0.03
AT_LEAST_EVERY_S = 0.25  # while a cell keeps the kernel's loop from turning


class Views:
    """The views of a session.

    Attributes:
        player: Lets the session's clock run.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self.player = Player(session)
        self._shown: WeakKeyDictionary[View, int] = WeakKeyDictionary()
        self._loop: asyncio.AbstractEventLoop | None = running_loop()
        self._scheduled = False
        self._refreshing = False
        self._last = 0.0

    def attach(self, runtime: "Runtime") -> None:
        """Follow a runtime; the one before is closed."""
        runtime.driver.after_turn = self.turned
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

    def count(self, view: "View", change: int) -> None:
        """A display of a view has come or gone."""
        number = self._shown.get(view, 0) + change
        observers = self._session.runtime.observers
        if number > 0:
            if not self._shown:
                observers.add(self._noticed)
            self._shown[view] = number
            while len(self._shown) > MOST_FOLLOWING:
                del self._shown[next(iter(self._shown))]
            if change > 0:
                self.on_main(view.refresh)  # it may have been made a while ago
        else:
            self._shown.pop(view, None)
            if not self._shown:
                observers.remove(self._noticed)

    def on_main(self, function: Callable[[], Any]) -> None:
        """Call a function on the thread that cells run on; some front ends use another one."""
        loop = self._loop
        if _on_main_thread() or loop is None:
            function()
        else:
            loop.call_soon_threadsafe(function)

    def turned(self) -> None:
        """The runtime's loop has turned: what is shown may not be true any more."""
        if not self._shown or self._refreshing or not _on_main_thread():
            return
        if time.monotonic() - self._last > AT_LEAST_EVERY_S:
            self.refresh()
        elif not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_later(SOON_S, self.refresh)

    def _noticed(self, _event: Event) -> None:
        # In real time another thread turns the loop, and its turn does not end.
        if not _on_main_thread() and not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self._loop.call_later, SOON_S, self.refresh)

    def refresh(self) -> None:
        """Have the views look again."""
        self._scheduled = False
        if self._refreshing:
            return
        self._refreshing = True
        try:
            with self._session.runtime.driver.held:
                for view in list(self._shown):
                    view.refresh()
        finally:
            self._refreshing = False
            self._last = time.monotonic()


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
