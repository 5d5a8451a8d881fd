"""Request: the constructor's rules, and what a receiving object gets."""

from http import HTTPMethod

import js
import pytest

from dobook.errors import PlatformTypeError
from dobook.web import URL, BodyUsedError, ReadableStream, Request, Response

NO_BODY = "Request with a GET or HEAD method cannot have a body."
TEXT = ["content-type", "text/plain;charset=UTF-8"]
deliver = Request._for_delivery


async def shown(request):
    """What the conformance recorder shows of a request."""
    headers = [list(pair) for pair in request.js_headers]
    return [request.method, request.url, headers, await request.text(), request.redirect]


@pytest.mark.parametrize(
    ("url", "init", "expected"),
    [
        ("http://x/", {}, ["GET", "http://x/", [], "", "follow"]),
        ("http://x/a b", {}, ["GET", "http://x/a%20b", [], "", "follow"]),
        (
            "http://x/",
            {"method": "POST", "body": "b"},
            ["POST", "http://x/", [TEXT], "b", "follow"],
        ),
        ("http://x/", {"method": "delete"}, ["DELETE", "http://x/", [], "", "follow"]),
    ],
)
async def test_constructing_as_recorded(url, init, expected):
    assert await shown(Request(url, **init)) == expected


@pytest.mark.parametrize(
    ("url", "init", "message"),
    [
        ("relative", {}, "Invalid URL: relative"),
        ("/path", {}, "Invalid URL: /path"),
        ("object/path", {}, "Invalid URL: object/path"),
        ("", {}, "Invalid URL: "),
        ("http://x/", {"body": "b"}, NO_BODY),
        ("http://x/", {"method": "GET", "body": "x"}, NO_BODY),
        ("http://x/", {"method": "HEAD", "body": ""}, NO_BODY),
        ("http://x/", {"method": "Custom"}, "Invalid HTTP method string: Custom"),
        ("http://x/", {"method": "CONNECT"}, "Invalid HTTP method string: CONNECT"),
        (
            "http://x/",
            {"redirect": "error"},
            'Invalid redirect value, must be one of "follow" or "manual" ("error" won\'t be '
            'implemented since it does not make sense at the edge; use "manual" and check the '
            "response status code).",
        ),
        (
            "http://x/",
            {"integrity": "sha256-x"},
            "Subrequest integrity checking is not implemented. "
            "The integrity option must be either undefined or an empty string.",
        ),
    ],
)
@pytest.mark.parametrize("make", [lambda url, init: Request(url, **init), deliver])
def test_what_is_refused_as_recorded(make, url, init, message):
    with pytest.raises(PlatformTypeError) as caught:
        make(url, init)
    assert str(caught.value) == message


def test_the_method_is_an_http_method():
    request = Request("http://x/", method=HTTPMethod.PATCH)
    assert isinstance(request.method, HTTPMethod)
    assert request.method == "PATCH"
    assert Request("http://x/", method="propfind").method == "PROPFIND"


def test_the_repr_is_that_of_the_sdk():
    assert repr(Request("http://x")) == "Request(method='GET', url='http://x/')"


def test_properties():
    signal = js.AbortController.new().signal
    request = Request(URL("http://x/"), cf={"colo": "LHR"}, redirect="Manual", signal=signal)
    assert (request.cf, request.redirect, request.signal) == ({"colo": "LHR"}, "manual", signal)
    assert (request.cache, request.integrity, request.keepalive) == (None, "", False)
    assert request.js_object.js_object.url == request.url
    assert Request("http://u:p@x/#f").url == "http://u:p@x/#f"


async def test_a_request_from_a_request_takes_its_body():
    first = Request("http://x/", method="POST", body="b", headers={"a": "1"}, redirect="manual")
    second = Request(first, headers={"c": "2"})
    assert await shown(second) == ["POST", "http://x/", [["c", "2"]], "b", "manual"]
    assert first.body_used
    with pytest.raises(
        PlatformTypeError, match=r"^Cannot reconstruct a Request with a used body.$"
    ):
        Request(first)
    assert await Request(first, body="new").text() == "new"
    assert list(Request(first, body="new").js_headers) == [["a", "1"], TEXT]


async def test_a_request_used_as_options_gives_everything_but_its_url():
    first = Request("http://x/", method="PUT", body="b", headers={"a": "1"})
    second = Request._from_init("http://y/", first)
    assert await shown(second) == ["PUT", "http://y/", [["a", "1"], TEXT], "b", "follow"]
    assert first.body_used


async def test_a_clone_shares_nothing():
    request = Request("http://x/", method="POST", body=ReadableStream(["a", "b"]))
    clone = request.clone()
    clone.js_headers.set("x", "1")
    assert not request.js_headers.has("x")
    assert (await clone.text(), await request.text()) == ("ab", "ab")
    with pytest.raises(BodyUsedError):
        request.clone()


@pytest.mark.parametrize(
    ("url", "init", "expected"),
    [
        (
            "http://object/path?q=1&r=two#frag",
            None,
            ["GET", "http://object/path?q=1&r=two", [], ""],
        ),
        (
            "http://object/",
            {"method": "POST", "body": "hello \u017e"},
            ["POST", "http://object/", [["content-length", "8"], TEXT], "hello \u017e"],
        ),
        (
            "http://object/",
            {"headers": {"X-Zed": "1", "a-first": "2", "Content-Type": "text/x"}},
            [
                "GET",
                "http://object/",
                [["a-first", "2"], ["content-type", "text/x"], ["x-zed", "1"]],
                "",
            ],
        ),
        ("http://object/", {"method": "get"}, ["GET", "http://object/", [], ""]),
        ("http://object/", {"method": "post"}, ["POST", "http://object/", [], ""]),
        ("http://object/", {"method": "OPTIONS"}, ["OPTIONS", "http://object/", [], ""]),
        (
            "http://object/a?b=c",
            {"method": "POST", "body": "x", "headers": {"X-Custom": "v"}},
            [
                "POST",
                "http://object/a?b=c",
                [["content-length", "1"], TEXT, ["x-custom", "v"]],
                "x",
            ],
        ),
        ("http://object", None, ["GET", "http://object/", [], ""]),
        ("HTTP://OBJECT/Path", None, ["GET", "http://object/Path", [], ""]),
        ("http://object/a/../b/./c", None, ["GET", "http://object/b/c", [], ""]),
        ("http://user:pw@object:80/x", None, ["GET", "http://object/x", [], ""]),
        (URL("http://b/from-url?x=1"), None, ["GET", "http://b/from-url?x=1", [], ""]),
        (
            Request("http://b/x"),
            {"method": "PUT", "body": "override"},
            ["PUT", "http://b/x", [["content-length", "8"], TEXT], "override"],
        ),
        (
            Request("http://b/x", method="POST", body="from request", headers={"x-a": "1"}),
            None,
            ["POST", "http://b/x", [["content-length", "12"], TEXT, ["x-a", "1"]], "from request"],
        ),
        (
            "http://b/",
            {"method": "POST", "body": ReadableStream(["a"])},
            ["POST", "http://b/", [["transfer-encoding", "chunked"]], "a"],
        ),
        (
            "http://b/",
            {"method": "POST", "body": ""},
            ["POST", "http://b/", [["content-length", "0"], TEXT], ""],
        ),
    ],
)
async def test_what_a_receiving_object_sees_as_recorded(url, init, expected):
    assert await shown(deliver(url, init)) == [*expected, "manual"]


async def test_a_delivered_request_is_isolated_and_its_headers_are_fixed():
    data = bytearray(b"before")
    headers = {"a": "1"}
    sent = Request("http://x/", method="POST", body=data, headers=headers)
    received = deliver(sent)
    data[:] = b"after!"
    sent.js_headers.set("a", "2")
    assert (await received.text(), received.headers["a"]) == ("before", "1")
    with pytest.raises(PlatformTypeError, match=r"^Can't modify immutable headers.$"):
        received.js_headers.set("a", "3")
    with pytest.raises(BodyUsedError):
        await sent.text()
    Request(received, body="again").js_headers.set("a", "3")


def redirected(request, status, location="http://object/next", hops=0):
    answer = Response(None, status, headers={"location": location})._delivered(request.url)
    return request._next_hop(answer, ("http://object/before",) * hops)


async def test_redirects_are_followed_as_recorded():
    request = deliver("http://object/start")
    assert redirected(request, 302).url == "http://object/next"
    assert redirected(request, 301, "/a#f").url == "http://object/a"
    assert request._next_hop(Response("x")) is None
    assert request._next_hop(Response(None, 302)) is None
    assert redirected(deliver("http://object/", {"redirect": "manual"}), 301) is None


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("POST", 307, "POST"),
        ("PUT", 302, "PUT"),
        ("PUT", 303, "GET"),
    ],
)
async def test_redirects_keep_or_drop_the_body(method, status, then):
    request = deliver("http://object/", {"method": method, "body": "b", "headers": {"h": "1"}})
    assert await request.text() == "b"
    following = redirected(request, status)
    assert (following.method, following.headers["h"]) == (then, "1")
    assert await following.text() == ("" if then == "GET" else "b")
    assert following.headers["content-length"] == (None if then == "GET" else "1")


def test_redirects_to_another_origin_lose_the_authorization():
    request = deliver("http://object/", {"headers": {"Authorization": "secret"}})
    assert redirected(request, 302, "/x").headers["authorization"] == "secret"
    assert redirected(request, 302, "https://object/x").headers["authorization"] is None


def test_redirects_that_cannot_be_followed():
    streamed = deliver("http://x/", {"method": "PUT", "body": ReadableStream(["a"])})
    with pytest.raises(PlatformTypeError, match="A request with a one-time-use body"):
        redirected(streamed, 307)
    assert redirected(streamed, 303).method == "GET"
    request = deliver("http://x/")
    with pytest.raises(PlatformTypeError, match=r"^Invalid Location header; unable to follow redi"):
        redirected(request, 302, "http://")
    assert redirected(request, 302, hops=19)
    with pytest.raises(PlatformTypeError, match=r"^Too many redirects\.http://object/before, "):
        redirected(request, 302, hops=20)
