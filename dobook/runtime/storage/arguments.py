"""What the methods of `ctx.storage` accept: options, keys, ranges, times, and their limits.

Options are taken as a dict or as keywords, as Cloudflare's own Python examples do both.
Source: cloudflare/workerd src/workerd/api/actor-state.c++, src/workerd/io/actor-storage.c++
"""

import datetime as dt
import warnings
from collections.abc import Mapping
from typing import Any, Final

from dobook import limits
from dobook.errors import PlatformTypeError, suggest
from dobook.runtime.reports.portable import remark
from dobook.web.text import js_integer, js_string, stored_text

UNSET: Final = object()
GET_OPTIONS: Final = ("allowConcurrency", "noCache")
PUT_OPTIONS: Final = ("allowConcurrency", "allowUnconfirmed", "noCache")
ALARM_OPTIONS: Final = ("allowConcurrency", "allowUnconfirmed")
LIST_OPTIONS: Final = (
    "start",
    "startAfter",
    "end",
    "prefix",
    "reverse",
    "limit",
    "allowConcurrency",
    "noCache",
)
# Where the options stand among the arguments, and what the platform calls them.
OPTIONS_OF: Final = {
    "get": (2, "GetOptions"),
    "list": (1, "ListOptions"),
    "put": (3, "PutOptions"),
    "delete": (2, "PutOptions"),
    "deleteAll": (1, "PutOptions"),
    "getAlarm": (1, "GetAlarmOptions"),
    "setAlarm": (2, "SetAlarmOptions"),
    "deleteAlarm": (1, "SetAlarmOptions"),
}
_FIRST_SECONDS, _LAST_SECONDS = 1_000_000_000, 10_000_000_000  # 2001 to 2286, if ms were seconds
LAST_ALARM_MS: Final = (2**63 - 1) / 1e6  # the engine counts nanoseconds
LAST_CODE_POINT: Final = chr(0x10FFFF)
SMALL: Final = frozenset({int, float, bool, type(None)})


def wrong_type(on: str, method: str, position: int, kind: str) -> PlatformTypeError:
    """Return the platform's error for an argument of the wrong type.

    Args:
        on: The interface that has the method.
        method: The method.
        position: Which argument, from 1.
        kind: What it should be.
    """
    return PlatformTypeError(
        f"Failed to execute '{method}' on '{on}': parameter {position} is not of type '{kind}'."
    )


def read_options(
    on: str, method: str, known: tuple[str, ...], options: object, keywords: dict[str, Any]
) -> dict[str, Any]:
    """Return the options of a call, from the dict, the keywords or both.

    Args:
        on: The interface that has the method.
        method: The method.
        known: The names of its options.
        options: The dict.
        keywords: The keywords.

    Raises:
        PlatformTypeError: If the options are not a dict, or a keyword is unknown.
    """
    for name in keywords:
        if name not in known:
            raise PlatformTypeError(f"{method}() has no option {name!r}. {suggest(name, known)}")
    if options is None:
        return keywords
    if not isinstance(options, Mapping):
        raise wrong_type(on, method, *OPTIONS_OF[method])
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        # The platform ignores options it does not know; a misspelt one is worth an error.
        if "_" in str(name) and str(name).replace("_", "").lower() in {k.lower() for k in known}:
            raise PlatformTypeError(f"{method}() has no option {name!r}. {suggest(name, known)}")
    return given | keywords


def read_key(key: object) -> str:
    """Return a key as text; numbers are taken as their text, as the platform does.

    Raises:
        PlatformTypeError: If it is neither.
    """
    if isinstance(key, str):
        return stored_text(str.__str__(key))
    if isinstance(key, int | float):
        return js_string(key)
    raise PlatformTypeError(
        f"a storage key is a text or a list of texts, not {type(key).__name__}: {key!r:.60}"
    )


def list_range(
    prefix: object = None,
    start: object = None,
    startAfter: object = None,
    end: object = None,
    limit: object = None,
    **_: Any,
) -> tuple[str, str | None, int | None]:
    """Return the half-open range of keys that the options of `list` mean, and the limit.

    Raises:
        PlatformTypeError: If both `start` and `startAfter` are given, or the limit is below 1.
    """
    if start is not None and startAfter is not None:
        raise PlatformTypeError("list() cannot be called with both start and startAfter values.")
    low = "" if start is None else read_key(start)
    if startAfter is not None:
        low = read_key(startAfter) + "\x00"
    high = None if end is None else read_key(end)
    if limit is not None:
        limit = js_integer(limit)
        if limit < 1:
            raise PlatformTypeError("List limit must be positive.")
    if prefix is not None and (prefix := read_key(prefix)):
        low = max(low, prefix)
        past = after_prefix(prefix)
        if past is not None:
            high = past if high is None else min(high, past)
    return low, high, limit


def after_prefix(prefix: str) -> str | None:
    """Return the first key after all that begin with `prefix`, None if no key can follow."""
    stem = prefix.rstrip(LAST_CODE_POINT)
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    if following == 0xD800:  # surrogates are not characters
        following = 0xE000
    return stem[:-1] + chr(following)


def weight(value: Any) -> int:
    """Return a number that three times over is surely more than the bytes a value takes."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) + 8
    if isinstance(value, dict):
        total = 8
        for k, v in value.items():
            texts = type(k) is str and type(v) is str
            total += len(k) + len(v) + 16 if texts else weight(k) + weight(v)
        return total
    if isinstance(value, list | set):
        return 8 + sum(map(weight, value))
    if kind in SMALL:
        return 8 if kind is not int else 8 + value.bit_length() // 8
    return limits.MAX_SQLITE_ENTRY_BYTES  # rare kinds are measured


def alarm_time(on: str, value: object) -> int:
    """Return an alarm's time in ms since 1970.

    Args:
        on: The interface whose `setAlarm` was called.
        value: What it was given.

    Raises:
        PlatformTypeError: If it is not a time, not positive, or after 2262, where the engine's
            nanoseconds end (it says 2189).
    """
    if type(value) is int:
        at_ms: float = value
    elif isinstance(value, dt.datetime):
        value = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
        at_ms = value.timestamp() * 1000
    elif isinstance(value, int | float) and not isinstance(value, bool):
        at_ms = value
        if at_ms != at_ms or at_ms in (float("inf"), float("-inf")):
            raise PlatformTypeError("The value cannot be converted because it is not a valid Date.")
    else:
        error = wrong_type(on, "setAlarm", 1, "date")
        error.add_note("It takes ms since 1970, or a datetime: time.time() * 1000 + 60_000")
        raise error
    if _FIRST_SECONDS < at_ms < _LAST_SECONDS:
        warnings.warn(
            f"setAlarm({at_ms}) is in 1970, and so due at once: it takes milliseconds, and this looks "
            "like seconds. Write time.time() * 1000.",
            stacklevel=4,
        )
    if at_ms >= LAST_ALARM_MS:
        raise PlatformTypeError("This API doesn't support dates after 2189.")
    if at_ms <= 0:
        raise PlatformTypeError("setAlarm() cannot be called with an alarm time <= 0")
    return int(at_ms + 0.5)


def check_alarm_handler(kind: object) -> None:
    """Refuse an alarm of a class without `alarm()`, or warn of it.

    With Cloudflare's Python SDK the engine finds a function for every name, so it takes the alarm;
    the run then fails. Source: cloudflare/workerd src/pyodide/python-entrypoint-helper.ts

    Args:
        kind: The class or its object.

    Raises:
        PlatformTypeError: If the class does not have the SDK's base.
    """
    if not getattr(kind, "_has_every_name_", False):
        raise PlatformTypeError(
            "Your Durable Object class must have an alarm() handler in order to call setAlarm()"
        )
    name = kind.__name__ if isinstance(kind, type) else type(kind).__name__
    remark(
        f"setAlarm() in {name}, which has no alarm(): the alarm will fail when it is due. Write "
        "`async def alarm(self):`."
    )
