"""One object as the runtime knows it: its id, its storage and, while it is in memory, its instance.

With a state directory an actor is released when its object leaves memory, and the next use of the
object makes another one. Calls, stubs, alarms and sockets may still hold the released one. It
starts no instance any more: it hands each event to its successor (`current`), which the namespace
has at most one of. So an object has at most one instance, whatever path an event takes.

Source: cloudflare/workerd src/workerd/server/server.c++ (`ActorContainer`)
"""

from typing import TYPE_CHECKING, Any

from dobook.errors import DobookError, PlatformError
from dobook.events import Answer, Fetch, Rpc
from dobook.ids import DurableObjectId
from dobook.runtime.aborts import HOME_GONE
from dobook.runtime.calls.foreign import refuse_foreign
from dobook.runtime.calls.stub import Tie
from dobook.runtime.objects.instance import Instance
from dobook.runtime.reports.shown import plain, shown
from dobook.runtime.reports.unheard import Aside
from dobook.storage.store import ObjectStore

if TYPE_CHECKING:
    import dobook.runtime.protocols as proto
    from dobook.runtime.protocols import Kernel, Meter, Namespace, ObjectFaults


class Actor:
    """One object: at most one instance at a time, from wherever it is called."""

    __slots__ = (
        "__weakref__",
        "active_s",
        "alarm",
        "faults",
        "id",
        "instance",
        "messages",
        "meter",
        "namespace",
        "released",
        "requests",
        "runtime",
        "sockets",
        "store",
        "tie",
    )

    def __init__(
        self, namespace: "Namespace", identity: DurableObjectId, store: ObjectStore
    ) -> None:
        self.namespace = namespace
        self.runtime: Kernel = namespace.runtime
        self.id = identity
        self.store = store
        self.instance: proto.Instance | None = None
        self.alarm: Any = None  # the scheduler's entry
        self.sockets: Any = None  # hibernatable sockets, which outlive the instance
        self.requests = 0
        self.messages = 0  # of sockets, among the requests
        self.active_s = 0.0  # in memory with something to do, or unable to hibernate
        self.faults: ObjectFaults | None = self.runtime.faults.of(namespace, identity.toString())
        self.meter: Meter | None = self.runtime.meters.of(self) if self.runtime.meters.on else None
        self.tie: Tie | None = None  # what the stubs in use share; made when there is one
        self.released = False  # the namespace has forgotten it; see `current`
        store.owner = self

    @property
    def label(self) -> str:
        """The object's name for people: `BINDING/name`, or the start of an id without a name."""
        name = self.id.name
        return f"{self.namespace.binding}/{name if name is not None else self.id.toString()[:8]}"

    def current(self) -> "proto.Actor":
        """Return the actor that stands for this object now: this one until it is released.

        Raises:
            UsageError: If the class is not there any more.
            StateDirectoryError: If the object's file cannot be read.
        """
        return self.namespace.actor(self.id) if self.released else self

    def refuse_io_of(self, owner: "proto.Actor", kind: str) -> None:
        """Raise PlatformError if this object's code uses what belongs to another."""
        refuse_foreign(self, owner, kind)

    def bind(self) -> Tie:
        """Return what a stub that calls for the first time is bound to."""
        tie = self.tie
        if tie is None:
            tie = self.tie = Tie()
        return tie

    def break_stubs(self, error: BaseException) -> None:
        """Break every stub that has been used: it fails with an error from now on."""
        tie, self.tie = self.tie, None
        if tie is not None:
            tie.error = error

    def deliver(self, call: "proto.Call", *, arrived: bool = False) -> None:
        """Hand an event to the object, making an instance first where needed.

        Args:
            call: The event.
            arrived: Whether it was reported, and met its faults, at the actor before this one.
        """
        if not arrived:
            if self.runtime.observers.active:
                self._observe(call)
            if self.faults is not None and self.faults.refuses(call):
                return
        stub = call.stub
        if stub is None:
            if call.target is not None and call.home is not None and call.home.dead is not None:
                # The function belongs to a life that has ended since the call was sent.
                call.settle(None, PlatformError(HOME_GONE))
                return
        elif stub.tie is not None and stub.tie.error is not None:
            call.reject(stub.tie.error)  # it was sent before the object was reset
            return
        instance = self.instance
        if instance is None:
            if self.released:
                self._hand_on(call)
                return
            instance = self._start(call)
            if instance is None:
                return
        self.requests += 1
        instance.enter(call)

    def _hand_on(self, call: "proto.Call") -> None:
        """Deliver a call to the object's current actor, or fail it without one."""
        try:
            successor = call.actor = self.current()
        except DobookError as error:
            call.settle(None, error)
        else:
            successor.deliver(call, arrived=True)

    def drop_sockets(self) -> None:
        """Lose the hibernatable connections, as when the object is reset."""
        hub, self.sockets = self.sockets, None
        if hub is not None:
            hub.drop()

    def _observe(self, call: "proto.Call") -> None:
        """Report a request or call now, and its answer when there is one."""
        observers = self.runtime.observers
        if call.kind == "fetch":
            assert call.args is not None
            request = call.args[0]
            seq = observers.emit(Fetch, self.label, call.sent, request.method, request.url)
        elif call.kind == "rpc":
            args = None if call.args is None else tuple([shown(a, 1) for a in call.args])
            seq = observers.emit(Rpc, self.label, call.sent, ".".join(call.path), args)
        else:
            return
        if observers.detailed:
            call.seq = seq
        fetched = call.kind == "fetch"

        def over(done: "proto.Call") -> None:
            error = "" if done.error is None else f"{type(done.error).__name__}: {done.error}"
            status = getattr(done.value, "status", None) if fetched else None
            value = None if fetched else plain(done.value)
            observers.emit(Answer, self.label, seq, status, value, error)

        call.on_done = Aside(call.on_done, over)

    def _start(self, call: "proto.Call") -> Instance | None:
        if self.store.dirty:
            self.store.marked = True
        instance = self.instance = Instance(self)
        self.runtime.residency.started(instance, call.seq)
        try:
            history = self.store.history
            if history is not None and history.pending is not None:
                self.runtime.stores.begin_session(self)
            self.namespace.construct(instance)
        except BaseException as error:
            if instance.dead is None:
                instance.reset(error)
            assert instance.dead is not None
            call.reject(instance.dead)  # what it gave to abort(), or what it raised
            return None
        if instance.dead is not None:  # the constructor called abort() and returned
            call.reject(instance.dead)
            return None
        return instance
