"""What was asked and answered, as DataFrames."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dobook.clock import format_duration
from dobook.notebook.core.display import count, shorten
from dobook.notebook.core.frame import TIME, Frame, make_frame
from dobook.notebook.core.log import Asked
from dobook.notebook.requests.latency_picture import latency_picture
from dobook.notebook.requests.load import PERCENTILES, percentile


def requests_frame(
    asked: Sequence[Asked], now_ms: int, none: str = "nothing has been asked yet"
) -> Frame:
    """Return the requests and calls since the runtime began, one row each, oldest first.

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
    """Return the answers to a repeated request, one row each, in the order they were due.

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
