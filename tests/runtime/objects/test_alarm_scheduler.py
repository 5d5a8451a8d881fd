"""The scheduler's records: due times, attempts, the random part of retries from the seed."""

import asyncio

import pytest

from dobook import limits


class Flaky:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def set(self, at_ms):
        await self.ctx.storage.setAlarm(at_ms)

    async def alarm(self, info):
        raise ValueError("always")


class Slow:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def set(self, at_ms):
        await self.ctx.storage.setAlarm(at_ms)

    async def alarm(self):
        await asyncio.sleep(10)

    async def during(self, at_ms):
        await self.ctx.storage.setAlarm(at_ms)

    async def get(self):
        return await self.ctx.storage.getAlarm()


def retries(runtime, name):
    flaky = runtime.register(Flaky).getByName(name)
    runtime.run(flaky.set(runtime.clock.now_ms + 1))
    runs = runtime.advance("1h")
    return [run.retry_ms - run.ran_ms for run in runs if run.retry_ms is not None]


def test_each_delay_is_the_double_with_up_to_a_quarter_more(runtime):
    delays = retries(runtime, "a")
    assert len(delays) == limits.ALARM_MAX_RETRIES == 6
    for n, delay in enumerate(delays):
        assert 2_000 * 2**n <= delay <= 2_500 * 2**n


def test_the_random_part_is_random_and_comes_from_the_seed(open_runtime):
    one, same, other = (retries(open_runtime(seed=seed), "a") for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert any(delay % 1_000 for delay in one)


def test_a_scheduled_alarm_shows_when_it_was_due_and_when_it_will_be_tried(runtime):
    flaky = runtime.register(Flaky).getByName("a")
    due_ms = runtime.clock.now_ms + 1_000
    runtime.run(flaky.set(due_ms))
    (waiting,) = runtime.scheduled_alarms()
    assert (waiting.object, waiting.due_ms, waiting.runs_ms, waiting.attempt) == (
        "FLAKY/a",
        due_ms,
        due_ms,
        0,
    )
    (run,) = runtime.advance(1_000)
    (waiting,) = runtime.scheduled_alarms()
    assert (waiting.due_ms, waiting.runs_ms, waiting.attempt) == (due_ms, run.retry_ms, 1)


def test_scheduled_alarms_are_listed_soonest_first(runtime):
    flaky = runtime.register(Flaky)
    for name, delay in [("late", 300), ("soon", 100), ("middle", 200)]:
        runtime.run(flaky.getByName(name).set(runtime.clock.now_ms + delay))
    assert [a.object for a in runtime.scheduled_alarms()] == [
        "FLAKY/soon",
        "FLAKY/middle",
        "FLAKY/late",
    ]


def test_a_run_says_what_happened_as_text(runtime):
    flaky = runtime.register(Flaky).getByName("a")
    runtime.run(flaky.set(runtime.clock.now_ms + 1_000))
    (run,) = runtime.advance(1_000)
    assert str(run) == "2026-01-01 00:00:01  FLAKY/a  error: ValueError: always"


def test_a_time_set_by_another_call_while_the_handler_runs_is_kept(runtime):
    slow = runtime.register(Slow).getByName("a")
    start = runtime.clock.now_ms
    runtime.run(slow.set(start + 1_000))
    runtime.advance(2_000)
    assert runtime.run(slow.get()) is None
    runtime.run(slow.during(start + 60_000))
    assert runtime.run(slow.get()) == start + 60_000
    runs = runtime.advance("1h")
    assert [run.ran_ms - start for run in runs] == [1_000, 60_000]


def test_a_handler_without_a_parameter_is_called_without_one(runtime):
    slow = runtime.register(Slow).getByName("a")
    runtime.run(slow.set(runtime.clock.now_ms + 1))
    assert [run.outcome for run in runtime.advance("1m")] == ["ok"]


@pytest.mark.parametrize("fraction", [0.4, 0.6])
def test_fractions_of_a_millisecond_are_rounded(runtime, fraction):
    slow = runtime.register(Slow).getByName("a")
    at = runtime.clock.now_ms + 1_000
    runtime.run(slow.set(at + fraction))
    assert runtime.run(slow.get()) in (at, at + 1)


def test_a_handler_that_is_under_way_already_is_seen_to_its_end(runtime):
    slow = runtime.register(Slow).getByName("a")
    start = runtime.clock.now_ms
    runtime.run(slow.set(start))  # due at once: the handler has begun when this returns
    runtime.settle()
    (run,) = runtime.advance_next()
    assert (run.outcome, runtime.clock.now_ms - start) == ("ok", 10_000)
    assert runtime.advance_until_idle() == []


def test_a_handler_may_take_15_minutes_then_its_object_is_reset_and_it_is_tried_again(runtime):
    class Stuck(Slow):
        async def alarm(self):
            await asyncio.Event().wait()

    stuck = runtime.register(Stuck).getByName("a")
    runtime.run(stuck.set(runtime.clock.now_ms + 1_000))
    assert [run.outcome for run in runtime.advance(1_000 + limits.ALARM_TIMEOUT_MS - 1)] == [
        "running"
    ]
    (run,) = runtime.advance(1)
    assert run.outcome == "error"
    assert 2_000 <= run.retry_ms - runtime.clock.now_ms <= 2_500
    assert "exceeded its allowed execution time" in run.error
    runs = runtime.advance_until_idle()
    assert [run.outcome for run in runs] == ["error"] * 5 + ["gave up"]
    assert runtime.advance_until_idle() == []
    runtime.crash(stuck)
