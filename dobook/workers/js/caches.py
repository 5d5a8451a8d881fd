"""`js.caches`: answers that are kept for a while, by the clock of the runtime.

A runtime has one set of caches, in memory, for all of its Workers and objects. How long an answer
stays is what its `Cache-Control` or `Expires` says; without either it goes by the status, as on
Cloudflare's servers. Whole answers are given: a `Range` is not looked at.
Source: developers.cloudflare.com/workers/runtime-apis/cache/,
developers.cloudflare.com/cache/how-to/configure-cache-status-code/
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from dobook.errors import PlatformError, PlatformTypeError
from dobook.runtime.calls.promise import Promise, Rejected
from dobook.runtime.sockets.transport import current_wire
from dobook.web import Headers, Request, Response
from dobook.web.javascript import JsResponse

if TYPE_CHECKING:
    from dobook.runtime.kernel import Kernel

_MINUTE_MS: Final = 60_000
_BY_STATUS_MS: Final[Mapping[int, int]] = {
    **dict.fromkeys((200, 301), 120 * _MINUTE_MS),
    **dict.fromkeys((302, 303), 20 * _MINUTE_MS),
    **dict.fromkeys((404, 410), 3 * _MINUTE_MS),
}


@dataclass(frozen=True, slots=True)
class _Entry:
    status: int
    headers: Headers
    body: bytes | None
    until_ms: int  # it is found before this


_Entries = dict[str, _Entry]
_kept: "WeakKeyDictionary[Kernel, dict[str, _Entries]]" = WeakKeyDictionary()


class Cache:
    """One cache: `caches.default`, or of a name.

    Args:
        name: Its name, "default" for the one that is always there.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def match(self, request: Any, init: Any = None, **options: Any) -> Promise:
        """Return a promise of what is kept for a request, None if nothing is.

        Args:
            request: A Request or a URL. Only a GET finds anything.
            init: `ignoreMethod`, with which any method does.
            **options: The same as keywords.
        """
        asked = _asked(request)
        findable = asked.method == "GET" or {**(init or {}), **options}.get("ignoreMethod")

        async def find(runtime: "Kernel") -> JsResponse | None:
            entry = self._entries(runtime).get(asked.url) if findable else None
            if entry is None or entry.until_ms <= runtime.loop.now_ms:
                return None
            headers = entry.headers.copy()
            headers.set("CF-Cache-Status", "HIT")
            if _is_known(asked.js_headers, headers):
                return JsResponse.showing(Response(None, status=304, headers=headers))
            return JsResponse.showing(Response(entry.body, status=entry.status, headers=headers))

        return _promise(find)

    def put(self, request: Any, response: Any) -> Promise:
        """Keep an answer, whose body is used up, for a request; returns a promise of None.

        Raises:
            PlatformTypeError: From the promise: if the request is not a GET, or the answer is
                partial (206), a WebSocket, or has `Vary: *`.
        """
        try:
            asked, headers = _asked(request), response.js_headers.copy()
            _check(asked, response, headers)
        except PlatformTypeError as error:
            return Rejected(error)

        async def keep(runtime: "Kernel") -> None:
            body = None if response.body is None else bytes(await response.bytes())
            now_ms = runtime.loop.now_ms
            stay_ms = _stay_ms(response.status, headers, now_ms)
            if stay_ms > 0:
                self._entries(runtime)[asked.url] = _Entry(
                    response.status, headers, body, now_ms + stay_ms
                )

        return _promise(keep)

    def delete(self, request: Any, init: Any = None, **options: Any) -> Promise:
        """Forget what is kept for a request; returns a promise of whether there was something."""
        asked = _asked(request)
        findable = asked.method == "GET" or {**(init or {}), **options}.get("ignoreMethod")

        async def forget(runtime: "Kernel") -> bool:
            entry = self._entries(runtime).pop(asked.url, None) if findable else None
            return entry is not None and entry.until_ms > runtime.loop.now_ms

        return _promise(forget)

    def _entries(self, runtime: "Kernel") -> _Entries:
        return _kept.setdefault(runtime, {}).setdefault(self._name, {})

    def __getattr__(self, name: str) -> Any:
        if name in ("add", "addAll"):
            raise PlatformError(
                f"The platform's Cache has no {name}(): fetch the answer, then put(request, answer)."
            )
        raise AttributeError(name)

    def __repr__(self) -> str:
        return f"Cache({self._name!r})"


class CacheStorage:
    """All caches of a runtime: `js.caches`."""

    default: Final = Cache("default")

    def open(self, name: str) -> Promise:
        """Return a promise of the cache of a name, which is its own; it need not exist yet."""

        async def find(_: "Kernel") -> Cache:
            return Cache(f"named {name}")

        return _promise(find)

    def __repr__(self) -> str:
        return "<js.caches>"


def _promise(work: "Callable[[Kernel], Awaitable[Any]]") -> Promise:
    wire = current_wire()
    if wire is None:
        return Rejected(
            PlatformError(
                "Disallowed operation called within global scope: use caches within a handler."
            )
        )
    promise: Promise = wire.runtime.post.promise_of(work(wire.runtime))  # type: ignore[arg-type]
    return promise


def _asked(request: Any) -> Request:
    return request if isinstance(request, Request) else Request(request)


def _check(asked: Request, response: Response, headers: Headers) -> None:
    if asked.method != "GET":
        raise PlatformTypeError("Cannot cache response to non-GET request.")
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        raise PlatformTypeError("Cannot cache response to a range request (206 Partial Content).")
    if "*" in (headers.get("vary") or ""):
        raise PlatformTypeError("Cannot cache response with 'Vary: *' header.")
    if response.webSocket is not None:
        raise PlatformTypeError("Cannot cache WebSocket upgrade response.")


def _stay_ms(status: int, headers: Headers, now_ms: int) -> int:
    """Return for how long an answer stays, 0 if it is not kept at all."""
    said = (headers.get("cache-control") or "").lower()
    cookies = headers.get("set-cookie") is not None
    if "private=set-cookie" in said:
        headers.delete("set-cookie")
        said, cookies = said.replace("private=set-cookie", ""), False
    if (
        status == HTTPStatus.NOT_MODIFIED
        or cookies
        or re.search(r"\b(no-store|private|no-cache)\b", said)
    ):
        return 0
    for directive in ("s-maxage", "max-age"):
        found = re.search(rf'(?<![\w-]){directive}="?(\d+)', said)
        if found is not None:
            return int(found[1]) * 1000
    expires = headers.get("expires")
    if expires is None:
        return _BY_STATUS_MS.get(status, 0)
    from email.utils import parsedate_to_datetime

    try:
        return round(parsedate_to_datetime(expires).timestamp() * 1000) - now_ms
    except ValueError:
        return 0  # the past, whatever it says


def _is_known(asked: Headers, kept: Headers) -> bool:
    """Return whether the caller has the answer already: its `If-None-Match` names the tag."""
    wanted, tag = asked.get("if-none-match"), kept.get("etag")
    if wanted is None or tag is None:
        return False
    tags = [one.strip().removeprefix("W/") for one in wanted.split(",")]
    return wanted.strip() == "*" or tag.removeprefix("W/") in tags
