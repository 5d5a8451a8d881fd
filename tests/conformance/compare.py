"""Whether two outcomes are the same, as far as Python can be the same as JavaScript.

`compare(expected, actual)` walks both; what it takes as equal is listed in `vectors/README.md`.
Error messages are judged strictly, and besides counted by themselves.
"""

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dobook.errors import FLAGS

from .values import encode

# What JavaScript tells apart and one Python exception stands for.
PYTHON_NAMES = {
    "RangeError": "ValueError",
    "SyntaxError": "ValueError",
    "InvalidAccessError": "ValueError",
}
MISSING = object()
SCALAR_TAGS = ("$date", "$bytes", "$regexp", "$id", "$stub", "$long", "$t", "$cycle", "$opaque")


@dataclass(frozen=True)
class Difference:
    """One place where two outcomes differ."""

    path: str
    expected: Any
    actual: Any

    def __str__(self) -> str:
        return f"{self.path}: expected {_shown(self.expected)}, got {_shown(self.actual)}"


@dataclass
class Comparison:
    """What came out of comparing."""

    differences: list[Difference] = field(default_factory=list)
    messages: set[str] = field(default_factory=set)  # paths of all expected error messages
    agreed: set[str] = field(default_factory=set)  # those that the actual outcome has too

    @property
    def same(self) -> bool:
        return not self.differences


def compare(expected: Any, actual: Any) -> Comparison:
    """Compare an actual outcome, or a list of them, with the expected one."""
    comparison = Comparison(messages=set(_message_paths(expected, "")))
    comparison.differences += _walk(expected, actual, "", comparison.agreed)
    return comparison


def python_name(name: str) -> str:
    """Return the one name for all errors that are the same class in Python."""
    return PYTHON_NAMES.get(name, name)


def plain_message(message: Any) -> Any:
    """Return a message without what depends on the length of the statement before it.

    A long one inside another result has been shortened, and is no text any more.
    """
    return message if not isinstance(message, str) else re.sub(r" at offset \d+", "", message)


def is_nothing(json: Any) -> bool:
    """Return whether it is undefined, null, or not there."""
    return json is None or json is MISSING or (isinstance(json, dict) and "$undefined" in json)


# ---------------------------------------------------------------- walking


def _walk(expected: Any, actual: Any, path: str, agreed: set[str]) -> Iterator[Difference]:
    if is_nothing(expected) or is_nothing(actual):
        if is_nothing(expected) != is_nothing(actual):
            yield Difference(path, expected, actual)
        return
    if (number := _number(expected)) is not None:
        if not _same_number(number, _number(actual)):
            yield Difference(path, expected, actual)
        return
    if isinstance(expected, list):
        if isinstance(actual, list):
            yield from _walk_lists(expected, actual, path, agreed)
        else:
            yield Difference(path, expected, actual)
        return
    if not isinstance(expected, dict):
        if type(expected) is not type(actual) or expected != actual:
            yield Difference(path, expected, actual)
        return
    yield from _walk_dict(expected, actual, path, agreed)


def _walk_dict(
    expected: dict[str, Any], actual: Any, path: str, agreed: set[str]
) -> Iterator[Difference]:
    tag = _tag(expected)
    if tag == "$set":
        found = actual.get("$set") if isinstance(actual, dict) else None
        if not isinstance(found, list) or not _same_members(expected["$set"], found):
            yield Difference(path, expected, actual)
    elif tag in SCALAR_TAGS:
        # Bytes are bytes, whichever view of an ArrayBuffer they came from.
        if not isinstance(actual, dict) or _without_view(expected) != _without_view(actual):
            yield Difference(path, expected, actual)
    elif tag == "$error":
        found = actual.get("$error", MISSING) if isinstance(actual, dict) else MISSING
        yield from _walk_error(expected["$error"], found, f"{path}.$error", agreed)
    elif _is_error(expected):
        found = actual.get("error", MISSING) if isinstance(actual, dict) else MISSING
        yield from _walk_error(expected["error"], found, f"{path}.error", agreed)
        rest = {k: v for k, v in expected.items() if k != "error"}
        if found is not MISSING:
            actual = {k: v for k, v in actual.items() if k != "error"}
            yield from _walk_objects(rest, actual, path, agreed)
    else:
        yield from _walk_objects(expected, actual, path, agreed)


def _walk_lists(
    expected: list[Any], actual: list[Any], path: str, agreed: set[str]
) -> Iterator[Difference]:
    pairs = itertools.zip_longest(expected, actual, fillvalue=MISSING)
    for index, (e, a) in enumerate(pairs):
        at = f"{path}[{index}]"
        if (e is MISSING) != (a is MISSING):
            yield Difference(at, e, a)
        else:
            yield from _walk(e, a, at, agreed)


def _walk_objects(
    expected: dict[str, Any], actual: Any, path: str, agreed: set[str]
) -> Iterator[Difference]:
    wanted, found = _pairs(expected), _pairs(actual)
    if wanted is None or found is None:
        yield Difference(path, expected, actual)
        return
    if _tag(expected) == "$map" and len(wanted) == len(found):
        for index, ((e_key, e), (a_key, a)) in enumerate(zip(wanted, found, strict=True)):
            if isinstance(e_key, dict) and isinstance(a_key, str):
                a_key = encode(a_key)  # a dict's keys are never shortened, a Map's are
            yield from _walk(e_key, a_key, f"{path}{{{index}}} key", agreed)
            yield from _walk(e, a, f"{path}{{{_shown(e_key)}}}", agreed)
        return
    expected_values, actual_values = _by_key(wanted), _by_key(found)
    for key in {**expected_values, **actual_values}:
        e, a = expected_values.get(key, MISSING), actual_values.get(key, MISSING)
        if key != "ok" and ((e is None and a is MISSING) or (e is MISSING and a is None)):
            yield Difference(f"{path}.{key}", e, a)  # null is there; undefined need not be
        else:
            yield from _walk(e, a, f"{path}.{key}", agreed)


def _walk_error(expected: Any, actual: Any, path: str, agreed: set[str]) -> Iterator[Difference]:
    if not isinstance(actual, dict):
        yield Difference(path, expected, actual)
        return
    if "thrown" in expected or "thrown" in actual:
        yield from _walk(expected.get("thrown"), actual.get("thrown"), f"{path}.thrown", agreed)
        return
    if python_name(expected["name"]) != python_name(actual["name"]):
        yield Difference(f"{path}.name", expected["name"], actual["name"])
    if plain_message(expected["message"]) == plain_message(actual["message"]):
        agreed.add(path)
    else:
        yield Difference(f"{path}.message", expected["message"], actual["message"])
    for flag in FLAGS:
        if expected.get(flag, False) != actual.get(flag, False):
            at = f"{path}.{flag}"
            yield Difference(at, expected.get(flag, False), actual.get(flag, False))


def _same_members(expected: list[Any], actual: list[Any]) -> bool:
    left = list(actual)
    for e in expected:
        for a in left:
            if compare(e, a).same:
                left.remove(a)
                break
        else:
            return False
    return not left


# ---------------------------------------------------------------- kinds of JSON


def _tag(json: Any) -> str:
    first = next(iter(json), "") if isinstance(json, dict) else ""
    return first if first.startswith("$") else ""


def _is_error(json: dict[str, Any]) -> bool:
    error = json.get("error")
    return isinstance(error, dict) and ("thrown" in error or {"name", "message"} <= error.keys())


def _number(json: Any) -> Any:
    """Return a float, an int for a BigInt, the name of a special number; None for no number."""
    match json:
        case bool():
            return None
        case int() | float():
            return float(json)
        case {"$bigint": digits}:
            return int(digits)
        case {"$num": "-0"}:
            return 0.0
        case {"$num": name}:
            return name
    return None


def _same_number(expected: Any, actual: Any) -> bool:
    if isinstance(expected, float) and isinstance(actual, int):
        return expected == float(actual)  # a double, and the integer that Python has for it
    return type(actual) in (int, float, str) and bool(expected == actual)


def _pairs(json: Any) -> list[tuple[Any, Any]] | None:
    """Return the entries of an object or $map in order, None if it is neither."""
    match json:
        case {"$map": pairs}:
            return [tuple(pair) for pair in pairs]
        case dict() if not _tag(json):
            return list(json.items())
    return None


def _by_key(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    return {key if isinstance(key, str) else json.dumps(key): value for key, value in pairs}


def _without_view(json: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in json.items() if k != "view"}


def _message_paths(json: Any, path: str) -> Iterator[str]:
    """Give the path of each error in an expectation, spelt as the walk spells it."""
    if isinstance(json, list):
        for index, item in enumerate(json):
            yield from _message_paths(item, f"{path}[{index}]")
    elif isinstance(json, dict) and _tag(json) == "$error":
        yield f"{path}.$error"
    elif isinstance(json, dict) and not _tag(json):
        if _is_error(json) and "message" in json["error"]:
            yield f"{path}.error"
        for key, value in json.items():
            yield from _message_paths(value, f"{path}.{key}")


def _shown(json: Any) -> str:
    text = "nothing" if json is MISSING else _dumps(json)
    return text if len(text) <= 300 else f"{text[:300]}…"


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)
