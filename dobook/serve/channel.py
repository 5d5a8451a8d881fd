"""A WebSocket of a client on the network: the other end of an object's connection.

A `Channel` reads frames and says messages to the object's end, and the other way round. What an
object says on one tick of the loop leaves in one write. A client that does not read, or is gone
without a word, costs the object nothing: it is cut off, which the object sees as a lost connection.

Source: cloudflare/workerd src/workerd/api/web-socket.c++ (`pump`), RFC 6455
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import PlatformError
from dobook.runtime.sockets.wire import ACCEPTED, LOST, Broken, Close, End, ignore
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

if TYPE_CHECKING:
    from dobook.serve.server import Server

GOING_AWAY: Final = 1001


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
        "_out",
        "_paused_s",
        "_pinged",
        "_reader",
        "_server",
        "_transport",
    )

    def __init__(self, server: "Server", transport: asyncio.Transport, end: End) -> None:
        self._server = server
        self._transport = transport
        self._end = end
        self._reader = FrameReader(server.settings.limits.message_bytes)
        self._out: list[bytes] = []
        self._heard_s = server.now_s  # when the client last said something
        self._pinged = False
        self._paused_s = 0.0  # since when it does not read, 0 while it does
        self._closing_s = 0.0  # since when a close has been sent and not answered, 0 before
        transport.set_protocol(self)
        end.begin(ACCEPTED, self._say)

    # ------------------------------------------------------------------ from the object

    def _say(self, item: Any) -> None:
        """The object has said something."""
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
        self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        if self._transport.get_write_buffer_size() > self._server.settings.limits.unsent_bytes:
            self.drop()

    # ------------------------------------------------------------------ from the client

    def data_received(self, data: bytes) -> None:
        """Take in what a client has sent."""
        self._heard_s = self._server.now_s
        self._pinged = False
        try:
            items = self._reader.feed(data)
        except FrameError as error:
            for item in error.items:
                self._take(item)
            self._break(error)
            return
        for item in items:
            self._take(item)

    def _take(self, item: Any) -> None:
        end = self._end
        kind = type(item)
        if kind is str or kind is bytes:
            if end.open:
                end.wire.put(end.peer, item)
        elif kind is Ping:
            if not end.closed_in:
                self._transport.write(pong_frame(item.data))
        elif kind is Close:
            if not end.closed_out:
                end.close(item)
            if end.closed_in:
                self.flush()
        else:
            assert kind is Pong

    def _break(self, error: FrameError) -> None:
        """The client has broken the protocol: tell it and the object, and hang up."""
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
        """The client has shut its side down; without a close frame it is lost."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._server.channel_gone(self)
        end = self._end
        if not end.aborted and not (end.closed_in and end.closed_out):
            end.closed_in = end.closed_out = True
            end.lost()

    # ------------------------------------------------------------------ slow and silent clients

    def pause_writing(self) -> None:
        """The client does not read as fast as the object says."""
        self._paused_s = self._server.now_s

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused_s = 0.0

    def check(self, now_s: float) -> None:
        """Ask a silent client whether it is there; cut off one that is not, or does not read."""
        limits = self._server.settings.limits
        if self._paused_s and now_s - self._paused_s > limits.stalled_ms / 1000:
            self.drop()
        elif self._closing_s and now_s - self._closing_s > limits.closing_ms / 1000:
            self._transport.abort()
        elif now_s - self._heard_s > limits.ping_ms / 1000:
            if self._pinged:
                self.drop()
            elif not self._end.closed_in:
                self._pinged = True
                self._heard_s = now_s
                self._transport.write(ping_frame())

    def drop(self) -> None:
        """Cut the client off."""
        self._out.clear()
        self._transport.abort()

    def go_away(self) -> None:
        """The server stops: say so to the client; the object has lost the connection."""
        end = self._end
        if not end.closed_in:
            self._out.append(close_frame(Close(GOING_AWAY, "the server is stopping")))
        self._flush()
        if not end.aborted and not (end.closed_in and end.closed_out):
            end.closed_in = end.closed_out = True
            end.lost()
        self._transport.close()


__all__ = ["GOING_AWAY", "NO_CODE", "Channel"]
