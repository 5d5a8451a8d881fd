"""What a trace says, worked out once: calls, gates, uses of storage, and the state of each object.

`TraceModel` goes through the events of a trace in order. The timeline, the state at one event and
the explanation of a race are views of it, which only choose and word what they show. It knows
nothing about a runtime, Jupyter or pictures.

Events are referred to by their position in the trace, counted from 0.

    >>> from dobook.events import Answer, Rpc
    >>> model = TraceModel([Rpc(1, 0, "A/a", 0, "hi", ()), Answer(2, 0, "A/a", 1, None, "ho", "")])
    >>> model.deliveries[1].over_at, model.spans()
    (1, [Span(object='A/a', kind='running', first=0, last=1, why='')])
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, assert_never

import dobook.events as ev

RUNTIME: Final = "runtime"  # the place of events that have no object
EVERY_KEY: Final = "*"  # what a list uses
THE_ALARM: Final = "the alarm"
SQL: Final = "sql"

_WRITES: Final = frozenset(
    {"put", "delete", "deleteAll", "kv.put", "kv.delete", "setAlarm", "deleteAlarm"}
)
_OF_EVERY_KEY: Final = frozenset({"list", "kv.list", "deleteAll"})
_OF_THE_ALARM: Final = frozenset({"getAlarm", "setAlarm", "deleteAlarm"})

SpanKind = Literal["input gate", "output gate", "waiting", "running"]


def place_of(event: ev.AnyEvent) -> str:
    """Return where an event happened; the runtime has a name, too."""
    return event.object or RUNTIME


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasted from one event to another.

    Attributes:
        object: Where.
        kind: "input gate" or "output gate" (closed), "waiting" (at the input gate) or "running"
            (a handler, from its start to its answer).
        first: The position at which it began.
        last: The position at which it ended; None if it had not by the end of the trace.
        why: What closed the gate; empty for the other kinds.
    """

    object: str
    kind: SpanKind
    first: int
    last: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A call or an answer that went from one place to another.

    Attributes:
        sent_at: The position of its `Sent` event; None if that is not in the trace. Of an answer,
            the `Sent` event of the call it answers.
        at: The position at which it arrived; of an answer, at which it was given.
        answer: Whether it is an answer.
    """

    sent_at: int | None
    at: int
    answer: bool = False


@dataclass(slots=True)
class Delivery:
    """A delivered event and what followed from it.

    Attributes:
        event: The event.
        steps: The positions of the event and of what it caused.
        sent_at: The position of its `Sent` event, None if there is none.
        over_at: The position of its answer; None without one.
    """

    event: ev.Delivered
    steps: list[int]
    sent_at: int | None = None
    over_at: int | None = None

    @property
    def at(self) -> int:
        """The position of the event."""
        return self.steps[0]

    @property
    def runs(self) -> bool:
        """Whether it is a call with an answer or an end, which a socket's events are not."""
        return isinstance(self.event, ev.Fetch | ev.Rpc | ev.Alarm)


@dataclass(frozen=True, slots=True)
class Use:
    """One use of one key by one delivered event.

    Attributes:
        at: The position of the operation.
        event: The operation.
        key: The key, or `EVERY_KEY`, `THE_ALARM` or `SQL`.
        writes: Whether it wrote rather than read.
    """

    at: int
    event: ev.StorageOperation
    key: str
    writes: bool


@dataclass(slots=True)
class ObjectState:
    """An object at one event of a trace, as far as the events before tell.

    Attributes:
        in_memory: Whether it has an instance; None if the trace does not tell.
        running: The deliveries that are not over, by number.
        waiting: What waits at its input gate, by the number of the delivery or of the waiting turn.
        input_locks: How many reasons keep its input gate closed.
        output_closed: Whether its output gate is closed.
        stored: Keys and values that were seen; None for a value that the trace does not have.
        pending: What the keys with writes that are not durable yet had before: whether they were
            there, and the value.
        alarm_ms: When its alarm is due, in ms since 1970; None without one.
    """

    in_memory: bool | None = None
    running: dict[int, ev.Delivered] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    input_locks: int = 0
    output_closed: bool = False
    stored: dict[str, str | None] = field(default_factory=dict)
    pending: dict[str, tuple[bool, str | None]] = field(default_factory=dict)
    alarm_ms: int | None = None

    def write(self, key: str, value: str | None) -> None:
        """Note a value that was written."""
        self._save(key)
        self.stored[key] = value

    def remove(self, key: str) -> None:
        """Note that a key was deleted."""
        self._save(key)
        self.stored.pop(key, None)

    def _save(self, key: str) -> None:
        self.pending.setdefault(key, (key in self.stored, self.stored.get(key)))

    def end(self, *, undone: bool) -> None:
        """Leave memory; `undone`: with what was not durable yet."""
        self.in_memory = False
        self.running.clear()
        self.waiting.clear()
        self.input_locks = 0
        if undone:
            self.output_closed = False
            for key, (there, value) in self.pending.items():
                if there:
                    self.stored[key] = value
                else:
                    self.stored.pop(key, None)
            self.pending.clear()


class TraceModel:
    """The events of a trace, put together.

    Args:
        events: The events, oldest first. More can be added with `take`.

    Attributes:
        events: All events so far.
        deliveries: What was delivered, by its `seq`.
        delivered: The `seq` of the delivery of a `Sent` event, by the `seq` of that.
        transfers: Calls and answers, in the order they arrived.
        uses: Uses of storage by deliveries, in order.
        objects: The state after the last event, by the name of the object.
    """

    def __init__(self, events: Iterable[ev.AnyEvent] = ()) -> None:
        self.events: list[ev.AnyEvent] = []
        self.deliveries: dict[int, Delivery] = {}
        self.delivered: dict[int, int] = {}
        self.transfers: list[Transfer] = []
        self.uses: list[Use] = []
        self.objects: dict[str, ObjectState] = {}
        self._elsewhere = ObjectState()  # of callers, the Worker and the runtime; not looked at
        self._sent: dict[int, int] = {}  # positions by number
        self._spans: list[Span] = []
        self._closed: dict[tuple[str, SpanKind], list[tuple[int, str]]] = {}
        self._running: dict[int, tuple[str, int]] = {}
        self._waiting: dict[int, tuple[str, int]] = {}
        for event in events:
            self.take(event)

    def spans(self) -> list[Span]:
        """Return what lasted: first what is over, then what is not."""
        closed = [
            Span(place, kind, first, None, why)
            for (place, kind), stack in self._closed.items()
            for first, why in stack
        ]
        running = [Span(place, "running", at, None) for place, at in self._running.values()]
        waiting = [Span(place, "waiting", at, None) for place, at in self._waiting.values()]
        return [*self._spans, *closed, *running, *waiting]

    def take(self, event: ev.AnyEvent) -> None:
        """Add the next event."""
        at = len(self.events)
        self.events.append(event)
        place = place_of(event)
        cause = self.deliveries.get(event.cause)
        if cause is not None and not isinstance(event, ev.Delivered):
            cause.steps.append(at)
        state = self._state_of(event.object)
        match event:
            case ev.Sent():
                self._sent[event.seq] = at
            case (
                ev.Fetch()
                | ev.Rpc()
                | ev.Alarm()
                | ev.SocketMessage()
                | ev.SocketClose()
                | ev.SocketError()
            ) as delivered:
                self._deliver(delivered, at, place, state)
            case ev.Waiting():
                waiting = event.seq if event.turn else event.cause
                state.waiting.add(waiting)
                self._running.pop(event.cause, None)
                self._waiting[waiting] = place, at
            case ev.Admitted():
                self._admit(event, at, place, state)
            case ev.Answer() | ev.AlarmOver():
                self._end(event, at, state)
            case ev.InputGateClosed(why=why):
                state.input_locks += 1
                self._closed.setdefault((place, "input gate"), []).append((at, why))
            case ev.InputGateOpened():
                state.input_locks = max(state.input_locks - 1, 0)
                self._open(place, "input gate", at)
            case ev.OutputGateClosed(why=why):
                state.output_closed = True
                self._closed.setdefault((place, "output gate"), []).append((at, why))
            case ev.OutputGateOpened():
                state.output_closed = False
                self._open(place, "output gate", at)
            case ev.StorageOperation():
                if not event.error:
                    _store(event, state)
                    if cause is not None:
                        self.uses += _uses(at, event)
            case ev.Commit():
                state.pending.clear()
            case ev.AlarmSet(at_ms=at_ms):
                state.alarm_ms = at_ms
            case ev.AlarmDeleted():
                state.alarm_ms = None
            case ev.Started():
                state.in_memory = True
            case ev.Evicted() | ev.Reset():
                state.end(undone=isinstance(event, ev.Reset))
                self._leave(place, at)
            case (
                ev.Scheduled()
                | ev.Held()
                | ev.AlarmRetry()
                | ev.WaitUntil()
                | ev.Log()
                | ev.SocketOpen()
                | ev.SocketSent()
                | ev.SocketAnswered()
                | ev.Error()
                | ev.Fault()
                | ev.Deadlock()
                | ev.Escaped()
            ):
                pass
            case _:
                assert_never(event)

    def _state_of(self, name: str) -> ObjectState:
        if "/" not in name:
            return self._elsewhere
        if name not in self.objects:
            self.objects[name] = ObjectState()
        return self.objects[name]

    def _deliver(self, event: ev.Delivered, at: int, place: str, state: ObjectState) -> None:
        sent_at = self._sent.get(event.cause)
        delivery = Delivery(event, [at], sent_at)
        self.deliveries[event.seq] = delivery
        self.delivered[event.cause] = event.seq
        if sent_at is not None or isinstance(event, ev.Fetch | ev.Rpc):
            self.transfers.append(Transfer(sent_at, at))
        if delivery.runs:
            state.running[event.seq] = event
            self._running[event.seq] = place, at

    def _admit(self, event: ev.Admitted, at: int, place: str, state: ObjectState) -> None:
        state.waiting.discard(event.cause)
        waited = self._waiting.pop(event.cause, None)
        if waited is not None:
            self._spans.append(Span(waited[0], "waiting", waited[1], at))
        delivery = self.deliveries.get(event.cause)
        if delivery is not None and delivery.runs:
            self._running[event.cause] = place, at

    def _end(self, event: ev.Answer | ev.AlarmOver, at: int, state: ObjectState) -> None:
        state.running.pop(event.cause, None)
        state.waiting.discard(event.cause)
        running = self._running.pop(event.cause, None)
        if running is not None:
            self._spans.append(Span(running[0], "running", running[1], at))
        delivery = self.deliveries.get(event.cause)
        if delivery is not None and delivery.over_at is None:
            delivery.over_at = at
        if isinstance(event, ev.AlarmOver):
            return
        self._waiting.pop(event.cause, None)
        if delivery is not None and delivery.sent_at is not None:
            self.transfers.append(Transfer(delivery.sent_at, at, answer=True))

    def _open(self, place: str, kind: SpanKind, at: int) -> None:
        stack = self._closed.get((place, kind))
        if stack:
            first, why = stack.pop(0)
            self._spans.append(Span(place, kind, first, at, why))

    def _leave(self, place: str, at: int) -> None:
        gates: tuple[SpanKind, ...] = ("input gate", "output gate")
        for gate in gates:
            for first, why in self._closed.pop((place, gate), []):
                self._spans.append(Span(place, gate, first, at, why))
        tables: tuple[tuple[dict[int, tuple[str, int]], SpanKind], ...] = (
            (self._running, "running"),
            (self._waiting, "waiting"),
        )
        for table, kind in tables:
            for number in [number for number, (owner, _) in table.items() if owner == place]:
                self._spans.append(Span(place, kind, table.pop(number)[1], at))


def _store(event: ev.StorageOperation, state: ObjectState) -> None:
    match event.op:
        case "put" | "kv.put":
            for key, value in _values(event):
                state.write(key, value)
        case "delete" | "kv.delete":
            for key in event.keys:
                state.remove(key)
        case "deleteAll":
            for key in list(state.stored):
                state.remove(key)
        case "get" | "kv.get":
            for key, value in _values(event):
                if value is not None:
                    state.stored.setdefault(key, value)


def _values(event: ev.StorageOperation) -> Iterable[tuple[str, str | None]]:
    """Return each key with its value, as text; None for one without a value."""
    if len(event.keys) == 1:
        return [(event.keys[0], None if event.value is None else str(event.value))]
    values = event.values if len(event.values) == len(event.keys) else [None] * len(event.keys)
    return zip(event.keys, values, strict=True)


def _uses(at: int, event: ev.StorageOperation) -> list[Use]:
    operation = event.op
    writes = operation in _WRITES
    if operation == "sql":
        reads = str(event.argument).lstrip().lower().startswith(("select", "pragma"))
        return [Use(at, event, SQL, not reads)]
    if operation in _OF_EVERY_KEY:
        return [Use(at, event, EVERY_KEY, writes)]
    if operation in _OF_THE_ALARM:
        return [Use(at, event, THE_ALARM, writes)]
    return [Use(at, event, key, writes) for key in event.keys]
