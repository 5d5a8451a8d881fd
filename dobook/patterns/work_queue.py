"""A queue for workers elsewhere: a task is lent out, and comes back if nobody says it is done."""

import time
from typing import Any

from workers import DurableObject


class WorkQueue(DurableObject):
    """Tasks are pulled by workers, oldest first, and acknowledged.

    A pulled task is invisible for a lease. Acknowledged in time it is gone, else the next `pull`
    hands it out again, with a new receipt; the old receipt is then worth nothing. After
    `MOST_ATTEMPTS` leases it is set aside among the dead letters.

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     jobs = runtime.register(WorkQueue).getByName("a")
        ...     runtime.run(jobs.push("resize picture 7"))
        ...     job = runtime.run(jobs.pull(30_000))
        ...     job["task"], runtime.run(jobs.acknowledge(job["number"], job["receipt"]))
        1
        ('resize picture 7', True)
    """

    MOST_ATTEMPTS = 5

    async def push(self, task: Any) -> int:
        """Put a task at the end; returns its number."""
        number = (await self.ctx.storage.get("last") or 0) + 1
        entry = {"task": task, "attempts": 0, "free_ms": 0}
        await self.ctx.storage.put({"last": number, _key(number): entry})
        return number

    async def pull(self, lease_ms: int = 30_000) -> dict[str, Any] | None:
        """Lease the oldest task that is free.

        Args:
            lease_ms: How long the worker may take, in ms.

        Returns:
            number, task, attempt (1 for the first), receipt and leaseEnds (ms since 1970); None if no
            task is free.
        """
        now = int(time.time() * 1000)
        for key, entry in (await self.ctx.storage.list({"prefix": "task:"})).items():
            if entry["free_ms"] > now:
                continue
            number = int(key.removeprefix("task:"))
            if entry["attempts"] >= self.MOST_ATTEMPTS:
                await self.ctx.storage.put(_key(number, "dead"), entry)
                await self.ctx.storage.delete(key)
                continue
            entry["attempts"] += 1
            entry["free_ms"] = now + lease_ms
            await self.ctx.storage.put(key, entry)
            return {
                "number": number,
                "task": entry["task"],
                "attempt": entry["attempts"],
                "receipt": entry["attempts"],
                "leaseEnds": entry["free_ms"],
            }
        return None

    async def acknowledge(self, number: int, receipt: int) -> bool:
        """Acknowledge a finished task; returns False if another worker leases it by now."""
        entry = await self.ctx.storage.get(_key(number))
        if entry is None or entry["attempts"] != receipt:
            return False
        await self.ctx.storage.delete(_key(number))
        return True

    async def release(self, number: int, receipt: int) -> bool:
        """Release a task before its lease ends; returns False if another worker leases it."""
        entry = await self.ctx.storage.get(_key(number))
        if entry is None or entry["attempts"] != receipt:
            return False
        entry["free_ms"] = 0
        await self.ctx.storage.put(_key(number), entry)
        return True

    async def size(self) -> dict[str, int]:
        """Return how many tasks are free, lent and dead."""
        now = int(time.time() * 1000)
        rows = await self.ctx.storage.list({"prefix": "task:"})
        lent = sum(entry["free_ms"] > now for entry in rows.values())
        dead = len(await self.ctx.storage.list({"prefix": "dead:"}))
        return {"free": len(rows) - lent, "lent": lent, "dead": dead}


def _key(number: int, kind: str = "task") -> str:
    return f"{kind}:{number:012}"  # keys are ordered as text
