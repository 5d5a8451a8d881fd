"""The Worker in front of the objects: answers requests from outside, has no storage of its own.

Source: developers.cloudflare.com/workers/runtime-apis/handlers/fetch/
"""

import asyncio
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dobook.errors import PlatformError, UsageError
from dobook.observer import current_cause
from dobook.runtime.promise import Promise, Rejected
from dobook.web import Request, Response

if TYPE_CHECKING:
    from dobook.runtime.runtime import Runtime


class ExecutionContext:
    """The `ctx` of a Worker: `waitUntil` keeps background work going after the answer."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self.props: dict[str, Any] = {}

    def waitUntil(self, promise: Any) -> None:
        """Go on with a piece of work after the answer."""
        self._runtime.post.keep(asyncio.ensure_future(promise, loop=self._runtime.loop))

    def passThroughOnException(self) -> None:
        """Do nothing: there is no origin server behind a Worker here."""


class FailedResponse(Response):
    """The response to a request whose Worker raised; `error` is the exception."""

    __slots__ = ("error",)

    def __init__(self, text: str, error: Exception) -> None:
        super().__init__(text, status=500, status_text="Internal Server Error")
        self.error = error


class Worker:
    """The entry Worker of a runtime.

    Args:
        runtime: The runtime whose `env` it gets.
        entry: A class that takes `(ctx, env)` and has `fetch`, or a function `on_fetch`.
    """

    def __init__(self, runtime: "Runtime", entry: Any) -> None:
        if not callable(entry):
            raise UsageError(f"a Worker is a class or a function, not {entry!r:.80}")
        self.entry = entry
        self._runtime = runtime

    def fetch(self, input: Any, init: Any = None, **options: Any) -> Promise:  # noqa: A002
        """Send the Worker a request, as from outside.

        Returns:
            A promise of the Response; what the Worker raises becomes a response with status 500,
            whose `error` attribute is the exception.
        """
        try:
            request = Request._for_delivery(input, {**(init or {}), **options} or None)
        except Exception as error:
            return Rejected(error)
        return self._runtime.post.promise_of(self._answer(request))

    def answer(
        self, request: Request, answered: Callable[[Response | None, BaseException | None], None]
    ) -> None:
        """Handle a request that belongs to nobody else, and call `answered` with the response."""
        runtime = self._runtime
        task = runtime.loop.create_task(self._answer(request), context=runtime.context.copy())

        def over(done: "asyncio.Task[Response]") -> None:
            if done.cancelled():
                answered(None, asyncio.CancelledError())
            else:
                error = done.exception()
                answered(None if error is not None else done.result(), error)

        task.add_done_callback(over)

    async def _answer(self, request: Request) -> Response:
        observers = self._runtime.observers
        if observers.detailed and (task := asyncio.current_task()) is not None:
            task.set_name("worker")  # what the trace calls it
        seq = observers.emit("worker", "fetch", method=request.method, url=request.url)
        if observers.detailed:
            current_cause.set(seq)
        response = await self._response(request)
        error = getattr(response, "error", None)
        text = "" if error is None else f"{type(error).__name__}: {error}"
        observers.emit("worker", "answer", cause=seq, status=response.status, error=text)
        return response

    async def _response(self, request: Request) -> Response:
        runtime = self._runtime
        try:
            result = self._handle(request)
            if hasattr(type(result), "__await__"):
                result = await result
            if not isinstance(result, Response):
                raise PlatformError(
                    "Incorrect type for Promise: the Promise did not resolve to 'Response'."
                )
            delivered = result._delivered(request.url, head=request.method == "HEAD")
            if delivered._web_socket is not None:
                delivered._web_socket = delivered._web_socket._coupled(request)
            return delivered
        except Exception as error:
            text = "".join(traceback.format_exception_only(error)).strip()
            runtime.observers.emit("worker", "error", where="fetch", error=text)
            return FailedResponse(f"Worker threw exception: {text}\n", error)

    def _handle(self, request: Request) -> Any:
        ctx = ExecutionContext(self._runtime)
        env = self._runtime.env
        entry = self.entry
        if isinstance(entry, type):
            worker = entry(ctx, env)
            found = getattr(worker, "fetch", None) or getattr(worker, "on_fetch", None)
            if found is None:
                raise PlatformError("Handler does not export a fetch() function.")
            return found(request)
        return entry(request, env, ctx)
