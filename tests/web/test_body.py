"""Bodies: what they may be made of, reading them once, their content type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dobook.errors import PlatformTypeError
from dobook.web import (
    Blob,
    BodyUsedError,
    FormData,
    JsBuffer,
    ReadableStream,
    Request,
    Response,
    URLSearchParams,
)

USED = (
    "Body has already been used. It can only be used once. "
    "Use tee() first if you need to read it twice."
)
READS = ["text", "bytes", "buffer", "arrayBuffer", "json", "blob", "form_data", "memoryview"]


async def words():
    yield "one "
    yield b"two "
    yield "three"


@pytest.mark.parametrize(
    ("body", "content_type", "data"),
    [
        ("x", "text/plain;charset=UTF-8", b"x"),
        ("", "text/plain;charset=UTF-8", b""),
        ("\u00e9\ud800", "text/plain;charset=UTF-8", b"\xc3\xa9\xef\xbf\xbd"),
        (b"hi", None, b"hi"),
        (Blob("hi"), None, b"hi"),
        (Blob("hi", "a/B"), "a/b", b"hi"),
        (URLSearchParams("a=1&b=+"), "application/x-www-form-urlencoded;charset=UTF-8", b"a=1&b=+"),
        (ReadableStream(["a", "b"]), None, b"ab"),
        (ReadableStream(words()), None, b"one two three"),
        (None, None, b""),
    ],
)
async def test_bodies_and_the_content_type_they_bring(body, content_type, data):
    response = Response(body)
    assert response.headers["content-type"] == content_type
    assert await response.bytes() == data


async def test_a_form_brings_its_boundary():
    request = Request("http://x/", method="PUT", body=FormData({"a": "1"}))
    kind, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    assert (await request.text()).startswith(f"--{boundary}\r\n")


def test_an_own_content_type_stays():
    assert (
        Response("x", headers={"Content-Type": "text/html"}).headers["content-type"] == "text/html"
    )


@pytest.mark.parametrize(
    "body", [5, {"a": 1}, ["x"], object(), bytearray(b"x"), memoryview(b"x"), words()]
)
def test_other_bodies_are_refused(body):
    with pytest.raises(TypeError, match=rf"^Unsupported type in Response: {type(body).__name__}\b"):
        Response(body)


@pytest.mark.parametrize("first", READS[:-2])
@pytest.mark.parametrize("second", READS)
async def test_a_body_is_read_once(first, second):
    response = Response("5")
    await getattr(response, first)()
    assert response.body_used
    with pytest.raises(BodyUsedError) as caught:
        await getattr(response, second)()
    assert str(caught.value) == USED
    assert isinstance(caught.value, PlatformTypeError)
    assert isinstance(caught.value, OSError)
    assert caught.value.js_name == "TypeError"


@pytest.mark.parametrize("body", ["", b"", ReadableStream()])
async def test_an_empty_body_is_read_once_too_but_an_absent_one_as_often_as_you_like(body):
    response = Response(body)
    assert await response.text() == ""
    with pytest.raises(BodyUsedError):
        await response.text()
    absent = Response(None)
    assert (await absent.text(), await absent.bytes(), absent.body_used) == ("", b"", False)
    assert absent.body is None


@pytest.mark.parametrize(
    "make", [lambda: "both", lambda: b"both", lambda: ReadableStream(["bo", "th"])]
)
async def test_a_clone_is_independent(make):
    response = Response(make())
    clone = response.clone()
    assert [await response.text(), await clone.text()] == ["both", "both"]
    with pytest.raises(BodyUsedError):
        response.clone()


async def test_the_body_is_a_stream_and_reading_that_uses_the_body_up():
    response = Response("h\u00e9")
    stream = response.body
    assert response.body is stream
    assert not response.bodyUsed
    assert [chunk async for chunk in stream] == ["h\u00e9".encode()]
    assert response.bodyUsed
    with pytest.raises(BodyUsedError):
        await response.text()
    with pytest.raises(PlatformTypeError, match="This ReadableStream is disturbed"):
        Response(stream)


async def test_the_stream_of_a_used_body_is_used():
    response = Response("x")
    await response.text()
    assert response.body.disturbed


async def test_text_is_utf_8_without_byte_order_mark():
    for body in (
        "\ufeffa\ufeff",
        b"\xef\xbb\xbfa\xef\xbb\xbf",
        ReadableStream([b"\xef\xbb", b"\xbfa", "\ufeff"]),
    ):
        assert await Response(body).text() == "a\ufeff"
    assert await Response(b"\xff").text() == "\ufffd"


async def test_a_buffer_is_bytes_with_more_names():
    buffer = await Response("hi").buffer()
    assert isinstance(buffer, JsBuffer)
    assert (buffer, buffer.byteLength, buffer.to_string()) == (b"hi", 2, "hi")
    assert type(buffer.to_bytes()) is bytes
    assert bytes(buffer.to_memoryview()) == bytes(buffer.to_py()) == b"hi"
    assert repr(buffer) == "b'hi'"


async def test_a_blob_takes_the_type_of_the_headers():
    blob = await Response("hi").blob()
    assert (blob.size, blob.content_type) == (2, "text/plain;charset=utf-8")


async def test_a_form_needs_a_content_type():
    with pytest.raises(PlatformTypeError, match="requires a Content-Type header"):
        await Response(b"a=1").form_data()


async def test_json_takes_the_options_of_json_loads():
    assert await Response('{"a": 1.5}').json() == {"a": 1.5}
    assert await Request("http://x/", method="POST", body="[1.5]").json(parse_float=str) == ["1.5"]
    with pytest.raises(ValueError, match="Expecting value"):
        await Response("").json()


@given(st.text())
async def test_any_text_comes_back(text):
    expected = text.removeprefix("\ufeff")
    assert await Response(text).text() == expected
    assert await Response(text.encode()).text() == expected
