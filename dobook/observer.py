"""The only way out for traces, frames and widgets: an observer with no-op hooks.

The engine reports what happens by calling `emit`; it never knows who listens. When nobody does,
`Observers.active` is false and the engine skips even building the event. Requests, lives and
sockets are reported to every listener; what happens many times in each request, storage
operations for instance, only while a listener has asked for it (`Observers.detailed`).
"""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

_log = logging.getLogger("dobook")

# The event on whose behalf code runs; tasks inherit it. Set only while somebody records.
current_cause: ContextVar[int] = ContextVar("dobook_cause", default=0)


class Event(NamedTuple):
    """One thing that happened.

    `t_ms` is virtual time (ms since 1970); `seq` orders events of the same instant; `object` is
    `BINDING/name` or empty; `kind` and `detail` say what; `cause` is the `seq` of the event that
    led to it, 0 for none.
    """

    seq: int
    t_ms: int
    object: str
    kind: str
    detail: dict[str, Any]
    cause: int


Listener = Callable[[Event], None]


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

    def emit(self, obj: str, kind: str, cause: int = 0, **detail: Any) -> int:
        """Report an event; returns its number, 0 when nobody listens."""
        if not self.active:
            return 0
        self._seq += 1
        if not cause and self.detailed:
            cause = current_cause.get()
        event = Event(self._seq, self._now_ms(), obj, kind, detail, cause)
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                # Whoever looks on must not break what it looks at: an answer would be lost.
                _log.exception("a listener failed at %s", event)
        return self._seq
