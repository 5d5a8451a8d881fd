"""What ends the code of an object or of a cell: an abort, the user's interrupt."""

from asyncio import CancelledError
from typing import Final

HOME_GONE: Final = "The execution context which hosts this callback is no longer running."
RESET: Final = "The Durable Object was reset because the user interrupted its code."
INTERRUPTED: Final = "interrupted"  # a cancellation's message: cancel the awaited calls too


class DurableObjectAbort(BaseException):
    """Ends the code that called `ctx.abort()`; no `except Exception` catches it."""


class Interrupted(KeyboardInterrupt, CancelledError):
    """The user's interrupt, as awaiting code sees it.

    A bare KeyboardInterrupt in one of several gathered calls would end the loop that gathers them,
    the notebook kernel's for instance; as a cancellation it only ends the tasks.
    """


class BrokenOff(Interrupted):
    """The interrupt, raised in the middle of a turn that would not end on its own."""


for _kind in (Interrupted, BrokenOff):
    _kind.__name__ = _kind.__qualname__ = "KeyboardInterrupt"  # what the user did
