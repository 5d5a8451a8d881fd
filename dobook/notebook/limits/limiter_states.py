"""What a rate limiter has stored, read back: four kinds, one set of questions.

The kinds are those of `dobook.patterns`; a sliding log is any list of times, under any key.
"""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dobook.errors import UnknownNameError, UsageError

DEFAULT_LIMIT, DEFAULT_WINDOW_MS = 10, 60_000
LOG_KEY = "requests"
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class SlidingLog:
    """The time of every hit.

    Attributes:
        limit: Hits a window may have.
        window_ms: The window's length.
        hits_ms: When each hit was, in ms since 1970, oldest first.
    """

    limit: int
    window_ms: int
    hits_ms: tuple[int, ...] = ()
    kind = "sliding log"

    def counted(self, now_ms: int) -> list[int]:
        """Return the hits that still count: a hit does while it is younger than the window."""
        return [hit for hit in self.hits_ms if hit > now_ms - self.window_ms]

    def used(self, now_ms: int) -> float:
        """Return how much of the limit is taken."""
        return len(self.counted(now_ms))

    def wait_ms(self, now_ms: int) -> float:
        """Return how long until one more is allowed, 0 if it is now."""
        hits = self.counted(now_ms)
        # One more is allowed when so many have left that fewer than the limit stay.
        if len(hits) < self.limit:
            return 0
        return hits[len(hits) - self.limit] + self.window_ms - now_ms


@dataclass(frozen=True, slots=True)
class FixedWindow:
    """The count of one window.

    Attributes:
        limit: Hits a window may have.
        window_ms: The window's length.
        start_ms: When the counted window began, in ms since 1970.
        count: Its hits.
    """

    limit: int
    window_ms: int
    start_ms: int = 0
    count: int = 0
    kind = "fixed window"

    def start(self, now_ms: int) -> int:
        """Return when the current window began."""
        return now_ms - now_ms % self.window_ms

    def used(self, now_ms: int) -> float:
        """Return how much of the limit is taken."""
        return self.count if self.start_ms == self.start(now_ms) else 0

    def wait_ms(self, now_ms: int) -> float:
        """Return how long until one more is allowed, 0 if it is now."""
        full = self.used(now_ms) >= self.limit
        return self.start(now_ms) + self.window_ms - now_ms if full else 0


@dataclass(frozen=True, slots=True)
class SlidingCounter:
    """The counts of two windows.

    Attributes:
        limit: Hits a window may have.
        window_ms: The window's length.
        start_ms: When the newer of the counted windows began, in ms since 1970.
        count: Its hits.
        previous: The hits of the window before it.
    """

    limit: int
    window_ms: int
    start_ms: int = 0
    count: int = 0
    previous: int = 0
    kind = "sliding counter"

    def start(self, now_ms: int) -> int:
        """Return when the current window began."""
        return now_ms - now_ms % self.window_ms

    def counts(self, now_ms: int) -> tuple[int, int]:
        """Return the hits of the previous and of the current window, as seen now."""
        start = self.start(now_ms)
        if self.start_ms == start:
            return self.previous, self.count
        return (self.count, 0) if self.start_ms == start - self.window_ms else (0, 0)

    def weight(self, now_ms: int) -> float:
        """Return for how much of the previous window its hits still count."""
        return 1 - (now_ms - self.start(now_ms)) / self.window_ms

    def used(self, now_ms: int) -> float:
        """Return how much of the limit is taken, by the estimate."""
        previous, count = self.counts(now_ms)
        left_ms = self.window_ms - (now_ms - self.start(now_ms))
        return count + previous * left_ms / self.window_ms

    def wait_ms(self, now_ms: int) -> float:
        """Return how long until one more is allowed, 0 if it is now."""
        if self.used(now_ms) + 1 <= self.limit + _TINY:
            return 0
        previous, count = self.counts(now_ms)
        left_ms = self.window_ms - (now_ms - self.start(now_ms))
        if count < self.limit:
            return left_ms - (self.limit - count - 1) * self.window_ms // previous
        return left_ms + self.window_ms - (self.limit - 1) * self.window_ms // count


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """A level and when it was taken.

    Attributes:
        limit: The tokens that fit in.
        window_ms: How long an empty bucket takes to fill.
        tokens: The level at `at_ms`; None for a bucket nobody has used, which is full.
        at_ms: In ms since 1970.
    """

    limit: int
    window_ms: int
    tokens: float | None = None
    at_ms: int = 0
    kind = "token bucket"

    def level(self, now_ms: int) -> float:
        """Return how many tokens there are."""
        if self.tokens is None:
            return self.limit
        return min(self.limit, self.tokens + (now_ms - self.at_ms) * self.limit / self.window_ms)

    def used(self, now_ms: int) -> float:
        """Return how much of the limit is taken."""
        return self.limit - self.level(now_ms)

    def wait_ms(self, now_ms: int) -> float:
        """Return how long until one more is allowed, 0 if it is now."""
        lacking = 1 - self.level(now_ms)
        return max(math.ceil(lacking * self.window_ms / self.limit - _TINY), 0)

    def back_ms(self, now_ms: int) -> list[int]:
        """Return when each missing token is back, in ms since 1970, soonest first."""
        level = self.level(now_ms)
        whole = math.floor(level + _TINY)
        token_ms = self.window_ms / self.limit
        missing = range(whole + 1, self.limit + 1)
        return [now_ms + math.ceil((n - level) * token_ms - _TINY) for n in missing]


Limiter = SlidingLog | FixedWindow | SlidingCounter | TokenBucket
_KINDS: dict[str, type[Any]] = {
    "fixed_window": FixedWindow,
    "sliding_counter": SlidingCounter,
    "token_bucket": TokenBucket,
}


def remaining(limiter: Limiter, now_ms: int) -> int:
    """Return how many more hits are allowed at this moment."""
    return max(math.floor(limiter.limit - limiter.used(now_ms) + _TINY), 0)


def read_limiter(
    values: Mapping[str, Any],
    label: str,
    *,
    key: str | None = None,
    limit: int | None = None,
    window_ms: int | None = None,
) -> Limiter:
    """Return the limiter whose state an object has stored.

    Args:
        values: The object's rows.
        label: The object, for messages.
        key: Where the state is; None for the keys that `dobook.patterns` uses.
        limit: The limit; None for the stored one, or 10.
        window_ms: The window's length; None for the stored one, or a minute.

    Raises:
        UnknownNameError: If there is nothing under the key, but something elsewhere.
        UsageError: If what is there is no limiter's state.

    Example:
        >>> read_limiter({"requests": [1_000]}, "A/b", limit=3).wait_ms(1_000)
        0
    """
    found = key or next((k for k in (LOG_KEY, *_KINDS) if k in values), LOG_KEY)
    state = values.get(found)
    if state is None:
        if values:
            raise UnknownNameError("key", found, [*values])
        return SlidingLog(limit or DEFAULT_LIMIT, window_ms or DEFAULT_WINDOW_MS)
    if isinstance(state, dict) and found in _KINDS:
        stored = {**state}
        stored["limit"] = limit or stored.get("limit", DEFAULT_LIMIT)
        stored["window_ms"] = window_ms or stored.get("window_ms", DEFAULT_WINDOW_MS)
        kind: type[Any] = _KINDS[found]
        limiter: Limiter = kind(**stored)
        return limiter
    times = [_milliseconds(item) for item in state] if isinstance(state, list) else [None]
    if None in times:
        raise UsageError(
            f"{found!r} of {label} is not a list of times: {state!r:.60}. A limiter stores when its "
            "hits were, in ms since 1970."
        )
    hits = tuple(sorted(time for time in times if time is not None))
    return SlidingLog(limit or DEFAULT_LIMIT, window_ms or DEFAULT_WINDOW_MS, hits)


def _milliseconds(value: object) -> int | None:
    if isinstance(value, dt.datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(value)
    return None
