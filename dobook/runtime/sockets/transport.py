"""The link between the two ends of a WebSocket: queued messages, closes, lost connections.

An `End` is one end of a connection. An object holds it, a hibernating object, or code outside any
object. What an end sends leaves through its object's output gate. All messages under way at one
tick of the loop are delivered in one callback, in the order they were sent.

The module knows neither the programmer's `WebSocket` nor hibernation; both read from an end.
Source: cloudflare/workerd src/workerd/api/web-socket.c++ (`readLoop`, `pump`)
"""

import asyncio
import threading
from asyncio import current_task
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import ReferenceType, WeakKeyDictionary, ref

from dobook.errors import PlatformError, UsageError
from dobook.gates import Commit, OutputGate
from dobook.ownership import SOCKET, Owner, check_owner, current_owner
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.loop.loop import running_loop
from dobook.runtime.loop_base import Chain

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Kernel

LOST_CODE: Final = 1006
LOST_REASON: Final = "WebSocket disconnected without sending Close frame."

# What may be done with an end; the platform's names are in web-socket.h.
AWAITING: Final = 0  # neither accepted nor given away
ACCEPTED: Final = 1
HIBERNATABLE: Final = 2
RELEASED: Final = 3  # given away in a response


class Close(NamedTuple):
    """A close frame; code 1005 stands for one without a code."""

    code: int
    reason: str


class Lost:
    """The other side is gone without a close frame."""


class Broken(NamedTuple):
    """What arrived cannot be read."""

    error: PlatformError


LOST: Final = Lost()
_BEGIN: Final = object()  # on an end's way when it is accepted: what has queued may be read now


class End:
    """One end of a connection.

    Attributes:
        open: Whether it may say something: accepted, not closed by this side, not lost.
        closed_in: The other side's close frame has been received, or the connection was lost.
        closed_out: This side has closed.
        aborted: Nothing that this side says can arrive any more.
        coupled: A response has carried the connection away from where the pair was made.
        held: How many messages wait for the output gate.
        on_read: Called with each message that an object has begun to handle, or cannot.
        attachment: What `serializeAttachment` was given, serialised.
        answered_ms: When a message was last answered automatically, in ms since 1970.
    """

    __slots__ = (
        "__weakref__",
        "aborted",
        "answered_ms",
        "attachment",
        "chain",
        "closed_in",
        "closed_out",
        "coupled",
        "gate",
        "held",
        "inbox",
        "label",
        "on_read",
        "open",
        "owner",
        "peer",
        "reader",
        "reading",
        "receiver",
        "state",
        "wire",
    )

    peer: "End"
    wire: "Wire"

    def __init__(self, wire: "Wire | None") -> None:
        # Outside of any runtime a pair can be made, but not accepted (see `attach`).
        self.wire = wire  # type: ignore[assignment]
        self.state = AWAITING
        self.open = self.closed_in = self.closed_out = self.aborted = self.coupled = False
        self.reading = False
        self.inbox: list[Any] = []
        self.reader: Callable[[Any], object] = ignore
        self.owner: Owner | None = current_owner.get()  # the object that has made or accepted it
        self.receiver: Any = None  # who holds it, in an object
        self.gate = _ALWAYS_OPEN
        self.held = 0
        self.on_read: Callable[[Any], object] = ignore
        self.label = ""  # the object that holds it
        self.attachment: bytes | None = None
        self.answered_ms: int | None = None
        self.chain: Chain | None = None  # what led to the last message to this end

    def begin(
        self, state: int, reader: Callable[[Any], object], actor: "Actor | None" = None
    ) -> None:
        """Accept the connection: what arrives goes to `reader` from the next tick on."""
        self.state = state
        self.open = not self.aborted
        self.reader = reader
        if actor is not None:
            self.gate = actor.store.output_gate
            self.label = actor.label
            self.owner = actor
        self.wire.put(self, _BEGIN)

    def ready_state(self, *, failed: bool) -> int:
        """Return 1 open, 2 closing or 3 closed."""
        if failed or (self.closed_in and self.closed_out):
            return 3
        return 2 if self.closed_in or self.closed_out else 1

    def check_owner(self) -> None:
        """Raise PlatformError if code of another object than the one it belongs to uses it."""
        check_owner(self.owner, SOCKET)

    def read_inbox(self) -> None:
        """Read what has arrived so far, and from now on at once."""
        self.reading = True
        arrived, self.inbox = self.inbox, []
        for item in arrived:
            self.reader(item)

    def say(self, item: object) -> None:
        """Send something as soon as the object's writes before it are durable."""
        self.peer.chain = self.wire.chain()
        commit = self.gate.commit
        if commit is not None:
            self.hold(commit, item)
        else:
            self.wire.put(self.peer, item)

    def hold(self, commit: Commit, item: object) -> None:
        """Send something after a commit, unless the connection is lost by then."""
        self.held += 1
        commit.leaves = True
        commit.waiters.append(partial(self._let_go, item))

    def _let_go(self, item: object) -> None:
        self.held -= 1
        if not self.aborted and not self.wire.runtime.closed:
            self.wire.put(self.peer, item)

    def close(self, close: Close) -> None:
        """Announce that nothing more will follow."""
        self.open = False
        self.closed_out = True
        self.say(close)

    def lost(self) -> None:
        """Lose this side: the other one sees the connection end without a close frame."""
        self.abort()
        self.reader = ignore
        self.reading = True
        self.inbox.clear()
        if not self.wire.runtime.closed:
            self.wire.put(self.peer, LOST)

    def abort(self) -> None:
        """Send nothing any more, not even what waits for the output gate."""
        self.aborted = True
        self.open = False


def ignore(_item: object) -> None:
    """Read nothing: this end is gone."""


_ALWAYS_OPEN: Final = OutputGate()


class Wire:
    """The queue of items between the ends of a runtime's connections.

    Attributes:
        mail: Receiving end and item, in the order they were said.
        scheduled: Whether the next tick will hand the mail out.
    """

    def __init__(self, runtime: "Kernel") -> None:
        self.runtime = runtime
        self.loop = runtime.loop
        self.held = runtime.driver.held
        self.observers = runtime.observers
        self.mail: deque[tuple[End, Any]] = deque()
        self.scheduled = False
        self.mark: tuple[End, Any] | None = None  # the last that was said before this turn
        _wires[runtime.loop] = ref(self)

    def chain(self) -> Chain | None:
        """Return what led to the code that says something now."""
        task: Any = current_task(self.loop)
        return self.loop.chain if task is None else task.chain

    def put(self, end: End, item: object) -> None:
        """Queue an item for an end; it arrives on the next tick."""
        self.mail.append((end, item))
        if not self.scheduled:
            self.schedule()

    def schedule(self) -> None:
        """Schedule the delivery of the queued messages for the next tick.

        Raises:
            UsageError: If the runtime is closed.
        """
        runtime = self.runtime
        if runtime.closed:
            self.mail.clear()
            runtime.check_open()
        loop = runtime.loop
        self.scheduled = True
        thread = loop.thread
        if thread is None or thread == threading.get_ident():
            loop.call_soon(self._deliver)
        else:
            loop.call_soon_threadsafe(self._deliver)

    def recall(self, senders: "list[End]") -> None:
        """Take back what some ends have sent in the current turn."""
        receivers = {end.peer for end in senders}
        mail, mark, kept = self.mail, self.mark, []
        while mail and mail[-1] is not mark:
            entry = mail.pop()
            if entry[0] not in receivers:
                kept.append(entry)
        mail.extend(reversed(kept))

    def drop(self) -> None:
        """Drop the messages of objects that have not been delivered yet."""
        kept = [entry for entry in self.mail if not entry[0].peer.label]
        self.mail.clear()
        self.mail.extend(kept)

    def mend(self) -> None:
        """Schedule the queued messages again after an exception has ended their delivery."""
        self.scheduled = False
        if self.mail:
            self.schedule()

    def deliver_first(self) -> None:
        """Deliver the queued messages before calls of the same tick arrive.

        A connection is there already, a call has to look for its object first; the real engine's
        messages overtake calls that were made at the same time.
        """
        if self.mail:
            self._deliver()

    def _deliver(self) -> None:
        # Listeners outside of objects print into the cell that drives the loop.
        self.runtime.context.run(self._hand_out)

    def _hand_out(self) -> None:
        self.runtime.stores.before_leaving()
        mail = self.mail
        if self.runtime.loop.order is not None:
            self.runtime.loop.order.mix(mail, lambda entry: id(entry[0]))
        last = len(mail)  # what is said meanwhile is for the next tick
        loop = self.runtime.loop
        try:
            while last and mail:
                last -= 1
                end, item = mail.popleft()
                if end.reading:
                    loop.chain = end.chain
                    end.reader(item)
                elif item is _BEGIN:
                    end.read_inbox()
                else:
                    end.inbox.append(item)
        finally:
            loop.chain = None
            if mail:
                self.runtime.loop.call_soon(self._deliver)
            else:
                self.scheduled = False


# Both sides weak: a wire holds its runtime, which holds its loop.
_wires: "WeakKeyDictionary[asyncio.AbstractEventLoop, ReferenceType[Wire]]" = WeakKeyDictionary()


def current_wire() -> Wire | None:
    """Return the wire of the runtime whose code is running, None outside of any."""
    frame = current_frame.get()
    loop = running_loop() if frame is None else frame.instance.runtime.loop
    found = None if loop is None else _wires.get(loop)
    return None if found is None else found()


def attach(end: End) -> None:
    """Make sure that an end belongs to a runtime.

    Raises:
        UsageError: If no runtime's code is running and the pair was made outside too.
    """
    if end.wire is None:
        end.wire = end.peer.wire = current_wire()
        if end.wire is None:
            raise UsageError(
                "a WebSocketPair works inside an object or a Worker; from outside connect with "
                'stub.fetch(url, headers={"Upgrade": "websocket"}).'
            )
