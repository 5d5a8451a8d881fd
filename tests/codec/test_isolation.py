"""A copy shares nothing mutable with its original, nor with another copy."""

import re
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from dobook.codec import JsDict, clone, deserialize, freeze, serialize, thaw

COPIES: dict[str, Callable[[Any], Any]] = {
    "clone": clone,
    "thaw": lambda value: thaw(freeze(value)),
    "bytes": lambda value: deserialize(serialize(value)),
}


class Rank(IntEnum):
    HIGH = 7


class Suit(StrEnum):
    HEARTS = "hearts"


class Money(float):
    pass


class Packet(bytes):
    pass


class When(datetime):
    pass


def everything() -> dict[str, Any]:
    return {
        "flat": {"a": 1},
        "list": [1, 2],
        "deep": [{"a": [1, {"b": {2}}]}],
        "map": {1: [1], None: {"x": 1}},
        "set": {1, frozenset({2})},
        "error": ValueError("bad"),
        "date": datetime(2026, 1, 1, tzinfo=UTC),
        "2": {"10": 1, "9": 2},
    }


def spoil(value: Any) -> None:
    """Change everything that can be changed."""
    if isinstance(value, dict):
        for member in list(value.values()):
            spoil(member)
        value["spoilt"] = True
    elif isinstance(value, list):
        for member in list(value):
            spoil(member)
        value.append("spoilt")
    elif isinstance(value, set):
        value.add("spoilt")
    elif isinstance(value, Exception):
        value.args = ("spoilt",)


def shown(value: Any) -> str:
    return serialize(value).hex()


@pytest.mark.parametrize("name", COPIES)
def test_changing_the_original_does_not_change_the_copy(name: str) -> None:
    original = everything()
    copy = COPIES[name](original)
    before = shown(copy)
    spoil(original)
    assert shown(copy) == before == shown(everything())


@pytest.mark.parametrize("name", COPIES)
def test_changing_the_copy_does_not_change_the_original(name: str) -> None:
    original = everything()
    spoil(COPIES[name](original))
    assert shown(original) == shown(everything())


@pytest.mark.parametrize("shape", ["tree", "graph", "hashed"])
def test_changing_what_was_thawed_does_not_change_what_is_thawed_next(shape: str) -> None:
    value: Any = everything()
    if shape == "graph":
        value["again"] = value["flat"]
        value["self"] = value
        value["error again"] = value["error"]
    elif shape == "hashed":
        value["objects"] = deserialize(b"\xff\x0f'o\"\x01aI\x02{\x01A\x00$\x00\x00,\x02")
    frozen = freeze(value)
    before = shown(frozen)
    if shape != "graph":
        spoil(thaw(frozen))
        spoil(value)
    else:
        copy = thaw(frozen)
        assert copy["self"] is copy
        assert copy["again"] is copy["flat"]
        assert copy["error again"] is copy["error"]
        for part in (copy, copy["flat"], copy["list"], value["flat"], value):
            spoil(part) if isinstance(part, list) else part.update(spoilt=1)
    assert shown(frozen) == shown(thaw(frozen)) == before


def test_errors_are_fresh_each_time() -> None:
    frozen = freeze([ValueError("bad")])
    first, second = thaw(frozen)[0], thaw(frozen)[0]
    assert first is not second
    assert (str(first), first.js_name, first.stack) == ("bad", "RangeError", "RangeError: bad")
    cause = ValueError("outer")
    cause.__cause__ = KeyError("inner")
    assert str(clone(cause).__cause__) == "'inner'"


@pytest.mark.parametrize("value", [None, True, 5, 2**70, "text", b"bytes", 2.5])
def test_scalars_pass_as_they_are(value: object) -> None:
    assert clone(value) is value
    assert freeze(value) is value
    assert thaw(value) is value


def test_numbers_come_back_as_javascript_has_them() -> None:
    for copy in COPIES.values():
        assert repr(copy([1.0, -0.0, 0.0, 2.0**53, 2.0**53 - 1, 1e300, 2**53])) == (
            "[1, -0.0, 0, 9007199254740992.0, 9007199254740991, 1e+300, 9007199254740992]"
        )


def test_indices_come_first_and_in_order() -> None:
    value = {"b": 1, "10": 2, "9": [], "01": 3, "4294967295": 4, "4294967294": 5}
    for copy in COPIES.values():
        assert list(copy(value)) == ["9", "10", "4294967294", "b", "01", "4294967295"]
        assert list(copy({3: 1, "1": 2})) == [3, "1"]  # a Map keeps its order


def test_subclasses_come_back_as_what_they_are_derived_from() -> None:
    counts: dict[str, list[int]] = defaultdict(list)
    counts["a"].append(1)
    moved = OrderedDict([("a", 1), ("b", 2)])
    moved.move_to_end("a")
    value = [
        *(Rank.HIGH, Suit.HEARTS, Money(2.5), Money(2), Packet(b"ab")),
        *(counts, Counter("aab"), moved, {Suit.HEARTS: Rank.HIGH}),
        When(2026, 1, 1, tzinfo=UTC),
    ]
    expected = [
        *(7, "hearts", 2.5, 2, b"ab"),
        *({"a": [1]}, {"a": 2, "b": 1}, {"b": 2, "a": 1}, {"hearts": 7}),
        datetime(2026, 1, 1, tzinfo=UTC),
    ]
    for copy in COPIES.values():
        result = copy(value)
        assert result == expected
        assert [type(member) for member in result] == [
            *(int, str, float, int, bytes, JsDict, JsDict, JsDict, JsDict, datetime)
        ]
        assert list(result[7]) == ["b", "a"]
        assert [(type(k), type(v)) for k, v in result[8].items()] == [(str, int)]


def test_subclasses_are_shared_like_their_bases() -> None:
    counts = Counter("a")
    for copy in COPIES.values():
        first, second = copy([counts, counts])
        assert first is second


def test_sets_come_back_as_sets_and_as_frozensets_inside_sets() -> None:
    for copy in COPIES.values():
        assert type(copy(frozenset({1}))) is set
        assert copy({frozenset({1, frozenset()})}) == {frozenset({1, frozenset()})}
        assert copy({frozenset({1}): {2}}) == {frozenset({1}): {2}}
        shared = frozenset({1})
        assert copy([shared, {shared}, shared]) == [{1}, {frozenset({1})}, {1}]


def test_memoryviews_and_dates_are_normalised() -> None:
    east = timezone(timedelta(hours=2))
    for copy in COPIES.values():
        assert copy(memoryview(b"abc")[1:]) == b"bc"
        assert copy([memoryview(b"abcdef")[::2]]) == [b"ace"]
        (date,) = copy([datetime(2026, 1, 1, 2, tzinfo=east)])
        assert (date, date.tzinfo) == (datetime(2026, 1, 1, tzinfo=UTC), UTC)
        naive = datetime(2026, 1, 1, 0, 0, 0, 1234)  # noqa: DTZ001 - naive on purpose
        assert copy(naive) == datetime(2026, 1, 1, 0, 0, 0, 1000, UTC)
        assert copy(datetime.max.replace(tzinfo=UTC)).year == 9999


def test_patterns_are_normalised() -> None:
    for copy in COPIES.values():
        assert copy(re.compile("a/b", re.I | re.A)) == re.compile("a/b", re.I)


def test_references_are_kept() -> None:
    inner: list[Any] = []
    members = {1}
    value: dict[str, Any] = {"a": inner, "b": [inner, members], "c": members}
    inner.append(value)
    for copy in COPIES.values():
        result = copy(value)
        assert result.a is result.b[0]
        assert result.a[0] is result
        assert result.b[1] is result.c


def test_what_is_no_value_is_left_to_the_caller() -> None:
    class Stub:
        pass

    stub, seen = Stub(), []

    def external(part: object) -> object:
        seen.append(part)
        return ("sent", part)

    result = clone({"a": [stub, len], "b": 1}, external=external)
    assert result == {"a": [("sent", stub), ("sent", len)], "b": 1}
    assert seen == [stub, len]
    with pytest.raises(TypeError):
        clone([(1, 2)], external=external)


def test_jsdict_has_its_keys_as_attributes() -> None:
    user = clone({"name": "Ada", "items": [1]})
    assert type(user) is JsDict
    assert user.name == "Ada"
    assert user["items"] == [1]
    user.age = 36
    del user.name
    assert user == {"items": [1], "age": 36}
    assert type(user.copy()) is JsDict
    with pytest.raises(AttributeError, match="name"):
        _ = user.name
    with pytest.raises(AttributeError, match="name"):
        del user.name
    assert not hasattr(user, "nothing")
