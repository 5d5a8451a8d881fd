"""What a lock protects: values that only the newest owner of the lock can change."""

from typing import Any

from workers import DurableObject


class FencedStore(DurableObject):
    """Refuses writes whose fencing token is older than one it has seen.

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     store = runtime.register(FencedStore).getByName("report")
        ...     [runtime.run(store.write(token, "text", str(token))) for token in (33, 34, 33)]
        ...     runtime.run(store.read("text"))
        [True, True, False]
        '34'
    """

    async def write(self, token: int, key: str, value: Any) -> bool:
        """Write a value; returns False, and writes nothing, if the token is out of date.

        Args:
            token: What the lock gave with the grant.
            key: The key.
            value: The value.
        """
        if token < (await self.ctx.storage.get("token") or 0):
            return False
        await self.ctx.storage.put({"token": token, f"value:{key}": value})
        return True

    async def read(self, key: str) -> Any:
        """Return a value, or None."""
        return await self.ctx.storage.get(f"value:{key}")
