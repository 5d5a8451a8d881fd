"""A failing run in words: who read and wrote what, while whom waited for what.

A `Story` makes sentences of a trace, and finds the guilty interleaving: two uses of one key by one
request, with another request's use in between that no order of whole requests allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dobook.clock import format_duration
from dobook.runtime.insight.trace import TraceEvent

_DELIVERED: Final = frozenset(
    {"fetch", "rpc", "alarm", "socket message", "socket close", "socket error"}
)
_WRITES: Final = frozenset(
    {"put", "delete", "deleteAll", "kv.put", "kv.delete", "setAlarm", "deleteAlarm"}
)
_LISTS: Final = frozenset({"list", "kv.list"})
_ANY: Final = "*"  # of a list: every key
# Uses by one request around one of another that no order of whole requests gives, worst first.
_UNSERIALISABLE: Final = ("RWW", "WWR", "RWR", "WRW")
_NOUNS: Final = {"alarm": "alarm", "fetch": "request", "rpc": "request"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing that happened, in words.

    Attributes:
        seq: The event's number in the trace.
        t_ms: Virtual time since the first event, in ms.
        object: Where.
        text: The words.
        guilty: Whether it belongs to the guilty interleaving, or is a fault on purpose.
    """

    seq: int
    t_ms: int
    object: str
    text: str
    guilty: bool = False

    def __str__(self) -> str:
        return f"{'▶' if self.guilty else ' '} {format_duration(self.t_ms):>7}  {self.text}"


@dataclass(frozen=True, slots=True)
class _Use:
    """One use of a key of an object's storage by one request."""

    seq: int
    at: int
    object: str
    call: int
    key: str
    kind: str  # "R" or "W"

    def meets(self, other: "_Use") -> bool:
        """Whether both are about the same key."""
        return self.object == other.object and (
            self.key == other.key or _ANY in (self.key, other.key)
        )


class Story:
    """A trace, told.

    Args:
        events: The trace.

    Example:
        >>> got = TraceEvent(1, 0, "A/a", "rpc", (("method", "hi"), ("args", "()")), 0)
        >>> Story([got]).sentences()[0].text
        'request 1 arrives at A/a: hi()'
    """

    def __init__(self, events: Sequence[TraceEvent]) -> None:
        self._events = events
        self._names: dict[int, str] = {}  # by the number of a delivery
        self._homes: dict[int, str] = {}
        self._answered: dict[int, int] = {}  # delivery → place of its answer in the trace
        self._delivered: dict[int, int] = {}  # sending → delivery
        self._of: dict[int, list[int]] = {}  # delivery → places of what it did
        counts: dict[str, int] = {}
        for at, event in enumerate(events):
            if event.kind in _DELIVERED:
                noun = _NOUNS.get(event.kind, event.kind)
                counts[noun] = counts.get(noun, 0) + 1
                self._names[event.seq] = f"{noun} {counts[noun]}"
                self._homes[event.seq] = event.object
                self._delivered[event.cause] = event.seq
                self._of[event.seq] = [at]
            elif event.kind in ("answer", "alarm over"):
                self._answered.setdefault(event.cause, at)
            if event.cause in self._of and event.kind not in _DELIVERED:
                self._of[event.cause].append(at)
        self._uses = [use for at, event in enumerate(events) for use in self._uses_of(at, event)]

    # ------------------------------------------------------------------ the guilty interleaving

    def guilty(self) -> tuple[int, ...]:
        """Return the numbers of the events of the guilty interleaving; empty if none is found."""
        found: dict[str, tuple[int, ...]] = {}
        uses = self._uses
        for last in range(len(uses) - 1, -1, -1):
            end = uses[last]
            for first in range(last - 1, -1, -1):
                begin = uses[first]
                if begin.call != end.call or not begin.meets(end):
                    continue
                for middle in range(first + 1, last):
                    other = uses[middle]
                    if other.call == end.call or not (other.meets(begin) and other.meets(end)):
                        continue
                    pattern = begin.kind + other.kind + end.kind
                    if pattern in _UNSERIALISABLE:
                        found.setdefault(pattern, (begin.seq, other.seq, end.seq))
        for pattern in _UNSERIALISABLE:
            if pattern in found:
                return found[pattern]
        return ()

    def _uses_of(self, at: int, event: TraceEvent) -> list[_Use]:
        if event.kind != "storage" or event.cause not in self._names:
            return []
        operation = str(event.get("op"))
        keys = str(event.get("keys") if event.get("keys") is not None else "")
        if operation == "sql":
            kind = "R" if keys.lstrip().lower().startswith(("select", "pragma")) else "W"
            return [_Use(event.seq, at, event.object, event.cause, "sql", kind)]
        kind = "W" if operation in _WRITES else "R"
        if operation in _LISTS or operation == "deleteAll":
            names = [_ANY]
        elif "Alarm" in operation:
            names = ["the alarm"]
        else:
            names = keys.split(", ")
        return [_Use(event.seq, at, event.object, event.cause, name, kind) for name in names]

    # ------------------------------------------------------------------ words

    def sentences(self) -> list[Sentence]:
        """Return what happened, in words."""
        if not self._events:
            return []
        start = self._events[0].t_ms
        guilty = set(self.guilty())
        told = []
        for at, event in enumerate(self._events):
            text = self._words(at, event)
            if text:
                marked = event.seq in guilty or _on_purpose(event)
                told.append(Sentence(event.seq, event.t_ms - start, event.object, text, marked))
        return told

    def _words(self, at: int, event: TraceEvent) -> str:
        kind, who = event.kind, self._names.get(event.cause, "")
        if event.seq in self._names:
            return self._arrival(event)
        if kind == "storage" and who:
            return f"{who} {_operation(event)}{self._meanwhile(at, event)}"
        if kind == "sent" and who:
            return f"{who} calls {event.get('method')} of {event.get('to')}"
        if kind == "waiting" and who:
            return f"{who} waits at the shut input gate"
        if kind == "answer" and who:
            error = event.get("error")
            value = event.get("value")
            outcome = f"fails: {error}" if error else "is answered"
            if value is not None and not error:
                outcome += f" {value}"
            return f"{who} {outcome}"
        if kind == "commit":
            keys = event.get("keys")
            return f"{event.object} commits {keys}" if keys else f"{event.object} commits"
        if kind == "alarm set" and event.get("at_ms") is not None:
            due = int(str(event.get("at_ms"))) - self._events[0].t_ms
            return f"{event.object} sets its alarm to {format_duration(due)}"
        if kind == "alarm retry":
            return f"{event.object} will try its alarm again, attempt {event.get('attempt')}"
        if kind == "fault":
            return f"{event.object}: {event.get('what')}"
        if kind == "evicted":
            return f"{event.object} is evicted; its memory is lost"
        if kind == "error":
            return f"{event.object} raises in its {event.get('where')}: {event.get('error')}"
        if kind == "socket sent":
            return f"{event.object} sends {event.get('data')}"
        return ""

    def _arrival(self, event: TraceEvent) -> str:
        name = self._names[event.seq]
        if event.kind == "alarm":
            attempt = event.get("attempt")
            return f"{name} of {event.object} fires" + (f", attempt {attempt}" if attempt else "")
        if event.kind == "fetch":
            return f"{name} arrives at {event.object}: {event.get('method')} {event.get('url')}"
        if event.kind == "rpc":
            arguments = str(event.get("args") or "()")
            if arguments.endswith(",)"):
                arguments = arguments[:-2] + ")"
            return f"{name} arrives at {event.object}: {event.get('method')}{arguments}"
        return f"{name} arrives at {event.object}: {event.text}"

    def _meanwhile(self, at: int, event: TraceEvent) -> str:
        """Return what the other requests of the same object are waiting for."""
        waiting = []
        for call, home in self._homes.items():
            if call == event.cause or home != event.object:
                continue
            if self._of[call][0] > at or self._answered.get(call, len(self._events)) < at:
                continue
            doing = self._suspended(call, at)
            if doing:
                waiting.append(f"{self._names[call]} {doing}")
        return " while " + " and ".join(waiting) if waiting else ""

    def _suspended(self, call: int, at: int) -> str:
        places = self._of[call]
        before = [place for place in places if place < at]
        after = [place for place in places if place > at]
        last = self._events[before[-1]]
        if last.kind == "waiting":
            return ""  # at the gate: it has not begun
        for place in before:
            sent = self._events[place]
            if sent.kind == "sent":
                there = self._delivered.get(sent.seq)
                over = None if there is None else self._answered.get(there)
                if over is None or over > at:
                    return f"waited for {sent.get('to')}"
        if last.kind == "gate closed":
            return "waited for storage"
        if after and self._events[after[0]].t_ms > last.t_ms:
            return "slept in its timer"
        if not after and self._answered.get(call) is None:
            return "was under way"
        return "had let go of the object"


def _on_purpose(event: TraceEvent) -> bool:
    return event.kind == "fault" or (event.kind == "evicted" and event.get("why") == "explored")


def _operation(event: TraceEvent) -> str:
    operation, keys, value = str(event.get("op")), event.get("keys"), event.get("value")
    if operation in ("get", "kv.get"):
        return f"read {keys}={value}" if value is not None else f"found no {keys}"
    if operation in ("put", "kv.put"):
        return f"wrote {keys}={value}" if value is not None else f"wrote {keys}"
    if operation in ("delete", "kv.delete"):
        return f"deleted {keys}"
    if operation in _LISTS:
        return f"listed {keys}" if keys else "listed all keys"
    if operation == "sql":
        return f"ran {keys}"
    return {
        "deleteAll": "deleted everything",
        "setAlarm": "set the alarm",
        "getAlarm": "read the alarm",
        "deleteAlarm": "deleted the alarm",
    }.get(operation, operation)
