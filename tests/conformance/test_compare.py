"""What counts as the same answer, and what does not. A lenient judge would pass anything."""

import pytest

from .compare import compare

ERROR = {"name": "TypeError", "message": "no such thing", "remote": True}


def same(expected, actual):
    return compare(expected, actual).same


@pytest.mark.parametrize("nothing", [{}, {"ok": None}, {"ok": {"$undefined": True}}])
@pytest.mark.parametrize("other", [{}, {"ok": None}, {"ok": {"$undefined": True}}])
def test_undefined_null_and_nothing_are_one_result(nothing, other):
    assert same(nothing, other)


@pytest.mark.parametrize("something", [0, False, "", [], {}])
def test_a_value_is_not_nothing(something):
    assert not same({}, {"ok": something})
    assert not same({"ok": something}, {})
    assert not same({"ok": something}, {"ok": None})


def test_an_undefined_property_may_be_none_or_missing():
    assert same({"a": {"$undefined": True}, "b": 1}, {"b": 1})
    assert same({"a": {"$undefined": True}, "b": 1}, {"a": None, "b": 1})


def test_a_null_property_is_there():
    assert not same({"a": None, "b": 1}, {"b": 1})
    assert not same({"b": 1}, {"a": None, "b": 1})


def test_maps_and_objects_are_dicts():
    assert same({"$map": [["a", 1]]}, {"a": 1})
    assert same({"a": 1}, {"$map": [["a", 1]]})
    assert same({"$map": []}, {})


def test_the_order_of_a_map_counts_that_of_an_object_does_not():
    assert not same({"$map": [["a", 1], ["b", 2]]}, {"b": 2, "a": 1})
    assert same({"a": 1, "b": 2}, {"b": 2, "a": 1})


@pytest.mark.parametrize("actual", [{"a": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 3}])
def test_entries_must_be_complete_and_equal(actual):
    assert not same({"$map": [["a", 1], ["b", 2]]}, actual)
    assert not same({"a": 1, "b": 2}, actual)


def test_keys_of_a_map_keep_their_types():
    assert same({"$map": [[1, "x"]]}, {"$map": [[1, "x"]]})
    assert not same({"$map": [[1, "x"]]}, {"1": "x"})


def test_the_order_of_a_set_does_not_count():
    assert same({"$set": [1, "a"]}, {"$set": ["a", 1]})
    assert not same({"$set": [1, "a"]}, {"$set": [1]})
    assert not same({"$set": [1]}, {"$set": [1, "a"]})
    assert not same({"$set": [1, 1]}, {"$set": [1, 2]})
    assert not same({"$set": [1]}, [1])


def test_the_order_and_length_of_a_list_count():
    assert same([1, 2], [1, 2])
    assert not same([1, 2], [2, 1])
    assert not same([1, 2], [1])
    assert not same([1], [1, 2])
    assert not same([1, None], [1])


@pytest.mark.parametrize(
    ("number", "equal"),
    [
        (1, 1.0),
        ({"$num": "-0"}, 0),
        (0, {"$num": "-0"}),
        ({"$num": "NaN"}, {"$num": "NaN"}),
        ({"$bigint": "5"}, 5),
        (9007199254740992, {"$bigint": "9007199254740993"}),
        (9223372036854776000, {"$bigint": "9223372036854775807"}),
    ],
)
def test_numbers_are_compared_by_value(number, equal):
    assert same(number, equal)


@pytest.mark.parametrize(
    ("number", "other"),
    [
        (1, 2),
        (1, True),
        (True, 1),
        (1, "1"),
        (0, False),
        ({"$num": "NaN"}, 0),
        ({"$num": "Infinity"}, {"$num": "-Infinity"}),
        ({"$bigint": "9007199254740993"}, {"$bigint": "9007199254740992"}),
        (1, None),
        (1, {}),
    ],
)
def test_other_values_are_not_the_same_number(number, other):
    assert not same(number, other)


@pytest.mark.parametrize(
    ("tagged", "other"),
    [
        ({"$date": 0}, {"$date": 1}),
        ({"$date": 0}, 0),
        ({"$bytes": "AQ=="}, {"$bytes": "Ag=="}),
        ({"$bytes": "AQ=="}, "AQ=="),
        ({"$id": "*"}, {"$id": "ab"}),
        ({"$id": "ab", "name": "x"}, {"$id": "ab"}),
        ({"$id": "ab"}, {"$id": "ab", "name": "x"}),
        ({"$t": 500}, {"$t": 1000}),
        ({"$t": 500}, 500),
        ({"$stub": True}, {}),
        ({"$long": [500, "x"]}, {"$long": [501, "x"]}),
    ],
)
def test_tagged_values_are_compared_exactly(tagged, other):
    assert same(tagged, dict(tagged))
    assert not same(tagged, other)


def test_bytes_are_bytes_whatever_their_view():
    assert same({"$bytes": "AQ==", "view": "Float32Array"}, {"$bytes": "AQ=="})


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Error"},
        {"message": "no such thing."},
        {"remote": False},
        {"retryable": True},
        {"overloaded": True},
        {"durableObjectReset": True},
    ],
)
def test_each_part_of_an_error_counts(change):
    assert same({"error": ERROR}, {"error": dict(ERROR)})
    assert not same({"error": ERROR}, {"error": ERROR | change})


def test_an_error_is_no_value():
    assert not same({"error": ERROR}, {})
    assert not same({}, {"error": ERROR})
    assert not same({"error": ERROR}, {"ok": 1})
    assert not same({"error": ERROR, "events": {"a": [1]}}, {"error": ERROR})


def test_error_names_that_are_one_class_in_python():
    for name in ("SyntaxError", "InvalidAccessError", "RangeError"):
        assert same({"error": ERROR | {"name": name}}, {"error": ERROR | {"name": "RangeError"}})
    assert not same({"error": ERROR | {"name": "DataCloneError"}}, {"error": ERROR})


def test_the_offset_of_an_sql_error_does_not_count():
    message = "no such column: x{}: SQLITE_ERROR"
    expected = {"error": {"name": "Error", "message": message.format(" at offset 7")}}
    actual = {"error": {"name": "Error", "message": message.format("")}}
    assert same(expected, actual)


def test_messages_are_counted_wherever_errors_are():
    expected = [
        {"results": [{"error": ERROR}, {"ok": [{"error": ERROR}]}, {}]},
        {"events": {"a": [["log", {"error": ERROR}]]}},
        {"outcomes": [{"error": ERROR}]},
    ]
    found = compare(expected, expected)
    assert len(found.messages) == 4
    assert found.agreed == found.messages
    found = compare(expected, [])
    assert len(found.messages) == 4
    assert not found.agreed


def test_a_message_that_differs_is_a_difference_at_its_place():
    found = compare([{"error": ERROR}], [{"error": ERROR | {"message": "other"}}])
    assert [str(d) for d in found.differences] == [
        '[0].error.message: expected "no such thing", got "other"'
    ]
    assert found.agreed == set()
