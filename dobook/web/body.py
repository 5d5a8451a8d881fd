"""`Body`: what requests and responses share, a body that is read once.

Owns taking a body apart (bytes and content type), reading it and copying it. In memory a body is
a text or bytes; both are immutable, so that handing one over needs no copy.
Source: cloudflare/workerd src/workerd/api/http.c++ (Body)
"""

# ruff: noqa: SLF001 - the classes of this package hand each other's slots over on the hot path
import json
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from dobook.codec.jsbuffer import JsBuffer
from dobook.codec.jsdict import JsDict
from dobook.errors import PlatformTypeError, misspelt
from dobook.ownership import BODY, Owner, check_owner, current_owner
from dobook.web.blob import Blob
from dobook.web.formdata import FormData, encode_multipart, parse_form_data, parse_mime
from dobook.web.headers import Headers, to_http_message
from dobook.web.search_params import URLSearchParams
from dobook.web.streams import ReadableStream
from dobook.web.text import usv, utf8_text

if TYPE_CHECKING:
    from http.client import HTTPMessage

BodyInit: TypeAlias = (
    "str | bytes | bytearray | memoryview | FormData | Blob | URLSearchParams | ReadableStream"
    " | AsyncIterable[Any] | None"
)
Content: TypeAlias = "str | bytes | ReadableStream | None"

TEXT_TYPE = "text/plain;charset=UTF-8"
ALREADY_USED = (
    "Body has already been used. It can only be used once. "
    "Use tee() first if you need to read it twice."
)


class BodyUsedError(PlatformTypeError, OSError):
    """A body was read a second time.

    The platform raises a TypeError with this text. Cloudflare's SDK catches the case earlier and
    raises an OSError, so that handlers of either kind work.
    """

    def __init__(self) -> None:
        super().__init__(ALREADY_USED)


def extract_body(body: object) -> tuple[Content, str | None]:
    """Return the content of a body and the content type it brings along.

    Raises:
        PlatformTypeError: If this cannot be a body, or is a stream that was read from.

    Example:
        >>> extract_body("hi")
        ('hi', 'text/plain;charset=UTF-8')
        >>> extract_body(b"hi")
        (b'hi', None)
    """
    if body is None:
        return None, None
    if isinstance(body, str):
        return str(body), TEXT_TYPE
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), None
    if isinstance(body, FormData):
        data, boundary = encode_multipart(body)
        return data, f"multipart/form-data; boundary={boundary}"
    if isinstance(body, Blob):
        return bytes(body), body.content_type or None
    if isinstance(body, URLSearchParams):
        return body.toString(), "application/x-www-form-urlencoded;charset=UTF-8"
    if isinstance(body, ReadableStream):
        if body.disturbed:
            raise PlatformTypeError(
                "This ReadableStream is disturbed (has already been read from), and cannot be "
                "used as a body."
            )
        return body, None
    stands_for = getattr(type(body), "_as_value_", None)  # a JavaScript buffer
    if stands_for is not None:
        return bytes(stands_for(body)), None
    if isinstance(body, AsyncIterable):
        return ReadableStream(body), None
    raise PlatformTypeError(f"Unsupported type in body: {type(body).__name__}")


def extract_response_body(body: object) -> tuple[Content, str | None]:
    """Return what `extract_body` does, for a response made by Cloudflare's SDK.

    Raises:
        PlatformTypeError: Also for what the SDK refuses, though the engine would take it.
    """
    if isinstance(body, (bytearray, memoryview, AsyncIterable)) and not isinstance(
        body, ReadableStream
    ):
        raise _unsupported(body)
    try:
        return extract_body(body)
    except PlatformTypeError as error:
        if not str(error).startswith("Unsupported"):
            raise
        raise _unsupported(body) from None


def _unsupported(body: object) -> PlatformTypeError:
    error = PlatformTypeError(f"Unsupported type in Response: {type(body).__name__}")
    if isinstance(body, AsyncIterable):
        error.add_note(
            "A body in pieces is a ReadableStream: from js import ReadableStream, and "
            "ReadableStream.new(pull=create_proxy(…)) or TransformStream.new()."
        )
    elif isinstance(body, bytearray | memoryview):
        error.add_note("Make it bytes: Response(bytes(…)).")
    elif isinstance(body, dict | list):
        error.add_note("For JSON there is Response.json(…).")
    return error


def _nobody() -> Awaitable[None] | None:
    """Return what to await before the contents of a body are there; None outside of objects."""
    return None


# The platform reads a body on its event loop: the reader's other tasks run first. A runtime sets this.
before_result: Callable[[], Awaitable[None] | None] = _nobody


class Body:
    """The reading side of Request and Response. Only they are instantiated."""

    # _content_type is the type the body brought along, as long as nobody looked at the headers:
    # most never do, and a Headers costs more than everything else about a response.
    __slots__ = ("_body", "_content_type", "_headers", "_incoming", "_owner", "_used")

    _body: Content
    _content_type: str | None
    _headers: Headers | None
    _incoming: bool  # it came from elsewhere: a handler's request, a caller's response
    _owner: Owner | None  # the object whose code has made it or got it
    _used: bool

    @property
    def js_headers(self) -> Headers:
        """The headers as a `Headers`, live: what JavaScript sees as `headers`.

        Those of a request or response that came from elsewhere cannot be changed.
        """
        headers = self._headers
        if headers is None:
            headers = self._headers = Headers()
        if self._content_type is not None:
            headers._values.setdefault("content-type", (self._content_type,))
            self._content_type = None
        if self._incoming and not headers._immutable:
            headers._drop_empty()
            self._add_arrival_headers(headers._values)
            headers._immutable = True
        return headers

    def _add_arrival_headers(self, values: dict[str, tuple[str, ...]]) -> None:
        """Add what the journey adds."""

    @property
    def headers(self) -> "HTTPMessage":
        """A copy of the headers as an `http.client.HTTPMessage`, as the SDK gives it.

        Names are case-insensitive, `headers["missing"]` is None. Changes to the copy stay in it.
        """
        return to_http_message(self.js_headers)

    @property
    def body_used(self) -> bool:
        """Whether the body was read, given away or cancelled. An absent body never is."""
        content = self._body
        return self._used or (type(content) is ReadableStream and content.disturbed)

    @property
    def bodyUsed(self) -> bool:
        """The same as `body_used`, by JavaScript's name."""
        return self.body_used

    @property
    def body(self) -> ReadableStream | None:
        """The body as a stream, or None. Reading the stream uses up the body."""
        content = self._body
        if content is None or isinstance(content, ReadableStream):
            return content
        data = usv(content).encode() if isinstance(content, str) else content
        stream = self._body = ReadableStream.of(data, used=self._used)
        stream.owner = self._owner
        return stream

    async def text(self) -> str:
        """Return the body as text.

        Raises:
            BodyUsedError: If the body was read before.
        """
        content, owner = self._body, self._owner
        if type(content) is str and not self._used and current_owner.get() is owner:
            self._used = True
            if owner is not None and (others := before_result()) is not None:
                await others
            return content if content.isascii() else usv(content).removeprefix("\ufeff")
        return utf8_text(await self._take())

    async def bytes(self) -> bytes:
        """Return the body as bytes.

        Raises:
            BodyUsedError: If the body was read before.
        """
        return await self._take()

    async def buffer(self) -> JsBuffer:
        """Return the body as bytes that also answer to an ArrayBuffer's names.

        Raises:
            BodyUsedError: If the body was read before.
        """
        return JsBuffer(await self._take())

    async def arrayBuffer(self) -> JsBuffer:
        """Return the same as `buffer`, by JavaScript's name."""
        return JsBuffer(await self._take())

    async def blob(self) -> Blob:
        """Return the body as a Blob whose type is that of the headers.

        Raises:
            BodyUsedError: If the body was read before.
        """
        mime, params = parse_mime(self.js_headers.get("content-type") or "")
        data = await self._take()
        return Blob(data, ";".join([mime, *[f"{name}={value}" for name, value in params.items()]]))

    async def form_data(self) -> FormData:
        """Return the body as a form, multipart or urlencoded.

        Raises:
            BodyUsedError: If the body was read before.
            PlatformTypeError: If the Content-Type or the body is not that of a form.
        """
        if self.body_used:
            raise BodyUsedError
        content_type = self.js_headers.get("content-type")
        if content_type is None:
            raise PlatformTypeError("Parsing a Body as FormData requires a Content-Type header.")
        return parse_form_data(await self._take(), content_type)

    async def formData(self) -> FormData:
        """Return the same as `form_data`, by JavaScript's name."""
        return await self.form_data()

    async def _json(self, **kwargs: Any) -> Any:
        kwargs.setdefault("object_hook", JsDict)
        text = await self.text()
        try:
            return json.loads(text, **kwargs)
        except json.JSONDecodeError as error:
            if not text:
                error.add_note("There is no body.")
            raise error.with_traceback(None) from None  # the lines of json say nothing

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> Any:
            raise misspelt(self, name)

    async def _take(self) -> "bytes_":
        """Use up the body and return it."""
        content = self._body
        if content is None:
            return b""
        if self._used:
            raise BodyUsedError
        check_owner(self._owner, BODY)
        if isinstance(content, ReadableStream):
            if content.disturbed:
                raise BodyUsedError
            self._used = True
            return await content.read_all()
        self._used = True
        if (others := before_result()) is not None:
            await others
        return usv(content).encode() if isinstance(content, str) else content

    def _give(self) -> Content:
        """Use up the body by handing it over unread."""
        content = self._body
        if content is not None:
            if self.body_used:
                raise BodyUsedError
            check_owner(self._owner, BODY)
            self._used = True
        return content

    def _share(self) -> Content:
        """Return the body for a clone; a stream splits into two."""
        content = self._body
        if self.body_used:
            raise BodyUsedError
        if content is not None:
            check_owner(self._owner, BODY)
        if isinstance(content, ReadableStream):
            self._body, other = content.tee()
            return other
        return content

    def _length(self) -> int | None:
        """Return the body's length in bytes; None if a stream hides it."""
        content = self._body
        if content is None:
            return 0
        if isinstance(content, str):
            return len(content) if content.isascii() else len(usv(content).encode())
        if isinstance(content, ReadableStream):
            return content.expected
        return len(content)


bytes_ = bytes  # inside the class the name means its method
