"""Promise: tasks of one object take turns at storage operations; events wait, and a turn is one commit.

`tests/turns` compares the order with recorded ones. Source: Cloudflare's Python SDK in Pyodide;
cloudflare/workerd src/workerd/io/io-gate.h (an input gate holds back events, not continuations)
"""

import asyncio

import pytest
from workers import Response

import dobook
from dobook.errors import PlatformError
from dobook.runtime.access import kernel_of
from dobook.runtime.debug.trace import recording

OPERATIONS = {
    "get": lambda storage: storage.get("x"),
    "get of many": lambda storage: storage.get(["x", "y"]),
    "put": lambda storage: storage.put("x", 1),
    "put of many": lambda storage: storage.put({"x": 1, "y": 2}),
    "put of nothing": lambda storage: storage.put({}),
    "delete": lambda storage: storage.delete("x"),
    "delete of many": lambda storage: storage.delete(["x", "y"]),
    "list": lambda storage: storage.list(),
    "list of nothing": lambda storage: storage.list({"start": "b", "end": "a"}),
    "deleteAll": lambda storage: storage.deleteAll(),
    "getAlarm": lambda storage: storage.getAlarm(),
    "setAlarm": lambda storage: storage.setAlarm(4_102_444_800_000),
    "deleteAlarm": lambda storage: storage.deleteAlarm(),
    "getCurrentBookmark": lambda storage: storage.getCurrentBookmark(),
    "sync": lambda storage: storage.sync(),
    "transaction": lambda storage: storage.transaction(nothing),
    "a body as text": lambda _: Response("x").text(),
    "a body as JSON": lambda _: Response("1").json(),
    "a body as bytes": lambda _: Response(b"x").bytes(),
    "no time": lambda _: asyncio.sleep(0),
    "time": lambda _: asyncio.sleep(0.01),
}


async def nothing(_transaction):
    pass


class Own:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.log = []

    async def alarm(self):
        pass

    async def three_times(self, name, operation):
        for number in range(3):
            self.log.append(f"{name}{number}")
            await OPERATIONS[operation](self.ctx.storage)

    async def gathered(self, operation):
        await asyncio.gather(self.three_times("a", operation), self.three_times("b", operation))
        return self.log

    async def beside_a_task(self, operation):
        task = asyncio.create_task(self.three_times("b", operation))
        await self.three_times("a", operation)
        await task
        return self.log

    async def in_the_background(self, operation):
        self.ctx.waitUntil(self.three_times("b", operation))
        await self.three_times("a", operation)

    async def in_a_block(self, operation):
        return await self.ctx.blockConcurrencyWhile(lambda: self.gathered(operation))

    async def logged(self):
        return self.log

    async def add(self, key):
        n = await self.ctx.storage.get(key) or 0
        await self.ctx.storage.list()
        await self.ctx.storage.put(key, n + 1)
        return n + 1

    async def add_beside_tasks(self):
        tasks = [asyncio.create_task(self.add(f"other {i}")) for i in range(3)]
        n = await self.add("n")
        await asyncio.gather(*tasks)
        return n

    async def add_beside_a_sleeper(self):
        self.ctx.waitUntil(asyncio.sleep(60))
        return await self.add("n")

    async def writes_beside_a_task_then_abort(self):
        task = asyncio.create_task(self.three_times("t", "get"))
        await self.ctx.storage.put("a", 1)
        await self.ctx.storage.get("a")
        await self.ctx.storage.put("b", 1)
        await task
        await self.ctx.storage.put("c", 1)
        self.ctx.abort("in the same turn")

    async def writes_of_two_tasks(self):
        async def writer(names):
            for name in names:
                await self.ctx.storage.put(name, 1)

        await asyncio.gather(writer("abc"), writer("xyz"))

    async def cancelled_in_between(self):
        task = asyncio.create_task(self.three_times("t", "put"))
        other = asyncio.create_task(self.three_times("o", "put"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, other, return_exceptions=True)
        return task.cancelled()

    async def rows(self):
        return dict(await self.ctx.storage.list())

    async def same_promise_twice(self):
        promise = self.ctx.storage.get("x")
        return await asyncio.gather(promise, asyncio.create_task(promise), self.add("x"))


@pytest.fixture
def memory():
    with dobook.Runtime() as runtime:
        yield runtime


@pytest.fixture
def own(runtime):
    return runtime.register(Own).getByName("a")


IN_TURN = ["a0", "b0", "a1", "b1", "a2", "b2"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_two_tasks_take_turns_at_every_storage_operation(memory, operation):
    namespace = memory.register(Own)
    for method in ("gathered", "beside_a_task", "in_a_block"):
        stub = namespace.getByName(method)
        assert memory.run(getattr(stub, method)(operation)) == IN_TURN
    stub = namespace.getByName("background")
    memory.run(stub.in_the_background(operation))
    assert memory.run(stub.logged()) == IN_TURN


def test_events_wait_until_the_tasks_of_a_turn_are_through(runtime, own):
    async def main():
        return await asyncio.gather(*[own.add_beside_tasks() for _ in range(10)])

    assert runtime.run(main()) == list(range(1, 11))
    assert runtime.run(own.rows()) == {"n": 10, "other 0": 10, "other 1": 10, "other 2": 10}


def test_a_task_that_waits_for_time_holds_nothing_up(runtime, own):
    async def main():
        return await asyncio.gather(*[own.add_beside_a_sleeper() for _ in range(10)])

    assert runtime.run(main()) == list(range(1, 11))


def test_what_is_written_around_a_storage_operation_is_lost_together(runtime, own):
    with pytest.raises(PlatformError, match="in the same turn"):
        runtime.run(own.writes_beside_a_task_then_abort())
    assert runtime.run(runtime.env.OWN.getByName("a").rows()) == {}


def test_what_tasks_of_one_turn_write_is_one_commit(memory):
    stub = memory.register(Own).getByName("a")
    with recording(kernel_of(memory)) as recorder:
        memory.run(stub.writes_of_two_tasks())
    assert [event.kind for event in recorder.events()].count("output gate closed") == 1


def test_a_task_can_be_cancelled_while_others_have_their_turn(runtime, own):
    assert runtime.run(own.cancelled_in_between())
    assert runtime.run(own.add("n")) == 1  # the gate is open again


def test_a_storage_promise_may_be_awaited_by_several_tasks(runtime, own):
    assert runtime.run(own.same_promise_twice()) == [None, None, 1]
