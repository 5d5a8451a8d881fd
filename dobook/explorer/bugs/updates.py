"""Mistakes within one object: letting go of it between reading and writing."""

# ruff: noqa: D101, D102, D103 - each class says what it does in its few lines

import asyncio
from contextlib import suppress
from typing import Any

from dobook.explorer.bugs.base import Bug, Sample
from dobook.explorer.client import retry


class Counter(Sample):
    """Sleeps between reading and writing."""

    async def increment(self) -> int:
        n = await self.storage.get("n") or 0
        await asyncio.sleep(0.05)
        await self.storage.put("n", n + 1)
        return int(n + 1)


class AtomicCounter(Sample):
    async def increment(self) -> int:
        await asyncio.sleep(0.05)
        n = await self.storage.get("n") or 0
        await self.storage.put("n", n + 1)
        return int(n + 1)


async def increment_now_and_then(env: Any) -> None:
    async def one(after_s: float) -> Any:
        await asyncio.sleep(after_s)
        return await env.COUNTER.getByName("a").increment()

    first, second = await asyncio.gather(one(0), one(0.1))
    assert first != second


class Rates(Sample):
    def rate(self) -> int:
        return 2


class Purse(Sample):
    """Asks another object between reading and writing."""

    async def pay_in(self, amount: int) -> int:
        balance = self.kv.get("balance") or 0
        rate = await self.env.RATES.getByName("today").rate()
        self.kv.put("balance", balance + amount * rate)
        return int(balance + amount * rate)

    def balance(self) -> int:
        return self.kv.get("balance") or 0


class CarefulPurse(Purse):
    async def pay_in(self, amount: int) -> int:
        rate = await self.env.RATES.getByName("today").rate()
        balance = self.kv.get("balance") or 0
        self.kv.put("balance", balance + amount * rate)
        return int(balance + amount * rate)


async def pay_in_in_turn(env: Any) -> None:
    async def one(after_s: float, amount: int) -> Any:
        await asyncio.sleep(after_s)
        return await env.PURSE.getByName("ada").pay_in(amount)

    await asyncio.gather(one(0, 10), one(0.01, 100))
    assert await env.PURSE.getByName("ada").balance() == 220


class Bank(Sample):
    async def approve(self, buyer: str) -> bool:
        await asyncio.sleep(0.02)
        return True


class Theatre(Sample):
    """Checks that a seat is free, asks the bank, and gives the seat away."""

    async def buy(self, seat: str, buyer: str) -> bool:
        if self.kv.get(seat) is not None:
            return False
        if not await self.env.BANK.getByName("one").approve(buyer):
            return False
        self.kv.put(seat, buyer)
        return True


class HoldingTheatre(Sample):
    async def buy(self, seat: str, buyer: str) -> bool:
        if self.kv.get(seat) is not None:
            return False
        self.kv.put(seat, f"held for {buyer}")
        if not await self.env.BANK.getByName("one").approve(buyer):
            self.kv.delete(seat)
            return False
        self.kv.put(seat, buyer)
        return True


async def want_the_same_seat(env: Any) -> None:
    async def one(after_s: float, buyer: str) -> Any:
        await asyncio.sleep(after_s)
        return await env.THEATRE.getByName("hall").buy("A1", buyer)

    got = await asyncio.gather(one(0, "ada"), one(0.03, "bob"))
    assert sum(got) <= 1


class Names(Sample):
    """Looks a name up with the gate left open, and takes it."""

    async def claim(self, name: str, owner: str) -> bool:
        if await self.storage.get(name, allowConcurrency=True) is not None:
            return False
        await self.storage.put(name, owner)
        return True


class GatedNames(Sample):
    async def claim(self, name: str, owner: str) -> bool:
        if await self.storage.get(name) is not None:
            return False
        await self.storage.put(name, owner)
        return True


async def claim_one_name(env: Any) -> None:
    names = env.NAMES.getByName("all")
    got = await asyncio.gather(names.claim("blue", "ada"), names.claim("blue", "bob"))
    assert sum(got) == 1


class Order(Sample):
    """Writes its two halves in two turns."""

    async def place(self, item: str) -> None:
        self.kv.put("item", item)
        await asyncio.sleep(0)
        self.kv.put("state", "placed")

    def halves(self) -> list[Any]:
        return [self.kv.get("item"), self.kv.get("state")]


class WholeOrder(Order):
    async def place(self, item: str) -> None:
        await asyncio.sleep(0)
        self.kv.put("item", item)
        self.kv.put("state", "placed")


async def place_an_order(env: Any) -> None:
    with suppress(Exception):  # the shop closes its laptop
        await env.ORDER.getByName("1").place("tea")
    item, state = await retry(lambda: env.ORDER.getByName("1").halves())
    assert (item is None) == (state is None)


class Sink(Sample):
    def take(self, lines: list[str]) -> None:
        known = self.kv.get("lines") or []
        self.kv.put("lines", known + [line for line in lines if line not in known])

    def lines(self) -> list[str]:
        return self.kv.get("lines") or []


class Buffer(Sample):
    """Sends what it has, then deletes everything: also what has come in meanwhile."""

    def add(self, line: str) -> None:
        self.kv.put(f"line:{line}", line)

    async def flush(self) -> None:
        rows = await self.storage.list(prefix="line:")
        await self.env.SINK.getByName("all").take(list(rows.values()))
        await self.storage.deleteAll()


class ExactBuffer(Buffer):
    async def flush(self) -> None:
        rows = await self.storage.list(prefix="line:")
        await self.env.SINK.getByName("all").take(list(rows.values()))
        await self.storage.delete(list(rows))


async def flush_while_adding(env: Any) -> None:
    async def add() -> None:
        await asyncio.sleep(0.05)
        await retry(lambda: env.BUFFER.getByName("log").add("two"))

    async def flush() -> None:
        await retry(lambda: env.BUFFER.getByName("log").flush())

    await retry(lambda: env.BUFFER.getByName("log").add("one"))
    await asyncio.gather(flush(), add())
    await flush()
    assert sorted(await retry(lambda: env.SINK.getByName("all").lines())) == ["one", "two"]


BUGS = [
    Bug(
        "lost update across a timer",
        "While a handler sleeps, others run; read after the sleep, not before.",
        increment_now_and_then,
        {"COUNTER": Counter},
        {"COUNTER": AtomicCounter},
    ),
    Bug(
        "lost update across a subrequest",
        "While a handler waits for another object, others run; read after the answer.",
        pay_in_in_turn,
        {"PURSE": Purse, "RATES": Rates},
        {"PURSE": CarefulPurse, "RATES": Rates},
    ),
    Bug(
        "check, then act, across a subrequest",
        "What was checked may have changed when the answer comes; take it first.",
        want_the_same_seat,
        {"THEATRE": Theatre, "BANK": Bank},
        {"THEATRE": HoldingTheatre, "BANK": Bank},
    ),
    Bug(
        "unique name with an open gate",
        "allowConcurrency lets other events in while storage is read; checking needs the gate.",
        claim_one_name,
        {"NAMES": Names},
        {"NAMES": GatedNames},
    ),
    Bug(
        "torn write",
        "Writes with a wait between them are two commits, and a crash may leave the first alone; "
        "write in one turn.",
        place_an_order,
        {"ORDER": Order},
        {"ORDER": WholeOrder},
    ),
    Bug(
        "flush deletes newcomers",
        "What came in during a subrequest is not what was sent; delete exactly what was.",
        flush_while_adding,
        {"BUFFER": Buffer, "SINK": Sink},
        {"BUFFER": ExactBuffer, "SINK": Sink},
    ),
]
