"""Single values out of V8's bytes: numbers, texts, dates, patterns, buffers.

Owns the table of readers by tag, the numbering of objects, and the budgets that keep hostile
bytes cheap. Containers and errors are read in `decode.py`, which adds them to the table.
Implements v8/src/objects/value-serializer.cc (github.com/v8/v8).
"""

import struct
from collections.abc import Callable
from typing import Any

from dobook.codec.refusal import MAX_DEPTH
from dobook.codec.values import (
    FLAG_BITS,
    JsRegExp,
    datetime_from_ms,
    number_from_float,
    regexp_from_js,
)
from dobook.errors import CodecError

MOST_HOLES = 5_000_000  # of all sparse arrays of one value together
_MOST_VIEW_BYTES = 64 * 1024 * 1024  # copied for views that are a part of their buffer
_MOST_REGEXP_WORK = 10_000  # characters; a class in a case-blind pattern counts as many
_CLASS_WORK = 200
_DOUBLE = struct.Struct("<d").unpack_from
_VIEWS = frozenset(b"bBCwWdDhfFqQ?")


class Refs(list[Any]):
    """The objects read so far, by number, and what is left of the budgets."""

    version = 15
    holes = MOST_HOLES
    view_bytes = _MOST_VIEW_BYTES
    regexp_work = _MOST_REGEXP_WORK
    fixups: list[tuple[list[Any], list[Any]]] | None = None


# A reader gets the position after the tag and returns the value and the position after it.
Reader = Callable[[bytes, int, Refs, int], tuple[Any, int]]


def too_deep() -> CodecError:
    """Return the error for bytes that nest deeper than `MAX_DEPTH`."""
    return CodecError(f"stored value is nested too deep; the limit is {MAX_DEPTH}")


def varint(data: bytes, pos: int) -> tuple[int, int]:
    """Return the unsigned 32-bit number at `pos` and the position after it."""
    byte = data[pos]
    if byte < 128:
        return byte, pos + 1
    value = byte & 127
    for shift in (7, 14, 21, 28):
        pos += 1
        byte = data[pos]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFF, pos + 1
    raise CodecError(f"number at byte {pos} is longer than 32 bits")


def _sized(data: bytes, pos: int) -> tuple[bytes, int]:
    """Return the bytes whose length stands at `pos`."""
    size, pos = varint(data, pos)
    if size > len(data) - pos:
        raise CodecError(f"stored value is cut short after {len(data)} bytes")
    return data[pos : pos + size], pos + size


def _one_byte_text(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[str, int]:
    raw, pos = _sized(data, pos)
    return raw.decode("latin-1"), pos


def _two_byte_text(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[str, int]:
    raw, pos = _sized(data, pos)
    if len(raw) & 1:
        raise CodecError(f"text before byte {pos} ends in half a character")
    return raw.decode("utf-16-le", "surrogatepass"), pos


def _utf8_text(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[str, int]:
    raw, pos = _sized(data, pos)
    return raw.decode("utf-8", "replace"), pos


def text(data: bytes, pos: int, refs: Refs) -> tuple[str, int]:
    """Read a value that must be text, tag included."""
    tag, pos = next_tag(data, pos)
    if tag not in TEXTS:
        raise CodecError(f"text is expected at byte {pos - 1}")
    return TEXTS[tag](data, pos, refs, 0)


def next_tag(data: bytes, pos: int) -> tuple[int, int]:
    """Return the tag at `pos` or after the padding there, and the position after it."""
    while not data[pos]:
        pos += 1
    return data[pos], pos + 1


def _padding(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[Any, int]:
    tag, pos = next_tag(data, pos)
    return READERS[tag](data, pos, refs, depth)


def _verified(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[Any, int]:
    if depth >= MAX_DEPTH:
        raise too_deep()
    _, pos = varint(data, pos)
    return READERS[data[pos]](data, pos + 1, refs, depth + 1)


def _int(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[int, int]:
    number, pos = varint(data, pos)
    return (number >> 1) ^ -(number & 1), pos


def _uint(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[int, int]:
    return varint(data, pos)


def _double(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[int | float, int]:
    return number_from_float(_DOUBLE(data, pos)[0]), pos + 8


def _bigint(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[int, int]:
    bits, pos = varint(data, pos)
    end = pos + (bits >> 1)
    if end > len(data):
        raise CodecError(f"stored value is cut short after {len(data)} bytes")
    number = int.from_bytes(data[pos:end], "little")
    return (-number if bits & 1 else number), end


def _none(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[None, int]:
    return None, pos


def _true(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[bool, int]:
    return True, pos


def _false(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[bool, int]:
    return False, pos


def _boxed(reader: Reader) -> Reader:
    """Return a reader that reads a boxed primitive as the primitive."""

    def read(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[Any, int]:
        index = len(refs)
        refs.append(None)
        refs[index], pos = reader(data, pos, refs, depth)
        return refs[index], pos

    return read


def _boxed_text(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[str, int]:
    return text(data, pos, refs)


def _date(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[Any, int]:
    value = datetime_from_ms(_DOUBLE(data, pos)[0])
    refs.append(value)
    return value, pos + 8


def _regexp(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[Any, int]:
    index = len(refs)
    refs.append(None)
    source, pos = text(data, pos, refs)
    bits, pos = varint(data, pos)
    flags = "".join(sorted(flag for flag, bit in FLAG_BITS.items() if bits & bit))
    # Python folds the case of every character of a class when it compiles the pattern.
    refs.regexp_work -= len(source) + (_CLASS_WORK * source.count("[") if "i" in flags else 0)
    known = refs.regexp_work >= 0
    refs[index] = regexp_from_js(source, flags) if known else JsRegExp(source, flags)
    return refs[index], pos


def _reference(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[Any, int]:
    number, pos = varint(data, pos)
    if number >= len(refs):
        raise CodecError(f"reference to object {number}, of which there are {len(refs)}")
    value = refs[number]
    if type(value) is bytes and data[pos : pos + 1] == b"V":
        return _view(value, data, pos + 1, refs)
    return value, pos


def _buffer(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[bytes, int]:
    raw, pos = _sized(data, pos)
    refs.append(raw)
    if data[pos : pos + 1] == b"V":
        return _view(raw, data, pos + 1, refs)
    return raw, pos


def _resizable_buffer(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[bytes, int]:
    size, pos = varint(data, pos)
    most, pos = varint(data, pos)
    if size > most or size > len(data) - pos:
        raise CodecError(f"buffer at byte {pos} is longer than it may be")
    raw = data[pos : pos + size]
    pos += size
    refs.append(raw)
    if data[pos : pos + 1] == b"V":
        return _view(raw, data, pos + 1, refs)
    return raw, pos


def _view(buffer: bytes, data: bytes, pos: int, refs: Refs) -> tuple[bytes, int]:
    kind = data[pos]
    offset, pos = varint(data, pos + 1)
    size, pos = varint(data, pos)
    flags = 0
    if refs.version >= 14:
        flags, pos = varint(data, pos)
    if flags & 1:  # the view follows its buffer's length
        size = len(buffer) - offset
    if kind not in _VIEWS or size < 0 or offset + size > len(buffer):
        raise CodecError(f"view before byte {pos} does not fit its buffer")
    if size != len(buffer):
        refs.view_bytes -= size
        if refs.view_bytes < 0:
            raise CodecError("stored value has more views of buffers than can be copied")
        buffer = buffer[offset : offset + size]
    refs.append(buffer)
    return buffer, pos


def _unknown(data: bytes, pos: int, refs: Refs, depth: int) -> tuple[Any, int]:
    raise CodecError(f"unknown tag {data[pos - 1]:#04x} at byte {pos - 1}")


TEXTS: dict[int, Reader] = {0x22: _one_byte_text, 0x63: _two_byte_text, 0x53: _utf8_text}
NUMBERS: dict[int, Reader] = {0x49: _int, 0x55: _uint, 0x4E: _double}
_BY_TAG: dict[str, Reader] = {
    "\0": _padding,
    "?": _verified,
    "_": _none,
    "0": _none,
    "T": _true,
    "F": _false,
    "Z": _bigint,
    "y": _boxed(_true),
    "x": _boxed(_false),
    "n": _boxed(_double),
    "z": _boxed(_bigint),
    "s": _boxed(_boxed_text),
    "D": _date,
    "R": _regexp,
    "^": _reference,
    "B": _buffer,
    "~": _resizable_buffer,
}
READERS: list[Reader] = [_unknown] * 256
for _tag_text, _reader in _BY_TAG.items():
    READERS[ord(_tag_text)] = _reader
for _tag_number, _reader in {**TEXTS, **NUMBERS}.items():
    READERS[_tag_number] = _reader
