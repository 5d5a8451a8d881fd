"""Many jobs, once or again and again, on the one alarm that an object has."""

import time
from typing import Any

from workers import DurableObject


class Schedule(DurableObject):
    """Jobs by name; the alarm is always set for the earliest. Override `run`.

    A job whose `run` raises is tried again after a growing wait, without holding up the others;
    after `MOST_ATTEMPTS` one that recurs waits for its next turn, and one that does not is dropped.

    Example:
        >>> import dobook
        >>> class Reminders(Schedule):
        ...     async def run(self, name, payload):
        ...         print(name, payload)
        >>> with dobook.Runtime() as runtime:
        ...     ada = runtime.register(Reminders).getByName("ada")
        ...     runtime.run(ada.add("tea", 60_000, payload="put the kettle on"))["name"]
        ...     runtime.run(ada.add("stretch", 20_000, every_ms=30_000))["name"]
        ...     runs = runtime.advance("1m")
        'tea'
        'stretch'
        stretch None
        stretch None
        tea put the kettle on
    """

    MOST_ATTEMPTS = 5
    FIRST_WAIT_MS = 2_000  # before the second attempt; doubled for each further one

    async def run(self, name: str, payload: Any) -> None:
        """Do a job; override this. It may run twice if the object dies at the wrong moment.

        Args:
            name: The job's name.
            payload: What it was added with.
        """

    async def add(
        self, name: str, in_ms: int, every_ms: int | None = None, payload: Any = None
    ) -> dict[str, Any]:
        """Add a job, or replace the one of that name.

        Args:
            name: Its name.
            in_ms: How long until it runs first, in ms.
            every_ms: How long from one run to the next; None for once.
            payload: What `run` is given.

        Returns:
            The job: name, at_ms (ms since 1970), every_ms, payload, attempts.

        Raises:
            ValueError: If `every_ms` is below 1.
        """
        if every_ms is not None and every_ms < 1:
            raise ValueError("every_ms is 1 or more, or None for a job that runs once")
        job = {
            "name": name,
            "at_ms": _now() + in_ms,
            "due_ms": _now() + in_ms,
            "every_ms": every_ms,
            "payload": payload,
            "attempts": 0,
        }
        await self.ctx.storage.put(f"job:{name}", job)
        await self._set_alarm()
        return job

    async def remove(self, name: str) -> bool:
        """Take a job out; returns whether there was one."""
        existed = bool(await self.ctx.storage.delete(f"job:{name}"))
        await self._set_alarm()
        return existed

    async def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs, soonest first."""
        rows = await self.ctx.storage.list({"prefix": "job:"})
        return sorted(rows.values(), key=lambda job: (job["at_ms"], job["name"]))

    async def alarm(self, info: Any = None) -> None:
        """Run what is due, earliest first, and set the alarm for the next."""
        del info
        now = _now()
        try:
            for job in await self.jobs():
                if job["at_ms"] <= now:
                    await self._run(job)
        finally:
            await self._set_alarm()

    async def _run(self, job: dict[str, Any]) -> None:
        key = f"job:{job['name']}"
        if job["attempts"] < self.MOST_ATTEMPTS:  # else it has killed the object each time
            job["attempts"] += 1
            # Saved before the work begins: a crash in the middle of it must not reset the count.
            await self.ctx.storage.put(key, job)
            try:
                await self.run(job["name"], job["payload"])
            except Exception as error:
                if job["attempts"] < self.MOST_ATTEMPTS:
                    wait_ms = self.FIRST_WAIT_MS * 2 ** (job["attempts"] - 1)
                    await self._store(key, job, {"at_ms": _now() + wait_ms, "error": str(error)})
                    return
        if job["every_ms"] is None:
            if await self._is_still(key, job):
                await self.ctx.storage.delete(key)
            return
        # From its due time, not from now: a late run must not shift all later ones.
        due = job["due_ms"] + job["every_ms"]
        if due <= _now():
            missed = (_now() - due) // job["every_ms"] + 1
            due += missed * job["every_ms"]
        await self._store(key, job, {"at_ms": due, "due_ms": due, "attempts": 0})

    async def _store(self, key: str, job: dict[str, Any], changes: dict[str, Any]) -> None:
        if await self._is_still(key, job):
            await self.ctx.storage.put(key, {**job, **changes})

    async def _is_still(self, key: str, job: dict[str, Any]) -> bool:
        """Return whether nobody has removed or replaced a job while it ran."""
        stored = await self.ctx.storage.get(key)
        return stored is not None and stored["due_ms"] == job["due_ms"]

    async def _set_alarm(self) -> None:
        jobs = await self.jobs()
        if jobs:
            await self.ctx.storage.setAlarm(jobs[0]["at_ms"])
        else:
            await self.ctx.storage.deleteAlarm()


def _now() -> int:
    return int(time.time() * 1000)
