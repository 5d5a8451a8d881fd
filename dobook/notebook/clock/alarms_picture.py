"""The next alarms on a line that begins now; near ones get more room than far ones."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dobook.clock import format_duration
from dobook.notebook.core.display import ACCENT, FONT, LINE, MUTED, shorten

_WIDTH, _LEFT, _RIGHT = 640, 10, 24
_ROW, _MOST_ROWS = 15, 4
_CHARACTER = 6.2  # width of one, about
_MOST_NAME = 28
_TICKS_MS = (
    *(1_000, 10_000, 60_000, 600_000, 3_600_000, 21_600_000, 86_400_000),
    *(604_800_000, 2_592_000_000, 31_536_000_000),
)
_FONT = 'font-size="11" font-family="var(--jp-ui-font-family, sans-serif)"'


def schedule_picture(alarms: Sequence[Mapping[str, Any]]) -> str:
    """Return the picture as SVG, empty without alarms.

    Args:
        alarms: Soonest first, each with `object` and `in_ms`.
    """
    if not alarms:
        return ""
    furthest = max(alarm["in_ms"] for alarm in alarms)
    end = next((tick for tick in _TICKS_MS if tick >= furthest), furthest)
    span = _WIDTH - _LEFT - _RIGHT

    def at(ms: int) -> float:
        return round(_LEFT + span * math.log1p(ms / 1000) / math.log1p(end / 1000), 1)

    names, rows = _names([(at(a["in_ms"]), str(a["object"])) for a in alarms])
    base = 8 + rows * _ROW
    parts = [
        f'<line x1="{_LEFT}" y1="{base}" x2="{_WIDTH - _RIGHT}" y2="{base}" stroke="{LINE}"/>',
        f'<path d="M{_LEFT} {base - 6}v12" stroke="{ACCENT}" stroke-width="3"/>',
        _text(_LEFT - 4, base + 20, "now", "start", MUTED),
    ]
    shown_x = float(_LEFT + 26)
    for tick in _TICKS_MS:
        x = at(tick)
        if tick > end:
            break
        parts.append(f'<path d="M{x} {base - 3}v6" stroke="{LINE}"/>')
        if x - shown_x > 24:
            parts.append(_text(x, base + 20, format_duration(tick), "middle", MUTED))
            shown_x = x
    for alarm, (x, y, name, anchor) in zip(alarms, names, strict=True):
        if name:
            edge = x + (2 if anchor == "start" else -2)
            parts.append(f'<path d="M{x} {base}V{y - 8}" stroke="{LINE}"/>')
            parts.append(_text(edge, y, name, anchor, FONT))
        label = escape(f"{alarm['object']} in {format_duration(alarm['in_ms'])}")
        parts.append(
            f'<circle cx="{x}" cy="{base}" r="4.5" fill="{ACCENT}"><title>{label}</title></circle>'
        )
    height = base + 28
    count = len(alarms)
    label = f"the next {count} alarms on a line of time" if count > 1 else "the next alarm"
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" style="max-width: 100%; height: auto; display: block">'
        + "\n".join(parts)
        + "</svg>"
    )


def _names(dots: Sequence[tuple[float, str]]) -> tuple[list[tuple[float, int, str, str]], int]:
    """Place the names above the line without overlaps; what has no room has no name."""
    taken: list[list[tuple[float, float]]] = []
    placed: list[tuple[float, int, str, str]] = []
    for x, name in dots:
        text = shorten(name, _MOST_NAME)
        width = len(text) * _CHARACTER + 8
        anchor = "start" if x + width < _WIDTH else "end"
        left, right = (x, x + width) if anchor == "start" else (x - width, x)
        for row, spans in enumerate([*taken, []]):
            if row < _MOST_ROWS and all(right <= a or b <= left for a, b in spans):
                if row == len(taken):
                    taken.append([])
                taken[row].append((left, right))
                placed.append((x, row, text, anchor))
                break
        else:
            placed.append((x, -1, "", anchor))
    rows = len(taken)
    # Row 0 is the lowest, next to the line.
    return [(x, (rows - row) * _ROW, name, anchor) for x, row, name, anchor in placed], rows


def _text(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" {_FONT} fill="{colour}">{escape(text)}</text>'
