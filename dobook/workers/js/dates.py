"""JavaScript's `Date`: a datetime with JavaScript's methods, on the runtime's clock.

Source: developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/Date
"""

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from dobook.codec.values import EPOCH, datetime_to_ms
from dobook.errors import PlatformRangeError
from dobook.workers.js.objects import Constructor

if TYPE_CHECKING:
    from datetime import datetime as _datetime
else:
    # The class itself: while a runtime turns, the module `datetime` has a stand-in's.
    _datetime = type(EPOCH)


class Date(_datetime):
    """An instant, in UTC.

    `Date.new()` is now, `Date.new(ms)`, `Date.new(text)` and `Date.new(year, month, …)` are other
    instants. It can be stored, sent and given to `setAlarm` like a datetime.

    Example:
        >>> Date.new(0).toISOString(), Date.new("2026-01-31").getTime()
        ('1970-01-01T00:00:00.000Z', 1769817600000)
    """

    constructor = Constructor("Date")

    @classmethod
    def now(cls, tz: Any = None) -> int:  # type: ignore[override]
        """Return the time in ms since 1970, on the runtime's clock."""
        return int(time.time() * 1000)

    @classmethod
    def new(cls, value: Any = None, *parts: int) -> Self:
        """Return an instant; by default the present one.

        Raises:
            PlatformRangeError: If a text cannot be read as a time.
        """
        if parts:
            return cls._at(cls.UTC(value, *parts))
        if value is None:
            return cls._at(cls.now())
        if isinstance(value, str):
            return cls._at(cls.parse(value))
        if isinstance(value, _datetime):
            return cls._at(datetime_to_ms(value))
        return cls._at(float(value))

    @classmethod
    def _at(cls, ms: float) -> Self:
        try:
            at = EPOCH + timedelta(milliseconds=int(ms))
        except (OverflowError, ValueError):
            raise PlatformRangeError("Invalid time value") from None
        return cls(*at.timetuple()[:6], at.microsecond, at.tzinfo)

    @staticmethod
    def parse(text: str) -> int:
        """Return the ms since 1970 of a text in ISO 8601; one without a time zone means UTC.

        Raises:
            PlatformRangeError: If it is not a time.
        """
        try:
            return int(datetime_to_ms(_datetime.fromisoformat(text)))
        except ValueError:
            raise PlatformRangeError("Invalid time value") from None

    @staticmethod
    def UTC(year: int, month: int = 0, day: int = 1, *clock: int) -> int:
        """Return the ms since 1970 of a date in UTC; the months count from 0."""
        hours, minutes, seconds, ms = (*clock, 0, 0, 0, 0)[:4]
        start = _datetime(year + month // 12, month % 12 + 1, 1, tzinfo=EPOCH.tzinfo)
        at = start + timedelta(
            days=day - 1, hours=hours, minutes=minutes, seconds=seconds, milliseconds=ms
        )
        return int(datetime_to_ms(at))

    def getTime(self) -> int:
        """Return the ms since 1970."""
        return int(datetime_to_ms(self))

    valueOf = getTime

    def toISOString(self) -> str:
        """Return the instant in ISO 8601, with milliseconds."""
        return f"{self:%Y-%m-%dT%H:%M:%S}.{self.microsecond // 1000:03}Z"

    def toJSON(self, *_: Any) -> str:
        """Return the same as `toISOString`."""
        return self.toISOString()

    toString = toISOString

    def to_py(self, **_: Any) -> Any:
        """Return the instant as a datetime."""
        return EPOCH + timedelta(milliseconds=self.getTime())

    def getFullYear(self) -> int:
        """Return the year."""
        return self.year

    def getMonth(self) -> int:
        """Return the month, 0 for January."""
        return self.month - 1

    def getDate(self) -> int:
        """Return the day of the month."""
        return self.day

    def getDay(self) -> int:
        """Return the day of the week, 0 for Sunday."""
        return self.isoweekday() % 7

    def getHours(self) -> int:
        """Return the hour."""
        return self.hour

    def getMinutes(self) -> int:
        """Return the minute."""
        return self.minute

    def getSeconds(self) -> int:
        """Return the second."""
        return self.second

    def getMilliseconds(self) -> int:
        """Return the millisecond."""
        return self.microsecond // 1000

    getUTCFullYear, getUTCMonth, getUTCDate, getUTCDay = getFullYear, getMonth, getDate, getDay
    getUTCHours, getUTCMinutes, getUTCSeconds = getHours, getMinutes, getSeconds
    getUTCMilliseconds = getMilliseconds
