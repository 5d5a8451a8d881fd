"""Answers over time: when each request was sent, how long it took, whether it was refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from dobook.clock import format_duration
from dobook.notebook.core.shapes import circle, cross, line, picture, text
from dobook.notebook.requests.load import PERCENTILES, percentile

_WIDTH, _HEIGHT = 640, 150
_LEFT, _RIGHT, _TOP, _BASE = 56, 84, 14, 118
_MOST_DOTS = 600


def latency_picture(answers: Sequence[Mapping[str, Any]]) -> str:
    """Return the picture as SVG; empty without answers.

    Args:
        answers: Each with `sent` (ms since 1970), `took_ms` and `status` (None if it failed).
    """
    if not answers:
        return ""
    began: float = answers[0]["sent"]
    ended: float = max(a["sent"] for a in answers)
    longest: float = max(a["took_ms"] for a in answers)
    span, top = max(ended - began, 1), max(longest, 1.0)

    def x(at: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (at - began) / span

    def y(took: float) -> float:
        return _BASE - (_BASE - _TOP) * took / top

    parts = [
        line(_LEFT, _BASE, _WIDTH - _RIGHT, _BASE),
        line(_LEFT, _TOP, _LEFT, _BASE),
        text(_LEFT - 6, _BASE + 4, "0", "end"),
        text(_LEFT, _BASE + 18, "sent: first", "start"),
        text(_WIDTH - _RIGHT, _BASE + 18, f"last, {format_duration(ended - began)} later", "end"),
    ]
    if longest:
        parts.append(text(_LEFT - 6, _TOP + 4, format_duration(longest), "end"))
    step = -(-len(answers) // _MOST_DOTS)
    for answer in answers[::step]:
        at = x(answer["sent"]), y(answer["took_ms"])
        good = answer["status"] is not None and answer["status"] < 400
        parts.append(circle(*at, 2.5) if good else cross(*at, 3))
    times = [a["took_ms"] for a in answers]
    written = -99.0
    for percent in reversed(PERCENTILES):
        at_y = y(percentile(times, percent))
        parts.append(line(_LEFT, at_y, _WIDTH - _RIGHT, at_y, dash="3 4"))
        if abs(at_y - written) >= 12:
            words = f"p{percent} {format_duration(percentile(times, percent))}"
            parts.append(text(_WIDTH - _RIGHT + 6, at_y + 4, words))
            written = at_y
    parts += [
        circle(_LEFT + 4, _HEIGHT - 4, 2.5),
        text(_LEFT + 12, _HEIGHT, "status below 400"),
        cross(_LEFT + 124, _HEIGHT - 4, 3),
        text(_LEFT + 132, _HEIGHT, "refused or failed"),
    ]
    label = f"{len(answers)} requests: when each was sent and how long it took"
    return picture(_WIDTH, _HEIGHT + 6, label, parts)
