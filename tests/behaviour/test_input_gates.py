"""Promise: objects are single-threaded, and an input gate keeps other events out while storage or
`blockConcurrencyWhile` is in flight. Races across storage lose nothing; races across a timer or a
subrequest can.

Source: developers.cloudflare.com/durable-objects/api/state/#blockconcurrencywhile,
blog.cloudflare.com/durable-objects-easy-fast-correct-choose-three/
"""

import asyncio

import pytest

from dobook.errors import DeadlockError, PlatformError, PlatformTypeError
from dobook.limits import BLOCK_CONCURRENCY_TIMEOUT_MS


class Account:
    """Adds one in as many ways as there are to wait in between."""

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.log = []

    async def balance(self):
        return await self.ctx.storage.get("n") or 0

    async def over_storage(self):
        n = await self.ctx.storage.get("n") or 0
        await self.ctx.storage.list()
        await self.ctx.storage.put("n", n + 1)

    async def over_sync(self):
        n = await self.ctx.storage.get("n") or 0
        await self.ctx.storage.put("other", n)
        await self.ctx.storage.put("n", n + 1)
        await self.ctx.storage.sync()

    async def over_timer(self, ms=10):
        n = await self.ctx.storage.get("n") or 0
        await asyncio.sleep(ms / 1000)
        await self.ctx.storage.put("n", n + 1)

    async def over_subrequest(self):
        n = await self.ctx.storage.get("n") or 0
        await self.env.ACCOUNT.getByName("another").balance()
        await self.ctx.storage.put("n", n + 1)

    async def blocked(self, ms=10):
        return await self.ctx.blockConcurrencyWhile(lambda: self.over_timer(ms))

    async def in_transaction(self):
        async def body(txn):
            n = await txn.get("n") or 0
            await asyncio.sleep(0.01)
            await txn.put("n", n + 1)

        await self.ctx.storage.transaction(body)

    async def gathered_inside(self):
        await asyncio.gather(*[self.over_storage() for _ in range(5)])

    async def note(self, what, ms=0):
        self.log.append(f"{what} begins")
        if ms:
            await asyncio.sleep(ms / 1000)
        self.log.append(f"{what} ends")

    async def note_blocked(self, what, ms):
        await self.ctx.blockConcurrencyWhile(lambda: self.note(what, ms))

    def noted(self):
        return self.log

    async def block_for(self, ms):
        async def wait():
            await asyncio.sleep(ms / 1000)
            return "done"

        return await self.ctx.blockConcurrencyWhile(wait)

    async def block_and_raise(self, *, catch):
        async def fail():
            await self.ctx.storage.put("n", 99)
            raise ValueError("inside")

        try:
            await self.ctx.blockConcurrencyWhile(fail)
        except ValueError:
            if not catch:
                raise
        return "survived"

    async def block_and_call_itself(self):
        return await self.ctx.blockConcurrencyWhile(
            lambda: self.env.ACCOUNT.getByName("a").balance()
        )

    async def block_wrongly(self):
        return await self.ctx.blockConcurrencyWhile(self.balance())

    async def nested(self):
        async def inner():
            await asyncio.sleep(0.01)
            return "inner"

        async def outer():
            await asyncio.sleep(0.01)
            return [await self.ctx.blockConcurrencyWhile(inner), "outer"]

        return await self.ctx.blockConcurrencyWhile(outer)


@pytest.fixture
def accounts(runtime):
    return runtime.register(Account)


@pytest.fixture
def account(accounts):
    return accounts.getByName("a")


def race(runtime, account, method, times=20):
    async def main():
        await asyncio.gather(*[getattr(account, method)() for _ in range(times)])
        return await account.balance()

    return runtime.run(main())


@pytest.mark.parametrize("method", ["over_storage", "over_sync", "blocked", "in_transaction"])
def test_racing_over_storage_or_inside_a_block_loses_no_update(runtime, account, method):
    assert race(runtime, account, method) == 20


@pytest.mark.parametrize("method", ["over_timer", "over_subrequest"])
def test_racing_over_a_timer_or_a_subrequest_loses_updates(runtime, account, method):
    assert race(runtime, account, method) == 1


def test_what_one_handler_gathers_over_storage_loses_updates_and_other_calls_wait(runtime, account):
    # Its five tasks read the same number. No other call reads before they have written.
    assert race(runtime, account, "gathered_inside", times=4) == 4


def test_other_objects_are_not_held_up_by_a_block(runtime, accounts):
    async def main():
        blocked = accounts.getByName("a").block_for(5_000)
        before = runtime.clock.now_ms
        await accounts.getByName("b").over_storage()
        passed = runtime.clock.now_ms - before
        await blocked
        return passed

    assert runtime.run(main()) == 0


def test_a_block_keeps_events_out_and_lets_them_in_in_order(runtime, account):
    async def main():
        await asyncio.gather(
            account.note_blocked("block", 50), account.note("first"), account.note("second")
        )
        return await account.noted()

    assert runtime.run(main()) == [
        "block begins",
        "block ends",
        "first begins",
        "first ends",
        "second begins",
        "second ends",
    ]


def test_without_a_block_events_are_let_in_while_a_timer_runs(runtime, account):
    async def main():
        await asyncio.gather(account.note("slow", 50), account.note("quick"))
        return await account.noted()

    assert runtime.run(main()) == ["slow begins", "quick begins", "quick ends", "slow ends"]


def test_a_handler_that_wakes_during_a_block_waits_for_its_end(runtime, account):
    async def main():
        await asyncio.gather(account.note("sleeper", 10), account.note_blocked("block", 50))
        return await account.noted()

    assert runtime.run(main()) == ["sleeper begins", "block begins", "block ends", "sleeper ends"]


def test_blocks_run_one_after_the_other(runtime, account):
    async def main():
        await asyncio.gather(account.note_blocked("one", 20), account.note_blocked("two", 10))
        return await account.noted()

    assert runtime.run(main()) == ["one begins", "one ends", "two begins", "two ends"]


def test_blocks_nest_and_give_their_values(runtime, account):
    assert runtime.run(account.nested()) == ["inner", "outer"]


def test_a_block_may_take_almost_thirty_seconds(runtime, account):
    assert runtime.run(account.block_for(BLOCK_CONCURRENCY_TIMEOUT_MS - 1)) == "done"


def test_a_block_of_more_than_thirty_seconds_resets_the_object(runtime, accounts, account):
    before = runtime.clock.now_ms
    with pytest.raises(PlatformError, match="waited for too long") as caught:
        runtime.run(account.block_for(BLOCK_CONCURRENCY_TIMEOUT_MS + 1))
    assert caught.value.durableObjectReset
    assert runtime.clock.now_ms - before == BLOCK_CONCURRENCY_TIMEOUT_MS
    assert runtime.run(accounts.getByName("a").balance()) == 0


@pytest.mark.parametrize("catch", [False, True], ids=["uncaught", "caught"])
def test_what_a_block_raises_resets_the_object_even_if_caught(runtime, accounts, account, catch):
    runtime.run(account.over_storage())
    with pytest.raises(ValueError, match="inside") as caught:
        runtime.run(account.block_and_raise(catch=catch))
    assert caught.value.durableObjectReset
    assert runtime.run(accounts.getByName("a").balance()) == 1


def test_an_object_that_calls_itself_inside_a_block_is_told_of_the_deadlock(runtime, account):
    # With its timer the block ends by itself after 30 s; the reset is the answer.
    with pytest.raises((DeadlockError, PlatformError)):
        runtime.run(account.block_and_call_itself())


def test_a_coroutine_instead_of_a_function_is_refused_with_the_right_spelling(runtime, account):
    with pytest.raises(
        PlatformTypeError, match=r"You want:   ctx.blockConcurrencyWhile\(self.load\)"
    ):
        runtime.run(account.block_wrongly())


def test_a_block_in_the_constructor_is_over_before_the_first_event(runtime):
    class Loaded:
        def __init__(self, ctx, env):
            self.value = None
            ctx.blockConcurrencyWhile(self.load)

        async def load(self):
            await asyncio.sleep(2)
            self.value = "loaded"

        def read(self):
            return self.value

    assert runtime.run(runtime.register(Loaded).getByName("a").read()) == "loaded"


class Tasks:
    """Reads through tasks of its own, then writes what it has read plus one."""

    def __init__(self, ctx, env):
        self.ctx = ctx

    async def read(self):
        return await self.ctx.storage.get("n") or 0

    async def write(self, n):
        await self.ctx.storage.put("n", n + 1)

    async def with_gather(self):
        n, _ = await asyncio.gather(self.read(), self.read())
        await self.write(n)

    async def with_a_task(self):
        await self.write(await asyncio.create_task(self.read()))

    async def with_a_task_group(self):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.read())
            group.create_task(self.read())
        await self.write(task.result())

    async def with_an_event(self):
        event, read = asyncio.Event(), []

        async def child():
            read.append(await self.read())
            event.set()

        task = asyncio.create_task(child())
        await event.wait()
        await self.write(read[0])
        await task

    async def with_wait(self):
        task = asyncio.create_task(self.read())
        await asyncio.wait([task])
        await self.write(task.result())

    async def with_wait_for(self):
        await self.write(await asyncio.wait_for(self.read(), 5))

    async def with_timeout(self):
        async with asyncio.timeout(5):
            n = await self.read()
        await self.write(n)

    async def across_timers_in_tasks(self):
        n = await self.read()
        await asyncio.gather(asyncio.sleep(0.1), asyncio.sleep(0.05))
        await self.write(n)

    async def failing_task(self):
        async def fails():
            raise ValueError(await self.read())

        try:
            await asyncio.create_task(fails())
        except ValueError as error:
            await self.write(error.args[0])


TASKS = [name for name in vars(Tasks) if name.startswith("with_")] + ["failing_task"]


@pytest.mark.parametrize("slow_ms", [0, 20])
@pytest.mark.parametrize("method", TASKS)
def test_reading_through_tasks_of_its_own_loses_nothing_either(runtime, method, slow_ms):
    stub = runtime.register(Tasks).getByName("a")
    runtime.faults.slow(stub, slow_ms)

    async def race():
        await asyncio.gather(*(getattr(stub, method)() for _ in range(5)))

    runtime.run(race())
    assert runtime.run(stub.read()) == 5


def test_timers_in_tasks_of_its_own_let_others_in(runtime):
    stub = runtime.register(Tasks).getByName("a")

    async def race():
        await asyncio.gather(*(stub.across_timers_in_tasks() for _ in range(5)))

    runtime.run(race())
    assert runtime.run(stub.read()) == 1


def test_background_tasks_do_not_keep_events_out(runtime):
    class Background(Tasks):
        def start(self):
            self.task = asyncio.create_task(asyncio.sleep(60))

    stub = runtime.register(Background).getByName("a")
    runtime.run(stub.start())
    began = runtime.clock.now_ms
    assert runtime.run(stub.read()) == 0
    assert runtime.clock.now_ms == began


def test_a_crash_inside_a_task_group_is_only_a_crash(runtime, caplog):
    stub = runtime.register(Tasks).getByName("a")
    runtime.faults.slow(stub, 10)
    runtime.faults.crash(stub, "2nd await")
    with pytest.raises(PlatformError, match="crashed"):
        runtime.run(stub.with_a_task_group())
    assert caplog.records == []
