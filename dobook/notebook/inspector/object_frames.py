"""Objects, what they store and what their alarms did, as DataFrames."""

from collections.abc import Sequence
from typing import Any

from dobook.clock import format_duration, format_time
from dobook.codec import serialize
from dobook.notebook.core.display import count
from dobook.notebook.core.frame import ID_DIGITS, TIME, Frame, make_frame
from dobook.runtime.debug.snapshots import AlarmSnapshot, ObjectSnapshot
from dobook.runtime.objects.alarm import AlarmRun
from dobook.storage.store import ObjectStore


def storage_frame(store: ObjectStore | None, label: str, prefix: str, now_ms: int) -> Frame:
    """Return the stored rows of an object, one each, ordered by key.

    Index: range. Columns: key (string), value (object, the value as Python has it), type (string,
    its Python type), bytes (Int64, the size of the stored value). No rows: same columns, empty.
    `.attrs`: object, time.
    """
    stored = {} if store is None else store.kv.scan(prefix)
    found = {key: value for key, value in stored.items() if key.startswith(prefix)}
    rows = [(key, value, type_name(value), len(serialize(value))) for key, value in found.items()]
    beginning = f" beginning {prefix!r}" if prefix else ""
    if store is None:
        caption = f"{label} has never been used: no keys"
    else:
        caption = f"{label}: {count(len(rows), 'key')}{beginning}"
        if store.kv.alarm_ms is not None:
            caption += f", alarm at {format_time(store.kv.alarm_ms)}"
    columns = {"key": "string", "value": "object", "type": "string", "bytes": "Int64"}
    return make_frame(columns, rows, caption, now_ms, object=label)


def type_name(value: object) -> str:
    """Return a stored value's type as Python users call it.

    Example:
        >>> type_name(None), type_name([1]), type_name(True)
        ('None', 'list', 'bool')
    """
    if value is None:
        return "None"
    for plain in (dict, list, bytes):  # what is read back is of their subclasses
        if isinstance(value, plain):
            return plain.__name__
    return type(value).__name__


def objects_frame(objects: Sequence[ObjectSnapshot], now_ms: int) -> Frame:
    """Return the objects the runtime knows, one row each, by binding and order of first use.

    Index: range. Columns: object (string, `BINDING/name`; the whole id where there is no name),
    class (string), state (string: running, idle or evicted), keys (Int64), alarm (datetime64[ms,
    UTC], missing without one), requests (Int64, events delivered), id (string, its first 12
    digits). No objects: same columns, no rows. `.attrs`: time.
    """
    rows = [
        (
            f"{o.binding}/{o.name if o.name is not None else o.id}",
            o.class_name,
            o.state,
            o.keys,
            o.alarm_ms,
            o.requests,
            o.id[:ID_DIGITS] + "…",
        )
        for o in objects
    ]
    columns = {
        "object": "string",
        "class": "string",
        "state": "string",
        "keys": "Int64",
        "alarm": TIME,
        "requests": "Int64",
        "id": "string",
    }
    living = sum(o.state != "evicted" for o in objects)
    caption = f"{count(len(rows), 'object')}, {living} in memory" if rows else "no objects yet"
    return make_frame(columns, rows, caption, now_ms)


def alarms_frame(alarms: Sequence[AlarmSnapshot], now_ms: int) -> Frame:
    """Return the scheduled alarms, one row each, soonest first.

    Index: range. Columns: object (string), due (datetime64[ms, UTC], the time that was set), runs
    (datetime64[ms, UTC], the next run; later than due while it is retried), in_s (float64, seconds
    from now to that run), attempt (Int64, 0 before the first run). No alarms: same columns, no
    rows. `.attrs`: time.
    """
    rows = [(a.object, a.due_ms, a.runs_ms, (a.runs_ms - now_ms) / 1000, a.attempt) for a in alarms]
    columns = {
        "object": "string",
        "due": TIME,
        "runs": TIME,
        "in_s": "float64",
        "attempt": "Int64",
    }
    caption = "no alarms are set"
    if alarms:
        soon = format_duration(alarms[0].runs_ms - now_ms)
        caption = f"{count(len(alarms), 'alarm')}, the next in {soon}"
    return make_frame(columns, rows, caption, now_ms)


def runs_frame(runs: Sequence[AlarmRun], from_ms: int, to_ms: int, note: str = "") -> Frame:
    """Return the alarm handlers that ran while time passed, one row each, in that order.

    Index: range. Columns: object (string), ran (datetime64[ms, UTC]), scheduled (datetime64[ms,
    UTC], the time that was set), attempt (Int64, 0 for the first run), outcome (string: ok, error,
    gave up, cancelled), error (string, empty if none), retry_at (datetime64[ms, UTC], missing if
    it is not tried again). Nothing ran: same columns, no rows. `.attrs`: from, time (the end).

    Args:
        runs: What ran.
        from_ms: Where the clock stood before, in ms since 1970.
        to_ms: Where it stands now.
        note: What else there is to say, for the caption.
    """
    rows = [
        (r.object, r.ran_ms, r.scheduled_ms, r.attempt, r.outcome, r.error, r.retry_ms)
        for r in runs
    ]
    columns = {
        "object": "string",
        "ran": TIME,
        "scheduled": TIME,
        "attempt": "Int64",
        "outcome": "string",
        "error": "string",
        "retry_at": TIME,
    }
    ran = f"{count(len(rows), 'alarm')} ran" if rows else "no alarm ran"
    caption = f"{format_time(from_ms)} → {format_time(to_ms)} ({format_duration(to_ms - from_ms)})"
    attrs = {"from": format_time(from_ms)}
    return make_frame(columns, rows, f"{caption}: {ran}{note}", to_ms, **attrs)


def sql_frame(columns: Sequence[str], rows: Sequence[Sequence[Any]], label: str, ms: int) -> Frame:
    """Return the rows of a query, one each, in the order SQLite gave them.

    Index: range. Columns: the query's own (object, the values as SQLite has them; repeated names
    get a number). No rows: same columns, no rows. `.attrs`: object, time.
    """
    seen: dict[str, int] = {}
    names = []
    for name in columns:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    caption = f"{label}: {count(len(rows), 'row')}"
    return make_frame(dict.fromkeys(names, "object"), rows, caption, ms, object=label)
