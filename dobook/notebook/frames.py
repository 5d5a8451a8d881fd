"""Snapshots and records as DataFrames: dtypes stated, the same columns also without rows.

Times are `datetime64[ms, UTC]` on the runtime's clock, durations float64 in the unit that the
column's name ends with. `.attrs` says which object a frame is of and at what time it was taken.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, ClassVar, Final

import numpy as np
import pandas as pd

from dobook.clock import format_duration, format_time
from dobook.codec import serialize
from dobook.notebook.display import (
    MUTED,
    NUMBER_COLUMN,
    TEXT_COLUMN,
    TIME_COLUMN,
    count,
    shorten,
    table_html,
    tag,
)
from dobook.notebook.latency_svg import latency_picture
from dobook.notebook.log import Asked
from dobook.notebook.volley import PERCENTILES, percentile
from dobook.runtime.alarms import AlarmRun
from dobook.runtime.snapshots import AlarmSnapshot, ObjectSnapshot
from dobook.storage.store import ObjectStore

TIME = "datetime64[ms, UTC]"
ID_DIGITS = 12
_STYLES = {"Int64": NUMBER_COLUMN, "float64": NUMBER_COLUMN, TIME: TIME_COLUMN}
_MOST_WIDE = 70  # characters of a cell
_TEXT: Final = ("display.width", 160, "display.max_columns", 20, "display.show_dimensions", False)


class Frame(pd.DataFrame):
    """A DataFrame that says in a line above what it shows; everything made from it is plain."""

    # pandas' hook for attributes that are no columns.
    _internal_names = [*getattr(pd.DataFrame, "_internal_names", ()), "_picture"]  # noqa: RUF012
    _internal_names_set = set(_internal_names)  # noqa: RUF012
    _picture = ""
    most_rows: ClassVar[int] = 20  # of a table on the screen; the frame has them all

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def picture(self, svg: str) -> "Frame":
        """Show a picture above the table; returns the frame."""
        self._picture = svg
        return self

    @property
    def svg(self) -> str:
        """The picture; empty without one."""
        return self._picture

    @property
    def table(self) -> str:
        """The table as HTML, all text escaped; empty without rows."""
        return "" if self.empty else self._table()

    def __repr__(self) -> str:
        caption = str(self.attrs.get("caption", ""))
        if self.empty:
            return caption
        # The same width everywhere: committed outputs must not depend on a terminal.
        with pd.option_context(
            *_TEXT, "display.max_rows", self.most_rows, "display.min_rows", self.most_rows
        ):
            return f"{caption}\n{self._readable()!r}"

    def _repr_html_(self) -> str:
        caption = tag("div", escape(self.attrs.get("caption", "")), f"color: {MUTED}")
        return caption + self._picture + self.table

    def _table(self) -> str:
        shown = self._readable()
        rows = [
            [str(index), *(shorten(str(value), _MOST_WIDE) for value in row)]
            for index, *row in shown.itertuples(name=None)
        ]
        if len(self) > self.most_rows:
            rows[len(rows) // 2 - 1 : len(rows) // 2 + 1] = [["…"] * (len(shown.columns) + 1)]
        dtypes = [self.dtypes[name] for name in shown.columns]
        styles = [_STYLES.get(str(dtype), TEXT_COLUMN) for dtype in dtypes]
        return table_html(["", *map(str, shown.columns)], rows, [NUMBER_COLUMN, *styles])

    def _readable(self) -> pd.DataFrame:
        """Return the frame with times as people read them, and nothing where nothing is."""
        shown = pd.DataFrame(self).drop(columns=list(self.attrs.get("hidden", ())))
        if len(shown) > self.most_rows:
            half = self.most_rows // 2 + 1  # one too many each: pandas marks what it leaves out
            shown = pd.concat([shown.head(half), shown.tail(half)])
        for name, dtype in shown.dtypes.items():
            if str(dtype) == TIME:
                texts = [
                    "" if pd.isna(t) else format_time(round(t.timestamp() * 1000))
                    for t in shown[name]
                ]
                shown[name] = pd.Series(texts, index=shown.index, dtype=object)
            elif str(dtype) in ("string", "Int64") or shown[name].hasnans:
                texts = ["" if pd.api.types.is_scalar(v) and pd.isna(v) else v for v in shown[name]]
                shown[name] = pd.Series(texts, index=shown.index, dtype=object)
        return shown


def make_frame(
    columns: Mapping[str, str],
    rows: Iterable[Sequence[Any]],
    caption: str,
    now_ms: int,
    **attrs: Any,
) -> Frame:
    """Return a frame of documented columns.

    Args:
        columns: Their names and dtypes.
        rows: The rows, each as long as there are columns.
        caption: What the frame says above itself.
        now_ms: When it was taken, in ms since 1970.
        attrs: What else `.attrs` has; `hidden` names columns that are not shown.
    """
    listed = list(rows)
    data = {
        name: _column([row[i] for row in listed], dtype)
        for i, (name, dtype) in enumerate(columns.items())
    }
    frame = Frame(data)
    frame.attrs.update(caption=caption, time=format_time(now_ms), **attrs)
    return frame


def _column(values: list[Any], dtype: str) -> "pd.Series[Any]":
    if dtype == TIME:
        return pd.Series(np.array(values, dtype="datetime64[ms]")).dt.tz_localize("UTC")
    if dtype == "object":
        series = pd.Series([None] * len(values), dtype=object)
        for i, value in enumerate(values):
            series.iat[i] = value  # lists and dicts are values here, not rows
        return series
    return pd.Series(values, dtype=dtype)


def storage_frame(store: ObjectStore | None, label: str, prefix: str, now_ms: int) -> Frame:
    """Stored rows of an object, one each, ordered by key.

    Index: range. Columns: key (string), value (object, the value as Python has it), type (string,
    its Python type), bytes (Int64, the size of the stored value). No rows: same columns, empty.
    `.attrs`: object, time.
    """
    found = {} if store is None else {k: v for k, v in _values(store) if k.startswith(prefix)}
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


def _values(store: ObjectStore) -> Iterable[tuple[str, Any]]:
    return store.kv.scan().items()


def type_name(value: Any) -> str:
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
    """Objects the runtime knows, one row each, by binding and in the order of first use.

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
    """Scheduled alarms, one row each, soonest first.

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
    """Alarm handlers that ran while time passed, one row each, in the order they ran.

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


def requests_frame(
    asked: Sequence[Asked], now_ms: int, none: str = "nothing has been asked yet"
) -> Frame:
    """Requests and calls since the runtime began, one row each, oldest first.

    Index: range. Columns: at (datetime64[ms, UTC]), object (string, "worker" for the Worker),
    method (string, the HTTP method or rpc), path (string; for rpc the call), status (Int64,
    missing for rpc), took_ms (float64, virtual; missing while under way), error (string, empty if
    none). Nothing asked: same columns, no rows. `.attrs`: time.

    Args:
        asked: What was asked.
        now_ms: Now, in ms since 1970.
        none: What to say when that is nothing.
    """
    rows = [
        (
            a.at_ms,
            a.object,
            a.method,
            shorten(a.path),
            a.status,
            math.nan if a.answered_ms is None else float(a.answered_ms - a.at_ms),
            a.error,
        )
        for a in asked
    ]
    columns = {
        "at": TIME,
        "object": "string",
        "method": "string",
        "path": "string",
        "status": "Int64",
        "took_ms": "float64",
        "error": "string",
    }
    caption = count(len(rows), "request") if rows else none
    return make_frame(columns, rows, caption, now_ms)


def answers_frame(answers: Sequence[Mapping[str, Any]], label: str, now_ms: int) -> Frame:
    """Answers to a repeated request, one row each, in the order they were due.

    Index: range. Columns: sent (datetime64[ms, UTC], when it was due), status (Int64, missing if it
    failed), retry_after (string, the header of that name, missing without one), body (string, its
    first 80 characters), took_ms (float64, virtual, from when it was due), error (string, empty if
    none). Nothing sent: same columns, no rows. `.attrs`: object, time, per_s (answers in a virtual
    second, None if no time passed), p50_ms, p90_ms, p95_ms, p99_ms, max_ms (latency; None without
    rows). The picture shows each answer.
    """
    columns = {
        "sent": TIME,
        "status": "Int64",
        "retry_after": "string",
        "body": "string",
        "took_ms": "float64",
        "error": "string",
    }
    rows = [tuple(a[name] for name in columns) for a in answers]
    good = sum(a["status"] is not None and a["status"] < 400 for a in answers)
    caption = f"{label}: {good} of {count(len(rows), 'request')} answered with a status below 400"
    times = [float(a["took_ms"]) for a in answers]
    span_ms = max((a["sent"] + a["took_ms"] for a in answers), default=0.0)
    span_ms -= min((a["sent"] for a in answers), default=0.0)
    attrs: dict[str, Any] = {
        f"p{p}_ms": percentile(times, p) if rows else None for p in PERCENTILES
    }
    attrs |= {
        "max_ms": max(times, default=None),
        "per_s": len(rows) / span_ms * 1000 if span_ms else None,
    }
    if span_ms:
        middle, slow = (format_duration(percentile(times, p)) for p in (50, 95))
        caption += f"; half took {middle} at most, 95 % {slow}; {attrs['per_s']:.3g} a second"
    frame = make_frame(columns, rows, caption, now_ms, object=label, **attrs)
    return frame.picture(latency_picture(answers)) if span_ms else frame


def sql_frame(columns: Sequence[str], rows: Sequence[Sequence[Any]], label: str, ms: int) -> Frame:
    """Rows of a query, one each, in the order SQLite gave them.

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
