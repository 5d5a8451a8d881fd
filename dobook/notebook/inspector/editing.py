"""A stored value as text that can be edited, and back: the type stays what it was.

Nothing is evaluated: text is read as what the value's type says, lists and dicts as JSON or a Python
literal. What has no such text (sets, cycles, maps with other keys than text) is shown, not edited.
"""

import ast
import datetime as dt
import json
from typing import Any

from dobook.errors import UsageError

MOST_CHARACTERS = 2_000  # longer values are shown, not edited


def editable(value: object) -> str | None:
    """Return the text by which a value is edited; None if it cannot be.

    Example:
        >>> editable(3), editable("three"), editable({"n": [1, 2.5]}), editable(b"hi")
        ('3', 'three', "{'n': [1, 2.5]}", '6869')
    """
    text = _text(value)
    return text if text is not None and len(text) <= MOST_CHARACTERS else None


def _text(value: object) -> str | None:
    if type(value) is str:
        return value
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, list | dict):
        plain = _plain(value, 0)
        return None if plain is _NOT_PLAIN else repr(plain)
    return None


_NOT_PLAIN = object()


def _plain(value: object, depth: int) -> Any:
    """Return a value with dicts and lists of the plain kinds."""
    if (
        value is None
        or type(value) in (bool, int, str)
        or (type(value) is float and value == value)
    ):
        return value
    if depth < 20 and isinstance(value, list):
        items = [_plain(item, depth + 1) for item in value]
        return _NOT_PLAIN if _NOT_PLAIN in items else items
    if depth < 20 and isinstance(value, dict) and all(type(key) is str for key in value):
        entries = {key: _plain(item, depth + 1) for key, item in value.items()}
        return _NOT_PLAIN if any(v is _NOT_PLAIN for v in entries.values()) else entries
    return _NOT_PLAIN


def edited(text: str, before: object) -> Any:
    """Return the value that a text stands for, in place of a value of the same type.

    Args:
        text: What has been typed.
        before: The value it replaces.

    Raises:
        UsageError: If it cannot be read as that type.

    Example:
        >>> edited("4", 3), edited("4", "three"), edited("[1]", [])
        (4, '4', [1])
    """
    kind = type(before)
    if kind is str:
        return text
    text = text.strip()
    try:
        if isinstance(before, bytes | bytearray):
            return bytes.fromhex(text)
        if isinstance(before, dt.datetime):
            return dt.datetime.fromisoformat(text)
        value = literal(text)
    except ValueError as error:
        raise UsageError(_refusal(text, before)) from error
    if type(value) not in _kinds(before):
        raise UsageError(_refusal(text, before))
    return value


def _kinds(before: object) -> tuple[type, ...]:
    if type(before) in (int, float):
        return int, float  # one kind of number where they are stored: 2.0 comes back as 2
    for kind in (dict, list):  # what is read back is of their subclasses
        if isinstance(before, kind):
            return (kind,)
    return (type(before),)


def literal(text: str) -> Any:
    """Return the value of JSON or of a Python literal.

    Raises:
        ValueError: If it is neither.

    Example:
        >>> literal("true"), literal("'a'"), literal('{"n": null}')
        (True, 'a', {'n': None})
    """
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError(str(error)) from error


_EXAMPLES = {
    int: "42",
    float: "0.5",
    bool: "True or False",
    type(None): "None",
    bytes: "6869 (hex)",
}


def _refusal(text: str, before: object) -> str:
    if isinstance(before, dict):
        kind, example = "dict", "{'a': 1}"
    elif isinstance(before, dt.datetime):
        kind, example = "datetime", "2026-01-31T18:00:00+00:00"
    elif type(before) in (int, float):
        kind, example = "number", "42"
    else:
        plain = next((kind for kind in (list, bytes) if isinstance(before, kind)), type(before))
        kind, example = plain.__name__, _EXAMPLES.get(plain, "[1, 2]")
    return (
        f"{text[:40]!r} is no {kind}, like {example}: an edit keeps the type. Delete the row and add "
        "it again for another one."
    )
