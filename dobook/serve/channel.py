"""A WebSocket of a client on the network: the other end of an object's connection.

A `Channel` reads frames and says messages to the object's end, and the other way round. What an
object says on one tick of the loop leaves in one write. A client that does not read, or is gone
without a word, costs the object nothing: it is cut off, which the object sees as a lost connection.
A client that says more than its object has begun with is not read meanwhile, and one that says a
lot at once is read some frames at a time.

Source: cloudflare/workerd src/workerd/api/web-socket.c++ (`pump`), RFC 6455
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import PlatformError
from dobook.runtime.sockets.transport import ACCEPTED, LOST, Broken, Close, End, ignore
from dobook.serve.frames import (
    NO_CODE,
    FrameError,
    FrameReader,
    Ping,
    Pong,
    close_frame,
    ping_frame,
    pong_frame,
)
from dobook.serve.limits import FRAMES_A_STEP, MESSAGE_BYTES, Progress

if TYPE_CHECKING:
    from dobook.serve.server import Server

GOING_AWAY: Final = 1001
_SLICE_BYTES: Final = 2_048  # parsed before the frames are counted; at most 340 of them
_LONG_BYTES: Final = 8_192  # the same while frames are long


class Channel(asyncio.Protocol):
    """The server's side of one WebSocket.

    Args:
        server: The server.
        transport: The connection, after the handshake.
        end: The client's end, which the object's response has given away.
    """

    __slots__ = (
        "_closing_s",
        "_end",
        "_heard_s",
        "_later",
        "_limits",
        "_out",
        "_paused",
        "_pinged",
        "_pong",
        "_raw",
        "_reader",
        "_sending",
        "_server",
        "_transport",
        "_unread",
        "_written",
    )

    def __init__(self, server: "Server", transport: asyncio.Transport, end: End) -> None:
        self._server = server
        self._transport = transport
        self._end = end
        limits = self._limits = server.settings.limits
        self._reader = FrameReader(limits.message_bytes, limits.fragments, limits.empty_fragments)
        self._raw = b""  # what has come and is read on a later step
        self._later = False  # that step is due
        self._unread = 0  # bytes of messages that the object has not begun with
        self._out: list[bytes] = []
        self._pong: bytes | None = None  # to the last ping; earlier ones need no answer
        self._paused = False  # too much is unsent
        self._written = 0
        self._sending = Progress(limits.progress_bytes, limits.stalled_ms / 1000)
        self._sending.begin(server.now_s, 0)  # and at each check while nothing is unsent
        self._heard_s = server.now_s  # when the client last said something
        self._pinged = False
        self._closing_s = 0.0  # since when a close has been sent and not answered, 0 before
        transport.set_protocol(self)
        end.peer.on_read = self._begun
        end.begin(ACCEPTED, self._say)

    @property
    def held(self) -> int:
        """How many bytes the client makes this connection hold, those for it included."""
        out = sum(map(len, self._out)) + len(self._pong or b"")
        unsent = self._transport.get_write_buffer_size()
        return len(self._raw) + self._reader.held + self._unread + out + unsent

    # ------------------------------------------------------------------ from the object

    def _say(self, item: object) -> None:
        """Queue what the object has sent as a frame for the client."""
        if type(item) is str or isinstance(item, bytes):
            frame = self._server.frame_of(item)
        elif type(item) is Close:
            self._end.closed_in = True
            self._closing_s = self._server.now_s
            frame = close_frame(item)
        elif item is LOST:
            self._end.closed_in = self._end.closed_out = True
            self._end.abort()
            self._flush()
            self._transport.close()
            return
        else:
            return
        if not self._out:
            self._server.to_flush(self)
        self._out.append(frame)

    def flush(self) -> None:
        """Write what has been said on this tick."""
        self._flush()
        end = self._end
        if end.closed_in and end.closed_out:
            self._transport.close()

    def _flush(self) -> None:
        out, self._out = self._out, []
        if not out or self._transport.is_closing():
            return
        self._write(out[0] if len(out) == 1 else b"".join(out))

    def _write(self, data: bytes) -> None:
        """Write data, and drop a client that leaves too much of it unread."""
        transport = self._transport
        self._written += len(data)
        transport.write(data)
        if transport.get_write_buffer_size() > self._limits.unsent_bytes:
            self.drop()

    # ------------------------------------------------------------------ from the client

    def data_received(self, data: bytes) -> None:
        """Take in what a client has sent."""
        self._heard_s = self._server.now_s
        self._pinged = False
        if self._raw:
            self._raw += data
        else:
            self._read(data)

    def _read(self, data: bytes) -> None:
        """Read frames, but not too many: the rest waits, and the client with it."""
        reader, transport = self._reader, self._transport
        until, at, size = reader.frames + FRAMES_A_STEP, 0, _SLICE_BYTES
        while at < len(data) and self.ready and reader.frames < until:
            before = reader.frames
            items, error = self._parse(data[at : at + size])
            at += size
            size = _LONG_BYTES if reader.frames - before < 8 else _SLICE_BYTES
            for item in items:
                self._take(item)
            if error is not None:
                self._break(error)
            if transport.is_closing():
                self._raw = b""
                return
        self._raw = data[at:]
        if self._pong is not None and not self._paused:
            self._answer_ping()
        if self._raw or not self.ready:
            transport.pause_reading()
            if self.ready:
                self._soon()
        else:
            transport.resume_reading()

    def _parse(self, data: bytes) -> tuple[list[Any], FrameError | None]:
        try:
            return self._reader.feed(data), None
        except FrameError as error:
            return error.items, error

    @property
    def ready(self) -> bool:
        """Whether the object is to get more messages now."""
        return self._unread <= self._limits.held_bytes

    def _begun(self, message: str | bytes) -> None:
        """Note that the object has begun with a message, and read on if there is room now."""
        waited = not self.ready
        self._unread = max(0, self._unread - MESSAGE_BYTES - len(message))
        if waited and self.ready:
            self._soon()

    def _soon(self) -> None:
        if not self._later:
            self._later = True
            kernel = self._server._kernel
            kernel.loop.call_soon(self._read_on, context=kernel.context.copy())

    def _read_on(self) -> None:
        self._later = False
        if not self._transport.is_closing():
            self._heard_s = self._server.now_s
            raw, self._raw = self._raw, b""
            self._read(raw)

    def _answer_ping(self) -> None:
        data, self._pong = self._pong, None
        if data is not None and not self._end.closed_in:
            self._write(pong_frame(data))

    def _take(self, item: Any) -> None:
        end = self._end
        kind = type(item)
        if kind is str or kind is bytes:
            if end.open:
                if end.peer.receiver is not None:  # an object, which will say that it has begun
                    self._unread += MESSAGE_BYTES + len(item)
                end.wire.put(end.peer, item)
        elif kind is Ping:
            self._pong = item.data
        elif kind is Close:
            if not end.closed_out:
                end.close(item)
            if end.closed_in:
                self.flush()
        else:
            assert kind is Pong

    def _break(self, error: FrameError) -> None:
        """Close the connection after a protocol error, and notify the client and the object."""
        end = self._end
        if end.closed_out:
            self._transport.close()
            return
        end.open = False
        end.closed_in = end.closed_out = True
        end.aborted = True
        end.reader = ignore
        text = (
            f"WebSocket protocol error; protocolError.statusCode = {error.code}; "
            f"protocolError.description = {error.text}"
        )
        end.wire.put(end.peer, Broken(PlatformError(text)))
        self._out.append(close_frame(Close(error.code, error.text)))
        self._flush()
        self._transport.close()

    def eof_received(self) -> None:
        """Close the connection: a client that shuts its side down without a close frame is lost."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection, and end the object's side of it."""
        self._server.channel_gone(self)
        self._raw, self._pong = b"", None
        end = self._end
        end.peer.on_read = ignore
        if not end.aborted and not (end.closed_in and end.closed_out):
            end.closed_in = end.closed_out = True
            end.lost()

    # ------------------------------------------------------------------ slow and silent clients

    def pause_writing(self) -> None:
        """Pause: the client reads more slowly than the object sends."""
        self._paused = True

    def resume_writing(self) -> None:
        """Resume after the client has caught up."""
        self._paused = False
        if self._pong is not None:
            self._answer_ping()

    def check(self, now_s: float) -> None:
        """Ask a silent client whether it is there; cut off one that is not, or does not read."""
        limits = self._limits
        unsent = self._transport.get_write_buffer_size()
        if self._raw or not self.ready:
            self._heard_s = now_s  # it may have said something that has not been read
        if not unsent:
            self._sending.begin(now_s, self._written)
        elif self._sending.stalled(now_s, self._written - unsent):
            self.drop()
            return
        if self._closing_s and now_s - self._closing_s > limits.closing_ms / 1000:
            self._transport.abort()
        elif now_s - self._heard_s > limits.ping_ms / 1000:
            if self._pinged:
                self.drop()
            elif not self._end.closed_in:
                self._pinged = True
                self._heard_s = now_s
                self._write(ping_frame())

    def drop(self) -> None:
        """Cut the client off."""
        self._out.clear()
        self._transport.abort()

    def go_away(self) -> None:
        """Notify the client that the server stops; the object loses the connection."""
        end = self._end
        if not end.closed_in:
            self._out.append(close_frame(Close(GOING_AWAY, "the server is stopping")))
        self._flush()
        if not end.aborted and not (end.closed_in and end.closed_out):
            end.closed_in = end.closed_out = True
            end.lost()
        self._transport.close()


__all__ = ["GOING_AWAY", "NO_CODE", "Channel"]
