"""One client's HTTP connection: one answer after the other.

A `RequestReader` says what has come. Requests that a client sends before it has the answer to the
last one wait here. Whatever waits for this connection's client counts: when it is too much, the
client is not read, and an answer that has not left keeps the next request from being begun. A
request whose bytes have been seen before, and that has no body, is not parsed again (see `head`).

Source: datatracker.ietf.org/doc/html/rfc9112
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from dobook.errors import PlatformError
from dobook.serve.access import Refusal
from dobook.serve.answer import continue_bytes, refusal_bytes, response_bytes, stream_body
from dobook.serve.head import Head, Pairs
from dobook.serve.limits import CACHED_BYTES, MOST_WAITING, REQUEST_BYTES, Progress
from dobook.serve.reading import RequestReader
from dobook.serve.upload import Upload
from dobook.web import ReadableStream, Response
from dobook.web.body import Content

if TYPE_CHECKING:
    from dobook.serve.server import Server


class Connection(asyncio.Protocol):
    """The server's side of one HTTP connection."""

    __slots__ = (
        "_body",
        "_deadline_s",
        "_drained",
        "_early",
        "_ended",
        "_heads",
        "_limits",
        "_peer",
        "_receiving",
        "_request",
        "_sending",
        "_server",
        "_transport",
        "_unread",
        "_upload",
        "_waiting",
        "_waiting_bytes",
        "_why",
        "_why_next",
        "_writable",
        "_written",
        "reader",
    )

    _transport: asyncio.Transport

    def __init__(self, server: "Server") -> None:
        self._server = server
        limits = self._limits = server.settings.limits
        self._request: Head | None = None  # what is being answered
        self._waiting: deque[tuple[Head, bytes | None]] = deque()
        self._waiting_bytes = 0
        self._body = bytearray()  # of a request that has not begun to be answered
        self._upload: Upload | None = None  # the body of what is being answered, while it comes
        self._early = False  # the answer was complete before the body was
        self._unread = False  # the client is not read at the moment
        self._why: Refusal | None = None  # nothing more is read
        self._why_next = False  # and it is the next request's answer
        self._ended = False  # the client sends nothing more
        self._writable: asyncio.Future[None] | None = None  # while too much is unsent
        self._drained: Head | None = None  # its answer is written, but has not left
        self._written = 0
        self._deadline_s = 0.0  # for a head, or between requests
        self._receiving = Progress(limits.progress_bytes, limits.stalled_ms / 1000)
        self._sending = Progress(limits.progress_bytes, limits.stalled_ms / 1000)

    # ------------------------------------------------------------------ asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start reading from a client that has connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        address = transport.get_extra_info("peername")
        self._peer = str(address[0]) if isinstance(address, tuple) else "127.0.0.1"
        self._heads = self._server.heads
        self.reader = RequestReader(self._server.settings, self._peer, self)
        self._deadline_s = self._server.now_s + self._limits.head_ms / 1000
        self._sending.begin(self._server.now_s, 0)  # and at each check while nothing is unsent
        if not self._server.opened(self):
            self.reader.refuse(Refusal(503, "This server has too many connections."))

    def data_received(self, data: bytes) -> None:
        """Take in what a client has sent."""
        idle = self._request is None and not self._waiting
        if idle and len(data) <= CACHED_BYTES and self.reader.clean:
            head = self._heads.get((self._peer, data))
            if head is not None:
                self._begin(head, None)
                return
        self.reader.feed(data)
        self._regulate()

    def eof_received(self) -> bool:
        """Return whether to keep open for answers: the client sends nothing more."""
        self.reader.advance(last=True)
        self._ended = True
        self._break_upload()
        return bool(self._waiting) or (self._request is not None and not self._early)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection and what waits on it."""
        self._server.gone(self)
        self._break_upload()
        self._waiting.clear()
        self._body.clear()
        self.reader.stopped = True
        self._drained = None
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def pause_writing(self) -> None:
        """Pause: the client reads more slowly than it is answered."""
        self._writable = self._server._kernel.loop.create_future()

    def resume_writing(self) -> None:
        """Resume after the client has caught up."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
        head, self._drained = self._drained, None
        if head is not None:
            self._next(head)

    # ------------------------------------------------------------------ reading

    @property
    def held(self) -> int:
        """How many bytes the client makes this connection hold, answers included."""
        unsent = self._transport.get_write_buffer_size()
        return self._unprocessed + self.reader.held + unsent

    @property
    def _unprocessed(self) -> int:
        upload = 0 if self._upload is None else self._upload.held
        return self._waiting_bytes + len(self._body) + upload + len(self.reader.rest)

    @property
    def ready(self) -> bool:
        """Whether more of the client can be taken now."""
        if self._why is not None or len(self._waiting) >= MOST_WAITING:
            return False
        return self._unprocessed <= self._limits.held_bytes

    def _regulate(self) -> None:
        """Answer a request whose body is not all here yet, and read the client or do not."""
        head, reader = self.reader.head, self.reader
        idle = self._request is None and not self._waiting
        if head is not None and idle and not (reader.stopped or head.key):
            self._begin_upload(head)
        unread = not self.ready
        if unread == self._unread or self._transport.is_closing():
            return
        self._unread = unread
        if unread:
            self._transport.pause_reading()
        else:
            self._receiving.begin(self._server.now_s, reader.moved)
            self._transport.resume_reading()

    def head_begins(self) -> None:
        """Start the deadline of a request's head at its first byte."""
        if self._request is None:
            self._deadline_s = self._server.now_s + self._limits.head_ms / 1000

    def head_came(self, head: Head) -> None:
        """End the deadline of a complete head; a body may follow."""
        self._receiving.begin(self._server.now_s, self.reader.moved)
        if self._request is None and not self._waiting:
            self._deadline_s = 0.0

    def body_came(self, piece: bytes) -> None:
        """Keep a part of the body, or pass it to the upload."""
        if self._upload is None:
            self._body += piece
        else:
            self._upload.feed(piece)

    def request_came(self, head: Head, target: bytes, pairs: Pairs) -> None:
        """Queue or answer a complete request."""
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.end()
            if self._early:
                self._next(head)
            return
        values = head.headers._values
        has_body = "content-length" in values or "transfer-encoding" in values
        body = bytes(self._body) if has_body else None
        self._body = bytearray()
        if not has_body and not head.key and "upgrade" not in values and "expect" not in values:
            self._server.keep_head(self._peer, head, target, pairs)
        if self._request is None and not self._waiting:
            self._begin(head, body)
            return
        self._waiting.append((head, body))
        self._waiting_bytes += REQUEST_BYTES + head.size + len(body or b"")

    def unreadable(self, refusal: Refusal, head: Head | None) -> None:
        """Answer that the request cannot be read, and close the connection."""
        self._why, self._why_next = refusal, self._upload is None
        self._body.clear()
        self._break_upload(refusal.text)
        if self._early:
            self._transport.close()  # the answer is there; this was the rest of its request
        elif self._request is None and not self._waiting:
            self._write(refusal_bytes(refusal, head, close=True))
            self._transport.close()
        # Otherwise: after the answers that are under way.

    # ------------------------------------------------------------------ bodies that come slowly

    def _begin_upload(self, head: Head) -> None:
        """Answer a request whose body is not all here yet."""
        upload = Upload(self._server._kernel.loop, self._read_on)
        self._upload = upload
        values = head.headers._values
        if self._body:
            upload.feed(self._body)
        elif values.get("expect", ("",))[0].lower() == "100-continue":
            self._write(continue_bytes())
        self._body = bytearray()
        self._begin(head, upload.stream(values.get("content-length", ("",))[0]))

    def _break_upload(self, why: str = "Network connection lost.") -> None:
        if self._upload is not None:
            self._upload.fail(PlatformError(why))

    def _read_on(self) -> None:
        """Resume reading from the client: the handler has read what there was."""
        if self._unread or self.reader.waits:
            self._soon()

    # ------------------------------------------------------------------ answering

    def _write(self, data: bytes) -> None:
        self._written += len(data)
        self._transport.write(data)

    def _begin(self, head: Head, body: Content) -> None:
        if self._transport.is_closing():
            return  # requests behind the last one are ignored
        self._request = head
        self._deadline_s = 0.0
        if head.refusal is None:
            self._server.route(head, body, self.answered)
        else:
            self._write(refusal_bytes(head.refusal, head))
            self._next(head)

    def answered(self, response: Response | None, error: BaseException | None) -> None:
        """Answer the request that is being handled."""
        head = self._request
        assert head is not None
        if response is None:
            response = self._server.failed(head, error)
        self._server.log(head, response)
        if self._why is not None and self._upload is not None and response._status == 500:
            self._write(refusal_bytes(self._why, head, close=True))  # what it has failed for
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
        self._write(response_bytes(self._server.date(), head, response))
        self._next(head)

    async def _stream(self, head: Head, response: Response, body: ReadableStream) -> None:
        try:
            async for piece in stream_body(self._server.date(), head, response, body):
                if self._transport.is_closing():
                    break
                self._write(piece)
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
        """Start the next request, after the answer has been written and sent."""
        if self._writable is not None and not self._transport.is_closing():
            self._drained = head  # wait, or answers that the client does not read would pile up
            return
        reader = self.reader
        if self._upload is not None and not (reader.stopped or self._ended):
            self._early = True  # the next request begins where this body ends
            self._upload.drop()
            return
        self._early = False
        self._request = self._upload = None
        server = self._server
        if not head.keep_alive or server.stopping:
            self._transport.close()
        elif self._waiting or reader.waits:
            self._soon()
        elif self._why is not None:
            if self._why_next:
                self._write(refusal_bytes(self._why, None, close=True))
            self._transport.close()
        elif reader.stopped or self._ended:
            self._transport.close()
        elif reader.head is not None:
            self._soon()  # its body is coming
        else:
            patience_ms = self._limits.head_ms if reader.begun else self._limits.idle_ms
            self._deadline_s = server.now_s + patience_ms / 1000

    def _soon(self) -> None:
        kernel = self._server._kernel
        kernel.loop.call_soon(self._go_on, context=kernel.context.copy())

    def _go_on(self) -> None:
        """Take the next step, on a tick of its own so that other clients have their turn."""
        if self._transport.is_closing():
            return
        if self._request is None and self._waiting:
            head, body = self._waiting.popleft()
            self._waiting_bytes -= REQUEST_BYTES + head.size + len(body or b"")
            self._begin(head, body)
        self.reader.advance()
        self._regulate()

    # ------------------------------------------------------------------ the server's calls

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self._request is not None

    def check(self, now_s: float) -> None:
        """Disconnect a client that is too slow, or has been silent for too long."""
        unsent = self._transport.get_write_buffer_size()
        if not unsent:
            self._sending.begin(now_s, self._written)
        elif self._sending.stalled(now_s, self._written - unsent):
            self._transport.abort()
            return
        reader = self.reader
        if reader.stopped:
            return
        if reader.head is None or self._unread:
            self._receiving.begin(now_s, reader.moved)
        elif self._receiving.stalled(now_s, reader.moved):
            self._time_out()
        if self._deadline_s and now_s > self._deadline_s:
            self._time_out()

    def _time_out(self) -> None:
        self._deadline_s = 0.0
        if self.reader.begun or self.reader.head is not None:
            self.reader.refuse(Refusal(408, "The request did not come in time."))
        if self._request is None:
            self._transport.close()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def abort(self) -> None:
        """Close the connection without sending what is left."""
        self._transport.abort()
