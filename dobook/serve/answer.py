"""Answers as bytes: the head of a response, with its body or in pieces.

Source: datatracker.ietf.org/doc/html/rfc9110, rfc9112
"""

import functools
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Final

from dobook.serve.access import Refusal
from dobook.serve.frames import accept_key
from dobook.serve.head import Head
from dobook.web import ReadableStream, Response
from dobook.web.streams import END
from dobook.web.text import usv

# The connection's own: what a handler says of these does not count.
_CONNECTIONS_OWN: Final = frozenset(
    (
        *("connection", "content-length", "date", "keep-alive", "proxy-connection"),
        *("sec-websocket-accept", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)
_NO_LENGTH: Final = frozenset((204, 304))  # and 1xx: RFC 9110, section 8.6
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def continue_bytes() -> bytes:
    """Return what a client waits for before it sends a large body."""
    return _CONTINUE


def response_bytes(date: bytes, head: Head, response: Response) -> bytes:
    """Return a whole answer whose body is in memory.

    Args:
        date: The Date header's line.
        head: The request.
        response: The answer.
    """
    content = response._body
    body = (usv(content).encode() if isinstance(content, str) else content) or b""
    assert isinstance(body, bytes)
    status = response._status
    if response._headers is None and not head.cookie:
        start = _plain_start(status, response.status_text, response._content_type, head.keep_alive)
    else:
        start = _start(head, response)
    if status in _NO_LENGTH or status < 200:
        return b"".join((start, date, b"\r\n"))
    if head.method == "HEAD":
        length = response.js_headers.get("content-length")
        said = f"Content-Length: {length}\r\n".encode() if length and length.isdigit() else b""
        return b"".join((start, date, said, b"\r\n"))
    return b"%bContent-Length: %d\r\n%b\r\n%b" % (start, len(body), date, body)


async def stream_body(
    date: bytes, head: Head, response: Response, body: ReadableStream
) -> AsyncIterator[bytes]:
    """Yield an answer whose body comes in pieces.

    A client of HTTP/1.0 gets them as they are and knows the end by the connection's.
    """
    if not head.chunks:
        head.keep_alive = False
    start = _start(head, response)
    yield start + date + (b"Transfer-Encoding: chunked\r\n\r\n" if head.chunks else b"\r\n")
    if head.method == "HEAD":
        return
    while (piece := await body.pull_bytes()) is not END:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece) if head.chunks else piece
    if head.chunks:
        yield b"0\r\n\r\n"


def upgrade_bytes(head: Head, response: Response) -> bytes:
    """Return the answer that opens a WebSocket."""
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(head.key)}",
        *_header_lines(head, response),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def refusal_bytes(refusal: Refusal, head: Head | None, *, close: bool = False) -> bytes:
    """Return the answer to a request that is not passed on."""
    body = refusal.text.encode() + b"\n" if refusal.text else b""
    status = refusal.status
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: text/plain;charset=UTF-8",
        f"Content-Length: {len(body)}",
        *[f"{name}: {value}" for name, value in refusal.headers],
    ]
    if close or head is None or not head.keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body


@functools.lru_cache(256)
def _plain_start(status: int, text: str, content_type: str | None, keep_alive: bool) -> bytes:  # noqa: FBT001
    lines = [f"HTTP/1.1 {status} {text}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n").encode()


def _start(head: Head, response: Response) -> bytes:
    lines = [f"HTTP/1.1 {response._status} {response.status_text}"]
    lines += _header_lines(head, response)
    if not head.keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n").encode()


def _header_lines(head: Head, response: Response) -> Iterator[str]:
    for name, values in response.js_headers._values.items():
        if name not in _CONNECTIONS_OWN:
            for value in values:
                yield f"{name}: {value}"
    if head.cookie:
        yield f"Set-Cookie: {head.cookie}"
