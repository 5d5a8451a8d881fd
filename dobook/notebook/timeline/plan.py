"""A trace as a picture's plan: lanes, rows, messages and bars; `timeline.py` draws it.

`plan(events)` is a pure function of a trace (`runtime.trace()`): one lane for each object and
caller in order of first appearance, one row for each event that deserves one, messages from lane
to lane, and bars where a gate was shut or a handler ran. Everything refers to events by their
`seq`, so a widget can select them and the explorer can mark those that led to a failure. With
more lanes than fit, the least active ones share one lane; with more rows, the middle is left out.

Nothing here knows a runtime, Jupyter or a colour.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

import dobook.events as ev
from dobook.clock import format_duration, format_time
from dobook.notebook.core.display import count
from dobook.trace_model import Span, SpanKind, TraceModel, Transfer, place_of

MOST_LANES: Final = 80
MOST_ROWS: Final = 200
OTHERS: Final = "others"  # the lane of those that share one

# Events that show as the beginning or end of a bar, not as a row of their own.
_QUIET: Final = (
    ev.InputGateClosed,
    ev.InputGateOpened,
    ev.OutputGateClosed,
    ev.OutputGateOpened,
    ev.Held,
    ev.AlarmOver,
)
_PLAIN: Final = frozenset({"what", "error", "why", "keys", "data"})  # shown without their names


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the picture.

    Attributes:
        seq: The event's number; 0 for a line that stands for rows left out.
        lane: The number of its lane, from 0.
        kind: The event's kind.
        text: What happened, for people, without the object.
        object: The object or caller.
        elapsed: Virtual time since the first event, only where it differs from the row before.
        failed: Whether it tells of something that went wrong.
    """

    seq: int
    lane: int
    kind: str
    text: str
    object: str
    elapsed: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """Something that went from one lane to another.

    Attributes:
        from_lane: Where it began; -1 if that is not in the picture.
        from_row: The row at which it was sent.
        to_lane: Where it arrived.
        to_row: The row at which it arrived.
        answer: Whether it is an answer rather than a call.
        failed: Whether it is an error.
    """

    from_lane: int
    from_row: int
    to_lane: int
    to_row: int
    answer: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a lane.

    Attributes:
        lane: The lane.
        kind: "input gate" or "output gate" (shut), "waiting" (an event at the gate) or "running"
            (a handler, from its start to its answer).
        first: The row it begins at.
        last: The row it ends at, at least `first`.
        why: What shut the gate, empty if there is nothing to say.
    """

    lane: int
    kind: SpanKind
    first: int
    last: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a picture of a trace shows.

    Attributes:
        lanes: The names of the lanes, from left to right.
        rows: From top to bottom.
        messages: In the order they arrived.
        bars: In the order they begin.
        begins_ms: The time of the first event, in ms since 1970; 0 without events.
        folded: How many objects and callers share the last lane, 0 if each has its own.
        left_out: How many events are in none of the rows because there were too many.
    """

    lanes: tuple[str, ...]
    rows: tuple[Row, ...]
    messages: tuple[Message, ...]
    bars: tuple[Bar, ...]
    begins_ms: int
    folded: int
    left_out: int

    @property
    def summary(self) -> str:
        """One sentence that says what there is to see."""
        text = f"{count(len(self.rows), 'event')} in {count(len(self.lanes), 'lane')}"
        if self.left_out:
            text += f", {self.left_out:,} left out"
        return text


def plan(
    events: Sequence[ev.AnyEvent], *, most_lanes: int = MOST_LANES, most_rows: int = MOST_ROWS
) -> Plan:
    """Return what a picture of these events shows.

    Args:
        events: A trace or a part of one, oldest first.
        most_lanes: How many lanes it may have, at least 2.
        most_rows: How many rows it may have, at least 3; those in the middle are left out.

    Example:
        >>> from dobook.events import Rpc, Sent
        >>> sent = Sent(1, 0, "outside", 0, to="A/a", method="hi")
        >>> got = Rpc(2, 0, "A/a", 1, method="hi", args=())
        >>> found = plan([sent, got])
        >>> found.lanes, [row.text for row in found.rows]
        (('outside', 'A/a'), ['calls hi', 'hi()'])
    """
    lanes, places, folded = _lanes(events, most_lanes)
    first, last = _left_out(events, most_rows)
    rows, row_of = _rows(events, places, first, last)
    model = TraceModel(events)
    messages = [_message(transfer, model, places, row_of) for transfer in model.transfers]
    bars = [_bar(span, places, row_of) for span in model.spans()]
    if last > first:
        hidden = row_of[first]
        messages = [m for m in messages if not m.from_row == m.to_row == hidden]
        bars = [bar for bar in bars if not bar.first == bar.last == hidden]
    return Plan(
        lanes,
        tuple(rows),
        tuple(messages),
        tuple(sorted(bars, key=lambda bar: (bar.first, bar.lane, bar.kind, bar.last))),
        events[0].t_ms if events else 0,
        folded,
        last - first,
    )


def _lanes(events: Sequence[ev.AnyEvent], most: int) -> tuple[tuple[str, ...], dict[str, int], int]:
    activity = Counter(map(place_of, events))
    names = list(activity)  # in the order of first appearance
    if len(names) <= most:
        return tuple(names), {name: i for i, name in enumerate(names)}, 0
    kept = {name for name, _ in activity.most_common(most - 1)}
    lanes = [name for name in names if name in kept]
    places = {name: i for i, name in enumerate(lanes)}
    folded = [name for name in names if name not in kept]
    places.update((name, most - 1) for name in folded)
    return (*lanes, f"{len(folded)} {OTHERS}"), places, len(folded)


def _left_out(events: Sequence[ev.AnyEvent], most: int) -> tuple[int, int]:
    """Return the first event that gets no row because there are too many, and the first after."""
    rows = [i for i, event in enumerate(events) if not isinstance(event, _QUIET)]
    if len(rows) <= most:
        return 0, 0
    head = (most - 1) // 2
    return rows[head], rows[len(rows) - (most - 1 - head)]


def _rows(
    events: Sequence[ev.AnyEvent], places: dict[str, int], first: int, last: int
) -> tuple[list[Row], list[int]]:
    """Return the rows, and the row of each event; one for all that are left out together."""
    rows: list[Row] = []
    row_of: list[int] = []
    began_ms: int | None = None
    shown_ms = -1
    for at, event in enumerate(events):
        quiet = isinstance(event, _QUIET)
        if began_ms is None and not quiet:
            began_ms = event.t_ms
        if at == first != last:
            text = f"… {count(last - first, 'event')} left out …"
            rows.append(Row(0, 0, "left out", text, ""))
            shown_ms = -1
        if not first <= at < last and not quiet:
            elapsed = ""
            if event.t_ms != shown_ms:
                shown_ms = event.t_ms
                elapsed = _elapsed(event.t_ms - (began_ms or 0))
            place = place_of(event)
            text = described(event)
            rows.append(
                Row(event.seq, places[place], event.kind, text, place, elapsed, _failed(event))
            )
        row_of.append(max(len(rows) - 1, 0))
    return rows, row_of


def _message(
    transfer: Transfer, model: TraceModel, places: dict[str, int], row_of: list[int]
) -> Message:
    event = model.events[transfer.at]
    lane, row = places[place_of(event)], row_of[transfer.at]
    if transfer.sent_at is None:
        return Message(-1, row, lane, row)
    sender = places[place_of(model.events[transfer.sent_at])]
    if transfer.answer:
        return Message(lane, row, sender, row, answer=True, failed=_failed(event))
    return Message(sender, row_of[transfer.sent_at], lane, row)


def _bar(span: Span, places: dict[str, int], row_of: list[int]) -> Bar:
    first = row_of[span.first]
    last = row_of[-1] if span.last is None else row_of[span.last]
    return Bar(places[span.object], span.kind, first, max(first, last), span.why)


def _failed(event: ev.AnyEvent) -> bool:
    return isinstance(event, ev.Reset | ev.Error | ev.Fault) or bool(getattr(event, "error", ""))


def _elapsed(ms: int) -> str:
    """Return a time since the beginning, short enough for the margin."""
    return f"+{ms / 1000:.7g}s" if ms < 120_000 else f"+{format_duration(ms)}"


def described(event: ev.AnyEvent) -> str:
    """Return what an event says, for people, without its time and object."""
    match event:
        case ev.Sent(method=method):
            return f"calls {method}"
        case ev.Rpc(method=method):
            return f"{method}{event.get('args') or '()'}"
        case ev.Fetch(method=method, url=url):
            return f"{method} {url}"
        case ev.Answer(status=status, value=value, error=error):
            if error:
                return f"fails: {error}"
            return f"answers {status}" if status is not None else f"answers{_value(value)}"
        case ev.StorageOperation():
            return _operation(event)
        case ev.AlarmSet(at_ms=at_ms) | ev.AlarmRetry(at_ms=at_ms):
            return f"{event.kind} for {format_time(at_ms)}"
        case ev.Error(where=where, error=error):
            return f"error in {where}: {error}"
        case ev.Log(line=line):
            return f"prints {line}"
        case ev.Alarm(attempt=attempt):
            return f"alarm, retry {attempt}" if attempt else "alarm"
        case ev.Started():
            return "instance starts"
        case ev.Waiting(turn=turn):
            return "waits at the input gate" + (" to go on" if turn else "")
        case ev.WaitUntil():
            return "waitUntil begins"
        case ev.Admitted() | ev.AlarmDeleted() | ev.InputGateOpened() | ev.OutputGateOpened():
            return event.kind
        case (
            ev.InputGateClosed()
            | ev.OutputGateClosed()
            | ev.Held()
            | ev.Commit()
            | ev.AlarmOver()
            | ev.SocketMessage()
            | ev.SocketClose()
            | ev.SocketError()
            | ev.SocketOpen()
            | ev.SocketSent()
            | ev.SocketAnswered()
            | ev.Scheduled()
            | ev.Evicted()
            | ev.Reset()
            | ev.Fault()
            | ev.Deadlock()
            | ev.Escaped()
        ):
            return f"{event.kind} {_rest(event)}".rstrip()
        case _:
            assert_never(event)


def _operation(event: ev.StorageOperation) -> str:
    operation, value = event.op, event.value
    if operation == "setAlarm" and isinstance(event.argument, int | float):
        text = f"setAlarm {format_time(round(event.argument))}"
    else:
        arrow = "" if value is None else " =" if "put" in operation else " →"
        keys = event.get("keys")
        text = f"{operation} {'' if keys is None else keys}{arrow}{_value(value)}".rstrip()
    return f"{text} fails: {event.error}" if event.error else text


def _value(value: ev.Detail) -> str:
    return "" if value is None else f" {value}"


def _rest(event: ev.AnyEvent) -> str:
    return " ".join(
        str(value) if name in _PLAIN else f"{name}={value}"
        for name, value in event.detail
        if value is not None and value != ""
    )
