"""Response: the constructor's rules, ready-made responses, and the way back to the caller."""

import json
from http import HTTPStatus

import pytest
from js import Response as JsResponse

from dobook.errors import PlatformRangeError, PlatformTypeError
from dobook.web import (
    BodyUsedError,
    FetchResponse,
    Headers,
    HttpStatusError,
    ReadableStream,
    Response,
)

TEXT = ["content-type", "text/plain;charset=UTF-8"]
JSON = ["content-type", "application/json"]
OUT_OF_RANGE = (
    "Responses may only be constructed with status codes in the range 200 to 599, inclusive."
)
NO_BODY = "Response with null body status (101, 204, 205, or 304) cannot have a body."


async def shown(response):
    """What the conformance recorder shows of a response."""
    headers = [list(pair) for pair in response.js_headers]
    return [response.status, response.status_text, headers, await response.text()]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("x",), [200, "", [TEXT], "x"]),
        ((None,), [200, "", [], ""]),
        ((), [200, "", [], ""]),
        (("", 200), [200, "", [TEXT], ""]),
        ((b"hi",), [200, "", [], "hi"]),
        (("", 204), [204, "", [], ""]),
        ((None, 205), [205, "", [], ""]),
    ],
)
async def test_constructing_as_recorded(arguments, expected):
    assert await shown(Response(*arguments)) == expected
    body, status = (*arguments, None, None)[:2]
    assert await shown(Response._from_init(body, {"status": status})) == expected


@pytest.mark.parametrize("status", [199, 600, 0, 999, 101])
def test_statuses_out_of_range_are_refused_as_recorded(status):
    with pytest.raises(PlatformRangeError) as caught:
        Response("x", status=status)
    assert str(caught.value) == OUT_OF_RANGE


@pytest.mark.parametrize(
    ("body", "status"), [("x", 204), ("x", 304), (b"x", 205), (ReadableStream(), 204)]
)
def test_statuses_without_body_refuse_one_as_recorded(body, status):
    with pytest.raises(PlatformTypeError) as caught:
        Response(body, status)
    assert str(caught.value) == NO_BODY


def test_a_web_socket_goes_with_101_and_with_nothing_else():
    response = Response(None, 101, web_socket="socket")
    assert (response.web_socket, response.webSocket) == ("socket", "socket")
    assert Response._from_init(None, {"status": 101, "webSocket": "s"}).web_socket == "s"
    with pytest.raises(PlatformRangeError, match=r"^Responses with a WebSocket must have status"):
        Response(None, 200, web_socket="socket")
    with pytest.raises(PlatformTypeError, match=r"^Cannot clone a response to a WebSocket handsh"):
        response.clone()


def test_a_status_text_has_no_control_characters():
    with pytest.raises(PlatformTypeError, match=r"^Invalid statusText$"):
        Response("x", status_text="a\nb")


@pytest.mark.parametrize("make", [Response.from_json, Response.json])
@pytest.mark.parametrize(
    ("data", "options", "status", "content_type"),
    [
        ({"a": [1, None]}, {}, 200, "application/json"),
        ("text", {}, 200, "application/json"),
        (None, {"status": 400}, 400, "application/json"),
        (
            {},
            {"headers": {"content-type": "application/vnd.x+json"}},
            200,
            "application/vnd.x+json",
        ),
        ([1], {"status": HTTPStatus.CREATED, "headers": {"a": "b"}}, 201, "application/json"),
    ],
)
async def test_json_as_recorded(make, data, options, status, content_type):
    response = make(data, **options)
    assert response.status == status
    assert response.status_text == ""
    assert response.headers["content-type"] == content_type
    assert await response.clone().text() == json.dumps(data)
    assert await response.json() == data


def test_json_refuses_what_json_has_not():
    with pytest.raises(TypeError, match="not JSON serializable"):
        Response.from_json({1, 2})


@pytest.mark.parametrize("status", [302, 301, 308, HTTPStatus.SEE_OTHER])
async def test_redirects_as_recorded(status):
    response = Response.redirect("http://x/y", status)
    assert await shown(response) == [status, "", [["location", "http://x/y"]], ""]


def test_redirects_that_are_refused_as_recorded():
    assert Response.redirect("http://x/y").status == 302
    with pytest.raises(PlatformRangeError) as caught:
        Response.redirect("http://x/y", 200)
    assert str(caught.value) == (
        "200 is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308."
    )
    with pytest.raises(PlatformTypeError) as caught:
        Response.redirect("not a url")
    assert str(caught.value) == "Unable to parse URL: not a url"


async def test_a_response_from_a_response_takes_its_body():
    first = Response("x", 201, headers={"a": "1"})
    second = Response(first)
    assert await shown(second) == [201, "", [["a", "1"], TEXT], "x"]
    assert first.body_used
    with pytest.raises(ValueError, match=r"^Expected no options when constructing Response from a"):
        Response(Response("x"), status=200)


async def test_replacing_the_body_keeps_the_rest():
    response = Response("old", 201, "Made", {"a": "1"}).replace_body(b"new")
    assert await shown(response) == [201, "Made", [["a", "1"], TEXT], "new"]


def test_raise_for_status():
    Response("x", 399).raise_for_status()
    with pytest.raises(HttpStatusError, match="404 Client Error: Not Found for url: http://x/"):
        Response("x", 404)._delivered("http://x/").raise_for_status()
    with pytest.raises(HttpStatusError, match="503 Server Error"):
        Response("x", 503).raise_for_status()


def test_properties_and_repr():
    response = Response("x", status=201)
    assert (response.ok, response.url, response.redirected, response.type) == (
        True,
        "",
        False,
        "default",
    )
    assert isinstance(response, FetchResponse)
    assert response.js_object.status == response.js_response.status == 201
    assert repr(response) == "Response(status=201, content_type='text/plain;charset=UTF-8')"
    assert repr(Response.from_json({})) == "Response(status=200, content_type='application/json')"
    assert (
        repr(Response(None, 404, "Gone fishing"))
        == "Response(status=404, status_text='Gone fishing')"
    )
    assert repr(Response(None)._delivered("http://x/")) == (
        "Response(status=200, status_text='OK', url='http://x/')"
    )


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (lambda: Response("no", 404), [404, "Not Found", [TEXT], "no"]),
        (lambda: Response("t", 418, "I'm a teapot"), [418, "I'm a teapot", [TEXT], "t"]),
        (lambda: Response(None, 204), [204, "No Content", [], ""]),
        (
            lambda: Response("created", 201, headers={"location": "/x"}),
            [201, "Created", [TEXT, ["location", "/x"]], "created"],
        ),
        (lambda: Response(), [200, "OK", [], ""]),
        (
            lambda: Response("text", headers={"content-type": "text/html"}),
            [200, "OK", [["content-type", "text/html"]], "text"],
        ),
        (lambda: Response(b"\1\2"), [200, "OK", [], "\1\2"]),
        (
            lambda: Response(
                "x",
                headers=[
                    ("X-A", "1"), ("x-a", "2"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/"),
                ],
            ),
            [
                200,
                "OK",
                [TEXT, ["set-cookie", "a=1"], ["set-cookie", "b=2; Path=/"], ["x-a", "1, 2"]],
                "x",
            ],
        ),
        (lambda: Response.json({"a": 1}, status=202), [202, "Accepted", [JSON], '{"a": 1}']),
        (lambda: Response("abc" * 100_000), [200, "OK", [TEXT], "abc" * 100_000]),
        (
            lambda: Response(ReadableStream(["one ", "two ", "three"])),
            [200, "OK", [], "one two three"],
        ),
        (
            lambda: Response(None, 301, headers={"location": "/next"}),
            [301, "Moved Permanently", [["location", "/next"]], ""],
        ),
        (lambda: Response("x", 299), [299, "Successful", [TEXT], "x"]),
        (lambda: Response("x", 413), [413, "Payload Too Large", [TEXT], "x"]),
    ],
)  # fmt: skip
async def test_what_the_caller_gets_as_recorded(response, expected):
    assert await shown(response()._delivered("http://object/")) == expected


async def test_a_head_request_gets_no_body():
    response = Response.json({"a": 1})._delivered("http://x/", head=True)
    assert await response.bytes() == b""
    assert response.body is None
    assert response.headers["content-type"] == "application/json"


async def test_a_delivered_response_is_isolated_and_its_headers_are_fixed():
    sent = Response("x", headers={"a": "1"})
    received = sent._delivered("http://x/", redirected=True)
    sent.js_headers.set("a", "2")
    assert (received.headers["a"], received.url, received.redirected) == ("1", "http://x/", True)
    with pytest.raises(PlatformTypeError, match=r"^Can't modify immutable headers.$"):
        received.js_headers.set("a", "3")
    assert sent.body_used
    assert await received.text() == "x"


async def test_a_default_content_type_is_fixed_too():
    received = Response("x")._delivered("http://x/")
    with pytest.raises(PlatformTypeError, match=r"^Can't modify immutable headers.$"):
        received.js_headers.delete("content-type")
    with pytest.raises(PlatformTypeError, match=r"^Can't modify immutable headers.$"):
        received.clone().js_headers.delete("content-type")
    Response(received.body, headers=received.js_headers).js_headers.delete("content-type")


async def test_the_same_response_cannot_be_answered_twice():
    kept = Response("x")
    kept._delivered()
    with pytest.raises(BodyUsedError):
        kept._delivered()
    streamed = Response(ReadableStream(["a"]))
    await streamed.body.getReader().read()
    with pytest.raises(BodyUsedError):
        streamed._delivered()
    empty = Response(None, 204)
    assert empty._delivered().status == empty._delivered().status


async def test_an_absent_body_arrives_as_an_empty_one():
    received = Response()._delivered()
    await received.text()
    with pytest.raises(BodyUsedError):
        await received.text()


def test_init_may_be_a_response():
    first = Response("x", 404, headers=Headers({"a": "1"}))._delivered("http://x/")
    second = Response._from_init("y", first)
    assert (second.status, second.status_text, second.headers["a"], second.url) == (
        404,
        "Not Found",
        "1",
        "",
    )
    created = Response("x", status=201, status_text="Created").replace_body("y")
    assert (created.status, created.status_text) == (201, "Created")
    assert Response("x", status=201).replace_body("y").status_text == ""
    assert Response._from_init("y").status == 200
    third = Response._from_init("y", {"status": 201, "statusText": "Made", "headers": [["b", "2"]]})
    assert (third.status, third.status_text, third.headers["b"]) == (201, "Made", "2")


async def test_the_other_names_of_reading():
    assert await Response("x").string() == "x"
    assert bytes(await Response("x").memoryview()) == b"x"
    assert Response("x", 404).statusText == ""


@pytest.mark.parametrize(
    ("response", "arrives"),
    [
        (Response("x", status=201), "Created"),
        (Response("x", status=201, status_text="Made"), "Made"),
        (Response("x", status=201).replace_body("y"), "Created"),
        (Response("x", status=201, status_text="Made").replace_body("y"), "Made"),
        (Response("x", status=201)._delivered().replace_body("y"), "Created"),
        (JsResponse.new("x", {"status": 201}), "Created"),
        (JsResponse.new("x", {"status": 201, "statusText": ""}), ""),
        (JsResponse.new("x", statusText=""), ""),
        (JsResponse.new("x", {"status": 201, "statusText": ""}).clone(), ""),
        (JsResponse.new("y", JsResponse.new("x", {"status": 201, "statusText": ""})), ""),
        (JsResponse.new("y", JsResponse.new("x", {"status": 201})), "Created"),
        (JsResponse.json({}, {"status": 201, "statusText": ""}), ""),
        (JsResponse.json({}, {"status": 201}), "Created"),
    ],
)
def test_the_status_text_that_arrives(response, arrives):
    """Recorded: a text that was given as "" stays so, one that was not given is the status's."""
    assert getattr(response, "_of", response)._delivered().status_text == arrives
