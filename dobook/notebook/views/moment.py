"""What a trace says of each object at one of its events: memory, handlers, gates, storage, alarm.

A pure function of the events before. Storage is what was seen to be written since recording began,
so it says what changed, not all there is; what was not yet durable is marked.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dobook.clock import format_time
from dobook.runtime.insight.trace import TraceEvent, shown

MOST_KEYS = 12
_DELIVERED = frozenset({"fetch", "rpc", "alarm", "socket message", "socket close", "socket error"})
_WRITES = frozenset({"put", "kv.put"})
_REMOVALS = frozenset({"delete", "kv.delete"})


@dataclass(slots=True)
class ObjectMoment:
    """An object at one event of a trace.

    Attributes:
        object: `BINDING/name`.
        memory: "in memory", "not in memory", or empty if the trace does not say.
        running: What its handlers are doing, in the order they began.
        waiting: How many events wait at its input gate.
        input_gate: "open" or "shut".
        output_gate: "open" or "shut".
        stored: Keys and values that were written; None for a value that the trace does not have.
        pending: Keys whose writes are not durable yet.
        alarm: When its alarm is due, empty without one.
    """

    object: str
    memory: str = ""
    running: dict[int, str] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    input_gate: str = "open"
    output_gate: str = "open"
    stored: dict[str, str | None] = field(default_factory=dict)
    pending: dict[str, tuple[bool, str | None]] = field(default_factory=dict)
    alarm: str = ""
    shut: int = 0

    def facts(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        stored = []
        for key, value in list(self.stored.items())[-MOST_KEYS:]:
            mark = " (not durable yet)" if key in self.pending else ""
            stored.append(f"{key} = {'…' if value is None else value}{mark}")
        return {
            "object": self.object,
            "memory": self.memory,
            "running": ", ".join(self.running.values()),
            "waiting": len(self.waiting),
            "input_gate": self.input_gate,
            "output_gate": self.output_gate,
            "stored": stored,
            "alarm": self.alarm,
        }


def moment(events: Sequence[TraceEvent], seq: int) -> list[ObjectMoment]:
    """Return the objects right after an event, in order of first appearance.

    Args:
        events: A trace, oldest first.
        seq: The event's number; later events are not looked at.

    Example:
        >>> got = TraceEvent(1, 0, "A/a", "rpc", (("method", "hi"),), 0)
        >>> moment([got, TraceEvent(2, 0, "A/a", "answer", (), 1)], 1)[0].running
        {1: 'hi'}
    """
    found: dict[str, ObjectMoment] = {}
    for event in events:
        if event.seq > seq:
            break
        if "/" in event.object:
            at = found.setdefault(event.object, ObjectMoment(event.object))
            _take(at, event)
    return list(found.values())


def _take(at: ObjectMoment, event: TraceEvent) -> None:
    kind, get = event.kind, event.get
    if kind in _DELIVERED:
        if kind in ("fetch", "rpc", "alarm"):
            at.running[event.seq] = str(get("method") or kind)
    elif kind == "waiting":
        at.waiting.add(event.seq if get("turn") else event.cause)
    elif kind == "admitted":
        at.waiting.discard(event.cause)
    elif kind in ("answer", "alarm over"):
        at.running.pop(event.cause, None)
        at.waiting.discard(event.cause)
    elif kind in ("gate closed", "gate opened"):
        at.shut = max(at.shut + (1 if kind == "gate closed" else -1), 0)
        at.input_gate = "shut" if at.shut else "open"
    elif kind in ("output gate closed", "output gate opened"):
        at.output_gate = "shut" if kind == "output gate closed" else "open"
    elif kind == "storage":
        _operation(at, event)
    elif kind == "commit":
        at.pending.clear()
    elif kind == "alarm set":
        at.alarm = format_time(int(get("at_ms") or 0))
    elif kind == "alarm deleted":
        at.alarm = ""
    elif kind == "started":
        at.memory = "in memory"
    elif kind in ("evicted", "reset"):
        _ended(at, lost=kind == "reset")


def _operation(at: ObjectMoment, event: TraceEvent) -> None:
    operation, value = str(event.get("op")), event.get("value")
    keys = [key for key in str(event.get("keys") or "").split(", ") if key != "…"]
    if operation in _WRITES:
        for key, text in zip(keys, _texts(len(keys), value), strict=True):
            at.pending.setdefault(key, (key in at.stored, at.stored.get(key)))
            at.stored[key] = text
    elif operation in _REMOVALS:
        for key in keys:
            at.pending.setdefault(key, (key in at.stored, at.stored.get(key)))
            at.stored.pop(key, None)
    elif operation == "deleteAll":
        for key, old in at.stored.items():
            at.pending.setdefault(key, (True, old))
        at.stored.clear()
    elif operation == "get" and value is not None and len(keys) == 1:
        at.stored.setdefault(keys[0], str(value))


def _texts(count: int, value: Any) -> list[str | None]:
    """Return the values of so many keys; None for what the trace has cut off."""
    if count <= 1 or value is None:
        return [None if value is None else str(value)] * count
    try:
        values = ast.literal_eval(str(value))
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # cut off, or nested too deep
        return [None] * count
    if not isinstance(values, tuple) or len(values) != count:
        return [None] * count
    return [shown(one) for one in values]


def _ended(at: ObjectMoment, *, lost: bool) -> None:
    at.memory = "not in memory"
    at.running.clear()
    at.waiting.clear()
    at.input_gate, at.shut = "open", 0
    if lost:  # what was not durable is undone
        at.output_gate = "open"
        for key, (there, old) in at.pending.items():
            if there:
                at.stored[key] = old
            else:
                at.stored.pop(key, None)
        at.pending.clear()
