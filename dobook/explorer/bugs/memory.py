"""Mistakes with what an object keeps in memory, which lasts only as long as its instance."""

# ruff: noqa: D101, D102, D103 - each class says what it does in its few lines

import asyncio
from contextlib import suppress
from typing import Any

from dobook.explorer.bugs.base import Bug, Sample
from dobook.explorer.client import retry


class Basket(Sample):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.items: list[str] = []

    def add(self, item: str) -> None:
        self.items.append(item)

    def contents(self) -> list[str]:
        return self.items


class StoredBasket(Sample):
    def add(self, item: str) -> None:
        self.kv.put("items", [*self.contents(), item])

    def contents(self) -> list[str]:
        return self.kv.get("items") or []


async def fill_a_basket(env: Any) -> None:
    await retry(lambda: env.BASKET.getByName("ada").add("tea"))
    assert "tea" in await retry(lambda: env.BASKET.getByName("ada").contents())


class Quota(Sample):
    """Loads what it needs in the background of its constructor."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.used = 0
        ctx.waitUntil(self.load())

    async def load(self) -> None:
        self.used = await self.storage.get("used") or 0

    async def take(self) -> int:
        self.used += 1
        await self.storage.put("used", self.used)
        return self.used


class BlockedQuota(Quota):
    def __init__(self, ctx: Any, env: Any) -> None:
        Sample.__init__(self, ctx, env)
        self.used = 0
        ctx.blockConcurrencyWhile(self.load)


async def take_twice(env: Any) -> None:
    first = await retry(lambda: env.QUOTA.getByName("ada").take())
    second = await retry(lambda: env.QUOTA.getByName("ada").take())
    assert second > first


class Payments(Sample):
    async def charge(self, order: str) -> None:
        self.kv.put(order, "charged")


class Hotel(Sample):
    """Takes a room away in memory before it knows that it has been paid for."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        found = self.kv.get("free")
        self.free = 3 if found is None else found

    async def book(self, order: str) -> None:
        self.free -= 1
        await self.env.PAYMENTS.getByName("bank").charge(order)
        self.kv.put("free", self.free)
        self.kv.put("booked", (self.kv.get("booked") or 0) + 1)

    def state(self) -> list[int]:
        return [self.free, self.kv.get("booked") or 0]


class PaidHotel(Hotel):
    async def book(self, order: str) -> None:
        await self.env.PAYMENTS.getByName("bank").charge(order)
        self.free -= 1
        self.kv.put("free", self.free)
        self.kv.put("booked", (self.kv.get("booked") or 0) + 1)


async def book_a_room(env: Any) -> None:
    with suppress(Exception):  # the guest goes elsewhere
        await env.HOTEL.getByName("grand").book("order 1")
    free, booked = await retry(lambda: env.HOTEL.getByName("grand").state())
    assert free + booked == 3


class Catalog(Sample):
    def price(self) -> int:
        return self.kv.get("price") or 10

    async def change(self, price: int) -> None:
        self.kv.put("price", price)
        await self.env.SHOP.getByName("corner").forget_price()


class Shop(Sample):
    """Caches a price; an answer that was under way fills the cache after it was emptied."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.known: int | None = None
        self.changes = 0

    def forget_price(self) -> None:
        self.known = None
        self.changes += 1

    async def price(self) -> int:
        if self.known is None:
            self.known = await self.env.CATALOG.getByName("main").price()
        return self.known


class VersionedShop(Shop):
    async def price(self) -> int:
        if self.known is not None:
            return self.known
        changes = self.changes
        price: int = await self.env.CATALOG.getByName("main").price()
        if changes == self.changes:
            self.known = price
        return price


async def change_a_price(env: Any) -> None:
    async def look() -> None:
        await retry(lambda: env.SHOP.getByName("corner").price())

    async def change() -> None:
        await retry(lambda: env.CATALOG.getByName("main").change(12))

    await asyncio.gather(look(), change())
    assert await retry(lambda: env.SHOP.getByName("corner").price()) == 12


BUGS = [
    Bug(
        "forgotten in memory",
        "An object that is evicted or crashes forgets its attributes; what matters belongs in "
        "storage.",
        fill_a_basket,
        {"BASKET": Basket},
        {"BASKET": StoredBasket},
    ),
    Bug(
        "constructor race",
        "Requests arrive while the constructor's own work is under way; blockConcurrencyWhile "
        "makes them wait.",
        take_twice,
        {"QUOTA": Quota},
        {"QUOTA": BlockedQuota},
    ),
    Bug(
        "memory ahead of the facts",
        "What was changed in memory before a call that fails stays changed; change it after.",
        book_a_room,
        {"HOTEL": Hotel, "PAYMENTS": Payments},
        {"HOTEL": PaidHotel, "PAYMENTS": Payments},
    ),
    Bug(
        "stale answer fills the cache",
        "An old answer may arrive after the cache was emptied; a version tells that it is old.",
        change_a_price,
        {"SHOP": Shop, "CATALOG": Catalog},
        {"SHOP": VersionedShop, "CATALOG": Catalog},
    ),
]
