"""Requests and responses as JavaScript sees them: `js.Request`, `js.Response`, `request.js_object`.

Each shares everything with the object it shows: reading the body of one uses up the other's, and a
header set here is there too. What differs is the spelling: `headers` is a live `Headers`, `json()`
gives objects whose members are attributes, `status` and the like come without Python's classes.
Source: developers.cloudflare.com/workers/runtime-apis/response/, …/request/
"""

# ruff: noqa: SLF001 - the classes of this package hand each other's slots over on the hot path
from collections.abc import Callable, Mapping
from typing import Any, Final

from dobook.web.headers import Headers
from dobook.web.request import Request
from dobook.web.response import FetchResponse, Response
from dobook.web.text import js_string


def _shared(name: str) -> Any:
    """Return an attribute that is the other object's."""

    def get(self: Any) -> Any:
        return getattr(self._of, name)

    def set_(self: Any, value: object) -> None:
        setattr(self._of, name, value)

    return property(get, set_)


# What makes JavaScript's objects of JSON; the module `js` puts its own here.
as_js: Final[list[Callable[[Any], Any]]] = []


def _objects(value: object) -> Any:
    return as_js[-1](value) if as_js else value


class JsResponse(Response):
    """A Response by JavaScript's names.

    Example:
        >>> response = JsResponse.new("hi", {"status": 201, "headers": {"x-a": "1"}})
        >>> response.headers.set("x-b", "2")
        >>> response.status, response.headers.get("x-b")
        (201, '2')
    """

    __slots__ = ("_of",)

    _of: FetchResponse
    _body = _shared("_body")
    _content_type = _shared("_content_type")
    _headers = _shared("_headers")
    _incoming = _shared("_incoming")
    _owner = _shared("_owner")
    _redirected = _shared("_redirected")
    _status = _shared("_status")
    _status_text = _shared("_status_text")
    _url = _shared("_url")
    _used = _shared("_used")
    _web_socket = _shared("_web_socket")

    def __init__(self, body: Any = None, init: Any = None, **options: Any) -> None:
        if isinstance(body, int | float):
            body = js_string(body)
        self._of = Response._from_init(body, _options(init, options))

    @classmethod
    def new(cls, body: object = None, init: object = None, **options: Any) -> "JsResponse":
        """Return `new Response(body, init)`; the options may be keywords as well."""
        return cls(body, init, **options)

    @classmethod
    def showing(cls, response: FetchResponse) -> "JsResponse":
        """Return a response as JavaScript sees it."""
        self = cls.__new__(cls)
        self._of = response
        return self

    @property
    def headers(self) -> Headers:  # type: ignore[override]
        """The headers, live."""
        return self._of.js_headers

    @property
    def js_object(self) -> "JsResponse":
        """This object."""
        return self

    js_response = js_object

    def json(self, *args: Any, **kwargs: Any) -> Any:
        """Return an awaitable of the body read as JSON; on the class, make a response of a value."""
        if isinstance(self, FetchResponse):
            return self._read_json()
        init = _options(args[0] if args else None, kwargs) or {}
        made = Response.from_json(self, init.get("status") or 200, headers=init.get("headers"))
        text = init.get("statusText")
        made._status_text = None if text is None else js_string(text)
        return JsResponse.showing(made)

    async def _read_json(self) -> Any:
        return _objects(await self._of._json())

    def clone(self) -> "JsResponse":
        """Return an independent copy, body included."""
        return JsResponse.showing(self._of.clone())

    @staticmethod
    def redirect(url: str, status: Any = 302) -> "JsResponse":
        """Return a redirect."""
        return JsResponse.showing(Response.redirect(url, status))


class JsRequest(Request):
    """A Request by JavaScript's names.

    Example:
        >>> JsRequest.new("http://x/", {"method": "POST"}).method
        'POST'
    """

    __slots__ = ("_of",)

    _of: Request
    _body = _shared("_body")
    _cache = _shared("_cache")
    _cf = _shared("_cf")
    _content_type = _shared("_content_type")
    _headers = _shared("_headers")
    _incoming = _shared("_incoming")
    _owner = _shared("_owner")
    _method = _shared("_method")
    _redirect = _shared("_redirect")
    _signal = _shared("_signal")
    _url = _shared("_url")
    _used = _shared("_used")

    def __init__(self, input: object, init: object = None, **options: Any) -> None:  # noqa: A002
        self._of = Request._from_init(input, _options(init, options))

    @classmethod
    def new(cls, input: object, init: object = None, **options: Any) -> "JsRequest":  # noqa: A002
        """Return `new Request(input, init)`; the options may be keywords as well."""
        return cls(input, init, **options)

    @classmethod
    def showing(cls, request: Request) -> "JsRequest":
        """Return a request as JavaScript sees it."""
        self = cls.__new__(cls)
        self._of = request
        return self

    @property
    def headers(self) -> Headers:  # type: ignore[override]
        """The headers, live."""
        return self._of.js_headers

    @property
    def method(self) -> str:
        """The method, a plain text."""
        return str.__str__(self._of._method)

    @property
    def js_object(self) -> "JsRequest":
        """This object."""
        return self

    async def json(self, **kwargs: Any) -> Any:
        """Return the body read as JSON."""
        return _objects(await self._of._json(**kwargs))

    def clone(self) -> "JsRequest":
        """Return an independent copy, body included."""
        return JsRequest.showing(self._of.clone())


def _options(init: object, keywords: Mapping[str, Any]) -> Any:
    """Return JavaScript's options, whether they came as an object, as keywords or both."""
    if not keywords:
        return init
    return {**(init if isinstance(init, Mapping) else {}), **keywords}
