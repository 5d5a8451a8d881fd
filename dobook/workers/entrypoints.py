"""The base classes of Cloudflare's Python SDK.

Source: cloudflare/workers-py packages/runtime-sdk/src/workers/entrypoints.py
"""

import functools
from collections.abc import Callable
from typing import Any, Protocol

from dobook.runtime.aborts import DurableObjectAbort
from dobook.runtime.objects.context import DurableObjectState as DurableObjectContext
from dobook.web import Request
from dobook.web.javascript import JsRequest

__all__ = [
    "Context",
    "DurableObject",
    "DurableObjectAbort",
    "DurableObjectContext",
    "WorkerEntrypoint",
    "WorkflowEntrypoint",
    "handler",
]


class Context(Protocol):
    """What a handler's `ctx` is, for annotations."""

    def waitUntil(self, other: Any) -> None:
        """Continue a piece of work after the answer."""


class DurableObject:
    """Base class of Durable Objects.

    Example:
        >>> class Counter(DurableObject):
        ...     async def increment(self):
        ...         n = (await self.ctx.storage.get("n") or 0) + 1
        ...         await self.ctx.storage.put("n", n)
        ...         return n
    """

    _has_every_name_ = True  # as the engine sees a class that uses the SDK

    def __init__(self, ctx: DurableObjectContext, env: Any) -> None:
        self.ctx = ctx
        self.env = env

    def __init_subclass__(cls, **_: Any) -> None:
        """Accept keywords in a class statement, as the SDK does."""

    def __getattr__(self, name: str) -> Any:
        hint = ". Its __init__ has to call super().__init__(ctx, env)" * (name in ("ctx", "env"))
        text = f"{type(self).__name__!r} object has no attribute {name!r}{hint}"
        raise AttributeError(text, name=name, obj=self)


class WorkerEntrypoint:
    """Base class of Workers; the one named `Default` answers requests from outside.

    Example:
        >>> class Default(WorkerEntrypoint):
        ...     async def fetch(self, request):
        ...         return await self.env.COUNTER.getByName("a").fetch(request)
    """

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx
        self.env = env

    def __init_subclass__(cls, **_: Any) -> None:
        """Accept keywords in a class statement, as the SDK does."""


class WorkflowEntrypoint:
    """Base class of workflows, which can be defined; dobook does not run them.

    A Worker that only declares one works; `env`'s binding of it raises when it is used.
    """

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx
        self.env = env

    def __init_subclass__(cls, **_: Any) -> None:
        """Accept keywords in a class statement, as the SDK does."""


def handler(func: Callable[..., Any]) -> Callable[..., Any]:
    """Make a module's handler such as `on_fetch` take Python's objects, not JavaScript's.

    Example:
        >>> @handler
        ... async def on_fetch(request, env):
        ...     return Response(request.headers["user-agent"])
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], JsRequest):
            args = (Request(args[0]), *args[1:])
        return func(*args, **kwargs)

    wrapper.takes_python_objects = True  # type: ignore[attr-defined]
    return wrapper
