"""Faults on purpose happen where they were planned, once, and leave what a real one would leave."""

import asyncio
import time

import pytest

from dobook.errors import PlatformError, UnknownNameError, UsageError
from dobook.runtime.access import kernel_of
from dobook.runtime.storage.storage import DurableObjectStorage


class Base:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.lives = 0


class Counter(Base):
    async def increment(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

    async def value(self):
        return await self.ctx.storage.get("n") or 0

    async def concurrent(self, **options):
        n = await self.ctx.storage.get("n", **options) or 0
        await self.ctx.storage.put("n", n + 1, **options)

    async def three_writes(self):
        for key in "abc":
            await self.ctx.storage.put(key, 1)

    def three_sync_writes(self):
        for key in "abc":
            self.ctx.storage.kv.put(key, 1)

    def three_rows(self):
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(x)")
        self.ctx.storage.sql.exec("INSERT INTO t VALUES (1)")

    def rows(self):
        return self.ctx.storage.sql.exec("SELECT count(*) FROM sqlite_master WHERE name='t'").one()

    async def keys(self):
        return list(await self.ctx.storage.list())

    async def write_wait_write(self):
        await self.ctx.storage.put("a", 1)
        await asyncio.sleep(1)
        await self.ctx.storage.put("b", 1)
        await asyncio.sleep(1)
        return "done"

    async def caught(self):
        try:
            await self.ctx.storage.put("a", 1)
        except Exception:
            return "caught"
        return "stored"

    async def in_transaction(self):
        async def body(txn):
            await txn.put("a", 1)
            await txn.put("b", 1)

        await self.ctx.storage.transaction(body)

    async def gathered(self):
        return await asyncio.gather(*(self.ctx.storage.get(key) for key in "abc"))

    async def alarm(self):
        await self.increment()

    async def ring(self):
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 1000)

    async def ask(self, name):
        try:
            return await self.env.COUNTER.getByName(name).increment()
        except PlatformError as error:
            return [str(error), getattr(error, "retryable", False)]


@pytest.fixture
def counter(runtime):
    return runtime.register(Counter).getByName("a")


def fresh(counter):
    """Return another stub: the one that saw a crash is broken, as on the platform."""
    return counter._carried_()


def elapsed(runtime, work):
    before = runtime.clock.now_ms
    runtime.run(work)
    return runtime.clock.now_ms - before


# ---------------------------------------------------------------------- slow storage


def test_each_operation_takes_as_long_as_it_was_told(runtime, counter):
    runtime.faults.slow(counter, 100)
    assert elapsed(runtime, counter.increment()) == 200
    runtime.faults.slow(counter, 0)
    assert elapsed(runtime, counter.increment()) == 0
    assert runtime.faults.planned() == []


def test_events_wait_at_the_gate_while_storage_is_slow(runtime, counter):
    runtime.faults.slow(counter, 100)

    async def race():
        return await asyncio.gather(*(counter.increment() for _ in range(5)))

    assert runtime.run(race()) == [1, 2, 3, 4, 5]


def test_allow_concurrency_lets_events_in_while_storage_is_slow(runtime, counter):
    runtime.faults.slow(counter, 100)

    async def race():
        await asyncio.gather(*(counter.concurrent(allowConcurrency=True) for _ in range(5)))

    runtime.run(race())
    assert runtime.run(counter.value()) == 1  # four of five updates are lost


def test_a_whole_class_can_be_slow_objects_to_come_included(runtime, counter):
    runtime.run(counter.increment())
    runtime.faults.slow("COUNTER", 50)
    other = runtime.stub("COUNTER/b")
    assert elapsed(runtime, counter.increment()) == 100
    assert elapsed(runtime, other.increment()) == 100
    runtime.faults.clear()
    assert elapsed(runtime, other.increment()) == 0


def test_an_answer_waits_until_slow_writes_are_durable(runtime, counter):
    runtime.faults.slow(counter, 100)
    call = counter.three_sync_writes()
    runtime.advance(99)
    assert not call._call.done
    runtime.advance(1)
    assert call._call.done


def test_operations_begun_together_take_the_time_of_one(runtime, counter):
    runtime.faults.slow(counter, 100)
    assert elapsed(runtime, counter.gathered()) == 100


def test_slow_storage_in_a_transaction_keeps_it_atomic(runtime, counter):
    runtime.faults.slow(counter, 100)
    runtime.run(counter.in_transaction())
    assert runtime.run(counter.keys()) == ["a", "b"]


# ---------------------------------------------------------------------- crashes


def test_crash_before_commit_loses_the_write_and_tells_the_caller(runtime, counter):
    runtime.run(counter.increment())
    runtime.faults.crash(counter, "before commit")
    with pytest.raises(PlatformError, match="crashed") as caught:
        runtime.run(counter.increment())
    assert caught.value.durableObjectReset
    assert runtime.run(fresh(counter).value()) == 1


def test_crash_after_commit_keeps_the_write_and_the_caller_does_not_know(runtime, counter):
    runtime.faults.crash(counter, "after commit")
    with pytest.raises(PlatformError, match="crashed"):
        runtime.run(counter.increment())
    assert runtime.run(fresh(counter).value()) == 1


@pytest.mark.parametrize("at", ["1st write", "2nd write", "3rd write", "2 write"])
@pytest.mark.parametrize("method", ["three_writes", "three_sync_writes"])
def test_crash_at_a_write_loses_the_whole_turn(runtime, counter, at, method):
    runtime.faults.crash(counter, at)
    with pytest.raises(PlatformError, match="crashed"):
        runtime.run(getattr(counter, method)())
    assert runtime.run(fresh(counter).keys()) == []


def test_crash_at_a_write_by_sql(runtime, counter):
    runtime.faults.crash(counter, "2nd write")
    with pytest.raises(PlatformError, match="crashed"):
        runtime.run(counter.three_rows())
    assert runtime.run(fresh(counter).rows()) == {"count(*)": 0}


@pytest.mark.parametrize(
    ("at", "kept"),
    [
        ("1st await", []),  # at put: written, not committed
        ("2nd await", []),  # at sleep: what a turn has written is committed after it
        ("3rd await", ["a"]),
        ("4th await", ["a"]),
    ],
)
def test_crash_at_an_await(runtime, counter, at, kept):
    runtime.faults.crash(counter, at)
    with pytest.raises(PlatformError, match="crashed"):
        runtime.run(counter.write_wait_write())
    assert runtime.run(fresh(counter).keys()) == kept


def test_a_crash_beyond_the_end_is_still_planned(runtime, counter):
    runtime.faults.crash(counter, "9th await")
    assert runtime.run(counter.write_wait_write()) == "done"
    assert [(f.object, f.kind, f.detail) for f in runtime.faults.planned()] == [
        ("COUNTER/a", "crash", "5th await from now")
    ]


def test_no_except_clause_catches_a_crash(runtime, counter):
    runtime.faults.crash(counter, "1st write")
    with pytest.raises(PlatformError, match="crashed"):
        runtime.run(counter.caught())


def test_a_planned_crash_happens_once(runtime, counter):
    runtime.faults.crash(counter, "before commit")
    with pytest.raises(PlatformError):
        runtime.run(counter.increment())
    assert runtime.faults.planned() == []
    assert runtime.run(fresh(counter).increment()) == 1


def test_a_crash_in_an_alarm_leads_to_another_run(runtime, counter):
    runtime.faults.crash(counter, "before commit")
    with pytest.raises(PlatformError):  # the commit that would set it
        runtime.run(counter.ring())
    counter = fresh(counter)
    runtime.run(counter.ring())
    runtime.faults.crash(counter, "before commit")
    runs = runtime.advance("1m")
    assert [run.outcome for run in runs] == ["error", "ok"]
    assert runtime.run(fresh(counter).value()) == 1


def test_a_plan_survives_eviction(runtime, counter):
    runtime.run(counter.increment())
    runtime.faults.crash(counter, "2nd write")
    runtime.run(runtime.evict(counter))
    assert runtime.run(counter.increment()) == 2
    runtime.run(runtime.evict(counter))
    with pytest.raises(PlatformError, match="crashed"):
        runtime.run(counter.increment())


def test_crashing_what_is_not_in_memory_does_nothing(runtime, counter):
    runtime.faults.crash(counter)
    assert runtime.run(counter.increment()) == 1


# ---------------------------------------------------------------------- disk and network


def test_a_failed_write_resets_the_object_and_rolls_back(runtime, counter):
    runtime.run(counter.increment())
    runtime.faults.fail_writes(counter)
    with pytest.raises(PlatformError, match="could not be written: disk I/O error"):
        runtime.run(counter.increment())
    assert runtime.run(fresh(counter).value()) == 1
    assert runtime.run(fresh(counter).increment()) == 2


def test_a_lost_reply_has_done_its_work(runtime, counter):
    runtime.faults.lose_replies(counter)
    with pytest.raises(PlatformError, match="Network connection lost") as caught:
        runtime.run(counter.increment())
    assert caught.value.retryable
    assert not hasattr(caught.value, "durableObjectReset")
    with pytest.raises(PlatformError, match="lost"):
        runtime.run(counter.value())  # the stub is broken
    assert runtime.run(fresh(counter).value()) == 1


def test_a_network_error_has_done_nothing(runtime, counter):
    runtime.faults.network_errors(counter, 2)
    for _ in range(2):
        with pytest.raises(PlatformError, match="Network connection lost"):
            runtime.run(fresh(counter).increment())
    assert runtime.run(fresh(counter).increment()) == 1


def test_an_object_sees_network_errors_as_an_outside_caller_does(runtime, counter):
    runtime.faults.network_errors("COUNTER/b")
    assert runtime.run(counter.ask("b")) == ["Network connection lost.", True]
    assert runtime.run(counter.ask("b")) == 1


# ---------------------------------------------------------------------- planning


def test_what_is_planned_is_listed_and_can_be_taken_back(runtime, counter):
    runtime.faults.slow("COUNTER", 20)
    runtime.faults.crash(counter, "before commit")
    runtime.faults.crash(counter, "12th await")
    runtime.faults.lose_replies("COUNTER/b", 3)
    assert [(f.object, f.kind, f.detail) for f in runtime.faults.planned()] == [
        ("COUNTER", "slow", "20 ms"),
        ("COUNTER/a", "crash", "before commit"),
        ("COUNTER/a", "crash", "12th await from now"),
        ("COUNTER/b", "lost reply", "3 to come"),
    ]
    runtime.faults.clear(counter)
    assert {f.object for f in runtime.faults.planned()} == {"COUNTER", "COUNTER/b"}
    runtime.faults.clear()
    assert runtime.faults.planned() == []
    assert runtime.run(counter.increment()) == 1


@pytest.mark.parametrize("at", ["", "0th write", "first write", "1st", "during commit", "-1 await"])
def test_an_unknown_point_is_refused_with_those_there_are(runtime, counter, at):
    with pytest.raises(UsageError, match="before commit, after commit, 1st write, 2nd await"):
        runtime.faults.crash(counter, at)
    with pytest.raises(UnknownNameError, match="COUNTER"):
        runtime.faults.slow("COUTNER", 5)
    with pytest.raises(UsageError, match="-5"):
        runtime.faults.slow(counter, -5)


def test_without_faults_storage_is_the_ordinary_one(runtime, counter):
    runtime.faults.crash(counter, "1st write")
    with pytest.raises(PlatformError):
        runtime.run(counter.increment())
    runtime.run(fresh(counter).increment())
    assert type(kernel_of(runtime).actor_of(counter).instance.ctx.storage) is DurableObjectStorage
    assert kernel_of(runtime).stores.committer.screen is None
    assert kernel_of(runtime).stores.committer.delay_ms is None


def test_what_happens_on_purpose_is_in_the_trace(runtime, counter):
    runtime.tracing = True
    runtime.faults.lose_replies(counter)
    with pytest.raises(PlatformError):
        runtime.run(counter.increment())
    counter = fresh(counter)
    runtime.faults.crash(counter, "2nd await")
    with pytest.raises(PlatformError):
        runtime.run(counter.write_wait_write())
    assert [e.get("what") for e in runtime.trace() if e.kind == "fault"] == [
        *("lost reply", "crash: await"),
    ]
