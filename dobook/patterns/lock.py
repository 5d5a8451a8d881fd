"""A lock that nobody can keep for ever: held for a lease, with a number that grows."""

import time
from typing import Any

from workers import DurableObject


class Lock(DurableObject):
    """One owner at a time, for as long as its lease lasts. One object for each thing to lock.

    Every grant has a *fencing token*, larger than all before it. An owner that was slow may believe
    it still holds the lock; what it writes to must refuse tokens below the largest it has seen (see
    `FencedStore`).

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     lock = runtime.register(Lock).getByName("printer")
        ...     runtime.run(lock.acquire("ada", 10_000))["token"]
        ...     runtime.run(lock.acquire("grace", 10_000))["granted"]
        ...     runs = runtime.advance("10s")
        ...     runtime.run(lock.acquire("grace", 10_000))["token"]
        1
        False
        2
    """

    async def acquire(self, owner: str, lease_ms: int = 30_000) -> dict[str, Any]:
        """Take the lock if it is free, or lengthen one's own lease.

        Args:
            owner: Who asks.
            lease_ms: How long it is held without a renewal, in ms, at least 1.

        Returns:
            `granted`; if so, `token` and `expiresAt` (ms since 1970); if not, the present `owner`
            and `retryAfterMs`, when its lease ends.

        Raises:
            ValueError: If the lease is below 1.
        """
        if lease_ms < 1:
            raise ValueError("a lease is 1 ms or more")
        now = int(time.time() * 1000)
        held = await self._held(now)
        if held is not None and held["owner"] != owner:
            wait_ms = held["expiresAt"] - now
            return {"granted": False, "owner": held["owner"], "retryAfterMs": wait_ms}
        token = held["token"] if held else (await self.ctx.storage.get("token") or 0) + 1
        held = {"owner": owner, "token": token, "expiresAt": now + lease_ms}
        await self.ctx.storage.put({"token": token, "held": held})
        return {"granted": True, "token": token, "expiresAt": held["expiresAt"]}

    async def renew(self, owner: str, token: int, lease_ms: int = 30_000) -> bool:
        """Lengthen a lease; returns False if it has ended, and the lock must be acquired anew."""
        now = int(time.time() * 1000)
        held = await self._held(now)
        if held is None or (held["owner"], held["token"]) != (owner, token):
            return False
        await self.ctx.storage.put("held", {**held, "expiresAt": now + lease_ms})
        return True

    async def release(self, owner: str, token: int) -> bool:
        """Release the lock; returns False if this owner and token do not hold it (any more)."""
        held = await self._held(int(time.time() * 1000))
        if held is None or (held["owner"], held["token"]) != (owner, token):
            return False
        await self.ctx.storage.delete("held")
        return True

    async def holder(self) -> dict[str, Any] | None:
        """Return owner, token and expiresAt, None if it is free."""
        return await self._held(int(time.time() * 1000))

    async def _held(self, now: int) -> dict[str, Any] | None:
        held: dict[str, Any] | None = await self.ctx.storage.get("held")
        return held if held is not None and held["expiresAt"] > now else None
