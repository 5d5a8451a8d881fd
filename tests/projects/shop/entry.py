"""A Worker in front: it fetches another one, and calls its methods."""

from urllib.parse import urlparse

from helpers import shown
from workers import DurableObject, Response, WorkerEntrypoint


class Shelf(DurableObject):
    async def take(self):
        count = await self.ctx.storage.get("count")
        count = (3 if count is None else count) - 1
        await self.ctx.storage.put("count", count)
        return count


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = urlparse(request.url).path
        if path == "/accounts":
            return await self.env.ACCOUNTS.fetch(request)
        if path == "/deposit":
            account = await self.env.CASHIER.deposit("ada", 500)
            return Response.json({**account, "attribute": account.balance})
        if path == "/buy":
            told = []
            await self.env.CASHIER.spend("ada", 200, told.append)
            left = await self.env.STORE.getByName("tea").take()
            return Response(f"{told[0]}; {shown(left)}")
        if path == "/count":
            counter = await self.env.CASHIER.counter()
            return Response(f"{await counter(2)}, {await counter()}")
        if path == "/broke":
            try:
                await self.env.CASHIER.spend("bob", 1)
            except Exception as error:
                return Response(f"refused: {error}", status=402)
        return Response("Not found", status=404)
