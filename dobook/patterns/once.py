"""Does something at most once for each key, however often it is asked for it."""

import asyncio
import time
from typing import Any

from workers import DurableObject


class Once(DurableObject):
    """Answers a repeated request with the first one's answer. Override `act`.

    The key is the caller's: it makes one for each thing it wants, and gives the same one when it
    asks again because an answer did not arrive. Requests with the same key while the first is under
    way wait for it; if its `act` raises, one of them acts, and the others wait for that. An `act`
    that raises is not remembered. If the object dies between `act` and the
    write behind it, the next request acts again; where that must not be, `act` has to pass the key
    on.

    Example:
        >>> import dobook
        >>> class Payments(Once):
        ...     async def act(self, request, key):
        ...         print("paid", request)
        ...         return "receipt 1"
        >>> with dobook.Runtime() as runtime:
        ...     ada = runtime.register(Payments).getByName("ada")
        ...     [runtime.run(ada.perform("k1", 20)) for _ in range(2)]
        paid 20
        ['receipt 1', 'receipt 1']
    """

    KEEP_MS = 86_400_000  # how long an answer is remembered

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self._under_way: dict[str, asyncio.Event] = {}

    async def act(self, request: Any, key: str) -> Any:
        """Do what is asked for; override this.

        Args:
            request: What the caller sent.
            key: Its key.
        """

    async def perform(self, key: str, request: Any = None) -> Any:
        """Return the answer for a key, acting only the first time.

        Args:
            key: The caller's key.
            request: What `act` is given.
        """
        while key in self._under_way:
            await self._under_way[key].wait()
        # Before the first await: those who have waited run in turns, also while storage is read.
        done = self._under_way[key] = asyncio.Event()
        try:
            stored = await self.ctx.storage.get(f"answer:{key}")
            if stored is not None:
                return stored["answer"]
            answer = await self.act(request, key)
            now = int(time.time() * 1000)
            entry = {"answer": answer, "forgetAt": now + self.KEEP_MS}
            await self.ctx.storage.put(f"answer:{key}", entry)
            if await self.ctx.storage.getAlarm() is None:
                await self.ctx.storage.setAlarm(entry["forgetAt"])
            return answer
        finally:
            del self._under_way[key]
            done.set()

    async def alarm(self, info: Any = None) -> None:
        """Forget old answers."""
        del info
        now = int(time.time() * 1000)
        rows = await self.ctx.storage.list({"prefix": "answer:"})
        old = [key for key, entry in rows.items() if entry["forgetAt"] <= now]
        for start in range(0, len(old), 128):  # the platform deletes 128 keys at once
            await self.ctx.storage.delete(old[start : start + 128])
        left = [entry["forgetAt"] for key, entry in rows.items() if key not in set(old)]
        if left:
            await self.ctx.storage.setAlarm(min(left))
