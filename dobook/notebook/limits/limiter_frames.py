"""A limiter's state as a DataFrame: what counts, and when it no longer does."""

import math
from collections.abc import Sequence
from typing import Any

from dobook.clock import format_duration
from dobook.notebook.core.frame import TIME, Frame, make_frame
from dobook.notebook.limits.limiter_pictures import limiter_picture
from dobook.notebook.limits.limiter_states import (
    FixedWindow,
    Limiter,
    SlidingCounter,
    SlidingLog,
    TokenBucket,
    remaining,
)


def limiter_frame(limiter: Limiter, label: str, now_ms: int) -> Frame:
    """Return what a limiter counts, one row for each thing that frees, soonest first.

    Index: range. Columns by kind. Sliding log, a row for each hit: hit (datetime64[ms, UTC]), age_s
    (float64), frees (datetime64[ms, UTC]), frees_in_s (float64). Fixed window and sliding counter, a
    row for each counted window: begins, ends (datetime64[ms, UTC]), hits (Int64), weight (float64,
    how much of each hit counts), counts (float64, hits times weight), frees (datetime64[ms, UTC],
    when it no longer counts), frees_in_s (float64). Token bucket, a row for each missing token:
    token (Int64, its place), frees (datetime64[ms, UTC], when it is back), frees_in_s (float64).
    Nothing counted: same columns, no rows. `.attrs`: object, time, kind, limit, window_s, used,
    remaining, retry_after (whole seconds until one more is allowed, 0 if it is now).

    Args:
        limiter: Its state.
        label: The object.
        now_ms: Now, in ms since 1970.
    """
    columns, rows = _table(limiter, now_ms)
    left = remaining(limiter, now_ms)
    retry_after = math.ceil(limiter.wait_ms(now_ms) / 1000)
    used = limiter.used(now_ms)
    caption = (
        f"{label}: {used:.3g} of {limiter.limit} used in {format_duration(limiter.window_ms)}, "
        + (f"{left} remaining" if left else f"none remaining, retry after {retry_after} s")
    )
    if limiter.kind != "sliding log":
        caption = f"{caption} ({limiter.kind})"
    frame = make_frame(
        columns,
        rows,
        caption,
        now_ms,
        object=label,
        kind=limiter.kind,
        limit=limiter.limit,
        window_s=limiter.window_ms / 1000,
        used=used,
        remaining=left,
        retry_after=retry_after,
    )
    return frame.picture(limiter_picture(limiter, now_ms))


def _table(limiter: Limiter, now_ms: int) -> tuple[dict[str, str], list[Sequence[Any]]]:
    window = limiter.window_ms
    if isinstance(limiter, SlidingLog):
        hits = limiter.counted(now_ms)
        return (
            {"hit": TIME, "age_s": "float64", "frees": TIME, "frees_in_s": "float64"},
            [(h, (now_ms - h) / 1000, h + window, (h + window - now_ms) / 1000) for h in hits],
        )
    if isinstance(limiter, TokenBucket):
        back = limiter.back_ms(now_ms)
        first = limiter.limit - len(back) + 1
        return (
            {"token": "Int64", "frees": TIME, "frees_in_s": "float64"},
            [(first + i, at, (at - now_ms) / 1000) for i, at in enumerate(back)],
        )
    columns = {
        "begins": TIME,
        "ends": TIME,
        "hits": "Int64",
        "weight": "float64",
        "counts": "float64",
        "frees": TIME,
        "frees_in_s": "float64",
    }
    start = limiter.start(now_ms)
    counted: list[tuple[int, int, float, int]]  # begins, hits, weight, frees
    if isinstance(limiter, FixedWindow):
        counted = [(start, round(limiter.used(now_ms)), 1.0, start + window)]
    else:
        assert isinstance(limiter, SlidingCounter)
        previous, count = limiter.counts(now_ms)
        counted = [
            (start - window, previous, limiter.weight(now_ms), start + window),
            (start, count, 1.0, start + 2 * window),
        ]
    rows = [
        (
            begins,
            begins + window,
            hits,
            round(weight, 4),
            round(hits * weight, 4),
            frees,
            (frees - now_ms) / 1000,
        )
        for begins, hits, weight, frees in counted
        if hits
    ]
    return columns, [*rows]
