"""Promise: alarms run at least once, are retried with the real back-off, and survive eviction and
restart.

Source: developers.cloudflare.com/durable-objects/api/alarms/
"""

import asyncio
import itertools

import pytest

from dobook import limits
from dobook.errors import DobookError, PlatformTypeError


class Clockwork:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.storage = ctx.storage

    async def set(self, at_ms):
        await self.storage.setAlarm(at_ms)

    async def get(self):
        return await self.storage.getAlarm()

    async def delete(self):
        await self.storage.deleteAlarm()

    async def set_and_abort(self, at_ms):
        await self.storage.setAlarm(at_ms)
        self.ctx.abort("before it is durable")

    async def configure(self, **how):
        """`fail`: how many runs raise; `every`: set again after so many ms; `sleep`: in ms."""
        await self.storage.put("how", how)

    async def log(self):
        return await self.storage.get("log") or []

    async def alarm(self, info):
        how = await self.storage.get("how") or {}
        log = await self.storage.get("log") or []
        log.append([info.scheduledTime, info.retryCount, info.isRetry])
        await self.storage.put("log", log)
        if how.get("sleep"):
            await asyncio.sleep(how["sleep"] / 1000)
        if how.get("see"):
            await self.storage.put("seen", await self.storage.getAlarm() or "nothing")
        if how.get("reset_to"):
            await self.storage.setAlarm(how["reset_to"])
        if len(log) <= how.get("fail", 0):
            raise ValueError(f"run {len(log)} fails")
        if how.get("abort") and len(log) == 1:
            self.ctx.abort("during the alarm")
        if how.get("every"):
            await self.storage.setAlarm(info.scheduledTime + how["every"])

    async def seen(self):
        return await self.storage.get("seen")


HOUR = 3_600_000


@pytest.fixture
def clockworks(runtime):
    return runtime.register(Clockwork)


@pytest.fixture
def clockwork(clockworks):
    return clockworks.getByName("a")


def test_an_alarm_fires_once_and_not_a_millisecond_early(runtime, clockwork):
    at_ms = runtime.clock.now_ms + HOUR
    runtime.run(clockwork.set(at_ms))
    assert runtime.advance(HOUR - 1) == []
    assert runtime.run(clockwork.log()) == []
    (run,) = runtime.advance(1)
    assert (run.object, run.ran_ms, run.attempt, run.outcome) == ("CLOCKWORK/a", at_ms, 0, "ok")
    assert runtime.run(clockwork.log()) == [[at_ms, 0, False]]
    assert runtime.advance("30d") == []


def test_an_alarm_in_the_past_fires_at_once_but_after_the_call(runtime, clockwork):
    now_ms = runtime.clock.now_ms
    runtime.run(clockwork.set(now_ms - HOUR))
    runtime.settle()
    assert runtime.run(clockwork.log()) == [[now_ms, 0, False]]
    assert runtime.clock.now_ms == now_ms


def test_setting_an_alarm_again_moves_the_one_there_is(runtime, clockwork):
    start = runtime.clock.now_ms
    runtime.run(clockwork.set(start + HOUR))
    runtime.run(clockwork.set(start + 2 * HOUR))
    assert runtime.run(clockwork.get()) == start + 2 * HOUR
    assert [run.ran_ms - start for run in runtime.advance("1d")] == [2 * HOUR]


def test_a_deleted_alarm_does_not_fire(runtime, clockwork):
    runtime.run(clockwork.set(runtime.clock.now_ms + HOUR))
    runtime.run(clockwork.delete())
    assert runtime.run(clockwork.get()) is None
    assert runtime.advance("1d") == []


def test_an_alarm_whose_write_was_lost_does_not_fire(runtime, clockwork, clockworks):
    with pytest.raises(DobookError):
        runtime.run(clockwork.set_and_abort(runtime.clock.now_ms + HOUR))
    assert runtime.run(clockworks.getByName("a").get()) is None
    assert runtime.advance("1d") == []


def test_get_alarm_shows_nothing_while_the_handler_runs(runtime, clockwork):
    runtime.run(clockwork.configure(see=True))
    runtime.run(clockwork.set(runtime.clock.now_ms + 1))
    runtime.advance(1)
    assert runtime.run(clockwork.seen()) == "nothing"
    assert runtime.run(clockwork.get()) is None


def test_a_handler_may_set_the_next_alarm(runtime, clockwork):
    start = runtime.clock.now_ms
    runtime.run(clockwork.configure(every=HOUR))
    runtime.run(clockwork.set(start + HOUR))
    runs = runtime.advance("7d")
    assert [run.ran_ms - start for run in runs] == [n * HOUR for n in range(1, 7 * 24 + 1)]
    assert runtime.run(clockwork.get()) == start + (7 * 24 + 1) * HOUR


def test_alarms_of_many_objects_run_in_the_order_of_their_times(runtime, clockworks):
    start = runtime.clock.now_ms
    for name, delay in [("late", 300), ("early", 100), ("middle", 200)]:
        runtime.run(clockworks.getByName(name).set(start + delay))
    runs = runtime.advance(1_000)
    assert [(run.object, run.ran_ms - start) for run in runs] == [
        ("CLOCKWORK/early", 100),
        ("CLOCKWORK/middle", 200),
        ("CLOCKWORK/late", 300),
    ]


def retry_delays(runs):
    return [later.ran_ms - run.ran_ms for run, later in itertools.pairwise(runs)]


def test_a_handler_that_raises_is_tried_again_with_growing_delays(runtime, clockwork):
    runtime.run(clockwork.configure(fail=3))
    runtime.run(clockwork.set(runtime.clock.now_ms + 1))
    runs = runtime.advance("1h")
    assert [run.outcome for run in runs] == ["error", "error", "error", "ok"]
    assert [run.attempt for run in runs] == [0, 1, 2, 3]
    assert runs[0].error == "ValueError: run 1 fails"
    for n, delay in enumerate(retry_delays(runs)):
        base = limits.ALARM_RETRY_FIRST_MS * 2**n
        assert base <= delay <= base * (1 + limits.ALARM_RETRY_JITTER)
        assert runs[n].retry_ms == runs[n + 1].ran_ms
    log = runtime.run(clockwork.log())
    assert [entry[1:] for entry in log] == [[0, False], [1, True], [2, True], [3, True]]
    assert len({entry[0] for entry in log}) == 1, "scheduledTime stays what was set"


def test_a_handler_that_always_raises_is_retried_six_times_and_given_up(runtime, clockwork):
    runtime.run(clockwork.configure(fail=100))
    runtime.run(clockwork.set(runtime.clock.now_ms + 1))
    runs = runtime.advance("1d")
    assert len(runs) == 1 + limits.ALARM_MAX_RETRIES == 7
    assert [run.outcome for run in runs] == ["error"] * 6 + ["gave up"]
    assert runtime.run(clockwork.get()) is None
    assert runtime.scheduled_alarms() == []


def test_after_a_good_run_the_count_of_retries_begins_anew(runtime, clockwork):
    runtime.run(clockwork.configure(fail=2))
    runtime.run(clockwork.set(runtime.clock.now_ms + 1))
    runtime.advance("1h")
    runtime.run(clockwork.configure(fail=4))
    runtime.run(clockwork.set(runtime.clock.now_ms + 1))
    runs = runtime.advance("1h")
    assert [run.attempt for run in runs] == [0, 1]
    assert retry_delays(runs)[0] <= limits.ALARM_RETRY_FIRST_MS * (1 + limits.ALARM_RETRY_JITTER)


def test_a_new_alarm_replaces_a_pending_retry(runtime, clockwork):
    start = runtime.clock.now_ms
    runtime.run(clockwork.configure(fail=1))
    runtime.run(clockwork.set(start))
    runtime.advance(100)
    runtime.run(clockwork.set(start + HOUR))
    runs = runtime.advance("1d")
    assert [(run.ran_ms - start, run.attempt) for run in runs] == [(HOUR, 0)]


def test_an_alarm_set_by_a_handler_that_then_raises_replaces_the_retry(runtime, clockwork):
    start = runtime.clock.now_ms
    runtime.run(clockwork.configure(fail=1, reset_to=start + HOUR))
    runtime.run(clockwork.set(start))
    runtime.settle()
    runtime.run(clockwork.configure())
    runs = runtime.advance("1d")
    assert [(run.ran_ms - start, run.attempt) for run in runs] == [(HOUR, 0)]


def test_an_alarm_runs_again_after_its_object_was_reset_during_it(runtime, clockwork, clockworks):
    runtime.run(clockwork.configure(abort=True, sleep=10))
    runtime.run(clockwork.set(runtime.clock.now_ms + 1))
    runs = runtime.advance("1h")
    assert [run.outcome for run in runs] == ["error", "ok"]
    assert len(runtime.run(clockworks.getByName("a").log())) == 2


def test_an_alarm_survives_eviction(runtime, clockwork):
    runtime.run(clockwork.set(runtime.clock.now_ms + HOUR))
    runtime.run(runtime.evict("CLOCKWORK/a"))
    assert [run.outcome for run in runtime.advance(HOUR)] == ["ok"]
    assert len(runtime.run(clockwork.log())) == 1


def test_an_alarm_survives_a_crash(runtime, clockwork, clockworks):
    runtime.run(clockwork.set(runtime.clock.now_ms + HOUR))
    runtime.crash("CLOCKWORK/a")
    assert [run.outcome for run in runtime.advance(HOUR)] == ["ok"]
    assert len(runtime.run(clockworks.getByName("a").log())) == 1


def test_an_alarm_survives_a_redefinition_of_its_class(runtime, clockwork, clockworks):
    runtime.run(clockwork.set(runtime.clock.now_ms + HOUR))

    class Clockwork2(Clockwork):
        async def alarm(self):
            await self.storage.put("log", ["the new code"])

    runtime.register(Clockwork2, name="Clockwork")
    runtime.advance(HOUR)
    assert runtime.run(clockworks.getByName("a").log()) == ["the new code"]


def test_an_alarm_survives_a_restart(open_runtime, tmp_path):
    with open_runtime(tmp_path / "state") as first:
        start = first.clock.now_ms
        first.run(first.register(Clockwork).getByName("a").set(start + HOUR))
        first.advance(HOUR - 1)
    second = open_runtime(tmp_path / "state")
    clockwork = second.register(Clockwork).getByName("a")
    assert second.clock.now_ms == start + HOUR - 1
    assert [(a.object, a.due_ms) for a in second.scheduled_alarms()] == [
        ("CLOCKWORK/a", start + HOUR)
    ]
    assert [run.outcome for run in second.advance(1)] == ["ok"]
    assert second.run(clockwork.log()) == [[start + HOUR, 0, False]]


def test_an_alarm_that_was_overdue_at_a_restart_runs_at_once(open_runtime, tmp_path):
    with open_runtime(tmp_path / "state") as first:
        start = first.clock.now_ms
        first.run(first.register(Clockwork).getByName("a").set(start + HOUR))
    second = open_runtime(tmp_path / "state", start=start + 2 * HOUR)
    clockwork = second.register(Clockwork).getByName("a")
    second.settle()
    assert len(second.run(clockwork.log())) == 1


def test_a_run_that_is_over_is_not_repeated_after_a_restart(open_runtime, tmp_path):
    with open_runtime(tmp_path / "state") as first:
        first.run(first.register(Clockwork).getByName("a").set(first.clock.now_ms + 1))
        assert len(first.advance(1)) == 1
    second = open_runtime(tmp_path / "state")
    clockwork = second.register(Clockwork).getByName("a")
    assert second.advance("1d") == []
    assert len(second.run(clockwork.log())) == 1


def test_a_class_without_a_handler_cannot_set_an_alarm(runtime):
    class Mute:
        def __init__(self, ctx, env):
            self.ctx = ctx

        async def set(self):
            await self.ctx.storage.setAlarm(1)

    with pytest.raises(PlatformTypeError, match=r"must have an alarm\(\) handler"):
        runtime.run(runtime.register(Mute).getByName("a").set())


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), "soon", None, True])
def test_what_is_no_time_is_refused(runtime, clockwork, bad):
    with pytest.raises(PlatformTypeError):
        runtime.run(clockwork.set(bad))
    assert runtime.run(clockwork.get()) is None


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_ten_thousand_recurring_alarms_run_every_time_and_in_order(runtime):
    class Metronome:
        def __init__(self, ctx, env):
            self.ctx = ctx

        async def start(self, every):
            await self.ctx.storage.put("every", every)
            await self.alarm(None)

        async def alarm(self, info):
            at = info.scheduledTime if info else runtime.clock.now_ms
            await self.ctx.storage.setAlarm(at + await self.ctx.storage.get("every"))

    metronomes = runtime.register(Metronome)
    start = runtime.clock.now_ms
    for n in range(10):
        runtime.run(metronomes.getByName(f"m{n}").start(1_000 + n))
    runs = runtime.advance(1_000_000)
    assert len(runs) == sum(1_000_000 // (1_000 + n) for n in range(10)) == 9_954 + 1
    assert [run.ran_ms for run in runs] == sorted(run.ran_ms for run in runs)
    for n in range(10):
        mine = [run.ran_ms - start for run in runs if run.object == f"METRONOME/m{n}"]
        assert mine == [(1_000 + n) * k for k in range(1, len(mine) + 1)]
