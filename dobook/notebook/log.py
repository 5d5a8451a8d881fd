"""What was asked of the objects and the Worker since the runtime began: the rows of `%requests`."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dobook.observer import Event

MOST_ENTRIES = 10_000
MOST_ARGUMENT = 40  # characters of an argument of a call
_KINDS = frozenset({"fetch", "rpc"})


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
    """Listens to a runtime and keeps the last 10,000 requests and calls."""

    def __init__(self) -> None:
        self._asked: OrderedDict[int, Asked] = OrderedDict()

    def __call__(self, event: Event) -> None:
        """Take in an event of the runtime."""
        detail = event.detail
        if event.kind in _KINDS:
            self._asked[event.seq] = Asked(event.t_ms, event.object, *_described(event))
            if len(self._asked) > MOST_ENTRIES:
                self._asked.popitem(last=False)
        elif event.kind == "answer" and (asked := self._asked.get(event.cause)) is not None:
            asked.answered_ms = event.t_ms
            asked.status = detail["status"]
            asked.error = detail["error"]

    def entries(self) -> list[Asked]:
        """Return what was asked, oldest first."""
        return list(self._asked.values())


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
