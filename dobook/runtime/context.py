"""`ctx`, what an object knows of the platform: its id, its storage, and control over itself.

The names are Cloudflare's. Source: developers.cloudflare.com/durable-objects/api/state/
"""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from dobook.errors import PlatformError, PlatformTypeError
from dobook.ids import DurableObjectId
from dobook.runtime.instance import DurableObjectAbort
from dobook.runtime.sections import Section, SectionPromise
from dobook.runtime.storage import DurableObjectStorage

if TYPE_CHECKING:
    from dobook.runtime.instance import Instance


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

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self.id: DurableObjectId = instance.actor.id
        self.storage = DurableObjectStorage(instance)
        self.props: dict[str, Any] = {}

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
        self._check()
        return SectionPromise(Section(self._instance, callback, breaks=True))

    def waitUntil(self, promise: Any) -> None:
        """Keep the object in memory until `promise` is done; its errors are only logged."""
        self._check()
        self._instance.wait_until(promise)

    def abort(self, reason: Any = None) -> NoReturn:
        """Reset the object: memory and writes of this turn are lost, calls under way fail.

        Args:
            reason: A text or an exception, which the callers get.

        Raises:
            DurableObjectAbort: Always, to end the code that called.
        """
        if isinstance(reason, BaseException):
            error = reason
        elif reason is None:
            error = PlatformError("Application called abort() to reset Durable Object.")
        else:
            error = PlatformError(str(reason))
        self._instance.reset(error)
        raise DurableObjectAbort(str(error))

    def _check(self) -> None:
        if self._instance.dead is not None:
            raise self._instance.dead

    def __repr__(self) -> str:
        return f"<ctx of {self._instance.actor.label}>"
