"""Round trips, and agreement between the copy in Python and the way over bytes."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
import v8serialize
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dobook.codec import JsDict, JsList, clone, deserialize, freeze, serialize, thaw

texts = st.text(st.characters(exclude_categories=[]), max_size=12)
names = st.one_of(texts, st.integers(0, 2**33).map(str), st.sampled_from(["id", "name", "0", "01"]))
integers = st.one_of(
    st.integers(), st.integers(-(2**31) - 2, 2**31 + 2), st.integers(2**53 - 3, 2**53 + 3)
)
dates = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))  # noqa: DTZ001


def any_value(dates: st.SearchStrategy[datetime]) -> st.SearchStrategy[Any]:
    """Return values of every kind, with such dates in them."""
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        integers,
        st.floats(),
        texts,
        st.binary(max_size=12),
        st.one_of(dates, dates.map(lambda date: date.replace(tzinfo=UTC))),
    )
    hashables = st.recursive(scalars, lambda inner: st.frozensets(inner, max_size=3), max_leaves=4)
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=5),
            st.lists(st.floats() | st.integers(-5, 5), max_size=5),
            st.dictionaries(names, inner, max_size=5),
            st.dictionaries(hashables, inner, max_size=4),
            st.sets(hashables, max_size=4),
        ),
        max_leaves=25,
    )


values = any_value(dates)
# The other writer multiplies floats, so its milliseconds of a date with a fraction may not be whole.
values_of_whole_seconds = any_value(dates.map(lambda date: date.replace(microsecond=0)))


def exact(value: Any) -> Any:
    """Return something that is equal for values that are equal in type and content."""
    kind = type(value)
    if kind is float:
        return ("float", "NaN" if math.isnan(value) else (value, math.copysign(1, value)))
    if kind is str:  # a pair of surrogates is the character
        return ("str", value.encode("utf-16", "surrogatepass"))
    if isinstance(value, dict):
        assert kind is JsDict
        return ("dict", [(exact(key), exact(member)) for key, member in value.items()])
    if kind is list or kind is JsList:  # what is thawed has an array's names
        return ("list", [exact(member) for member in value])
    if isinstance(value, set | frozenset):
        return (kind.__name__, sorted(repr(exact(member)) for member in value))
    return (kind.__name__, value)


def shuffled_graph(seeds: list[int]) -> list[Any]:
    """Return containers that refer to one another at random, themselves included."""
    made: list[Any] = [[], {}, [1.0], {"9": 1, "x": None}]
    for seed in seeds:
        target, member = made[seed % len(made)], made[seed // 7 % len(made)]
        if isinstance(target, list):
            target.append(member)
        else:
            target[f"k{seed % 5}"] = member
        made.append([member] if seed % 2 else {"m": member, "1": seed})
    return made


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=300)
@given(values)
@example(-0.0)
@example({True: 1, None: 2})
@example([0, -0.0, math.nan])
@example({"1": 0, "a": {"1": 0, "a": 0}})
@example("\ud83d\ude00")
def test_a_copy_is_what_would_be_read_back(value: Any) -> None:
    read = exact(deserialize(serialize(value)))
    assert exact(thaw(freeze(value))) == read
    if not isinstance(value, str):  # scalars pass as they are: a surrogate pair stays one
        assert exact(clone(value)) == read


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=300)
@given(values)
def test_copying_a_copy_changes_nothing(value: Any) -> None:
    copy = clone(value)
    assert exact(clone(copy)) == exact(thaw(freeze(copy))) == exact(copy)
    assert serialize(freeze(value)) == serialize(copy) == serialize(value)


@pytest.mark.slow
@settings(derandomize=True, deadline=None)
@given(values)
def test_integers_texts_and_bytes_survive_exactly(value: Any) -> None:
    data = serialize(value)
    assert serialize(deserialize(data)) == serialize(clone(value))


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.lists(st.integers(0, 1000), max_size=12))
def test_references_survive_in_any_shape(seeds: list[int]) -> None:
    graph = shuffled_graph(seeds)
    data = serialize(graph)
    for copy in (deserialize(data), clone(graph), thaw(freeze(graph))):
        assert serialize(copy) == data


plain = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**60), 2**60),
        st.floats(allow_nan=False),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)


def as_python(value: Any) -> Any:
    """Return v8serialize's JavaScript objects as dicts and lists."""
    if isinstance(value, v8serialize.jstypes.JSArray):
        return [as_python(member) for member in value.array]
    if isinstance(value, v8serialize.jstypes.JSObject):
        return {str(key): as_python(member) for key, member in value.items()}
    return value


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=200)
@given(plain)
def test_another_reader_of_the_format_reads_the_same(value: Any) -> None:
    assert as_python(v8serialize.loads(serialize(value))) == value


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=200)
@given(values_of_whole_seconds)
def test_what_another_writer_writes_is_read(value: Any) -> None:
    try:
        data = v8serialize.dumps(clone(value))
    except (UnicodeEncodeError, v8serialize.V8SerializeError):
        return
    assert exact(deserialize(data)) == exact(clone(value))
