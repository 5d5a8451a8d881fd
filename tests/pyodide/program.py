"""What the engine must do in a browser too; run by `run.mjs`, prints what the test expects."""

import asyncio
import time

import dobook
from dobook.web import URL


class Counter:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def increment(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        await self.ctx.storage.setAlarm(time.time() * 1000 + 3_600_000)
        return n

    async def slow_increment(self):
        n = await self.ctx.storage.get("n")
        await asyncio.sleep(60)
        await self.ctx.storage.put("n", n + 1)

    def table(self):
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE IF NOT EXISTS t (a)")
        sql.exec("INSERT INTO t VALUES (?)", 5)
        return sql.exec("SELECT sum(a) AS a FROM t").one()["a"]

    async def alarm(self):
        await self.ctx.storage.put("n", 0)


class Echo:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def fetch(self, request):
        from js import WebSocketPair
        from workers import Response

        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, socket, message):
        socket.send(message.upper())


runtime = dobook.Runtime()
counter = runtime.register(Counter).getByName("a")


async def many(method):
    return await asyncio.gather(*[method() for _ in range(10)])


print(runtime.run(many(counter.increment)))
runtime.run(many(counter.slow_increment))
print(await counter.increment())  # nine of ten updates are lost across a timer
print(await counter.table())
print(runtime.advance("1h")[0])
print(URL("../b?c", "HTTP://Example.com:80/a/d").href)
runtime.register(Echo)
client = runtime.connect("ECHO/a")
client.send("heard")
runtime.settle()
print(client.messages)
runtime.close()
try:
    dobook.Runtime("state")
except dobook.errors.StateDirectoryError as error:
    print(error)
