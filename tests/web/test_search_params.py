"""URLSearchParams: the pairs of a query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dobook.errors import PlatformTypeError
from dobook.web import URLSearchParams

texts = st.text(max_size=10)


@pytest.mark.parametrize(
    ("init", "query"),
    [
        ("?a=1&b=2", "a=1&b=2"),
        ("a=1&a=2&", "a=1&a=2"),
        ("a=b=c&=d&e", "a=b%3Dc&=d&e="),
        ("a=%41+b%2", "a=A+b%252"),
        ({"a": 1, "b": "x y"}, "a=1&b=x+y"),
        ([("a", "1"), ["a", "~!*()'"]], "a=1&a=%7E%21*%28%29%27"),
        ("\u00e9=\u20ac", "%C3%A9=%E2%82%AC"),
        ("a=%ff", "a=%EF%BF%BD"),
        (None, ""),
    ],
)
def test_parsing_and_writing(init, query):
    params = URLSearchParams(init)
    assert params.toString() == str(params) == query
    assert str(URLSearchParams(params)) == query


def test_the_methods():
    params = URLSearchParams("b=1&a=2&b=3")
    assert (params.get("b"), params.get("z"), params.getAll("b")) == ("1", None, ["1", "3"])
    assert (params.has("b"), params.has("b", "3"), params.has("b", "4")) == (True, True, False)
    params.set("b", "5")
    params.append("c", 6)
    assert str(params) == "b=5&a=2&c=6"
    params.set("d", "7")
    params.delete("a")
    params.delete("c", "no")
    assert (list(params.keys()), list(params.values())) == (["b", "c", "d"], ["5", "6", "7"])
    assert params.size == len(params) == 3
    assert "c" in params
    assert "a" not in params
    seen = []
    params.forEach(lambda value, name, _all: seen.append((name, value)))
    assert [list(pair) for pair in seen] == list(params.entries())
    assert repr(params) == "URLSearchParams('b=5&c=6&d=7')"


def test_sorting_is_stable_and_by_utf_16():
    params = URLSearchParams([("\ufffd", "1"), ("\U0001f600", "2"), ("a", "3"), ("a", "0")])
    params.sort()
    assert list(params.values()) == ["3", "0", "2", "1"]


def test_a_pair_has_two_members():
    with pytest.raises(PlatformTypeError, match=r"^Invalid URL search params sequence.$"):
        URLSearchParams([["a"]])


@given(st.lists(st.tuples(texts, texts), max_size=6))
def test_what_is_written_is_read_back(pairs):
    params = URLSearchParams(pairs)
    assert list(URLSearchParams(str(params))) == list(params)
