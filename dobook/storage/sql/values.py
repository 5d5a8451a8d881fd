"""Values on their way into SQL and back, as they travel on the platform.

There a Python value passes through JavaScript: an `int` is a number and binds as REAL, `True`
becomes the text "true", and a whole number comes back as an `int` whatever SQLite kept it as.
A class that works here must work there, so the detours are kept.
Source: pyodide.org/en/stable/usage/type-conversions.html, cloudflare/workerd
src/workerd/api/sql.c++ (`mapBindings`, `wrapSqlValue`), developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from dobook import limits
from dobook.codec import JsBuffer
from dobook.errors import PlatformError, PlatformTypeError
from dobook.ids import DurableObjectId
from dobook.web.text import number_text

MAX_SAFE_INTEGER: Final = 2**53 - 1
TOO_BIG: Final = "string or blob too big: SQLITE_TOOBIG"
# No text of this length exceeds the limit in bytes, so that only long ones are measured.
SURELY_SHORT: Final = limits.MAX_SQLITE_ENTRY_BYTES // 4
WEEKDAYS: Final = "Mon Tue Wed Thu Fri Sat Sun".split()  # noqa: SIM905
MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905


def to_sqlite(bindings: Sequence[Any], hosted: bool) -> list[Any]:  # noqa: FBT001 - hot path
    """Convert the bindings of one statement.

    Args:
        bindings: What the user gave.
        hosted: Whether the hosted service's limit on the size of a value holds.

    Raises:
        PlatformTypeError: For an int beyond ±(2^53 - 1), which JavaScript has as a BigInt, and
            for a value without a counterpart in JavaScript.
        PlatformError: If a text or bytes exceed the limit.

    Example:
        >>> to_sqlite((1, "x", None, True, b"z"), True)
        [1.0, 'x', None, 'true', b'z']
    """
    values = []
    for value in bindings:
        kind = type(value)
        if kind is int:
            if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
                raise PlatformTypeError("Cannot convert a BigInt value to a number")
            value = value + 0.0
        elif kind is str or kind is bytes:
            if len(value) > SURELY_SHORT and hosted:
                check_size(value)
        elif value is not None and kind is not float:
            value = other_to_sqlite(value, hosted)
        values.append(value)
    return values


def check_size(value: str | bytes) -> None:
    """Refuse a value that the hosted service would not store."""
    size = len(value if isinstance(value, bytes) else value.encode("utf-8", "replace"))
    if size > limits.MAX_SQLITE_ENTRY_BYTES:
        raise PlatformError(TOO_BIG)


def other_to_sqlite(value: Any, hosted: bool) -> Any:  # noqa: FBT001
    """Convert a binding that is not of one of the plain types themselves."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):  # an IntEnum, …
        return to_sqlite((int(value),), hosted)[0]
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):  # a StrEnum, …; str() might not give its value
        return to_sqlite((str.__str__(value),), hosted)[0]
    if isinstance(value, bytes | bytearray | memoryview):
        return to_sqlite((bytes(value),), hosted)[0]
    if hasattr(type(value), "_as_value_"):  # what `js` has of its own, a Uint8Array for instance
        return to_sqlite((value._as_value_(),), hosted)[0]
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise PlatformTypeError(
            "sql.exec() was given an awaitable as a binding, not a value.\n"
            '  You wrote:  sql.exec("… ?", self.count())\n'
            '  You want:   sql.exec("… ?", await self.count())'
        )
    return to_sqlite((javascript_text(value),), hosted)[0]


def javascript_text(value: Any) -> str:
    """Return what `String(value)` gives: the platform binds anything else as that text.

    Example:
        >>> javascript_text(["x", None, [1, True]]), javascript_text({"a": 1})
        ('x,,1,true', '[object Object]')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, list):
        return ",".join("" if v is None else javascript_text(v) for v in value)
    if isinstance(value, dict):
        return "[object Object]" if all(isinstance(k, str) for k in value) else "[object Map]"
    if isinstance(value, set | frozenset):
        return "[object Set]"
    if isinstance(value, bytes | bytearray | memoryview):
        return ",".join(map(str, bytes(value)))
    if isinstance(value, DurableObjectId):
        return value.toString()
    if isinstance(value, datetime):
        at = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return (
            f"{WEEKDAYS[at.weekday()]} {MONTHS[at.month - 1]} {at.day:02} {at.year:04} "
            f"{at:%H:%M:%S} GMT+0000 (Coordinated Universal Time)"
        )
    raise PlatformTypeError(
        f"{type(value)} cannot be bound in SQL; bind a str, int, float, bytes or None."
    )


def from_sqlite(row: tuple[Any, ...]) -> Sequence[Any]:
    """Convert one row of results: whole numbers are ints, ints beyond ±(2^53 - 1) floats.

    Bytes answer to an ArrayBuffer's names.

    Example:
        >>> from_sqlite((1.0, 2.5, "x", 2**53 + 1))
        [1, 2.5, 'x', 9007199254740992.0]
    """
    for value in row:
        kind = type(value)
        if kind is int:
            if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
                break
        elif kind is bytes or (kind is float and value.is_integer()):
            break
    else:
        return row
    return [_READERS.get(type(v), _same)(v) for v in row]


def number_from_sqlite(value: float) -> float:
    """Convert one number as JavaScript and Pyodide do on its way to Python."""
    whole = -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER and value == int(value)
    if whole and not (value == 0 and str(value)[0] == "-"):
        return int(value)
    return float(value)


def _same(value: Any) -> Any:
    return value


_READERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    int: number_from_sqlite,
    float: number_from_sqlite,
    bytes: JsBuffer,
}
