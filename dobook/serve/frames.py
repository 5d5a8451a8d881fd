"""WebSocket frames as bytes: reading those of a client, writing those of the server.

No input or output here: bytes in, messages out, and the other way round.
Source: datatracker.ietf.org/doc/html/rfc6455 sections 5, 7 and 8; the texts of errors are those of
the engine's own library, capnproto/capnproto c++/src/kj/compat/http.c++
"""

import base64
import codecs
import hashlib
from typing import Any, Final, NamedTuple

from dobook.runtime.sockets.wire import Close

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_CONTROL: Final = frozenset((_CLOSE, _PING, _PONG))
_MOST_CONTROL: Final = 125
NO_CODE: Final = 1005  # stands for a close frame without a code

PROTOCOL_ERROR: Final = 1002
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009

_COMPRESSED: Final = (
    "Received a WebSocket frame whose compression bit was set, but the compression extension was "
    "not negotiated for this connection."
)

_utf8 = codecs.getincrementaldecoder("utf-8")


class FrameError(Exception):
    """A client has broken the protocol.

    Attributes:
        code: What its close frame says.
        text: Its reason.
        items: What came in good order before.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.items: list[Item] = []
        self.code = code
        self.text = text


class Ping(NamedTuple):
    """A client asks whether the server is there."""

    data: bytes


class Pong(NamedTuple):
    """A client says that it is there."""

    data: bytes


Item = str | bytes | Close | Ping | Pong


def accept_key(key: str) -> str:
    """Return the `Sec-WebSocket-Accept` for a handshake's key.

    Example:
        >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
        's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = hashlib.sha1(key.encode() + _GUID.encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


# ---------------------------------------------------------------------- writing


def message_frame(message: str | bytes) -> bytes:
    r"""Return the frame of a message.

    Example:
        >>> message_frame("hi")
        b'\x81\x02hi'
    """
    if isinstance(message, str):
        return _frame(0x80 | _TEXT, message.encode())
    return _frame(0x80 | _BINARY, message)


def close_frame(close: Close) -> bytes:
    """Return the frame of a close."""
    if close.code == NO_CODE:
        return _frame(0x80 | _CLOSE, b"")
    reason = close.reason.encode()[: _MOST_CONTROL - 2].decode(errors="ignore").encode()
    return _frame(0x80 | _CLOSE, close.code.to_bytes(2, "big") + reason)


def ping_frame(data: bytes = b"") -> bytes:
    """Return the frame of a ping."""
    return _frame(0x80 | _PING, data)


def pong_frame(data: bytes) -> bytes:
    """Return the frame that answers a ping."""
    return _frame(0x80 | _PONG, data)


def _frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65_536:
        return bytes((first, 126)) + length.to_bytes(2, "big") + payload
    return bytes((first, 127)) + length.to_bytes(8, "big") + payload


# ---------------------------------------------------------------------- reading


class FrameReader:
    """Reads the frames of one client.

    Args:
        message_bytes: The longest message.
    """

    __slots__ = ("_buffer", "_decoder", "_limit", "_opcode", "_parts", "_size", "_wanted")

    def __init__(self, message_bytes: int) -> None:
        self._limit = message_bytes
        self._buffer = bytearray()
        self._wanted = 0  # bytes that the buffer has to have before it is looked at again
        self._opcode = 0  # of the message whose fragments are coming, 0 for none
        self._parts: list[Any] = []
        self._size = 0
        self._decoder = _utf8()

    def feed(self, data: bytes) -> list[Item]:
        """Return what is complete with these bytes, in order.

        Raises:
            FrameError: If the client breaks the protocol.
        """
        buffer = self._buffer
        if buffer:
            buffer += data
            if len(buffer) < self._wanted:
                return []
            data = bytes(buffer)
            buffer.clear()
        items: list[Item] = []
        at, end = 0, len(data)
        try:
            while end - at >= 2:
                first, second = data[at], data[at + 1]
                length, start = second & 0x7F, at + 6
                if length > 125:
                    start = at + (8 if length == 126 else 14)
                    if end < start - 4:
                        break
                    length = int.from_bytes(data[at + 2 : start - 4], "big")
                self._check(first, second, length)
                stop = start + length
                if end < stop:
                    self._wanted = stop - at
                    break
                payload = _unmasked(data[start:stop], data[start - 4 : start])
                at = stop
                if first == 0x81 and not self._opcode:  # a whole text, as nearly all are
                    items.append(_text(payload))
                elif (item := self._take(first, payload)) is not None:
                    items.append(item)
                    if type(item) is Close:
                        return items  # what follows a close does not count
        except FrameError as error:
            error.items = items
            raise
        if at < end:
            buffer += data[at:]
            if len(buffer) < 14:
                self._wanted = 0
        return items

    def _check(self, first: int, second: int, length: int) -> None:
        """Refuse a frame by its head, before its payload is there."""
        if first & 0x30:
            raise FrameError(PROTOCOL_ERROR, "Received frame had RSV bits 2 or 3 set")
        if first & 0x40:
            raise FrameError(PROTOCOL_ERROR, _COMPRESSED)
        if not second & 0x80:
            raise FrameError(PROTOCOL_ERROR, "Received frame was not masked")
        opcode = first & 0x0F
        if opcode in _CONTROL:
            if not first & 0x80:
                raise FrameError(PROTOCOL_ERROR, "Received fragmented control frame")
            if second & 0x7F > _MOST_CONTROL:
                raise FrameError(PROTOCOL_ERROR, "Control frame payload too large")
            return
        if opcode not in (_CONTINUATION, _TEXT, _BINARY):
            raise FrameError(PROTOCOL_ERROR, f"Unknown opcode {opcode}")
        if self._opcode and opcode:
            raise FrameError(PROTOCOL_ERROR, "Missing continuation frame")
        if not self._opcode and not opcode:
            raise FrameError(PROTOCOL_ERROR, "Unexpected continuation frame")
        if length + self._size > self._limit:
            left = self._limit - self._size
            raise FrameError(TOO_BIG, f"Message is too large: {length} > {left}")

    def _take(self, first: int, payload: bytes) -> Item | None:
        opcode = first & 0x0F
        if opcode == _PING:
            return Ping(payload)
        if opcode == _PONG:
            return Pong(payload)
        if opcode == _CLOSE:
            return _close(payload)
        last = bool(first & 0x80)
        if last and not self._opcode:
            return _text(payload) if opcode == _TEXT else payload
        if opcode:
            self._opcode = opcode
        self._size += len(payload)
        if self._opcode == _TEXT:
            try:
                self._parts.append(self._decoder.decode(payload, last))
            except UnicodeDecodeError:
                raise FrameError(INVALID_DATA, "Received text is not UTF-8") from None
        else:
            self._parts.append(payload)
        if not last:
            return None
        whole: Item = ("" if self._opcode == _TEXT else b"").join(self._parts)
        self._parts.clear()
        self._opcode = self._size = 0
        self._decoder.reset()
        return whole


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    # One number as long as the payload: a hundred times faster than byte by byte.
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise FrameError(INVALID_DATA, "Received text is not UTF-8") from None


def _close(payload: bytes) -> Close:
    if not payload:
        return Close(NO_CODE, "")
    if len(payload) == 1:
        raise FrameError(PROTOCOL_ERROR, "Received close frame with half a code")
    code = int.from_bytes(payload[:2], "big")
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise FrameError(PROTOCOL_ERROR, f"Received close frame with code {code}")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        raise FrameError(INVALID_DATA, "Received close reason is not UTF-8") from None
