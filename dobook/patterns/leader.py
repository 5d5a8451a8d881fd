"""An election: of all who want to lead, one does, until it stops saying so."""

import time
from typing import Any

from workers import DurableObject


class Leader(DurableObject):
    """The first candidate leads; it renews by campaigning again before its term is over.

    When a term ends without renewal, the alarm hands over to the candidate that has waited longest
    and still campaigns, with the next number as its `term`. One object for each group.

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     group = runtime.register(Leader).getByName("indexers")
        ...     runtime.run(group.campaign("one", 5_000))["leader"]
        ...     runs = runtime.advance("4s")
        ...     runtime.run(group.campaign("two", 5_000))["leader"]
        ...     runs = runtime.advance("1s")
        ...     runtime.run(group.state())
        'one'
        'one'
        {'leader': 'two', 'term': 2, 'endsAt': 1767225610000}
    """

    async def campaign(self, candidate: str, term_ms: int = 10_000) -> dict[str, Any]:
        """Announce a live candidate; call this again well before `term_ms` is over.

        Args:
            candidate: Who asks.
            term_ms: How long its candidacy, or its lead, lasts from now, in ms, at least 1.

        Returns:
            leader, term (a number that grows with every change) and endsAt (ms since 1970).

        Raises:
            ValueError: If the term is below 1.
        """
        if term_ms < 1:
            raise ValueError("a term is 1 ms or more")
        now = int(time.time() * 1000)
        group = await self._load()
        known = group["candidates"].get(candidate)
        since = known["since"] if known and known["until"] > now else now
        group["candidates"][candidate] = {"since": since, "until": now + term_ms, "term": term_ms}
        return await self._elect(group, now)

    async def resign(self, candidate: str) -> dict[str, Any]:
        """Stop leading, or waiting; the next one leads at once."""
        group = await self._load()
        group["candidates"].pop(candidate, None)
        return await self._elect(group, int(time.time() * 1000))

    async def state(self) -> dict[str, Any]:
        """Return leader (None if nobody leads), term and endsAt."""
        return _state(await self._load(), int(time.time() * 1000))

    async def alarm(self, info: Any = None) -> None:
        """End a term that was not renewed."""
        del info
        await self._elect(await self._load(), int(time.time() * 1000))

    async def _load(self) -> dict[str, Any]:
        group = await self.ctx.storage.get("group")
        return group or {"leader": None, "term": 0, "candidates": {}}

    async def _elect(self, group: dict[str, Any], now: int) -> dict[str, Any]:
        candidates = {n: c for n, c in group["candidates"].items() if c["until"] > now}
        if group["leader"] not in candidates:
            waiting = sorted(candidates, key=lambda name: (candidates[name]["since"], name))
            group["leader"] = waiting[0] if waiting else None
            if waiting:
                group["term"] += 1
                first = candidates[waiting[0]]
                first["until"] = now + first["term"]  # a whole term, however long it waited
        group["candidates"] = candidates
        await self.ctx.storage.put("group", group)
        if group["leader"] is None:
            await self.ctx.storage.deleteAlarm()
        else:
            await self.ctx.storage.setAlarm(candidates[group["leader"]]["until"])
        return _state(group, now)


def _state(group: dict[str, Any], now: int) -> dict[str, Any]:
    leads = group["candidates"].get(group["leader"])
    if leads is None or leads["until"] <= now:
        return {"leader": None, "term": group["term"], "endsAt": None}
    return {"leader": group["leader"], "term": group["term"], "endsAt": leads["until"]}
