"""The Worker in front of the objects: answers requests from outside, has no storage of its own.

Source: developers.cloudflare.com/workers/runtime-apis/handlers/
"""

import asyncio
import functools
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from dobook.codec import JsDict
from dobook.codec.refusal import instead_of
from dobook.errors import PlatformError, UnknownNameError, UsageError, misspelt
from dobook.events import Answer, Error, Fetch, Scheduled
from dobook.observer import current_cause
from dobook.runtime.calls.aborting import heeding
from dobook.runtime.calls.arity import relaxed_call
from dobook.runtime.calls.promise import Promise, Rejected
from dobook.runtime.calls.remote_stream import conveyed, send_body
from dobook.runtime.calls.rpc import Crossing, carry, carry_error, find
from dobook.runtime.loop.frame import current_execution
from dobook.runtime.reports.uncaught import report
from dobook.web import ReadableStream, Request, Response
from dobook.web.javascript import JsRequest

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel
    from dobook.runtime.worker.env import Env
    from dobook.runtime.worker.exports import Exports


class ExecutionContext:
    """The `ctx` of a Worker: `waitUntil` keeps background work going after the answer.

    Attributes:
        env: The Worker's bindings.
        props: What the stub that led here was made with: `ctx.exports.Greeter(props={…})`.
    """

    def __init__(self, runtime: "Kernel", env: "Env", props: object = None) -> None:
        self._runtime = runtime
        self._env = env
        self.props: Any = JsDict() if props is None else props

    @functools.cached_property
    def exports(self) -> "Exports":
        """The Worker's own classes and entrypoints, which need no binding.

        Raises:
            AttributeError: If the compatibility date or flags switch them off.

        Source: developers.cloudflare.com/workers/runtime-apis/context/#exports
        """
        exports: Exports = self._runtime.exports_of(self._env)
        return exports

    def waitUntil(self, promise: Any) -> None:
        """Continue a piece of work after the answer; its errors are only logged."""
        runtime = self._runtime
        work = asyncio.ensure_future(promise, loop=runtime.loop)
        work.add_done_callback(self._over)
        runtime.post.keep(work)

    def _over(self, work: "asyncio.Future[Any]") -> None:
        if not work.cancelled() and (error := work.exception()) is not None:
            report(self._runtime, "worker", "waitUntil", error)

    def passThroughOnException(self) -> None:
        """Do nothing: there is no origin server behind a Worker here."""

    def __getattr__(self, name: str) -> Any:
        if name == "exports":  # the property has raised
            return self._runtime.exports_of(self._env)
        raise misspelt(self, name)


class ScheduledController(NamedTuple):
    """What a scheduled handler is given.

    Attributes:
        scheduledTime: When it was due, in ms since 1970.
        cron: The expression that was due.
        type: Always "scheduled".

    Source: developers.cloudflare.com/workers/runtime-apis/handlers/scheduled/
    """

    scheduledTime: int
    cron: str
    type: str = "scheduled"

    def noRetry(self) -> None:
        """Do nothing: a scheduled handler that fails is not run again."""


class FailedResponse(Response):
    """The response to a request whose Worker raised; `error` is the exception."""

    __slots__ = ("error",)

    def __init__(self, text: str, error: Exception) -> None:
        super().__init__(text, status=500, status_text="Internal Server Error")
        self.error = error


def error_of(response: Response) -> Exception | None:
    """Return what a Worker has raised instead of answering, None if it has answered."""
    return response.error if type(response) is FailedResponse else None


class Worker:
    """A Worker of a runtime.

    Args:
        runtime: The runtime it runs in.
        entry: A class that takes `(ctx, env)` and has `fetch`; a function `on_fetch`; or the
            handlers of a module by their names, "fetch" and "scheduled".
        env: Its bindings; by default those of the runtime.
        name: What other Workers call it.
        entrypoints: Further classes, by their names, that service bindings may ask for.
    """

    def __init__(
        self,
        runtime: "Kernel",
        entry: Any,
        *,
        env: "Env | None" = None,
        name: str = "",
        entrypoints: Mapping[str, type] | None = None,
    ) -> None:
        if not callable(entry) and not isinstance(entry, Mapping):
            raise UsageError(f"a Worker is a class or a function, not {entry!r:.80}")
        self.entry = entry
        self.name = name
        self.entrypoints = dict(entrypoints or {})
        self._env = env
        self._runtime = runtime

    @property
    def env(self) -> "Env":
        """Its bindings."""
        return self._runtime.env if self._env is None else self._env

    # ------------------------------------------------------------------ from outside

    def fetch(
        self,
        input: Any,  # noqa: A002
        init: Any = None,
        *,
        entrypoint: str | None = None,
        **options: Any,
    ) -> Promise:
        """Send the Worker a request, as from outside.

        Args:
            input: A URL or a Request.
            init: `method`, `headers`, `body`; also as keywords.
            entrypoint: The class that answers, if not the default one.

        Returns:
            A promise of the Response; what the Worker raises becomes a response with status 500,
            whose `error` attribute is the exception.
        """
        try:
            request = Request._for_delivery(input, {**(init or {}), **options} or None)
            send_body(request, self._runtime)
        except Exception as error:
            return Rejected(error)
        post = self._runtime.post
        return heeding(request, lambda: post.promise_of(self.respond(request, entrypoint)))

    def answer(
        self, request: Request, answered: Callable[[Response | None, BaseException | None], None]
    ) -> None:
        """Handle a request that belongs to nobody else, and call `answered` with the response."""
        runtime = self._runtime
        # asyncio's own task: what tells ObjectTasks apart costs a fifth of a small request.
        task = asyncio.Task(
            self._answering(request, answered),
            loop=runtime.loop,
            context=runtime.context.copy(),
        )
        runtime.post.keep(task)

    async def _answering(
        self, request: Request, answered: Callable[[Response | None, BaseException | None], None]
    ) -> None:
        try:
            response = await self.respond(request)
        except BaseException as error:
            answered(None, error)
            if not isinstance(error, Exception):
                raise
        else:
            answered(response, None)

    def scheduled(self, cron: str = "", at_ms: int | None = None) -> Promise:
        """Run the scheduled handler, as when a cron expression is due.

        Args:
            cron: The expression.
            at_ms: When it was due; by default now.

        Returns:
            A promise of None; awaiting raises what the handler raised.
        """
        if at_ms is None:
            at_ms = self._runtime.loop.now_ms
        work = self._on_schedule(ScheduledController(at_ms, cron))
        promise: Promise = self._runtime.post.promise_of(work)
        return promise

    async def respond(
        self, request: Request, entrypoint: str | None = None, props: object = None
    ) -> Response:
        """Return the answer to a request that has been delivered."""
        observers = self._runtime.observers
        if observers.detailed and (task := asyncio.current_task()) is not None:
            task.set_name("worker")  # what the trace calls it
        if not observers.active:
            return await self._response(request, entrypoint, props)
        seq = observers.emit(Fetch, "worker", 0, request.method, request.url)
        if observers.detailed:
            current_cause.set(seq)
        response = await self._response(request, entrypoint, props)
        error = error_of(response)
        text = "" if error is None else f"{type(error).__name__}: {error}"
        observers.emit(Answer, "worker", seq, response.status, None, text)
        return response

    async def _response(self, request: Request, entrypoint: str | None, props: object) -> Response:
        runtime = self._runtime
        try:
            given = JsRequest.showing(request) if self._wants_javascript("fetch") else request
            result = await self._run(entrypoint, "fetch", given, props)
            if not isinstance(result, Response):
                wrong = PlatformError(
                    "Incorrect type for Promise: the Promise did not resolve to 'Response'."
                )
                wrong.add_note(instead_of(result))
                raise wrong
            delivered = result._delivered(request.url, head=request.method == "HEAD")
            if type(delivered._body) is ReadableStream:
                delivered._body = conveyed(delivered._body, None, runtime)
            if delivered._web_socket is not None:
                delivered._web_socket = delivered._web_socket._coupled(request)
            return delivered
        except Exception as error:
            text = "".join(traceback.format_exception_only(error)).strip()
            runtime.observers.emit(Error, "worker", 0, "fetch", text)
            return FailedResponse(f"Worker threw exception: {text}\n", error)

    async def _on_schedule(self, controller: ScheduledController) -> None:
        observers = self._runtime.observers
        seq = observers.emit(Scheduled, "worker", 0, controller.cron)
        try:
            await self._run(None, "scheduled", controller)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            observers.emit(Error, "worker", seq, "scheduled", text)
            raise

    # ------------------------------------------------------------------ from other Workers

    async def call(
        self,
        entrypoint: str | None,
        path: tuple[str, ...],
        args: tuple[Any, ...] | None,
        kwargs: dict[str, Any] | None,
        props: object = None,
    ) -> Any:
        """Call a method of an entrypoint, or read a property if there are no arguments.

        Each call has an instance of its own. The arguments and the result are copies.
        """
        home = self._runtime.post.outside
        try:
            context = self._enter(props)
            kind = self._entrypoint(entrypoint)
            if not isinstance(kind, type):
                raise PlatformError(
                    "The receiver is not an RPC object. Only a class with the base "
                    "WorkerEntrypoint has methods that other Workers can call."
                )
            member = find(kind(context, self.env), path, root=True)
            if args is not None:
                member = member(*args, **(kwargs or {}))
                if hasattr(type(member), "__await__"):
                    member = await member
            given = Crossing()
            carried = carry(member, home, given)
            given.returned()
            return carried
        except Exception as error:
            raise carry_error(error, remote=True) from None

    # ------------------------------------------------------------------ the user's code

    def has(self, handler: str) -> bool:
        """Return whether the entry has a handler: "fetch", "scheduled"."""
        if isinstance(self.entry, Mapping):
            return handler in self.entry
        if not isinstance(self.entry, type):
            return handler == "fetch"
        return hasattr(self.entry, handler) or hasattr(self.entry, f"on_{handler}")

    def _enter(self, props: object = None) -> ExecutionContext:
        context = ExecutionContext(self._runtime, self.env, props)
        current_execution.set(context)
        return context

    def _entrypoint(self, name: str | None) -> Any:
        if name in (None, "default", "Default"):
            return self.entry
        if name not in self.entrypoints:
            raise UnknownNameError("entrypoint", str(name), self.entrypoints)
        return self.entrypoints[name]

    def _wants_javascript(self, kind: str) -> bool:
        """Return whether a module's handler sees the request as JavaScript has it."""
        if not isinstance(self.entry, Mapping):
            return False
        return not getattr(self.entry.get(kind), "takes_python_objects", False)

    async def _run(
        self, entrypoint: str | None, kind: str, event: object, props: object = None
    ) -> Any:
        context = self._enter(props)
        env = self.env
        entry = self._entrypoint(entrypoint)
        found: Callable[..., Any] | None
        if isinstance(entry, type):
            worker = entry(context, env)
            found = getattr(worker, kind, None) or getattr(worker, f"on_{kind}", None)
        elif isinstance(entry, Mapping):
            found = entry.get(kind)
        else:
            found = entry if kind == "fetch" else None
        if found is None:
            raise PlatformError(f"Handler does not export a {kind}() function.")
        result = relaxed_call(found, event, env, context)
        return await result if hasattr(type(result), "__await__") else result
