"""`ctx`, what an object knows of the platform: its id, its storage, and control over itself.

The names are Cloudflare's. Source: developers.cloudflare.com/durable-objects/api/state/
"""

import datetime as dt
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from dobook.codec import JsDict, JsList
from dobook.errors import PlatformError, PlatformTypeError, misspelt
from dobook.ids import DurableObjectId
from dobook.ownership import STORAGE, check_owner
from dobook.runtime.aborts import DurableObjectAbort
from dobook.runtime.calls.sections import Section, SectionPromise
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.reports.portable import remark
from dobook.runtime.sockets.hibernation import answered_ms, hub_of, tags_of
from dobook.runtime.sockets.websocket import WebSocket, WebSocketRequestResponsePair
from dobook.runtime.storage.storage import DurableObjectStorage
from dobook.web.text import stored_text

if TYPE_CHECKING:
    from dobook.runtime.protocols import Instance
    from dobook.runtime.worker.exports import Exports


class DurableObjectState:
    """The `ctx` of a Durable Object.

    `id` is the object's id, `storage` its storage. Everything acts when it is called.

    Example:
        >>> class Counter:
        ...     def __init__(self, ctx, env):
        ...         self.ctx = ctx
        ...         ctx.blockConcurrencyWhile(self.load)
        ...     async def load(self):
        ...         self.n = await self.ctx.storage.get("n") or 0
    """

    __slots__ = ("__dict__", "__weakref__", "_instance", "id", "storage")

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self.id: DurableObjectId = instance.actor.id.as_seen_inside()
        self.storage = DurableObjectStorage(instance)
        runtime = instance.runtime
        actor = instance.actor
        if runtime.observers.detailed or actor.faults is not None or actor.meter is not None:
            runtime.watch(instance, self.storage)

    @functools.cached_property
    def props(self) -> JsDict:
        """What a facet's class was made with; for an object of a namespace it is empty."""
        return JsDict()

    @functools.cached_property
    def exports(self) -> "Exports":
        """The Worker's own classes and entrypoints, which need no binding.

        Raises:
            AttributeError: If the compatibility date or flags switch them off.

        Example:
            `await self.ctx.exports.Room.getByName("lobby").members()`

        Source: developers.cloudflare.com/workers/runtime-apis/context/#exports
        """
        return exports_of(self._instance)

    def blockConcurrencyWhile(self, callback: Callable[[], Any]) -> SectionPromise:
        """Run a function while no other event is delivered to the object.

        Args:
            callback: Called without arguments; what it returns is awaited. It may take 30 s.

        Returns:
            A promise of what the callback returns.

        Raises:
            PlatformTypeError: If `callback` is not a function, for instance a coroutine.
            BaseException: Awaiting raises what the callback raised; the object is reset by then.

        Source: developers.cloudflare.com/durable-objects/api/state/#blockconcurrencywhile
        """
        if not callable(callback):
            if inspect.iscoroutine(callback):
                callback.close()
            raise PlatformTypeError(
                "Failed to execute 'blockConcurrencyWhile' on 'DurableObjectState': parameter 1 "
                "is not of type 'function'.\n"
                "  You wrote:  ctx.blockConcurrencyWhile(self.load())\n"
                "  You want:   ctx.blockConcurrencyWhile(self.load)"
            )
        return SectionPromise(Section(self._acting(), callback, breaks=True))

    def waitUntil(self, promise: object) -> None:
        """Keep the object in memory until `promise` is done; its errors are only logged."""
        self._acting().wait_until(promise)

    def abort(self, reason: Any = None, options: Any = None, **keywords: Any) -> NoReturn:
        """Reset the object: memory and writes of this turn are lost, calls under way fail.

        Args:
            reason: A text or an exception, which the callers get.
            options: `retryAlarm`, False if an alarm that runs meanwhile is not to run again.
            **keywords: The same as keywords.

        Raises:
            DurableObjectAbort: Always, to end the code that called.
        """
        if options or keywords:
            remark(
                "ctx.abort(…) with retryAlarm: abort() of Cloudflare's Python SDK takes a reason and "
                "nothing else (TypeError). Leave the option out."
            )
        check_owner(self._instance.actor, STORAGE)
        if isinstance(reason, BaseException):
            error = reason
        elif reason is None:
            error = PlatformError("Application called abort() to reset Durable Object.")
        else:
            error = PlatformError(stored_text(str(reason)))
        if {**(options or {}), **keywords}.get("retryAlarm") is False:
            self._instance.runtime.alarms.abandon(self._instance.actor)
        self._instance.reset(error, unsaid=True)
        raise DurableObjectAbort(str(error))

    # ------------------------------------------------------------------ sockets that hibernate

    def acceptWebSocket(self, ws: WebSocket, tags: object = None) -> None:
        """Accept a connection that outlives the object's memory.

        Messages, closes and errors call the methods `webSocketMessage(ws, message)`,
        `webSocketClose(ws, code, reason, wasClean)` and `webSocketError(ws, error)`.

        Args:
            ws: One end of a WebSocketPair, whose other end is still to be returned.
            tags: At most 10 texts of at most 256 bytes, for `getWebSockets`.

        Raises:
            PlatformTypeError: If `ws` is not a WebSocket, or `tags` not a list.
            PlatformError: If the socket is in use, or there are too many tags or connections.

        Source: developers.cloudflare.com/durable-objects/api/state/#acceptwebsocket
        """
        instance = self._acting()
        if type(tags) in (list, tuple):
            remark(
                "a list of tags: ctx passes it on as it is in Cloudflare's Python SDK, where it is "
                "not an array (TypeError). Write to_js([…]): from pyodide.ffi import to_js"
            )
        hub_of(instance.actor).accept(ws, tags)

    def getWebSockets(self, tag: str | None = None) -> list[WebSocket]:
        """Return the connections accepted with `acceptWebSocket`, or those with a tag."""
        hub = self._running().actor.sockets
        return JsList() if hub is None else JsList(hub.sockets(tag))

    def getTags(self, ws: WebSocket) -> list[str]:
        """Return the tags a connection was accepted with.

        Raises:
            PlatformError: If it was not accepted with `acceptWebSocket`.
        """
        return JsList(tags_of(ws))

    def setWebSocketAutoResponse(self, pair: WebSocketRequestResponsePair | None = None) -> None:
        """Answer a message with a fixed text without waking the object; None for no more.

        Raises:
            PlatformRangeError: If the message or the answer is longer than 2,048 bytes.
        """
        hub_of(self._acting().actor).set_auto_response(pair)

    def getWebSocketAutoResponse(self) -> WebSocketRequestResponsePair | None:
        """Return what is answered automatically, None if nothing is."""
        hub = self._running().actor.sockets
        return None if hub is None else hub.auto_response_pair()

    def getWebSocketAutoResponseTimestamp(self, ws: WebSocket) -> dt.datetime | None:
        """Return when a connection was last answered automatically (UTC), None if never."""
        at_ms = answered_ms(ws)
        return None if at_ms is None else dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)

    def setHibernatableWebSocketEventTimeout(self, timeoutMs: int | None = None) -> None:
        """Reset the object when a handler takes longer; 0 or None for no limit.

        Args:
            timeoutMs: Milliseconds, at most a week.

        Raises:
            PlatformError: If it is more.
        """
        hub_of(self._acting().actor).set_event_timeout(timeoutMs)

    def getHibernatableWebSocketEventTimeout(self) -> int | None:
        """Return how long a handler may take in milliseconds, None for as long as it likes."""
        hub = self._running().actor.sockets
        return None if hub is None else hub.event_timeout_ms

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> Any:
            if name == "exports":  # the property has raised
                return exports_of(self._instance)
            raise misspelt(self, name)

    def _running(self) -> "Instance":
        """Return the object that a method acts on: that whose code runs, as on the platform.

        That is another one where the `ctx` of one object is used in the code of another.
        """
        frame, instance = current_frame.get(), self._instance
        if frame is not None and frame.instance.runtime is instance.runtime:
            return frame.instance
        return instance

    def _acting(self) -> "Instance":
        instance = self._running()
        if instance.dead is not None:
            raise instance.dead
        return instance

    def __repr__(self) -> str:
        return f"<ctx of {self._instance.actor.label}>"


def exports_of(instance: "Instance") -> "Exports":
    """Return the exports of the Worker that has the class of an object.

    Raises:
        AttributeError: If the compatibility date or flags switch them off.
    """
    exports: Exports = instance.runtime.exports_of(instance.actor.namespace.env)
    return exports
