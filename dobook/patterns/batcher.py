"""Collects items and hands them on together: fewer writes and fewer requests elsewhere."""

import time
from typing import Any

from workers import DurableObject


class Batcher(DurableObject):
    """Items are kept until there are `MOST_ITEMS`, or `MOST_WAIT_MS` have gone by. Override `flush`.

    Example:
        >>> import dobook
        >>> class Clicks(Batcher):
        ...     async def flush(self, items, number):
        ...         print(number, items)
        >>> with dobook.Runtime() as runtime:
        ...     clicks = runtime.register(Clicks).getByName("a")
        ...     [runtime.run(clicks.add(page)) for page in ("home", "shop")]
        ...     runs = runtime.advance("5s")
        [1, 2]
        1 ['home', 'shop']
    """

    MOST_ITEMS = 100  # a batch is handed on when it is so large
    MOST_WAIT_MS = 5_000  # or when its first item has waited so long

    async def flush(self, items: list[Any], number: int) -> None:
        """Process a batch; override this. The same batch is retried if this raises.

        Args:
            items: The items, oldest first.
            number: The batch's number, the same for every attempt.
        """

    async def add(self, item: Any) -> int:
        """Take an item in; returns how many are waiting. It is safe once this has returned."""
        last = (await self.ctx.storage.get("last") or 0) + 1
        await self.ctx.storage.put({"last": last, f"item:{last:012}": item})
        waiting = last - (await self.ctx.storage.get("flushed") or 0)
        if waiting % self.MOST_ITEMS == 0:
            await self.ctx.storage.setAlarm(int(time.time() * 1000))
        elif await self.ctx.storage.getAlarm() is None:
            await self.ctx.storage.setAlarm(int(time.time() * 1000) + self.MOST_WAIT_MS)
        return waiting

    async def alarm(self, info: Any = None) -> None:
        """Flush one batch, and set the alarm again if more is waiting."""
        del info
        rows = await self.ctx.storage.list({"prefix": "item:", "limit": self.MOST_ITEMS})
        if not len(rows):
            return
        number = (await self.ctx.storage.get("batches") or 0) + 1
        await self.flush(list(rows.values()), number)
        keys = list(rows.keys())
        flushed = int(keys[-1].removeprefix("item:"))
        await self.ctx.storage.delete(keys)
        await self.ctx.storage.put({"flushed": flushed, "batches": number})
        left = (await self.ctx.storage.get("last")) - flushed
        if left and await self.ctx.storage.getAlarm() is None:
            wait_ms = self.MOST_WAIT_MS if left < self.MOST_ITEMS else 0
            await self.ctx.storage.setAlarm(int(time.time() * 1000) + wait_ms)
