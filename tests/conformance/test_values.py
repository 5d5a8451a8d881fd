"""Reading and writing the values of the vectors."""

import datetime as dt
import math
import re

import pytest

from dobook.errors import DataCloneError, PlatformTypeError
from dobook.ids import DurableObjectId

from .values import Moment, decode, describe_error, encode, error_from, make_error

ID = DurableObjectId("ab" * 32, "alice")


@pytest.mark.parametrize(
    ("json", "value"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ("text", "text"),
        ([1, [2]], [1, [2]]),
        ({"a": {"b": []}}, {"a": {"b": []}}),
        ({"$date": 1500}, dt.datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=dt.UTC)),
        ({"$date": -1}, dt.datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=dt.UTC)),
        ({"$bytes": "AP8="}, b"\x00\xff"),
        ({"$map": [[1, "one"], ["two", 2]]}, {1: "one", "two": 2}),
        ({"$set": [1]}, {1}),
        ({"$bigint": "123456789012345678901234567890"}, 123456789012345678901234567890),
        ({"$num": "Infinity"}, math.inf),
        ({"$num": "-Infinity"}, -math.inf),
        ({"$regexp": ["x+", "i"]}, re.compile("x+", re.IGNORECASE)),
    ],
)
def test_what_is_read_is_written_the_same(json, value):
    read = decode(json)
    assert read == value
    assert type(read) is type(value)
    assert encode(value) == json


def test_special_numbers():
    assert math.isnan(decode({"$num": "NaN"}))
    assert encode(math.nan) == {"$num": "NaN"}
    assert math.copysign(1, decode({"$num": "-0"})) == -1
    assert encode(-0.0) == {"$num": "-0"}
    assert encode(0.0) == 0


def test_integers_beyond_what_a_double_holds():
    assert decode(9223372036854775807) == 9.223372036854775807e18
    assert isinstance(decode(9223372036854775807), float)
    assert encode(2**53 - 1) == 2**53 - 1
    assert encode(2**53) == {"$bigint": str(2**53)}


def test_undefined_is_none_and_an_undefined_property_is_not_there():
    assert decode({"$undefined": True}) is None
    assert decode([1, {"$undefined": True}]) == [1, None]
    assert decode({"a": {"$undefined": True}, "b": 1}) == {"b": 1}


def test_long_texts_and_bytes_are_shortened():
    assert encode("x" * 400) == "x" * 400
    assert encode("x" * 401) == {"$long": [401, "x" * 16]}
    assert encode("😀" * 201) == {"$long": [402, "😀" * 8]}
    assert encode(b"\x01" * 401) == {"$long": [401, "AQEBAQEBAQEBAQEBAQEBAQ=="], "bytes": True}
    assert decode({"$repeat": ["ab", 3]}) == "ababab"
    assert decode({"$fill": [7, 2]}) == b"\x07\x07"


def test_tags_of_a_running_scenario_are_looked_up_at_any_depth():
    def look(tag, argument, whole):
        return (tag, argument, whole)

    whole = {"$var": "n", "or": 0}
    assert decode([{"a": whole}], look) == [{"a": ("$var", "n", whole)}]
    with pytest.raises(ValueError, match=r"\$var"):
        decode(whole)


def test_ids():
    assert encode(ID) == {"$id": "ab" * 32, "name": "alice"}
    assert encode(ID, {ID.toString()}) == {"$id": "*", "name": "alice"}
    assert encode(DurableObjectId("cd" * 32)) == {"$id": "cd" * 32}


@pytest.mark.parametrize(
    ("offset", "shown"), [(0, 0), (249, 0), (250, 500), (749, 500), (1000, 1000), (-10, 0)]
)
def test_times_are_shown_on_a_grid_of_500_ms(offset, shown):
    assert encode(Moment(10_000 + offset, offset)) == {"$t": shown}


def test_what_comes_back_by_reference_is_a_stub():
    assert encode([len, {"f": len}]) == [{"$stub": True}, {"f": {"$stub": True}}]


def test_cycles_end_and_are_counted_from_the_outside():
    around = [1]
    around.append(around)
    assert encode(around) == [1, {"$cycle": 0}]
    assert encode({"a": around, "b": [around]})["b"] == [[1, {"$cycle": 2}]]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Error", Exception),
        ("TypeError", TypeError),
        ("RangeError", ValueError),
        ("SyntaxError", ValueError),
        ("ReferenceError", Exception),
        ("URIError", Exception),
        ("EvalError", Exception),
    ],
)
def test_errors_of_programs_keep_their_names(name, kind):
    error = make_error(name, "m", {"retryable": True})
    assert isinstance(error, kind)
    described = {"name": name, "message": "m", "retryable": True}
    assert describe_error(error) == described
    assert describe_error(error_from(described)) == described


def test_flags_that_are_false_are_not_shown():
    error = PlatformTypeError("m")
    error.remote = False
    error.durableObjectReset = True
    described = {"name": "TypeError", "message": "m", "durableObjectReset": True}
    assert describe_error(error) == described


def test_advice_below_the_platforms_text_is_not_part_of_the_message():
    assert describe_error(DataCloneError("not cloned\n  do this"))["message"] == "not cloned"
    assert describe_error(ValueError("two\nlines"))["message"] == "two\nlines"
