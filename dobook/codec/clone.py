"""The structured clone, and values kept for many readers.

Owns the copying of values without a detour over bytes. A copy equals what would be read back
after `serialize` and `deserialize`; a test holds the two to that.
Implements html.spec.whatwg.org/multipage/structured-data.html#structuredserializeinternal for the
values that Python has.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from dobook.codec.decode import deserialize
from dobook.codec.encode import serialize
from dobook.codec.frozen import DeepDict, DeepList, FlatDict, FlatList, FrozenBytes, FrozenGraph
from dobook.codec.jsdict import HashableDict, HashableList, JsDict, JsList
from dobook.codec.properties import ordered, plain_dict
from dobook.codec.refusal import MAX_DEPTH, base_of, too_deep
from dobook.codec.values import (
    ERROR_TYPES,
    JsRegExp,
    error_from_parts,
    error_parts,
    normal_datetime,
    number_from_float,
    regexp_from_js,
    regexp_to_js,
)

_SCALARS: frozenset[type] = frozenset({int, str, bool, bytes, type(None)})
_DICTS = (dict, JsDict)
_EXTERNAL = "external"
_SHARED = "shared"

# `memo` maps the id() of an original to its copy, `_SHARED` to True once something was met twice,
# `_EXTERNAL` to the caller's way with what is not a value. A copier returns the copy of one value.
_Memo = dict[Any, Any]
_Copier = Callable[..., Any]


class _HashedContainer(Exception):
    """A Set or Map holds a mutable value where Python wants a hashable one.

    JavaScript told them apart by identity. Rare enough to go by way of the bytes, where this is
    dealt with once.
    """


def clone(value: Any, *, external: Callable[[Any], Any] | None = None) -> Any:
    """Return a structured clone: a copy that shares nothing mutable with the original.

    Args:
        value: A plain value; lists, dicts, sets and errors that occur more than once, or inside
            themselves, do so in the copy.
        external: Called with each part that structured clone refuses (a function, an object of
            a class); what it returns stands in the copy as it is. It raises to refuse. Not
            consulted for a value that has a list or dict as member of a set or key of a dict,
            which only values read from a JavaScript Set or Map can have.

    Raises:
        PlatformTypeError: For a tuple or a bytearray, at any depth.
        DataCloneError: For anything else that is not a value, and for a value nested too deep.

    Example:
        >>> clone({"b": 1.0, "2": [None]})
        {'2': [None], 'b': 1}

    Source: developers.cloudflare.com/workers/runtime-apis/rpc/#structured-clonable-types-and-more
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind in _DICTS and _is_flat_dict(value):
        return JsDict(value)
    memo: _Memo = {}
    if external is not None:
        memo[_EXTERNAL] = external
    try:
        return _copied(_CLONERS, value, memo)
    except _HashedContainer:
        return deserialize(serialize(value))


def freeze(value: Any) -> Any:
    """Return a private copy of a value that `thaw` copies cheaply, any number of times.

    The frozen value is opaque. Scalars, bytes, datetimes and patterns stand for themselves.
    `serialize` takes frozen values too.

    Raises:
        PlatformTypeError: For a tuple or a bytearray, at any depth.
        DataCloneError: For anything else that is not a value, and for a value nested too deep.

    Example:
        >>> kept = freeze({"tags": ["a"]})
        >>> thaw(kept).tags.append("b")
        >>> thaw(kept)
        {'tags': ['a']}
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind in _DICTS and _is_flat_dict(value):
        return FlatDict(value)
    memo: _Memo = {}
    try:
        root = _copied(_FREEZERS, value, memo)
    except _HashedContainer:
        return FrozenBytes(serialize(value))
    return FrozenGraph(root) if _SHARED in memo else root


def thaw(frozen: object) -> Any:
    """Return a fresh copy of the value that `freeze` was given.

    A dict comes as `JsDict`, a list as `JsList`.

    Example:
        >>> thaw(freeze({1, 2}))
        {1, 2}
    """
    thawer = _THAWERS.get(type(frozen))
    try:
        return frozen if thawer is None else thawer(frozen)
    except RecursionError:
        raise too_deep() from None


def _is_flat_dict(value: dict[Any, Any]) -> bool:
    """Return whether a plain copy of the dict is a clone of it."""
    for key, member in value.items():
        # Names below ":" might begin with a digit, and array indices come first in an object.
        if type(key) is not str or key < ":":
            return False
        kind = type(member)
        if kind not in _SCALARS and (kind is not float or member.is_integer() or member != member):
            return False
    return True


def _copied(copiers: dict[type, _Copier], value: object, memo: _Memo) -> Any:
    try:
        return (copiers.get(type(value)) or _other)(value, memo, 0, copiers)
    except RecursionError:
        raise too_deep() from None


def _dict_copier(flat: type[dict[Any, Any]], deep: type[dict[Any, Any]]) -> _Copier:
    """Return a copier of objects and Maps; `flat` is for those without containers in them."""

    def copy(
        value: dict[Any, Any], memo: _Memo, depth: int, copiers: dict[type, _Copier], ref: int = 0
    ) -> Any:
        ref = ref or id(value)
        if ref in memo:
            memo[_SHARED] = True
            return memo[ref]
        if depth >= MAX_DEPTH:
            raise too_deep()
        if _is_flat_dict(value):
            out = memo[ref] = flat(value)
            return out
        depth += 1
        out = memo[ref] = deep()
        pairs = ordered(value)
        is_map = pairs is None
        containers = False
        for key, member in value.items() if pairs is None else pairs:
            if is_map:
                key = _hashable(key, memo, depth, copiers)
            kind = type(member)
            if kind not in _SCALARS:
                member = (copiers.get(kind) or _other)(member, memo, depth, copiers)
                containers = containers or type(member) not in _IMMUTABLE
            out[key] = member
        if not containers and flat is not deep:
            out = memo[ref] = flat(out)
        return out

    return copy


def _list_copier(flat: type[list[Any]], deep: type[list[Any]]) -> _Copier:
    """Return a copier of arrays; `flat` is for those without containers in them."""

    def copy(
        value: list[Any], memo: _Memo, depth: int, copiers: dict[type, _Copier], ref: int = 0
    ) -> Any:
        ref = ref or id(value)
        if ref in memo:
            memo[_SHARED] = True
            return memo[ref]
        if depth >= MAX_DEPTH:
            raise too_deep()
        if _SCALARS.issuperset(map(type, value)):
            out = memo[ref] = flat(value)
            return out
        depth += 1
        out = memo[ref] = deep()
        containers = False
        for member in value:
            kind = type(member)
            if kind not in _SCALARS:
                member = (copiers.get(kind) or _other)(member, memo, depth, copiers)
                containers = containers or type(member) not in _IMMUTABLE
            out.append(member)
        if not containers and flat is not deep:
            out = memo[ref] = flat(out)
        return out

    return copy


def _set(
    value: Iterable[Any], memo: _Memo, depth: int, copiers: dict[type, _Copier], ref: int = 0
) -> Any:
    ref = ref or id(value)
    if ref in memo:
        memo[_SHARED] = True
        return memo[ref]
    if depth >= MAX_DEPTH:
        raise too_deep()
    out: set[Any] = set()
    memo[ref] = out
    out.update([_hashable(member, memo, depth + 1, copiers) for member in value])
    return out


def _hashable(value: object, memo: _Memo, depth: int, copiers: dict[type, _Copier]) -> Any:
    """Return the copy of a member of a Set or a key of a Map."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if isinstance(value, set | frozenset):
        if depth >= MAX_DEPTH:
            raise too_deep()
        if id(value) not in memo:
            members = [_hashable(m, memo, depth + 1, copiers) for m in value]
            memo[id(value)] = frozenset(members)
        found = memo[id(value)]
        return found if type(found) is frozenset else frozenset(found)
    if isinstance(value, dict | list | BaseException):
        raise _HashedContainer
    return (copiers.get(kind) or _other)(value, memo, depth, copiers)


def _float(value: float, memo: _Memo, depth: int, copiers: dict[type, _Copier]) -> int | float:
    if value.is_integer() or value != value:
        return number_from_float(value)
    return value


def _datetime(value: datetime, memo: _Memo, depth: int, copiers: dict[type, _Copier]) -> Any:
    return normal_datetime(value)


def _bytes(value: Any, memo: _Memo, depth: int, copiers: dict[type, _Copier]) -> bytes:
    return bytes(value)


def _pattern(value: Any, memo: _Memo, depth: int, copiers: dict[type, _Copier]) -> Any:
    if not isinstance(value.pattern, str):
        return _other(value, memo, depth, copiers)
    return regexp_from_js(*regexp_to_js(value))


def _same(value: object, memo: _Memo, depth: int, copiers: dict[type, _Copier]) -> Any:
    return value


def _error(value: BaseException, memo: _Memo, depth: int, copiers: dict[type, _Copier]) -> Any:
    if id(value) in memo:
        memo[_SHARED] = True
        return memo[id(value)]
    if depth >= MAX_DEPTH:
        raise too_deep()
    copy = memo[id(value)] = error_from_parts(*error_parts(value))
    if value.__cause__ is not None:
        copy.__cause__ = _error(value.__cause__, memo, depth + 1, copiers)
    return copy


def _other(value: Any, memo: _Memo, depth: int, copiers: dict[type, _Copier]) -> Any:
    """Copy a value of a type that is not in the table, as the type it is derived from."""
    stands_for = getattr(type(value), "_as_value_", None)  # a JavaScript buffer, for instance
    if stands_for is not None:
        plain = stands_for(value)
        return (copiers.get(type(plain)) or _other)(plain, memo, depth, copiers)
    external = memo.get(_EXTERNAL)
    if external is not None and not isinstance(value, _KNOWN_BASES):
        return external(value)
    base = base_of(value)
    if base is dict:
        return copiers[dict](plain_dict(value), memo, depth, copiers, id(value))
    if base is list:
        return copiers[list](list(list.__iter__(value)), memo, depth, copiers, id(value))
    if base is set or base is frozenset:
        return _set(frozenset(base.__iter__(value)), memo, depth, copiers, id(value))
    if base is int:
        return int.__int__(value)
    if base is str:
        return str.__str__(value)
    if base is float:
        return number_from_float(float.__float__(value))
    if base is bytes:
        return bytes(memoryview(value))
    if base is datetime:
        return normal_datetime(value)
    return _error(value, memo, depth, copiers)


def _thaw_dict(value: DeepDict) -> JsDict:
    out = JsDict(value)
    thawers = _THAWERS
    for key, member in value.items():
        thawer = thawers.get(type(member))
        if thawer is not None:
            out[key] = thawer(member)
    return out


def _thaw_list(value: DeepList) -> list[Any]:
    # No comprehension: it would be a second frame per level of nesting before Python 3.12.
    out = JsList(value)
    thawers = _THAWERS
    for index, member in enumerate(value):
        thawer = thawers.get(type(member))
        if thawer is not None:
            out[index] = thawer(member)
    return out


def _thaw_by_cloning(value: object) -> Any:
    return _copied(_CLONERS, value, {})


_KNOWN_BASES = (
    *(int, str, float, bytes, list, dict, set, frozenset, datetime, BaseException),
    *(tuple, bytearray),
)
_IMMUTABLE = _SCALARS | {float, datetime, re.Pattern, JsRegExp}
_COMMON: dict[type, _Copier] = {
    **dict.fromkeys(_SCALARS, _same),
    float: _float,
    memoryview: _bytes,
    datetime: _datetime,
    re.Pattern: _pattern,
    JsRegExp: _same,
    set: _set,
    frozenset: _set,
    **dict.fromkeys(ERROR_TYPES, _error),
}
_ALL_DICTS = (dict, JsDict, HashableDict, FlatDict, DeepDict)
_ALL_LISTS = (list, JsList, HashableList, FlatList, DeepList)
_CLONERS: dict[type, _Copier] = {
    **_COMMON,
    **dict.fromkeys(_ALL_DICTS, _dict_copier(JsDict, JsDict)),
    **dict.fromkeys(_ALL_LISTS, _list_copier(list, list)),
}
_GRAPH_THAWERS: dict[type, _Copier] = {
    **_CLONERS,
    **dict.fromkeys(_ALL_LISTS, _list_copier(JsList, JsList)),
}
_FREEZERS: dict[type, _Copier] = {
    **_COMMON,
    **dict.fromkeys(_ALL_DICTS, _dict_copier(FlatDict, DeepDict)),
    **dict.fromkeys(_ALL_LISTS, _list_copier(FlatList, DeepList)),
}
_THAWERS: dict[type, Callable[[Any], Any]] = {
    FlatDict: JsDict,
    FlatList: JsList,
    DeepDict: _thaw_dict,
    DeepList: _thaw_list,
    set: set,
    FrozenBytes: lambda value: deserialize(value.data),
    FrozenGraph: lambda value: _copied(_GRAPH_THAWERS, value.root, {}),
    **dict.fromkeys(ERROR_TYPES, _thaw_by_cloning),
}
