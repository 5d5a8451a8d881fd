"""Time as dobook counts it: integer milliseconds since 1970, and durations as people write them.

The virtual clock itself is the runtime's loop (`dobook.runtime.loop.loop`); here are the words for it.
"""

import datetime as dt
import re

from dobook.errors import DurationError

# Committed notebook outputs show times, so a fresh runtime always starts at the same instant.
DEFAULT_START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z

UNIT_MS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_LONG = {
    "millisecond": "ms",
    "second": "s",
    "sec": "s",
    "minute": "m",
    "min": "m",
    "hour": "h",
    "hr": "h",
    "day": "d",
    "week": "w",
}
_PART = re.compile(
    rf"(\d+(?:\.\d+)?)\s*(?:({'|'.join(_LONG)})s?|(ms|s|m|h|d|w))(?![a-z])", re.IGNORECASE
)


def parse_duration(value: str | float | dt.timedelta) -> int:
    """Return a duration in milliseconds.

    Args:
        value: Text such as `"1h30m"`, `"250ms"`, `"7 days"`; a number of milliseconds; a
            timedelta.

    Raises:
        DurationError: If the text cannot be read, or the duration is negative.

    Example:
        >>> parse_duration("1h30m"), parse_duration(250)
        (5400000, 250)
    """
    if isinstance(value, dt.timedelta):
        ms = round(value / dt.timedelta(milliseconds=1))
    elif isinstance(value, int | float):
        ms = round(value)
    else:
        text = value.strip()
        parts = _PART.findall(text)
        if not parts or _PART.sub("", text).strip(" ,"):
            raise DurationError(
                f"cannot read {value!r} as a duration. Write a number and a unit (ms, s, m, h, d, "
                "w), for instance 30s, 1h30m or 7d."
            )
        ms = round(
            sum(
                float(number) * UNIT_MS[_LONG[word.lower()] if word else unit.lower()]
                for number, word, unit in parts
            )
        )
    if ms < 0:
        raise DurationError(f"time cannot run backwards: {value!r} is negative.")
    return ms


def parse_time(value: str | float | dt.datetime) -> int:
    """Return a point in time in milliseconds since 1970.

    Args:
        value: An ISO 8601 text (`"2026-01-01T12:00"`), a datetime, or a number of milliseconds.
            Without a time zone it is UTC.

    Raises:
        DurationError: If the text cannot be read.

    Example:
        >>> parse_time("2026-01-01T00:00:01Z")
        1767225601000
    """
    if isinstance(value, int | float):
        return round(value)
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value.strip())
        except ValueError:
            raise DurationError(
                f"cannot read {value!r} as a time. Write it like 2026-01-31T18:00 (UTC)."
            ) from None
    if value.tzinfo is None:
        value = value.replace(tzinfo=dt.UTC)
    return round(value.timestamp() * 1000)


def format_time(ms: int) -> str:
    """Return a point in time as people read it, in UTC, milliseconds only when there are any.

    Example:
        >>> format_time(1767225600000)
        '2026-01-01 00:00:00'
    """
    seconds, rest = divmod(ms, 1000)
    try:
        text = dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"
    return f"{text}.{rest:03}" if rest else text


def format_duration(ms: float) -> str:
    """Return a duration as people read it, the two largest units.

    Example:
        >>> format_duration(5_400_000), format_duration(250)
        ('1h 30m', '250ms')
    """
    if ms < 0:
        return "-" + format_duration(-ms)
    left = round(ms)
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, left = divmod(left, UNIT_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
