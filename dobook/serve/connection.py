"""One client's HTTP connection: reading requests, one answer after the other.

Parsing is httptools', the parser of Node.js. A request whose bytes have been seen before, and that
has no body, is not parsed again (see `head`). Requests that a client sends before it has the answer
to the last one wait here, and when too many do the client is read no further.

Source: datatracker.ietf.org/doc/html/rfc9112
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import httptools

from dobook.errors import PlatformError
from dobook.serve.access import Refusal
from dobook.serve.answer import continue_bytes, refusal_bytes, response_bytes, stream_body
from dobook.serve.head import Head, Pairs
from dobook.serve.upload import Upload
from dobook.web import ReadableStream, Response
from dobook.web.body import Content

if TYPE_CHECKING:
    from dobook.serve.server import Server

MOST_WAITING: Final = 32  # requests of one connection
EARLY_BYTES: Final = 1_048_576  # before a WebSocket is open
CACHED_BYTES: Final = 4_096  # the longest head that is kept

Parser = httptools.HttpRequestParser


class Connection(asyncio.Protocol):
    """The server's side of one HTTP connection."""

    __slots__ = (
        "_body",
        "_body_bytes",
        "_bytes",
        "_deadline_s",
        "_early",
        "_ended",
        "_head",
        "_heads",
        "_pairs",
        "_parser",
        "_paused_s",
        "_peer",
        "_reading",
        "_refused",
        "_request",
        "_server",
        "_target",
        "_transport",
        "_upload",
        "_waiting",
        "_why",
        "_writable",
        "rest",
    )

    _transport: asyncio.Transport

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._parser: Any = None  # made when it is needed first
        self._request: Head | None = None  # what is being answered
        self._waiting: deque[tuple[Head, bytes | None]] = deque()
        self._head: Head | None = None  # of the request whose body is coming
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._upload: Upload | None = None  # the body of what is being answered, while it comes
        self._early = False  # the answer was complete before the body was
        self._bytes = 0  # of the head that is coming
        self._pairs: Pairs = []
        self._target = b""
        self._reading = True
        self._refused = False  # nothing more is read
        self._why: Refusal | None = None
        self._ended = False  # the client sends nothing more
        self._paused_s = 0.0
        self._writable: asyncio.Future[None] | None = None
        self._deadline_s = 0.0
        self.rest = b""  # what has come behind the handshake of a WebSocket

    # ------------------------------------------------------------------ asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        address = transport.get_extra_info("peername")
        self._peer = str(address[0]) if isinstance(address, tuple) else "127.0.0.1"
        self._heads = self._server.heads(self._peer)
        self._deadline_s = self._server.now_s + self._server.settings.limits.head_ms / 1000
        if not self._server.opened(self):
            self._refuse(Refusal(503, "This server has too many connections."))

    def data_received(self, data: bytes) -> None:
        """Take in what a client has sent."""
        if self._request is None and not self._bytes and self._head is None:
            head = self._heads.get(data)
            if head is not None:
                self._begin(head, None)
                return
        self._feed(data)

    def eof_received(self) -> bool:
        """The client sends nothing more, but may wait for its answers."""
        self._ended = True
        self._break_upload()
        return self._request is not None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._server.gone(self)
        self._break_upload()
        self._waiting.clear()
        self._refused = True
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        self._paused_s = self._server.now_s
        self._writable = self._server.runtime.loop.create_future()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused_s = 0.0
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # ------------------------------------------------------------------ reading

    def _feed(self, data: bytes) -> None:
        if self._refused:
            if self._request is not None and self._request.key:
                self._keep_rest(data)
            return
        parser = self._parser
        if parser is None:
            parser = self._parser = Parser(self)
        before = self._bytes
        if self._head is None:
            self._bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._refused = True  # what follows is no HTTP
            self._keep_rest(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            if not self._refused:
                raise (error.__context__ or error) from None
        except httptools.HttpParserError as error:
            self._refuse(Refusal(400, f"This is no HTTP request: {error}."))
        limit = self._server.settings.limits.head_bytes
        if self._bytes > limit and self._head is None:
            self._refuse(Refusal(431, f"The request's head is longer than {limit} bytes."))
        if self._head is not None:
            self._patience(True)  # noqa: FBT003
        elif self._bytes and not before and self._request is None:
            self._deadline_s = self._server.now_s + self._server.settings.limits.head_ms / 1000
        head = self._head
        idle = self._request is None and not self._waiting
        if head is not None and idle and not (self._refused or head.key):
            self._begin_upload(head)

    def _keep_rest(self, data: bytes) -> None:
        """Keep what a client says on its WebSocket before the handshake is answered."""
        self.rest += data
        if len(self.rest) > EARLY_BYTES:
            self._transport.close()

    # These are called by the parser.

    def on_message_begin(self) -> None:
        """A request begins."""
        self._pairs = []
        self._target = b""

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._pairs.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is complete; a body may follow."""
        parser, limits = self._parser, self._server.settings.limits
        size = sum([len(name) + len(value) + 4 for name, value in self._pairs], len(self._target))
        head = self._head = Head(
            self._server.settings,
            self._peer,
            method=parser.get_method().decode("latin-1"),
            target=self._target.decode("latin-1"),
            version=parser.get_http_version(),
            pairs=self._pairs,
            keep_alive=parser.should_keep_alive(),
        )
        self._bytes = 0
        self._body = []
        self._body_bytes = 0
        values = head.headers._values
        if size > limits.head_bytes:
            head.refusal = Refusal(
                431, f"The request's head is longer than {limits.head_bytes} bytes."
            )
        length = values.get("content-length", ("",))[0]
        if length.isdigit() and int(length) > limits.body_bytes:
            head.refusal = Refusal(413, f"The body is longer than {limits.body_bytes} bytes.")
        if head.refusal is not None and (length not in ("", "0") or "transfer-encoding" in values):
            # Its body is not worth reading, so what comes after it cannot be found.
            self._refuse(head.refusal, head)
        elif values.get("expect", ("",))[0].lower() == "100-continue" and self._request is None:
            self._transport.write(continue_bytes())

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._refused:
            return
        if self._upload is None:
            self._body.append(body)
        else:
            self._upload.feed(body)
        self._body_bytes += len(body)
        most = self._server.settings.limits.body_bytes
        if self._body_bytes > most:
            self._refuse(Refusal(413, f"The body is longer than {most} bytes."), self._head)

    def on_message_complete(self) -> None:
        """The request is complete."""
        head, self._head = self._head, None
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.end()
            self._patience(False)  # noqa: FBT003
            if self._early and head is not None:
                self._next(head)
            return
        if self._refused or head is None:
            return
        values = head.headers._values
        has_body = "content-length" in values or "transfer-encoding" in values
        body = b"".join(self._body) if has_body else None
        self._body = []
        if not has_body and not head.key and "upgrade" not in values and "expect" not in values:
            self._server.keep_head(self._heads, head, self._target, self._pairs)
        if self._request is None:
            self._begin(head, body)
            return
        self._waiting.append((head, body))
        if len(self._waiting) >= MOST_WAITING and self._reading:
            self._reading = False
            self._transport.pause_reading()

    # ------------------------------------------------------------------ bodies that come slowly

    def _begin_upload(self, head: Head) -> None:
        """Have a request answered whose body is not all here yet."""
        upload = Upload(self._server.runtime.loop, self._transport, self._patience)
        self._upload = upload
        for piece in self._body:
            upload.feed(piece)
        self._body = []
        self._begin(head, upload.stream(head.headers._values.get("content-length", ("",))[0]))
        self._patience(True)  # noqa: FBT003

    def _break_upload(self, why: str = "Network connection lost.") -> None:
        if self._upload is not None:
            self._upload.fail(PlatformError(why))

    def _patience(self, waits: bool) -> None:  # noqa: FBT001
        """Hang up if nothing comes for too long, or be content to wait."""
        stalled_s = self._server.settings.limits.stalled_ms / 1000
        self._deadline_s = self._server.now_s + stalled_s if waits else 0.0

    # ------------------------------------------------------------------ answering

    def _begin(self, head: Head, body: Content) -> None:
        self._request = head
        self._deadline_s = 0.0
        if head.refusal is None:
            self._server.route(head, body, self.answered)
        else:
            self._transport.write(refusal_bytes(head.refusal, head))
            self._next(head)

    def answered(self, response: Response | None, error: BaseException | None) -> None:
        """Answer the request that is being handled."""
        head = self._request
        assert head is not None
        if response is None:
            response = self._server.failed(head, error)
        self._server.log(head, response)
        if self._why is not None and self._upload is not None and response._status == 500:
            self._transport.write(
                refusal_bytes(self._why, head, close=True)
            )  # what it has failed for
            self._transport.close()
            return
        if self._transport.is_closing():
            self._request = None
            return
        if response._web_socket is not None:
            self._server.upgrade(self._transport, head, response)
            return
        body = response._body
        if isinstance(body, ReadableStream):
            self._server.keep_task(self._stream(head, response, body))
            return
        self._transport.write(response_bytes(self._server.date(), head, response))
        self._next(head)

    async def _stream(self, head: Head, response: Response, body: ReadableStream) -> None:
        try:
            async for piece in stream_body(self._server.date(), head, response, body):
                if self._transport.is_closing():
                    break
                self._transport.write(piece)
                if self._writable is not None:
                    await self._writable
        except Exception as error:
            # The head is gone already: a broken end is all that can be said.
            self._server.report(head, error)
            self._transport.abort()
        finally:
            await body.close_source()
        self._next(head)

    def _next(self, head: Head) -> None:
        """The answer is written: go on with the next request."""
        if self._upload is not None and not (self._refused or self._ended):
            self._early = True  # where the next one begins is known when the body is over
            self._upload.drop()
            return
        self._early = False
        self._request = None
        server = self._server
        if not head.keep_alive or server.stopping or (self._refused and not self._waiting):
            self._transport.close()
            return
        if self._waiting:
            server.runtime.loop.call_soon(self._go_on)
        elif self._ended:
            self._transport.close()
        else:
            self._deadline_s = server.now_s + server.settings.limits.idle_ms / 1000

    def _go_on(self) -> None:
        if not self._reading and len(self._waiting) < MOST_WAITING // 2:
            self._reading = True
            self._transport.resume_reading()
        if self._request is None and self._waiting and not self._transport.is_closing():
            self._begin(*self._waiting.popleft())

    def _refuse(self, refusal: Refusal, head: Head | None = None) -> None:
        """Answer that this cannot be read any further, and hang up."""
        if self._refused:
            return
        self._refused = True
        self._why = refusal
        self._break_upload(refusal.text)
        if self._request is None:
            self._transport.write(refusal_bytes(refusal, head, close=True))
            self._transport.close()
        # Otherwise: after the answer that is under way.

    # ------------------------------------------------------------------ the server's calls

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self._request is not None

    def check(self, now_s: float) -> None:
        """Hang up on a client that is too slow, or has been silent for too long."""
        limits = self._server.settings.limits
        if self._paused_s and now_s - self._paused_s > limits.stalled_ms / 1000:
            self._transport.abort()
        elif self._deadline_s and now_s > self._deadline_s:
            told = self._why is not None
            if self._bytes or self._head is not None:
                self._refuse(Refusal(408, "The request did not come in time."), self._head)
            if self._upload is None or told:  # else its handler learns of it, and answers
                self._transport.close()

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def abort(self) -> None:
        """Hang up without sending what is left."""
        self._transport.abort()
