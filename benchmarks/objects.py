"""The objects of the workloads: ordinary classes, as a user writes them for the platform."""

import time
from typing import Any

from js import WebSocketPair
from workers import DurableObject, Response

LIMIT = 10
WINDOW_MS = 60_000
CREATE = "CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, v REAL, n INTEGER)"
INSERT = "INSERT INTO t(id, k, v, n) VALUES (?, ?, ?, ?)"
SELECT = "SELECT * FROM t WHERE k = ?"
AGGREGATE = "SELECT n % 10 AS g, count(*) AS c, sum(v) AS s FROM t GROUP BY g"


def now_ms() -> int:
    return round(time.time() * 1000)


class Counter(DurableObject):
    async def fetch(self, request):
        if request.url.endswith("/noop"):
            return Response("0")
        return Response(str(await self.increment()))

    async def increment(self):
        n = ((await self.ctx.storage.get("n")) or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

    async def create(self, value):
        await self.ctx.storage.put("k", value)


class Rpc(DurableObject):
    async def add(self, a, b):
        return a + b


class Limiter(DurableObject):
    async def check(self):
        now = now_ms()
        stamps = [t for t in (await self.ctx.storage.get("stamps")) or [] if t > now - WINDOW_MS]
        if len(stamps) >= LIMIT:
            return False
        stamps.append(now)
        await self.ctx.storage.put("stamps", stamps)
        return True


class Lister(DurableObject):
    async def fill(self, keys, batch):
        for i in range(0, keys, batch):
            entries = {f"k:{j:06}": {"i": j, "s": "x" * 50} for j in range(i, min(i + batch, keys))}
            await self.ctx.storage.put(entries)

    async def scan(self, times, limit):
        seen = 0
        for _ in range(times):
            seen += len(await self.ctx.storage.list({"prefix": "k:", "limit": limit}))
        return seen


class Sql(DurableObject):
    async def insert(self, rows):
        sql = self.ctx.storage.sql
        sql.exec(CREATE)
        sql.exec("CREATE INDEX t_k ON t(k)")
        for i in range(rows):
            sql.exec(INSERT, i, f"key{i}", i * 0.5, i % 97)

    async def select(self, times, rows):
        sql = self.ctx.storage.sql
        return sum([sql.exec(SELECT, f"key{i * 7919 % rows}").one().n for i in range(times)])

    async def aggregate(self, times):
        sql = self.ctx.storage.sql
        return sum([len(sql.exec(AGGREGATE).toArray()) for _ in range(times)])


class Ticker(DurableObject):
    """W8. One process holds every object, so a class variable can count for all."""

    runs = 0
    period: Any = None

    async def start(self, first, period):
        self.period = period
        await self.ctx.storage.setAlarm(first)

    async def stop(self):
        self.period = None
        await self.ctx.storage.deleteAlarm()

    async def alarm(self, alarm_info=None):
        Ticker.runs += 1
        if self.period is not None:
            await self.ctx.storage.setAlarm(now_ms() + self.period)


class Room(DurableObject):
    """The chat room of W9 and W9net."""

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        for peer in self.ctx.getWebSockets():
            peer.send(message)


CLASSES = (Counter, Rpc, Limiter, Lister, Sql, Ticker, Room)
