"""One object in memory: made when it is first needed, gone when idle, aborted or crashed.

An `Instance` is one life of an object: the user's object, its input gate, the calls and tasks that
are under way. What outlives it (id, storage) belongs to its `Actor`.

Source: cloudflare/workerd src/workerd/io/worker.c++ (`Worker::Actor`)
"""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context
from types import FunctionType, MappingProxyType, MethodType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from dobook.errors import PlatformError, PlatformTypeError
from dobook.events import Waiting, WaitUntil
from dobook.gates import InputGate
from dobook.ownership import current_owner
from dobook.runtime.aborts import HOME_GONE, RESET, DurableObjectAbort
from dobook.runtime.calls.arity import positions, relaxed_call
from dobook.runtime.calls.call import Call
from dobook.runtime.calls.promise import Rejected
from dobook.runtime.calls.remote_stream import conveyed
from dobook.runtime.calls.rpc import carry, find
from dobook.runtime.loop.frame import Frame, current_frame
from dobook.runtime.objects.alarm import no_handler
from dobook.web import ReadableStream

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor
    from dobook.runtime.protocols import Call as AnyCall


_ARGUMENTS: Final = {
    "fetch": 1,
    "alarm": 1,
    "webSocketMessage": 2,
    "webSocketClose": 4,
    "webSocketError": 2,
}
# What most objects never have: an empty dictionary of their own would take 64 bytes each.
NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})
# Most objects only ever need the first turn of each event, which is not a task.
NO_TASKS: Final[Mapping[asyncio.Task[Any], None]] = NOTHING


class Answers:
    """The answers of an object that are on their way while it works in the background.

    Attributes:
        count: How many there are.
        confirmed: Whether one of them has waited for a commit.
    """

    __slots__ = ("_waiter", "confirmed", "count")

    def __init__(self) -> None:
        self.count = 0
        self.confirmed = False
        self._waiter: asyncio.Future[None] | None = None

    def given(self) -> bool:
        """Count one as given; returns whether it was the last."""
        self.count -= 1
        if not self.count and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        return not self.count

    def all_given(self, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[None]":
        """Return a future that is done when all have been given."""
        if self._waiter is None or self._waiter.done():
            self._waiter = loop.create_future()
        return self._waiter


class Instance(Frame):
    """One life of one object, and the frame of its events."""

    __slots__ = (
        "__weakref__",
        "_handler",
        "_handlers",
        "_kind",
        "_methods",
        "active_since",
        "actor",
        "answers",
        "background",
        "calls",
        "ctx",
        "dead",
        "evict_at",
        "idle",
        "idle_since",
        "in_idle_queue",
        "kept_context",
        "kept_generation",
        "object",
        "on_idle",
        "output_gate",
        "runtime",
        "sockets",
        "tasks",
    )

    def __init__(self, actor: "Actor") -> None:
        self.actor = actor
        self.runtime = actor.runtime
        super().__init__(self, InputGate(actor.runtime.call_soon))
        self.output_gate = actor.store.output_gate
        self.dead: BaseException | None = None
        # What is gone through has to keep its order, which a set of objects does not.
        self.calls: dict[AnyCall, None] = {}
        self.tasks: Mapping[asyncio.Task[Any], None] = NO_TASKS
        self.background: int = 0  # waitUntil() work under way
        self.answers: Answers | None = None  # those on their way while there is such work
        self.idle_since = 0.0  # seconds of the loop
        self.evict_at = 0.0  # its place in the queue of those that are idle
        self.idle = True  # nothing that lasts longer than a turn has been under way
        self.active_since = 0.0
        self.sockets: Mapping[Any, None] = NOTHING  # accepted without hibernation
        self.object: Any = None
        self.ctx: Any = None
        self.on_idle: list[asyncio.Future[None]] | None = None
        self.in_idle_queue = False
        self._methods: dict[str, FunctionType] = actor.namespace.methods
        self._kind = ""  # of the first event that has come
        self._handler: Callable[..., Any] | None = None
        self._handlers: Mapping[str, Callable[..., Any]] = NOTHING
        self.kept_context: Context | None = None
        self.kept_generation = -1

    def __lt__(self, other: "Instance") -> bool:
        return self.evict_at < other.evict_at  # for the heap of idle instances

    # ------------------------------------------------------------------ life

    def construct(self, cls: type, ctx: object, env: object) -> None:
        """Make the user's object.

        Raises:
            BaseException: What its constructor raised.
        """
        self.ctx = ctx
        try:
            self.object = self.context().run(cls, ctx, env)
        except TypeError as error:
            traceback = error.__traceback__
            if traceback is not None and traceback.tb_next is None:  # it was not even begun
                error.add_note("An object is made with (ctx, env): def __init__(self, ctx, env)")
            raise

    def context(self) -> Context:
        """Return the context that the object's code runs in.

        It is made anew for each drive of the loop, so that a `print` lands in the cell that drives.
        """
        generation = self.runtime.generation
        if self.kept_generation != generation:
            context = self.runtime.context.copy()
            context.run(current_frame.set, self)
            context.run(current_owner.set, self.actor)
            self.kept_context = context
            self.kept_generation = (
                generation  # last: after an exception above, all of it is repeated
            )
        assert self.kept_context is not None
        return self.kept_context

    def reset(
        self,
        error: BaseException,
        *,
        flagged: bool = True,
        stubs: bool = True,
        unsaid: bool = False,
    ) -> None:
        """End this life because of an error: calls fail with it, unwritten changes are lost.

        Args:
            error: What the callers get.
            flagged: Whether it tells them that the object was reset, as the platform's own does
                unless a commit has failed.
            stubs: Whether stubs that have been used are broken. False for what comes from outside
                of the program: a crash on purpose, new code.
            unsaid: Whether what its sockets have been sent in this turn is taken back, because
                the object's own code has ended it.
        """
        if self.dead is not None:
            return
        if flagged:
            error.durableObjectReset = True  # type: ignore[attr-defined]
        if unsaid or self.object is None:
            self._unsay()
        self.actor.store.discard(event=stubs)
        self._end(error)
        if stubs:
            self.actor.break_stubs(error)
        self.actor.drop_sockets()
        self.runtime.residency.gone(self, error)

    def interrupted(self, why: str = RESET) -> None:
        """End this life because its code has been interrupted in the middle of a turn.

        Args:
            why: The text of the callers' error.
        """
        error = PlatformError(why)
        for call in list(self.calls):
            call.settle(None, error)  # not rejected, which would break the stub that made it
        self.reset(error, stubs=False, unsaid=True)

    def stop_with(self, error: BaseException) -> NoReturn:
        """Reset the object because of what its own code does, and end that code.

        Raises:
            DurableObjectAbort: Always.
        """
        self.reset(error, unsaid=True)
        raise DurableObjectAbort(str(error))

    def _unsay(self) -> None:
        hub = self.actor.sockets
        ends = [socket.end for socket in self.sockets] + ([] if hub is None else hub.ends())
        if ends:
            self.runtime.wire.recall(ends)

    def evict(self) -> None:
        """End this life because nothing needs it; what was written stays."""
        self._end(PlatformError("The Durable Object has been evicted."))
        if self.actor.sockets is not None:
            self.actor.sockets.hibernate()

    def _end(self, error: BaseException) -> None:
        self.dead = error
        if not self.idle:
            self._count_activity(self.runtime.loop.time())
        if self.actor.instance is self:
            self.actor.instance = None
        self.ctx.storage._end(error) if self.ctx is not None else None
        for call in list(self.calls):
            call.reject(error)
        current = asyncio.current_task(self.runtime.loop) if self.runtime.turning else None
        for task in list(self.tasks):
            if task is not current:
                task.cancel()
        for socket in list(self.sockets):
            socket.lost()
        self.sockets = NOTHING

    # ------------------------------------------------------------------ events

    def enter(self, call: "AnyCall") -> None:
        """Take an event: run it now or when the gate admits it."""
        call.instance = self
        self.calls[call] = None
        if self.gate.busy:
            if call.seq:
                call.waited = True
                self.runtime.observers.emit(Waiting, self.actor.label, call.seq, "input gate")
            self.gate.wait(call.start)
        else:
            call.start()

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """Count a task as this object's."""
        tasks = self.tasks
        if tasks is NO_TASKS:
            tasks = self.tasks = {}
        tasks[task] = None  # type: ignore[index]
        if self.idle:
            self.stays_busy()
        task.add_done_callback(self._task_done)

    def add_socket(self, socket: object) -> None:
        """Count a connection that was accepted without hibernation."""
        if self.sockets is NOTHING:
            self.sockets = {}
        self.sockets[socket] = None  # type: ignore[index]

    def drop_socket(self, socket: object) -> None:
        """Forget a connection; unknown ones are ignored."""
        if self.sockets is not NOTHING:
            self.sockets.pop(socket, None)  # type: ignore[attr-defined]

    def _task_done(self, task: "asyncio.Task[Any]") -> None:
        self.tasks.pop(task, None)  # type: ignore[attr-defined]
        if not self.tasks and not self.calls:
            self.maybe_idle()

    def wait_until(self, awaitable: Any) -> None:
        """Keep the object in memory until the awaitable is done; its errors are only logged."""
        future = asyncio.ensure_future(awaitable, loop=self.runtime.loop)
        self.background += 1
        self.stays_busy()
        if self.runtime.observers.detailed:
            self.runtime.observers.emit(WaitUntil, self.actor.label, 0)

        def over(done: "asyncio.Future[Any]") -> None:
            self.background -= 1
            if not done.cancelled() and (error := done.exception()) is not None:
                self.runtime.report(self.actor, "waitUntil", error)
            self.maybe_idle()

        future.add_done_callback(over)

    def answer_begins(self, *, confirmed: bool) -> None:
        """Count an answer that is on its way; `confirmed` if it waits for a commit."""
        answers = self.answers
        if answers is None:
            answers = self.answers = Answers()
        answers.count += 1
        answers.confirmed = answers.confirmed or confirmed

    def answer_given(self) -> None:
        """Count one of the answers on their way as given."""
        if self.answers is not None and self.answers.given():
            self.answers = None

    def maybe_idle(self) -> None:
        """Record the time if nothing keeps the object in memory any more."""
        if self.calls or self.background or self.sockets or self.tasks or self.dead is not None:
            return
        # The dictionary is empty. Clearing it frees its table, which idle objects would keep.
        self.calls.clear()
        self.idle_since = self.runtime.loop.time()
        if not self.idle:
            self._count_activity(self.idle_since)
        if self.on_idle or not self.in_idle_queue:
            self.runtime.residency.idle(self)

    def stays_busy(self) -> None:
        """Record that work is under way which one turn does not end."""
        if self.idle:
            self.idle = False
            self.active_since = self.runtime.loop.time()

    def _count_activity(self, now: float) -> None:
        self.idle = True
        self.actor.active_s += now - self.active_since

    @property
    def busy(self) -> bool:
        """Whether something keeps the object in memory."""
        return bool(self.calls or self.background or self.sockets or self.tasks)

    # ------------------------------------------------------------------ finding the user's code

    def method(self, name: str) -> Callable[..., Any]:
        """Return what may be called or read over RPC under a name.

        Raises:
            PlatformTypeError: If the object does not offer that name.
        """
        user = self.object
        function = self._methods.get(name)
        if function is not None and name not in user.__dict__:
            return MethodType(function, user)
        found = find(user, (name,), root=True)
        if type(found) is MethodType and hasattr(user, "__dict__"):
            function = getattr(type(user), name, None)
            if function is found.__func__ and type(user) is self.actor.namespace.cls:
                self._methods[name] = function
        return found  # type: ignore[no-any-return]

    def handler(self, kind: str) -> Callable[..., Any]:
        """Return the handler of an event.

        Raises:
            PlatformError: If the class has none.
            PlatformTypeError: If it is the alarm's, and the class uses Cloudflare's Python SDK.
        """
        # Most objects have one kind of event: a dict would take three times the memory.
        found = self._handler if kind == self._kind else self._handlers.get(kind)
        if found is None:
            found = getattr(self.object, kind, None)
            if found is None and kind == "fetch":
                found = getattr(self.object, "on_fetch", None)
            if found is None and kind == "alarm":
                if getattr(self.object, "_has_every_name_", False):
                    raise PlatformTypeError("Method alarm does not exist")
                found = no_handler(self.actor.label)
            if found is None:
                error = PlatformError(f"Handler does not export a {kind}() function.")
                methods = [n for n in vars(type(self.object)) if not n.startswith("_")]
                if kind == "fetch" and methods:
                    name = type(self.object).__name__
                    error.add_note(f"{name} is called by its methods: {', '.join(methods[:5])}")
                raise error
            found = self._relaxed(kind, found)
            if self._handler is None:
                self._kind, self._handler = kind, found
            else:
                self._handlers = {**self._handlers, kind: found}
        if kind == "alarm":
            return self.runtime.alarms.handler(self.actor, found)  # type: ignore[no-any-return]
        return found

    def _relaxed(self, kind: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        """Return a handler that takes what the event brings, however few parameters it has."""
        count = positions(handler)
        if kind == "fetch" and count > 1:  # there they are: fetch(request, env, ctx)
            namespace = self.actor.namespace
            env = self.runtime.env if namespace.env is None else namespace.env
            return lambda request: relaxed_call(handler, request, env, self.ctx)
        if count < _ARGUMENTS.get(kind, 0):
            return lambda *args: handler(*args[:count])
        return handler

    # ------------------------------------------------------------------ being a home of stubs

    def invoke_on(
        self,
        target: object,
        path: tuple[str, ...],
        args: tuple[Any, ...] | None,
        kwargs: dict[str, Any] | None,
    ) -> Any:
        """Call a function or target of this object, as an event of it."""
        if self.dead is not None:
            return self.refuse(PlatformError(HOME_GONE))
        frame, post = current_frame.get(), self.runtime.post
        call = Call(self.actor, "rpc", path, args, kwargs, target=target)
        if frame is not None:
            call.caller = frame.instance
        place = post.outside if frame is None else frame.instance
        return post.send(call, home=self, place=place)

    def refuse(self, error: BaseException) -> Any:
        """Return a promise that fails."""
        return Rejected(error)

    def convey(self, stream: ReadableStream) -> ReadableStream:
        """Return a stream of this object's as the other side gets it."""
        return conveyed(stream, self, self.runtime)

    def carry(self, value: object) -> Any:
        """Return a value as the other side receives it."""
        return carry(value, self)
