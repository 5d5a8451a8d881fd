"""Promise: in virtual time nothing waits; an hour of alarms runs in the same order every time, a
handler's own sleep is virtual, and the same program with the same seed leaves the same trace.

Source: the platform has no virtual time; what it promises of time is at
developers.cloudflare.com/workers/reference/security-model/#step-1-disallow-timers-and-multi-threading
"""

import asyncio
import datetime as dt
import time

import pytest

from dobook.errors import DeadlockError, DurationError, UsageError
from dobook.runtime.access import kernel_of


class Sleeper:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env

    async def sleep(self, ms):
        await asyncio.sleep(ms / 1000)
        return round(time.time() * 1000)

    async def times(self):
        return [time.time(), dt.datetime.now(dt.UTC).timestamp(), time.time_ns() / 1e9]

    async def timeout(self, ms, limit_ms):
        try:
            async with asyncio.timeout(limit_ms / 1000):
                await asyncio.sleep(ms / 1000)
        except TimeoutError:
            return "timed out"
        return "in time"

    async def together(self, *delays_ms):
        """Sleeps several times at once, and says in which order they end."""
        order = []

        async def one(ms):
            await asyncio.sleep(ms / 1000)
            order.append(ms)

        await asyncio.gather(*[one(ms) for ms in delays_ms])
        return order

    async def set(self, delay_ms):
        await self.ctx.storage.setAlarm(round(time.time() * 1000) + delay_ms)

    async def alarm(self, info):
        if info.retryCount < 2 and self.ctx.id.name == "flaky":
            raise ValueError("again")
        if self.ctx.id.name == "slow":
            await asyncio.sleep(0.5)
        await self.ctx.storage.put("n", (await self.ctx.storage.get("n") or 0) + 1)
        if await self.ctx.storage.get("n") < 20:
            await self.ctx.storage.setAlarm(info.scheduledTime + 60_000)

    async def never(self):
        await asyncio.Future()


@pytest.fixture
def sleepers(runtime):
    return runtime.register(Sleeper)


@pytest.fixture
def sleeper(sleepers):
    return sleepers.getByName("a")


@pytest.fixture
def real_seconds():
    """Measures how long the test's body really takes."""
    began = time.perf_counter()
    return lambda: time.perf_counter() - began


def test_a_month_of_sleep_takes_no_time(runtime, sleeper, real_seconds):
    start, month = runtime.clock.now_ms, 30 * 86_400_000
    assert runtime.run(sleeper.sleep(month)) == start + month
    assert real_seconds() < 5


def test_a_year_of_sleep_takes_no_time(runtime, sleeper, real_seconds):
    start, year = runtime.clock.now_ms, 365 * 86_400_000
    assert runtime.run(sleeper.sleep(year)) == start + year
    assert runtime.clock.now_ms == start + year
    assert real_seconds() < 5


def test_a_request_moves_the_clock_exactly_as_far_as_it_needs(runtime, sleeper):
    start = runtime.clock.now_ms
    runtime.run(sleeper.sleep(1))
    assert runtime.clock.now_ms == start + 1
    runtime.run(sleeper.times())
    assert runtime.clock.now_ms == start + 1


def test_idle_time_passes_only_when_someone_asks(runtime, sleeper):
    start = runtime.clock.now_ms
    runtime.run(sleeper.set(1_000))
    runtime.settle()
    runtime.settle()
    assert runtime.clock.now_ms == start
    assert runtime.advance(999) == []
    assert runtime.clock.now_ms == start + 999
    assert len(runtime.advance(1)) == 1


def test_an_alarm_on_the_way_of_a_sleeping_request_runs_in_its_place(runtime, sleepers):
    start = runtime.clock.now_ms
    runtime.run(sleepers.getByName("other").set(500))
    assert runtime.run(sleepers.getByName("a").sleep(1_000)) == start + 1_000
    (alarm,) = [a for a in runtime.scheduled_alarms() if a.object == "SLEEPER/other"]
    assert alarm.due_ms == start + 60_500


def test_the_time_of_day_is_the_virtual_one_inside_and_the_real_one_outside(runtime, sleeper):
    before = time.time()
    runtime.advance_to("2040-05-06T07:08:09")
    assert runtime.run(sleeper.times()) == [2_219_900_889] * 3
    assert before <= time.time() < before + 60


def test_timeouts_follow_virtual_time_on_both_sides_of_the_edge(runtime, sleeper):
    assert runtime.run(sleeper.timeout(1_000, 1_001)) == "in time"
    assert runtime.run(sleeper.timeout(1_001, 1_000)) == "timed out"


def test_sleeps_end_in_the_order_of_their_times_and_then_of_their_beginnings(runtime, sleeper):
    assert runtime.run(sleeper.together(30, 10, 20)) == [10, 20, 30]
    # 0.1 + 0.2 is not 0.3 as a float; on the clock it is.
    assert runtime.run(sleeper.together(5, 5, 1, 5)) == [1, 5, 5, 5]


def test_sums_of_delays_meet_at_one_instant(runtime, sleeper):
    async def main():
        order = []

        async def in_steps(name, *steps_ms):
            for ms in steps_ms:
                await asyncio.sleep(ms / 1000)
            order.append((name, runtime.clock.now_ms))

        await asyncio.gather(in_steps("steps", 100, 200), in_steps("at once", 300))
        return order

    steps, once = runtime.run(main())
    assert steps[1] == once[1]


def test_advance_runs_what_is_due_at_the_last_instant(runtime, sleepers):
    start = runtime.clock.now_ms
    runtime.run(sleepers.getByName("a").set(1_000))
    (run,) = runtime.advance_to(start + 1_000)
    assert run.ran_ms == start + 1_000 == runtime.clock.now_ms


def test_advance_next_goes_to_the_next_alarm_and_no_further(runtime, sleepers):
    start = runtime.clock.now_ms
    for name, delay in [("a", 1_000), ("b", 5_000), ("c", 9_000)]:
        runtime.run(sleepers.getByName(name).set(delay))
    assert [run.object for run in runtime.advance_next(2)] == ["SLEEPER/a", "SLEEPER/b"]
    assert runtime.clock.now_ms == start + 5_000


def test_advance_until_idle_ends_when_no_alarm_is_left(runtime, sleepers):
    runtime.run(sleepers.getByName("a").set(1_000))
    runs = runtime.advance_until_idle()
    assert len(runs) == 20
    assert runtime.scheduled_alarms() == []
    assert runtime.advance_until_idle() == []
    assert runtime.advance_next() == []


def test_a_handler_that_sleeps_past_the_end_is_reported_as_running_and_later_as_done(
    runtime, sleepers
):
    runtime.run(sleepers.getByName("slow").set(1_000))
    assert [run.outcome for run in runtime.advance(1_000)] == ["running"]
    assert [run.outcome for run in runtime.advance(500)] == ["ok"]


def test_advance_next_waits_for_a_handler_that_sleeps(runtime, sleepers):
    start = runtime.clock.now_ms
    runtime.run(sleepers.getByName("slow").set(1_000))
    assert [run.outcome for run in runtime.advance_next()] == ["ok"]
    assert runtime.clock.now_ms == start + 1_500


def test_advance_until_idle_follows_handlers_that_sleep(runtime, sleepers):
    runtime.run(sleepers.getByName("slow").set(1_000))
    assert len(runtime.advance_until_idle()) == 20


def test_time_does_not_go_back(runtime):
    runtime.advance("1h")
    with pytest.raises(UsageError, match="cannot go back"):
        runtime.advance_to(runtime.clock.now_ms - 1)
    runtime.advance_to(runtime.clock.now_ms)
    with pytest.raises(DurationError, match="backwards"):
        runtime.advance(-1)


def test_what_can_never_happen_is_named_instead_of_waited_for(runtime, sleeper):
    with pytest.raises(DeadlockError, match="SLEEPER/a rpc never"):
        runtime.run(sleeper.never())


def trace_of(open_runtime, path, *, seed):
    runtime = open_runtime(path, seed=seed)
    events = []
    runtime.observers.add(lambda event: events.append(repr(event)))
    sleepers = runtime.register(Sleeper)

    async def main():
        await asyncio.gather(
            *[sleepers.getByName(name).set(n * 700) for n, name in enumerate(["flaky", "a", "b"])]
        )
        await asyncio.gather(*[sleepers.getByName("c").together(3, 1, 2) for _ in range(3)])

    runtime.run(main())
    runs = runtime.advance("1h")
    ids = [sleepers.newUniqueId().toString() for _ in range(3)]
    text = "\n".join([*events, *map(str, runs), *map(repr, runtime.objects()), *ids])
    runtime.close()
    return text


def test_the_same_seed_and_program_leave_the_same_trace_byte_for_byte(
    open_runtime, store, tmp_path
):
    paths = [None] * 2 if store == "memory" else [tmp_path / "one", tmp_path / "two"]
    first, second = (trace_of(open_runtime, path, seed=5) for path in paths)
    assert len(first.splitlines()) > 60
    assert first == second


def test_another_seed_gives_other_random_delays(open_runtime):
    assert trace_of(open_runtime, None, seed=5) != trace_of(open_runtime, None, seed=6)


def test_the_clock_of_a_state_directory_goes_on_where_it_stood(open_runtime, tmp_path):
    with open_runtime(tmp_path / "state") as first:
        first.advance("3d")
        stood = first.clock.now_ms
    assert open_runtime(tmp_path / "state").clock.now_ms == stood


class Sleepy:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.rang_ms = []

    async def ring(self, in_ms):
        await self.ctx.storage.setAlarm(round(time.time() * 1000) + in_ms)

    async def alarm(self):
        self.rang_ms.append(round(time.time() * 1000))

    async def rang(self):
        return self.rang_ms

    async def nap(self, seconds):
        await asyncio.sleep(seconds)
        return round(time.time() * 1000)


async def test_sleeping_on_another_loop_lets_time_pass_and_runs_what_is_due(runtime):
    sleepy = runtime.register(Sleepy).getByName("a")
    start_ms = runtime.clock.now_ms
    for in_ms in (999, 1_000):
        await sleepy.ring(in_ms)
        await runtime.sleep("1s")
    assert runtime.clock.now_ms == start_ms + 2_000
    assert await sleepy.rang() == [start_ms + 999, start_ms + 2_000]


async def test_sleeps_and_calls_that_are_gathered_end_in_order_of_time(runtime):
    sleepy = runtime.register(Sleepy).getByName("a")
    start_ms, ended = runtime.clock.now_ms, []

    async def sleep(duration):
        await runtime.sleep(duration)
        ended.append((duration, runtime.clock.now_ms - start_ms))

    async def nap(seconds):
        ended.append((seconds, await sleepy.nap(seconds) - start_ms))

    await asyncio.gather(sleep("5s"), nap(3), sleep(500), nap(0.25), sleep(dt.timedelta()))
    assert ended == [
        (dt.timedelta(), 0),
        (0.25, 250),
        (500, 500),
        (3, 3_000),
        ("5s", 5_000),
    ]


async def test_a_sleep_that_is_cancelled_leaves_no_timer(runtime):
    sleeping = asyncio.create_task(runtime.sleep("1h"))
    await asyncio.sleep(0)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    assert kernel_of(runtime).loop.next_timer() is None


def test_sleeping_in_a_script_and_inside_the_runtime(runtime):
    start_ms = runtime.clock.now_ms

    async def inside():
        await runtime.sleep("2s")
        return runtime.clock.now_ms - start_ms

    runtime.run(runtime.sleep("1s"))
    assert runtime.run(inside()) == 3_000


async def test_sleeping_in_real_time_waits(runtime):
    with runtime.start_real_time():
        start_ms = runtime.clock.now_ms
        await runtime.sleep(20)
        assert runtime.clock.now_ms - start_ms >= 19


@pytest.mark.parametrize("duration", ["soon", -1])
async def test_a_duration_that_is_none_is_refused(runtime, duration):
    with pytest.raises(DurationError):
        await runtime.sleep(duration)
