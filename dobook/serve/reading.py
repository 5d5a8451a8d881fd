"""Requests as they come from one client: bytes in, heads and pieces of bodies out.

Parsing is httptools', the parser of Node.js. What it does not do is count, so here every byte
counts against a limit of the connection: a head's, a body's, or that of what frames a body. It is
fed slices, so no limit is overshot by more than one; what it cannot take yet waits as bytes.

Source: datatracker.ietf.org/doc/html/rfc9112
"""

from typing import Any, Final, Protocol

import httptools

from dobook.serve.access import Refusal
from dobook.serve.head import Head, Pairs
from dobook.serve.limits import SLICE_BYTES
from dobook.serve.settings import Settings

# What a chunk needs besides its content: a size of eight digits and two line ends.
_CHUNK_BYTES: Final = 12
_HEAD_END: Final = b"\r\n\r\n"


class Sink(Protocol):
    """What takes the requests that a client sends."""

    @property
    def ready(self) -> bool:
        """Whether more can be taken now."""

    def head_begins(self) -> None:
        """Handle the first byte of a request."""

    def head_came(self, head: Head) -> None:
        """Handle a complete head; a body may follow."""

    def body_came(self, piece: bytes) -> None:
        """Handle a part of the body."""

    def request_came(self, head: Head, target: bytes, pairs: Pairs) -> None:
        """Handle a complete request."""

    def unreadable(self, refusal: Refusal, head: Head | None) -> None:
        """Refuse what follows, which cannot be read; `head` is the head of its request."""


class RequestReader:
    """Reads the requests of one client.

    Args:
        settings: The server's.
        peer: The client's address.
        sink: Takes what has come.

    Attributes:
        head: The head of the request whose body is coming; None between bodies.
        begun: Whether a head is coming.
        stopped: Whether nothing more is parsed.
        moved: Bytes of bodies that have come, framing included.
        rest: What has come behind the request that upgrades the connection.
    """

    __slots__ = (
        "_completed",
        "_content",
        "_framing",
        "_head_bytes",
        "_in_chunk",
        "_keeps",
        "_pairs",
        "_parser",
        "_peer",
        "_raw",
        "_scanned",
        "_settings",
        "_sink",
        "_tail",
        "_target",
        "_trailers",
        "begun",
        "head",
        "moved",
        "rest",
        "stopped",
    )

    def __init__(self, settings: Settings, peer: str, sink: Sink) -> None:
        self._settings = settings
        self._peer = peer
        self._sink = sink
        self._parser: Any = None  # made when it is needed first
        self._raw = bytearray()  # what the parser has not been given
        self._scanned = 0  # how much of that has been searched for the end of a head
        self._tail = b""  # the last bytes that the parser has been given
        self._pairs: Pairs = []
        self._target = b""
        self._head_bytes = 0  # of the head that is coming
        self._content = 0  # of the body that is coming
        self._framing = 0  # its bytes that are not content
        self._trailers = 0
        self._in_chunk = False
        self._completed = False
        self._keeps = False  # whether what follows the last request is a WebSocket's
        self.head: Head | None = None
        self.begun = False
        self.stopped = False
        self.moved = 0
        self.rest = bytearray()

    @property
    def clean(self) -> bool:
        """Whether the next byte begins a request."""
        return not (self._raw or self.begun or self.head or self._head_bytes or self.stopped)

    @property
    def held(self) -> int:
        """How many bytes of a head, or not parsed at all, wait here."""
        return len(self._raw) + self._head_bytes

    @property
    def waits(self) -> bool:
        """Whether there are bytes that have not been parsed."""
        return bool(self._raw)

    def feed(self, data: bytes) -> None:
        """Take bytes of the client, and parse as much as the sink is ready for."""
        if self.stopped:
            self._keep(data)
        elif self._raw or self._head_bytes or len(data) > SLICE_BYTES or not self._sink.ready:
            self._raw += data
            self.advance()
        else:
            self._parse(data)

    def advance(self, *, last: bool = False) -> None:
        """Parse what waits, as far as the sink is ready.

        Args:
            last: Whether nothing more will come.
        """
        raw = self._raw
        while raw and not self.stopped and self._sink.ready:
            if not last and self._too_little():
                return
            data = bytes(raw[:SLICE_BYTES])
            del raw[:SLICE_BYTES]
            self._scanned = 0
            self._parse(data)
        if self.stopped and raw:
            self._keep(bytes(raw))
            raw.clear()

    def _too_little(self) -> bool:
        """Return whether to wait for more of a head.

        The parser copies what it has of a header whenever it gets more of it. So a head that comes
        in small pieces is given to it in pieces that double, and no byte is copied often.
        """
        raw = self._raw
        if self.head is not None or len(raw) >= min(self._head_bytes, SLICE_BYTES):
            return False
        limit = self._settings.limits.head_bytes
        if self._head_bytes + len(raw) > limit:
            return False
        if _HEAD_END in self._tail + raw[:3]:
            return False
        found = raw.find(_HEAD_END, max(0, self._scanned - 3))
        self._scanned = len(raw)
        return found < 0

    def _parse(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            parser = self._parser = httptools.HttpRequestParser(self)
        if self.head is None:
            self._head_bytes += len(data)
        else:
            self._framing += len(data)
            self.moved += len(data)
        self._completed = False
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.stopped = True  # what follows is not HTTP
            self._keep(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            if not self.stopped:
                raise (error.__context__ or error) from None
        except httptools.HttpParserError as error:
            self._refuse(400, f"This is not an HTTP request: {error}.")
        self._tail = data[-3:]
        self._check()

    def _check(self) -> None:
        limits = self._settings.limits
        if self.head is None:
            if self._head_bytes > limits.head_bytes:
                self._refuse(431, f"The request's head is longer than {limits.head_bytes} bytes.")
            return
        if self._completed or self._framing < 0:
            self._framing = 0
        if self._framing > limits.framing_bytes:
            what = "trailers are" if self._in_chunk else "chunks have extensions that are"
            self._refuse(
                431 if self._in_chunk else 413,
                f"The body's {what} longer than {limits.framing_bytes} bytes.",
            )

    def _keep(self, data: bytes) -> None:
        """Keep what a client says on its WebSocket before the handshake is answered."""
        if self._keeps:
            self.rest += data

    def refuse(self, refusal: Refusal) -> None:
        """Stop reading, and say why."""
        if not self.stopped:
            self.stopped = True
            self._raw.clear()
            self._sink.unreadable(refusal, self.head)

    def _refuse(self, status: int, text: str) -> None:
        self.refuse(Refusal(status, text))

    # ------------------------------------------------------------------ called by the parser

    def on_message_begin(self) -> None:
        """Prepare for a request that begins."""
        self._pairs = []
        self._target = b""
        self.begun = True
        self._sink.head_begins()

    def on_url(self, url: bytes) -> None:
        """Add a part of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; count a trailer and drop it."""
        if self.stopped:
            return
        most = self._settings.limits.headers
        if self.head is None:
            self._pairs.append((name, value))
            if len(self._pairs) > most:
                self._refuse(431, f"The request has more than {most} headers.")
        else:
            self._trailers += 1
            if self._trailers > most:
                self._refuse(431, f"The request has more than {most} trailers.")

    def on_headers_complete(self) -> None:
        """Check a complete head and pass it on; a body may follow."""
        if self.stopped:
            return
        parser, limits = self._parser, self._settings.limits
        size = sum([len(name) + len(value) + 4 for name, value in self._pairs], len(self._target))
        head = self.head = Head(
            self._settings,
            self._peer,
            method=parser.get_method().decode("latin-1"),
            target=self._target.decode("latin-1"),
            version=parser.get_http_version(),
            pairs=self._pairs,
            keep_alive=parser.should_keep_alive(),
        )
        head.size = size
        self.begun = False
        self._head_bytes = self._content = self._framing = self._trailers = 0
        self._in_chunk = False
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
            self.refuse(head.refusal)
        else:
            self._sink.head_came(head)

    def on_chunk_header(self) -> None:
        """Note that a chunk begins."""
        self._in_chunk = True
        self._framing -= _CHUNK_BYTES

    def on_chunk_complete(self) -> None:
        """Note that a chunk is over, or the trailers after the last one."""
        self._in_chunk = False

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body, within the limits."""
        if self.stopped:
            return
        self._framing -= len(body)
        self._content += len(body)
        most = self._settings.limits.body_bytes
        if self._content > most:
            self._refuse(413, f"The body is longer than {most} bytes.")
        else:
            self._sink.body_came(body)

    def on_message_complete(self) -> None:
        """Pass on a complete request."""
        head, self.head = self.head, None
        self._completed = True
        if head is not None and not self.stopped:
            self._keeps = bool(head.key)
            self._sink.request_came(head, self._target, self._pairs)
