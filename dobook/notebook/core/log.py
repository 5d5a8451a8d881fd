"""What happened since the runtime began: what was asked (the rows of `%requests`), what was printed."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import assert_never
from urllib.parse import urlsplit

import dobook.events as ev
from dobook.notebook.core.display import shorten

MOST_ENTRIES = 10_000
MOST_ARGUMENT = 40  # characters of an argument of a call
MOST_LINES = 20  # of each object's log
MOST_LOGS = 2_000


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

    def __call__(self, event: ev.AnyEvent) -> None:
        """Take in an event of the runtime."""
        match event:
            case ev.Fetch(method=method, url=url):
                parts = urlsplit(url)
                self._ask(
                    event, method, f"{parts.path}?{parts.query}" if parts.query else parts.path
                )
            case ev.Rpc(method=method, args=args):
                self._ask(event, "rpc", method if args is None else f"{method}({_joined(args)})")
            case ev.Answer(status=status, error=error):
                asked = self._asked.get(event.cause)
                if asked is not None:
                    asked.answered_ms, asked.status, asked.error = event.t_ms, status, error
            case ev.Alarm() | ev.SocketMessage() | ev.SocketClose() | ev.SocketError():
                self._last[event.object] = (event.t_ms, event.kind)
            case ev.Log(line=line):
                self._log(event, line)
            case ev.Started():
                self._log(event, "(in memory)")
            case ev.Evicted(why=why):
                self._log(event, f"(evicted: {why})")
            case ev.Reset(error=error):
                self._log(event, f"(reset: {error})")
            case ev.Error(where=where, error=error):
                self._log(event, f"{where}: {error}")
            case (
                ev.Sent()
                | ev.Scheduled()
                | ev.Waiting()
                | ev.Admitted()
                | ev.Held()
                | ev.InputGateClosed()
                | ev.InputGateOpened()
                | ev.OutputGateClosed()
                | ev.OutputGateOpened()
                | ev.StorageOperation()
                | ev.Commit()
                | ev.AlarmSet()
                | ev.AlarmDeleted()
                | ev.AlarmRetry()
                | ev.AlarmOver()
                | ev.WaitUntil()
                | ev.SocketOpen()
                | ev.SocketSent()
                | ev.SocketAnswered()
                | ev.Fault()
                | ev.Deadlock()
                | ev.Escaped()
            ):
                pass
            case _:
                assert_never(event)

    def _ask(self, event: ev.Fetch | ev.Rpc, method: str, path: str) -> None:
        self._asked[event.seq] = Asked(event.t_ms, event.object, method, path)
        self._last[event.object] = (event.t_ms, f"{method} {path}")
        if len(self._asked) > MOST_ENTRIES:
            self._asked.popitem(last=False)

    def _log(self, event: ev.AnyEvent, text: str) -> None:
        label = event.object
        lines = self._lines.get(label)
        if lines is None:
            lines = self._lines[label] = deque(maxlen=MOST_LINES)
            if len(self._lines) > MOST_LOGS:
                self._lines.popitem(last=False)
        lines.append((event.t_ms, text))

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


def _joined(args: tuple[str, ...]) -> str:
    return ", ".join([shorten(arg, MOST_ARGUMENT) for arg in args])
