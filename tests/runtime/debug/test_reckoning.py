"""What keeps an object awake, circles of objects that wait, and what objects cost."""

import asyncio

import pytest

from dobook.errors import DeadlockError, PlatformError
from dobook.limits import PRICES


class Base:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env


class Busy(Base):
    async def nap(self, seconds):
        await asyncio.sleep(seconds)

    async def ask(self, name, seconds):
        await self.env.BUSY.getByName(name).nap(seconds)

    def background(self, seconds):
        self.ctx.waitUntil(asyncio.sleep(seconds))

    def own_task(self, seconds):
        self.task = asyncio.create_task(asyncio.sleep(seconds))

    async def block_and_ask(self, name):
        await self.ctx.blockConcurrencyWhile(lambda: self.env.BUSY.getByName(name).quick())

    def quick(self):
        return 1

    async def for_ever(self, name):
        await self.env.BUSY.getByName(name).wait()

    async def wait(self):
        await asyncio.Event().wait()


class Stores(Base):
    async def keys(self):
        storage = self.ctx.storage
        await storage.put("a", 1)
        await storage.put({"b": 2, "c": 3})
        await storage.get("a")
        await storage.get(["a", "b"])
        await storage.list()
        await storage.delete("a")
        await storage.delete(["b", "missing"])

    def rows(self):
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE t(x INTEGER PRIMARY KEY)")
        sql.exec("INSERT INTO t VALUES (1), (2), (3)")
        sql.exec("SELECT x FROM t").toArray()
        next(iter(sql.exec("SELECT x FROM t")))

    def sync(self):
        kv = self.ctx.storage.kv
        kv.put("x", 1)
        kv.get("x")
        list(kv.list())
        kv.delete("x")

    async def large(self):
        await self.ctx.storage.put("big", "x" * 9_000)
        await self.ctx.storage.get("big")
        await self.ctx.storage.get("none")

    async def ring(self):
        await self.ctx.storage.setAlarm(1)

    def alarm(self):
        pass

    async def wait(self, seconds):
        await asyncio.sleep(seconds)


@pytest.fixture
def busy(runtime):
    return runtime.register(Busy).getByName("a")


@pytest.fixture
def stores(runtime):
    runtime.costs()
    return runtime.register(Stores).getByName("a")


def cost(runtime, label="STORES/a"):
    (found,) = (c for c in runtime.costs() if c.object == label)
    return found


@pytest.mark.parametrize(
    ("method", "args", "reasons"),
    [
        ("nap", (60,), ["nap() is under way"]),
        ("quick", (), []),
        (
            "ask",
            ("b", 60),
            ["ask() is under way", "it waits for BUSY/b to answer nap()"],
        ),
        (
            "background",
            (60,),
            ["1 piece of work of waitUntil(), blockConcurrencyWhile() or a transaction"],
        ),
        ("own_task", (60,), ["1 task that its code has started, with a timer for instance"]),
    ],
)
def test_why_awake_names_what_keeps_it_from_sleeping(runtime, busy, method, args, reasons):
    call = getattr(busy, method)(*args)
    runtime.settle()
    assert runtime.why_awake(busy) == reasons
    runtime.advance(61_000)
    assert runtime.why_awake("BUSY/a") == []
    del call


def test_what_is_not_in_memory_sleeps(runtime, busy):
    assert runtime.why_awake(busy) == []


def test_objects_that_block_and_wait_for_each_other_are_named(runtime, busy):
    runtime.tracing = True
    other = runtime.stub("BUSY/b")

    async def both():
        return await asyncio.gather(
            busy.block_and_ask("b"), other.block_and_ask("a"), return_exceptions=True
        )

    errors = runtime.run(both())
    assert all(error.overloaded for error in errors)
    notes = " ".join(errors[0].__notes__)
    assert "BUSY/a waits for BUSY/b to answer quick()" in notes
    assert "which waits for BUSY/a to answer quick()" in notes
    assert "the input gate of BUSY/a is shut by blockConcurrencyWhile()" in notes
    assert [e.object for e in runtime.trace() if e.kind == "deadlock"] == ["BUSY/a"]


def test_an_object_that_calls_itself_in_a_block_is_named(runtime, busy):
    with pytest.raises(PlatformError, match="waited for too long") as caught:
        runtime.run(busy.block_and_ask("a"))
    assert "BUSY/a waits for BUSY/a to answer quick()" in " ".join(caught.value.__notes__)


def test_a_wait_that_can_never_end_says_what_is_under_way(runtime, busy):
    with pytest.raises(DeadlockError, match="BUSY/b rpc wait"):
        runtime.run(busy.for_ever("b"))


def test_rows_are_counted_as_the_platform_bills_them(runtime, stores):
    runtime.run(stores.keys())
    found = cost(runtime)
    assert (found.reads, found.writes) == (1 + 2 + 3, 1 + 2 + 1 + 2)
    assert found.requests == 1
    expected = PRICES.request + 6 * PRICES.row_read + 6 * PRICES.row_written
    assert found.usd == pytest.approx(expected)


def test_synchronous_and_sql_rows_are_counted(runtime, stores):
    runtime.run(stores.sync())
    found = cost(runtime)
    assert (found.reads, found.writes) == (2, 2)
    runtime.run(stores.rows())
    found = cost(runtime)
    assert found.reads in (2 + 3 + 1, 2 + 3 + 2)  # the platform is one row ahead of its reader
    assert found.writes >= 2 + 3


def test_a_class_of_the_other_kind_is_billed_by_units_of_4_kb(runtime):
    runtime.costs()
    stub = runtime.register(Stores, "OLD", name="Old", sqlite=False).getByName("a")
    runtime.run(stub.large())
    found = cost(runtime, "OLD/a")
    assert (found.reads, found.writes, found.sqlite) == (3 + 1, 3, False)


def test_an_alarm_is_a_write_and_a_request(runtime, stores):
    runtime.run(stores.ring())
    runtime.advance(1000)
    found = cost(runtime)
    assert (found.writes, found.requests) == (1, 2)


def test_duration_is_memory_times_the_time_it_was_at_work(runtime, stores):
    async def together():
        await asyncio.gather(stores.wait(10), stores.wait(5))

    runtime.run(together())
    assert cost(runtime).gb_s == pytest.approx(10 * PRICES.memory_gb)
    call = stores.wait(100)
    runtime.advance(1000)
    assert cost(runtime).gb_s == pytest.approx(11 * PRICES.memory_gb)
    del call


def test_counts_go_on_when_the_object_has_left_memory(runtime, stores):
    runtime.run(stores.keys())
    runtime.run(runtime.evict(stores))
    assert cost(runtime).reads == 6
    runtime.run(stores.keys())
    found = cost(runtime)
    assert (found.reads, found.writes, found.requests) == (12, 12, 2)
    assert found.stored_bytes > 0


def test_nothing_is_counted_before_somebody_asks(runtime):
    stub = runtime.register(Stores).getByName("a")
    runtime.run(stub.keys())
    assert (cost(runtime).reads, cost(runtime).requests) == (0, 1)
    runtime.costs()
    runtime.run(stub.large())
    assert cost(runtime).reads == 2
