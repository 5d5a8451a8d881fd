"""The promise of a call's answer, which the caller holds.

Source: developers.cloudflare.com/workers/runtime-apis/rpc/ (promise pipelining)
"""

import sys
from asyncio import CancelledError
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import PlatformTypeError
from dobook.runtime.aborts import INTERRUPTED, Interrupted
from dobook.runtime.calls.promise import Promise
from dobook.runtime.calls.rpc import Member, RpcStub, find, member, not_callable
from dobook.runtime.loop.asyncio_names import get_running_loop
from dobook.runtime.loop.own_tasks import others_first
from dobook.runtime.reports.portable import remark_if_called

if TYPE_CHECKING:
    from dobook.runtime.protocols import Call, Kernel


class RpcPromise(Promise):
    """The promise of a call's answer: await it, or call a method of the result to come.

    Members of the promise are members of the result (`await stub.counter(3).increment()`).
    Awaiting works in an object, in `runtime.run(...)`, in a notebook cell and on any asyncio loop.
    """

    __slots__ = ("_call",)

    def __init__(self, call: "Call") -> None:
        self._call = call

    def __await__(self) -> Generator[Any, None, Any]:
        call = self._call
        if call.done:
            self._heard()
            if (others := others_first()) is not None:
                yield from others
        else:
            runtime = call.actor.runtime
            if get_running_loop() is runtime.loop:
                try:
                    yield from call.waiter()
                except CancelledError as error:
                    if error.args == (INTERRUPTED,):
                        call.interrupt(Interrupted())
                    raise
            else:
                call.elsewhere = True
                yield from runtime.driver.wait_elsewhere(call)
        if call.error is not None:
            raise call.error
        return call.value

    def _heard(self) -> None:
        call = self._call
        if call.refusal is not None:
            call.refusal.heard = True
        elif call.future is not None:
            remark_if_called(
                "a call is awaited a second time: it gives a coroutine in Cloudflare's Python SDK, "
                "which can be awaited once (RuntimeError). Keep the value: value = await …",
                depth=3,
            )

    def _call_in_words_(self) -> str:
        return f"stub.{'.'.join(self._call.path) or self._call.kind}(…)"

    def _hand_over(self) -> None:
        if self._call.refusal is not None:
            self._call.refusal.heard = True
        elif not self._call.done:
            self._call.waiter()

    def __getattr__(self, name: str) -> Member:
        found = member(_Pipeline(self), (name,))
        remark_if_called(
            f"the member {name} of a call that is not awaited: a call gives a coroutine in "
            f"Cloudflare's Python SDK, which has no attributes (AttributeError). Await each step: "
            f"(await stub.{'.'.join(self._call.path)}(…)).{name}"
        )
        return found

    def __repr__(self) -> str:
        call = self._call
        state = "pending" if not call.done else "failed" if call.error else "done"
        return f"<promise of {call.get_name()}, {state}>"


class _Reporting(RpcPromise):
    """The promise of a call that no object has made: reports a failure when it is dropped.

    The call may outlive it: since Python 3.12 the traceback of its error leads back to it.
    """

    __slots__ = ()

    def __del__(self) -> None:  # for each call, so no more than it needs
        call = self._call
        call.dropped = True
        if call.refusal is not None:
            call.report_dropped()


# Before Python 3.12 a call is freed with its promise, and an error that nobody asked for is
# # reported then.
OutsidePromise: Final[type[RpcPromise]] = _Reporting if sys.version_info >= (3, 12) else RpcPromise


def promise_for(call: "Call") -> RpcPromise:
    """Return the promise of a call that has been queued."""
    return OutsidePromise(call) if call.home is None else RpcPromise(call)


class _Pipeline:
    """Members of a result that does not exist yet."""

    def __init__(self, promise: RpcPromise) -> None:
        self._promise = promise

    def _invoke(
        self, path: tuple[str, ...], args: tuple[Any, ...] | None, kwargs: dict[str, Any] | None
    ) -> RpcPromise:
        runtime: Kernel = self._promise._call.actor.runtime

        async def follow() -> Any:
            base = await self._promise
            if isinstance(base, RpcStub):
                return await base._invoke(path, args, kwargs)
            try:
                at = base
                for depth, name in enumerate(path):
                    if isinstance(at, RpcStub):
                        return await at._invoke(path[depth:], args, kwargs)
                    at = find(at, (name,), root=False, of=path[depth - 1] if depth else "")
                if args is None:
                    return at
                if isinstance(at, RpcStub):
                    return await at(*args, **(kwargs or {}))
                raise not_callable(path)
            except PlatformTypeError as error:
                error.remote = True  # type: ignore[attr-defined]
                raise

        promise: RpcPromise = runtime.post.promise_of(follow(), self._promise._call.actor)
        return promise

    def __repr__(self) -> str:
        return repr(self._promise)
