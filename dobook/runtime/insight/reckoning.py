"""What a runtime tells of its objects' costs, and of what keeps them awake.

A part of `Runtime`, apart so that each stays readable.
"""

import functools
from typing import TYPE_CHECKING, Any

from dobook.ids import DurableObjectId
from dobook.runtime.calls.waits import why_awake
from dobook.runtime.insight.meter import Cost, Meter, costs
from dobook.runtime.storage.watched import set_watched

if TYPE_CHECKING:
    from dobook.runtime.objects.actor import Actor
    from dobook.runtime.runtime import Runtime


class Reckoning:
    """The part of a runtime that counts what objects use."""

    metering = False

    @functools.cached_property
    def meters(self) -> dict[tuple[str, str], tuple[Meter, DurableObjectId]]:
        """What is counted of each object, by unique key and id."""
        return {}

    def meter(self: Any) -> None:
        """Begin to count the reads and writes of all objects, for `costs()`."""
        runtime: Runtime = self
        if runtime.metering:
            return
        runtime.metering = True
        for namespace in runtime.namespaces:
            for actor in namespace.actors.values():
                actor.meter = runtime.meter_of(actor)
                if actor.instance is not None:
                    set_watched(actor.instance)

    def meter_of(self, actor: "Actor") -> Meter:
        """Return the meter of an object, the same one in all its lives."""
        key = (actor.namespace.unique_key, actor.id.toString())
        found = self.meters.get(key)
        if found is None:
            found = self.meters[key] = (Meter(), actor.id)
        return found[0]

    def costs(self: Any) -> list[Cost]:
        """Return what objects have used and what the platform would bill, one each.

        Reads and writes are counted from `meter()` on.

        Example:
            >>> import dobook
            >>> class Counter:
            ...     def __init__(self, ctx, env):
            ...         self.storage = ctx.storage
            ...     async def increment(self):
            ...         await self.storage.put("n", (await self.storage.get("n") or 0) + 1)
            >>> with dobook.Runtime() as runtime:
            ...     runtime.meter()
            ...     runtime.run(runtime.register(Counter).getByName("a").increment())
            ...     [(c.object, c.requests, c.reads, c.writes) for c in runtime.costs()]
            [('COUNTER/a', 1.0, 1, 1)]
        """
        with self.driver.held:
            return costs(self)

    def why_awake(self: Any, which: Any) -> list[str]:
        """Return what keeps an object from being evicted or hibernating; nothing: it may sleep.

        Args:
            which: A stub or `BINDING/name`.

        Example:
            >>> import asyncio, dobook
            >>> class Sleeper:
            ...     def __init__(self, ctx, env): ...
            ...     async def nap(self):
            ...         await asyncio.sleep(60)
            >>> with dobook.Runtime() as runtime:
            ...     stub = runtime.register(Sleeper).getByName("a")
            ...     nap = stub.nap()
            ...     runtime.settle()
            ...     runtime.why_awake(stub)
            ['nap() is under way']
        """
        with self.driver.held:
            return why_awake(self.actor_of(which))
