"""A limiter's state as a picture: hits, the window's edge, and when capacity frees."""

from collections import Counter

from dobook.clock import format_duration
from dobook.notebook.core import shapes
from dobook.notebook.limits.limiter_states import (
    FixedWindow,
    Limiter,
    SlidingCounter,
    SlidingLog,
    TokenBucket,
)

WIDTH = 560
_LEFT, _RIGHT = 12, WIDTH - 12
_DOT, _MOST_STACKED = 9, 12
_MOST_SLOTS = 24


def limiter_picture(limiter: Limiter, now_ms: int) -> str:
    """Return the picture of a limiter's state.

    Args:
        limiter: Its state.
        now_ms: Now, in ms since 1970.
    """
    if isinstance(limiter, SlidingLog):
        height, parts = _log(limiter, now_ms)
    elif isinstance(limiter, FixedWindow):
        height, parts = _window(limiter, now_ms)
    elif isinstance(limiter, SlidingCounter):
        height, parts = _counter(limiter, now_ms)
    else:
        height, parts = _bucket(limiter, now_ms)
    used, wait_ms = limiter.used(now_ms), limiter.wait_ms(now_ms)
    words = f"{used:.3g} of {limiter.limit} taken"
    if wait_ms:
        words += f", one more in {_shortly(wait_ms)}"
    if limiter.limit <= _MOST_SLOTS:
        parts += shapes.slots(_LEFT, height, limiter.limit, used, 14)
        parts.append(shapes.text(_LEFT + limiter.limit * 17 + 8, height + 9, words))
    else:
        span = 300
        parts.append(shapes.rect(_LEFT, height, span, 10, edge=shapes.MUTED))
        part = min(used / limiter.limit, 1)
        parts.append(shapes.rect(_LEFT, height, span * part, 10, shapes.ACCENT, shapes.ACCENT))
        parts.append(shapes.text(_LEFT + span + 8, height + 9, words))
    label = f"{limiter.kind}, {limiter.limit} in {format_duration(limiter.window_ms)}: {words}"
    return shapes.picture(WIDTH, height + 16, label, parts)


def _log(log: SlidingLog, now_ms: int) -> tuple[int, list[str]]:
    """Draw each hit where it lies between the window's two edges; hits move to the left."""
    span = _RIGHT - _LEFT
    hits = log.counted(now_ms)
    columns: Counter[int] = Counter()
    for hit in hits:
        x = round((1 - (now_ms - hit) / log.window_ms) * span)
        columns[_LEFT + x - x % _DOT] += 1  # hits that would overlap are stacked
    tallest = min(max(columns.values(), default=1), _MOST_STACKED)
    base = 14 + tallest * _DOT
    parts = []
    for x, n in columns.items():
        parts += [shapes.circle(x, base - 6 - i * _DOT, 3.5) for i in range(min(n, _MOST_STACKED))]
        if n > _MOST_STACKED:
            parts.append(shapes.text(x, 10, str(n), "middle"))
    parts.append(shapes.line(_LEFT, base, _RIGHT, base, shapes.MUTED))
    parts += [shapes.line(x, base - 4, x, base + 4, shapes.MUTED) for x in (_LEFT, _RIGHT)]
    parts.append(shapes.text(_LEFT, base + 18, f"{format_duration(log.window_ms)} ago"))
    parts.append(shapes.text(_RIGHT, base + 18, "now", "end"))
    if hits:
        frees = _shortly(hits[0] + log.window_ms - now_ms)
        middle = (_LEFT + _RIGHT) / 2
        parts.append(shapes.text(middle, base + 18, f"← the oldest leaves in {frees}", "middle"))
    return base + 28, parts


def _window(window: FixedWindow, now_ms: int) -> tuple[int, list[str]]:
    """Draw the current window from its beginning to its end, and now inside it."""
    start = window.start(now_ms)
    at = _LEFT + (now_ms - start) / window.window_ms * (_RIGHT - _LEFT)
    left_ms = start + window.window_ms - now_ms
    parts = [
        shapes.rect(_LEFT, 18, _RIGHT - _LEFT, 14, edge=shapes.MUTED),
        shapes.rect(_LEFT, 18, at - _LEFT, 14, shapes.LINE, shapes.LINE),
        shapes.line(at, 12, at, 38, shapes.ACCENT),
        shapes.text(min(max(at, _LEFT + 12), _RIGHT - 12), 9, "now", "middle"),
        shapes.text(_LEFT, 48, f"begun {_shortly(now_ms - start)} ago"),
        shapes.text(_RIGHT, 48, f"all free in {_shortly(left_ms)}", "end"),
    ]
    return 58, parts


def _counter(counter: SlidingCounter, now_ms: int) -> tuple[int, list[str]]:
    """Draw two windows side by side, and the one that slides laid over them."""
    previous, count = counter.counts(now_ms)
    weight = counter.weight(now_ms)
    middle = (_LEFT + _RIGHT) / 2
    half = middle - _LEFT
    begin, end = _LEFT + (1 - weight) * half, middle + (1 - weight) * half
    parts = [
        shapes.rect(begin, 18, middle - begin, 20, shapes.LINE, "none"),
        shapes.rect(middle, 18, end - middle, 20, shapes.LINE, "none"),
        shapes.rect(_LEFT, 18, half, 20, edge=shapes.MUTED),
        shapes.rect(middle, 18, half, 20, edge=shapes.MUTED),
        shapes.line(begin, 12, begin, 44, shapes.FONT),
        shapes.line(end, 12, end, 44, shapes.FONT),
        shapes.line(begin, 12, end, 12, shapes.FONT),
        shapes.text(min(max(end, _LEFT + 12), _RIGHT - 12), 9, "now", "middle"),
        shapes.text(
            _LEFT + half / 2, 32, f"{previous} · {weight:.2f}", "middle", colour=shapes.FONT
        ),
        shapes.text(middle + half / 2, 32, f"{count}", "middle", colour=shapes.FONT),
        shapes.text(_LEFT, 54, "the window before"),
        shapes.text(_RIGHT, 54, "this window", "end"),
    ]
    return 64, parts


def _bucket(bucket: TokenBucket, now_ms: int) -> tuple[int, list[str]]:
    """Draw the level between empty and full, and when it is full again."""
    level = bucket.level(now_ms)
    back = bucket.back_ms(now_ms)
    span = _RIGHT - _LEFT
    words = "full" if not back else f"next token in {_shortly(back[0] - now_ms)}"
    parts = [
        shapes.rect(_LEFT, 6, span, 16, edge=shapes.MUTED),
        shapes.rect(_LEFT, 6, span * level / bucket.limit, 16, shapes.ACCENT, shapes.ACCENT),
        shapes.text(_LEFT, 36, f"{level:.3g} of {bucket.limit} tokens, {words}"),
    ]
    if bucket.limit <= 100:
        parts += [
            shapes.line(_LEFT + span * i / bucket.limit, 18, _LEFT + span * i / bucket.limit, 22)
            for i in range(1, bucket.limit)
        ]
    if len(back) > 1:
        parts.append(shapes.text(_RIGHT, 36, f"full in {_shortly(back[-1] - now_ms)}", "end"))
    return 46, parts


def _shortly(ms: float) -> str:
    """Return a duration; above ten seconds without its milliseconds, rounded up."""
    return format_duration(ms if ms < 10_000 else -(-ms // 1000) * 1000)
