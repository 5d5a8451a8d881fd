"""A queue that does its tasks itself: in order, one at a time, each until it is done."""

import time
from typing import Any

from workers import DurableObject


class TaskQueue(DurableObject):
    """First in, first out. Override `process`.

    A task whose `process` raises is tried again after a growing wait, and holds up those behind it:
    that is what order means. After `MOST_ATTEMPTS` it is set aside among the dead letters and the
    queue continues. A task may be processed twice if the object dies at the wrong moment, so its
    processing has to be idempotent; the number is the same each time.

    Example:
        >>> import dobook
        >>> class Mail(TaskQueue):
        ...     async def process(self, task, number):
        ...         print("sent", task)
        >>> with dobook.Runtime() as runtime:
        ...     mail = runtime.register(Mail).getByName("a")
        ...     [runtime.run(mail.push(to)) for to in ("ada", "grace")]
        ...     runs = runtime.advance("1s")
        sent ada
        sent grace
        [1, 2]
    """

    MOST_ATTEMPTS = 5
    FIRST_WAIT_MS = 1_000  # before the second attempt; doubled for each further one
    BATCH = 20  # tasks of one alarm, so that none runs for too long

    async def process(self, task: Any, number: int) -> None:
        """Do one task; override this.

        Args:
            task: What was pushed.
            number: The same for every attempt.
        """

    async def push(self, task: Any) -> int:
        """Put a task at the end; returns its number. It is safe once this has returned."""
        number = (await self.ctx.storage.get("last") or 0) + 1
        await self.ctx.storage.put({"last": number, _key(number): {"task": task, "attempts": 0}})
        if await self.ctx.storage.getAlarm() is None:
            await self.ctx.storage.setAlarm(_now())
        return number

    async def waiting(self) -> list[dict[str, Any]]:
        """Return what is still to be done, in order: number, task, attempts."""
        return await self._entries("task:")

    async def dead(self) -> list[dict[str, Any]]:
        """Return the dead letters: number, task, attempts, error."""
        return await self._entries("dead:")

    async def revive(self, number: int) -> int:
        """Put a dead letter at the end of the queue; returns its new number.

        Raises:
            ValueError: If there is no dead letter of that number.
        """
        entry = await self.ctx.storage.get(_key(number, "dead"))
        if entry is None:
            raise ValueError(f"no dead letter {number}")
        await self.ctx.storage.delete(_key(number, "dead"))
        return await self.push(entry["task"])

    async def alarm(self, info: Any = None) -> None:
        """Do the tasks at the front until one fails, or a batch is done."""
        del info
        rows = await self.ctx.storage.list({"prefix": "task:", "limit": self.BATCH})
        wait_ms = 0
        for key, entry in rows.items():
            number = int(key.removeprefix("task:"))
            if entry["attempts"] >= self.MOST_ATTEMPTS:  # and none of them came to an end
                error = "the object died in the middle of it"
                await self.ctx.storage.put(_key(number, "dead"), {**entry, "error": error})
                await self.ctx.storage.delete(key)
                continue
            entry["attempts"] += 1
            # Saved before the work begins: a crash in the middle of it must not reset the count.
            await self.ctx.storage.put(key, entry)
            try:
                await self.process(entry["task"], number)
            except Exception as error:
                if entry["attempts"] < self.MOST_ATTEMPTS:
                    wait_ms = self.FIRST_WAIT_MS * 2 ** (entry["attempts"] - 1)
                    break
                await self.ctx.storage.put(_key(number, "dead"), {**entry, "error": str(error)})
            await self.ctx.storage.delete(key)
        if len(await self.ctx.storage.list({"prefix": "task:", "limit": 1})):
            await self.ctx.storage.setAlarm(_now() + wait_ms)

    async def _entries(self, prefix: str) -> list[dict[str, Any]]:
        rows = await self.ctx.storage.list({"prefix": prefix})
        return [{"number": int(key.removeprefix(prefix)), **entry} for key, entry in rows.items()]


def _key(number: int, kind: str = "task") -> str:
    return f"{kind}:{number:012}"  # keys are ordered as text


def _now() -> int:
    return int(time.time() * 1000)
