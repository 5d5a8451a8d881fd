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

from dobook.runtime.loop import running_loop

if TYPE_CHECKING:
    from dobook.notebook.widgets.base import View

SOON_S = 0.03
AT_LEAST_EVERY_S = 0.25  # while a cell keeps the kernel's loop from turning


class Views:
    """The views of a session."""

    def __init__(self) -> None:
        self._shown: WeakKeyDictionary[View, int] = WeakKeyDictionary()
        self._loop: asyncio.AbstractEventLoop | None = running_loop()
        self._scheduled = False
        self._refreshing = False
        self._last = 0.0

    def count(self, view: "View", change: int) -> None:
        """A display of a view has come or gone."""
        number = self._shown.get(view, 0) + change
        if number > 0:
            self._shown[view] = number
            if change > 0:
                self.on_main(view.refresh)  # it may have been made a while ago
        else:
            self._shown.pop(view, None)

    def on_main(self, function: Callable[[], Any]) -> None:
        """Call a function on the thread that cells run on; some front ends use another one."""
        loop = self._loop
        if threading.current_thread() is threading.main_thread() or loop is None:
            function()
        else:
            loop.call_soon_threadsafe(function)

    def turned(self) -> None:
        """The runtime's loop has turned: what is shown may not be true any more."""
        if not self._shown or self._refreshing:
            return
        if threading.current_thread() is threading.main_thread():
            if time.monotonic() - self._last > AT_LEAST_EVERY_S:
                self.refresh()
                return
            if self._scheduled or self._loop is None:
                return
            self._scheduled = True
            self._loop.call_later(SOON_S, self.refresh)
        elif not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self._loop.call_later, SOON_S, self.refresh)

    def refresh(self) -> None:
        """Have the views look again."""
        self._scheduled = False
        if self._refreshing:
            return
        self._refreshing = True
        try:
            for view in list(self._shown):
                view.refresh()
        finally:
            self._refreshing = False
            self._last = time.monotonic()


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
