"""Races in a notebook: a cell as a scenario, and what exploring it came to as HTML and DataFrames."""

import ast
from html import escape
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from dobook.explorer.explanation import Sentence
from dobook.explorer.report import Report
from dobook.notebook.core.definitions import cell_number
from dobook.notebook.core.display import (
    ERROR,
    GOOD,
    MONO,
    MUTED,
    TINT,
    box,
    heading,
    rows_html,
    tag,
)
from dobook.notebook.core.frame import Frame
from dobook.notebook.timeline.diagram import timeline_svg
from dobook.notebook.timeline.trace_frames import trace_frame

_MOST_ROWS = 60


def scenario_of(shell: InteractiveShell, magic_line: str, cell: str, name: str) -> Any:
    """Return an async function of `env` and `runtime` whose body is a cell.

    The notebook's variables are its globals; what it assigns is its own.

    Args:
        shell: The notebook's shell.
        magic_line: The cell's first line, which keeps line numbers right.
        cell: The rest of it.
        name: What to call it.

    Raises:
        SyntaxError: If the cell is not Python.
    """
    code = shell.transform_cell(f"#{magic_line}\n{cell}")
    file = shell.compile.cache(code, cell_number(shell), f"{magic_line}\n{cell}")
    tree = ast.parse(f"async def {name}(env, runtime): pass", file)
    body = ast.parse(code, file).body
    if body:
        tree.body[0].body = body  # type: ignore[attr-defined]
    found: dict[str, Any] = {}
    exec(compile(tree, file, "exec"), shell.user_ns, found)
    scenario = found[name]
    scenario.__module__ = "__main__"
    scenario.__dobook_source__ = code
    return scenario


def report_html(report: Report) -> str:
    """Return what exploring came to as HTML: the verdict, the diagram, the words, the line."""
    rows = tuple(row for row in report.rows if row[0] not in ("what happened", "replay"))
    parts = [heading(report.scenario, report.verdict), rows_html(rows) if rows else ""]
    if report.trace:
        told = report.story
        parts.append(tag("div", "".join(map(_sentence_html, told)), "margin: 8px 0 4px 0"))
        title = f"the smallest failing run of {report.scenario}"
        svg = timeline_svg(report.trace, marked=report.guilty, most_rows=_MOST_ROWS, title=title)
        summary = tag("summary", "space-time diagram", f"cursor: pointer; color: {MUTED}")
        parts.append(f"<details open>{summary}{svg}</details>")
    if report.line:
        line = escape(f"dobook.replay({report.line!r})")
        style = f"font-family: {MONO}; font-size: 0.9em; overflow-wrap: anywhere"
        parts.append(tag("div", f'<span style="color: {MUTED}">replay</span> {line}', style))
    return box(*parts, colour=GOOD if report.ok else ERROR)


def _sentence_html(sentence: Sentence) -> str:
    text = escape(str(sentence))
    style = f"font-family: {MONO}; font-size: 0.9em; white-space: pre-wrap; padding: 0 4px"
    if sentence.guilty:
        return tag("div", tag("b", text), f"{style}; background: {TINT}")
    return tag("div", text, style)


def report_frame(report: Report) -> Frame:
    """Return the events of a report's smallest failing run, one row each, as `%trace` does.

    Index: range. Columns: those of `trace_frame`. No failure: same columns, no rows. `.attrs`: time
    (of the last event), forgotten.
    """
    now_ms = report.trace[-1].t_ms if report.trace else 0
    return trace_frame(report.trace, now_ms, on=False)
