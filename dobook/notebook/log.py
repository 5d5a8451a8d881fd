"""What happened since the runtime began: what was asked (the rows of `%requests`), what was printed."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dobook.observer import Event

MOST_ENTRIES = 10_000
MOST_ARGUMENT = 40  # characters of an argument of a call
MOST_LINES = 20  # of each object's log
MOST_LOGS = 2_000
_KINDS = frozenset({"fetch", "rpc"})
_ACTIVE = frozenset({"alarm", "socket message", "socket close", "socket error"})
_LOGGED = {
    "log": "{line}",
    "started": "(in memory)",
    "evicted": "(evicted: {why})",
    "reset": "(reset: {error})",
    "error": "{where}: {error}",
}


@dataclass(slots=True)
class Asked:
    """One request or call, and its answer.

    Attributes:
        at_ms: When it was delivered, in ms since 1970.
        object: `BINDING/name`, or "worker".
        method: The HTTP method, or "rpc".
        path: The URL's path and query, or the method called and its arguments.
        status: The answer's status; None without one.
        answered_ms: When it was answered; None while it is under way.
        error: What the handler raised, as text; empty when it did not.
    """

    at_ms: int
    object: str
    method: str
    path: str
    status: int | None = None
    answered_ms: int | None = None
    error: str = ""


class RequestLog:
    """Listens to a runtime and keeps the last 10,000 requests and calls.

    Of each object it also keeps the last lines of a log: what its handlers printed, and how its
    lives began and ended, and its last event.
    """

    def __init__(self) -> None:
        self._asked: OrderedDict[int, Asked] = OrderedDict()
        self._lines: OrderedDict[str, deque[tuple[int, str]]] = OrderedDict()
        self._last: dict[str, tuple[int, str]] = {}

    def __call__(self, event: Event) -> None:
        """Take in an event of the runtime."""
        detail = event.detail
        if event.kind in _KINDS:
            method, path = _described(event)
            self._asked[event.seq] = Asked(event.t_ms, event.object, method, path)
            self._last[event.object] = (event.t_ms, f"{method} {path}")
            if len(self._asked) > MOST_ENTRIES:
                self._asked.popitem(last=False)
        elif event.kind == "answer" and (asked := self._asked.get(event.cause)) is not None:
            asked.answered_ms = event.t_ms
            asked.status = detail.get("status")
            asked.error = detail["error"]
        elif event.kind in _ACTIVE:
            self._last[event.object] = (event.t_ms, event.kind)
        elif event.kind in _LOGGED:
            self._log(event.object, event.t_ms, _LOGGED[event.kind].format(**detail))

    def _log(self, label: str, at_ms: int, text: str) -> None:
        lines = self._lines.get(label)
        if lines is None:
            lines = self._lines[label] = deque(maxlen=MOST_LINES)
            if len(self._lines) > MOST_LOGS:
                self._lines.popitem(last=False)
        lines.append((at_ms, text))

    def entries(self, label: str | None = None) -> list[Asked]:
        """Return what was asked, of one object or of all, oldest first."""
        if label is None:
            return list(self._asked.values())
        return [asked for asked in self._asked.values() if asked.object == label]

    def last(self, label: str) -> tuple[int, str] | None:
        """Return when an object was last sent something, in ms since 1970, and what."""
        return self._last.get(label)

    def lines(self, label: str) -> list[tuple[int, str]]:
        """Return the last lines of an object's log: ms since 1970 and the text, oldest first."""
        return list(self._lines.get(label, ()))


def _described(event: Event) -> tuple[str, str]:
    """Return the method and the path of a row."""
    detail = event.detail
    if event.kind == "fetch":
        parts = urlsplit(detail["url"])
        return detail["method"], f"{parts.path}?{parts.query}" if parts.query else parts.path
    args = detail["args"]
    if args is None:
        return "rpc", detail["method"]
    return "rpc", f"{detail['method']}({', '.join(_shown(arg) for arg in args)})"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MOST_ARGUMENT else text[: MOST_ARGUMENT - 1] + "…"
