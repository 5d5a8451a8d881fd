"""Promise: one live instance per object, however it leaves memory and whatever is under way.

Each test is one thing that is under way and one way to take the object out of memory, in memory or
on disk. It tries every moment: the object is taken out after the first tick of the loop, after the
second, and so on until what was under way is over.

Source: developers.cloudflare.com/durable-objects/concepts/what-are-durable-objects/
"""

import asyncio
import contextlib

import pytest
from js import WebSocketPair
from workers import Response

from dobook import RpcTarget, Runtime
from dobook.errors import PlatformError
from dobook.runtime.access import kernel_of
from dobook.runtime.client import open_client

MOMENTS = 14  # ticks of the loop: more than any of these takes


class Book:
    """What a run has seen: who was made, and how many increments were answered."""

    def __init__(self, name="a"):
        self.name = name  # of the object
        self.made = []
        self.answered = 0  # increments that were begun since the object was last deleted
        self.begun = 0
        self.deleted = 0

    def live(self):
        """Return the instances of the object that could still write."""
        return [one for one in self.made if one.ctx.id.name == self.name and can_write(one)]

    async def hear(self, answer):
        """Await an increment; one that fails counts for nothing."""
        self.begun += 1
        deleted = self.deleted
        with contextlib.suppress(Exception):
            await answer
            self.answered += deleted == self.deleted

    def delete(self):
        """Note that what was there before is gone."""
        self.answered = 0
        self.deleted += 1


def can_write(one):
    with contextlib.suppress(Exception):
        one.ctx.storage.kv.get("n")
        return True
    return False


def classes(book):
    """Return the classes of a run, made anew: they write into its book."""

    class Tool(RpcTarget):
        def __init__(self, owner):
            self.owner = owner

        async def inc(self):
            return await self.owner.inc()

    class Obj:
        def __init__(self, ctx, env):
            self.ctx = ctx
            self.env = env
            book.made.append(self)
            self.look()

        def look(self):
            live = book.live()
            assert len(live) <= 1, f"{len(live)} instances can write"

        async def inc(self):
            self.look()
            n = await self.ctx.storage.get("n") or 0
            self.look()
            await self.ctx.storage.put("n", n + 1)
            self.look()
            return n + 1

        async def count(self):
            return await self.ctx.storage.get("n") or 0

        async def behind_a_gate(self):
            async def inside():
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                return await self.inc()

            return await self.ctx.blockConcurrencyWhile(inside)

        async def after_two_writes(self):
            self.ctx.storage.put("other", 1)
            n = await self.ctx.storage.get("n") or 0
            self.ctx.storage.put("n", n + 1)
            self.look()

        async def transaction(self):
            async def inside(txn):
                n = await txn.get("n") or 0
                await asyncio.sleep(0)
                self.look()
                await txn.put("n", n + 1)

            await self.ctx.storage.transaction(inside)

        async def in_background(self):
            self.ctx.waitUntil(self.inc())

        async def set_alarm(self):
            await self.ctx.storage.setAlarm(1)

        async def alarm(self, info=None):
            await self.inc()

        async def tool(self):
            return Tool(self)

        async def keep(self, callback):
            await asyncio.sleep(0)
            return await callback()

        async def lend(self):
            return await self.env.OBJ.getByName("other").keep(self.inc)

        async def clear(self):
            await self.ctx.storage.deleteAll()

        async def fetch(self, request):
            pair = WebSocketPair.new().object_values()
            self.ctx.acceptWebSocket(pair[1])
            return Response(None, status=101, web_socket=pair[0])

        async def webSocketMessage(self, socket, message):
            socket.send(str(await self.inc()))

    return Obj


def stub_of(runtime, book):
    return runtime.stub(f"OBJ/{book.name}")


# ---------------------------------------------------------------------- what is under way


async def calls_in_the_mail(runtime, book):
    return [book.hear(stub_of(runtime, book).inc()) for _ in range(3)]


async def calls_on_one_stub(runtime, book):
    stub = stub_of(runtime, book)
    return [book.hear(stub.inc()) for _ in range(3)]


async def clients_that_call_again_and_again(runtime, book):
    async def client():
        for _ in range(3):
            await book.hear(stub_of(runtime, book).inc())

    return [client() for _ in range(2)]


async def calls_at_the_input_gate(runtime, book):
    stub = stub_of(runtime, book)
    return [book.hear(stub.behind_a_gate()), *(book.hear(stub.inc()) for _ in range(2))]


async def calls_held_by_the_output_gate(runtime, book):
    stub = stub_of(runtime, book)
    runtime.faults.slow(stub, 5)
    return [book.hear(stub.after_two_writes()) for _ in range(2)]


async def an_alarm_that_is_due(runtime, book):
    await stub_of(runtime, book).set_alarm()
    return [book.hear(stub_of(runtime, book).inc())]


async def a_message_to_a_socket(runtime, book):
    client = await open_client(runtime, stub_of(runtime, book))

    async def answer():
        client.send("inc")
        await client.receive()

    return [book.hear(answer()), book.hear(stub_of(runtime, book).inc())]


async def work_in_the_background(runtime, book):
    await stub_of(runtime, book).in_background()
    return [book.hear(stub_of(runtime, book).inc())]


async def a_transaction(runtime, book):
    return [book.hear(stub_of(runtime, book).transaction()) for _ in range(2)]


async def a_call_on_a_promise(runtime, book):
    return [book.hear(stub_of(runtime, book).tool().inc()) for _ in range(2)]


async def a_call_on_a_target(runtime, book):
    tool = await stub_of(runtime, book).tool()
    return [book.hear(tool.inc()), book.hear(stub_of(runtime, book).inc())]


async def a_callback_from_another_object(runtime, book):
    return [book.hear(stub_of(runtime, book).lend()), book.hear(stub_of(runtime, book).inc())]


UNDER_WAY = [
    clients_that_call_again_and_again,
    calls_in_the_mail,
    calls_on_one_stub,
    calls_at_the_input_gate,
    calls_held_by_the_output_gate,
    an_alarm_that_is_due,
    a_message_to_a_socket,
    work_in_the_background,
    a_transaction,
    a_call_on_a_promise,
    a_call_on_a_target,
    a_callback_from_another_object,
]


# ---------------------------------------------------------------------- how it leaves memory


async def evicted(runtime, book):
    with contextlib.suppress(PlatformError):  # it is not in memory
        await runtime.evict(stub_of(runtime, book))


async def idle(runtime, book):
    stub = stub_of(runtime, book)
    loop = asyncio.get_running_loop()
    at_that_instant = loop.create_future()
    loop.call_later(10, lambda: at_that_instant.set_result(stub.inc()))
    await book.hear(await at_that_instant)
    await asyncio.sleep(0.001)
    await book.hear(stub_of(runtime, book).inc())
    await asyncio.sleep(10.001)


async def crashed(runtime, book):
    runtime.crash(stub_of(runtime, book))


async def redefined(runtime, book):
    runtime.register(classes(book))


async def class_deleted(runtime, book):
    kernel_of(runtime).registry.delete(runtime.namespace("OBJ").unique_key)
    runtime.register(classes(book))
    book.delete()


async def all_deleted(runtime, book):
    with contextlib.suppress(Exception):
        await stub_of(runtime, book).clear()
    book.delete()


LEAVING = [evicted, idle, crashed, redefined, class_deleted, all_deleted]


async def run_one(runtime, book, situation, leaves, ticks):
    work = [asyncio.ensure_future(one) for one in await situation(runtime, book)]
    for _ in range(ticks):
        await asyncio.sleep(0)
    await leaves(runtime, book)
    later = [asyncio.ensure_future(book.hear(stub_of(runtime, book).inc())) for _ in range(2)]
    await asyncio.gather(*work, *later)
    await asyncio.sleep(3)  # an alarm may have to be retried
    return await stub_of(runtime, book).count()


@pytest.mark.parametrize("leaves", LEAVING)
@pytest.mark.parametrize("situation", UNDER_WAY)
def test_there_is_one_instance_and_no_answered_increment_is_lost(situation, leaves, runtime):
    for ticks in range(MOMENTS):
        book = Book(f"a{ticks}")
        runtime.register(classes(book))
        count = runtime.run(run_one(runtime, book, situation, leaves, ticks))
        assert len(book.live()) == 1
        assert count >= book.answered >= 2
        assert count <= book.begun + 2  # an alarm or background work, and once more after a crash


@pytest.mark.parametrize("situation", UNDER_WAY)
def test_nothing_that_was_answered_is_lost_when_the_runtime_closes(situation, tmp_path):
    for ticks in range(MOMENTS):
        book = Book()

        async def begin(book=book, ticks=ticks):
            for one in await situation(runtime, book):
                asyncio.ensure_future(one)  # noqa: RUF006 - closing ends it
            for _ in range(ticks):
                await asyncio.sleep(0)

        with Runtime(tmp_path / str(ticks)) as runtime:
            runtime.register(classes(book))
            runtime.run(begin())
        assert not book.live()
        answered = book.answered
        with Runtime(tmp_path / str(ticks)) as runtime:
            runtime.register(classes(book))
            assert runtime.run(stub_of(runtime, book).count()) >= answered


def test_a_stub_breaks_with_its_object_also_when_that_was_out_of_memory_meanwhile(runtime):
    class Aborting:
        def __init__(self, ctx, env):
            self.ctx = ctx

        async def work(self):
            return 1

        async def give_up(self):
            self.ctx.abort("gave up")

    stub = runtime.register(Aborting).getByName("a")
    assert runtime.run(stub.work()) == 1
    runtime.advance("1m")
    with pytest.raises(PlatformError, match="gave up"):
        runtime.run(runtime.stub("ABORTING/a").give_up())
    with pytest.raises(PlatformError, match="gave up"):
        runtime.run(stub.work())
    assert runtime.run(runtime.stub("ABORTING/a").work()) == 1


def test_looking_at_costs_loses_nothing_that_is_not_in_its_file_yet(runtime):
    book = Book()
    runtime.register(classes(book))

    async def main():
        stub = stub_of(runtime, book)
        await stub.set_alarm()
        # Nobody outside hears of what an alarm writes, so it stays in memory for a while.
        await asyncio.sleep(11)
        runtime.costs()
        assert await stub.count() == 1

    runtime.costs()
    runtime.run(main())
