"""The space-time diagram of a trace as an SVG of the same bytes everywhere.

Time runs downwards, a row for each event, with its words on the right; lanes stand side by side,
messages are arrows between them. Where an object's input gate was shut a filled bar stands to the
left of its lane, where its output gate was shut a hollow one to the right; a dotted line is an
event that waits, a thin box a handler under way. `plan` says what is drawn where.

    svg = timeline_svg(runtime.trace())                      # follows the notebook's theme
    svg = timeline_svg(events, theme="dark")                 # a file of its own
    svg = timeline_svg(events, marked={12, 17})              # events that led to a failure

Each row is a `<g data-seq="12">` and each lane a `<g data-lane="COUNTER/a">`, for widgets to find.
`Diagram` wraps the same for a cell's result.
"""

import math
from collections.abc import Callable, Collection, Sequence
from html import escape
from typing import Any, Final, Literal

from dobook.clock import format_time
from dobook.events import AnyEvent
from dobook.notebook.core.display import (
    ACCENT,
    DURABLE,
    ERROR,
    FONT,
    LINE,
    MUTED,
    TINT,
    WARNING,
    shorten,
)
from dobook.notebook.timeline.plan import MOST_LANES, MOST_ROWS, Bar, Message, Plan, Row, plan

Theme = Literal["notebook", "light", "dark"]

ROW_HEIGHT: Final = 18
_TIME = 84  # width of the column of times
_WIDE, _NARROW = 112, 9  # a lane
_ALL_LANES = 760  # what all lanes may take together, if they stay wider than the narrowest
_WORDS, _MOST_WORDS = 430, 72  # the column of words, and their characters
_CHARACTER = 6.2

_COLOURS: Final[dict[str, dict[str, str]]] = {
    "notebook": {
        "text": FONT,
        "muted": MUTED,
        "line": LINE,
        "run": ACCENT,
        "input": WARNING,
        "output": DURABLE,
        "error": ERROR,
        "mark": TINT,
        "paper": "none",
    },
    "light": {
        "text": "#1f2328",
        "muted": "#656d76",
        "line": "#c4cad1",
        "run": "#1565c0",
        "input": "#b35900",
        "output": "#00796b",
        "error": "#c62828",
        "mark": "#ffe9a8",
        "paper": "#ffffff",
    },
    "dark": {
        "text": "#e6edf3",
        "muted": "#9198a1",
        "line": "#444c56",
        "run": "#79b8ff",
        "input": "#f0a94b",
        "output": "#56d4c8",
        "error": "#ff8a80",
        "mark": "#5a4a12",
        "paper": "#111418",
    },
}


def timeline_svg(
    events: Sequence[AnyEvent],
    *,
    theme: Theme = "notebook",
    marked: Collection[int] = (),
    most_lanes: int = MOST_LANES,
    most_rows: int = MOST_ROWS,
    title: str = "",
) -> str:
    """Return a trace's space-time diagram.

    Args:
        events: A trace or a part of one, oldest first.
        theme: "notebook" takes the front end's own colours; "light" and "dark" stand alone.
        marked: Numbers (`seq`) of events to stress.
        most_lanes: With more objects and callers than this, the least active share a lane.
        most_rows: With more events than this, those in the middle are left out.
        title: What the picture is called for those who cannot see it.

    Returns:
        The `<svg>` element. The same events give the same text in every process.

    Example:
        >>> timeline_svg([]).startswith("<svg ")
        True
    """
    return draw(plan(events, most_lanes=most_lanes, most_rows=most_rows), theme, marked, title)


def draw(
    shown: Plan, theme: Theme = "notebook", marked: Collection[int] = (), title: str = ""
) -> str:
    """Return the picture of a plan; see `timeline_svg`."""
    return _Drawing(shown, _COLOURS[theme], frozenset(marked)).svg(title)


class Diagram:
    """A trace's diagram as a cell's result: a picture, and the events as text.

    Args:
        events: The trace.
        again: Returns the trace as it is later on, for a view that follows.
        options: Those of `timeline_svg`.
    """

    def __init__(
        self,
        events: Sequence[AnyEvent],
        again: Callable[[], Sequence[AnyEvent]] = tuple,
        **options: Any,
    ) -> None:
        self.events = tuple(events)
        self.again = again
        self._options = options

    @property
    def svg(self) -> str:
        """The picture in the front end's colours."""
        return timeline_svg(self.events, **self._options)

    def standalone(self, theme: Theme = "light") -> str:
        """Return the picture as the text of an SVG file."""
        return timeline_svg(self.events, **{**self._options, "theme": theme})

    def of(self, events: Sequence[AnyEvent]) -> "Diagram":
        """Return a diagram of other events, drawn as this one."""
        return Diagram(events, **self._options)

    def _repr_html_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        options = {k: v for k, v in self._options.items() if k in ("most_lanes", "most_rows")}
        shown = plan(self.events, **options)
        if not shown.rows:
            return "nothing has been recorded"
        wide = min(max(len(row.object) for row in shown.rows), 28)
        lines = [
            f"{row.elapsed:>10}  {shorten(row.object, wide):<{wide}}  {row.text}".rstrip()
            for row in shown.rows
        ]
        return "\n".join(lines)


class _Drawing:
    def __init__(self, shown: Plan, colours: dict[str, str], marked: frozenset[int]) -> None:
        self._plan = shown
        self._colours = colours
        self._marked = marked
        lanes = max(len(shown.lanes), 1)
        self._lane = max(min(_WIDE, _ALL_LANES // lanes), _NARROW)
        self._upright = self._lane >= 60  # names fit over their lanes
        longest = max((len(name) for name in shown.lanes), default=0)
        self._top = 30 if self._upright else 24 + min(round(longest * 4.6), 130)
        self._words = _TIME + lanes * self._lane + 14
        rows = max(len(shown.rows), 1)
        self._bottom = self._top + rows * ROW_HEIGHT + 6

    def _x(self, lane: int) -> int:
        return _TIME + lane * self._lane + self._lane // 2

    def _y(self, row: int) -> int:
        return self._top + row * ROW_HEIGHT + ROW_HEIGHT // 2

    def svg(self, title: str) -> str:
        width, height = self._words + _WORDS, self._bottom + 26
        label = title or f"Space-time diagram: {self._plan.summary}"
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" '
            f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'font-family="var(--jp-ui-font-family, system-ui, sans-serif)" font-size="11" '
            'style="max-width: 100%; height: auto; display: block">'
        ]
        if self._colours["paper"] != "none":
            parts.append(
                f'<rect width="{width}" height="{height}" fill="{self._colours["paper"]}"/>'
            )
        parts += [self._mark(i) for i, row in enumerate(self._plan.rows) if row.seq in self._marked]
        if self._plan.rows:
            begins = f"from {format_time(self._plan.begins_ms)} UTC"
            parts.append(self._text(self._words, self._top - 10, begins, "muted"))
        parts += [self._lane_svg(i, name) for i, name in enumerate(self._plan.lanes)]
        parts += [self._bar(bar) for bar in self._plan.bars]
        parts += [self._message(message) for message in self._plan.messages]
        parts += [self._row(i, row) for i, row in enumerate(self._plan.rows)]
        if not self._plan.rows:
            parts.append(self._text(_TIME, self._y(0), "nothing has been recorded", "muted"))
        parts.append(self._legend(self._bottom + 14))
        return "\n".join(parts) + "\n</svg>"

    # ------------------------------------------------------------------ parts

    def _mark(self, row: int) -> str:
        """Stress a row: a bar at its beginning, a tint behind its words alone."""
        top, left, tall = self._y(row) - ROW_HEIGHT // 2, self._words - 6, f'height="{ROW_HEIGHT}"'
        tint, bar = self._colours["mark"], self._colours["input"]
        return (
            f'<rect x="{left + 3}" y="{top}" width="{_WORDS + 3}" {tall} fill="{tint}"/>'
            f'<rect x="0" y="{top}" width="3" {tall} fill="{bar}"/>'
            f'<rect x="{left}" y="{top}" width="3" {tall} fill="{bar}"/>'
        )

    def _lane_svg(self, lane: int, name: str) -> str:
        x = self._x(lane)
        line = self._line(x, self._top, x, self._bottom, "line")
        if self._upright:
            fits = int(self._lane / _CHARACTER)
            word = self._text(x, self._top - 10, shorten(name, fits), "text", anchor="middle")
        else:
            y = self._top - 6
            word = (
                f'<text x="{x}" y="{y}" transform="rotate(-60 {x} {y})" '
                f'fill="{self._colours["text"]}" font-size="10">{escape(shorten(name, 28))}</text>'
            )
        return f'<g data-lane="{escape(name)}"><title>{escape(name)}</title>{line}{word}</g>'

    def _bar(self, bar: Bar) -> str:
        x, top, bottom = self._x(bar.lane), self._y(bar.first), self._y(bar.last)
        slim = self._lane < 40
        colours = self._colours
        if bar.kind == "waiting":
            left = x - (3 if slim else 5)
            return self._line(left, top, left, bottom, "input", dash="2 3", width=2)
        if bar.kind == "running":
            wide = 4 if slim else 8
            return (
                f'<rect x="{x - wide // 2}" y="{top}" width="{wide}" '
                f'height="{max(bottom - top, 4)}" rx="2" fill="{colours["run"]}" '
                f'fill-opacity="0.22" stroke="{colours["run"]}" stroke-width="0.8"/>'
            )
        why = f"{bar.kind} shut" + (f" ({bar.why})" if bar.why else "")
        height = max(bottom - top, 5)
        if bar.kind == "input gate":
            left, wide = (x - 4, 2) if slim else (x - 13, 6)
            style = f'fill="{colours["input"]}"'
        else:
            left, wide = (x + 2, 2) if slim else (x + 7, 6)
            style = f'fill="none" stroke="{colours["output"]}" stroke-width="1.5"'
        return (
            f'<rect x="{left}" y="{top}" width="{wide}" height="{height}" {style}>'
            f"<title>{escape(why)}</title></rect>"
        )

    def _message(self, message: Message) -> str:
        to_x, to_y = self._x(message.to_lane), self._y(message.to_row)
        ink = "error" if message.failed else "muted" if message.answer else "run"
        dash = "4 3" if message.answer else ""
        if message.from_lane < 0:  # sent before the first event that is shown
            from_x, from_y = to_x - min(self._lane // 2, 24), to_y
        else:
            from_x, from_y = self._x(message.from_lane), self._y(message.from_row)
        if from_x == to_x:  # to itself
            out = to_x + min(self._lane // 2 - 2, 26)
            path = f"M{from_x} {from_y} C{out} {from_y} {out} {to_y} {to_x} {to_y}"
            colour = self._colours[ink]
            arc = f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.2"'
            arc += f' stroke-dasharray="{dash}"/>' if dash else "/>"
            return arc + self._head(out, to_y, to_x, to_y, ink)
        line = self._line(from_x, from_y, to_x, to_y, ink, dash=dash, width=1.2)
        return line + self._head(from_x, from_y, to_x, to_y, ink)

    def _head(self, from_x: int, from_y: int, to_x: int, to_y: int, ink: str) -> str:
        length = math.hypot(to_x - from_x, to_y - from_y)
        if not length:
            return ""
        dx, dy = (to_x - from_x) / length, (to_y - from_y) / length
        size = min(7.0, self._lane / 2)
        back_x, back_y, side = to_x - dx * size, to_y - dy * size, size * 0.45
        points = (
            f"{to_x},{to_y} {back_x - dy * side:.1f},{back_y + dx * side:.1f} "
            f"{back_x + dy * side:.1f},{back_y - dx * side:.1f}"
        )
        return f'<polygon points="{points}" fill="{self._colours[ink]}"/>'

    def _row(self, at: int, row: Row) -> str:
        y = self._y(at)
        if not row.seq:
            return self._text(_TIME, y + 4, row.text, "muted")
        parts = [self._dot(row, self._x(row.lane), y)]
        if row.elapsed:
            parts.append(self._text(_TIME - 14, y + 4, row.elapsed, "muted", anchor="end"))
        words = shorten(row.text, max(_MOST_WORDS - len(row.object) - 2, 24))
        cross = "✗ " if row.failed else ""
        marked = row.seq in self._marked
        parts.append(
            f'<text x="{self._words}" y="{y + 4}" fill="{self._colours["text"]}">'
            f'<tspan fill="{self._colours["text" if marked else "muted"]}">'
            f"{escape(shorten(row.object, 30))}</tspan> {cross}{escape(words)}</text>"
        )
        return f'<g data-seq="{row.seq}">' + "".join(parts) + "</g>"

    def _dot(self, row: Row, x: int, y: int) -> str:
        colours = self._colours
        size = 2 if self._lane < 20 else 3
        if row.kind in ("reset", "evicted"):
            ink = colours["error" if row.kind == "reset" else "muted"]
            a, b = size + 1, size + 1
            path = f"M{x - a} {y - b}L{x + a} {y + b}M{x - a} {y + b}L{x + a} {y - b}"
            return f'<path d="{path}" stroke="{ink}" stroke-width="1.6"/>'
        ink = colours["error" if row.failed else "text"]
        if row.kind == "storage":
            return f'<rect x="{x - size}" y="{y - size}" width="{2 * size}" height="{2 * size}" fill="{ink}"/>'
        if row.kind == "commit":
            s = size + 1
            return f'<path d="M{x} {y - s}L{x + s} {y}L{x} {y + s}L{x - s} {y}Z" fill="{colours["output"]}"/>'
        if row.kind in ("started", "waiting", "admitted"):
            return f'<circle cx="{x}" cy="{y}" r="{size}" fill="none" stroke="{ink}"/>'
        return f'<circle cx="{x}" cy="{y}" r="{size}" fill="{ink}"/>'

    def _legend(self, y: int) -> str:
        colours = self._colours
        x, parts = _TIME, []
        for kind, wide in (
            ("input gate shut", 104),
            ("output gate shut", 110),
            ("waits", 58),
            ("handler under way", 0),
        ):
            if kind == "waits":
                parts.append(self._line(x + 3, y - 6, x + 3, y + 4, "input", dash="2 3", width=2))
            elif kind == "output gate shut":
                parts.append(
                    f'<rect x="{x}" y="{y - 6}" width="6" height="10" fill="none" '
                    f'stroke="{colours["output"]}" stroke-width="1.5"/>'
                )
            elif kind == "input gate shut":
                parts.append(
                    f'<rect x="{x}" y="{y - 6}" width="6" height="10" fill="{colours["input"]}"/>'
                )
            else:
                parts.append(
                    f'<rect x="{x}" y="{y - 6}" width="8" height="10" rx="2" '
                    f'fill="{colours["run"]}" fill-opacity="0.22" stroke="{colours["run"]}"/>'
                )
            parts.append(self._text(x + 12, y + 3, kind, "muted"))
            x += wide
        return "".join(parts)

    # ------------------------------------------------------------------ strokes

    def _text(self, x: int, y: int, text: str, ink: str, anchor: str = "") -> str:
        place = f' text-anchor="{anchor}"' if anchor else ""
        return f'<text x="{x}" y="{y}"{place} fill="{self._colours[ink]}">{escape(text)}</text>'

    def _line(
        self, x1: int, y1: int, x2: int, y2: int, ink: str, *, dash: str = "", width: float = 1
    ) -> str:
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        return (
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{self._colours[ink]}" '
            f'stroke-width="{width:g}"{dashes}/>'
        )
