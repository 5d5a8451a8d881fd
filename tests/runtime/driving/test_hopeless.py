"""A call that can never be answered does not move the virtual clock; one that can be is answered."""

import asyncio

import pytest

from dobook.errors import DeadlockError

FAR_MS = 4_102_444_800_000  # 2100-01-01


class Hanging:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.event = asyncio.Event()

    async def future(self):
        await asyncio.get_running_loop().create_future()

    async def nobodys_event(self):
        await asyncio.Event().wait()

    async def nobodys_queue(self):
        queue = asyncio.Queue()
        await queue.get()

    async def gathered(self):
        await asyncio.gather(self.future(), self.nobodys_event())

    async def in_a_task(self):
        await asyncio.create_task(self.nobodys_queue())

    async def through_another(self):
        await self.env.HANGING.getByName("other").in_a_task()

    async def until_told(self):
        await self.event.wait()
        return "told"

    async def tell(self):
        self.event.set()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)
        return "slept"


class Alarmed:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env

    async def set(self, at_ms):
        await self.ctx.storage.setAlarm(at_ms)

    async def again(self, every_ms):
        await self.ctx.storage.put("every_ms", every_ms)
        await self.ctx.storage.setAlarm(self.env.CLOCK.now_ms + every_ms)

    async def alarm(self, info=None):
        await self.env.HANGING.getByName("a").tell()
        every_ms = await self.ctx.storage.get("every_ms")
        if every_ms:
            await self.again(every_ms)


@pytest.fixture
def hanging(runtime):
    runtime.env.bind("CLOCK", runtime.clock)
    runtime.register(Alarmed)
    return runtime.register(Hanging).getByName("a")


HANGS = ["future", "nobodys_event", "nobodys_queue", "gathered", "in_a_task", "through_another"]


@pytest.mark.parametrize("way", HANGS)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_nobody_can_end_is_a_deadlock_at_once(runtime, hanging, way, elsewhere):
    runtime.run(runtime.stub("ALARMED/a").set(FAR_MS))
    runtime.run(runtime.stub("ALARMED/b").set(runtime.clock.now_ms + 1000))
    now_ms = runtime.clock.now_ms
    run = (lambda promise: asyncio.run(awaited(promise))) if elsewhere else runtime.run
    with pytest.raises(DeadlockError, match="no alarm that is set can change that"):
        run(getattr(hanging, way)())
    assert runtime.clock.now_ms == now_ms
    assert len(runtime.scheduled_alarms()) == 2


async def awaited(promise):
    return await promise


def test_an_alarm_may_end_a_wait(runtime, hanging):
    at_ms = runtime.clock.now_ms + 300 * 24 * 3_600_000
    runtime.run(runtime.stub("ALARMED/a").set(at_ms))
    assert runtime.run(hanging.until_told()) == "told"
    assert runtime.clock.now_ms == at_ms


def test_an_alarm_further_away_than_a_year_is_not_waited_for(runtime, hanging):
    runtime.run(runtime.stub("ALARMED/a").set(FAR_MS))
    now_ms = runtime.clock.now_ms
    with pytest.raises(DeadlockError):
        runtime.run(hanging.until_told())
    assert runtime.clock.now_ms == now_ms


def test_a_sleep_is_waited_for_however_long_it_is_and_alarms_run_on_the_way(runtime, hanging):
    runtime.run(runtime.stub("ALARMED/a").again(100 * 24 * 3_600_000))
    began_ms = runtime.clock.now_ms
    assert runtime.run(hanging.sleep(1000 * 24 * 3600)) == "slept"
    assert runtime.clock.now_ms == began_ms + 1000 * 24 * 3_600_000


def test_alarms_that_come_again_and_again_do_not_keep_a_wait_up_for_ever(runtime, hanging):
    runtime.run(runtime.stub("ALARMED/a").again(7 * 24 * 3_600_000))
    began_ms = runtime.clock.now_ms

    class Deaf(Hanging):
        async def tell(self):
            pass

    runtime.register(Deaf, binding="HANGING", name="Hanging")
    with pytest.raises(DeadlockError):
        runtime.run(runtime.stub("HANGING/a").until_told())
    assert runtime.clock.now_ms - began_ms <= 366 * 24 * 3_600_000
