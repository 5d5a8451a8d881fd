"""JavaScript's globals for values: `Object`, `Array`, `JSON`, `Math`, errors and the like.

Source: developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects
"""

import json
import math
import random
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from dobook.codec import clone
from dobook.errors import (
    PlatformError,
    PlatformRangeError,
    PlatformSyntaxError,
    PlatformTypeError,
    misspelt,
)
from dobook.web.text import js_string
from dobook.workers.js.objects import JsArray, JsMap, JsObject, JsSet, to_js_value


class _Global(type):
    """The class of the globals, which answers a wrong name with the right one."""

    def __getattr__(cls, name: str) -> Any:
        raise misspelt(cls, name)


class Object(metaclass=_Global):
    """JavaScript's `Object`, the static methods that Python code calls."""

    @staticmethod
    def new(**members: Any) -> JsObject:
        """Return an object."""
        return JsObject(members)

    @staticmethod
    def fromEntries(entries: Iterable[Any]) -> JsObject:
        """Return an object of (key, value) pairs; the keys become texts."""
        if isinstance(entries, Mapping):
            entries = entries.items()
        return JsObject((k if isinstance(k, str) else js_string(k), v) for k, v in entries)

    @staticmethod
    def keys(value: Any) -> JsArray:
        """Return the names of a value's members."""
        return JsArray(value.object_keys() if hasattr(value, "object_keys") else value)

    @staticmethod
    def values(value: Any) -> JsArray:
        """Return a value's members."""
        if hasattr(value, "object_values"):
            return JsArray(value.object_values())
        return JsArray(value.values() if isinstance(value, Mapping) else value)

    @staticmethod
    def entries(value: Any) -> JsArray:
        """Return a value's members with their names."""
        pairs = zip(Object.keys(value), Object.values(value), strict=True)
        return JsArray(JsArray(pair) for pair in pairs)

    @staticmethod
    def assign(target: Any, *sources: Any) -> Any:
        """Take the members of some objects over into one, and return that."""
        for source in sources:
            target.update(source or {})
        return target

    @staticmethod
    def freeze(value: Any) -> Any:
        """Return the value; it can still be changed."""
        return value


class Array(metaclass=_Global):
    """JavaScript's `Array`."""

    @staticmethod
    def new(*items: Any) -> JsArray:
        """Return an array of some elements, or of so many empty ones."""
        if len(items) == 1 and type(items[0]) is int:
            return JsArray([None] * items[0])
        return JsArray(items)

    @staticmethod
    def of(*items: Any) -> JsArray:
        """Return an array of some elements."""
        return JsArray(items)

    @staticmethod
    def from_(items: Any) -> JsArray:
        """Return an array of what an iterable gives; `from` is a word of Python's."""
        return JsArray(items.items() if isinstance(items, JsMap) else items)

    @staticmethod
    def isArray(value: Any) -> bool:
        """Return whether a value is an array."""
        return isinstance(value, list)


setattr(Array, "from", Array.from_)


class Map(metaclass=_Global):
    """JavaScript's `Map`."""

    @staticmethod
    def new(entries: Any = None) -> JsMap:
        """Return a Map of (key, value) pairs, or of another Map's entries."""
        if isinstance(entries, Mapping):
            return JsMap(entries)
        return JsMap((key, value) for key, value in entries or ())


class Set(metaclass=_Global):
    """JavaScript's `Set`."""

    @staticmethod
    def new(members: Any = None) -> JsSet:
        """Return a Set of what an iterable gives."""
        return JsSet(members or ())


class Json:
    """JavaScript's `JSON`."""

    def __getattr__(self, name: str) -> Any:
        raise misspelt(self, name)

    @staticmethod
    def stringify(value: Any, replacer: Any = None, space: Any = None) -> str | None:
        """Return a value as JSON text, by JavaScript's rules.

        Raises:
            PlatformTypeError: If the value contains itself.
        """
        if callable(replacer):
            raise PlatformTypeError("dobook's JSON.stringify takes no replacer function.")
        if value is None or not callable(value):
            try:
                return json.dumps(
                    _jsonable(value),
                    separators=(",", ": " if space else ":"),
                    ensure_ascii=False,
                    indent=min(int(space), 10) if isinstance(space, int) else space,
                )
            except (RecursionError, ValueError):
                raise PlatformTypeError("Converting circular structure to JSON") from None
        return None

    @staticmethod
    def parse(text: str) -> Any:
        """Return what a JSON text stands for.

        Raises:
            PlatformSyntaxError: If it is not JSON.
        """
        try:
            return to_js_value(json.loads(text))
        except json.JSONDecodeError as error:
            raise PlatformSyntaxError(f"{error.msg} in JSON at position {error.pos}") from None


def _jsonable(value: Any) -> Any:
    if hasattr(type(value), "toJSON"):
        return value.toJSON()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    if isinstance(value, JsMap | set | frozenset):
        return {}
    if isinstance(value, Mapping):
        return {js_string(key): _jsonable(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(member) for member in value]
    if value is None or isinstance(value, str | int):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return {}


class Math(metaclass=_Global):
    """JavaScript's `Math`: what Python's `math` has, and what it calls otherwise."""

    PI, E = math.pi, math.e

    @staticmethod
    def random() -> float:
        """Return a number from 0 up to 1, drawn from the runtime's seed."""
        return random.random()

    @staticmethod
    def round(value: float) -> int:
        """Return the nearest integer; halves go up."""
        return math.floor(value + 0.5)

    floor, ceil, sqrt = staticmethod(math.floor), staticmethod(math.ceil), staticmethod(math.sqrt)
    trunc, log, exp, pow = (
        *(staticmethod(math.trunc), staticmethod(math.log)),
        *(staticmethod(math.exp), staticmethod(math.pow)),
    )
    min, max, abs = staticmethod(min), staticmethod(max), staticmethod(abs)


class _Error:
    """A class of errors: `Error.new(message)` makes one to raise, send or store."""

    def __init__(self, name: str, kind: type[Exception]) -> None:
        self.name = name
        self._kind = kind

    def new(self, message: Any = "", options: Any = None) -> Any:
        """Return an error."""
        error = self._kind(str(message))
        if isinstance(options, Mapping) and isinstance(options.get("cause"), BaseException):
            error.__cause__ = options["cause"]
        return error

    __call__ = new

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, self._kind)

    def __repr__(self) -> str:
        return f"[Function: {self.name}]"


Error = _Error("Error", PlatformError)
TypeError_ = _Error("TypeError", PlatformTypeError)
RangeError = _Error("RangeError", PlatformRangeError)
SyntaxError_ = _Error("SyntaxError", PlatformSyntaxError)


class Number(float):
    """JavaScript's `Number`."""

    MAX_SAFE_INTEGER = 2**53 - 1
    MIN_SAFE_INTEGER = 1 - 2**53

    @classmethod
    def new(cls, value: Any = 0) -> "Number":
        """Return a number."""
        return cls(value)

    @staticmethod
    def isInteger(value: Any) -> bool:
        """Return whether a value is a whole number."""
        return isinstance(value, int | float) and float(value).is_integer()

    def valueOf(self) -> int | float:
        """Return the number as Python has it."""
        return int(self) if self.is_integer() else float(self)

    def to_py(self, **_: Any) -> int | float:
        """Return the number as Python has it."""
        return self.valueOf()


def String(value: Any = "") -> str:
    """Return JavaScript's text for a value."""
    return js_string(value) if not isinstance(value, Mapping) else "[object Object]"


def Boolean(value: Any = None) -> bool:
    """Return whether a value counts as true."""
    return value is not None and value not in (0, "")


def BigInt(value: Any) -> int:
    """Return a whole number of any size."""
    return int(value)


def parseInt(text: Any, radix: int = 10) -> int | float:
    """Return the whole number that a text begins with, NaN without one."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"[:radix]
    text = str(text).strip().lower()
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    end = next((at for at, char in enumerate(rest) if char not in digits), len(rest))
    return sign * int(rest[:end], radix) if end else math.nan


def parseFloat(text: Any) -> float:
    """Return a text as a number, or NaN."""
    try:
        return float(str(text).strip())
    except ValueError:
        return math.nan


def isNaN(value: Any) -> bool:
    """Return whether a value is not a number."""
    return parseFloat(value) != parseFloat(value)


def encodeURIComponent(text: Any) -> str:
    """Return a text with everything escaped that may not stand in a part of a URL."""
    return quote(str(text), safe="!'()*-._~")


def decodeURIComponent(text: str) -> str:
    """Return a text with its escapes replaced."""
    return unquote(text)


def encodeURI(text: Any) -> str:
    """Return a text with everything escaped that may not stand in a URL."""
    return quote(str(text), safe="!'()*-._~;,/?:@&=+$#")


def structuredClone(value: Any, options: Any = None) -> Any:
    """Return a structured clone."""
    del options
    return clone(value)
