"""Mistakes with what an object says: too early, in the wrong order, or to those who have left."""

# ruff: noqa: D101, D102, D103 - each class says what it does in its few lines

import asyncio
from contextlib import suppress
from typing import Any

from dobook.errors import PlatformError
from dobook.explorer.bugs.base import Bug, Sample
from dobook.explorer.client import retry
from dobook.runtime.sockets.websocket import WebSocketPair
from dobook.web import Response


class Ledger(Sample):
    """Answers before its write is durable."""

    async def enter(self, amount: int) -> str:
        await self.storage.put("amount", amount, allowUnconfirmed=True)
        return "entered"

    async def amount(self) -> Any:
        return await self.storage.get("amount")


class ConfirmedLedger(Ledger):
    async def enter(self, amount: int) -> str:
        await self.storage.put("amount", amount)
        return "entered"


async def enter_an_amount(env: Any) -> None:
    await retry(lambda: env.LEDGER.getByName("a").enter(5))
    assert await retry(lambda: env.LEDGER.getByName("a").amount()) == 5


class Signups(Sample):
    """Says yes and leaves the work for later, in memory."""

    async def sign_up(self, name: str) -> str:
        self.ctx.waitUntil(self.work(name))
        return "welcome"

    async def work(self, name: str) -> None:
        await asyncio.sleep(0.5)
        self.kv.put(name, "member")

    def knows(self, name: str) -> bool:
        return self.kv.get(name) is not None


class DurableSignups(Signups):
    async def sign_up(self, name: str) -> str:
        self.kv.put(name, "member")
        return "welcome"


async def sign_up_and_return(env: Any) -> None:
    await retry(lambda: env.SIGNUPS.getByName("club").sign_up("ada"))
    await asyncio.sleep(60)
    assert await retry(lambda: env.SIGNUPS.getByName("club").knows("ada"))


class Room(Sample):
    """Goes through its visitors and waits meanwhile, in which one may leave."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.visitors: set[Any] = set()

    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair().object_values()
        server.accept()
        self.visitors.add(server)
        server.addEventListener("close", lambda event: self.visitors.discard(server))
        return Response(None, status=101, web_socket=client)

    async def tell(self, text: str) -> int:
        told = 0
        for visitor in self.visitors:
            visitor.send(text)
            told += 1
            await asyncio.sleep(0.01)
        return told


class CopyingRoom(Room):
    async def tell(self, text: str) -> int:
        told = 0
        for visitor in list(self.visitors):
            if visitor in self.visitors:
                visitor.send(text)
                told += 1
            await asyncio.sleep(0.01)
        return told


class Visitor:
    """Somebody outside who listens to a room."""

    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    async def enter(self, stub: Any) -> "Visitor":
        response = await stub.fetch("http://room/", headers={"Upgrade": "websocket"})
        self.socket = response.web_socket
        self.socket.addEventListener("message", lambda event: self.heard.append(event.data))
        self.socket.accept()
        return self

    def leave(self) -> None:
        self.socket.close(1000, "bye")


async def leave_while_it_speaks(env: Any) -> None:
    room = env.ROOM.getByName("a")
    heard: list[str] = []
    visitors = [await Visitor(heard).enter(room) for _ in range(3)]

    async def leave() -> None:
        await asyncio.sleep(0.1)
        visitors[0].leave()

    await asyncio.gather(room.tell("hello"), leave())


class Feed(Sample):
    """Numbers a message, has it checked, and publishes it: by then, others may have overtaken."""

    async def publish(self, text: str) -> None:
        number = (self.kv.get("number") or 0) + 1
        self.kv.put("number", number)
        await self.env.CENSOR.getByName("one").check(text)
        self.say(number)

    def say(self, number: int) -> None:
        self.kv.put("said", [*self.said(), number])

    def said(self) -> list[int]:
        return self.kv.get("said") or []


class OrderedFeed(Feed):
    async def publish(self, text: str) -> None:
        await self.env.CENSOR.getByName("one").check(text)
        number = (self.kv.get("number") or 0) + 1
        self.kv.put("number", number)
        self.say(number)


class Censor(Sample):
    async def check(self, text: str) -> None:
        await asyncio.sleep(len(text) / 1000)


async def publish_two(env: Any) -> None:
    async def publish(text: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await env.FEED.getByName("news").publish(text)

    await asyncio.gather(publish("long text", 0), publish("short", 0.006))
    said = await env.FEED.getByName("news").said()
    assert said == sorted(said)


class Presence(Sample):
    """Counts who comes and who goes; a crash loses connections, and nobody has gone."""

    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair().object_values()
        self.ctx.acceptWebSocket(server)
        self.kv.put("present", (self.kv.get("present") or 0) + 1)
        return Response(None, status=101, web_socket=client)

    def webSocketClose(self, ws: Any, code: int, reason: str, was_clean: Any) -> None:
        self.kv.put("present", (self.kv.get("present") or 0) - 1)

    def present(self) -> list[int]:
        return [self.kv.get("present") or 0, len(self.ctx.getWebSockets())]


class CountingPresence(Presence):
    def present(self) -> list[int]:
        count = len(self.ctx.getWebSockets())
        return [count, count]


async def come_and_ask(env: Any) -> None:
    with suppress(PlatformError):  # it was not let in, or lost on the way
        await Visitor([]).enter(env.PRESENCE.getByName("a"))
    counted, there = await retry(lambda: env.PRESENCE.getByName("a").present())
    assert counted == there


BUGS = [
    Bug(
        "answer before durability",
        "allowUnconfirmed lets the answer go before the write is durable; a crash then makes it a "
        "lie.",
        enter_an_amount,
        {"LEDGER": Ledger},
        {"LEDGER": ConfirmedLedger},
    ),
    Bug(
        "work left to waitUntil",
        "What waitUntil still has to do is lost when the object crashes; write first, or use an "
        "alarm.",
        sign_up_and_return,
        {"SIGNUPS": Signups},
        {"SIGNUPS": DurableSignups},
    ),
    Bug(
        "broadcast during a disconnect",
        "While a loop over the visitors waits, one may leave; go over a copy.",
        leave_while_it_speaks,
        {"ROOM": Room},
        {"ROOM": CopyingRoom},
    ),
    Bug(
        "numbers out of order",
        "What was numbered before a wait may be overtaken; number it when it is said.",
        publish_two,
        {"FEED": Feed, "CENSOR": Censor},
        {"FEED": OrderedFeed, "CENSOR": Censor},
    ),
    Bug(
        "presence that drifts",
        "A crash loses connections without a close event; count the sockets instead.",
        come_and_ask,
        {"PRESENCE": Presence},
        {"PRESENCE": CountingPresence},
    ),
]
