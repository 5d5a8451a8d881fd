"""Sockets that outlive an object's memory: `ctx.acceptWebSocket` and what belongs to it.

A `Hub` belongs to an `Actor`, not to one of its lives. When the object is evicted its connections
stay; a message, a close or an error makes a new instance and calls its `webSocketMessage`,
`webSocketClose` or `webSocketError`. The `WebSocket` a handler gets is made anew after each
eviction: of what the program has put on it only the attachment remains. When the object is reset
all its connections are lost.

Source: developers.cloudflare.com/durable-objects/best-practices/websockets/,
cloudflare/workerd src/workerd/io/legacy-hibernation-manager.c++
"""

import itertools
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from dobook import limits
from dobook.errors import PlatformError, PlatformRangeError, PlatformTypeError
from dobook.events import SocketAnswered
from dobook.runtime.calls.arity import relaxed_call
from dobook.runtime.sockets.events import SocketEvent, refuse_if_too_large, report_open
from dobook.runtime.sockets.transport import (
    AWAITING,
    HIBERNATABLE,
    LOST,
    LOST_CODE,
    LOST_REASON,
    Broken,
    Close,
    End,
    attach,
)
from dobook.runtime.sockets.values import WebSocketRequestResponsePair
from dobook.runtime.sockets.websocket import WebSocket
from dobook.web import JsBuffer
from dobook.web.text import js_string, js_unsigned

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Instance

MAX_EVENT_TIMEOUT_MS: Final = 604_800_000  # a week: workerd src/workerd/api/actor-state.c++


class Connection:
    """A connection that hibernates.

    Args:
        hub: The connections of its object.
        socket: The socket as long as the object is in memory.
        tags: The tags it was accepted with, without duplicates.
    """

    __slots__ = ("_end", "_hub", "_socket", "tags")

    def __init__(self, hub: "Hub", socket: WebSocket, tags: list[str]) -> None:
        self._hub = hub
        self._end = socket._end
        self._socket: WebSocket | None = socket
        self.tags = tags

    @property
    def end(self) -> End:
        """This side's end."""
        return self._end

    @property
    def socket(self) -> WebSocket:
        """What the program holds of it; made anew when the object has been out of memory."""
        socket = self._socket
        if socket is None:
            socket = self._socket = WebSocket._holding(self._end)
        return socket

    def hibernate(self) -> None:
        """Drop the object's socket as the object leaves memory."""
        self._socket = None

    # ------------------------------------------------------------------ what arrives

    def receive(self, item: object) -> None:
        """Answer an item automatically, or make it an event of the object."""
        hub = self._hub
        kind = "webSocketMessage"
        if isinstance(item, str):
            if item == hub.auto_request:
                self._end.on_read(item)
                self._answer(hub.auto_response)
                return
            item = refuse_if_too_large(self._end, item) or item
        elif isinstance(item, bytes):
            item = refuse_if_too_large(self._end, item) or JsBuffer(item)
        else:
            kind = "webSocketClose"
            if item is LOST:
                self._end.abort()
                if self._end.closed_in:
                    return
        if type(item) is Broken:
            kind = "webSocketError"
        hub.actor.deliver(SocketEvent(hub.actor, kind, self, item))

    def _answer(self, response: str) -> None:
        end = self._end
        end.answered_ms = end.wire.runtime.loop.now_ms
        if not end.open:
            return
        end.wire.observers.emit(SocketAnswered, end.label, 0, response)
        commit = end.gate.commit
        if end.held and commit is not None:
            end.hold(commit, response)  # behind what the object has said before
        else:
            # The answer depends on nothing the object has written.
            end.wire.put(end.peer, response)

    @property
    def timeout_ms(self) -> int | None:
        """How long a handler may take."""
        return self._hub.event_timeout_ms

    def happen(self, instance: "Instance", item: object) -> Any:
        """Call the handler if the class defines one."""
        if isinstance(item, str | bytes):
            handler = getattr(instance.object, "webSocketMessage", None)
            return None if handler is None else relaxed_call(handler, self.socket, item)
        self._end.closed_in = True
        if type(item) is Broken:
            handler = getattr(instance.object, "webSocketError", None)
            return None if handler is None else relaxed_call(handler, self.socket, item.error)
        handler = getattr(instance.object, "webSocketClose", None)
        if handler is None:
            return None
        if type(item) is Close:
            return relaxed_call(handler, self.socket, item.code, item.reason, True)  # noqa: FBT003
        return relaxed_call(handler, self.socket, LOST_CODE, LOST_REASON, False)  # noqa: FBT003

    def happened(self, item: object) -> None:
        """Remove a closed connection from the list after its handler's first turn."""
        if not isinstance(item, str | bytes):
            self._hub.forget(self)

    def stay(self) -> None:
        """Do nothing: a connection that hibernates keeps nothing in memory."""

    def over(self) -> None:
        """Do nothing: it has left the list when the close arrived."""


class Hub:
    """The hibernatable connections of one object.

    Attributes:
        auto_request: The text that is answered without the object; None for none.
        auto_response: The answer.
        event_timeout_ms: How long a handler may take; None for as long as it likes.
    """

    __slots__ = (
        "_by_tag",
        "_connections",
        "_sequence",
        "_unanswered",
        "actor",
        "auto_request",
        "auto_response",
        "event_timeout_ms",
    )

    def __init__(self, actor: "Actor") -> None:
        self.actor = actor
        self.auto_request: str | None = None
        self.auto_response = ""
        self.event_timeout_ms: int | None = None
        self._connections: dict[Connection, None] = {}
        self._by_tag: dict[str, dict[Connection, None]] = {}
        self._sequence = itertools.count()
        # Closed by the client, but not by the object, which still may as long as it lives.
        self._unanswered: WeakValueDictionary[int, End] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._connections)

    @property
    def needed(self) -> bool:
        """Whether there is anything that has to outlive the object's memory."""
        return bool(
            self._connections or self.auto_request is not None or self.event_timeout_ms is not None
        )

    def accept(self, socket: object, tags: object = None) -> None:
        """Accept a connection for hibernation.

        Raises:
            PlatformTypeError: If `socket` is not a WebSocket, or `tags` not a list.
            PlatformError: If the socket is in use, the tags are too many or too long, or the
                object has too many connections.
        """
        if not isinstance(socket, WebSocket):
            raise _wrong(1, "WebSocket", socket)
        end = socket._end
        end.check_owner()
        if end.state != AWAITING:
            raise PlatformError(
                "Cannot call `acceptWebSocket()` if the WebSocket was already accepted via "
                "`accept()`"
            )
        if end.coupled or end.peer.state != AWAITING:
            raise PlatformError(
                "Cannot call `acceptWebSocket()` on this WebSocket because its pair has already "
                "been accepted or used in a Response."
            )
        distinct = _distinct(tags)
        if len(self._connections) >= limits.MAX_WEBSOCKETS_PER_OBJECT:
            raise PlatformError(
                f"only {limits.MAX_WEBSOCKETS_PER_OBJECT} websockets can be accepted on a single "
                "Durable Object instance"
            )
        attach(end)
        connection = Connection(self, socket, distinct)
        self._connections[connection] = None
        for tag in distinct:
            self._by_tag.setdefault(tag, {})[connection] = None
        end.receiver = connection
        end.begin(HIBERNATABLE, connection.receive, self.actor)
        report_open(end, distinct)

    def sockets(self, tag: object = None) -> list[WebSocket]:
        """Return the sockets with a tag in the order they were accepted; all of them, latest first."""
        if tag is None:
            return [connection.socket for connection in reversed(self._connections)]
        return [connection.socket for connection in self._by_tag.get(js_string(tag), ())]

    def set_auto_response(self, pair: object) -> None:
        """Answer a message automatically from now on, or with None no more.

        Raises:
            PlatformTypeError: If it is not a pair.
            PlatformRangeError: If the message or the answer is too long.
        """
        if pair is None:
            self.auto_request = None
            return
        if not isinstance(pair, WebSocketRequestResponsePair):
            raise PlatformTypeError(
                "Failed to execute 'setWebSocketAutoResponse' on 'DurableObjectState': parameter 1 "
                f"is not of type 'WebSocketRequestResponsePair': {pair!r:.80}"
            )
        most = limits.MAX_AUTO_RESPONSE_CHARS
        for what, text in (("request", pair.request), ("response", pair.response)):
            size = len(text.encode())
            if size > most:
                raise PlatformRangeError(
                    f"{what.capitalize()} cannot be larger than {most} bytes. "
                    f"A {what} of size {size} was provided."
                )
        self.auto_request, self.auto_response = pair.request, pair.response

    def auto_response_pair(self) -> WebSocketRequestResponsePair | None:
        """Return what is answered automatically, None if nothing is."""
        if self.auto_request is None:
            return None
        return WebSocketRequestResponsePair(self.auto_request, self.auto_response)

    def set_event_timeout(self, timeout_ms: object) -> None:
        """Reset the object when a handler takes longer than this; 0 or None for no limit.

        Raises:
            PlatformError: If it is more than a week.
            PlatformTypeError: If it is not a number, or is negative.
        """
        ms = 0 if timeout_ms is None else js_unsigned(timeout_ms)
        if ms > MAX_EVENT_TIMEOUT_MS:
            raise PlatformError(f"Event timeout should not exceed {MAX_EVENT_TIMEOUT_MS} ms.")
        self.event_timeout_ms = ms or None

    # ------------------------------------------------------------------ the object's lives

    def forget(self, connection: Connection) -> None:
        """Remove a connection that is over."""
        if connection not in self._connections:
            return
        del self._connections[connection]
        for tag in connection.tags:
            tagged = self._by_tag[tag]
            del tagged[connection]
            if not tagged:
                del self._by_tag[tag]
        if not connection.end.closed_out and not connection.end.aborted:
            self._unanswered[next(self._sequence)] = connection.end

    def hibernate(self) -> None:
        """Detach the connections from an object that leaves memory; they stay open."""
        for connection in self._connections:
            connection.hibernate()
        self._lose_unanswered()

    def ends(self) -> list[End]:
        """Return this side's ends, those that only the client has closed included."""
        return [c.end for c in self._connections] + list(self._unanswered.values())

    def drop(self) -> None:
        """Lose all connections of an object whose life ended by an error."""
        ends = [connection.end for connection in self._connections]
        for end in ends:
            end.lost()
        self._connections.clear()
        self._by_tag.clear()
        self._lose_unanswered()

    def _lose_unanswered(self) -> None:
        for _, end in sorted(self._unanswered.items()):
            if not end.closed_out:
                end.lost()
        self._unanswered.clear()


def hub_of(actor: "Actor") -> Hub:
    """Return the hub of an object, made when it is first needed."""
    hub: Hub | None = actor.sockets
    if hub is None:
        hub = actor.sockets = Hub(actor)
    return hub


def tags_of(socket: object) -> list[str]:
    """Return the tags of a socket.

    Raises:
        PlatformTypeError: If it is not a WebSocket.
        PlatformError: If it does not hibernate.
    """
    if not isinstance(socket, WebSocket):
        raise _wrong(1, "WebSocket", socket, "getTags")
    end = socket._end
    end.check_owner()
    if end.state == AWAITING:
        raise PlatformError(
            "you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket."
        )
    if end.state != HIBERNATABLE:
        raise PlatformError("only hibernatable websockets can have tags.")
    return list(end.receiver.tags)


def answered_ms(socket: object) -> int | None:
    """Return when a socket's last message was answered automatically, in ms since 1970.

    Raises:
        PlatformTypeError: If it is not a WebSocket.
    """
    if not isinstance(socket, WebSocket):
        raise _wrong(1, "WebSocket", socket, "getWebSocketAutoResponseTimestamp")
    return socket._end.answered_ms


def _distinct(tags: Any) -> list[str]:
    if tags is None:
        return []
    if isinstance(tags, str | bytes) or not hasattr(type(tags), "__iter__"):
        error = _wrong(2, "Array", tags)
        if isinstance(tags, str):
            error.add_note(f"You want:  ctx.acceptWebSocket(ws, to_js([{tags!r}]))")
        raise error
    distinct: dict[str, None] = {}
    for tag in map(js_string, tags):
        if len(distinct) >= limits.MAX_WEBSOCKET_TAGS:
            raise PlatformError(
                f"a Hibernatable WebSocket cannot have more than {limits.MAX_WEBSOCKET_TAGS} tags"
            )
        # The engine counts bytes, whatever its message says.
        if len(tag.encode()) > limits.MAX_WEBSOCKET_TAG_CHARS:
            raise PlatformError(
                f'"{tag}" is longer than the max tag length '
                f"({limits.MAX_WEBSOCKET_TAG_CHARS} characters)."
            )
        distinct[tag] = None
    return list(distinct)


def _wrong(
    position: int, wanted: str, got: object, method: str = "acceptWebSocket"
) -> PlatformTypeError:
    error = PlatformTypeError(
        f"Failed to execute '{method}' on 'DurableObjectState': parameter {position} is not of "
        f"type '{wanted}'."
    )
    error.add_note(f"It was {type(got).__name__}: {got!r:.80}")
    return error
