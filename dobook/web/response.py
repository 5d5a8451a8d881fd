"""`Response`: what a Worker or durable object answers.

Owns the constructor's rules, the ready-made responses and the way back to the caller.
Source: cloudflare/workers-py packages/runtime-sdk/src/workers/response.py, Pyodide's
`pyodide.http.FetchResponse` and cloudflare/workerd src/workerd/api/http.c++
"""

# ruff: noqa: SLF001 - the classes of this package hand each other's slots over on the hot path
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import PlatformRangeError, PlatformTypeError
from dobook.ownership import current_owner
from dobook.web.body import TEXT_TYPE, Body, BodyInit, BodyUsedError, extract_response_body
from dobook.web.headers import Headers, HeadersInit
from dobook.web.status import out_of_range, status_text_of
from dobook.web.streams import ReadableStream
from dobook.web.text import js_integer, js_string, json_text
from dobook.web.url import normalise

if TYPE_CHECKING:
    from dobook.web.javascript import JsResponse

JSON_TYPE: Final = "application/json"
_NULL_BODY: Final = frozenset((101, 204, 205, 304))
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_NULL_BODY_REFUSED = "Response with null body status (101, 204, 205, or 304) cannot have a body."


class HttpStatusError(OSError):
    """What `raise_for_status` raises for a status of 400 or more.

    Source: pyodide.org/en/stable/usage/api/python-api/http.html
    """

    def __init__(self, status: int, status_text: str, url: str) -> None:
        self.status = status
        self.status_text = status_text
        self.url = url
        kind = "Client" if status < 500 else "Server"
        super().__init__(f"{status} {kind} Error: {status_text} for url: {url}")


class FetchResponse(Body):
    """The reading side of a response: what `fetch` gives. Made by constructing a Response."""

    __slots__ = ("_redirected", "_status", "_status_text", "_url", "_web_socket")

    _redirected: bool
    _status: int
    _status_text: str | None  # None until it is sent, unless it was given
    _url: str
    _web_socket: Any

    @property
    def status(self) -> int:
        """The status code."""
        return self._status

    @property
    def status_text(self) -> str:
        """The reason phrase; "" on a response nobody has sent yet, unless it was given."""
        return self._status_text or ""

    @property
    def statusText(self) -> str:
        """The same as `status_text`, by JavaScript's name."""
        return self._status_text or ""

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self._status < 300

    @property
    def url(self) -> str:
        """The URL that was answered; "" on a response nobody has sent yet."""
        return self._url

    @property
    def redirected(self) -> bool:
        """Whether a redirect was followed on the way to this response."""
        return self._redirected

    @property
    def type(self) -> str:
        """Always "default", as in the engine."""
        return "default"

    @property
    def web_socket(self) -> Any:
        """The client's end of a WebSocket pair, None without an upgrade."""
        return self._web_socket

    @property
    def webSocket(self) -> Any:
        """The same as `web_socket`, by JavaScript's name."""
        return self._web_socket

    @property
    def js_object(self) -> "JsResponse":
        """This response as JavaScript sees it, with live `headers`; it shares everything."""
        from dobook.web.javascript import JsResponse

        return JsResponse.showing(self)

    @property
    def js_response(self) -> "JsResponse":
        """The same as `js_object`, by Pyodide's name."""
        return self.js_object

    async def string(self) -> str:
        """Return the same as `text`, by Pyodide's older name."""
        return await self.text()

    async def memoryview(self) -> memoryview:
        """Return the body as a view of bytes."""
        return memoryview(await self._take())

    def raise_for_status(self) -> None:
        """Do nothing for a status below 400.

        Raises:
            HttpStatusError: For others.
        """
        if 400 <= self._status < 600:
            raise HttpStatusError(self._status, self.status_text, self._url)

    def json(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Return an awaitable of the body read as JSON; keyword arguments go to `json.loads`.

        Called on the class, `Response.json(data, …)`, it makes a response as `from_json` does.

        Raises:
            BodyUsedError: If the body was read before.
            json.JSONDecodeError: If it is not JSON.

        Example:
            >>> Response.json({"n": 1}, status=201)
            Response(status=201, content_type='application/json')
        """
        if isinstance(self, FetchResponse):
            return self._json(*args, **kwargs)
        return Response.from_json(self, *args, **kwargs)

    def clone(self) -> "Response":
        """Return an independent copy, body included.

        Raises:
            BodyUsedError: If the body was read before.
            PlatformTypeError: If this is the answer to a WebSocket handshake.
        """
        if self._web_socket is not None:
            raise PlatformTypeError("Cannot clone a response to a WebSocket handshake.")
        new = _blank(self)
        new._body = self._share()
        return new

    def replace_body(self, body: BodyInit) -> "Response":
        """Return a response with this one's status and headers and another body."""
        return Response._from_init(body, self)

    def __repr__(self) -> str:
        shown = [f"status={self._status}"]
        if self._status_text:
            shown.append(f"status_text={self._status_text!r}")
        content_type = self._content_type
        if self._headers is not None:
            content_type = self._headers.get("content-type") or content_type
        if content_type is not None:
            shown.append(f"content_type={content_type!r}")
        if self._url:
            shown.append(f"url={self._url!r}")
        return f"Response({', '.join(shown)})"

    def _delivered(
        self, url: str = "", *, head: bool = False, redirected: bool = False
    ) -> "Response":
        """Return what the caller of `fetch` gets of this response.

        It shares nothing with this one that can change: this body is used up, the headers are a
        fixed copy, the status text is filled in.

        Args:
            url: What the request was for.
            head: Whether the request was a HEAD, whose answer has no body.
            redirected: Whether redirects were followed.

        Raises:
            BodyUsedError: If the body was read or delivered before.
        """
        status, body = self._status, self._body
        if body is not None:
            if self._used or (type(body) is ReadableStream and body.disturbed):
                raise BodyUsedError
            self._used = True
            if head:
                body = None
        elif not head and status not in _NULL_BODY:
            body = ""  # a caller cannot tell an absent body from an empty one
        new: Response = _new(Response)
        new._body = body
        new._used = False
        new._owner = None
        new._incoming = True
        new._status = status
        text = self._status_text
        new._status_text = status_text_of(status) if text is None else text
        headers = self._headers
        new._headers = None if headers is None else headers.copy()
        new._content_type = self._content_type
        new._url = url
        new._redirected = redirected
        new._web_socket = self._web_socket
        return new

    @staticmethod
    def redirect(url: str, status: HTTPStatus | int = HTTPStatus.FOUND) -> "Response":
        """Return a redirect.

        Args:
            url: Where to, absolute.
            status: 301, 302, 303, 307 or 308.

        Raises:
            PlatformRangeError: For another status.
            PlatformTypeError: If the URL is not valid.

        Example:
            >>> Response.redirect("http://x/y").js_headers.get("location")
            'http://x/y'
        """
        code = js_integer(status)
        if code not in _REDIRECTS:
            raise PlatformRangeError(
                f"{code} is not a redirect status code. "
                "It must be one of: 301, 302, 303, 307, or 308."
            )
        text = js_string(url)
        target = normalise(text)
        if target is None:
            raise PlatformTypeError(f"Unable to parse URL: {text}")
        response = Response(None, code, headers={"location": target})
        response._headers = response.js_headers.copy(immutable=True)
        return response

    @staticmethod
    def from_json(
        data: object,
        status: HTTPStatus | int = HTTPStatus.OK,
        status_text: str = "",
        headers: HeadersInit = None,
    ) -> "Response":
        """Return a response whose body is a value as JSON.

        Args:
            data: Anything `json.dumps` takes, and datetimes, which become ISO texts in UTC. What
                JSON has no number for (NaN, infinity) becomes null, as in JavaScript.
            status: The status code.
            status_text: The reason phrase; by default that of the status.
            headers: More headers; a Content-Type among them stays.

        Raises:
            TypeError: If JSON has no such value.

        Example:
            >>> Response.from_json({"ok": True})
            Response(status=200, content_type='application/json')
        """
        response = Response(json_text(data), status, status_text, headers)
        if response._headers is None or not response._headers.has("content-type"):
            response._content_type = JSON_TYPE
        return response


class Response(FetchResponse):
    """A response.

    Args:
        body: A text, bytes, FormData, Blob, URLSearchParams, ReadableStream, None; or a response
            to copy.
        status: 200 to 599; 101 with a WebSocket.
        status_text: The reason phrase; by default that of the status.
        headers: A mapping, pairs or Headers. The body brings its Content-Type unless there is one.
        web_socket: The client's end of a WebSocketPair, to accept an upgrade.

    Raises:
        PlatformTypeError: If the body is something else, or this status forbids one.
        PlatformRangeError: If the status is out of range.

    Example:
        >>> Response("created", status=201)
        Response(status=201, content_type='text/plain;charset=UTF-8')

    Source: developers.cloudflare.com/workers/runtime-apis/response/
    """

    __slots__ = ()

    def __init__(
        self,
        body: BodyInit = None,
        status: HTTPStatus | int | None = None,
        status_text: str = "",
        headers: HeadersInit = None,
        web_socket: object = None,
    ) -> None:
        self._used = self._redirected = self._incoming = False
        self._owner = current_owner.get()
        self._headers = None
        self._url = ""
        if type(body) is str:
            self._body = body
            self._content_type = TEXT_TYPE
        else:
            if isinstance(body, FetchResponse):
                self._adopt(body, status, status_text, headers)
                return
            self._body, self._content_type = extract_response_body(body)
        if headers is not None:
            self._headers = Headers(headers)
        self._status_text = status_text or None
        self._web_socket = web_socket
        if status is None:
            self._status = 200
        else:
            given = status
            self._status = status = js_integer(status)
            if not 200 <= status <= 599 and web_socket is None:
                raise out_of_range(given)
        if status_text and min(status_text) < " ":
            raise PlatformTypeError("Invalid statusText")
        if self._status in _NULL_BODY and self._body is not None:
            if self._body:  # an empty one passes, as the engine lets it
                raise PlatformTypeError(_NULL_BODY_REFUSED)
            self._body = self._content_type = None
        if web_socket is not None and self._status != 101:
            raise PlatformRangeError("Responses with a WebSocket must have status code 101.")

    def _adopt(self, other: FetchResponse, *options: Any) -> None:
        if any(option not in (None, "") for option in options):
            raise ValueError("Expected no options when constructing Response from a js.Response")
        self._body = other._give()
        self._content_type, self._headers = other._content_type, other._headers
        self._status, self._status_text = other._status, other._status_text
        self._web_socket, self._url = other._web_socket, other._url
        self._redirected, self._incoming = other._redirected, other._incoming

    @classmethod
    def _from_init(
        cls, body: BodyInit = None, init: "Mapping[str, Any] | FetchResponse | None" = None
    ) -> "Response":
        """Return a response from JavaScript's arguments: `new Response(body, init)`.

        Args:
            body: As for the constructor.
            init: A mapping with `status`, `statusText`, `headers`, `webSocket`; or a response,
                whose own these are then.
        """
        if init is None:
            return cls(body)
        if isinstance(init, FetchResponse):
            made = cls(body, init._status, "", init.js_headers, init._web_socket)
            made._status_text = init._status_text
            return made
        text = init.get("statusText")
        text = None if text is None else js_string(text)
        made = cls(body, init.get("status"), text or "", init.get("headers"), init.get("webSocket"))
        made._status_text = text
        return made


_new = Response.__new__


def _blank(other: FetchResponse) -> Response:
    """Return a response like another, without its body."""
    new: Response = _new(Response)
    headers = other.js_headers
    new._headers = headers.copy(immutable=headers._immutable)
    new._content_type = new._body = None
    new._used, new._incoming = False, other._incoming
    new._owner = current_owner.get()
    new._status, new._status_text = other._status, other._status_text
    new._url, new._redirected = other._url, other._redirected
    new._web_socket = other._web_socket
    return new
