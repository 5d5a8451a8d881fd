"""Cron expressions: when a scheduled handler runs, in UTC.

Source: developers.cloudflare.com/workers/configuration/cron-triggers/
"""

import asyncio
import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dobook.errors import UsageError

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel
    from dobook.runtime.worker.worker import Worker

_MINUTE_MS: Final = 60_000
_MONTHS: Final = [
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
]
# The platform counts the days of the week from 1, Sunday.
_DAYS: Final = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_FIELDS: Final = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 1, 7),
)
_YEARS_AHEAD: Final = 8  # a 29th of February is at most so far away


@dataclass(frozen=True)
class Cron:
    """A cron expression of five fields.

    Example:
        >>> monday = parse_cron("30 9 * * MON")
        >>> dt.datetime.fromtimestamp(monday.next_after(1_767_225_600_000) / 1000, dt.UTC)
        datetime.datetime(2026, 1, 5, 9, 30, tzinfo=datetime.timezone.utc)
    """

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    day_special: str  # "L", "LW" or "15W"
    weekday_special: str  # "5L" or "MON#2"
    either_day: bool  # both day fields are restricted: one of them has to fit

    def next_after(self, at_ms: int) -> int | None:
        """Return the first time after an instant, in ms since 1970, or None."""
        at = dt.datetime.fromtimestamp((at_ms // _MINUTE_MS + 1) * 60, dt.UTC)
        last = at.year + _YEARS_AHEAD
        while at.year <= last:
            if at.month not in self.months or not self._day_fits(at):
                at = (at + dt.timedelta(days=1)).replace(hour=0, minute=0)
            elif at.hour not in self.hours:
                at = (at + dt.timedelta(hours=1)).replace(minute=0)
            elif at.minute not in self.minutes:
                at += dt.timedelta(minutes=1)
            else:
                return round(at.timestamp() * 1000)
        return None

    def _day_fits(self, at: dt.datetime) -> bool:
        month_day = at.day in self.days or _month_day_is(self.day_special, at)
        weekday = at.isoweekday() % 7 + 1 in self.weekdays or _weekday_is(self.weekday_special, at)
        return (month_day or weekday) if self.either_day else (month_day and weekday)


def parse_cron(text: str) -> Cron:
    """Return what an expression says.

    Raises:
        UsageError: If it is not a cron expression; the message names the field.

    Example:
        >>> parse_cron("*/15 * * *")
        Traceback (most recent call last):
        dobook.errors.UsageError: invalid cron expression '*/15 * * *': it has 4 fields, not 5 ...
    """
    fields = text.upper().split()
    if len(fields) != len(_FIELDS):
        raise UsageError(
            f"invalid cron expression {text!r}: it has {len(fields)} fields, not 5 (minute, hour, "
            "day of the month, month, day of the week)"
        )
    day_special = fields[2] if re.fullmatch(r"LW?|\d+W", fields[2]) else ""
    weekday_special = fields[4] if re.fullmatch(r"\w+L|\w+#\d", fields[4]) else ""
    minutes, hours, days, months, weekdays = (
        frozenset[int]() if field in (day_special, weekday_special) else _read(text, field, at)
        for at, field in enumerate(fields)
    )
    return Cron(
        text,
        minutes,
        hours,
        days,
        months,
        weekdays,
        day_special=day_special,
        weekday_special=weekday_special,
        either_day=fields[2] not in "*?" and fields[4] not in "*?",
    )


def _read(text: str, field: str, at: int) -> frozenset[int]:
    name, low, high = _FIELDS[at]
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        try:
            if span in ("*", "?"):
                first, last = low, high
            else:
                begin, dash, end = span.partition("-")
                first = _number(begin, at)
                last = _number(end, at) if dash else (high if step else first)
            every = int(step or 1)
            if not low <= first <= last <= high or every < 1:
                raise ValueError
        except ValueError:
            raise UsageError(
                f"invalid cron expression {text!r}: {part!r} is no {name} ({low} to {high}"
                f"{', or SUN to SAT' if at == 4 else ', or JAN to DEC' if at == 3 else ''})"
            ) from None
        found.update(range(first, last + 1, every))
    return frozenset(found)


def _number(word: str, at: int) -> int:
    if at == 3 and word in _MONTHS:
        return _MONTHS.index(word) + 1
    if at == 4 and word in _DAYS:
        return _DAYS.index(word) + 1
    return int(word)


def _month_day_is(special: str, at: dt.datetime) -> bool:
    if not special:
        return False
    last = (at.replace(day=28) + dt.timedelta(days=4)).replace(day=1) - dt.timedelta(days=1)
    if special == "L":
        return at.day == last.day
    day = last if special == "LW" else at.replace(day=min(int(special[:-1]), last.day))
    if day.isoweekday() == 6:
        day += dt.timedelta(days=-1 if day.day > 1 else 2)
    elif day.isoweekday() == 7:
        day += dt.timedelta(days=1 if day.day < last.day else -2)
    return at.day == day.day and at.month == day.month


def _weekday_is(special: str, at: dt.datetime) -> bool:
    if not special:
        return False
    word, _, which = special.partition("#")
    day = _number(word.removesuffix("L") if not which else word, 4)
    if at.isoweekday() % 7 + 1 != day:
        return False
    if which:
        return (at.day - 1) // 7 + 1 == int(which)
    return (at + dt.timedelta(days=7)).month != at.month


class Crontab:
    """The cron triggers of a Worker, on the runtime's clock.

    Args:
        runtime: Whose clock it is.
        worker: The Worker whose scheduled handler runs.
        expressions: When.

    Raises:
        UsageError: If an expression cannot be read.
    """

    def __init__(self, runtime: "Kernel", worker: "Worker", expressions: tuple[str, ...]) -> None:
        self._runtime = runtime
        self._worker = worker
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.crons = tuple(map(parse_cron, expressions))
        for cron in self.crons:
            self._arm(cron, runtime.loop.now_ms)

    def _arm(self, cron: Cron, after_ms: int) -> None:
        at_ms = cron.next_after(after_ms)
        if at_ms is not None:
            loop = self._runtime.loop
            timer = loop.call_at(loop.seconds_at(at_ms), self._due, cron, at_ms)
            self._timers[cron.text] = timer

    def cancel(self) -> None:
        """Cancel all triggers."""
        for timer in self._timers.values():
            timer.cancel()

    def _due(self, cron: Cron, at_ms: int) -> None:
        self._arm(cron, at_ms)
        self._worker.scheduled(cron.text, at_ms)  # what it raises has been reported
