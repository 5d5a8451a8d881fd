"""One event on its way through an object: a fetch, a method call, an alarm, a socket's message.

A `Call` is made when the caller calls, delivered on the loop's next tick, admitted by the object's
input gate, run, and answered through its output gate. Its first turn runs by hand, without a task
of its own: most handlers that only use storage need no second turn, and that is the fast path.
When a handler does wait, the rest of it becomes a task.

The caller holds an `RpcPromise`. Source: cloudflare/workerd src/workerd/io/worker-entrypoint.c++
"""

import asyncio
import functools
import sys
from asyncio import tasks
from collections.abc import Callable, Coroutine
from contextvars import Context
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from dobook.codec.refusal import returned
from dobook.errors import PlatformError
from dobook.events import Admitted, Held
from dobook.observer import current_cause
from dobook.ownership import current_owner
from dobook.runtime.aborts import INTERRUPTED
from dobook.runtime.calls.delivery import deliver_response
from dobook.runtime.calls.rpc import (
    PLAIN,
    SMALL,
    Crossing,
    carry,
    carry_error,
    find,
    not_callable,
)
from dobook.runtime.calls.weight import check_weight
from dobook.runtime.loop.asyncio_names import enter_task, leave_task
from dobook.runtime.loop.frame import EXTERNAL
from dobook.runtime.loop.turns import (
    DONE,
    NOT_DONE,
    ObjectTask,
    began_to_wait,
    resume,
    stop_code,
)
from dobook.runtime.loop_base import Chain
from dobook.runtime.reports.unheard import Refusal, is_awaited, note_later, note_unsent
from dobook.web.request import RedirectError, Request

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Instance


# How many ticks of the loop a response takes while there is work in the background: longer than a few
# critical sections. In the engine it passes through several event loops. Source: observed in workerd
FETCH_TICKS: Final = 26


class Call:
    """One event of one object, and the answer to it.

    While its first turn runs, the call is asyncio's current task; it forwards what is done to it
    (`cancel`, `cancelling`, `uncancel`, `done`) to the task that the rest of the handler becomes.
    """

    # Most calls never have these; a default of the class costs nothing.
    instance: "Instance | None" = None
    task: "asyncio.Task[Any] | None" = None
    # A handler that does not end in its first turn becomes a task: its remaining coroutine, and
    # what that waited for at the time.
    rest: Coroutine[Any, Any, Any] | None = None
    yielded: Any = None
    inside = False  # only the runtime itself waits for the end of the call
    done = NOT_DONE
    value: Any = None
    error: BaseException | None = None
    on_done: "Callable[[Any], object] | None" = None
    via: tuple[str, ...] = ()  # the URLs that have redirected to this one
    seq = 0  # the number of the trace's event of its delivery
    sent = 0  # the number of the trace's event of its sending
    waited = False  # it had to wait at the input gate
    is_over = False  # its handler has ended, and the task that ran it not yet
    home: "Instance | None" = None  # the calling object; for a function, the object it lives in
    caller: "Instance | None" = None  # the object that calls a function
    chain: Chain | None = None  # what led to it
    lent: Crossing | None = None  # the stubs among its arguments
    given: Crossing | None = None  # the stubs in its result
    refusal: Refusal | None = None  # its failure, if nobody has awaited the call before that
    dropped = False  # nobody can await it any more
    detour: "Callable[[Any, BaseException | None], None] | None" = None  # of a planned fault
    elsewhere = False  # somebody waits for it on another loop
    future: "asyncio.Future[None] | None" = None  # done when the call is

    def __init__(
        self,
        actor: "Actor",
        kind: str,
        path: tuple[str, ...],
        args: tuple[Any, ...] | None,
        kwargs: dict[str, Any] | None = None,
        target: Any = None,
        stub: Any = None,
    ) -> None:
        self.actor = actor
        self.kind = kind
        self.path = path
        self.args = args
        self.kwargs = kwargs
        self.target = target
        self.stub = stub

    # ------------------------------------------------------------------ running

    def start(self) -> None:
        """Run the first turn; the gate has admitted the event."""
        instance = self.instance
        if self.done or instance is None:
            return
        store = instance.actor.store
        if store.dirty:
            store.marked = True
        runtime = instance.runtime
        loop = runtime.loop
        context = instance.kept_context
        if context is None or instance.kept_generation != runtime.generation:
            context = instance.context()
        if self.seq:
            context = self._report_start(context)
        try:
            try:
                enter_task(loop, self)
                waits, result = context.run(self._first_turn)
            finally:
                leave_task(loop, self)
        except BaseException as error:
            current: Any = tasks.current_task(loop)
            if current is self:  # broken off just before it was left
                leave_task(loop, self)
            runtime.driver.interrupts.left(instance, error, self)
            self.fail(error)
            return
        if waits is None:
            self.finish(result)
        else:
            self._go_on(waits, result, context)

    def _report_start(self, context: Context) -> Context:
        assert self.instance is not None
        if self.waited:
            self.instance.runtime.observers.emit(Admitted, self.actor.label, self.seq)
        context = context.copy()
        context.run(current_cause.set, self.seq)
        return context

    def _first_turn(self) -> tuple[Coroutine[Any, Any, Any] | None, Any]:
        value = self._invoke()
        if type(value) is not CoroutineType:
            if not hasattr(type(value), "__await__"):
                return None, value
            value = _awaiting(value)
        try:
            yielded = value.send(None)
        except StopIteration as stop:
            return None, stop.value
        return value, yielded

    def _invoke(self) -> Any:
        instance = self.instance
        assert instance is not None
        kind = self.kind
        if kind == "rpc":
            target = instance.object if self.target is None else self.target
            path = self.path
            if self.target is None and len(path) == 1:
                method = instance.method(path[0])
            else:
                method = find(target, path, root=self.target is None)
            args = self.args
            if args is None:
                return method  # a property, already read
            if not callable(method):
                raise not_callable(path)
            return method(*args, **self.kwargs) if self.kwargs else method(*args)
        assert self.args is not None
        return instance.handler(kind)(*self.args)

    def _go_on(self, coro: Coroutine[Any, Any, Any], yielded: object, context: Context) -> None:
        instance = self.instance
        assert instance is not None
        loop = instance.runtime.loop
        faults = self.actor.faults
        if faults is not None and began_to_wait(faults, instance, yielded):
            stop_code(coro, yielded)
            return
        # A response goes through another layer of the platform: the next event comes before it.
        over = self._over if self.kind == "rpc" else None
        code = resume(loop, instance, coro, yielded, over=over)
        task = ObjectTask(code, loop=loop, context=context)
        self.task = task
        task.chain = self.chain
        self.rest, self.yielded = coro, yielded
        instance.adopt(task)
        task.add_done_callback(self._task_done)

    def _over(self, stop: BaseException) -> None:
        if self.actor.store.output_gate.commit is not None:
            return  # the next event comes before the answer
        if isinstance(stop, StopIteration):
            self.finish(stop.value)
        elif isinstance(stop, Exception):
            self.fail(stop)
        else:
            return
        self.is_over = True

    def _task_done(self, task: "asyncio.Task[Any]") -> None:
        yielded, self.yielded = self.yielded, None
        if self.is_over:
            if not task.cancelled():
                task.exception()  # it has been passed on
            return
        if task.cancelled():
            if self.rest is not None:
                # Cancelled at its start, the task has not come to it, nor to what it waits for.
                stop_code(self.rest, yielded)
            self.fail(asyncio.CancelledError("the handler was cancelled"))
            return
        error = task.exception()
        if error is None:
            self.finish(task.result())
        else:
            self.fail(error)

    def follow(self, onward: Request) -> None:
        """Send the request that a redirect leads to; what answers it is the answer to this one."""
        assert self.args is not None
        following = Call(self.actor, "fetch", (), (onward,), stub=self.stub)
        following.home = self.home
        following.via = (*self.via, self.args[0].url)
        following.on_done = lambda done: self.settle(done.value, done.error)
        self.actor.runtime.post.post(following, None)

    def lend(self) -> Crossing:
        """Return where the stubs among the arguments are noted."""
        if self.lent is None:
            self.lent = Crossing(self.actor)
        return self.lent

    # ------------------------------------------------------------------ answering

    def finish(self, value: object) -> None:
        """Answer with a value, as soon as the writes before it are durable."""
        if self.done:
            return
        instance = self.instance
        assert instance is not None
        try:
            if self.kind == "rpc":
                if type(value) not in PLAIN:
                    if hasattr(type(value), "__await__"):
                        raise returned(value, ".".join(self.path))
                    to = self.home if self.target is None else self.caller
                    self.given = Crossing(None if to is None else to.actor)
                    running = current_owner.set(self.actor)  # this may run in the caller's context
                    try:
                        value = carry(value, instance, self.given)
                    finally:
                        current_owner.reset(running)
                if type(value) not in SMALL:
                    check_weight((value,))
            elif self.kind == "fetch":
                value = deliver_response(self, value)
                if value is None:
                    return  # a redirect is being followed
        except RedirectError as error:  # it is the caller's side that follows redirects
            self._say(functools.partial(self.settle, None, error))
            return
        except BaseException as error:
            self.fail(error)
            return
        if self.lent is not None:
            self.lent.end_of_call()
        commit = instance.output_gate.commit
        if self.seq or instance.background:
            self._say(functools.partial(self.settle, value, None))
        elif commit is None:
            self.settle(value, None)
        else:  # what `_say` would do
            commit.leaves = commit.leaves or self._leaves
            commit.waiters.append(functools.partial(self.settle, value, None))

    def fail(self, error: BaseException) -> None:
        """Answer with an error of the object's own code."""
        if self.done:
            return
        if self.lent is not None:
            self.lent.end_of_call()
        instance = self.instance
        if instance is not None and instance.dead is not None:
            self.reject(instance.dead)
            return
        carried = carry_error(error, remote=True)
        self._say(functools.partial(self.settle, None, carried))

    def _say(self, speak: Callable[[], None]) -> None:
        """Send an answer through the object's output gate."""
        commit = self.actor.store.output_gate.commit
        instance = self.instance
        if instance is not None and instance.background and (commit or self.kind == "fetch"):
            # Work in the background that needs no more than its own turns continues first. If it
            # aborts the object, the answer is lost; what has been written stays.
            instance.answer_begins(confirmed=commit is not None)
            speak = functools.partial(self._say_at_last, speak)
            if self.kind == "fetch":
                speak = functools.partial(self._say_later, speak, FETCH_TICKS)
            if commit is not None:
                commit.lingers = True
        if commit is None:
            speak()
            return
        if self.seq:
            observers = self.actor.runtime.observers
            if observers.detailed:
                observers.emit(Held, self.actor.label, self.seq, "output gate")
        commit.leaves = commit.leaves or self._leaves
        commit.waiters.append(speak)

    def _say_later(self, speak: Callable[[], None], ticks: int) -> None:
        if ticks:
            self.actor.runtime.loop.call_soon(self._say_later, speak, ticks - 1)
        else:
            speak()

    def _say_at_last(self, speak: Callable[[], None]) -> None:
        assert self.instance is not None
        self.instance.answer_given()
        speak()

    @property
    def _leaves(self) -> bool:
        """Whether the answer may be heard outside of objects."""
        return not self.inside and (self.home is None or self.target is not None)

    def reject(self, error: BaseException) -> None:
        """Fail because the object is gone, not because its code raised."""
        if self.stub is not None:
            self.stub.break_with(carry_error(error, remote=False))
        self.settle(None, carry_error(error, remote=self.kind == "fetch"))

    def interrupt(self, error: BaseException) -> None:
        """End because the user wants it, as cancelled, and what was called in turn as well."""
        if self.task is None:
            self.settle(None, error)
        else:
            self.task.cancel(INTERRUPTED)

    def settle(self, value: object, error: BaseException | None) -> None:
        """Pass the outcome to the caller, or to what is to delay or replace it on the way."""
        if self.done:
            return
        if self.detour is not None:
            self.detour(value, error)
            return
        stores = self.actor.runtime.stores
        if stores.committer.behind and self._leaves:
            try:
                stores.leave()
            except PlatformError as lost:
                value, error = None, lost
            if self.done:
                return
        self.value = value
        self.error = error
        self.done = DONE
        if self.given is not None and error is None:
            self.given.returned()
        if self.future is None and (error is not None or self.kind == "fetch"):
            self.refusal = self._unawaited(error)
        # Whatever fails on the way, nobody may wait for this call for ever.
        try:
            instance = self.instance
            if instance is not None:
                calls = instance.calls
                calls.pop(self, None)
                if not calls and not instance.tasks:
                    instance.maybe_idle()
        finally:
            try:
                if self.on_done is not None:
                    self.on_done(self)
            finally:
                future = self.future
                if future is not None and not future.done():
                    future.set_result(None)

    def _unawaited(self, error: BaseException | None) -> Refusal | None:
        if is_awaited(self):
            return None
        if error is not None:
            refusal = note_later(self.actor.runtime, self.home, self._named(), error)
            if refusal is not None and self.dropped:
                refusal.report()
            return refusal
        return None if self.home is None else note_unsent(self.home, self._named())

    def report_dropped(self) -> None:
        """Report the call's failure now that nobody can await it any more."""
        if self.refusal is not None and not sys.is_finalizing():
            self.refusal.report()

    def _named(self) -> str:
        path = ".".join(self.path) if self.kind == "rpc" else self.kind
        return f"a call of {self.actor.label}.{path}()"

    def waiter(self) -> "asyncio.Future[None]":
        """Return a future of the runtime's loop that is done when the call is."""
        future = self.future
        if future is None or future.cancelled():
            future = self.future = asyncio.Future(loop=self.actor.runtime.loop)
            if self.home is not None:
                setattr(future, EXTERNAL, True)
            if self.done:
                future.set_result(None)
        return future

    # ------------------------------------------------------------------ asyncio's current task

    def cancel(self, msg: object = None) -> bool:
        """Cancel the handler."""
        return self.task.cancel(msg) if self.task is not None else False

    def cancelling(self) -> int:
        """Return how many cancellations are pending."""
        return self.task.cancelling() if self.task is not None else 0

    def uncancel(self) -> int:
        """Take one cancellation back."""
        return self.task.uncancel() if self.task is not None else 0

    def get_loop(self) -> Any:
        """Return the loop the handler runs on."""
        return self.actor.runtime.loop

    def get_name(self) -> str:
        """Return a name for logs."""
        return f"{self.actor.label} {self.kind} {'.'.join(self.path)}".rstrip()


async def _awaiting(awaitable: Any) -> Any:
    return await awaitable
