"""A Worker behind another one: it has accounts, and an entrypoint for those who may change them."""

from helpers import shown
from workers import DurableObject, Response, WorkerEntrypoint


class Account(DurableObject):
    async def change(self, by):
        balance = (await self.ctx.storage.get("balance") or 0) + by
        if balance < 0:
            raise ValueError("not enough")
        await self.ctx.storage.put("balance", balance)
        return balance


class Cashier(WorkerEntrypoint):
    """Called by other Workers over RPC."""

    async def deposit(self, name, cents):
        balance = await self.env.STORE.getByName(name).change(cents)
        return {"name": name, "balance": balance, "shown": shown(balance)}

    async def spend(self, name, cents, on_done=None):
        balance = await self.env.STORE.getByName(name).change(-cents)
        if on_done is not None:
            await on_done(f"{name} has {shown(balance)}")
        return balance

    async def counter(self):
        count = 0

        def step(by=1):
            nonlocal count
            count += by
            return count

        return step


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(f"accounts at {request.url}", headers={"X-Worker": "accounts"})
