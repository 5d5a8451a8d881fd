"""`WebSocketPair` and `WebSocket`: what the programmer holds of a connection.

One end of a pair goes to the client in a response with status 101, the other is accepted: with
`accept()` it keeps its object in memory and calls listeners, with `ctx.acceptWebSocket()` it
hibernates (see `hibernation`). In an object whatever arrives is an event that waits at the input
gate; outside of objects listeners run on the runtime's loop. How things get from one end to the
other is `wire`'s business.

Source: developers.cloudflare.com/workers/runtime-apis/websockets/,
cloudflare/workerd src/workerd/api/web-socket.c++
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from dobook.codec import deserialize, serialize
from dobook.errors import InvalidStateError, PlatformError, PlatformTypeError, UsageError
from dobook.events import SocketSent
from dobook.gates import open_gate
from dobook.limits import MAX_WEBSOCKET_ATTACHMENT_BYTES
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.reports.shown import plain
from dobook.runtime.sockets.events import Resident, report_open
from dobook.runtime.sockets.outgoing import connect, give_up
from dobook.runtime.sockets.transport import (
    ACCEPTED,
    AWAITING,
    HIBERNATABLE,
    LOST,
    LOST_CODE,
    LOST_REASON,
    RELEASED,
    Broken,
    Close,
    End,
    attach,
    current_wire,
)
from dobook.runtime.sockets.values import (
    CloseEvent,
    ErrorEvent,
    EventTarget,
    MessageEvent,
    WebSocketRequestResponsePair,
    close_frame,
    in_background,
    payload,
)
from dobook.web import Blob, JsBuffer, Request

__all__ = ["WebSocket", "WebSocketPair", "WebSocketRequestResponsePair", "drop"]

_NOT_ACCEPTED = (
    "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending "
    "messages."
)


class WebSocket(EventTarget):
    """One end of a connection: of a pair, of a response, or `WebSocket.new(url)` to elsewhere.

    Attributes:
        onopen: Called with the event, like a listener; likewise `onmessage`, `onclose`, `onerror`.

    Example:
        >>> client, server = WebSocketPair().object_values()
        >>> server.readyState == WebSocket.OPEN
        True

    Source: developers.cloudflare.com/workers/runtime-apis/websockets/#websocket
    """

    CONNECTING: ClassVar = 0
    OPEN: ClassVar = 1
    CLOSING: ClassVar = 2
    CLOSED: ClassVar = 3
    READY_STATE_CONNECTING: ClassVar = 0
    READY_STATE_OPEN: ClassVar = 1
    READY_STATE_CLOSING: ClassVar = 2
    READY_STATE_CLOSED: ClassVar = 3

    url: str | None = None
    protocol: str | None = ""
    extensions: str | None = ""

    _end: End
    _error: BaseException | None = None
    _half_open = False
    _connecting = False
    _blobs = False

    def __init__(self, url: str, protocols: object = None) -> None:
        self._listeners = {}
        connect(self, url, protocols)

    @classmethod
    def new(cls, url: str, protocols: object = None) -> "WebSocket":
        """Connect to another host, as far as the runtime's `network` lets it."""
        return cls(url, protocols)

    @classmethod
    def _holding(cls, end: End) -> "WebSocket":
        self = cls.__new__(cls)
        self._end = end
        self._listeners = {}
        return self

    # ------------------------------------------------------------------ the platform's properties

    @property
    def readyState(self) -> int:
        """0 connecting, 1 open, 2 closing, 3 closed; 2 once either side has closed."""
        self._end.check_owner()
        return 0 if self._connecting else self._end.ready_state(failed=self._error is not None)

    @property
    def binaryType(self) -> str:
        """What a listener gets for a binary message, "arraybuffer" or "blob"."""
        return "blob" if self._blobs else "arraybuffer"

    @binaryType.setter
    def binaryType(self, value: str) -> None:
        if value in ("blob", "arraybuffer"):  # anything else is ignored, as browsers do
            self._blobs = value == "blob"

    # ------------------------------------------------------------------ the platform's methods

    def accept(self, options: object = None, *, allowHalfOpen: bool | None = None) -> None:
        """Start receiving; in an object this keeps it in memory while the connection lasts.

        Args:
            options: A mapping with `allowHalfOpen`, which may also be given as a keyword.
            allowHalfOpen: Whether a close of the other side is left to be answered by `close()`.

        Raises:
            PlatformTypeError: If the socket hibernates or was used in a response.
            UsageError: If no runtime is there to deliver anything.
        """
        end = self._end
        if end.state == RELEASED:
            raise PlatformTypeError("Can't accept() WebSocket that was already used in a response.")
        if end.state == HIBERNATABLE:
            raise PlatformTypeError("Can't accept() WebSocket after enabling hibernation.")
        if end.state == ACCEPTED:
            return
        if isinstance(options, Mapping) and allowHalfOpen is None:
            allowHalfOpen = options.get("allowHalfOpen")
        self._half_open = bool(allowHalfOpen)
        end.check_owner()
        attach(end)
        with end.wire.held:
            self._accept(end)

    def _accept(self, end: End) -> None:
        frame = current_frame.get()
        if frame is None:
            end.begin(ACCEPTED, self._read_outside)
            return
        if frame.instance.dead is not None:
            raise frame.instance.dead
        resident = Resident(self, frame.instance, open_gate(frame.gate))
        end.receiver = resident
        end.begin(ACCEPTED, resident.receive, frame.instance.actor)
        if end.coupled:
            resident.stay()
        report_open(end, [])

    def send(self, message: object) -> None:
        """Send a message; it leaves once the object's writes before it are durable.

        Args:
            message: A text, or bytes.

        Raises:
            PlatformTypeError: Before `accept()`, after `close()`, or if the message is neither.
        """
        end = self._end
        end.check_owner()
        if not end.open and not self._can_send(end):
            return
        if type(message) is not str or not message.isascii():
            message = payload(message)
        wire = end.wire
        if not wire.loop.virtual and not wire.held.here:
            with wire.held:
                self.send(message)
            return
        if wire.observers.active and end.label:
            wire.observers.emit(SocketSent, end.label, 0, plain(message))
        end.peer.chain = wire.chain()
        commit = end.gate.commit
        if commit is not None:
            end.hold(commit, message)
        else:
            wire.put(end.peer, message)

    def close(self, code: object = None, reason: object = None) -> None:
        """Close this side of the connection; what was sent before still arrives.

        Args:
            code: 1000 to 4999, without those reserved for what no frame says.
            reason: At most 123 bytes.

        Raises:
            InvalidAccessError: If the code is not allowed, or there is a reason without one.
            PlatformSyntaxError: If the reason is too long.
            PlatformTypeError: Before `accept()`.
        """
        frame = close_frame(code, reason)
        end = self._end
        end.check_owner()
        if self._connecting:
            give_up(self)
        if end.closed_out or end.aborted:
            return
        if end.state == AWAITING:
            raise PlatformTypeError(_NOT_ACCEPTED)
        with end.wire.held:
            end.close(frame)
            if end.closed_in and end.receiver is not None:
                end.receiver.over()

    def serializeAttachment(self, attachment: object) -> None:
        """Keep a copy of a value with the connection; it survives hibernation.

        Raises:
            PlatformError: If it is larger than 16 KiB when serialised.
            DataCloneError: If it cannot be stored.
        """
        data = serialize(attachment)
        if len(data) > MAX_WEBSOCKET_ATTACHMENT_BYTES:
            raise PlatformError(
                f"A WebSocket 'attachment' cannot be larger than {MAX_WEBSOCKET_ATTACHMENT_BYTES} "
                f"bytes.'attachment' was {len(data)} bytes."
            )
        self._end.attachment = data

    def deserializeAttachment(self) -> Any:
        """Return a copy of the value kept with the connection, None without one."""
        data = self._end.attachment
        return None if data is None else deserialize(data)

    def __repr__(self) -> str:
        at = 0 if self._connecting else self._end.ready_state(failed=self._error is not None)
        state = ("connecting", "open", "closing", "closed")[at]
        if self._end.state == AWAITING and not self._connecting and self._error is None:
            state = "not accepted"
        elif self._end.state == RELEASED:
            state = "given away"
        return f"<WebSocket {state}{f', of {self._end.label}' if self._end.label else ''}>"

    # ------------------------------------------------------------------ what arrives

    def _can_send(self, end: End) -> bool:
        if end.closed_out:
            raise PlatformTypeError("Can't call WebSocket send() after close().")
        if self._connecting:
            raise InvalidStateError("WebSocket is not open: it is still connecting.")
        if end.state == AWAITING:
            raise PlatformTypeError(_NOT_ACCEPTED)
        return False  # the connection is lost, which is not an error on the platform either

    def _read_outside(self, item: object) -> None:
        """Read an item that has arrived at an end outside of any object."""
        try:
            in_background(self._happen(item))
        except Exception as error:
            self._end.wire.runtime.loop.call_exception_handler(
                {"message": f"a listener of {self!r} failed", "exception": error}
            )

    def _happen(self, item: object) -> list[Any]:
        """Record what arrived and notify the listeners; returns what they left to await."""
        end = self._end
        try:
            if type(item) is str:
                return self._dispatch(MessageEvent(item, self))
            if isinstance(item, bytes):
                data = Blob([item]) if self._blobs else JsBuffer(item)
                return self._dispatch(MessageEvent(data, self))
            if type(item) is Close:
                end.closed_in = True
                if end.open and not self._half_open:
                    end.close(item)
                return self._dispatch(CloseEvent(item.code, item.reason, True, self))  # noqa: FBT003
            if item is LOST:
                end.abort()
                if end.closed_in:
                    return []
                end.closed_in = True
                return self._dispatch(CloseEvent(LOST_CODE, LOST_REASON, False, self))  # noqa: FBT003
        except Exception as error:
            in_background(self._break(error))
            raise
        assert type(item) is Broken
        return self._break(item.error)

    def _break(self, error: Exception) -> list[Any]:
        """End the connection because reading from it failed."""
        end = self._end
        if self._error is not None:
            return []
        self._error = error
        end.closed_in = True
        if not end.aborted:
            end.lost()
        return self._dispatch(ErrorEvent(error, self))

    # ------------------------------------------------------------------ travelling

    def _coupled(self, request: Request) -> "WebSocket":
        """Return the socket that the caller of `fetch` gets for this one, which is given away.

        Raises:
            PlatformTypeError: If the request did not ask for it, or the socket is in use.
        """
        if (request.js_headers.get("upgrade") or "").lower() != "websocket":
            raise PlatformTypeError(
                "Worker tried to return a WebSocket in a response to a request which did not "
                'contain the header "Upgrade: websocket".'
            )
        end = self._end
        if end.state == RELEASED:
            raise PlatformTypeError("Can't return WebSocket that was already used in a response.")
        if end.state != AWAITING:
            called = "acceptWebSocket" if end.state == HIBERNATABLE else "accept"
            raise PlatformTypeError(
                f"Can't return WebSocket in a Response after calling {called}()."
            )
        given = WebSocket._holding(end)
        self._end = End(end.wire)
        self._end.state = RELEASED
        self._end.abort()
        end.coupled = end.peer.coupled = True
        if end.peer.receiver is not None:
            end.peer.receiver.stay()
        return given


class WebSocketPair:
    """Two sockets connected with each other, `pair[0]` and `pair[1]`.

    Example:
        >>> client, server = WebSocketPair().object_values()

    Source: developers.cloudflare.com/workers/runtime-apis/websockets/#websocketpair
    """

    __slots__ = ("_sockets",)

    def __init__(self) -> None:
        wire = current_wire()
        first, second = End(wire), End(wire)
        first.peer, second.peer = second, first
        self._sockets = (WebSocket._holding(first), WebSocket._holding(second))

    @classmethod
    def new(cls) -> "WebSocketPair":
        """Make a pair, by Pyodide's name for it."""
        return cls()

    def object_values(self) -> tuple[WebSocket, WebSocket]:
        """Return both sockets, as `Object.values` does in JavaScript."""
        return self._sockets

    def object_keys(self) -> tuple[str, str]:
        """Return the names of both sockets, "0" and "1"."""
        return ("0", "1")

    def __iter__(self) -> Iterator[WebSocket]:
        return iter(self._sockets)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, which: int | str) -> WebSocket:
        if str(which) not in ("0", "1"):
            raise KeyError(which)
        return self._sockets[int(which)]

    def __repr__(self) -> str:
        return f"<WebSocketPair {self._sockets[0]!r} {self._sockets[1]!r}>"


def drop(socket: WebSocket) -> None:
    """Drop the connection without a close frame, as a client whose network fails does.

    Args:
        socket: A socket that was accepted.

    Raises:
        UsageError: If it was not accepted, or was given away.
    """
    if socket._end.state not in (ACCEPTED, HIBERNATABLE):
        raise UsageError(f"{socket!r} has not been accepted; there is no connection to drop.")
    end = socket._end
    if not end.aborted:
        with end.wire.held:
            end.closed_out = end.closed_in = True
            end.lost()
