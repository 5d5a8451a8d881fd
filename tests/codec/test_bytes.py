"""The bytes are the engine's, both ways. `recorded.json` says how they were recorded."""

import json
import math
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dobook.codec import JsRegExp, clone, deserialize, freeze, serialize, thaw
from dobook.errors import PlatformError, PlatformRangeError, PlatformTypeError

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())
VALUES = {name: bytes.fromhex(data) for name, data in RECORDED["values"].items()}
ENHANCED = {name: bytes.fromhex(data) for name, data in RECORDED["enhanced"].items()}

EXACT: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "int 0": 0,
    "int 1": 1,
    "int -1": -1,
    "int 63": 63,
    "int 64": 64,
    "int 1000": 1000,
    "int -65": -65,
    "int 2^30-1": 2**30 - 1,
    "int 2^30": 2**30,
    "int -2^30": -(2**30),
    "int -2^30-1": -(2**30) - 1,
    "int 2^31-1": 2**31 - 1,
    "int 2^31": 2**31,
    "int -2^31": -(2**31),
    "int -2^31-1": -(2**31) - 1,
    "int 2^32": 2**32,
    "int 2^53-1": 2**53 - 1,
    "int -(2^53-1)": -(2**53) + 1,
    "1.5": 1.5,
    "-0": -0.0,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
    "1e300": 1e300,
    "2^53": 2.0**53,
    "5e-324": 5e-324,
    "bigint 2^53": 2**53,
    "bigint -2^53": -(2**53),
    "bigint 2^64": 2**64,
    "bigint -2^64+1": -(2**64) + 1,
    "bigint 2^64-1": 2**64 - 1,
    "bigint 10^40": 10**40,
    "str empty": "",
    "str ascii": "hello",
    "str latin1": "h\u00e9\u00ff",
    "str two-byte": "\u20ac",
    "str emoji": "a\U0001f600b",
    "str lone": "\ud800x",
    "str lone low": "x\udc00",
    "str 127": "x" * 127,
    "str 128": "x" * 128,
    "str 300": "x" * 300,
    "str two-byte 63": "\u20ac" * 63,
    "str two-byte 64": "\u20ac" * 64,
    "str two-byte 100": "\u20ac" * 100,
    "str nul": "a\0b",
    "arr two-byte odd": ["a", "\u20ac", "bc", "\u20ac\u20ac"],
    "arr empty": [],
    "arr ints": [1, 2, 3],
    "arr doubles": [1.5, 2, 3],
    "arr big ints": [1, 2**31],
    "arr 2^30": [1, 2**30],
    "arr -0": [0, -0.0],
    "arr num then str": [1.5, 2, "a"],
    "arr nested": [[1], [[2]], []],
    "arr 200": list(range(200)),
    "obj two-byte": {"k": "\u20ac", "\u20ac": "kk", "\U0001f600": 1, "kkk": "\u20ac"},
    "obj empty": {},
    "obj is": {"i": 5, "s": "x" * 50},
    "obj order": {
        "b": 1,
        "10": 2,
        "a": 3,
        "2": 4,
        "01": 5,
        "-1": 6,
        "4294967294": 7,
        "4294967295": 8,
        "4294967296": 9,
        "1.5": 10,
        "": 11,
        "1073741824": 12,
        "2147483648": 13,
        "1073741823": 14,
        "9007199254740991": 15,
        "9007199254740992": 16,
    },
    "obj keys latin1": {"\u00e9": 1, "a b": 2, "__proto_": 3},
    "obj nested": {"a": {"b": {"c": [1, {"d": 2}]}}},
    "obj long key": {"k" * 130: 1},
    "obj proto key": {"__proto__": 1},
    "map int": {1: "one", 2: "two"},
    "map date key": {datetime(1970, 1, 1, 0, 0, 0, 5000, UTC): 1},
    "set empty": set(),
    "set ints": {1, 2, 3},
    "set strs": {"a", "b"},
    "set of sets": {frozenset({1})},
    "date 0": datetime(1970, 1, 1, tzinfo=UTC),
    "date": datetime(2026, 1, 1, 0, 0, 0, 123_000, UTC),
    "date negative": datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC),
    "bytes empty": b"",
    "bytes": b"\x01\x02\xff",
    "bytes 200": b"\x07" * 200,
    "rich": {
        "id": 12345,
        "name": "Ada Lovelace",
        "email": "ada@example.org",
        "balance": 12.75,
        "active": True,
        "tags": ["a", "b"],
        "address": {"city": "London", "zip": None},
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "blob": b"\0\1\2",
    },
}
READ_ONLY: dict[str, Any] = {
    "bigint 0": 0,
    "bigint 5": 5,
    "bigint -5": -5,
    "arr holes": [1, None, 3],
    "arr holes double": [1.5, None, 3],
    "arr trailing hole": [1, None],
    "arr undefined": [None, None],
    "arr len": [None, None, None],
    "arr props": [1, 2],
    "arr sparse": [None] * 5000 + ["x"],
    "arr sparse 2": [1, 2, *[None] * 1_999_998, 3],
    "arr mixed": [1, 1.5, "a", None, None, True, False, {}, []],
    "arr bigint num": [1.5, 2**60, 3],
    "obj undefined": {"a": None, "b": None},
    "obj class": {"x": 1},
    "map empty": {},
    "map str": {"a": 1, "b": [2]},
    "map mixed": {None: 1, 1.5: 2, True: 3, "x": 4, 2**60: 5},
    "date invalid": None,
    "date max": 8_640_000_000_000_000,
    "bytes view": b"\x02\x03\x04",
    "bytes two views": [b"\1\2", b"\3\4", b"\1\2\3\4"],
    "arraybuffer": b"\x09\x08",
    "resizable": b"\0\0\0\0",
    "resizable view": b"\0\0\0\0",
    "i8": b"\xff",
    "u8c": b"\xff",
    "i16": b"\xfe\xff",
    "u16": b"\x02\0",
    "i32": b"\xfe\xff\xff\xff",
    "u32": b"\x02\0\0\0",
    "f16": b"\0\x3e",
    "f32": b"\0\0\xc0\x3f",
    "f64": b"\0\0\0\0\0\0\xf8\x3f",
    "i64": b"\xff" * 8,
    "u64": b"\x01" + b"\0" * 7,
    "dataview": b"\0\0",
    "boxed": [5, 1.5, "s", True, False, 7],
    "boxed two-byte": "\u20ac",
}


@pytest.mark.parametrize("name", EXACT)
def test_what_is_written_equals_what_the_engine_writes(name: str) -> None:
    assert serialize(EXACT[name]) == VALUES[name]


@pytest.mark.parametrize("name", EXACT)
def test_frozen_and_cloned_values_are_written_alike(name: str) -> None:
    value = EXACT[name]
    assert serialize(freeze(value)) == VALUES[name]
    assert serialize(clone(value)) == VALUES[name]
    assert serialize(thaw(freeze(value))) == VALUES[name]


@pytest.mark.parametrize("name", [*EXACT, *READ_ONLY])
def test_what_the_engine_wrote_is_read(name: str) -> None:
    expected = {**EXACT, **READ_ONLY}[name]
    value = deserialize(VALUES[name])
    assert value == expected
    assert told(value) == told(clone(expected))  # int and float, -0.0 and 0 are told apart


def told(value: Any) -> str:
    """Return what `repr` says; a set's members in an order that no hash decides."""
    return f"set {sorted(map(told, value))}" if isinstance(value, set) else repr(value)


@pytest.mark.parametrize("name", VALUES)
def test_reading_never_fails_and_writing_again_keeps_the_value(name: str) -> None:
    value = deserialize(VALUES[name])
    written = serialize(value)
    assert serialize(deserialize(written)) == written
    assert serialize(freeze(value)) == serialize(clone(value)) == written


def test_arrays_with_nan_are_written_as_doubles() -> None:
    assert serialize([1, math.nan]) == VALUES["arr NaN"]
    assert serialize([1, float("-nan")]) == VALUES["arr NaN"]
    assert serialize(math.nan) == serialize(-math.nan) == VALUES["NaN"]


def test_integral_floats_are_written_as_the_integers_they_are() -> None:
    assert serialize(1000.0) == VALUES["int 1000"]
    assert serialize([1.0, 2, 3.0]) == VALUES["arr ints"]
    assert serialize({1.0: "one", 2: "two"}) == VALUES["map int"]


def test_a_bigint_among_numbers_leaves_the_others_as_they_are() -> None:
    assert serialize([1, 2**60]) == b"\xff\x0fA\x02I\x02" + serialize(2**60)[2:] + b"$\x00\x02"


def test_references_are_those_of_the_engine() -> None:
    shared: dict[str, Any] = {"a": 1}
    assert serialize([shared, shared]) == VALUES["shared"]
    empty: list[Any] = []
    assert serialize({"a": empty, "b": empty, "c": {}}) == VALUES["shared empty"]
    me: dict[str, Any] = {"name": "me"}
    me["self"] = me
    assert serialize(me) == VALUES["cycle obj"]
    itself: list[Any] = [1]
    itself.append(itself)
    assert serialize(itself) == VALUES["cycle arr"]
    date = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert serialize([date, date]) == VALUES["date shared"]
    pair = bytes([1, 2])
    assert serialize([pair, pair]) == VALUES["bytes shared"]
    assert serialize([bytes([1, 2]), bytes([1, 2])]) == VALUES["bytes distinct"]
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    assert serialize(deep) == VALUES["deep"]


def test_references_are_read_as_references() -> None:
    first, second = deserialize(VALUES["shared"])
    assert first is second
    me = deserialize(VALUES["cycle obj"])
    assert me.self is me
    itself = deserialize(VALUES["cycle arr"])
    assert itself[1] is itself
    mixed = deserialize(VALUES["refs mixed"])
    assert all(a is b for a, b in zip(mixed[:7], mixed[7:], strict=True))
    mixed = deserialize(ENHANCED["refs mixed"])
    assert all(a is b for a, b in zip(mixed[:7], mixed[7:], strict=True))


def test_objects_in_sets_and_map_keys_are_hashed_by_identity() -> None:
    (key, one), (array, two) = deserialize(VALUES["map obj key"]).items()
    assert (key, one, array, two) == ({"a": 1}, 1, [1], 2)
    members = {repr(member) for member in deserialize(VALUES["set objs"])}
    assert members == {"[2]", "frozenset({3})", "{'a': 1}", "{1: 2}"}
    shared = deserialize(VALUES["set shared"])
    assert shared.o in shared.s
    assert [1] in list(shared.s)
    cycle = deserialize(VALUES["set cycle"])
    (obj,) = (member for member in cycle if isinstance(member, dict))
    (array,) = (member for member in cycle if isinstance(member, list))
    assert obj["s"] is cycle
    assert array[0] is cycle
    assert deserialize(VALUES["set itself"]) == {1, frozenset({1})}


def test_an_array_met_before_it_is_a_member_of_a_set_is_complete_in_it() -> None:
    # [l, 1] with l = [Set{l}, 7]: the Set is read while l has no members yet.
    value = deserialize(b"\xff\x0fA\x02'^\x00,\x01I\x0e$\x00\x02")
    (member,) = value[0]
    assert member == value
    assert type(thaw(freeze(value))[0]) is set


def test_errors_are_written_as_engines_of_any_age_read_them() -> None:
    assert serialize(PlatformTypeError("t")) == VALUES["err type"] == serialize(TypeError("t"))
    assert serialize(ValueError("r")) == VALUES["err range"]
    assert serialize(SyntaxError("s")) == VALUES["err syntax"]
    assert serialize(Exception()) == VALUES["err empty"]
    assert serialize(KeyboardInterrupt("\u20ac")) == VALUES["err two-byte"]
    boom = PlatformError("boom")
    boom.stack = "Error: boom\n    at x"  # type: ignore[attr-defined]
    assert serialize(boom) == VALUES["err"]
    outer, inner = PlatformError("a"), PlatformError("b")
    outer.stack, inner.stack = "S", "T"  # type: ignore[attr-defined]
    outer.__cause__ = inner
    assert serialize(outer) == VALUES["err cause err"]


@pytest.mark.parametrize("recorded", [VALUES, ENHANCED], ids=["plain", "enhanced"])
def test_errors_are_read_from_either_form(recorded: dict[str, bytes]) -> None:
    def read(name: str) -> Any:
        return deserialize(recorded[name])

    assert type(read("err")) is PlatformError
    assert (str(read("err")), read("err").stack) == ("boom", "Error: boom\n    at x")
    assert type(read("err type")) is PlatformTypeError
    assert type(read("err range")) is PlatformRangeError
    assert read("err ref").js_name == "ReferenceError"
    assert read("err uri").js_name == "URIError"
    assert str(read("err empty")) == ""
    assert str(read("err two-byte")) == "\u20ac"
    assert not read("err no stack").stack
    assert read("err cause").cause == {"why": 1}
    assert read("err cause int").cause == 5
    assert str(read("err cause err").__cause__) == "b"
    itself = read("err cause self")
    assert itself.cause[0] is itself


def test_enhanced_errors_keep_name_and_flags() -> None:
    error = deserialize(ENHANCED["err custom"])
    assert (error.js_name, error.retryable) == ("MyError", True)
    assert deserialize(ENHANCED["err aggregate"]).js_name == "AggregateError"


def test_patterns_are_written_as_the_engine_writes_them() -> None:
    assert serialize(re.compile("ab+c", re.IGNORECASE)) == VALUES["regexp"].replace(
        b"\x03", b"\x02"
    )
    assert serialize(re.compile(r"a/b[/]" "\n")) == VALUES["regexp slash"]
    assert serialize(re.compile(r"a\/b[/]\n")) == VALUES["regexp slash"]
    assert serialize(re.compile("")) == VALUES["regexp empty"]
    assert serialize(re.compile(r"(?P<y>\d+)-(?P=y)", re.M)) == VALUES["regexp named"]
    assert serialize(JsRegExp("a", "dgimsuy")) == VALUES["regexp all"]
    assert serialize(JsRegExp("\\u20ac\u20ac", "")) == VALUES["regexp euro"]


def test_patterns_are_read_as_patterns_when_python_can() -> None:
    assert deserialize(VALUES["regexp"]) == re.compile("ab+c", re.IGNORECASE)
    assert deserialize(VALUES["regexp named"]).fullmatch("12-12")["y"] == "12"
    assert deserialize(VALUES["regexp slash"]).pattern == "a/b[/]\\n"
    assert deserialize(VALUES["regexp empty"]).pattern == ""
    assert deserialize(VALUES["regexp unicode"]) == JsRegExp(r"\p{L}", "u")
    assert serialize(deserialize(VALUES["regexp unicode"])) == VALUES["regexp unicode"]


def test_values_without_a_header_are_read_as_version_13() -> None:
    assert deserialize(b"I\x0a") == 5
    assert deserialize(b"B\x02\x01\x02VB\x00\x02") == b"\x01\x02"  # no flags before version 14
    assert deserialize(b"\xff\x0dB\x02\x01\x02VB\x00\x02") == b"\x01\x02"
    assert deserialize(b"\xff\x0eB\x02\x01\x02VB\x00\x02\x00") == b"\x01\x02"


def test_other_spellings_of_the_format_are_read() -> None:
    assert deserialize(b"\xff\x0fU\xff\xff\xff\xff\x0f") == 2**32 - 1
    assert deserialize(b"\xff\x0f\x00\x00S\x03\xe2\x82\xac") == "\u20ac"
    assert deserialize(b"\xff\x0f?\x00I\x0a") == 5
    assert deserialize(b"\xff\x0foI\x0aI\x02{\x01") == {"5": 1}
    assert deserialize(bytearray(b"\xff\x0fT")) is True
    assert deserialize(memoryview(b"\xff\x0fF")) is False


def test_the_fraction_of_a_millisecond_is_cut_off_towards_1970() -> None:
    late = datetime(1970, 1, 1, 0, 0, 0, 1999, UTC)
    early = datetime(1970, 1, 1, tzinfo=UTC) - timedelta(microseconds=1999)
    assert [deserialize(serialize(d)) for d in (late, early)] == [
        datetime(1970, 1, 1, 0, 0, 0, 1000, UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC),
    ]


def test_a_set_of_strings_has_the_same_bytes_in_every_process() -> None:
    code = (
        "from dobook.codec import serialize;"
        "print(serialize({'a','b','c',1,None,frozenset('xy'),frozenset('z')}).hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for seed in range(3)
    }
    assert len(outputs) == 1
