"""A failing run in words: who read and wrote what, and which request waited meanwhile.

A `Story` makes sentences of a trace, and finds the guilty interleaving: two uses of one key by one
request, with another request's use in between that no order of whole requests allows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

import dobook.events as ev
from dobook.clock import format_duration
from dobook.trace_model import EVERY_KEY, Delivery, TraceModel, Use

_LISTS: Final = frozenset({"list", "kv.list"})
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


class Story:
    """A trace, told.

    Args:
        events: The trace.

    Example:
        >>> from dobook.events import Rpc
        >>> got = Rpc(1, 0, "A/a", 0, method="hi", args=())
        >>> Story([got]).sentences()[0].text
        'request 1 arrives at A/a: hi()'
    """

    def __init__(self, events: Sequence[ev.AnyEvent]) -> None:
        self._model = TraceModel(events)
        self._events = self._model.events
        self._names: dict[int, str] = {}  # by the number of a delivery
        counts: Counter[str] = Counter()
        for number, delivery in self._model.deliveries.items():
            kind = delivery.event.kind
            noun = _NOUNS.get(kind, kind)
            counts[noun] += 1
            self._names[number] = f"{noun} {counts[noun]}"

    # ------------------------------------------------------------------ the guilty interleaving

    def guilty(self) -> tuple[int, ...]:
        """Return the numbers of the events of the guilty interleaving; empty if none is found."""
        found: dict[str, tuple[int, ...]] = {}
        uses = self._model.uses
        for last in range(len(uses) - 1, -1, -1):
            end = uses[last]
            for first in range(last - 1, -1, -1):
                begin = uses[first]
                if begin.event.cause != end.event.cause or not _meet(begin, end):
                    continue
                for middle in range(first + 1, last):
                    other = uses[middle]
                    if other.event.cause == end.event.cause:
                        continue
                    if not (_meet(other, begin) and _meet(other, end)):
                        continue
                    pattern = "".join("W" if use.writes else "R" for use in (begin, other, end))
                    if pattern in _UNSERIALISABLE:
                        guilty = begin.event.seq, other.event.seq, end.event.seq
                        found.setdefault(pattern, guilty)
        for pattern in _UNSERIALISABLE:
            if pattern in found:
                return found[pattern]
        return ()

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

    def _words(self, at: int, event: ev.AnyEvent) -> str:
        where, who = event.object, self._names.get(event.cause, "")
        match event:
            case (
                ev.Fetch()
                | ev.Rpc()
                | ev.Alarm()
                | ev.SocketMessage()
                | ev.SocketClose()
                | ev.SocketError()
            ) as delivered:
                return self._arrival(delivered)
            case ev.StorageOperation():
                return f"{who} {_operation(event)}{self._meanwhile(at, event)}" if who else ""
            case ev.Sent(to=to, method=method):
                return f"{who} calls {method} of {to}" if who else ""
            case ev.Waiting():
                return f"{who} waits at the shut input gate" if who else ""
            case ev.Answer(value=value, error=error):
                outcome = f"fails: {error}" if error else "is answered"
                if value is not None and not error:
                    outcome += f" {value}"
                return f"{who} {outcome}" if who else ""
            case ev.Commit():
                return f"{where} commits {event.get('keys')}".rstrip()
            case ev.AlarmSet(at_ms=at_ms):
                due = format_duration(at_ms - self._events[0].t_ms)
                return f"{where} sets its alarm to {due}"
            case ev.AlarmRetry(attempt=attempt):
                return f"{where} will try its alarm again, attempt {attempt}"
            case ev.Fault(what=what):
                return f"{where}: {what}"
            case ev.Evicted():
                return f"{where} is evicted; its memory is lost"
            case ev.Error(where=handler, error=error):
                return f"{where} raises in its {handler}: {error}"
            case ev.SocketSent(data=data):
                return f"{where} sends {data}"
            case (
                ev.Scheduled()
                | ev.Admitted()
                | ev.Held()
                | ev.InputGateClosed()
                | ev.InputGateOpened()
                | ev.OutputGateClosed()
                | ev.OutputGateOpened()
                | ev.AlarmDeleted()
                | ev.AlarmOver()
                | ev.WaitUntil()
                | ev.Log()
                | ev.SocketOpen()
                | ev.SocketAnswered()
                | ev.Started()
                | ev.Reset()
                | ev.Deadlock()
                | ev.Escaped()
            ):
                return ""
            case _:
                assert_never(event)

    def _arrival(self, event: ev.Delivered) -> str:
        name = self._names[event.seq]
        match event:
            case ev.Alarm(attempt=attempt):
                later = f", attempt {attempt}" if attempt else ""
                return f"{name} of {event.object} fires{later}"
            case ev.Fetch(method=method, url=url):
                what = f"{method} {url}"
            case ev.Rpc(method=method):
                what = f"{method}{event.get('args') or '()'}"
            case ev.SocketMessage() | ev.SocketClose() | ev.SocketError():
                what = event.text
            case _:
                assert_never(event)
        return f"{name} arrives at {event.object}: {what}"

    def _meanwhile(self, at: int, event: ev.AnyEvent) -> str:
        """Return what the other requests of the same object are waiting for."""
        waiting = []
        for number, delivery in self._model.deliveries.items():
            if number == event.cause or delivery.event.object != event.object:
                continue
            over_at = delivery.over_at
            if delivery.at > at or (over_at is not None and over_at < at):
                continue
            doing = self._suspended(delivery, at)
            if doing:
                waiting.append(f"{self._names[number]} {doing}")
        return " while " + " and ".join(waiting) if waiting else ""

    def _suspended(self, delivery: Delivery, at: int) -> str:
        before = [place for place in delivery.steps if place < at]
        after = [place for place in delivery.steps if place > at]
        last = self._events[before[-1]]
        if isinstance(last, ev.Waiting):
            return ""  # at the gate: it has not begun
        for place in before:
            sent = self._events[place]
            if isinstance(sent, ev.Sent):
                number = self._model.delivered.get(sent.seq)
                over_at = None if number is None else self._model.deliveries[number].over_at
                if over_at is None or over_at > at:
                    return f"waited for {sent.to}"
        if isinstance(last, ev.InputGateClosed):
            return "waited for storage"
        if after and self._events[after[0]].t_ms > last.t_ms:
            return "slept in its timer"
        if not after and delivery.over_at is None:
            return "was under way"
        return "had let go of the object"


def _meet(one: Use, other: Use) -> bool:
    """Return whether two uses are about the same key of the same object."""
    if one.event.object != other.event.object:
        return False
    return one.key == other.key or EVERY_KEY in (one.key, other.key)


def _on_purpose(event: ev.AnyEvent) -> bool:
    return isinstance(event, ev.Fault) or (
        isinstance(event, ev.Evicted) and event.why == "explored"
    )


def _operation(event: ev.StorageOperation) -> str:
    operation, keys, value = event.op, event.get("keys"), event.value
    if event.error:
        return f"was refused {operation} {keys}: {event.error}"
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
