"""How values become the platform's strings. Owns no state; nothing else of the package is needed here.

Source: webidl.spec.whatwg.org/#es-USVString
"""

import datetime as dt
import decimal
import json
import math
from typing import Any

from dobook.errors import PlatformTypeError


def usv(text: str) -> str:
    r"""Return the text without lone surrogates, as every web interface takes it.

    Example:
        >>> usv("a\ud800b")
        'a\ufffdb'
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def stored_text(text: str) -> str:
    r"""Return the text as the engine reads it back where it is kept as UTF-8 bytes.

    Half a surrogate pair is written there as three bytes, none of which is UTF-8.

    Example:
        >>> stored_text("a\ud800b")
        'a\ufffd\ufffd\ufffdb'
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return joined.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def js_integer(value: Any) -> int:
    """Return what the platform makes of a Python value where it expects an integer of 32 bits.

    Raises:
        PlatformTypeError: If it does not fit.

    Example:
        >>> [js_integer(v) for v in (5, 2.9, "7", "x", True, float("inf"))]
        [5, 2, 7, 0, 1, 0]
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0
    if not math.isfinite(number):
        return 0
    if not -(2**31) <= int(number) < 2**31:
        raise PlatformTypeError(
            "Value out of range. Must be between -2147483648 and 2147483647 (inclusive)."
        )
    return int(number)


def js_unsigned(value: Any) -> int:
    """Return what the platform makes of a Python value where it expects a number from 0 to 2^32 - 1.

    Raises:
        PlatformTypeError: If it is not such a number.

    Example:
        >>> js_unsigned(2.9), js_unsigned("7")
        (2, 7)
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise PlatformTypeError("The value cannot be converted because it is not an integer.")
    if number < 0:
        raise PlatformTypeError(
            "The value cannot be converted because it is negative and this API expects a positive "
            "number."
        )
    if number >= 2**32:
        raise PlatformTypeError("Value out of range. Must be less than or equal to 4294967295.")
    return int(number)


def js_string(value: object) -> str:
    """Return what the platform makes of a Python value where it expects a text.

    Raises:
        PlatformTypeError: If the value has no sensible text, such as a list or bytes.

    Example:
        >>> [js_string(v) for v in ("a", 5, 2.0, True, None)]
        ['a', '5', '2', 'true', 'undefined']
    """
    if isinstance(value, str):
        return usv(str(value))
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return number_text(value)
    href = getattr(value, "href", None)
    if isinstance(href, str):
        return href
    raise PlatformTypeError(f"expected a text, not {type(value).__name__}: {value!r}")


def number_text(value: float) -> str:
    """Return a number as JavaScript writes it.

    Example:
        >>> [number_text(v) for v in (2.0, 0.00001, 1e-7, 1e21, float("-inf"))]
        ['2', '0.00001', '1e-7', '1e+21', '-Infinity']
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    digits, mark, exponent = repr(value).partition("e")
    if not mark:
        return digits
    if abs(value) >= 1e-6 and abs(value) < 1:
        return f"{decimal.Decimal(digits + mark + exponent):f}"
    return f"{digits}e{exponent[0]}{exponent[1:].lstrip('0')}"


def utf8_text(data: bytes) -> str:
    r"""Return bytes read as UTF-8: faults become U+FFFD, a leading byte order mark is dropped.

    Example:
        >>> utf8_text(b"\xef\xbb\xbfhi\xff")
        'hi\ufffd'
    """
    text = data.decode("utf-8", "replace")
    return text[1:] if text[:1] == "\ufeff" else text


def json_text(value: object) -> str:
    """Return a value as JSON.stringify writes it where Python's json module would refuse.

    Raises:
        TypeError: If JSON has no such value.

    Example:
        >>> import datetime as dt
        >>> json_text([float("nan"), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)])
        '[null, "2026-01-01T00:00:00.000Z"]'
    """
    try:
        return json.dumps(value, default=_json_default, allow_nan=False)
    except ValueError as error:
        if "Circular" in str(error):
            raise
        return json.dumps(_without_nan(value), default=_json_default)


def _json_default(value: object) -> Any:
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
        return aware.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    error = TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    if hasattr(type(value), "__await__"):
        error.add_note("It is a promise, or a coroutine: write `await` before it.")
    raise error


def _without_nan(value: object) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
