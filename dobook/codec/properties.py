"""The order of what an object or a set holds.

Owns the rules by which JavaScript orders properties, and the plain view of subclasses of dict.
Implements tc39.es/ecma262/#sec-ordinaryownpropertykeys.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from dobook.codec.values import number_from_float

LAST_INDEX = 2**32 - 2
"""The largest property name that counts as an array index and so comes first in an object."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


def is_index(name: str) -> bool:
    """Return whether a property name is an array index.

    Example:
        >>> is_index("10"), is_index("010"), is_index("4294967295")
        (True, False, False)
    """
    return _INDEX.fullmatch(name) is not None and int(name) <= LAST_INDEX


def ordered(value: dict[Any, Any]) -> list[tuple[Any, Any]] | None:
    """Return the items in the order of a JavaScript object's properties, or None for a Map.

    Array indices come first, ascending; the rest keeps its order. Keys are exact strings.

    Example:
        >>> ordered({"b": 1, "10": 2, "9": 3})
        [('9', 3), ('10', 2), ('b', 1)]
    """
    indices: list[tuple[int, str, Any]] = []
    names: list[tuple[Any, Any]] = []
    for key, member in value.items():
        if type(key) is not str:
            if not isinstance(key, str):
                return None
            key = str.__str__(key)
        if is_index(key):
            indices.append((int(key), key, member))
        else:
            names.append((key, member))
    if indices:
        indices.sort(key=lambda entry: entry[0])
        return [(key, member) for _, key, member in indices] + names
    return names


def plain_dict(value: dict[Any, Any]) -> dict[Any, Any]:
    """Return a subclass's entries as a dict, without running any code of the subclass."""
    if isinstance(value, OrderedDict):
        return dict(OrderedDict.items(value))
    return dict(dict.items(value))


def sorted_members(value: Iterable[Any]) -> list[Any]:
    """Return a set's members in an order that is the same in every process.

    Example:
        >>> sorted_members({"b", 2, "a", 1})
        [1, 2, 'a', 'b']
    """
    members = list(value)
    kinds = set(map(type, members))
    if len(kinds) < 2 and kinds <= _SORTABLE:
        members.sort()
    else:
        members.sort(key=_rank)
    return members


def _rank(member: object) -> tuple[str, str]:
    if type(member) is float:
        member = number_from_float(member)  # the value it reads back as needs the same rank
    if isinstance(member, frozenset):
        return ("frozenset", repr(sorted(map(_rank, member))))
    return (type(member).__name__, repr(member))


_SORTABLE = frozenset({int, float, str, bytes})
