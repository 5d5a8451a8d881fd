"""Promise: what one event wrote stays, whatever a later event of the same instant does to itself.

Source: cloudflare/workerd src/workerd/io/actor-sqlite.c++ (`ImplicitTxn`)
"""

import asyncio
import contextlib
import itertools

import pytest

import dobook
from dobook.web import Response


class Books:
    failing = False

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.storage = ctx.storage
        if self.failing:
            self.storage.kv.put("constructor", "wrote")
            raise ValueError("constructor")

    def alarm(self):
        pass

    async def everything(self):
        self.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(v)")
        rows = self.storage.sql.exec("SELECT v FROM t ORDER BY v").toArray()
        kept = dict(await self.storage.list())
        return [kept, [row.v for row in rows], await self.storage.getAlarm()]

    def table(self):
        self.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(v)")

    async def write(self, how, n):
        match how:
            case "put":
                await self.storage.put("k", n)
            case "kv":
                self.storage.kv.put("k", n)
            case "delete":
                await self.storage.delete("k")
            case "sql":
                self.storage.sql.exec("INSERT INTO t VALUES (?)", n)
            case "both":
                self.storage.kv.put("k", n)
                self.storage.sql.exec("INSERT INTO t VALUES (?)", n)
                self.storage.sql.exec("UPDATE t SET v = v + 100")
            case "sync":

                def both():
                    self.storage.kv.put("k", n)
                    self.storage.sql.exec("INSERT INTO t VALUES (?)", n)

                self.storage.transactionSync(both)
            case "undone":

                def undo():
                    self.storage.kv.put("k", n)
                    self.storage.sql.exec("INSERT INTO t VALUES (?)", n)
                    raise KeyError

                with contextlib.suppress(KeyError):
                    self.storage.transactionSync(undo)
            case "alarm":
                await self.storage.setAlarm(4_102_444_800_000 + n)
            case "wipe":
                await self.storage.deleteAll()
                self.table()
            case "none":
                pass

    async def write_abort(self, how, n):
        await self.write(how, n)
        self.ctx.abort("x")

    async def abort_in_transaction(self, n):
        def body():
            self.storage.kv.put("k", n)
            self.storage.sql.exec("INSERT INTO t VALUES (?)", n)
            self.ctx.abort("x")

        self.storage.transactionSync(body)

    async def write_call(self, n):
        await self.storage.put("k", n)
        await self.env.BOOKS.getByName("other").write("put", n)

    async def write_sleep(self, n, ms):
        await self.storage.put("k", n)
        await asyncio.sleep(ms / 1000)

    async def write_block_fail(self, n):
        async def block():
            await self.storage.put("k", n)
            raise ValueError("blk")

        await self.ctx.blockConcurrencyWhile(block)

    def break_constructor(self):
        Books.failing = True
        self.ctx.abort("x")

    async def set(self, key, value):
        await self.storage.put(key, value)

    async def fetch(self, request):
        await self.storage.put("k", 1)
        return Response("done")


@pytest.fixture(params=["memory", "disk"])
def world(request, tmp_path):
    path = None if request.param == "memory" else tmp_path / "state"
    with dobook.Runtime(path, durability="process") as runtime:
        yield runtime, runtime.register(Books, "BOOKS").getByName("a")


def fresh(runtime):
    return runtime.env.BOOKS.getByName("a")


def together(runtime, *calls):
    async def main():
        return await asyncio.gather(*(call(fresh_stub) for call in calls), return_exceptions=True)

    fresh_stub = fresh(runtime)
    return runtime.run(main())


WAYS = ("put", "kv", "delete", "sql", "both", "sync", "undone", "alarm", "wipe", "none")


def alone(runtime, name, *hows):
    """Return what an object has that did these alone, one after the other, each in its own time."""
    stub = runtime.env.BOOKS.getByName(name)
    runtime.run(stub.table())
    runtime.run(stub.write("both", 7))
    for n, how in enumerate(hows, 1):
        runtime.run(stub.write(how, n))
    return runtime.run(stub.everything())


@pytest.mark.parametrize(("first", "second"), list(itertools.product(WAYS, WAYS)))
def test_an_abort_undoes_its_own_events_writes_and_no_others(world, first, second):
    runtime, stub = world
    runtime.run(stub.table())
    runtime.run(stub.write("both", 7))
    together(runtime, lambda a: a.write(first, 1), lambda a: a.write_abort(second, 2))
    if second == "wipe":
        # deleteAll() is never undone: the engine makes the database anew at once.
        assert runtime.run(fresh(runtime).everything()) == [{}, [], None]
        return
    assert runtime.run(fresh(runtime).everything()) == alone(runtime, "alone", first)


@pytest.mark.parametrize("how", ["put", "sql", "both", "sync"])
def test_of_three_the_one_in_the_middle(world, how):
    runtime, stub = world
    runtime.run(stub.table())
    answers = together(
        runtime,
        lambda a: a.write(how, 1),
        lambda a: a.write_abort(how, 2),
        lambda a: a.write(how, 3),
    )
    assert [str(answer) for answer in answers] == ["x"] * 3  # as in the engine: nobody was told
    expected = {"put": [{"k": 1}, [], None], "sql": [{}, [1], None]}
    expected |= {"both": [{"k": 1}, [101], None], "sync": [{"k": 1}, [1], None]}
    assert runtime.run(fresh(runtime).everything()) == expected[how]


def test_the_last_of_many(world):
    runtime, stub = world
    runtime.run(stub.table())
    calls = [lambda a, n=n: a.write("both", n) for n in range(5)]
    together(runtime, *calls, lambda a: a.write_abort("both", 99))
    kept, rows, _ = runtime.run(fresh(runtime).everything())
    assert kept == {"k": 4}
    assert rows == [104, 203, 302, 401, 500]


@pytest.mark.parametrize("method", ["abort_in_transaction", "write_block_fail"])
def test_an_abort_inside_a_transaction_or_a_block(world, method):
    runtime, stub = world
    runtime.run(stub.table())
    together(runtime, lambda a: a.write("both", 1), lambda a: getattr(a, method)(2))
    assert runtime.run(fresh(runtime).everything()) == [{"k": 1}, [101], None]


@pytest.mark.parametrize(
    "first",
    [
        lambda a: a.write_call(1),
        lambda a: a.write_sleep(1, 50),
        lambda a: a.fetch("http://x/"),
    ],
    ids=["call", "sleep", "fetch"],
)
def test_whatever_the_first_event_goes_on_to_wait_for(world, first):
    runtime, stub = world
    runtime.run(stub.table())
    together(runtime, first, lambda a: a.write_abort("put", 2))
    assert runtime.run(fresh(runtime).everything()) == [{"k": 1}, [], None]


def test_a_constructor_that_fails_undoes_its_own(world):
    runtime, _ = world

    async def main():
        a = fresh(runtime)
        calls = a.set("k", 1), a.break_constructor()
        await asyncio.gather(*calls, return_exceptions=True)
        with pytest.raises(ValueError, match="constructor"):
            await fresh(runtime).everything()

    try:
        runtime.run(main())
    finally:
        Books.failing = False
    assert runtime.run(fresh(runtime).everything()) == [{"k": 1}, [], None]


def test_a_crash_takes_all_that_is_not_committed(world):
    runtime, stub = world
    runtime.run(stub.set("k", 0))
    runtime.faults.crash(stub, at="before commit")
    together(runtime, lambda a: a.write("put", 1), lambda a: a.set("l", 1))
    assert runtime.run(fresh(runtime).everything()) == [{"k": 0}, [], None]
