"""The base classes of Cloudflare's Python SDK.

Source: cloudflare/workers-py packages/runtime-sdk/src/workers/entrypoints.py
"""

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class DurableObject:
    """Base class of Durable Objects.

    Example:
        >>> class Counter(DurableObject):
        ...     async def increment(self):
        ...         n = (await self.ctx.storage.get("n") or 0) + 1
        ...         await self.ctx.storage.put("n", n)
        ...         return n
    """

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx
        self.env = env


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


def handler(function: F) -> F:
    """Mark an `on_fetch` handler; here its arguments are Python objects already."""
    return function
