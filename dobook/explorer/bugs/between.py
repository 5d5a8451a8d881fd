"""Mistakes between objects: each is consistent, and together they are not."""

# ruff: noqa: D101, D102, D103 - each class says what it does in its few lines

import asyncio
from contextlib import suppress
from typing import Any

from dobook.explorer.bugs.base import Bug, Sample
from dobook.explorer.client import retry


class Account(Sample):
    def balance(self) -> int:
        found = self.kv.get("balance")
        return 100 if found is None else int(found)

    def change(self, amount: int, key: str | None = None) -> None:
        """Change the balance, once for each key."""
        if key is not None and self.kv.get(f"done:{key}") is not None:
            return
        self.kv.put("balance", self.balance() + amount)
        if key is not None:
            self.kv.put(f"done:{key}", "yes")


class Transfers(Sample):
    """Takes here and gives there; a crash in between loses the money."""

    async def transfer(self, amount: int) -> None:
        await self.env.ACCOUNT.getByName("ada").change(-amount)
        await self.env.ACCOUNT.getByName("bob").change(amount)


class LoggedTransfers(Sample):
    """Writes down what it intends, and continues until it is done."""

    async def transfer(self, amount: int) -> None:
        self.kv.put("pending", amount)
        await self.storage.setAlarm(1)

    async def alarm(self) -> None:
        amount = self.kv.get("pending")
        if amount is not None:
            await self.env.ACCOUNT.getByName("ada").change(-amount, "out")
            await self.env.ACCOUNT.getByName("bob").change(amount, "in")
            self.kv.delete("pending")


async def transfer_some_money(env: Any) -> None:
    with suppress(Exception):  # not knowing whether it worked, the client leaves it at that
        await env.TRANSFERS.getByName("all").transfer(30)
    await asyncio.sleep(3600)
    ada = await retry(lambda: env.ACCOUNT.getByName("ada").balance())
    bob = await retry(lambda: env.ACCOUNT.getByName("bob").balance())
    assert ada + bob == 200


class Mover(Sample):
    """Moves money; while it is on its way, it is on neither account."""

    async def move(self, amount: int) -> None:
        await self.env.ACCOUNT.getByName("ada").change(-amount)
        await self.env.ACCOUNT.getByName("bob").change(amount)

    async def total(self) -> int:
        ada = await self.env.ACCOUNT.getByName("ada").balance()
        bob = await self.env.ACCOUNT.getByName("bob").balance()
        return int(ada + bob)


class SingleLedger(Sample):
    """Has both balances, so that one turn changes them and one turn reads them."""

    async def move(self, amount: int) -> None:
        self.kv.put("ada", self.balance("ada") - amount)
        self.kv.put("bob", self.balance("bob") + amount)

    async def total(self) -> int:
        return self.balance("ada") + self.balance("bob")

    def balance(self, who: str) -> int:
        found = self.kv.get(who)
        return 100 if found is None else int(found)


async def count_while_moving(env: Any) -> None:
    mover = env.MOVER.getByName("all")

    async def move() -> None:
        await mover.move(30)

    async def count() -> None:
        await asyncio.sleep(0.001)
        total = await mover.total()
        assert total == 200

    await asyncio.gather(move(), count())


class Shop(Sample):
    """Takes every order it is sent, also the same one twice."""

    def order(self, item: str, key: str) -> int:
        self.kv.put("orders", self.orders() + 1)
        return self.orders()

    def orders(self) -> int:
        return self.kv.get("orders") or 0


class KeyedShop(Shop):
    def order(self, item: str, key: str) -> int:
        if self.kv.get(key) is None:
            self.kv.put(key, item)
            self.kv.put("orders", self.orders() + 1)
        return self.orders()


async def order_once(env: Any) -> None:
    await retry(lambda: env.SHOP.getByName("tea").order("oolong", "order 1"))
    assert await retry(lambda: env.SHOP.getByName("tea").orders()) == 1


class Printer(Sample):
    async def print(self) -> None:
        self.kv.put("pages", self.pages() + 1)

    def pages(self) -> int:
        return self.kv.get("pages") or 0


class Tickets(Sample):
    """Notes that it has worked on a request only after it has."""

    async def issue(self, key: str) -> None:
        if self.kv.get(key) is None:
            await self.env.PRINTER.getByName("one").print()
            self.kv.put(key, "done")


class ReservingTickets(Sample):
    async def issue(self, key: str) -> None:
        if self.kv.get(key) is None:
            self.kv.put(key, "under way")
            await self.env.PRINTER.getByName("one").print()
            self.kv.put(key, "done")


async def press_the_button_again(env: Any) -> None:
    async def press(after_s: float) -> None:
        await asyncio.sleep(after_s)
        await env.TICKETS.getByName("desk").issue("ada")

    await asyncio.gather(press(0), press(0.3))
    assert await env.PRINTER.getByName("one").pages() <= 1


class Queue(Sample):
    """Hands a job out and forgets it; if the answer is lost, so is the job."""

    def add(self, job: str) -> None:
        if job not in self.jobs():
            self.kv.put("jobs", [*self.jobs(), job])

    def jobs(self) -> list[str]:
        return self.kv.get("jobs") or []

    def take(self) -> str | None:
        jobs = self.jobs()
        self.kv.put("jobs", jobs[1:])
        return jobs[0] if jobs else None

    def done(self, job: str) -> None:
        """Note that a job has been done."""


class AcknowledgedQueue(Queue):
    def take(self) -> str | None:
        jobs = self.jobs()
        return jobs[0] if jobs else None

    def done(self, job: str) -> None:
        self.kv.put("jobs", [other for other in self.jobs() if other != job])


async def work_off_a_queue(env: Any) -> None:
    worked = []
    await retry(lambda: env.QUEUE.getByName("jobs").add("wash up"))
    while (job := await retry(lambda: env.QUEUE.getByName("jobs").take())) is not None:
        worked.append(job)
        await retry(lambda: env.QUEUE.getByName("jobs").done(job))
    assert "wash up" in worked


BUGS = [
    Bug(
        "transfer without a log",
        "A crash between two calls leaves the first alone; write the intention down and finish it "
        "from an alarm, with keys that make repeating harmless.",
        transfer_some_money,
        {"TRANSFERS": Transfers, "ACCOUNT": Account},
        {"TRANSFERS": LoggedTransfers, "ACCOUNT": Account},
    ),
    Bug(
        "inconsistent snapshot",
        "Reading several objects one after the other may see money that is on its way on neither; "
        "what has to agree belongs in one object.",
        count_while_moving,
        {"MOVER": Mover, "ACCOUNT": Account},
        {"MOVER": SingleLedger, "ACCOUNT": Account},
    ),
    Bug(
        "double submit",
        "A client whose answer was lost asks again; a key tells that it is the same request.",
        order_once,
        {"SHOP": Shop},
        {"SHOP": KeyedShop},
    ),
    Bug(
        "idempotency key written too late",
        "Two requests with one key both find it unused while the first is waiting; write it before.",
        press_the_button_again,
        {"TICKETS": Tickets, "PRINTER": Printer},
        {"TICKETS": ReservingTickets, "PRINTER": Printer},
    ),
    Bug(
        "queue that forgets what it hands out",
        "An answer may be lost after its writes are durable; delete a job when it is done.",
        work_off_a_queue,
        {"QUEUE": Queue},
        {"QUEUE": AcknowledgedQueue},
    ),
]
