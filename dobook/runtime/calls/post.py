"""The queue of calls: copied arguments, the caller's output gate, delivery on the next tick.

Source: cloudflare/workerd src/workerd/api/actor.c++, src/workerd/api/worker-rpc.c++
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from dobook.errors import PlatformError
from dobook.events import Held, Sent
from dobook.ownership import current_owner
from dobook.runtime.aborts import HOME_GONE
from dobook.runtime.calls.answer import OutsidePromise, RpcPromise, promise_for
from dobook.runtime.calls.call import Call
from dobook.runtime.calls.promise import Pending, Promise, Rejected
from dobook.runtime.calls.remote_stream import conveyed
from dobook.runtime.calls.rpc import PLAIN, SMALL, Crossing, carry
from dobook.runtime.calls.weight import check_weight
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.loop.livelock import link, too_deep
from dobook.runtime.loop.loop import running_loop
from dobook.web import ReadableStream

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Home, Instance, Kernel
    from dobook.runtime.protocols import Call as AnyCall


class Outside:
    """The home of functions that come from outside any object, a notebook cell for instance."""

    def __init__(self, runtime: "Kernel") -> None:
        self._runtime = runtime

    def invoke_on(
        self,
        target: Any,
        path: tuple[str, ...],
        args: tuple[Any, ...] | None,
        kwargs: dict[str, Any] | None,
    ) -> Promise:
        """Call a function that lives outside, on the runtime's loop."""
        lent = Crossing()
        try:
            home = giver(self._runtime)
            sent = None if args is None else [carry(value, home, lent) for value in args]
            named = {name: carry(value, home, lent) for name, value in (kwargs or {}).items()}
        except Exception as error:
            return Rejected(error)

        receiver = current_owner.get()

        async def call() -> Any:
            given = Crossing(receiver)
            try:
                self._runtime.stores.leave()
                at = target
                for name in path:
                    at = getattr(at, name)
                if sent is None:
                    return carry(at, self, given)
                result = at(*sent, **named)
                if hasattr(type(result), "__await__"):
                    result = await result
                return carry(result, self, given)
            finally:
                lent.end_of_call()
                given.returned()

        return Pending(self._runtime.loop.create_task(call(), context=self._runtime.context))

    def refuse(self, error: BaseException) -> Promise:
        """Return a promise that fails."""
        return Rejected(error)

    def convey(self, stream: ReadableStream) -> ReadableStream:
        """Return a stream from outside as an object gets it."""
        return conveyed(stream, None, self._runtime)


def giver(runtime: "Kernel") -> "Home":
    """Return the home of the functions and targets that the running code passes to others."""
    frame = current_frame.get()
    return runtime.post.outside if frame is None else frame.instance


class PostOffice:
    """Queues calls and delivers them to the objects of a runtime."""

    def __init__(self, runtime: "Kernel") -> None:
        self._runtime = runtime
        self._mail: deque[AnyCall] = deque()
        self._scheduled = False
        self._kind = ""  # of the first call in the mail
        self._mixed = False  # whether there are calls of another kind too
        self._loop = runtime.loop
        self._held = runtime.driver.held
        self._observers = runtime.observers
        self._callers: dict[str, int] = {}  # by the name of a task
        self.outside = Outside(runtime)
        self._kept: set[asyncio.Future[Any]] = set()

    def send(
        self, call: "AnyCall", *, home: "Instance | None", place: "Home | None" = None
    ) -> Promise:
        """Copy a call's arguments and queue it.

        Args:
            call: The call.
            home: The object that calls, None from outside.
            place: Where functions and targets among the arguments live; None for with the caller.
        """
        args = call.args
        if args or call.kwargs:
            if place is None:
                place = self.outside if home is None else home
            try:
                if args:
                    args = tuple(
                        [a if type(a) in PLAIN else carry(a, place, call.lend()) for a in args]
                    )
                    call.args = args
                    if len(args) > 1 or type(args[0]) not in SMALL:
                        check_weight(args)
                if call.kwargs:
                    call.kwargs = {k: carry(v, place, call.lend()) for k, v in call.kwargs.items()}
            except Exception as error:
                return Rejected(error)
        self.post(call, home)
        return OutsidePromise(call) if home is None else RpcPromise(call)

    def post(self, call: "AnyCall", home: "Instance | None") -> None:
        """Queue a call for the first tick after the caller's writes are durable."""
        if not self._loop.virtual:
            if not self._held.here:
                self._post_from_elsewhere(call)
                return
            if home is None:
                self._runtime.driver.interrupts.note(call)
        if home is not None:
            call.home = home
            if not self._may_go(call, home):
                return
            if (commit := home.output_gate.commit) is not None:
                if self._observers.detailed:
                    call.sent = self._observers.emit(
                        Held, home.actor.label, 0, "output gate", to=call.actor.label
                    )
                commit.waiters.append(lambda: self._send_unless_dead(call, home))
                return
        else:
            self._loop.ticks_here = 0
        if self._observers.detailed:
            self._report_sent(call, home)
        self._mail.append(call)
        if not self._scheduled:
            self._kind = call.kind
            self._runtime.loop.call_soon(self._deliver)
            # Last: if an exception comes in the lines above, the next call schedules the delivery.
            self._scheduled = True
        elif call.kind != self._kind:
            self._mixed = True

    def _may_go(self, call: "AnyCall", home: "Instance") -> bool:
        """Return whether an object may send a call; False if it is too deep, and has failed.

        Raises:
            DurableObjectAbort: If objects call each other for ever at one instant.
        """
        # A function that was lent is called in the session that it came with.
        deeper = call.target is None
        chain = call.chain = link(self._loop, home, "makes calls that make others", deeper=deeper)
        if deeper and not self._runtime.stores.unsafe_limits:
            error = too_deep(chain)
            if error is not None:
                call.settle(None, error)
                return False
        return True

    def _post_from_elsewhere(self, call: "AnyCall") -> None:
        """Queue a call from a thread that does not run the loop."""
        with self._held:
            self.post(call, None)

    def _report_sent(self, call: "AnyCall", home: "Instance | None") -> None:
        what = call.args[0].method if call.kind == "fetch" and call.args else ".".join(call.path)
        label = self._caller() if home is None else home.actor.label
        call.sent = self._observers.emit(Sent, label, call.sent, call.actor.label, what)

    def _caller(self) -> str:
        """Return the name of a caller outside of objects: a task's, if it has one."""
        loop = running_loop()
        task = None if loop is None else asyncio.current_task(loop)
        if task is None:
            return "outside"
        name = task.get_name()
        if not re.fullmatch(r"Task-\d+", name):
            return name
        if loop is not self._runtime.loop:
            return "outside"  # a notebook's cell: its task's name says nothing
        number = self._callers.setdefault(name, len(self._callers) + 1)
        return f"caller {number}"

    def _send_unless_dead(self, call: "AnyCall", home: "Instance") -> None:
        if home.dead is None:
            if not call.done:  # it may have been given up meanwhile
                self.post(call, home)
        else:
            # The object's writes were lost, so it never made this call. Its function is gone too.
            call.settle(None, home.dead if call.target is None else PlatformError(HOME_GONE))

    def _deliver(self) -> None:
        self._runtime.wire.deliver_first()
        mail = self._mail
        order = self._runtime.loop.order
        due = len(mail) if order is None else order.deliverable(mail, _lane)
        if self._mixed:
            self._fetches_first(due)
        try:
            while due and mail:
                due -= 1
                call = mail.popleft()
                try:
                    call.actor.deliver(call)
                except BaseException as error:  # nobody else would know of it
                    if call.instance is None:
                        call.settle(None, error)
                    raise
        finally:
            if mail:
                self._runtime.loop.call_soon(self._deliver)
            else:
                self._scheduled = False

    def mend(self) -> None:
        """Schedule the queued calls again after an exception has ended their delivery."""
        self._mixed = True
        self._scheduled = bool(self._mail)
        if self._mail:
            self._loop.call_soon(self._deliver)

    @property
    def busy(self) -> bool:
        """Whether calls have not been delivered yet."""
        return bool(self._mail)

    def _fetches_first(self, due: int) -> None:
        """Put the fetches among the next calls before the others: a method call takes longer.

        Not those to an object that a method call reaches first: they queue behind it.
        Source: observed in workerd, where a method call opens a session before it is delivered.
        """
        now = [self._mail.popleft() for _ in range(due)]
        self._mixed = bool(self._mail)
        first: dict[Actor, str] = {}
        for call in now:
            first.setdefault(call.actor, call.kind)
        now.sort(key=lambda call: call.kind != "fetch" or first[call.actor] == "rpc")
        self._mail.extendleft(reversed(now))

    def drop(
        self, error: BaseException, which: "Callable[[AnyCall], bool]" = lambda _call: True
    ) -> None:
        """Fail those of the calls that have not been delivered yet of which `which` is true."""
        calls = list(self._mail)
        self._mail.clear()
        self._mail += [call for call in calls if not which(call)]
        # An interrupt may have come between the posting of a call and the next line.
        self._scheduled = bool(self._mail)
        if self._scheduled:
            self._loop.call_soon(self._deliver)
        for call in calls:
            if which(call):
                call.settle(None, error)

    def give_up(self, call: "AnyCall", error: BaseException) -> None:
        """Fail a call that nobody waits for any more.

        It is not delivered if it has not been. Code of an object that has begun runs on; work of
        the runtime, such as a request to elsewhere, ends.
        """
        with self._held:
            if call in self._mail:
                self._mail.remove(call)
            call.settle(None, error)
            if call.kind == "internal" and call.task is not None:
                call.task.cancel()

    def promise_of(
        self, work: Coroutine[Any, Any, Any], actor: "Actor | None" = None
    ) -> RpcPromise:
        """Return a promise of a coroutine that the runtime itself runs."""
        runtime = self._runtime
        call = Call(actor or self._nobody(), "internal", (), ())
        with self._held:
            if not self._loop.virtual:
                runtime.driver.interrupts.note(call)
            task = call.task = runtime.loop.create_task(work, context=runtime.context.copy())

        def over(done: "asyncio.Task[Any]") -> None:
            if done.cancelled():
                call.settle(None, asyncio.CancelledError())
            else:
                error = done.exception()
                call.settle(None if error is not None else done.result(), error)

        task.add_done_callback(over)
        return promise_for(call)

    def keep(self, work: "asyncio.Future[Any]") -> None:
        """Hold on to background work, which the loop itself would not."""
        self._kept.add(work)
        work.add_done_callback(self._kept.discard)

    def _nobody(self) -> Any:
        return _Nobody(self._runtime)


def _lane(call: "AnyCall") -> int:
    """Return what the order of calls is kept for: a stub, a function, a promise."""
    return id(call.actor if call.stub is None and call.target is None else call.stub or call.target)


class _Nobody:
    """Stands for the object of a promise that belongs to no object."""

    label = "worker"

    def __init__(self, runtime: "Kernel") -> None:
        self.runtime = runtime
