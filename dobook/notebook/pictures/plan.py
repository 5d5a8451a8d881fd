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
from typing import Final, Literal

from dobook.clock import format_duration, format_time
from dobook.notebook.display import count
from dobook.runtime.insight.trace import TraceEvent

MOST_LANES: Final = 80
MOST_ROWS: Final = 200
OTHERS: Final = "others"  # the lane of those that share one

# Events that show as the beginning or end of a bar, not as a row of their own.
_QUIET: Final = frozenset(
    {"output gate closed", "output gate opened", "gate closed", "gate opened", "held", "alarm over"}
)
_DELIVERED: Final = frozenset(
    {"fetch", "rpc", "alarm", "socket message", "socket close", "socket error"}
)
_ENDS: Final = frozenset({"reset", "evicted"})
_FAILED: Final = frozenset({"reset", "error", "fault"})

BarKind = Literal["input gate", "output gate", "waiting", "running"]


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
    kind: BarKind
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
    events: Sequence[TraceEvent], *, most_lanes: int = MOST_LANES, most_rows: int = MOST_ROWS
) -> Plan:
    """Return what a picture of these events shows.

    Args:
        events: A trace or a part of one, oldest first.
        most_lanes: How many lanes it may have, at least 2.
        most_rows: How many rows it may have, at least 3; those in the middle are left out.

    Example:
        >>> from dobook.runtime.insight.trace import TraceEvent
        >>> sent = TraceEvent(1, 0, "outside", "sent", (("to", "A/a"), ("method", "hi")), 0)
        >>> got = TraceEvent(2, 0, "A/a", "rpc", (("method", "hi"), ("args", "()")), 1)
        >>> found = plan([sent, got])
        >>> found.lanes, [row.text for row in found.rows]
        (('outside', 'A/a'), ['calls hi', 'hi()'])
    """
    lanes, places, folded = _lanes(events, most_lanes)
    first, last = _left_out(events, most_rows)
    left_out = last - first
    builder = _Builder(places)
    for event in events[:first]:
        builder.take(event)
    if left_out:
        builder.leave_out(events[first:last])
    for event in events[last:]:
        builder.take(event)
    builder.close()
    begins_ms = events[0].t_ms if events else 0
    return Plan(
        lanes,
        tuple(builder.rows),
        tuple(builder.messages),
        tuple(sorted(builder.bars, key=lambda bar: (bar.first, bar.lane, bar.kind, bar.last))),
        begins_ms,
        folded,
        left_out,
    )


def _lanes(events: Sequence[TraceEvent], most: int) -> tuple[tuple[str, ...], dict[str, int], int]:
    activity = Counter(event.object or "runtime" for event in events)
    names = list(activity)  # in the order of first appearance
    if len(names) <= most:
        return tuple(names), {name: i for i, name in enumerate(names)}, 0
    kept = {name for name, _ in activity.most_common(most - 1)}
    lanes = [name for name in names if name in kept]
    places = {name: i for i, name in enumerate(lanes)}
    folded = [name for name in names if name not in kept]
    places.update((name, most - 1) for name in folded)
    return (*lanes, f"{len(folded)} {OTHERS}"), places, len(folded)


def _left_out(events: Sequence[TraceEvent], most: int) -> tuple[int, int]:
    """Return the first event that gets no row because there are too many, and the first after."""
    rows = [i for i, event in enumerate(events) if event.kind not in _QUIET]
    if len(rows) <= most:
        return 0, 0
    head = (most - 1) // 2
    return rows[head], rows[len(rows) - (most - 1 - head)]


class _Builder:
    """Goes through a trace once."""

    def __init__(self, places: dict[str, int]) -> None:
        self._places = places
        self.rows: list[Row] = []
        self.messages: list[Message] = []
        self.bars: list[Bar] = []
        self._began_ms: int | None = None
        self._at_ms = -1
        self._sent: dict[int, tuple[int, int]] = {}  # seq → lane, row
        self._came_from: dict[int, tuple[int, int]] = {}  # delivery → lane and row of its sender
        self._open: dict[tuple[str, BarKind], list[tuple[int, str]]] = {}  # gates, by object
        self._running: dict[int, tuple[str, int]] = {}  # delivery → object, row
        self._waiting: dict[int, tuple[str, int]] = {}
        self._handled: set[int] = set()
        self._hidden = False  # what happens now is told by one row, the last

    def take(self, event: TraceEvent) -> None:
        """Add an event."""
        kind, name = event.kind, event.object or "runtime"
        lane = self._places[name]
        if kind in ("gate closed", "output gate closed"):
            self._shut(name, kind, str(event.get("why") or ""))
            return
        if kind in ("gate opened", "output gate opened"):
            self._opened(name, kind)
            return
        if kind in _QUIET:
            if kind == "alarm over":
                self._stops(event.cause, max(len(self.rows) - 1, 0))
            return
        failed = kind in _FAILED or bool(event.get("error"))
        if self._began_ms is None:
            self._began_ms = event.t_ms
        if self._hidden:
            self._effects(event, name, lane, len(self.rows) - 1, failed=failed)
            return
        elapsed = ""
        if event.t_ms != self._at_ms:
            self._at_ms = event.t_ms
            elapsed = _elapsed(event.t_ms - self._began_ms)
        self.rows.append(Row(event.seq, lane, kind, described(event), name, elapsed, failed))
        self._effects(event, name, lane, len(self.rows) - 1, failed=failed)

    def _effects(self, event: TraceEvent, name: str, lane: int, at: int, *, failed: bool) -> None:
        kind = event.kind
        if kind == "sent":
            self._sent[event.seq] = (lane, at)
        elif kind in _DELIVERED:
            self._delivered(event, name, lane, at)
        elif kind == "waiting":
            self._running.pop(event.cause, None)
            self._waiting[event.seq if event.get("turn") else event.cause] = (name, at)
        elif kind == "admitted":
            self._admitted(event, name, at)
        elif kind == "answer":
            self._answered(event, lane, at, failed=failed)
        elif kind in _ENDS:
            self._ended(name, at)

    def leave_out(self, events: Sequence[TraceEvent]) -> None:
        """Add a row that stands for many events; what they begin and end is shown at it."""
        self.rows.append(Row(0, 0, "left out", f"… {count(len(events), 'event')} left out …", ""))
        self._hidden = True
        for event in events:
            self.take(event)
        self._hidden = False
        self._at_ms = -1
        at = len(self.rows) - 1
        self.messages = [m for m in self.messages if not m.from_row == m.to_row == at]
        self.bars = [bar for bar in self.bars if not bar.first == bar.last == at]

    def close(self) -> None:
        """End what is still open with the last row."""
        last = len(self.rows) - 1
        for (name, kind), stack in self._open.items():
            for first, why in stack:
                self._bar(name, kind, first, last, why)
        for name, first in self._running.values():
            self._bar(name, "running", first, last)
        for name, first in self._waiting.values():
            self._bar(name, "waiting", first, last)

    def _delivered(self, event: TraceEvent, name: str, lane: int, at: int) -> None:
        sender = self._sent.get(event.cause)
        if sender is not None:
            self._came_from[event.seq] = sender
            self.messages.append(Message(*sender, lane, at))
        elif event.kind in ("fetch", "rpc"):
            self.messages.append(Message(-1, at, lane, at))
        if event.kind in ("fetch", "rpc", "alarm"):
            self._running[event.seq] = (name, at)
            self._handled.add(event.seq)

    def _admitted(self, event: TraceEvent, name: str, at: int) -> None:
        waited = self._waiting.pop(event.cause, None)
        if waited is not None:
            self._bar(waited[0], "waiting", waited[1], at)
        if event.cause in self._handled:
            self._running[event.cause] = (name, at)

    def _answered(self, event: TraceEvent, lane: int, at: int, *, failed: bool) -> None:
        self._stops(event.cause, at)
        self._waiting.pop(event.cause, None)
        sender = self._came_from.get(event.cause)
        if sender is not None:
            self.messages.append(Message(lane, at, sender[0], at, answer=True, failed=failed))

    def _stops(self, delivery: int, at: int) -> None:
        running = self._running.pop(delivery, None)
        if running is not None:
            self._bar(running[0], "running", running[1], at)

    def _ended(self, name: str, at: int) -> None:
        gates: tuple[BarKind, ...] = ("input gate", "output gate")
        for gate in gates:
            for first, why in self._open.pop((name, gate), []):
                self._bar(name, gate, first, at, why)
        tables: tuple[tuple[dict[int, tuple[str, int]], BarKind], ...] = (
            (self._running, "running"),
            (self._waiting, "waiting"),
        )
        for table, kind in tables:
            for seq in [seq for seq, (owner, _) in table.items() if owner == name]:
                self._bar(name, kind, table.pop(seq)[1], at)

    def _shut(self, name: str, kind: str, why: str) -> None:
        self._open.setdefault((name, _gate(kind)), []).append((max(len(self.rows) - 1, 0), why))

    def _opened(self, name: str, kind: str) -> None:
        gate = _gate(kind)
        stack = self._open.get((name, gate))
        if stack:
            first, why = stack.pop(0)
            self._bar(name, gate, first, max(len(self.rows) - 1, first), why)

    def _bar(self, name: str, kind: BarKind, first: int, last: int, why: str = "") -> None:
        self.bars.append(Bar(self._places[name], kind, first, max(first, last), why))


def _gate(kind: str) -> BarKind:
    return "output gate" if kind.startswith("output") else "input gate"


def _elapsed(ms: int) -> str:
    """Return a time since the beginning, short enough for the margin."""
    return f"+{ms / 1000:.7g}s" if ms < 120_000 else f"+{format_duration(ms)}"


_SAID: Final = {
    "started": "instance starts",
    "waiting": "waits at the input gate",
    "admitted": "admitted",
    "waitUntil": "waitUntil begins",
    "alarm deleted": "alarm deleted",
}


def described(event: TraceEvent) -> str:
    """Return what an event says, for people, without its time and object."""
    kind, get = event.kind, event.get
    value = get("value")
    shows = "" if value is None else f" {value}"
    if kind == "sent":
        return f"calls {get('method')}"
    if kind == "rpc":
        args = str(get("args") or "()")
        return f"{get('method')}{args.replace(',)', ')')}"
    if kind == "fetch":
        return f"{get('method')} {get('url')}"
    if kind == "answer":
        if get("error"):
            return f"fails: {get('error')}"
        return f"answers {get('status')}" if get("status") is not None else f"answers{shows}"
    if kind == "storage":
        if get("op") == "setAlarm" and isinstance(at := get("keys"), int | float):
            return f"setAlarm {format_time(round(at))}"
        arrow = "" if value is None else " =" if "put" in str(get("op")) else " →"
        return f"{get('op')} {get('keys')}{arrow}{shows}".rstrip()
    if kind in ("alarm set", "alarm retry"):
        return f"{kind} for {format_time(int(get('at_ms') or 0))}"
    if kind == "error":
        return f"error in {get('where')}: {get('error')}"
    if kind == "log":
        return f"prints {get('line')}"
    if kind == "alarm":
        return f"alarm, retry {get('attempt')}" if get("attempt") else "alarm"
    if kind in _SAID:
        later = " to go on" if get("turn") else ""
        return _SAID[kind] + later
    rest = " ".join(
        str(v) if name in ("what", "error", "why", "keys", "data") else f"{name}={v}"
        for name, v in event.detail
        if v is not None and v != ""
    )
    return f"{kind} {rest}".rstrip()
