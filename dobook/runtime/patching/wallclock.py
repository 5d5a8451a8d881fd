"""The clock functions of `time` and `datetime`, for code that belongs to a runtime.

`datetime.datetime` and `datetime.date` stay the classes they are, since libraries compare, subclass
and pickle them: `methods` gives what replaces their methods in place. The functions of `time`
cannot be changed in place without a C extension, so `functions` gives stand-ins for their names.
"""

import datetime as dt
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, Final

from dobook.runtime.patching.current import TimeAndChance, current
from dobook.runtime.patching.standin import Clock, StandIn, SteadyClock

Method = tuple[type, str, Any]  # a class, a name, what stands in for it

_REALTIME: Final = ("CLOCK_REALTIME", "CLOCK_TAI")
# As under Pyodide, whose clocks are all the platform's one clock.
_STEADY: Final = (
    *("CLOCK_BOOTTIME", "CLOCK_HIGHRES", "CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW"),
    *("CLOCK_MONOTONIC_RAW_APPROX", "CLOCK_PROCESS_CPUTIME_ID", "CLOCK_PROF"),
    *("CLOCK_THREAD_CPUTIME_ID", "CLOCK_UPTIME", "CLOCK_UPTIME_RAW", "CLOCK_UPTIME_RAW_APPROX"),
)
_SECONDS: Final = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
_UTCNOW_IS_OLD: Final = (
    "datetime.datetime.utcnow() is deprecated and scheduled for removal in a future version. Use "
    "timezone-aware objects to represent datetimes in UTC: datetime.datetime.now(datetime.UTC)."
)


def functions() -> list[tuple[str, StandIn]]:
    """Return the clock functions of `time`, with their replacements."""
    made: list[tuple[str, StandIn]] = []
    found: dict[str, Callable[..., Any]] = {}
    for name in ("gmtime", "localtime", "ctime"):
        found[name] = _of_seconds(getattr(time, name))
    found["asctime"] = _of_struct(time.asctime, 0)
    found["strftime"] = _of_struct(time.strftime, 1)
    clocks = {getattr(time, name) for name in (*_REALTIME, *_STEADY) if hasattr(time, name)}
    for name, tell in (
        ("clock_gettime", TimeAndChance.seconds),
        ("clock_gettime_ns", TimeAndChance.nanoseconds),
    ):
        if hasattr(time, name):
            found[name] = _of_clock(getattr(time, name), tell, clocks)
    for name in _SECONDS:
        if hasattr(time, name):  # thread_time is missing on some systems
            kind = Clock if name == "time" else SteadyClock
            made.append((name, kind(getattr(time, name), TimeAndChance.seconds)))
            name_ns = f"{name}_ns"
            made.append((name_ns, kind(getattr(time, name_ns), TimeAndChance.nanoseconds)))
    made += [(name, StandIn(getattr(time, name), mine)) for name, mine in found.items()]
    return made


def _of_seconds(real: Callable[..., Any]) -> Callable[..., Any]:
    def mine(source: TimeAndChance, *args: Any, **options: Any) -> Any:
        now = not options and args in ((), (None,))
        return real(source.seconds()) if now else real(*args, **options)

    return mine


def _of_struct(real: Callable[..., Any], before: int) -> Callable[..., Any]:
    localtime = time.localtime

    def mine(source: TimeAndChance, *args: Any, **options: Any) -> Any:
        now = not options and len(args) == before
        return real(*args, localtime(source.seconds())) if now else real(*args, **options)

    return mine


def _of_clock(
    real: Callable[..., Any], tell: Callable[[TimeAndChance], float], clocks: set[int]
) -> Callable[..., Any]:
    def mine(source: TimeAndChance, *args: Any, **options: Any) -> Any:
        mine_too = not options and len(args) == 1 and type(args[0]) is int and args[0] in clocks
        return tell(source) if mine_too else real(*args, **options)

    return mine


def methods() -> list[Method]:
    """Return the clock methods of `datetime` and `date`, with their replacements."""
    datetime, date = dt.datetime, dt.date
    real_now = vars(datetime)["now"]
    real_utcnow = vars(datetime)["utcnow"]
    real_today = vars(date)["today"]
    from_timestamp = vars(datetime)["fromtimestamp"]

    def now(cls: Any, tz: dt.tzinfo | None = None) -> Any:
        source = current()
        if source is None:
            return real_now.__get__(None, cls)(tz)
        return from_timestamp.__get__(None, cls)(source.seconds(), tz)

    def utcnow(cls: Any) -> Any:
        if sys.version_info >= (3, 12):  # the real one would name this line
            warnings.warn(_UTCNOW_IS_OLD, DeprecationWarning, stacklevel=2)
        source = current()
        if source is None:
            t = real_now.__get__(None, datetime)(dt.UTC)
        else:
            t = from_timestamp.__get__(None, datetime)(source.seconds(), dt.UTC)
        return cls(t.year, t.month, t.day, t.hour, t.minute, t.second, t.microsecond)

    def today(cls: Any) -> Any:
        source = current()
        if source is None:
            return real_today.__get__(None, cls)()
        return cls.fromtimestamp(source.seconds())

    made: list[Method] = []
    for owner, name, function, real in (
        (datetime, "now", now, real_now),
        (datetime, "utcnow", utcnow, real_utcnow),
        (date, "today", today, real_today),
    ):
        function.__doc__ = real.__doc__
        function.__module__ = "datetime"
        function.__qualname__ = f"{owner.__name__}.{name}"
        made.append((owner, name, classmethod(function)))
    return made
