"""The only way out for traces, frames and widgets: an observer with no-op hooks.

The engine reports what happens by calling `emit`; it never knows who listens. When nobody does,
`Observers.active` is false and the engine skips even building the event. Requests, lives and
sockets are reported to every listener; what happens many times in each request, storage
operations for instance, only while a listener has asked for it (`Observers.detailed`).
"""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Concatenate, ParamSpec

from dobook.events import AnyEvent

_log = logging.getLogger("dobook")

# The event on whose behalf code runs; tasks inherit it. Set only while somebody records.
current_cause: ContextVar[int] = ContextVar("dobook_cause", default=0)


Listener = Callable[[AnyEvent], None]

_P = ParamSpec("_P")


class Observers:
    """Hands events to listeners, in order.

    Args:
        now_ms: Reads the clock.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._listeners: list[Listener] = []
        self._wanting_detail: list[Listener] = []
        self._seq = 0
        self.active = False
        self.detailed = False

    def add(self, listener: Listener, *, detailed: bool = False) -> None:
        """Call `listener` for every event from now on; `detailed` for all there is to know."""
        self._listeners.append(listener)
        self.active = True
        if detailed:
            self._wanting_detail.append(listener)
            self.detailed = True

    def remove(self, listener: Listener) -> None:
        """Stop calling `listener`; unknown ones are ignored."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if listener in self._wanting_detail:
            self._wanting_detail.remove(listener)
        self.active = bool(self._listeners)
        self.detailed = bool(self._wanting_detail)

    def emit(
        self,
        make: Callable[Concatenate[int, int, str, int, _P], AnyEvent],
        obj: str,
        cause: int,
        /,
        *details: _P.args,
        **named: _P.kwargs,
    ) -> int:
        """Report an event; returns its number, 0 when nobody listens.

        Args:
            make: The event's class.
            obj: Where it happened: `BINDING/name`, "worker", or empty.
            cause: The number of the event that led to it; 0 for the one that the running code
                belongs to.
            details: The fields of this kind of event.
            named: The same by name.
        """
        if not self.active:
            return 0
        self._seq += 1
        if not cause and self.detailed:
            cause = current_cause.get()
        event = make(self._seq, self._now_ms(), obj, cause, *details, **named)
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                # A listener must not break what it listens to: an answer would be lost.
                _log.exception("a listener failed at %s", event)
        return self._seq
