"""`js.caches`, by the clock of the runtime."""

import asyncio

import pytest
from js import WebSocketPair

from dobook.clock import parse_duration
from dobook.errors import PlatformError, PlatformTypeError
from dobook.web import Request, Response
from dobook.workers.js import caches as js_caches

URL = "https://shop.example/prices"


@pytest.fixture
def shop(open_runtime):
    return open_runtime(start="2026-01-01T00:00:00Z")


def run(runtime, work):
    return runtime.run(work(js_caches))


def keep(runtime, cache="default", url=URL, status=200, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def put(caches):
        there = caches.default if cache == "default" else await caches.open(cache)
        await there.put(url, Response("tea 5", status=status, headers=named))

    run(runtime, put)


def found(runtime, cache="default", request=URL, **options):
    async def match(caches):
        there = caches.default if cache == "default" else await caches.open(cache)
        response = await there.match(request, **options)
        if response is None:
            return None
        return response.status, response.headers["cf-cache-status"], await response.text()

    return run(runtime, match)


def test_an_answer_stays_as_long_as_it_says(shop):
    assert found(shop) is None
    keep(shop, cache_control="public, max-age=60, s-maxage=10")
    assert found(shop) == (200, "HIT", "tea 5")
    shop.advance("9s")
    assert found(shop) == (200, "HIT", "tea 5")  # more than once
    shop.advance("1s")
    assert found(shop) is None


@pytest.mark.parametrize(
    ("headers", "status", "stays"),
    [
        ({"cache_control": "max-age=3600"}, 200, "1h"),
        ({"expires": "Thu, 01 Jan 2026 00:00:30 GMT"}, 200, "30s"),
        ({}, 200, "2h"),
        ({}, 404, "3m"),
        ({"cache_control": "private=set-cookie, max-age=5", "set_cookie": "a=b"}, 200, "5s"),
        ({"expires": "soon"}, 200, None),
        ({"cache_control": "no-store"}, 200, None),
        ({"cache_control": "private, max-age=60"}, 200, None),
        ({"cache_control": "max-age=60", "set_cookie": "a=b"}, 200, None),
        ({}, 500, None),
    ],
)
def test_how_long_answers_stay(shop, headers, status, stays):
    keep(shop, status=status, **headers)
    if stays is None:
        assert found(shop) is None
        return
    shop.advance(f"{parse_duration(stays) - 1}ms")
    assert found(shop) == (status, "HIT", "tea 5")
    shop.advance("1ms")
    assert found(shop) is None


def test_caches_are_by_name_and_of_one_runtime(shop, open_runtime):
    keep(shop, cache="first")
    assert found(shop, cache="first") == (200, "HIT", "tea 5")
    assert found(shop, cache="second") is None
    assert found(shop) is None
    assert found(open_runtime(), cache="first") is None


def test_only_get_finds_and_deletes(shop):
    keep(shop)
    assert found(shop, request=Request(URL, method="POST")) is None
    assert found(shop, request=Request(URL, method="POST"), ignoreMethod=True) is not None

    async def delete(caches):
        cache = caches.default
        post = Request(URL, method="POST")
        return [await cache.delete(post), await cache.delete(URL), await cache.delete(URL)]

    assert run(shop, delete) == [False, True, False]


def test_who_has_the_answer_already_is_told_so(shop):
    keep(shop, etag='W/"v1"')
    for said, status in (('"v0", "v1"', 304), ("*", 304), ('"v0"', 200)):
        assert found(shop, request=Request(URL, headers={"If-None-Match": said}))[0] == status


@pytest.mark.parametrize(
    ("request_options", "response", "said"),
    [
        ({"method": "POST"}, lambda: Response(""), "Cannot cache response to non-GET request"),
        ({}, lambda: Response("", status=206), "Cannot cache response to a range request"),
        ({}, lambda: Response("", headers={"Vary": "*"}), "'Vary: \\*' header"),
        (
            {},
            lambda: Response(None, status=101, web_socket=WebSocketPair()[0]),
            "Cannot cache WebSocket upgrade",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused(shop, request_options, response, said):
    async def put(caches):
        await caches.default.put(Request(URL, **request_options), response())

    with pytest.raises(PlatformTypeError, match=said):
        run(shop, put)


def test_what_the_platform_lacks_is_said(shop):
    async def add(caches):
        await caches.default.add(URL)

    with pytest.raises(PlatformError, match="has no add"):
        run(shop, add)


def test_outside_of_a_runtime_there_is_no_cache():
    async def ask():
        await js_caches.open("x")

    with pytest.raises(PlatformError, match="within global scope"):
        asyncio.run(ask())
