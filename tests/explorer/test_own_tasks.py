"""Tasks of one object that await its storage go on in any order, and events wait for all of them."""

import asyncio

import pytest

import dobook
from dobook.explorer.strategies.table import STRATEGIES

each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
SEEN = set()


class Own:
    def __init__(self, ctx, env):
        self.storage = ctx.storage
        self.order = []
        self.price = None

    async def step(self, name):
        for number in range(2):
            self.order.append(f"{name}{number}")
            await self.storage.get("x")

    async def both(self):
        await asyncio.gather(self.step("a"), self.step("b"))
        return " ".join(self.order)

    async def add(self):
        beside = [asyncio.create_task(self.storage.get(key)) for key in "pq"]
        n = await self.storage.get("n") or 0
        await self.storage.list()
        await self.storage.put("n", n + 1)
        await asyncio.gather(*beside)
        return n + 1

    async def load(self):
        self.price = await self.storage.get("price") or 5

    async def look_up(self):
        await self.storage.get("stock")
        await self.storage.get("buyer")
        return self.price * 2

    async def sell(self):
        return (await asyncio.gather(self.load(), self.look_up()))[1]


async def two_tasks(env):
    SEEN.add(await env.OWN.getByName("a").both())


async def adding(env):
    own = [env.OWN.getByName("a") for _ in range(3)]
    assert sorted(await asyncio.gather(*(one.add() for one in own))) == [1, 2, 3]


async def selling(env):
    assert await env.OWN.getByName("a").sell() == 10


@each_strategy
def test_any_task_of_an_object_may_go_on_after_a_storage_operation(strategy):
    SEEN.clear()
    assert dobook.explore(two_tasks, Own, runs=1, jobs=1, strategy=strategy).ok
    assert {"a0 b0 a1 b1"} == SEEN  # as with the engine
    dobook.explore(two_tasks, Own, runs=60, faults="none", jobs=1, strategy=strategy)
    assert {"a0 b0 a1 b1", "a0 b0 b1 a1", "a0 a1 b0 b1"} == SEEN


@each_strategy
def test_no_event_comes_between_the_tasks_of_another(strategy):
    report = dobook.explore(adding, Own, runs=60, faults="delay", jobs=1, strategy=strategy)
    assert report.ok, report
    assert report.distinct > 10


@each_strategy
def test_a_task_that_counts_on_the_order_of_another_is_found(strategy):
    report = dobook.explore(selling, Own, runs=60, faults="none", jobs=1, strategy=strategy)
    assert report.failed, report
    assert "NoneType" in str(report.failure)
    again = dobook.replay(report.line, selling, Own)
    assert again.failure == report.failure
    assert dobook.explore(selling, Own, runs=1, jobs=1).ok
