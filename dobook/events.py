"""Trace events: what happened, each kind a frozen dataclass.

`runtime.trace()` returns them and `runtime.observers.add(listener)` passes them to a listener. They
contain numbers and short texts only, so nothing of the program is kept alive by them, and two runs
of the same program with the same seed give equal traces.

Use the class of an event, or its `kind`, to tell events apart:

    >>> event = Rpc(2, 0, "COUNTER/a", 1, method="add", args=("5",))
    >>> match event:
    ...     case Rpc(method=method, args=args):
    ...         print(method, args)
    add ('5',)
    >>> event.kind, event.text
    ('rpc', 'method=add args=(5)')
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Self

from dobook.clock import format_time

MOST_TEXT: Final = 80  # characters of a text in a recorded event
MOST_KEYS: Final = 8  # that `text` shows
MOST_ARGUMENTS: Final = 6  # that `text` shows

__all__ = [
    "KINDS",
    "Admitted",
    "Alarm",
    "AlarmDeleted",
    "AlarmOver",
    "AlarmRetry",
    "AlarmSet",
    "Answer",
    "AnyEvent",
    "Commit",
    "Deadlock",
    "Delivered",
    "Error",
    "Escaped",
    "Evicted",
    "Fault",
    "Fetch",
    "Held",
    "InputGateClosed",
    "InputGateOpened",
    "Log",
    "OutputGateClosed",
    "OutputGateOpened",
    "Reset",
    "Rpc",
    "Scheduled",
    "Sent",
    "SocketAnswered",
    "SocketClose",
    "SocketError",
    "SocketMessage",
    "SocketOpen",
    "SocketSent",
    "Started",
    "StorageOperation",
    "TraceEvent",
    "WaitUntil",
    "Waiting",
]

Detail = str | int | float | bool | None

_OF_EVERY_EVENT: Final = 4  # fields


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One thing that happened: what all kinds of events have in common.

    Attributes:
        seq: Its number; later events have higher ones.
        t_ms: Virtual time, in ms since 1970.
        object: Where it happened: `BINDING/name`, "worker", the name of a caller outside of
            objects, or empty for the runtime itself.
        cause: The `seq` of the event that led to it, 0 for none.
    """

    seq: int
    t_ms: int
    object: str
    cause: int

    kind: ClassVar[str] = ""
    """What `%trace` calls this kind of event."""

    @property
    def detail(self) -> tuple[tuple[str, Detail], ...]:
        """The other fields, as names and values in a fixed order."""
        return tuple([(name, getattr(self, name)) for name in self._names()])

    def get(self, name: str, default: Detail = None) -> Detail:
        """Return a detail by its name, or `default` if the event has no such detail."""
        for known, value in self.detail:
            if known == name:
                return value
        return default

    @property
    def text(self) -> str:
        """The details in one line, without those that are empty."""
        return " ".join(
            f"{name}={value}" for name, value in self.detail if value is not None and value != ""
        )

    def shortened(self) -> Self:
        """Return the event with each text cut to 80 characters; keys stay whole."""
        long: dict[str, Any] = {}
        for name in self._names():
            value = getattr(self, name)
            if type(value) is str and len(value) > MOST_TEXT:
                long[name] = cut(value)
        return replace(self, **long) if long else self

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return cls.__match_args__[_OF_EVERY_EVENT:]

    def __str__(self) -> str:
        return f"{format_time(self.t_ms)}  {self.object}  {self.kind}  {self.text}".rstrip()


def cut(text: str) -> str:
    """Return a text of at most 80 characters, with a mark if some are missing."""
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"


def listed(names: tuple[str, ...], most: int) -> str:
    """Return names in one line, with a mark if there are more than `most`."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


# ------------------------------------------------------------------ calls


@dataclass(frozen=True, slots=True)
class Sent(TraceEvent):
    """A caller sends a call or a request to an object.

    Attributes:
        to: The object.
        method: The name of the method, or the HTTP method of a request.
    """

    to: str
    method: str
    kind: ClassVar[str] = "sent"


@dataclass(frozen=True, slots=True)
class Fetch(TraceEvent):
    """A request is delivered to an object or to the Worker."""

    method: str
    url: str
    kind: ClassVar[str] = "fetch"


@dataclass(frozen=True, slots=True)
class Rpc(TraceEvent):
    """A method call is delivered to an object.

    Attributes:
        method: The name of the method.
        args: The arguments as texts; None when a property is read.
    """

    method: str
    args: tuple[str, ...] | None
    kind: ClassVar[str] = "rpc"

    @property
    def detail(self) -> tuple[tuple[str, Detail], ...]:
        """The method and the arguments in parentheses."""
        shown = None if self.args is None else cut(f"({listed(self.args, MOST_ARGUMENTS)})")
        return (("method", self.method), ("args", shown))


@dataclass(frozen=True, slots=True)
class Alarm(TraceEvent):
    """An object's alarm is due: `alarm()` is called.

    Attributes:
        attempt: 0 for the first run, the number of the retry after that.
    """

    attempt: int
    kind: ClassVar[str] = "alarm"


@dataclass(frozen=True, slots=True)
class SocketMessage(TraceEvent):
    """A WebSocket message is delivered to an object."""

    data: Detail
    kind: ClassVar[str] = "socket message"


@dataclass(frozen=True, slots=True)
class SocketClose(TraceEvent):
    """An object learns that a WebSocket has been closed by the other side."""

    code: int
    reason: str
    was_clean: bool
    kind: ClassVar[str] = "socket close"


@dataclass(frozen=True, slots=True)
class SocketError(TraceEvent):
    """An object learns that a WebSocket is broken."""

    error: str
    kind: ClassVar[str] = "socket error"


@dataclass(frozen=True, slots=True)
class Scheduled(TraceEvent):
    """A cron trigger of the Worker is due."""

    cron: str
    kind: ClassVar[str] = "scheduled"


@dataclass(frozen=True, slots=True)
class Waiting(TraceEvent):
    """A delivered event, or a handler that could continue, waits at the input gate.

    Attributes:
        why: What it waits for.
        turn: "later" for a handler that has already begun, else empty.
    """

    why: str
    turn: str = ""
    kind: ClassVar[str] = "waiting"


@dataclass(frozen=True, slots=True)
class Admitted(TraceEvent):
    """What has waited at the input gate is let in."""

    kind: ClassVar[str] = "admitted"


@dataclass(frozen=True, slots=True)
class Held(TraceEvent):
    """An answer or an outgoing call waits at the output gate until the writes are durable.

    Attributes:
        why: What it waits for.
        to: The object that is called; empty for an answer.
    """

    why: str
    to: str = ""
    kind: ClassVar[str] = "held"


@dataclass(frozen=True, slots=True)
class Answer(TraceEvent):
    """A call or request is answered; its `cause` is the delivery.

    Attributes:
        status: The HTTP status, None for a method call.
        value: What the method returned, as a short text.
        error: The error it failed with, empty if it did not.
    """

    status: int | None
    value: Detail
    error: str
    kind: ClassVar[str] = "answer"


# ------------------------------------------------------------------ gates


@dataclass(frozen=True, slots=True)
class InputGateClosed(TraceEvent):
    """An object's input gate closes: other events have to wait.

    Attributes:
        why: "critical section" (`blockConcurrencyWhile`) or "storage" (`faults.slow`).
    """

    why: str
    kind: ClassVar[str] = "gate closed"


@dataclass(frozen=True, slots=True)
class InputGateOpened(TraceEvent):
    """An object's input gate opens again."""

    kind: ClassVar[str] = "gate opened"


@dataclass(frozen=True, slots=True)
class OutputGateClosed(TraceEvent):
    """A write closes an object's output gate until it is durable."""

    why: str
    kind: ClassVar[str] = "output gate closed"


@dataclass(frozen=True, slots=True)
class OutputGateOpened(TraceEvent):
    """An object's writes are durable: what was held may leave."""

    kind: ClassVar[str] = "output gate opened"


# ------------------------------------------------------------------ storage and alarms


@dataclass(frozen=True, slots=True)
class StorageOperation(TraceEvent):
    """One operation on an object's storage.

    Attributes:
        op: The method: `get`, `kv.put`, `sql`, `setAlarm` and so on.
        keys: The keys that were asked for, in order; empty for operations without keys.
        argument: The range of a list, the query of `sql`, the time of `setAlarm`.
        value: What was read or written, as a short text.
        values: Of several keys the value of each, None for a key without one.
        error: Why the operation was refused; empty if it was carried out.
    """

    op: str
    keys: tuple[str, ...] = ()
    argument: Detail = None
    value: Detail = None
    values: tuple[str | None, ...] = ()
    error: str = ""
    kind: ClassVar[str] = "storage"

    @property
    def detail(self) -> tuple[tuple[str, Detail], ...]:
        """The method, the keys or the argument, the value, and the error if there was one."""
        keys = self.argument if not self.keys else cut(listed(self.keys, MOST_KEYS))
        refused = (("error", self.error),) if self.error else ()
        return (("op", self.op), ("keys", keys), ("value", self.value), *refused)


@dataclass(frozen=True, slots=True)
class Commit(TraceEvent):
    """Writes of an object become durable together.

    Attributes:
        keys: The keys whose rows have changed.
    """

    keys: tuple[str, ...]
    kind: ClassVar[str] = "commit"

    @property
    def detail(self) -> tuple[tuple[str, Detail], ...]:
        """The keys in one text."""
        return (("keys", cut(listed(self.keys, MOST_KEYS))),)


@dataclass(frozen=True, slots=True)
class AlarmSet(TraceEvent):
    """An alarm is set, or set to another time.

    Attributes:
        at_ms: When it is due, in ms since 1970.
    """

    at_ms: int
    kind: ClassVar[str] = "alarm set"


@dataclass(frozen=True, slots=True)
class AlarmDeleted(TraceEvent):
    """An alarm is deleted."""

    kind: ClassVar[str] = "alarm deleted"


@dataclass(frozen=True, slots=True)
class AlarmRetry(TraceEvent):
    """A failed alarm will be retried.

    Attributes:
        attempt: The number of the retry.
        at_ms: When it is due, in ms since 1970.
    """

    attempt: int
    at_ms: int
    kind: ClassVar[str] = "alarm retry"


@dataclass(frozen=True, slots=True)
class AlarmOver(TraceEvent):
    """A run of `alarm()` is over; its `cause` is the `Alarm` event.

    Attributes:
        outcome: "ok", "error", "cancelled" or "gave up".
        error: The error it failed with, empty if it did not.
    """

    outcome: str
    error: str
    kind: ClassVar[str] = "alarm over"


# ------------------------------------------------------------------ what handlers do besides


@dataclass(frozen=True, slots=True)
class WaitUntil(TraceEvent):
    """A handler calls `ctx.waitUntil`."""

    kind: ClassVar[str] = "waitUntil"


@dataclass(frozen=True, slots=True)
class Log(TraceEvent):
    """A handler prints a line."""

    line: str
    kind: ClassVar[str] = "log"


@dataclass(frozen=True, slots=True)
class SocketOpen(TraceEvent):
    """An object accepts a WebSocket.

    Attributes:
        accepted: "hibernatable" or "classic".
        tags: The tags it was accepted with.
    """

    accepted: str
    tags: Detail
    kind: ClassVar[str] = "socket open"


@dataclass(frozen=True, slots=True)
class SocketSent(TraceEvent):
    """An object sends a WebSocket message."""

    data: Detail
    kind: ClassVar[str] = "socket sent"


@dataclass(frozen=True, slots=True)
class SocketAnswered(TraceEvent):
    """A WebSocket message is answered by the automatic response, without waking the object."""

    data: Detail
    kind: ClassVar[str] = "socket answered"


# ------------------------------------------------------------------ lives and failures


@dataclass(frozen=True, slots=True)
class Started(TraceEvent):
    """An object's instance is created: its constructor runs."""

    kind: ClassVar[str] = "started"


@dataclass(frozen=True, slots=True)
class Evicted(TraceEvent):
    """An object leaves memory; its storage stays.

    Attributes:
        why: "idle", "asked", "explored" and so on.
    """

    why: str
    kind: ClassVar[str] = "evicted"


@dataclass(frozen=True, slots=True)
class Reset(TraceEvent):
    """An object's instance is discarded with all writes that are not durable yet."""

    error: str
    kind: ClassVar[str] = "reset"


@dataclass(frozen=True, slots=True)
class Error(TraceEvent):
    """An error that reaches no caller.

    Attributes:
        where: What failed: "alarm", "fetch", "waitUntil" and so on.
        error: The error.
    """

    where: str
    error: str
    kind: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True)
class Fault(TraceEvent):
    """A fault that was planned happens: a crash, a failed write, a lost reply."""

    what: str
    kind: ClassVar[str] = "fault"


@dataclass(frozen=True, slots=True)
class Deadlock(TraceEvent):
    """Objects wait for each other in a circle."""

    circle: str
    kind: ClassVar[str] = "deadlock"


@dataclass(frozen=True, slots=True)
class Escaped(TraceEvent):
    """The program uses something that no seed can repeat: a thread, a real socket, real time."""

    to: str
    kind: ClassVar[str] = "escaped"


Delivered = Fetch | Rpc | Alarm | SocketMessage | SocketClose | SocketError
"""What can be delivered to an object."""

AnyEvent = (
    Delivered
    | Sent
    | Scheduled
    | Waiting
    | Admitted
    | Held
    | Answer
    | InputGateClosed
    | InputGateOpened
    | OutputGateClosed
    | OutputGateOpened
    | StorageOperation
    | Commit
    | AlarmSet
    | AlarmDeleted
    | AlarmRetry
    | AlarmOver
    | WaitUntil
    | Log
    | SocketOpen
    | SocketSent
    | SocketAnswered
    | Started
    | Evicted
    | Reset
    | Error
    | Fault
    | Deadlock
    | Escaped
)
"""Every kind of event. Code that handles all of them ends with `typing.assert_never`."""

KINDS: Final[dict[str, type[Any]]] = {cls.kind: cls for cls in AnyEvent.__args__}
"""The class of each kind, by its name in `%trace`."""
