"""Headers: names, values, order, and the checks the engine makes."""

import http.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dobook.errors import PlatformTypeError
from dobook.web import Headers, Request, Response
from dobook.web.headers import to_http_message

names = st.text("abcXYZ-0_", min_size=1, max_size=8)
values = st.text(st.characters(min_codepoint=33, max_codepoint=300), max_size=12)


def test_get_set_append_delete_and_has_as_recorded():
    headers = Headers({"A": "1"})
    assert (headers.get("a"), headers.has("A")) == ("1", True)
    headers.append("a", "2")
    assert headers.get("A") == "1, 2"
    headers.set("a", "3")
    assert headers.get("a") == "3"
    headers.delete("a")
    assert (headers.get("a"), headers.has("a")) == (None, False)


def test_iteration_is_sorted_by_lower_case_name_as_recorded():
    headers = Headers({"Zebra": "1", "apple": "2", "Mid-Dle": "3"})
    assert list(headers.entries()) == [["apple", "2"], ["mid-dle", "3"], ["zebra", "1"]]
    assert list(headers) == list(headers.entries())
    assert list(headers.keys()) == ["apple", "mid-dle", "zebra"]
    assert list(headers.values()) == ["2", "3", "1"]


def test_set_cookie_is_not_joined_when_iterated_as_recorded():
    headers = Headers([["Set-Cookie", "a=1"], ["set-cookie", "b=2"], ["x", "1"]])
    assert headers.get("set-cookie") == "a=1, b=2"
    assert headers.getSetCookie() == headers.getAll("Set-Cookie") == ["a=1", "b=2"]
    assert list(headers) == [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x", "1"]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda h: h.set("bad name", "x"), "Invalid header name."),
        (lambda h: h.set("ok", "line\nbreak"), "Invalid header value."),
        (lambda h: h.set("ok", "nul\0"), "Invalid header value."),
        (lambda h: h.get("bad name"), "Invalid header name."),
        (
            lambda h: h.getAll("x"),
            'getAll() can only be used with the header name "Set-Cookie".',
        ),
    ],
)
def test_invalid_names_and_values_as_recorded(call, message):
    with pytest.raises(PlatformTypeError) as caught:
        call(Headers())
    assert str(caught.value) == message


def test_the_empty_name_and_names_beyond_ascii_pass_as_recorded():
    headers = Headers()
    headers.set("", "x")
    headers.append("\u00c9", "x")
    assert list(headers) == [["", "x"], ["\u00c9", "x"]]  # only ASCII is lowered


def test_white_space_around_values_goes():
    assert Headers({"a": " \t b c\r\n"}).get("a") == "b c"


@pytest.mark.parametrize(
    "init",
    [
        {"X-A": 1, "x-b": True},
        [("X-A", 1), ("x-b", True)],
        (pair for pair in [("X-A", "1"), ("x-b", "true")]),
        Headers({"x-a": "1", "x-b": "true"}),
        {"X-A": "1", "x-b": "true"}.items(),
    ],
)
def test_headers_are_made_from_mappings_pairs_and_headers(init):
    assert list(Headers(init)) == [["x-a", "1"], ["x-b", "true"]]


def test_headers_are_made_from_an_http_message():
    message = http.client.HTTPMessage()
    message["X-A"] = "1"
    message["x-a"] = "2"
    assert list(Headers(message)) == [["x-a", "1, 2"]]


def test_an_item_that_is_missing_is_none_as_under_pyodide():
    headers = Headers({"X-A": "1"})
    assert (headers["x-a"], headers["missing"]) == ("1", None)
    assert dict(headers) == {"x-a": "1"}


@pytest.mark.parametrize("init", ["text", 5, b"bytes"])
def test_other_types_are_refused_with_the_text_of_the_sdk(init):
    with pytest.raises(TypeError, match=r"^Received unexpected type for headers argument$"):
        Headers(init)


@pytest.mark.parametrize("init", [["ab"], [["a"]], [["a", "b", "c"]]])
def test_pairs_have_two_members(init):
    with pytest.raises(PlatformTypeError, match="must have exactly two elements"):
        Headers(init)


def test_a_copy_is_independent_and_may_be_fixed():
    headers = Headers({"a": "1"})
    fixed = headers.copy(immutable=True)
    headers.set("a", "2")
    assert fixed.get("a") == "1"
    for change in (fixed.set, fixed.append):
        with pytest.raises(PlatformTypeError, match=r"^Can't modify immutable headers.$"):
            change("a", "3")
    with pytest.raises(PlatformTypeError, match=r"^Can't modify immutable headers.$"):
        fixed.delete("a")
    assert Headers(fixed).copy().has("a")


def test_for_each_gives_value_name_and_headers():
    seen = []
    headers = Headers({"b": "2", "a": "1"})
    headers.forEach(lambda value, name, all_of_them: seen.append((value, name, all_of_them)))
    assert seen == [("1", "a", headers), ("2", "b", headers)]


def test_the_repr_is_readable():
    assert repr(Headers({"A": "1"})) == "Headers([('a', '1')])"


def test_python_sees_an_http_message_that_is_a_copy():
    response = Response(None, headers=[("X-A", "1"), ("x-a", "2"), ("Set-Cookie", "a=1")])
    message = response.headers
    assert isinstance(message, http.client.HTTPMessage)
    assert (message["x-A"], message.get("X-a"), message["missing"]) == ("1, 2", "1, 2", None)
    assert "x-a" in message
    assert message.items() == [("Set-Cookie", "a=1"), ("x-a", "1, 2")]
    assert repr(message) == "HTTPMessage([('Set-Cookie', 'a=1'), ('x-a', '1, 2')])"
    message["x-new"] = "1"
    assert "x-new" not in response.headers


def test_cookies_are_several_headers_in_python_too():
    message = to_http_message(Headers([("set-cookie", "a=1"), ("set-cookie", "b=2")]))
    assert message.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_live_headers_are_reached_by_js_headers():
    request = Request("http://x/", headers={"a": "1"})
    request.js_headers.set("b", "2")
    assert request.headers["b"] == "2"


@given(st.lists(st.tuples(names, values), max_size=10))
def test_headers_equal_a_dictionary_of_lists(pairs):
    model = {}
    headers = Headers()
    for name, value in pairs:
        headers.append(name, value)
        model.setdefault(name.lower(), []).append(value.strip("\t\r\n "))
    assert list(headers) == [[name, ", ".join(model[name])] for name in sorted(model)]
    assert Headers(list(headers)) == Headers({k: ", ".join(v) for k, v in model.items()})
