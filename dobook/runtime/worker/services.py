"""A binding of another Worker: `fetch` it, or call its methods.

Source: developers.cloudflare.com/workers/runtime-apis/bindings/service-bindings/
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dobook.codec import clone
from dobook.errors import UsageError
from dobook.runtime.calls.aborting import heeding
from dobook.runtime.calls.post import giver
from dobook.runtime.calls.promise import Promise, Rejected
from dobook.runtime.calls.remote_stream import send_body
from dobook.runtime.calls.rpc import Crossing, Member, carry, member
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.worker.worker import error_of
from dobook.web import Request, Response

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel
    from dobook.runtime.worker.worker import Worker


class Fetcher:
    """A client of a Worker, or of one of its entrypoints.

    Args:
        runtime: The runtime both run in.
        service: The Worker's name. It is looked up when it is used, so that Workers can be bound
            to each other.
        entrypoint: The class that answers; None for the default one.
        props: What `ctx.props` of the one that answers is a copy of; None for nothing.
    """

    def __init__(
        self,
        runtime: "Kernel",
        service: str,
        entrypoint: str | None = None,
        *,
        props: Mapping[str, Any] | None = None,
    ) -> None:
        self._runtime = runtime
        self._props = props
        self._service = service
        self._entrypoint = entrypoint

    def fetch(self, input: Any, init: Any = None, **options: Any) -> Promise:  # noqa: A002
        """Send the Worker a request; awaiting raises what its handler raised."""
        try:
            request = Request._for_delivery(
                input, {**(init or {}), **options} if init or options else None
            )
            send_body(request, self._runtime)
            worker, entrypoint = self._asked()
        except Exception as error:
            return Rejected(error)

        async def answer() -> Response:
            response = await worker.respond(request, entrypoint, self._given())
            error = error_of(response)
            if error is not None:
                raise error
            return response

        return heeding(request, lambda: self._sent(answer))

    def scheduled(self, options: Any = None, **given: Any) -> Promise:
        """Run the Worker's scheduled handler; returns a promise of `{"outcome": "ok"}`."""
        from dobook.codec import JsDict

        given = {**(options or {}), **given}
        try:
            worker, _ = self._asked()
        except Exception as error:
            return Rejected(error)

        async def run() -> JsDict:
            await worker.scheduled(given.get("cron", ""), given.get("scheduledTime"))
            return JsDict(outcome="ok", noRetry=False)

        return self._sent(run)

    def __getattr__(self, name: str) -> Member:
        return member(self, (name,))

    def _invoke(
        self, path: tuple[str, ...], args: tuple[Any, ...] | None, kwargs: dict[str, Any] | None
    ) -> Promise:
        home = giver(self._runtime)
        lent = Crossing()
        try:
            worker, entrypoint = self._asked()
            if args is not None:
                args = tuple(carry(value, home, lent) for value in args)
                kwargs = {name: carry(value, home, lent) for name, value in (kwargs or {}).items()}
        except Exception as error:
            return Rejected(error)

        async def call() -> Any:
            try:
                return await worker.call(entrypoint, path, args, kwargs, self._given())
            finally:
                lent.end_of_call()

        return self._sent(call)

    def _sent(self, begin: Any) -> Promise:
        """Return a promise of what a coroutine gives that begins after the caller's writes."""
        runtime = self._runtime
        frame = current_frame.get()
        commit = None if frame is None else frame.instance.output_gate.commit
        durable: asyncio.Future[None] = runtime.loop.create_future()
        if commit is None:
            durable.set_result(None)
        else:
            commit.leaves = True
            commit.waiters.append(lambda: durable.set_result(None))

        async def after() -> Any:
            await durable
            runtime.stores.leave()
            return await begin()

        promise: Promise = runtime.post.promise_of(after())
        return promise

    def _given(self) -> Any:
        """Return what the entrypoint's `ctx.props` is; None for nothing."""
        return None if self._props is None else clone(dict(self._props))

    def _asked(self) -> "tuple[Worker, str | None]":
        """Return the Worker that answers, and what it calls the entrypoint.

        Raises:
            UsageError: If no such Worker runs here.
        """
        workers = self._runtime.workers
        if self._service not in workers:
            raise UsageError(
                f"there is no Worker named {self._service!r} in this runtime. Run its project "
                "along: dobook run PATH OTHER_PATH"
            )
        return workers[self._service], self._entrypoint

    def _carried_(self, _home: object, _receiver: object) -> "Fetcher":
        return Fetcher(self._runtime, self._service, self._entrypoint, props=self._props)

    def __repr__(self) -> str:
        entry = "" if self._entrypoint is None else f".{self._entrypoint}"
        return f"<service {self._service}{entry}>"
