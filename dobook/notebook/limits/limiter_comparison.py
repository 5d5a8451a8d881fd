"""Limiters on the same traffic: who lets what through."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dobook import patterns
from dobook.clock import DEFAULT_START_MS, format_duration, parse_duration
from dobook.codec import serialize
from dobook.errors import UsageError
from dobook.notebook.core import shapes
from dobook.notebook.core.display import count
from dobook.notebook.core.frame import TIME, Frame, make_frame
from dobook.runtime.access import kernel_of
from dobook.runtime.runtime import Runtime

ALL = ("SlidingLog", "FixedWindow", "SlidingCounter", "TokenBucket")
_WIDTH, _NAME, _RIGHT, _LANE = 640, 104, 530, 28
_MOST_STACKED, _MOST_EDGES = 3, 12


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """What limiters answered to the same requests; shows itself as a picture and its summary.

    Attributes:
        answers: A frame, a row for each request in order. Columns: at (datetime64[ms, UTC]), at_s
            (float64, since the first instant), and for each limiter a column (boolean, whether it
            let the request through).
        summary: A frame, a row for each limiter. Columns: limiter (string), allowed, refused
            (Int64), most_in_a_window (Int64, allowed in the busiest stretch as long as the window),
            longest_wait_s (float64, the largest retryAfter it asked for, 0 if it refused none),
            bytes (Int64, the size of its state at the end).
    """

    answers: Frame
    summary: Frame

    def __repr__(self) -> str:
        return repr(self.summary)

    def _repr_html_(self) -> str:
        return self.summary._repr_html_()


def compare_limiters(
    traffic: Iterable[float],
    *,
    limit: int = 10,
    window: str | float = "60s",
    limiters: Sequence[str | type] = ALL,
) -> Comparison:
    """Send the same requests to several limiters, each in a runtime of its own, and compare.

    Args:
        traffic: When each request comes, in ms after the first instant, in any order. The first
            instant is a whole multiple of every window that divides a day.
        limit: Hits a window may have.
        window: The window's length: text such as "60s", or ms.
        limiters: Names in `dobook.patterns`, or classes with their `check(limit, window_ms)`.

    Raises:
        UsageError: If there is no traffic, a request comes before 0, or a limiter is unknown.

    Example:
        >>> both = compare_limiters([0, 0, 59_000, 60_000], limit=2, limiters=["FixedWindow"])
        >>> [bool(passed) for passed in both.answers["FixedWindow"]]
        [True, True, False, True]
    """
    offsets = sorted(round(at) for at in traffic)
    if not offsets or offsets[0] < 0:
        raise UsageError(
            "traffic is a list of times in ms from 0 on, one for each request: [0, 500, 1000]"
        )
    window_ms = parse_duration(window)
    if limit < 1 or window_ms < 1:
        raise UsageError("limit and window are more than 0.")
    classes = [_class(limiter) for limiter in limiters]
    answers: dict[str, list[dict[str, Any]]] = {}
    sizes = {}
    for cls in classes:
        name = cls.__name__
        answers[name], sizes[name] = _play(cls, offsets, limit, window_ms)
    passed = {name: [bool(a["allowed"]) for a in found] for name, found in answers.items()}
    now_ms = DEFAULT_START_MS + offsets[-1]
    rows = [
        (DEFAULT_START_MS + at, at / 1000, *(passed[name][i] for name in passed))
        for i, at in enumerate(offsets)
    ]
    title = f"{count(len(offsets), 'request')}, limit {limit} in {format_duration(window_ms)}"
    columns = {"at": TIME, "at_s": "float64", **dict.fromkeys(passed, "boolean")}
    summary = [
        (
            name,
            sum(passed[name]),
            len(offsets) - sum(passed[name]),
            _busiest([at for at, ok in zip(offsets, passed[name], strict=True) if ok], window_ms),
            float(max((a.get("retryAfter", 0) for a in found), default=0)),
            sizes[name],
        )
        for name, found in answers.items()
    ]
    kinds = {
        "limiter": "string",
        "allowed": "Int64",
        "refused": "Int64",
        "most_in_a_window": "Int64",
        "longest_wait_s": "float64",
        "bytes": "Int64",
    }
    table = make_frame(kinds, summary, title, now_ms, limit=limit, window_s=window_ms / 1000)
    return Comparison(
        make_frame(columns, rows, title, now_ms, limit=limit, window_s=window_ms / 1000),
        table.picture(_picture(offsets, passed, window_ms, title)),
    )


def _class(limiter: str | type) -> type:
    if isinstance(limiter, type):
        return limiter
    if limiter not in ALL:
        raise UsageError(f"no limiter {limiter!r}. There is {', '.join(ALL)}.")
    cls: type = getattr(patterns, limiter)
    return cls


def _play(
    cls: type, offsets: list[int], limit: int, window_ms: int
) -> tuple[list[dict[str, Any]], int]:
    """Return the answers, and how many bytes are stored at the end."""
    with Runtime() as runtime:
        stub = runtime.register(cls, "LIMITER").getByName("a")
        answers = []
        for at in offsets:
            if DEFAULT_START_MS + at > runtime.clock.now_ms:
                runtime.advance_to(DEFAULT_START_MS + at)
            answers.append(runtime.run(stub.check(limit, window_ms)))
        runtime.settle()
        rows = kernel_of(runtime).actor_of(stub).store.kv.scan()
        return answers, sum(len(serialize(value)) for value in rows.values())


def _busiest(times: list[int], window_ms: int) -> int:
    """Return the most that fall into any stretch as long as the window."""
    most = begin = 0
    for end, at in enumerate(times):
        while times[begin] <= at - window_ms:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def _picture(offsets: list[int], passed: dict[str, list[bool]], window_ms: int, title: str) -> str:
    """Draw a lane for each limiter: dots for what passed, crosses for the rest, edges dashed."""
    first, last = offsets[0], offsets[-1]
    scale = (_RIGHT - _NAME - 12) / max(last - first, 1)

    def across(at: int) -> int:
        return round(_NAME + 6 + (at - first) * scale)

    height = 14 + _LANE * len(passed)
    parts = []
    edges = range(-(-first // window_ms) * window_ms, last + 1, window_ms)
    for edge in edges:
        x = across(edge)
        parts.append(shapes.line(x, 4, x, height - 4, dash="3 3"))
        if len(edges) <= _MOST_EDGES:
            parts.append(shapes.text(x, height + 8, format_duration(edge), "middle"))
    for lane, (name, found) in enumerate(passed.items()):
        y = 14 + _LANE * lane + _LANE / 2 - 2
        parts.append(shapes.text(0, y + 4, name, colour=shapes.FONT))
        parts.append(shapes.line(_NAME, y, _RIGHT, y))
        columns: dict[int, tuple[int, int]] = {}
        for at, ok in zip(offsets, found, strict=True):
            good, bad = columns.get(across(at), (0, 0))
            columns[across(at)] = (good + ok, bad + (not ok))
        for x, (good, bad) in columns.items():
            parts += _marks(x, y, good, bad)
        parts.append(shapes.text(_RIGHT + 14, y + 4, f"{sum(found)} of {len(found)} passed"))
    return shapes.picture(_WIDTH, height + 14, f"{title}: {', '.join(passed)}", parts)


def _marks(x: int, y: float, good: int, bad: int) -> list[str]:
    """Draw the requests of one instant: a mark each, or one of each kind with its number."""
    if good + bad <= _MOST_STACKED:
        kinds = [True] * good + [False] * bad
        heights = [y - level * 5 for level in range(len(kinds))]
        return [
            shapes.circle(x, at, 2.2) if ok else shapes.cross(x, at, 2)
            for at, ok in zip(heights, kinds, strict=True)
        ]
    apart = 5 if good and bad else 0
    parts = []
    for at, number, mark in (
        (x - apart, good, shapes.circle(x - apart, y, 2.2)),
        (x + apart, bad, shapes.cross(x + apart, y, 2)),
    ):
        if number:
            parts += [mark, shapes.text(at, y - 6, str(number), "middle", size=9)]
    return parts
