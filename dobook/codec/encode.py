"""Values → bytes: V8's structured-clone format, version 15, as `_cf_KV` holds it.

Owns every byte that dobook writes. What is written equals what V8 writes in the real engine, whose
small integers have 31 bits; the one choice of ours is the order of a set, which is sorted because
Python's is not repeatable.
Implements v8/src/objects/value-serializer.cc (github.com/v8/v8), as the engine uses it in
src/workerd/io/stored-value.c++ (github.com/cloudflare/workerd).
"""

import re
import struct
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from dobook.codec import frozen
from dobook.codec.jsdict import HashableDict, HashableList, JsDict, JsList
from dobook.codec.properties import is_index, ordered, plain_dict, sorted_members
from dobook.codec.refusal import MAX_DEPTH, base_of, too_deep
from dobook.codec.values import (
    ERROR_TYPES,
    FLAG_BITS,
    MAX_SAFE,
    JsRegExp,
    datetime_to_ms,
    error_parts,
    number_from_float,
    regexp_to_js,
)

HEADER = b"\xff\x0f"
SMI_MIN, SMI_MAX = -(2**30), 2**30 - 1
"""The integers V8 keeps in a pointer, with 31 bits as the real engine is built."""

# A writer appends one value. `seen` maps the id() of an object to its number in the stream; it
# has an entry for every number given out, so its length is the next one. `ref` is the id() of
# the caller's own object when `value` is a plain copy of a subclass.
Seen = dict[int, int]

_PACK_DOUBLE = struct.Struct("<d").pack
_DOUBLE = struct.Struct("<cd").pack
_ERROR_TAGS = {
    "EvalError": b"E",
    "RangeError": b"R",
    "ReferenceError": b"F",
    "SyntaxError": b"S",
    "TypeError": b"T",
    "URIError": b"U",
}

_KEYS_KEPT = 4096
_LONGEST_KEY_KEPT = 64
_WIDEST_DICT_LEARNT = 256
_keys: dict[Any, bytes] = {}  # property name → its bytes; only names that need no second look


def varint(number: int) -> bytes:
    """Return an unsigned integer in base 128, least significant part first."""
    if number < 128:
        return _BYTES[number]
    if number < 1 << 14:
        return bytes((number & 127 | 128, number >> 7))
    if number < 1 << 21:
        return bytes((number & 127 | 128, number >> 7 & 127 | 128, number >> 14))
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


_BYTES = [bytes((n,)) for n in range(256)]
_SHORT_TEXT = [b'"' + _BYTES[n] for n in range(128)]  # tag and length of a one-byte string
_SMALL = [b"I" + varint(n << 1) for n in range(1024)]
_VARINTS = [varint(n) for n in range(1024)]


def serialize(value: object) -> bytes:
    r"""Return the bytes that V8 writes for a value.

    Args:
        value: A plain value, or what `freeze` returned. Shared and cyclic references among
            lists, dicts, sets, datetimes, errors and bytes are kept. (Bytes shorter than two are
            written again each time: Python itself shares them.)

    Returns:
        The header ff 0f and the value.

    Raises:
        PlatformTypeError: For a tuple or a bytearray, at any depth.
        DataCloneError: For anything else without a stored form, and for a value nested too deep.

    Example:
        >>> serialize({"i": 5})
        b'\xff\x0fo"\x01iI\n{\x01'

    Source: developers.cloudflare.com/durable-objects/api/storage-api/ (put: structured clone)
    """
    out = bytearray(HEADER)
    try:
        (_WRITERS.get(type(value)) or _write_other)(value, out, {}, 0)
    except RecursionError:
        raise too_deep() from None
    return bytes(out)


def _write_text(value: str, out: bytearray, seen: Seen, depth: int) -> None:
    try:
        raw = value.encode("latin-1")
    except UnicodeEncodeError:
        raw = value.encode("utf-16-le", "surrogatepass")
        length = varint(len(raw))
        if (len(out) + 1 + len(length)) & 1:
            out.append(0)  # V8 keeps two-byte characters at even offsets
        out += b"c" + length + raw
    else:
        out += _SHORT_TEXT[len(raw)] if len(raw) < 128 else b'"' + varint(len(raw))
        out += raw


def _write_int(value: int, out: bytearray, seen: Seen, depth: int) -> None:
    if SMI_MIN <= value <= SMI_MAX:
        if 0 <= value < 1024:
            out += _SMALL[value]
        else:
            out += b"I" + varint(value << 1 if value >= 0 else (-value << 1) - 1)
    elif -MAX_SAFE <= value <= MAX_SAFE:
        out += _DOUBLE(b"N", value)
    else:
        size = (value.bit_length() + 63) // 64 * 8
        out += b"Z" + varint(size << 1 | (value < 0)) + abs(value).to_bytes(size, "little")


def _write_float(value: float, out: bytearray, seen: Seen, depth: int) -> None:
    number = number_from_float(value)
    if type(number) is int:
        _write_int(number, out, seen, depth)
    else:
        out += _DOUBLE(b"N", number)


def _write_bool(value: bool, out: bytearray, seen: Seen, depth: int) -> None:  # noqa: FBT001
    out += b"T" if value else b"F"


def _write_none(value: None, out: bytearray, seen: Seen, depth: int) -> None:
    out += b"0"


def _write_bytes(value: bytes | memoryview, out: bytearray, seen: Seen, depth: int) -> None:
    raw = value if type(value) is bytes else bytes(value)
    ref = id(value) if len(raw) > 1 else 0  # Python itself shares the shorter ones
    if ref in seen:
        out += b"^" + varint(seen[ref])
        return
    size = varint(len(raw))
    out += b"B" + size
    out += raw
    out += b"VB\x00" + size + b"\x00"
    seen[-1 - len(seen)] = -1  # the ArrayBuffer takes a number of its own
    seen[ref or -1 - len(seen)] = len(seen)


def _write_datetime(value: datetime, out: bytearray, seen: Seen, depth: int) -> None:
    number = seen.get(id(value))
    if number is not None:
        out += b"^" + varint(number)
        return
    seen[id(value)] = len(seen)
    out += _DOUBLE(b"D", datetime_to_ms(value))


def _write_dict(
    value: dict[Any, Any], out: bytearray, seen: Seen, depth: int, ref: int = 0
) -> None:
    ref = ref or id(value)
    if ref in seen:
        out += b"^" + varint(seen[ref])
        return
    if depth >= MAX_DEPTH:
        raise too_deep()
    seen[ref] = len(seen)
    depth += 1
    known = _keys
    if not value.keys() <= known.keys() and not _learn(value, known):
        _write_unusual_dict(value, out, seen, depth)
        return
    out += b"o"
    for key, member in value.items():
        out += known[key]
        kind = type(member)
        if kind is str:
            if member.isascii() and len(member) < 128:
                out += _SHORT_TEXT[len(member)]
                out += member.encode()
            else:
                _write_text(member, out, seen, depth)
        elif kind is int and 0 <= member < 1024:
            out += _SMALL[member]
        else:
            (_WRITERS.get(kind) or _write_other)(member, out, seen, depth)
    out += b"{"
    out += _VARINTS[len(value)] if len(value) < 1024 else varint(len(value))


def _learn(value: dict[Any, Any], known: dict[Any, bytes]) -> bool:
    """Remember the bytes of the dict's keys; false if one of them needs a closer look."""
    global _keys
    if len(value) > _WIDEST_DICT_LEARNT:
        return False
    if len(known) > _KEYS_KEPT:
        # A new table rather than clear(): another thread may be writing from the old one.
        _keys = {}
        return False
    for key in value:
        if key in known:
            continue
        if type(key) is not str or len(key) > _LONGEST_KEY_KEPT or is_index(key):
            return False
        try:
            raw = key.encode("latin-1")
        except UnicodeEncodeError:
            return False
        known[key] = _SHORT_TEXT[len(raw)] + raw
    return True


def _write_unusual_dict(value: dict[Any, Any], out: bytearray, seen: Seen, depth: int) -> None:
    items = ordered(value)
    if items is None:
        out += b";"
        for pair in value.items():
            for member in pair:
                (_WRITERS.get(type(member)) or _write_other)(member, out, seen, depth)
        out += b":" + varint(2 * len(value))
        return
    out += b"o"
    for key, member in items:
        if is_index(key):
            _write_int(int(key), out, seen, depth)
        else:
            _write_text(key, out, seen, depth)
        (_WRITERS.get(type(member)) or _write_other)(member, out, seen, depth)
    out += b"{" + varint(len(value))


def _write_list(value: list[Any], out: bytearray, seen: Seen, depth: int, ref: int = 0) -> None:
    ref = ref or id(value)
    if ref in seen:
        out += b"^" + varint(seen[ref])
        return
    if depth >= MAX_DEPTH:
        raise too_deep()
    seen[ref] = len(seen)
    depth += 1
    size = varint(len(value))
    out += b"A" + size
    numbers = _doubles(value) if value and type(value[0]) in _NUMBERS else None
    if numbers is not None:
        # An array of numbers that are not all small integers holds nothing but doubles.
        out += b"N" + b"N".join(map(_PACK_DOUBLE, numbers))
    else:
        for member in value:
            kind = type(member)
            if kind is int and 0 <= member < 1024:
                out += _SMALL[member]
            elif kind is str and member.isascii() and len(member) < 128:
                out += _SHORT_TEXT[len(member)]
                out += member.encode()
            else:
                (_WRITERS.get(kind) or _write_other)(member, out, seen, depth)
    out += b"$\x00" + size


def _doubles(value: list[Any]) -> list[float] | None:
    """Return the members as V8's array of doubles has them, None if it is not such an array."""
    kinds = set(map(type, value))
    if not kinds <= _NUMBERS:
        return None
    if float not in kinds and min(value) >= SMI_MIN and max(value) <= SMI_MAX:
        return None
    numbers = [n if type(n) is int else number_from_float(n) for n in value]
    if all(type(n) is int and SMI_MIN <= n <= SMI_MAX for n in numbers):
        return None
    if any(type(n) is int and not -MAX_SAFE <= n <= MAX_SAFE for n in numbers):
        return None  # a BigInt is not a double
    return [float(n) for n in numbers]


def _write_set(value: Iterable[Any], out: bytearray, seen: Seen, depth: int, ref: int = 0) -> None:
    ref = ref or id(value)
    if ref in seen:
        out += b"^" + varint(seen[ref])
        return
    if depth >= MAX_DEPTH:
        raise too_deep()
    members = sorted_members(value)
    # Python has only one empty frozenset; its later occurrences are not references.
    seen[ref if members or type(value) is set else -1 - len(seen)] = len(seen)
    out += b"'"
    for member in members:
        (_WRITERS.get(type(member)) or _write_other)(member, out, seen, depth + 1)
    out += b"," + varint(len(members))


def _write_error(value: BaseException, out: bytearray, seen: Seen, depth: int) -> None:
    if id(value) in seen:
        out += b"^" + varint(seen[id(value)])
        return
    if depth >= MAX_DEPTH:
        raise too_deep()
    seen[id(value)] = len(seen)
    name, message, stack = error_parts(value)
    out += b"r" + _ERROR_TAGS.get(name, b"")
    if message:
        out += b"m"
        _write_text(message, out, seen, depth)
    out += b"s"
    _write_text(stack, out, seen, depth)
    if value.__cause__ is not None:
        out += b"c"
        _write_error(value.__cause__, out, seen, depth + 1)
    out += b"."


def _write_pattern(value: Any, out: bytearray, seen: Seen, depth: int) -> None:
    if id(value) in seen:
        out += b"^" + varint(seen[id(value)])
        return
    if type(value) is JsRegExp:
        source, flags = value.source, value.flags
    elif isinstance(value.pattern, str):
        source, flags = regexp_to_js(value)
    else:
        base_of(value)  # raises: a pattern of bytes
        return
    seen[id(value)] = len(seen)
    out += b"R"
    _write_text(source, out, seen, depth)
    out += varint(sum(FLAG_BITS.get(flag, 0) for flag in set(flags)))


def _write_graph(value: frozen.FrozenGraph, out: bytearray, seen: Seen, depth: int) -> None:
    (_WRITERS.get(type(value.root)) or _write_other)(value.root, out, seen, depth)


def _write_frozen(value: frozen.FrozenBytes, out: bytearray, seen: Seen, depth: int) -> None:
    out += value.data[len(HEADER) :]


def _write_other(value: Any, out: bytearray, seen: Seen, depth: int) -> None:
    """Write a value of a type that is not in the table, as the type it is derived from."""
    stands_for = getattr(type(value), "_as_value_", None)
    if stands_for is not None:
        plain = stands_for(value)
        (_WRITERS.get(type(plain)) or _write_other)(plain, out, seen, depth)
        return
    base = base_of(value)
    if base is dict:
        _write_dict(plain_dict(value), out, seen, depth, id(value))
    elif base is list:
        _write_list(list(list.__iter__(value)), out, seen, depth, id(value))
    elif base is set or base is frozenset:
        _write_set(frozenset(base.__iter__(value)), out, seen, depth, id(value))
    elif base is int:
        _write_int(int.__int__(value), out, seen, depth)
    elif base is str:
        _write_text(str.__str__(value), out, seen, depth)
    elif base is float:
        _write_float(float.__float__(value), out, seen, depth)
    elif base is bytes:
        _write_bytes(memoryview(value), out, seen, depth)
    elif base is datetime:
        _write_datetime(value, out, seen, depth)
    else:
        _write_error(value, out, seen, depth)


_NUMBERS = frozenset({int, float})
_WRITERS: dict[type, Callable[..., None]] = {
    type(None): _write_none,
    bool: _write_bool,
    int: _write_int,
    float: _write_float,
    str: _write_text,
    bytes: _write_bytes,
    memoryview: _write_bytes,
    datetime: _write_datetime,
    re.Pattern: _write_pattern,
    JsRegExp: _write_pattern,
    set: _write_set,
    frozenset: _write_set,
    frozen.FrozenGraph: _write_graph,
    frozen.FrozenBytes: _write_frozen,
    **dict.fromkeys((dict, JsDict, HashableDict, frozen.FlatDict, frozen.DeepDict), _write_dict),
    **dict.fromkeys((list, JsList, HashableList, frozen.FlatList, frozen.DeepList), _write_list),
    **dict.fromkeys(ERROR_TYPES, _write_error),
}
