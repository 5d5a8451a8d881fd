"""The trace, the planned faults and the costs as DataFrames."""

from collections.abc import Sequence

from dobook.clock import format_time
from dobook.events import AnyEvent
from dobook.notebook.core.display import count
from dobook.notebook.core.frame import TIME, Frame, make_frame
from dobook.notebook.timeline.plan import described
from dobook.runtime.debug.faults import PlannedFault
from dobook.runtime.debug.meter import Cost


def trace_frame(events: Sequence[AnyEvent], now_ms: int, *, on: bool, forgotten: int = 0) -> Frame:
    """Return what has been recorded, one row an event, oldest first.

    Index: range. Columns: seq (Int64, the event's number), time (datetime64[ms, UTC], virtual),
    object (string, `BINDING/name`, the Worker or a caller), kind (string; `dobook.runtime.debug.trace`
    lists them), what (string, for people), cause (Int64, the number of the event that led to it,
    missing without one), detail (object, a dict of everything else there is to say; in the frame
    but not on the screen). Nothing recorded: same columns, no rows. `.attrs`: time, forgotten
    (events that made room for newer ones).

    Args:
        events: The events.
        now_ms: Now, in ms since 1970.
        on: Whether events are being recorded.
        forgotten: How many events there had been before the first that is kept.
    """
    rows = [
        (e.seq, e.t_ms, e.object, e.kind, described(e), e.cause or None, dict(e.detail))
        for e in events
    ]
    columns = {
        "seq": "Int64",
        "time": TIME,
        "object": "string",
        "kind": "string",
        "what": "string",
        "cause": "Int64",
        "detail": "object",
    }
    if not rows:
        caption = "recording; nothing has happened yet" if on else "%trace on begins to record"
    else:
        caption = f"{count(len(rows), 'event')} since {format_time(events[0].t_ms)}"
        caption += f", {count(forgotten, 'older one')} forgotten" if forgotten else ""
        caption += "" if on else "; not recording any more"
    return make_frame(columns, rows, caption, now_ms, forgotten=forgotten, hidden=("detail",))


def faults_frame(planned: Sequence[PlannedFault], now_ms: int) -> Frame:
    """Return the faults in force or planned, one row each.

    Index: range. Columns: object (string, an object or a binding), fault (string: slow, crash,
    failed write, lost reply, network error), detail (string: how slow, where, how often). Nothing
    planned: same columns, no rows. `.attrs`: time.
    """
    rows = [(p.object, p.kind, p.detail) for p in planned]
    columns = {"object": "string", "fault": "string", "detail": "string"}
    caption = f"{count(len(rows), 'fault')} planned" if rows else "no faults are planned"
    return make_frame(columns, rows, caption, now_ms)


def costs_frame(costs: Sequence[Cost], now_ms: int) -> Frame:
    """Return what objects have used as the platform bills it, one row each.

    Index: range. Columns: object (string), requests (float64; a WebSocket message is a twentieth),
    gb_s (float64, memory times virtual time while active or unable to hibernate), reads and writes
    (Int64, rows; request units of 4 KB for classes declared with new_classes), stored_bytes
    (Int64), usd (float64, US dollars for the columns before it but storage, nothing included),
    storage_usd_month (float64, US dollars for keeping it a month). No objects: same columns, no
    rows. `.attrs`: time, usd (the sum).
    """
    rows = [
        (
            c.object,
            c.requests,
            c.gb_s,
            c.reads,
            c.writes,
            c.stored_bytes,
            c.usd,
            c.storage_usd_month,
        )
        for c in costs
    ]
    columns = {
        "object": "string",
        "requests": "float64",
        "gb_s": "float64",
        "reads": "Int64",
        "writes": "Int64",
        "stored_bytes": "Int64",
        "usd": "float64",
        "storage_usd_month": "float64",
    }
    usd = sum(c.usd for c in costs)
    caption = f"{count(len(rows), 'object')}, ${usd:.2g} so far at the published prices"
    return make_frame(columns, rows, caption, now_ms, usd=usd)
