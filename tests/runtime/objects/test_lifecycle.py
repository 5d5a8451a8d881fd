"""Lives of instances: made at the first event, evicted when idle for 10 s, rebuilt from storage."""

import asyncio
import gc

import pytest

from dobook.errors import PlatformError
from dobook.limits import IDLE_EVICTION_MS
from dobook.runtime.access import kernel_of


class Mortal:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.lives = 0
        ctx.blockConcurrencyWhile(self.load)

    async def load(self):
        self.lives = (await self.ctx.storage.get("lives") or 0) + 1
        await self.ctx.storage.put("lives", self.lives)

    async def life(self):
        return self.lives

    async def wait(self, ms):
        await asyncio.sleep(ms / 1000)
        return self.lives

    async def work_after_the_answer(self, ms):
        async def work():
            await asyncio.sleep(ms / 1000)
            await self.ctx.storage.put("worked", "yes")

        self.ctx.waitUntil(work())

    async def fail_after_the_answer(self):
        async def work():
            await asyncio.sleep(0.001)
            raise ValueError("in the background")

        self.ctx.waitUntil(work())

    async def worked(self):
        return await self.ctx.storage.get("worked")

    async def start_a_task(self, ms):
        self.task = asyncio.create_task(asyncio.sleep(ms / 1000))

    async def alarm(self):
        pass

    async def set_alarm(self, delay_ms):
        await self.ctx.storage.setAlarm(self.now() + delay_ms)

    def now(self):
        import time

        return round(time.time() * 1000)


@pytest.fixture
def mortals(runtime):
    return runtime.register(Mortal)


@pytest.fixture
def mortal(mortals):
    return mortals.getByName("a")


@pytest.fixture
def events(runtime):
    seen = []
    runtime.observers.add(lambda event: seen.append((event.kind, event.object)))
    return seen


def state(runtime, name="a"):
    return {o.name: o.state for o in runtime.objects()}.get(name, "evicted")


def test_an_idle_object_is_evicted_after_ten_seconds_and_not_before(runtime, mortal, events):
    assert runtime.run(mortal.life()) == 1
    runtime.advance(IDLE_EVICTION_MS - 1)
    assert state(runtime) == "idle"
    assert runtime.run(mortal.life()) == 1
    runtime.advance(IDLE_EVICTION_MS)
    assert state(runtime) == "evicted"
    assert ("evicted", "MORTAL/a") in events
    assert runtime.run(mortal.life()) == 2


def test_an_object_used_once_is_evicted_after_ten_seconds_and_not_before(runtime, mortal):
    runtime.run(mortal.life())
    runtime.advance(IDLE_EVICTION_MS - 1)
    assert state(runtime) == "idle"
    runtime.advance(1)
    assert state(runtime) == "evicted"
    assert runtime.run(mortal.life()) == 2


def test_every_event_begins_the_ten_seconds_anew(runtime, mortal):
    for _ in range(5):
        runtime.advance(IDLE_EVICTION_MS - 1)
        assert runtime.run(mortal.life()) == 1


def test_idle_objects_stay_while_no_time_passes(runtime, mortal):
    runtime.run(mortal.life())
    for _ in range(100):
        runtime.settle()
    assert runtime.run(mortal.life()) == 1


def test_objects_are_evicted_each_in_its_time(runtime, mortals):
    runtime.run(mortals.getByName("early").life())
    runtime.advance(5_000)
    runtime.run(mortals.getByName("late").life())
    runtime.advance(5_000)
    assert (state(runtime, "early"), state(runtime, "late")) == ("evicted", "idle")
    runtime.advance(5_000)
    assert state(runtime, "late") == "evicted"


def test_eviction_happens_before_what_is_due_later(runtime, mortals):
    """A call that sleeps past another object's ten seconds finds it evicted."""
    runtime.run(mortals.getByName("idle").life())
    runtime.run(mortals.getByName("busy").wait(IDLE_EVICTION_MS + 1))
    assert state(runtime, "idle") == "evicted"


@pytest.mark.parametrize("method", ["wait", "work_after_the_answer", "start_a_task"])
def test_what_is_under_way_keeps_an_object_in_memory(runtime, mortal, method):
    call = getattr(mortal, method)(60_000)
    runtime.advance(59_000)
    assert state(runtime) == "running"
    runtime.advance(1_000)
    assert runtime.run(mortal.life()) == 1
    runtime.run(call)


def test_background_work_goes_on_after_the_answer(runtime, mortal):
    runtime.run(mortal.work_after_the_answer(1_000))
    assert runtime.run(mortal.worked()) is None
    runtime.advance(1_000)
    assert runtime.run(mortal.worked()) == "yes"


def test_errors_of_background_work_are_reported_and_harm_nobody(runtime, mortal, events):
    runtime.run(mortal.fail_after_the_answer())
    runtime.advance(1)
    assert ("error", "MORTAL/a") in events
    assert runtime.run(mortal.life()) == 1


def test_an_alarm_makes_an_evicted_object_anew(runtime, mortal):
    runtime.run(mortal.set_alarm(60_000))
    runtime.advance(60_000)
    assert runtime.run(mortal.life()) == 2


def test_evicting_on_request_waits_until_the_object_is_idle(runtime, mortal):
    async def main():
        call = mortal.wait(500)
        await runtime.evict("MORTAL/a")
        return await call, await mortal.life()

    start = runtime.clock.now_ms
    assert runtime.run(main()) == (1, 2)
    assert runtime.clock.now_ms == start + 500


def test_what_is_not_running_cannot_be_evicted(runtime, mortal):
    with pytest.raises(PlatformError, match="it is not currently running"):
        runtime.run(runtime.evict("MORTAL/a"))
    runtime.run(mortal.life())
    runtime.run(runtime.evict(mortal))
    with pytest.raises(PlatformError, match="it is not currently running"):
        runtime.run(runtime.evict(mortal))


def test_a_crash_ends_calls_and_memory_and_keeps_what_was_stored(runtime, mortals):
    stub = mortals.getByName("a")
    runtime.run(stub.life())
    call = stub.wait(1_000)
    runtime.settle()
    runtime.crash("MORTAL/a")
    with pytest.raises(PlatformError, match="crashed") as caught:
        runtime.run(call)
    assert caught.value.durableObjectReset
    assert runtime.run(mortals.getByName("a").life()) == 2


def test_crashing_what_is_not_in_memory_changes_nothing(runtime, mortals):
    runtime.crash(mortals.getByName("a"))
    assert runtime.run(mortals.getByName("a").life()) == 1


def test_a_new_definition_restarts_objects_and_keeps_their_storage(runtime, mortals):
    runtime.run(mortals.getByName("a").life())

    class Mortal2(Mortal):
        async def life(self):
            return f"new, {self.lives}"

    assert runtime.register(Mortal2, name="Mortal") is mortals
    assert runtime.run(mortals.getByName("a").life()) == "new, 2"
    assert runtime.env.MORTAL is mortals


def test_a_new_definition_under_another_binding_moves_the_class_there(runtime, mortals):
    runtime.run(mortals.getByName("a").life())
    runtime.register(Mortal, "UNDEAD")
    assert "MORTAL" not in runtime.env
    assert runtime.run(runtime.env.UNDEAD.getByName("a").life()) == 2


def test_objects_are_listed_with_what_they_are_and_have(runtime, mortal):
    runtime.run(mortal.set_alarm(60_000))
    (seen,) = runtime.objects()
    assert (seen.binding, seen.class_name, seen.name, seen.id) == (
        "MORTAL",
        "Mortal",
        "a",
        mortal.id.toString(),
    )
    assert (seen.state, seen.keys, seen.requests) == ("idle", 1, 1)
    assert seen.alarm_ms == runtime.clock.now_ms + 60_000


class Wakes:
    """Its constructor fails in its second life."""

    lives = 0

    def __init__(self, ctx, env):
        self.ctx = ctx
        type(self).lives += 1
        if type(self).lives == 2:
            raise ValueError("not now")

    async def ring(self):
        await self.ctx.storage.setAlarm(1)

    async def alarm(self, info):
        await self.ctx.storage.put("told", [info.isRetry, info.retryCount])

    async def told(self):
        return await self.ctx.storage.get("told")

    def stop(self):
        self.ctx.abort("stopped")


def test_a_constructor_that_fails_for_an_alarm_is_no_failed_run_of_the_handler(runtime):
    Wakes.lives = 0
    stub = runtime.register(Wakes).getByName("a")

    async def later():
        await stub._carried_().told()

    runtime.run(later())
    runtime.run(runtime.evict(stub))
    actor = kernel_of(runtime).actor_of(stub)
    actor.store.touch()
    actor.store.kv.set_alarm(runtime.clock.now_ms + 1000)
    runs = runtime.advance("10s")
    assert [(run.outcome, run.attempt) for run in runs] == [("error", 0), ("ok", 0)]
    assert runtime.run(stub._carried_().told()) == [False, 0]


def test_a_used_stub_is_broken_by_an_abort_that_another_stub_has_seen(runtime):
    Wakes.lives = 2
    used, other = (runtime.register(Wakes).getByName("a") for _ in range(2))
    fresh = used._carried_()
    runtime.run(used.told())
    with pytest.raises(PlatformError, match="stopped"):
        runtime.run(other.stop())
    with pytest.raises(PlatformError, match="stopped") as caught:
        runtime.run(used.told())
    assert caught.value.durableObjectReset
    assert runtime.run(fresh.told()) is None  # it had not been used, so it was bound to nothing


def test_a_crash_on_purpose_leaves_stubs_that_were_not_waiting(runtime):
    Wakes.lives = 2
    stub = runtime.register(Wakes).getByName("a")
    runtime.run(stub.told())
    runtime.crash(stub)
    assert runtime.run(stub.told()) is None


def test_waiting_for_an_eviction_ends_when_the_object_is_reset(runtime):
    Wakes.lives = 2

    class Sleeps(Wakes):
        async def nap(self):
            await asyncio.sleep(60)

    stub = runtime.register(Sleeps).getByName("a")
    nap = stub.nap()
    runtime.settle()
    evicting = runtime.evict(stub)
    runtime.settle()
    runtime.crash(stub)
    assert runtime.run(evicting) is None
    with pytest.raises(PlatformError, match="crashed"):
        runtime.run(nap)


def test_a_crash_while_a_handler_gathers_leaves_no_complaint(runtime, caplog):
    class Gathers(Wakes):
        async def both(self):
            await asyncio.gather(asyncio.sleep(1), self.told(), self.told())

    Wakes.lives = 2
    stub = runtime.register(Gathers).getByName("a")
    runtime.faults.crash(stub, "1st await")
    with pytest.raises(PlatformError, match="crashed"):
        runtime.run(stub.both())
    runtime.advance(2000)
    gc.collect()
    assert caplog.records == []
