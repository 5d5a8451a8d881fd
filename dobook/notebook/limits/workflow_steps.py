"""A workflow's progress, read from what it has stored: its steps as a frame and a picture."""

import math
from collections.abc import Mapping
from typing import Any

from dobook.clock import format_duration
from dobook.errors import UnknownNameError, UsageError
from dobook.notebook.core import shapes
from dobook.notebook.core.display import count, shorten
from dobook.notebook.core.frame import TIME, Frame, make_frame

WORKFLOW_KEY = "workflow"
_WIDTH, _MOST_ROWS, _ROW = 660, 24, 22
_NAME, _BARS, _END = 24, 190, 460
_SIGNS = {
    "completed": "✓",
    "failed": "✗",
    "running": "▶",
    "undone": "↶",
    "skipped": "-",
    "pending": "○",
}


def read_workflow(values: Mapping[str, Any], label: str, key: str) -> dict[str, Any]:
    """Return a stored workflow: a dict whose "steps" is a list of dicts.

    Args:
        values: The object's rows.
        label: The object, for messages.
        key: Where the workflow is.

    Raises:
        UnknownNameError: If there is nothing under the key, but something elsewhere.
        UsageError: If what is there is no workflow.
    """
    if key not in values:
        if values:
            raise UnknownNameError("key", key, [*values])
        return {"status": "none", "steps": []}
    value = values[key]
    steps = value.get("steps") if isinstance(value, dict) else None
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise UsageError(
            f"{key!r} of {label} is not a workflow: {value!r:.60}. A workflow is stored as a dict "
            'with "status" and "steps", a list of dicts with name and status.'
        )
    return dict(value)


def workflow_frame(workflow: Mapping[str, Any], label: str, now_ms: int) -> Frame:
    """Return a workflow's steps, one row each, in order.

    Index: range. Columns: name, status (string), attempts (Int64, missing where the class does not
    count them), started, ended (datetime64[ms, UTC], missing where unknown; a step without a
    recorded start is taken to begin when the one before it ended), took_ms (float64, until now while
    it runs), outcome (string, the error or the result, shortened). No steps: same columns, no rows.
    `.attrs`: object, time, status, completed, steps.

    Args:
        workflow: The stored value.
        label: The object.
        now_ms: Now, in ms since 1970.
    """
    rows = []
    before = workflow.get("createdAt")
    for step in workflow["steps"]:
        status = str(step.get("status", "pending"))
        ended = step.get("completedAt")
        started = step.get("startedAt", before if ended is not None else None)
        last = ended if ended is not None else now_ms if status == "running" else None
        took = math.nan if started is None or last is None else float(last - started)
        outcome = step.get("error", step.get("result"))
        rows.append(
            (
                str(step.get("name", "")),
                status,
                step.get("attempts"),
                started,
                ended,
                took,
                "" if outcome is None else shorten(str(outcome)),
            )
        )
        before = ended
    columns = {
        "name": "string",
        "status": "string",
        "attempts": "Int64",
        "started": TIME,
        "ended": TIME,
        "took_ms": "float64",
        "outcome": "string",
    }
    done = sum(row[1] == "completed" for row in rows)
    status = str(workflow.get("status", "unknown"))
    caption = f"{label}: {status}, {done} of {count(len(rows), 'step')} completed"
    if status == "none":
        caption = f"{label} has no workflow yet"
    frame = make_frame(
        columns, rows, caption, now_ms, object=label, status=status, completed=done, steps=len(rows)
    )
    return frame.picture(_picture(rows, caption)) if rows else frame


def _picture(rows: list[tuple[Any, ...]], caption: str) -> str:
    """Draw a line for each step: its sign, its name, and a bar from its start to its end."""
    shown = rows[:_MOST_ROWS]
    starts = [row[3] for row in rows if row[3] is not None]
    begin = min(starts, default=0)
    end = max((row[3] + row[5] for row in rows if not math.isnan(row[5])), default=begin)
    scale = (_END - _BARS) / max(end - begin, 1)
    parts = [shapes.line(_BARS, 4, _BARS, 6 + _ROW * len(shown))]
    for i, (name, status, attempts, started, _, took, _) in enumerate(shown):
        y = 6 + _ROW * i
        sign = _SIGNS.get(status, "•")
        parts.append(shapes.text(6, y + 14, sign, colour=shapes.FONT, size=13))
        parts.append(shapes.text(_NAME, y + 14, shorten(name, 24), colour=shapes.FONT))
        words = status
        if started is not None and not math.isnan(took):
            x = _BARS + (started - begin) * scale
            edge = shapes.ERROR if status == "failed" else shapes.ACCENT
            hollow = status in ("running", "undone")
            width = max(took * scale, 3)
            parts.append(shapes.rect(x, y + 5, width, 10, "none" if hollow else edge, edge))
            words = f"{status}, {format_duration(took)}"
        if attempts is not None and attempts > 1:
            words += f", {attempts} attempts"
        parts.append(shapes.text(_END + 8, y + 14, words))
    height = 12 + _ROW * len(shown)
    if len(rows) > _MOST_ROWS:
        parts.append(shapes.text(_NAME, height + 8, f"… and {len(rows) - _MOST_ROWS} more steps"))
        height += 14
    return shapes.picture(_WIDTH, height, caption, parts)
