"""Bytes → values: what V8 wrote, in the format versions 13 to 15.

Owns the reading of stored bytes. It trusts nothing: sizes are checked against the bytes that are
there, and what a few bytes can ask for (holes of a sparse array, views of a buffer, depth) is
bounded. It never evaluates anything.
Implements v8/src/objects/value-serializer.cc (github.com/v8/v8) and, for errors, the host object
of src/workerd/jsg/ser.c++ (github.com/cloudflare/workerd).
"""

import struct
from typing import Any

from dobook.codec.jsdict import HashableDict, HashableList, JsDict
from dobook.codec.reader import (
    MOST_HOLES,
    NUMBERS,
    READERS,
    TEXTS,
    Reader,
    Refs,
    next_tag,
    text,
    too_deep,
    varint,
)
from dobook.codec.refusal import MAX_DEPTH
from dobook.codec.values import error_from_parts, set_cause
from dobook.errors import FLAGS, CodecError

OLDEST_VERSION, NEWEST_VERSION = 13, 16
_NATIVE_ERROR = 10  # the engine's tag for an error with its own properties

_ERROR_NAMES = {
    ord("E"): "EvalError",
    ord("R"): "RangeError",
    ord("F"): "ReferenceError",
    ord("S"): "SyntaxError",
    ord("T"): "TypeError",
    ord("U"): "URIError",
}
_HOST_ERROR_NAMES = (
    *("", "Error", "TypeError", "RangeError", "ReferenceError", "SyntaxError"),
    *("WasmCompileError", "WasmLinkError", "WasmRuntimeError", "WasmSuspendError"),
    *("EvalError", "URIError", "AggregateError", "SuppressedError"),
)

_NAMES_KEPT = 4096
_names: dict[bytes, str] = {}  # a short property name's bytes → the one string for it


def deserialize(data: bytes | bytearray | memoryview) -> Any:
    r"""Return the value that V8 wrote as these bytes.

    Objects and Maps read as `JsDict`, Dates as aware UTC datetimes (None when invalid), every
    kind of buffer as bytes, undefined and holes as None, boxed primitives as the primitive.
    Objects and arrays that are members of a Set or keys of a Map read as hashable subclasses of
    dict and list; a Set inside a Set reads as a frozenset. Python holds 1, 1.0 and True for the
    same key: a Map or Set that has several of them keeps one.

    Args:
        data: A stored value, with or (as in the platform's early days) without a header.

    Raises:
        CodecError: If the bytes are not a value: cut short, of an unknown kind, or nested too deep.

    Example:
        >>> deserialize(b'\xff\x0fo"\x01iI\n{\x01')
        {'i': 5}

    Source: developers.cloudflare.com/durable-objects/api/storage-api/
    """
    if type(data) is not bytes:
        data = bytes(data)
    refs = Refs()
    try:
        if data[0] == 0xFF:
            version, pos = varint(data, 1)
            if not OLDEST_VERSION <= version <= NEWEST_VERSION:
                raise CodecError(f"format version {version} is not supported")
            if version != 15:
                refs.version = version
        else:
            refs.version, pos = 13, 0
        value, pos = READERS[data[pos]](data, pos + 1, refs, 0)
    except (IndexError, struct.error):
        raise CodecError(f"stored value is cut short after {len(data)} bytes") from None
    except RecursionError:
        raise too_deep() from None
    if pos != len(data):
        raise CodecError(f"stored value ends at byte {pos} of {len(data)}")
    for copy, original in refs.fixups or ():
        copy[:] = original
    return value


def _object(
    data: bytes, pos: int, refs: Refs, depth: int, kind: type[JsDict] = JsDict
) -> tuple[JsDict, int]:
    if depth >= MAX_DEPTH:
        raise too_deep()
    out = kind()
    refs.append(out)
    depth += 1
    names = _names
    count = 0
    while True:
        tag = data[pos]
        if tag == 0x22 and (size := data[pos + 1]) < 64:
            start = pos
            pos += 2 + size
            raw = data[start:pos]
            key = names.get(raw)
            if key is None:
                key = _learn(raw, size, names)
        elif tag == 0x7B:
            expected, pos = varint(data, pos + 1)
            if expected != count:
                raise CodecError(f"object before byte {pos} has {count} properties")
            return out, pos
        elif not tag:
            pos += 1
            continue
        else:
            key, pos = _property_name(data, pos, refs)
        tag = data[pos]
        if tag == 0x22 and (size := data[pos + 1]) < 128:
            pos += 2
            raw = data[pos : pos + size]
            pos += size
            out[key] = raw.decode("latin-1")
            if len(raw) != size:
                raise IndexError
        elif tag == 0x49 and (size := data[pos + 1]) < 128:
            out[key] = (size >> 1) ^ -(size & 1)
            pos += 2
        else:
            out[key], pos = READERS[tag](data, pos + 1, refs, depth)
        count += 1


def _learn(raw: bytes, size: int, names: dict[bytes, str]) -> str:
    global _names
    if len(raw) != size + 2:
        raise IndexError
    if len(names) > _NAMES_KEPT:
        _names = {}  # a new table rather than clear(): another thread may be reading the old one
    name = raw[2:].decode("latin-1")
    names[raw] = name
    return name


def _property_name(data: bytes, pos: int, refs: Refs) -> tuple[str, int]:
    tag, pos = next_tag(data, pos)
    reader = TEXTS.get(tag) or NUMBERS.get(tag)
    if reader is None:
        raise CodecError(f"a property name is expected at byte {pos - 1}")
    key, pos = reader(data, pos, refs, 0)
    return (key if type(key) is str else str(key)), pos


def _map(
    data: bytes, pos: int, refs: Refs, depth: int, kind: type[JsDict] = JsDict
) -> tuple[JsDict, int]:
    if depth >= MAX_DEPTH:
        raise too_deep()
    out = kind()
    refs.append(out)
    count = 0
    while True:
        tag, pos = next_tag(data, pos)
        if tag == 0x3A:
            expected, pos = varint(data, pos)
            if expected != count:
                raise CodecError(f"Map before byte {pos} has {count} keys and values")
            return out, pos
        key, pos = _hashable(data, pos, tag, refs, depth + 1)
        out[key], pos = READERS[data[pos]](data, pos + 1, refs, depth + 1)
        count += 2


def _set(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[set[Any], int]:
    if depth >= MAX_DEPTH:
        raise too_deep()
    out: set[Any] = set()
    refs.append(out)
    count = 0
    while True:
        tag, pos = next_tag(data, pos)
        if tag == 0x2C:
            expected, pos = varint(data, pos)
            if expected != count:
                raise CodecError(f"Set before byte {pos} has {count} members")
            return out, pos
        member, pos = _hashable(data, pos, tag, refs, depth + 1)
        out.add(member)
        count += 1


def _hashable(data: bytes, pos: int, tag: int, refs: Refs, depth: int) -> tuple[Any, int]:
    """Read a member of a Set or a key of a Map."""
    if tag == 0x6F:
        return _object(data, pos, refs, depth, HashableDict)
    if tag == 0x3B:
        return _map(data, pos, refs, depth, HashableDict)
    if tag == 0x41:
        return _array(data, pos, refs, depth, HashableList)
    if tag == 0x61:
        return _sparse_array(data, pos, refs, depth, HashableList)
    number = varint(data, pos)[0] if tag == 0x5E else len(refs)
    value, pos = READERS[tag](data, pos, refs, depth)
    kind = type(value)
    if kind is JsDict:
        object.__setattr__(value, "__class__", HashableDict)  # JsDict would make it a key
    elif kind is list:
        # Met before as a plain list, and maybe not complete yet: filled when all is read. Later
        # references are to the copy, so that there is one at most.
        copy = refs[number] = HashableList()
        if refs.fixups is None:
            refs.fixups = []
        refs.fixups.append((copy, value))
        value = copy
    elif kind is set:
        value = refs[number] = frozenset(value)
    return value, pos


def _array(
    data: bytes, pos: int, refs: Refs, depth: int, kind: type[list[Any]] = list
) -> tuple[list[Any], int]:
    if depth >= MAX_DEPTH:
        raise too_deep()
    length, pos = varint(data, pos)
    if length > len(data) - pos:
        raise CodecError(f"array at byte {pos} has {length} members, more than bytes are left")
    out = kind()
    refs.append(out)
    add = out.append
    depth += 1
    for _ in range(length):
        tag = data[pos]
        if tag == 0x49 and (byte := data[pos + 1]) < 128:
            add((byte >> 1) ^ -(byte & 1))
            pos += 2
        elif tag == 0x2D:
            add(None)
            pos += 1
        else:
            value, pos = READERS[tag](data, pos + 1, refs, depth)
            add(value)
    return out, _array_properties(data, pos, refs, depth, out, 0x24)


def _sparse_array(
    data: bytes, pos: int, refs: Refs, depth: int, kind: type[list[Any]] = list
) -> tuple[list[Any], int]:
    if depth >= MAX_DEPTH:
        raise too_deep()
    length, pos = varint(data, pos)
    refs.holes -= length
    if refs.holes < 0:
        raise CodecError(f"sparse arrays of more than {MOST_HOLES} members are not supported")
    out = kind()
    refs.append(out)
    out.extend([None] * length)
    return out, _array_properties(data, pos, refs, depth + 1, out, 0x40)


def _array_properties(
    data: bytes, pos: int, refs: Refs, depth: int, out: list[Any], end: int
) -> int:
    """Read an array's properties: indices become members, names have no place in a list."""
    count = 0
    while True:
        tag, pos = next_tag(data, pos)
        if tag == end:
            expected, pos = varint(data, pos)
            length, pos = varint(data, pos)
            if expected != count or length != len(out):
                raise CodecError(f"array before byte {pos} has {count} properties")
            return pos
        key, pos = _property_name(data, pos - 1, refs)
        value, pos = READERS[data[pos]](data, pos + 1, refs, depth)
        if key.isdecimal() and key.isascii() and len(key) < 11 and int(key) < len(out):
            out[int(key)] = value
        count += 1


def _error(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[Any, int]:
    if depth >= MAX_DEPTH:
        raise too_deep()
    index = len(refs)
    refs.append(None)
    name, message, stack = "Error", "", None
    error = None
    while True:
        tag = data[pos]
        pos += 1
        if tag in _ERROR_NAMES:
            name = _ERROR_NAMES[tag]
        elif tag == 0x6D:
            message, pos = text(data, pos, refs)
        elif tag == 0x73:
            stack, pos = text(data, pos, refs)
        elif tag == 0x63:
            # The cause may refer to the error, which therefore must exist by now.
            error = refs[index] = error_from_parts(name, message, stack)
            cause, pos = READERS[data[pos]](data, pos + 1, refs, depth + 1)
            set_cause(error, cause)
        elif tag == 0x2E:
            break
        else:
            raise CodecError(f"unknown part of an error at byte {pos - 1}")
    if error is None:
        error = refs[index] = error_from_parts(name, message, stack)
    elif stack is not None:
        error.stack = stack  # type: ignore[attr-defined]
    return error, pos


def _host_object(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[Any, int]:
    if depth >= MAX_DEPTH:
        raise too_deep()
    index = len(refs)
    refs.append(None)
    tag, pos = varint(data, pos)
    if tag != _NATIVE_ERROR:
        raise CodecError(f"host object {tag} cannot be read outside the engine")
    number, pos = varint(data, pos)
    name = _HOST_ERROR_NAMES[number] if number < len(_HOST_ERROR_NAMES) else "Error"
    if not name:
        custom, pos = READERS[data[pos]](data, pos + 1, refs, depth + 1)
        name = custom if type(custom) is str else "Error"
    message, pos = text(data, pos, refs)
    error = refs[index] = error_from_parts(name, message, None)
    own, pos = READERS[data[pos]](data, pos + 1, refs, depth + 1)
    if type(own) is JsDict:
        for flag in FLAGS:
            if own.get(flag) is True:
                setattr(error, flag, True)
        if type(own.get("stack")) is str:
            error.stack = own["stack"]  # type: ignore[attr-defined]
        set_cause(error, own.get("cause"))
    return error, pos


_BY_TAG: dict[str, Reader] = {
    "o": _object,
    ";": _map,
    "'": _set,
    "A": _array,
    "a": _sparse_array,
    "r": _error,
    "\\": _host_object,
}
for _tag_text, _reader in _BY_TAG.items():
    READERS[ord(_tag_text)] = _reader
