"""What arrives at a socket of an object: an event that waits at the object's input gate.

A `Resident` is a socket accepted with `accept()`, which lives in the object's memory and keeps it
there; the other kind is in `hibernation`.

Source: cloudflare/workerd src/workerd/api/web-socket.c++ (`readLoop`),
src/workerd/api/hibernatable-web-socket.c++
"""

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from dobook.errors import PlatformError
from dobook.events import SocketClose, SocketError, SocketMessage, SocketOpen
from dobook.gates import InputGate, open_gate
from dobook.limits import MAX_WEBSOCKET_MESSAGE_BYTES
from dobook.runtime.calls.call import Call
from dobook.runtime.loop.livelock import link
from dobook.runtime.reports.shown import plain
from dobook.runtime.sockets.transport import (
    HIBERNATABLE,
    LOST,
    LOST_CODE,
    LOST_REASON,
    Broken,
    Close,
    End,
    ignore,
)
from dobook.runtime.sockets.values import in_background
from dobook.web import JsBuffer

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Instance, Wire
    from dobook.runtime.sockets.websocket import WebSocket

TOO_LARGE_CODE: Final = 1009
TIMED_OUT: Final = "Actor exceeded event execution time and was disconnected."


class Receiver(Protocol):
    """The holder of an end in an object."""

    @property
    def end(self) -> End:
        """The end."""

    @property
    def timeout_ms(self) -> int | None:
        """How long a handler may take, None for as long as it likes."""

    def happen(self, instance: "Instance", item: object) -> Any:
        """Hand an item to the object's code; may return something to await."""

    def happened(self, item: object) -> None:
        """Continue after the first turn of the object's code."""

    def stay(self) -> None:
        """Note that a response has carried the other end to a client."""

    def over(self) -> None:
        """Forget the connection once both sides have closed."""


class SocketEvent(Call):
    """Something that arrived at a socket of an object, on its way through the input gate."""

    inside = True
    begun = False
    timer: asyncio.TimerHandle | None = None

    def __init__(self, actor: "Actor", kind: str, receiver: Receiver, item: object) -> None:
        super().__init__(actor, kind, (), ())
        self.receiver = receiver
        self.item = item
        self.on_done = _over
        self.chain = actor.runtime.loop.chain

    def start(self) -> None:
        """Run the first turn; the gate has admitted the event."""
        if self.done:
            return
        wire = self.actor.runtime.wire
        wire.mark = wire.mail[-1] if wire.mail else None
        self.actor.messages += 1
        if wire.observers.active:
            seq = _report(wire, self.actor.label, self.item)
            if wire.observers.detailed:
                self.seq = seq
        self.begin()
        try:
            super().start()
        finally:
            self.receiver.happened(self.item)
        task = self.task
        if task is not None and not task.done() and (ms := self.receiver.timeout_ms) is not None:
            self.timer = wire.runtime.loop.call_later(ms / 1000, self._time_out)

    def begin(self) -> None:
        """Note that a message no longer waits, so its sender may send more."""
        if not self.begun:
            self.begun = True
            if isinstance(self.item, str | bytes):
                self.receiver.end.on_read(self.item)

    def _invoke(self) -> Any:
        instance = self.instance
        assert instance is not None
        self.chain = link(
            instance.runtime.loop, instance, "is sent messages because of those it has sent"
        )
        return self.receiver.happen(instance, self.item)

    def _time_out(self) -> None:
        """Stop the handler, and let the object's storage go.

        Its memory and connections stay until it is evicted, as the real engine was recorded to do.
        """
        instance = self.instance
        if instance is None or instance.dead is not None or self.done:
            return
        error = PlatformError(TIMED_OUT)
        error.retryable = error.durableObjectReset = True  # type: ignore[attr-defined]
        instance.ctx.storage._end(error)
        self.settle(None, error)
        if self.task is not None:
            self.task.cancel()


def _over(call: Call) -> None:
    assert isinstance(call, SocketEvent)
    call.begin()
    if call.timer is not None:
        call.timer.cancel()
    error, instance = call.error, call.instance
    if error is not None and instance is not None and instance.dead is None:
        instance.runtime.report(call.actor, call.kind, error)


def _report(wire: "Wire", label: str, item: object) -> int:
    if item is LOST:
        return wire.observers.emit(
            SocketClose, label, 0, code=LOST_CODE, reason=LOST_REASON, was_clean=False
        )
    if type(item) is Close:
        return wire.observers.emit(
            SocketClose, label, 0, code=item.code, reason=item.reason, was_clean=True
        )
    if type(item) is Broken:
        return wire.observers.emit(SocketError, label, 0, str(item.error))
    return wire.observers.emit(SocketMessage, label, 0, plain(item))


def refuse_if_too_large(end: End, message: str | bytes) -> Broken | None:
    """Return why a received message cannot be read, and tell the sender; None if it can be."""
    limit = MAX_WEBSOCKET_MESSAGE_BYTES
    # A character takes at most four bytes, and nearly every message is far below the limit.
    if len(message) * 4 <= limit:
        return None
    size = len(message.encode()) if isinstance(message, str) else len(message)
    if size <= limit:
        return None
    text = f"Message is too large: {size} > {limit}"
    if end.open:
        end.wire.put(end.peer, Close(TOO_LARGE_CODE, text))  # of the transport: past the gate
    end.closed_in = end.closed_out = True
    end.abort()
    end.reader = ignore
    return Broken(
        PlatformError(
            f"WebSocket protocol error; protocolError.statusCode = {TOO_LARGE_CODE}; "
            f"protocolError.description = {text}"
        )
    )


def report_open(end: End, tags: list[str]) -> None:
    """Tell the observers of a new connection of an object."""
    wire = end.wire
    if wire.observers.active:
        kind = "hibernatable" if end.state == HIBERNATABLE else "classic"
        wire.observers.emit(SocketOpen, end.label, 0, accepted=kind, tags=plain(tags))


class Resident:
    """A socket that was accepted in an object and lives in its memory: `accept()` there."""

    __slots__ = ("_end", "_gate", "_instance", "_socket")

    timeout_ms: ClassVar[int | None] = None

    def __init__(self, socket: "WebSocket", instance: "Instance", gate: InputGate) -> None:
        self._socket = socket
        self._end = socket._end
        self._instance = instance
        self._gate = gate  # of a critical section, if the socket was accepted in one

    @property
    def end(self) -> End:
        """This side's end."""
        return self._end

    def stay(self) -> None:
        """Keep the object in memory: somebody is at the other end."""
        if not self._end.closed_in and self._instance.dead is None:
            self._instance.add_socket(self)
            self._instance.stays_busy()

    def over(self) -> None:
        """Forget the connection, which no longer keeps the object in memory."""
        self._instance.drop_socket(self)

    def lost(self) -> None:
        """End the connection together with the object's life."""
        self._end.lost()

    def receive(self, item: object) -> None:
        """Make an event of the object out of an item that has arrived."""
        instance = self._instance
        if isinstance(item, str | bytes):
            item = refuse_if_too_large(self._end, item) or item
            if type(item) is bytes:
                item = JsBuffer(item)
        elif item is LOST:
            self._end.abort()
        event = SocketEvent(instance.actor, "webSocket", self, item)
        gate = open_gate(self._gate)
        instance.actor.requests += 1
        if gate is instance.gate:
            instance.enter(event)
            return
        event.instance = instance
        instance.calls[event] = None
        if gate.busy:
            gate.wait(event.start)
        else:
            event.start()

    def happen(self, instance: "Instance", item: object) -> Any:
        """Call the listeners; returns what is left to await."""
        try:
            left = self._socket._happen(item)
        finally:
            end = self._end
            if end.closed_in and (end.closed_out or end.aborted):
                self.over()
        in_background(left[1:])
        return left[0] if left else None

    def happened(self, item: object) -> None:
        """Do nothing after a turn."""
