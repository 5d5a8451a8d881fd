"""Signal handlers of others, while a runtime's loop turns: SIGALRM of a test's timeout, SIGTERM.

Python runs a signal handler between any two instructions of the main thread, and what the handler
raises is raised there. In the engine's own code that would leave an object between two states: a
write that is acknowledged and never written, a call that nobody answers. So, while the loop turns,
each handler is wrapped. It runs as promptly as before; if it raises in the user's code, so be it,
and if it raises in the engine's, the exception is carried to the next place where it does no harm.

`signal.getsignal` returns the wrapper meanwhile, which compares equal to the handler.
Source: docs.python.org/3/library/signal.html#note-on-signal-handlers-and-exceptions
"""

import contextlib
import signal
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Any, Final

# The module's own function looks each result up in an enumeration, which takes 20 times as long.
_get: Callable[[int], Any] = import_module("_signal").getsignal
NUMBERS: Final = [int(n) for n in sorted(signal.valid_signals()) if n != signal.SIGINT]

Carry = Callable[[BaseException, FrameType | None], bool]


class Wrapped:
    """A signal handler whose exceptions are carried to where they do no harm."""

    def __init__(self, before: Any, carry: Carry) -> None:
        self.before = before  # what is put back; another runtime's, if that has called this one
        self.handler: Callable[[int, FrameType | None], Any] = (
            before.handler if isinstance(before, Wrapped) else before
        )
        self.carry: Carry | None = carry  # None once the loop does not turn any more

    def __call__(self, signum: int, frame: FrameType | None) -> Any:
        """Run the handler."""
        carry = self.carry
        if carry is None:  # other code kept this handler and has set it again
            return self.handler(signum, frame)
        try:
            return self.handler(signum, frame)
        except BaseException as error:
            if not carry(error, frame):
                raise

    def __eq__(self, other: object) -> bool:
        return bool(self.handler == (other.handler if isinstance(other, Wrapped) else other))

    def __hash__(self) -> int:
        return hash(self.handler)


class Signals:
    """The signal handlers of others that one drive of the loop has wrapped.

    Args:
        carry: Given what a handler has raised, and where; returns whether it takes the exception.
    """

    def __init__(self, carry: Carry) -> None:
        self._carry = carry
        self._seen: list[Any] = []  # the handlers when last looked at, none of which can be wrapped

    def wrap(self) -> dict[int, Wrapped] | None:
        """Wrap the handlers that there are; returns them, None for none. Main thread only."""
        handlers = list(map(_get, NUMBERS))
        if handlers == self._seen:
            return None
        wrapped: dict[int, Wrapped] = {}
        for number, handler in zip(NUMBERS, handlers, strict=True):
            if callable(handler):
                wrapped[number] = Wrapped(handler, self._carry)
                signal.signal(number, wrapped[number])
        if not wrapped:
            self._seen = handlers
            return None
        return wrapped

    def unwrap(self, wrapped: dict[int, Wrapped]) -> None:
        """Put the handlers back, except where another one has been set meanwhile."""
        for number, one in wrapped.items():
            one.carry = None
            if _get(number) is one:
                with contextlib.suppress(ValueError, OSError):
                    signal.signal(number, one.before)
