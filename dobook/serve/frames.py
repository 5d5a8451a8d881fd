"""WebSocket frames as bytes: reading those of a client, writing those of the server.

Parsing and serialising are those of the `websockets` library, its Sans-I/O layer. What that leaves
to its users is here: messages are put together from fragments and checked to be UTF-8, and what a
message is made of is bounded. No input or output: bytes in, messages out, and the other way round.

Source: datatracker.ietf.org/doc/html/rfc6455 sections 5, 7 and 8;
websockets.readthedocs.io/en/stable/howto/sansio.html
"""

import codecs
import logging
from typing import Any, Final, NamedTuple

from websockets.exceptions import PayloadTooBig
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.utils import accept_key

from dobook.runtime.sockets.transport import Close
from dobook.serve.limits import Limits

NO_CODE: Final = int(CloseCode.NO_STATUS_RCVD)  # stands for a close frame without a code

_DEFAULT: Final = Limits()
_MOST_CONTROL: Final = 125  # bytes of a control frame's payload
_REASON_BYTES: Final = _MOST_CONTROL - 2

_utf8 = codecs.getincrementaldecoder("utf-8")

_log = logging.getLogger("dobook.serve.frames")  # at DEBUG the library logs every frame


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


# ---------------------------------------------------------------------- writing


def message_frame(message: str | bytes) -> bytes:
    r"""Return the frame of a message.

    Example:
        >>> message_frame("hi")
        b'\x81\x02hi'
    """
    if isinstance(message, str):
        return Frame(Opcode.TEXT, message.encode()).serialize(mask=False)
    return Frame(Opcode.BINARY, message).serialize(mask=False)


def close_frame(close: Close) -> bytes:
    """Return the frame of a close."""
    payload = b""
    if close.code != NO_CODE:
        reason = close.reason.encode()[:_REASON_BYTES].decode(errors="ignore").encode()
        payload = close.code.to_bytes(2, "big") + reason
    return Frame(Opcode.CLOSE, payload).serialize(mask=False)


def ping_frame(data: bytes = b"") -> bytes:
    """Return the frame of a ping."""
    return Frame(Opcode.PING, data).serialize(mask=False)


def pong_frame(data: bytes) -> bytes:
    """Return the frame that answers a ping."""
    return Frame(Opcode.PONG, data).serialize(mask=False)


# ---------------------------------------------------------------------- reading


class _Protocol(ServerProtocol):
    """The library's protocol, which reads only: the object decides what is answered, and when."""

    most = 0

    @property
    def max_message_size(self) -> int:
        """The longest frame now.

        The library takes this for control frames too, so one that comes when a message in
        fragments is nearly full needs room. `FrameReader` counts the message.
        """
        return self.most if self.current_size is None else self.most + _MOST_CONTROL

    @max_message_size.setter
    def max_message_size(self, most: int) -> None:
        self.most = most


class FrameReader:
    """Reads the frames of one client.

    Args:
        message_bytes: The longest message.
        fragments: Most fragments of a message.
        empty_fragments: Most of them without content.

    Attributes:
        frames: How many frames have been read.
    """

    __slots__ = (
        "_decoder",
        "_empty",
        "_fragments",
        "_message",
        "_most",
        "_most_empty",
        "_most_fragments",
        "_opcode",
        "_protocol",
        "frames",
    )

    def __init__(
        self,
        message_bytes: int,
        fragments: int = _DEFAULT.fragments,
        empty_fragments: int = _DEFAULT.empty_fragments,
    ) -> None:
        self._most = message_bytes
        self._most_fragments = fragments
        self._most_empty = empty_fragments
        self._protocol = _Protocol(state=State.OPEN, max_size=message_bytes, logger=_log)
        self._opcode = 0  # of the message whose fragments are coming, 0 for none
        self._message = bytearray()
        self._fragments = self._empty = 0
        self._decoder = _utf8()
        self.frames = 0

    @property
    def held(self) -> int:
        """How many bytes of frames and messages that are not complete wait here."""
        return len(self._protocol.reader.buffer) + len(self._message)

    def feed(self, data: bytes) -> list[Item]:
        """Return what is complete with these bytes, in order.

        Raises:
            FrameError: If the client breaks the protocol.
        """
        protocol = self._protocol
        protocol.receive_data(data)
        protocol.writes.clear()  # its own answers
        items: list[Item] = []
        events = protocol.events_received()
        self.frames += len(events)
        try:
            for frame in events:
                item = self._take(frame)
                if item is not None:
                    items.append(item)
            if protocol.parser_exc is not None:
                self._fail(protocol.parser_exc, items)
        except FrameError as error:
            error.items = items
            raise
        return items

    def _take(self, frame: Any) -> Item | None:
        opcode, data = frame.opcode, frame.data
        if opcode is Opcode.TEXT and frame.fin:  # a whole text, as nearly all are
            return _text(data)
        if opcode is Opcode.PING:
            return Ping(bytes(data))
        if opcode is Opcode.PONG:
            return Pong(bytes(data))
        if opcode is Opcode.CLOSE:
            return self._close()
        if opcode is Opcode.BINARY and frame.fin:
            return bytes(data)
        return self._join(opcode, data, last=frame.fin)

    def _join(self, opcode: Opcode, data: bytes, *, last: bool) -> Item | None:
        """Add a fragment to its message; returns the message once it is complete."""
        if opcode is not Opcode.CONT:
            self._opcode = opcode
        self._fragments += 1
        self._empty += not data
        if self._fragments > self._most_fragments:
            raise FrameError(
                CloseCode.POLICY_VIOLATION,
                f"A message has more than {self._most_fragments} fragments",
            )
        if self._empty > self._most_empty:
            raise FrameError(
                CloseCode.POLICY_VIOLATION,
                f"A message has more than {self._most_empty} empty fragments",
            )
        message = self._message
        if len(message) + len(data) > self._most:
            raise _too_large(len(data), self._most - len(message))
        message += data
        if self._opcode == Opcode.TEXT:
            try:
                self._decoder.decode(data, last)
            except UnicodeDecodeError:
                raise _not_utf8("text") from None
        if not last:
            return None
        whole: Item = message.decode() if self._opcode == Opcode.TEXT else bytes(message)
        self._message = bytearray()
        self._opcode = self._fragments = self._empty = 0
        self._decoder.reset()
        return whole

    def _close(self) -> Close:
        received = self._protocol.close_rcvd
        assert received is not None
        return Close(int(received.code), received.reason)

    def _fail(self, error: Exception, items: list[Item]) -> None:
        """Raise what the library has found wrong."""
        protocol = self._protocol
        if protocol.close_rcvd is not None:
            # It refuses a close between fragments, which RFC 6455 allows (section 5.4).
            items.append(self._close())
            protocol.parser_exc = None
            return
        if isinstance(error, PayloadTooBig):
            raise _too_large(error.size or 0, self._most - len(self._message))
        if isinstance(error, UnicodeDecodeError):
            raise _not_utf8("close reason")
        raise FrameError(CloseCode.PROTOCOL_ERROR, f"Received a frame that is wrong: {error}")


def _too_large(size: int, left: int) -> FrameError:
    # The text is the engine's: capnproto/capnproto c++/src/kj/compat/http.c++.
    return FrameError(CloseCode.MESSAGE_TOO_BIG, f"Message is too large: {size} > {left}")


def _not_utf8(what: str) -> FrameError:
    return FrameError(CloseCode.INVALID_DATA, f"Received {what} that is not UTF-8")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _not_utf8("text") from None


__all__ = [
    "NO_CODE",
    "FrameError",
    "FrameReader",
    "Item",
    "Ping",
    "Pong",
    "accept_key",
    "close_frame",
    "message_frame",
    "ping_frame",
    "pong_frame",
]
