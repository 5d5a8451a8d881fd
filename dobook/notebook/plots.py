"""Small pictures as inline SVG, in the front end's own colours; nothing is fetched for them."""

from collections.abc import Sequence

from dobook.clock import format_duration
from dobook.notebook.display import ACCENT, LINE, MUTED

_WIDTH, _LEFT, _RIGHT = 560, 12, 12
_DOT, _MOST_STACKED = 9, 12
_SLOT, _MOST_SLOTS = 16, 30


def window_picture(hits_ms: Sequence[int], window_ms: int, limit: int, now_ms: int) -> str:
    """Return a picture of a sliding window: each hit where it lies, and the slots taken.

    Args:
        hits_ms: The hits inside the window, in ms since 1970, oldest first.
        window_ms: The window's length.
        limit: How many hits it may have.
        now_ms: Its right end.
    """
    span = _WIDTH - _LEFT - _RIGHT
    columns: dict[int, int] = {}
    for hit in hits_ms:
        x = _LEFT + round((1 - (now_ms - hit) / window_ms) * span)
        x -= (x - _LEFT) % _DOT  # hits that would overlap are stacked
        columns[x] = columns.get(x, 0) + 1
    tallest = min(max(columns.values(), default=1), _MOST_STACKED)
    base = 14 + tallest * _DOT
    parts = []
    for x, n in columns.items():
        for i in range(min(n, _MOST_STACKED)):
            y = base - 6 - i * _DOT
            parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{ACCENT}"/>')
        if n > _MOST_STACKED:
            parts.append(_text(x, 10, f"{n}", "middle"))
    end = _WIDTH - _RIGHT
    parts.append(
        f'<line x1="{_LEFT}" y1="{base}" x2="{end}" y2="{base}" stroke="{LINE}" stroke-width="1"/>'
    )
    parts += [
        f'<line x1="{x}" y1="{base - 4}" x2="{x}" y2="{base + 4}" stroke="{LINE}"/>'
        for x in (_LEFT, end)
    ]
    parts.append(_text(_LEFT, base + 18, f"{format_duration(window_ms)} ago", "start"))
    parts.append(_text(end, base + 18, "now", "end"))
    height = base + 26
    if limit <= _MOST_SLOTS:
        height += _SLOT + 6
        top = base + 28
        for i in range(limit):
            taken = i < len(hits_ms)
            x = _LEFT + i * (_SLOT + 3)
            fill = ACCENT if taken else "none"
            parts.append(
                f'<rect x="{x}" y="{top}" width="{_SLOT}" height="{_SLOT - 4}" rx="2" '
                f'fill="{fill}" stroke="{ACCENT if taken else LINE}"/>'
            )
        x = _LEFT + limit * (_SLOT + 3) + 6
        parts.append(_text(x, top + 10, f"{len(hits_ms)} of {limit} taken", "start"))
    label = f"{len(hits_ms)} of {limit} hits in the last {format_duration(window_ms)}"
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" style="max-width: 100%; height: auto; display: block">'
        + "\n".join(parts)  # a front end that strips the picture leaves its words apart
        + "</svg>"
    )


def _text(x: int, y: int, text: str, anchor: str) -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="11" '
        f'font-family="var(--jp-ui-font-family, sans-serif)" fill="{MUTED}">{text}</text>'
    )
