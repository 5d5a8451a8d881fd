"""Dates, errors and regular expressions on either side of the border.

Owns the three types' forms in Python and in JavaScript; knows neither bytes nor containers.
Implements tc39.es/ecma262 (Date time values, RegExp flags) as far as a stored value shows it.
"""

import math
import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dobook.errors import (
    DobookError,
    PlatformError,
    PlatformRangeError,
    PlatformSyntaxError,
    PlatformTypeError,
    js_name,
)

MAX_SAFE = 2**53 - 1
"""The largest integer that is a JavaScript number; beyond it an int is a BigInt."""

NAN = math.nan
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_LATEST_MS = 8_640_000_000_000_000
_LONGEST_PATTERN = 10_000

FLAG_BITS = {"g": 1, "i": 2, "m": 4, "y": 8, "u": 16, "s": 32, "d": 128, "v": 256}
_PYTHON_FLAGS = (("i", re.IGNORECASE), ("m", re.MULTILINE), ("s", re.DOTALL))

_ERRORS: dict[str, type[DobookError]] = {
    "TypeError": PlatformTypeError,
    "RangeError": PlatformRangeError,
    "SyntaxError": PlatformSyntaxError,
}
ERROR_TYPES: tuple[type, ...] = (PlatformError, *_ERRORS.values())
"""What an error can read back as."""
ERROR_NAMES = frozenset(
    {"Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"}
)


@dataclass(frozen=True, slots=True)
class JsRegExp:
    r"""A regular expression that Python's `re` cannot compile, kept as it is.

    Example:
        >>> regexp_from_js(r"\p{Lu}+", "u")
        JsRegExp(source='\\p{Lu}+', flags='u')
    """

    source: str
    flags: str


def number_from_float(value: float) -> int | float:
    """Return a JavaScript number as Python has it: integral ones as int, except -0.

    Example:
        >>> number_from_float(3.0), number_from_float(2.5), number_from_float(-0.0)
        (3, 2.5, -0.0)
    """
    if value.is_integer():
        if -MAX_SAFE <= value <= MAX_SAFE and (value or math.copysign(1.0, value) > 0.0):
            return int(value)
        return value
    # One NaN for all: JavaScript's Map and Set treat every NaN as the same key.
    return NAN if value != value else value


def datetime_to_ms(value: datetime) -> float:
    """Return milliseconds since 1970, whole; naive means UTC; NaN for NaT, which is not a time."""
    if value != value:
        return NAN
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    since = value - EPOCH
    micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return float(micros // 1000 if micros >= 0 else -(-micros // 1000))


def datetime_from_ms(ms: float) -> datetime | int | None:
    """Return the aware UTC datetime of a Date.

    Args:
        ms: Milliseconds since 1970; a fraction is cut off.

    Returns:
        None for an invalid Date, and the milliseconds as int for a Date outside the years
        1 to 9999, which `datetime` cannot express.

    Example:
        >>> datetime_from_ms(0.0)
        datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    if ms != ms or abs(ms) > _LATEST_MS:
        return None
    try:
        return EPOCH + int(ms) * _MS
    except OverflowError:
        return int(ms)


def normal_datetime(value: datetime) -> datetime | int | None:
    """Return the datetime that is read back after `value` was stored; itself when possible."""
    plain = type(value) is datetime and value.tzinfo is UTC and not value.fold
    if plain and not value.microsecond % 1000:
        return value
    return datetime_from_ms(datetime_to_ms(value))


def error_parts(error: BaseException) -> tuple[str, str, str]:
    """Return name, message and stack of an error as JavaScript has them.

    Example:
        >>> error_parts(ValueError("too long"))
        ('RangeError', 'too long', 'RangeError: too long')
    """
    name = js_name(error)
    if name not in ERROR_NAMES:
        name = "Error"
    try:
        message = str.__str__(str(error))
    except Exception:
        message = ""
    stack = getattr(error, "stack", None)
    if type(stack) is not str or not stack:
        stack = f"{name}: {message}" if message else name
    return name, message, stack


def error_from_parts(
    name: str, message: str, stack: str | None, cause: object = None
) -> DobookError:
    """Return the Python error for a JavaScript one; `js_name` and `stack` are attributes.

    Example:
        >>> error_from_parts("TypeError", "no", None)
        PlatformTypeError('no')
    """
    cls = _ERRORS.get(name, PlatformError)
    error = cls(message)
    if name != cls.js_name:
        error.js_name = name
    if stack is not None:
        error.stack = stack  # type: ignore[attr-defined]
    set_cause(error, cause)
    return error


def set_cause(error: BaseException, cause: object) -> None:
    """Attach the cause: as `__cause__` when it is an error, else as the attribute `cause`."""
    if isinstance(cause, BaseException):
        error.__cause__ = cause
    elif cause is not None:
        error.cause = cause  # type: ignore[attr-defined]


def regexp_to_js(pattern: re.Pattern[str]) -> tuple[str, str]:
    r"""Return source and flags of the JavaScript RegExp for a Python pattern.

    Named groups are respelt; everything else is passed on, so what only Python understands
    (`re.VERBOSE`, possessive quantifiers) means something else or nothing in JavaScript.

    Example:
        >>> regexp_to_js(re.compile("(?P<y>[0-9]+)/", re.I))
        ('(?<y>[0-9]+)\\/', 'i')
    """
    source = pattern.pattern.replace("(?P<", "(?<")
    source = re.sub(r"\(\?P=(\w+)\)", r"\\k<\1>", source)
    return _escaped(source), "".join(f for f, bit in _PYTHON_FLAGS if pattern.flags & bit)


def regexp_from_js(source: str, flags: str) -> "re.Pattern[str] | JsRegExp":
    """Return a compiled pattern, or a `JsRegExp` if Python cannot compile the source.

    The flags g, y, u, v and d have no counterpart in a Python pattern and are dropped.

    Example:
        >>> regexp_from_js("(?<y>[0-9]+)", "gi").groupindex
        mappingproxy({'y': 1})
    """
    if len(source) > _LONGEST_PATTERN:
        return JsRegExp(source, flags)
    text = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", source).replace("\\/", "/")
    text = re.sub(r"\\k<(\w+)>", r"(?P=\1)", text)
    wanted = re.NOFLAG
    for flag, bit in _PYTHON_FLAGS:
        if flag in flags:
            wanted |= bit
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile("" if text == "(?:)" else text, wanted)
    except (re.error, RecursionError, OverflowError, ValueError):
        return JsRegExp(source, flags)


def _escaped(source: str) -> str:
    """Return the source as JavaScript keeps it: slashes and line ends escaped, never empty."""
    if not source:
        return "(?:)"
    out = []
    in_class = escaped = False
    for char in source:
        if char in "\n\r\u2028\u2029":
            code = {"\n": "n", "\r": "r", "\u2028": "u2028", "\u2029": "u2029"}[char]
            out.append(code if escaped else f"\\{code}")
        elif char == "/" and not escaped and not in_class:
            out.append("\\/")
        else:
            out.append(char)
            if not escaped and char in "[]":
                in_class = char == "["
        escaped = char == "\\" and not escaped
    return "".join(out)
