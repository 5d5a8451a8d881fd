"""Real time: a thread turns the loop, others take it over, and switching loses nothing."""

import asyncio
import datetime
import gc
import signal
import threading
import time

import pytest
from js import WebSocketPair

from dobook.errors import UsageError
from dobook.runtime.access import kernel_of
from dobook.runtime.driving import realtime
from dobook.runtime.objects import eviction
from dobook.web import Response

MANY = 200
begun, told = threading.Event(), threading.Event()


class Worker:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.rung = asyncio.Event()

    async def increment(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

    async def wake(self, in_ms):
        await self.ctx.storage.setAlarm(time.time() * 1000 + in_ms)

    async def alarm(self):
        self.rung.set()

    async def ring(self):
        await self.rung.wait()
        return "rung"

    async def nap(self, ms):
        await asyncio.sleep(ms / 1000)
        return ms

    async def clocks(self):
        return [time.time() * 1000, datetime.datetime.now(datetime.UTC).timestamp() * 1000]

    async def thread(self):
        return threading.current_thread().name

    async def leave(self):
        raise SystemExit("told to")

    async def spin(self):
        signal.raise_signal(signal.SIGINT)
        while True:
            pass

    def fail_when_told(self):
        begun.set()
        told.wait()
        raise ValueError("told to")

    async def fetch(self, request):
        client, server = WebSocketPair().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    def webSocketMessage(self, ws, message):
        ws.send(message)


@pytest.fixture
def worker(runtime):
    return runtime.register(Worker).getByName("a")


@pytest.fixture
def real(runtime, worker):
    runtime.start_real_time()
    return runtime


# ---------------------------------------------------------------------- alarms and clocks


def test_an_alarm_set_in_virtual_time_rings_by_itself_in_real_time_and_not_early(runtime, worker):
    runtime.run(worker.wake(30))
    (alarm,) = runtime.scheduled_alarms()
    with runtime.start_real_time():
        assert runtime.run(worker.ring()) == "rung"
        assert runtime.clock.now_ms >= alarm.runs_ms
    assert runtime.scheduled_alarms() == []


def test_an_alarm_far_off_stays_set_through_every_switch(runtime, worker):
    runtime.run(worker.wake(3_600_000))
    before = runtime.scheduled_alarms()
    for _ in range(3):
        with runtime.start_real_time():
            assert runtime.scheduled_alarms() == before
    assert runtime.scheduled_alarms() == before
    assert [run.outcome for run in runtime.advance("1h")] == ["ok"]


def test_an_alarm_set_in_real_time_rings_in_virtual_time(real, worker):
    real.run(worker.wake(3_600_000))
    real.stop_real_time()
    assert [run.outcome for run in real.advance("1h")] == ["ok"]


def test_an_alarm_set_in_real_time_is_never_due_later_than_that_time_says(real, worker):
    for _ in range(200):  # at other fractions of a millisecond
        before_ms = real.clock.now_ms
        real.run(worker.wake(3_600_000))
        (alarm,) = real.scheduled_alarms()
        assert before_ms <= alarm.due_ms - 3_600_000 <= real.clock.now_ms


def test_the_clock_goes_on_from_where_it_stood_and_then_stands_again(runtime, worker):
    runtime.advance("5d")
    began_ms = runtime.clock.now_ms
    with runtime.start_real_time():
        assert began_ms <= runtime.clock.now_ms < began_ms + 60_000
        runtime.run(worker.nap(5))
    stood_ms = runtime.clock.now_ms
    assert stood_ms >= began_ms + 5
    assert runtime.clock.now_ms == stood_ms


def test_handlers_see_the_runtimes_clock_and_everybody_else_the_one_on_the_wall(real, worker):
    for shown_ms in real.run(worker.clocks()):
        assert abs(shown_ms - real.clock.now_ms) < 60_000
    assert abs(time.time() * 1000 - real.clock.now_ms) > 60_000
    assert datetime.datetime is type(datetime.datetime.now(datetime.UTC))


def test_a_call_that_is_awaited_on_another_loop_counts_as_awaited_at_once(real, worker):
    begun.clear()
    told.clear()

    async def wait_for(promise):
        await promise

    async def give_up():
        promise = worker.fail_when_told()
        begun.wait()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(wait_for(promise), 0.01)

    asyncio.run(give_up())
    told.set()
    for _ in range(MANY):  # so that the runtime no longer knows the first one
        real.run(worker.increment())
    gc.collect()  # a call that can no longer be awaited is reported then
    assert kernel_of(real).unheard == []


def test_moving_the_clock_is_refused_while_time_is_real(real):
    for move in (lambda: real.advance("1s"), real.advance_next, real.advance_until_idle):
        with pytest.raises(UsageError, match="time is real"):
            move()


def test_switching_from_inside_a_handler_is_refused(runtime):
    class Meddler:
        def __init__(self, ctx, env): ...

        def switch(self, how):
            with pytest.raises(UsageError, match="inside the runtime"):
                (runtime.start_real_time if how == "on" else runtime.stop_real_time)()

    meddler = runtime.register(Meddler).getByName("a")
    runtime.run(meddler.switch("on"))
    with runtime.start_real_time():
        runtime.run(meddler.switch("off"))


def test_switching_twice_is_as_good_as_once(runtime):
    runtime.start_real_time()
    runtime.start_real_time()
    assert not runtime.clock.virtual
    runtime.stop_real_time()
    runtime.stop_real_time()
    assert runtime.clock.virtual


# ---------------------------------------------------------------------- who turns


def test_calls_of_many_threads_and_a_script_lose_no_update(real, worker):
    def client():
        async def main():
            for _ in range(MANY // 4):
                await worker.increment()

        asyncio.run(main())

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(MANY):
        real.run(worker.increment())
    for thread in threads:
        thread.join()
    assert real.run(worker.increment()) == 2 * MANY + 1


def test_what_a_script_runs_is_turned_on_its_own_thread_and_what_a_loop_awaits_in_the_background(
    real, worker
):
    assert real.run(worker.thread()) == threading.current_thread().name

    async def main():
        return await worker.thread()

    assert asyncio.run(main()) == realtime.THREAD_NAME


async def test_a_loop_that_awaits_a_call_goes_on_meanwhile(real, worker):
    napping = asyncio.ensure_future(asyncio.wait_for(worker.nap(50), 10))
    ticks = 0
    while not napping.done():
        await asyncio.sleep(0)
        ticks += 1
    assert napping.result() == 50
    assert ticks > 1


async def test_a_call_that_is_awaited_across_the_end_of_real_time_is_answered(runtime, worker):
    runtime.start_real_time()
    napping = asyncio.ensure_future(asyncio.wait_for(worker.nap(3_600_000), 10))
    await asyncio.sleep(0)
    runtime.stop_real_time()
    assert await napping == 3_600_000


def test_whoever_holds_the_loop_has_it_for_himself(real, worker):
    with kernel_of(real).driver.held:
        real.run(worker.increment())
        promise = worker.increment()
        assert threading.current_thread().name != realtime.THREAD_NAME
        assert real.clock.virtual is False
        real.settle()
    assert real.run(promise) == 2


def test_an_interrupt_in_real_time_ends_what_was_asked_for_and_nothing_else(real, worker):
    waiting = worker.ring()
    with pytest.raises(KeyboardInterrupt):
        real.run(_interrupted(worker))
    real.run(worker.wake(1))
    assert real.run(waiting) == "rung"


async def _interrupted(worker):
    signal.raise_signal(signal.SIGINT)
    await worker.nap(600_000)


@pytest.mark.slow
def test_an_interrupt_breaks_off_a_handler_that_never_yields(real, worker):
    with pytest.raises(KeyboardInterrupt):
        real.run(worker.spin())
    assert real.run(worker.increment()) == 1


def test_a_handler_that_exits_does_not_end_the_thread(real, worker):
    worker.leave()
    assert asyncio.run(_awaited(worker.increment())) == 1


async def _awaited(promise):
    return await asyncio.wait_for(promise, 5)


def test_sockets_can_be_used_from_a_script(real, worker):
    response = real.run(worker.fetch("http://do/", headers={"Upgrade": "websocket"}))
    socket, seen, all_seen = response.web_socket, [], threading.Event()

    def note(event):
        seen.append(event.data)
        if len(seen) == MANY:
            all_seen.set()

    socket.addEventListener("message", note)
    socket.accept()
    for i in range(MANY):
        socket.send(str(i))
    assert all_seen.wait(10)
    assert seen == [str(i) for i in range(MANY)]
    socket.close(1000, "done")


def test_idle_objects_leave_memory_in_real_time_too(runtime, worker, monkeypatch):
    monkeypatch.setattr(eviction, "IDLE_EVICTION_S", 0.01)
    monkeypatch.setattr(realtime, "SWEEP_S", 0.01)
    gone = threading.Event()
    runtime.observers.add(lambda event: gone.set() if event.kind == "evicted" else None)
    runtime.run(worker.increment())
    with runtime.start_real_time():
        assert gone.wait(10)
        assert runtime.run(worker.increment()) == 2


def test_closing_ends_real_time(runtime, worker):
    runtime.start_real_time()
    asyncio.run(_awaited(worker.increment()))
    runtime.close()
    assert realtime.THREAD_NAME not in [thread.name for thread in threading.enumerate()]
