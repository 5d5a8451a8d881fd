"""The few shapes that small pictures are made of, in the front end's own colours.

A picture is inline SVG with nothing fetched and no style sheet; all text is escaped. What colour
says, a shape or a word says as well.
"""

from collections.abc import Iterable
from html import escape

from dobook.notebook.core.display import ACCENT, ERROR, FONT, LINE, MUTED

FAMILY = "var(--jp-ui-font-family, sans-serif)"

__all__ = [
    "ACCENT", "ERROR", "FONT", "LINE", "MUTED",
    "circle", "cross", "line", "picture", "rect", "slots", "text",
]  # fmt: skip


def picture(width: int, height: int, label: str, parts: Iterable[str]) -> str:
    """Return the whole picture.

    Args:
        width: In px; it shrinks with the cell.
        height: In px.
        label: What it shows, for those who cannot see it.
        parts: Its shapes.
    """
    return (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" '
        'style="max-width: 100%; height: auto; display: block">'
        + "\n".join(parts)  # a front end that strips the picture leaves its words apart
        + "</svg>"
    )


def text(
    x: float, y: float, content: str, anchor: str = "start", *, colour: str = MUTED, size: int = 11
) -> str:
    """Return a line of text, by its baseline."""
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" font-size="{size}" '
        f'font-family="{FAMILY}" fill="{colour}">{escape(content)}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str = LINE, dash: str = "") -> str:
    """Return a line; `dash` as SVG has it, "4 3"."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" stroke="{colour}"{dashes}/>'
    )


def rect(
    x: float, y: float, width: float, height: float, fill: str = "none", edge: str = LINE
) -> str:
    """Return a box with round corners."""
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0))}" height="{_n(height)}" rx="2" '
        f'fill="{fill}" stroke="{edge}"/>'
    )


def circle(x: float, y: float, radius: float, fill: str = ACCENT, edge: str = ACCENT) -> str:
    """Return a dot."""
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="{fill}" stroke="{edge}"/>'


def cross(x: float, y: float, size: float, colour: str = ERROR) -> str:
    """Return a small diagonal cross."""
    return (
        f'<path d="M{_n(x - size)} {_n(y - size)}L{_n(x + size)} {_n(y + size)}'
        f'M{_n(x - size)} {_n(y + size)}L{_n(x + size)} {_n(y - size)}" '
        f'stroke="{colour}" stroke-width="1.5" fill="none"/>'
    )


def slots(x: float, y: float, limit: int, taken: float, width: float = 16) -> list[str]:
    """Return a row of boxes of which some are taken; a fraction fills a part of its box."""
    parts = []
    for i in range(limit):
        part = min(max(taken - i, 0), 1)
        left = x + i * (width + 3)
        if part < 1:
            parts.append(rect(left, y, width, width - 4, edge=ACCENT if part else MUTED))
        if part:
            parts.append(rect(left, y, width * part, width - 4, fill=ACCENT, edge=ACCENT))
    return parts


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
