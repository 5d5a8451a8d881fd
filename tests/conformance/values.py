"""Tagged JSON and Python values: what the vectors are written in, and what dobook gives.

`decode` reads an argument of an op, `encode` writes down a result. What JSON lacks is an object
whose first key begins with `$`.
"""

import base64
import datetime as dt
import math
import re
from collections.abc import Callable
from typing import Any

from dobook.codec import JsRegExp
from dobook.errors import FLAGS, DataCloneError, js_name
from dobook.ids import DurableObjectId

LONG = 400  # longer texts and bytes are written as {"$long": [length, first 16]}
GRID_MS = 500  # shown times are rounded to it
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MILLISECOND = dt.timedelta(milliseconds=1)
UNDEFINED = {"$undefined": True}
_OPAQUE = {"DurableObjectStub": "Fetcher", "ServiceStub": "Fetcher"}  # once it has travelled
REGEXP_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}

# ---------------------------------------------------------------- errors


class ProgramError(Exception):
    """What programs throw as a plain `Error`."""

    js_name = "Error"


class ProgramSyntaxError(ValueError):
    js_name = "SyntaxError"


class ProgramReferenceError(NameError):
    js_name = "ReferenceError"


class ProgramURIError(ValueError):
    js_name = "URIError"


class ProgramEvalError(Exception):
    js_name = "EvalError"


class ThrownValue(Exception):
    """Stands for a thrown value that is no error, which Python cannot raise."""

    js_name = "Error"


ERRORS: dict[str, type[Exception]] = {
    "TypeError": TypeError,
    "RangeError": ValueError,
    "SyntaxError": ProgramSyntaxError,
    "ReferenceError": ProgramReferenceError,
    "URIError": ProgramURIError,
    "EvalError": ProgramEvalError,
}


def make_error(name: str, message: str, props: dict[str, Any] | None = None) -> Exception:
    """Return a new error of JavaScript's class `name`, with own properties."""
    props = dict(props or {})
    error = ERRORS.get(name, ProgramError)(props.pop("message", message))
    for key, value in props.items():
        setattr(error, "js_name" if key == "name" else key, value)
    return error


def error_from(described: dict[str, Any]) -> Exception:
    """Return an error again from what `describe_error` made of it."""
    described = dict(described)
    name = described.pop("name", "Error")
    return make_error(name, described.pop("message", ""), {"name": name, **described})


def describe_error(error: BaseException) -> dict[str, Any]:
    """Return name, message and the flags that are true."""
    message = str(error)
    if isinstance(error, DataCloneError):
        message = message.partition("\n")[0]  # the platform's text; what follows is advice
    found: dict[str, Any] = {"name": js_name(error), "message": message}
    return found | {flag: True for flag in FLAGS if getattr(error, flag, False)}


# ---------------------------------------------------------------- writing


class Moment:
    """A point in time, shown relative to the scenario's start on a grid of 500 ms."""

    def __init__(self, ms: int, offset_ms: int) -> None:
        self.ms = ms
        self.offset_ms = offset_ms

    @property
    def shown(self) -> int:
        return math.floor(self.offset_ms / GRID_MS + 0.5) * GRID_MS


def encode(value: Any, unique: frozenset[str] | set[str] = frozenset()) -> Any:
    """Return a value as tagged JSON.

    Args:
        value: What an op gave.
        unique: The ids (hex) that came from newUniqueId(), which are shown as "*".
    """
    return _encode(value, unique, ())


def _encode(value: Any, unique: Any, seen: tuple[int, ...]) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            return _encode_text(value)
        case int():
            return int(value) if abs(value) < 2**53 else {"$bigint": str(value)}
        case float():
            return _encode_float(value)
        case bytes():
            return _encode_bytes(value)
        case dt.datetime():
            return {"$date": (value - EPOCH) // MILLISECOND}
        case Moment():
            return {"$t": value.shown}
        case re.Pattern():
            flags = "".join(f for f, flag in REGEXP_FLAGS.items() if value.flags & flag)
            return {"$regexp": [value.pattern, flags]}
        case JsRegExp():
            return {"$regexp": [value.source, value.flags]}
        case BaseException():
            return {"$error": describe_error(value)}
        case DurableObjectId():
            hex_digits = value.toString()
            named = {} if value.name is None else {"name": value.name}
            return {"$id": "*" if hex_digits in unique else hex_digits, **named}
    if id(value) in seen:
        return {"$cycle": seen.index(id(value))}  # from the outside, as the recorder counts
    seen = (*seen, id(value))
    match value:
        case list() | tuple():
            return [_encode(v, unique, seen) for v in value]
        case set() | frozenset():
            return {"$set": [_encode(v, unique, seen) for v in value]}
        case dict() if all(isinstance(k, str) for k in value):
            return {k: _encode(v, unique, seen) for k, v in value.items()}
        case dict():
            pairs = value.items()
            return {
                "$map": [[_encode(k, unique, seen), _encode(v, unique, seen)] for k, v in pairs]
            }
    if callable(value):
        return {"$stub": True}
    return {"$opaque": _OPAQUE.get(type(value).__name__, type(value).__name__)}


def _encode_text(text: str) -> Any:
    units = text.encode("utf-16-le", "surrogatepass")  # JavaScript counts these, two bytes each
    if len(units) <= 2 * LONG:
        return str(text)
    return {"$long": [len(units) // 2, units[:32].decode("utf-16-le", "surrogatepass")]}


def _encode_float(number: float) -> Any:
    if math.isnan(number):
        return {"$num": "NaN"}
    if math.isinf(number):
        return {"$num": "Infinity" if number > 0 else "-Infinity"}
    return {"$num": "-0"} if number == 0 and math.copysign(1, number) < 0 else number


def _encode_bytes(data: bytes) -> Any:
    if len(data) > LONG:
        return {"$long": [len(data), base64.b64encode(data[:16]).decode()], "bytes": True}
    return {"$bytes": base64.b64encode(data).decode()}


# ---------------------------------------------------------------- reading

Look = Callable[[str, Any, dict[str, Any]], Any]


class Symbol:
    """Stands for a symbol: a value that nothing can copy."""

    def __repr__(self) -> str:
        return "Symbol(symbol)"


def decode(json: Any, look: Look | None = None) -> Any:
    """Return the Python value of tagged JSON.

    Args:
        json: What stands in the vector.
        look: Resolves the tags that need a running scenario ($var, $t, …), given the tag, what
            stands behind it and the whole object.
    """
    if isinstance(json, list):
        return [decode(v, look) for v in json]
    if isinstance(json, int) and not isinstance(json, bool) and abs(json) > 2**53:
        return float(json)
    if not isinstance(json, dict):
        return json
    tag = next(iter(json), "")
    if not tag.startswith("$"):
        # A property that is undefined is one that is not there.
        return {k: decode(v, look) for k, v in json.items() if v != UNDEFINED}
    argument = json[tag]
    reader = READERS.get(tag)
    if reader is not None:
        return reader(argument, look)
    if look is None:
        raise ValueError(f"unknown tag {tag}")
    return look(tag, argument, json)


def _read_number(text: str, _look: Any) -> float:
    return float(text.replace("Infinity", "inf"))


def _read_date(ms: Any, _look: Any) -> dt.datetime | None:
    return None if ms == "invalid" else EPOCH + ms * MILLISECOND


def _read_regexp(argument: list[str], _look: Any) -> Any:
    source, flags = argument
    if set(flags) <= set(REGEXP_FLAGS):
        return re.compile(source, sum(REGEXP_FLAGS[f] for f in flags))
    return JsRegExp(source, flags)


def _read_error(described: dict[str, Any], _look: Any) -> Exception:
    return make_error(described["name"], described["message"], described.get("props"))


READERS: dict[str, Callable[[Any, Any], Any]] = {
    "$undefined": lambda _argument, _look: None,
    "$date": _read_date,
    "$bytes": lambda text, _look: base64.b64decode(text),
    "$map": lambda pairs, look: {decode(k, look): decode(v, look) for k, v in pairs},
    "$set": lambda items, look: {decode(v, look) for v in items},
    "$bigint": lambda digits, _look: int(digits),
    "$num": _read_number,
    "$regexp": _read_regexp,
    "$error": _read_error,
    "$repeat": lambda argument, look: decode(argument[0], look) * argument[1],
    "$fill": lambda argument, _look: bytes([argument[0]]) * argument[1],
    "$function": lambda _argument, _look: lambda *args: len(args),
    "$symbol": lambda _argument, _look: Symbol(),
}
