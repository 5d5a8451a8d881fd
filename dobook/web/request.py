"""`Request`: what is asked of a Worker or a durable object.

Owns the constructor's rules and the way a request takes to the object that receives it.
Source: cloudflare/workers-py packages/runtime-sdk/src/workers/request.py and cloudflare/workerd
src/workerd/api/http.c++
"""

# ruff: noqa: SLF001 - the classes of this package hand each other's slots over on the hot path
from collections.abc import Callable, Mapping
from http import HTTPMethod
from typing import TYPE_CHECKING, Any, Final, Self

from dobook.errors import PlatformTypeError
from dobook.ownership import current_owner
from dobook.web.body import Body, BodyUsedError, Content, extract_body
from dobook.web.headers import Headers
from dobook.web.streams import ReadableStream
from dobook.web.text import js_string
from dobook.web.url import HAS_HOST, bare_url, delivered_url, origin, request_url, resolve

if TYPE_CHECKING:
    from dobook.web.javascript import JsRequest
    from dobook.web.response import FetchResponse

GET: Final = HTTPMethod.GET
_WITHOUT_BODY: Final = frozenset(("GET", "HEAD"))
_METHODS: Final[dict[str, str]] = {
    **{method.value: method for method in HTTPMethod if method.value != "CONNECT"},
    # The engine knows these too; the SDK, whose methods are HTTPMethod, does not.
    **{
        method: method
        for method in (
            "ACL", "BAN", "CHECKOUT", "COPY", "LOCK", "MERGE", "MKACTIVITY", "MKCOL", "MOVE",
            "MSEARCH", "NOTIFY", "PROPFIND", "PROPPATCH", "PURGE", "QUERY", "REPORT", "SEARCH",
            "SUBSCRIBE", "UNLOCK", "UNSUBSCRIBE",
        )
    },
}  # fmt: skip
_SIGNAL_REFUSED = (
    "Incorrect type for the 'signal' field on 'RequestInitializerDict': the provided value is not "
    "of type 'AbortSignal'."
)
_BODY_REFUSED = "Request with a GET or HEAD method cannot have a body."
_REDIRECT_REFUSED = (
    'Invalid redirect value, must be one of "follow" or "manual" ("error" won\'t be implemented '
    'since it does not make sense at the edge; use "manual" and check the response status code).'
)
MAX_REDIRECTS: Final = 20  # fetch.spec.whatwg.org/#http-redirect-fetch


class RedirectError(PlatformTypeError):
    """A redirect that cannot be followed; the caller's side finds out, not the object's."""


def known_method(name: str) -> str | None:
    """Return a method as requests have it, None for one that the engine does not know."""
    return _METHODS.get(name)


signals: Final[list[Callable[[], Any]]] = []  # what makes a signal; the module `js` adds its own


def _check_cache_mode(mode: str) -> None:
    """Refuse a mode of the cache that the engine does not have, as it does before all else."""
    if mode not in ("no-store", "no-cache"):
        raise PlatformTypeError(f"Unsupported cache mode: {mode}")


class Request(Body):
    """A request.

    Args:
        input: A URL, or a Request to start from, whose body this one takes over.
        **other_options: `method`, `headers`, `body`, `redirect` ("follow" or "manual"), `cache`
            ("no-store" or "no-cache"), `cf`, `signal`. Others that browsers have are accepted and mean nothing here, as in the engine.

    Raises:
        PlatformTypeError: If the URL, the method or another option is not allowed.

    Example:
        >>> Request("http://counter/add", method="POST", body="5")
        Request(method='POST', url='http://counter/add')

    Source: developers.cloudflare.com/workers/runtime-apis/request/
    """

    __slots__ = ("_cache", "_cf", "_method", "_redirect", "_signal", "_url")

    _cache: str | None
    _cf: Any
    _method: str
    _redirect: str
    _signal: Any
    _url: str

    def __init__(self, input: "Request | str | Any", **other_options: Any) -> None:  # noqa: A002
        self._used = False
        self._incoming = False
        self._owner = current_owner.get()
        self._body = self._content_type = self._headers = None
        self._cf = self._signal = self._cache = None
        self._method = GET
        self._redirect = "follow"
        if other_options and (cache := other_options.get("cache")) is not None:
            _check_cache_mode(js_string(cache))
        if type(input) is str:
            self._url = request_url(input)
        elif isinstance(input, Request):
            self._copy(input, keep_body=other_options.get("body") is not None)
        else:
            self._url = request_url(js_string(input))
        if other_options:
            self._apply(other_options)

    def _copy(self, other: "Request", *, keep_body: bool) -> None:
        self._url = other._url
        self._method = other._method
        self._redirect = other.redirect
        self._cf = other._cf
        self._signal = other._signal
        self._cache = other._cache
        if other._headers is not None or other._content_type is not None or other._incoming:
            self._headers = other.js_headers.copy()
        if not keep_body:
            try:
                self._body = other._give()
            except BodyUsedError:
                raise PlatformTypeError("Cannot reconstruct a Request with a used body.") from None

    def _apply(self, options: Mapping[str, Any]) -> None:
        if options.get("integrity"):
            raise PlatformTypeError(
                "Subrequest integrity checking is not implemented. "
                "The integrity option must be either undefined or an empty string."
            )
        method, headers = options.get("method"), options.get("headers")
        if method is not None:
            text = js_string(method)
            known = _METHODS.get(text) or _METHODS.get(text.upper())
            if known is None:
                raise PlatformTypeError(f"Invalid HTTP method string: {text}")
            self._method = known
        if headers is not None:
            self._headers = Headers(headers)
            self._content_type = None
        self._cf = options.get("cf", self._cf)
        signal = self._signal = options.get("signal", self._signal)
        if signal is not None and not hasattr(type(signal), "throwIfAborted"):
            raise PlatformTypeError(_SIGNAL_REFUSED)
        if options.get("cache") is not None:
            self._cache = js_string(options["cache"])
        body = options.get("body")
        if body is not None:
            self._body, self._content_type = extract_body(body)
        changed = method is not None or body is not None
        if changed and self._body is not None and self._method in _WITHOUT_BODY:
            raise PlatformTypeError(_BODY_REFUSED)
        redirect = options.get("redirect")
        if redirect is not None:
            lowered = js_string(redirect).lower()
            if lowered not in ("follow", "manual"):
                raise PlatformTypeError(_REDIRECT_REFUSED)
            self._redirect = lowered

    @property
    def url(self) -> str:
        """The URL in normal form."""
        return self._url

    @property
    def method(self) -> str:
        """The method: an `http.HTTPMethod`, which is a text; a plain text for WebDAV's."""
        return self._method

    @property
    def redirect(self) -> str:
        """How redirects are met, "follow" or "manual"; always "manual" on the request a handler receives."""
        return "manual" if self._incoming else self._redirect

    @property
    def cf(self) -> Any:
        """Cloudflare's properties of the request, None here unless the caller gave some."""
        return self._cf

    @property
    def signal(self) -> Any:
        """The signal given to the constructor; without one, one that is never given.

        That of a request which an object gets is never given: the caller's stays with the caller.
        """
        return signals[-1]() if self._signal is None and signals else self._signal

    @property
    def js_object(self) -> "JsRequest":
        """This request as JavaScript sees it, with live `headers`; it shares everything."""
        from dobook.web.javascript import JsRequest

        return JsRequest.showing(self)

    _js_request = js_object  # Cloudflare's examples use this name too

    @property
    def cache(self) -> str | None:
        """The option of that name, "no-store", "no-cache" or None."""
        return self._cache

    @property
    def integrity(self) -> str:
        """Always "": the engine checks no subresources."""
        return ""

    @property
    def keepalive(self) -> bool:
        """Always False: the engine has no such mode."""
        return False

    def _add_arrival_headers(self, values: dict[str, tuple[str, ...]]) -> None:
        if self._body is None or "content-length" in values or "transfer-encoding" in values:
            return
        length = self._length()
        if length is None:
            values["transfer-encoding"] = ("chunked",)
        else:
            values["content-length"] = (str(length),)

    async def json(self, **kwargs: Any) -> Any:
        """Return the body read as JSON.

        Args:
            **kwargs: For `json.loads`.

        Raises:
            BodyUsedError: If the body was read before.
            json.JSONDecodeError: If it is not JSON.
        """
        return await self._json(**kwargs)

    def clone(self) -> "Request":
        """Return an independent copy, body included.

        Raises:
            BodyUsedError: If the body was read before.
        """
        new = Request.__new__(Request)
        new._body = self._share()
        new._used = False
        new._owner = current_owner.get()
        headers = self.js_headers
        new._headers = headers.copy(immutable=headers._immutable)
        new._content_type = None
        new._url, new._method, new._redirect = self._url, self._method, self._redirect
        new._cf, new._signal, new._incoming = self._cf, self._signal, self._incoming
        new._cache = self._cache
        return new

    def __repr__(self) -> str:
        return f"Request(method={str(self._method)!r}, url={self._url!r})"

    @classmethod
    def _from_init(cls, input: object, init: "Mapping[str, Any] | Request | None" = None) -> Self:  # noqa: A002
        """Return a request from JavaScript's arguments: `new Request(input, init)`.

        Args:
            input: As for the constructor.
            init: A mapping of its options; or a request, whose own these are then, body included.
        """
        if isinstance(init, Request):
            init = {
                "method": init._method,
                "headers": init.js_headers,
                "body": init._give(),
                "redirect": init.redirect,
                "cf": init._cf,
                "signal": init._signal,
                "cache": init._cache,
            }
        return cls(input, **(init or {}))

    @classmethod
    def _for_delivery(
        cls,
        input: object,  # noqa: A002
        init: "Mapping[str, Any] | Request | None" = None,
    ) -> Self:
        """Return the request a receiving object gets when a stub's `fetch(input, init)` is called.

        It shares nothing with the caller that can change. Its URL has no credentials and no
        fragment, its headers are fixed and tell the body's length; the body of a Request given as
        `input` is used up.

        Raises:
            PlatformTypeError: As the constructor.
        """
        if not init and type(input) is str:
            self = cls.__new__(cls)
            self._url = delivered_url(input)
            self._used = False
            self._body = self._content_type = self._headers = self._owner = None
            self._cf = self._signal = self._cache = None
            self._method = GET
            self._redirect = "follow"
        else:
            self = cls._from_init(input, init)
            self._url = delivered_url(self._url)
            if self._cache is not None:
                headers = self.js_headers
                for name in ("cache-control", "pragma"):
                    if not headers.has(name):
                        headers.set(name, "no-cache")
                self._cache = None
        self._incoming = True
        return self

    @classmethod
    def _arrived(cls, method: str, url: str, headers: Headers, body: Content) -> Self:
        """Return a request that came over the network.

        Args:
            method: One that the engine knows (see `known_method`).
            url: In normal form.
            headers: Fixed ones; requests may share them.
            body: None for none.
        """
        self = cls.__new__(cls)
        self._url = url
        self._used = False
        self._owner = None
        self._body = body
        self._content_type = None
        self._headers = headers
        self._cf = self._signal = self._cache = None
        self._method = method
        self._redirect = "manual"
        self._incoming = True
        return self

    def _next_hop(self, response: "FetchResponse", via: tuple[str, ...] = ()) -> Self | None:
        """Return the request that follows a redirect, or None if the response is the answer.

        Args:
            response: What the object answered to this (delivered) request.
            via: The URLs that have redirected to this one.

        Raises:
            RedirectError: If the Location is not a URL, there are too many redirects, or the body
                was a stream and cannot be sent again.
        """
        status = response._status
        if self._redirect != "follow" or status not in (301, 302, 303, 307, 308):
            return None
        location = response.js_headers.get("location")
        if not location:
            return None
        target = resolve(location, self._url)
        if target is None or not HAS_HOST(target):  # the scheme does not matter, as in the engine
            raise RedirectError("Invalid Location header; unable to follow redirect.")
        if len(via) >= MAX_REDIRECTS:
            raise RedirectError(f"Too many redirects.{', '.join([*via, self._url])}")
        body = self._body
        if isinstance(body, ReadableStream):
            body = body.buffered
        if status != 303 and body is None and self._body is not None:
            raise RedirectError(
                "A request with a one-time-use body (it was initialized from a stream, not a "
                "buffer) encountered a redirect requiring the body to be retransmitted. To avoid "
                "this error in the future, construct this request from a buffer-like body "
                "initializer."
            )
        new = type(self).__new__(type(self))
        new._url, new._redirect, new._incoming = bare_url(target), "follow", True
        new._cf, new._signal, new._cache = self._cf, self._signal, None
        new._method, new._body, new._used = self._method, body, False
        new._content_type = None
        new._owner = self._owner
        headers = self.js_headers.copy()
        for name in ("content-length", "transfer-encoding"):  # those of the body's next journey
            headers._values.pop(name, None)
        if origin(target) != origin(self._url):
            headers._values.pop("authorization", None)
        new._headers = headers
        post = self._method == "POST" and status in (301, 302)
        if post or (status == 303 and self._method != "HEAD"):
            new._method, new._body = GET, None
        return new
