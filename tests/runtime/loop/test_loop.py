"""The loop: asyncio's own with virtual time, which never moves while real work is under way."""

import asyncio
import threading
from contextvars import copy_context

import pytest

from dobook.runtime.loop.loop import RuntimeLoop, running_loop


@pytest.fixture
def loop():
    made = RuntimeLoop(1_000_000)
    yield made
    made.close()


def test_time_starts_at_zero_and_now_at_the_start(loop):
    assert loop.time() == 0
    assert loop.now_ms == 1_000_000
    assert loop.seconds_at(1_002_500) == 2.5


def test_a_sleep_moves_the_clock_and_not_the_watch(loop):
    loop.run_until_complete(asyncio.sleep(3_600))
    assert loop.time() == 3_600
    assert loop.now_ms == 1_000_000 + 3_600_000


def test_timers_run_in_the_order_of_their_times_and_then_as_they_were_set(loop):
    order = []
    for name, delay in [("c", 2), ("a", 1), ("b", 1), ("d", 2)]:
        loop.call_later(delay, order.append, name)
    loop.call_later(3, loop.stop)
    loop.run_forever()
    assert order == ["a", "b", "c", "d"]


def test_sums_of_floats_meet_at_one_instant(loop):
    order = []
    loop.call_at(0.1 + 0.2, order.append, "sum")
    loop.call_at(0.3, order.append, "whole")
    loop.call_at(0.3, loop.stop)
    loop.run_forever()
    assert order == ["sum", "whole"]
    assert loop.time() == 0.3


@pytest.mark.parametrize("debug", [False, True])
def test_a_timer_is_asyncios_own_in_all_but_its_order(loop, debug):
    loop.set_debug(debug)
    context = copy_context()
    timer = loop.call_at(1.5, print, "text", context=context)
    own = asyncio.TimerHandle(1.5, print, ("text",), loop, context)
    own._scheduled = True
    slots = {*asyncio.TimerHandle.__slots__, *asyncio.Handle.__slots__} - {"__weakref__"}
    for name in slots - {"_source_traceback"}:
        assert getattr(timer, name) == getattr(own, name), name
    assert bool(timer._source_traceback) is debug
    timer.cancel()
    assert timer.cancelled()


def test_a_closed_loop_takes_no_timer():
    closed = RuntimeLoop(0)
    closed.close()
    with pytest.raises(RuntimeError, match="closed"):
        closed.call_later(1, print)


def test_a_cancelled_timer_does_not_move_the_clock(loop):
    loop.call_later(5, lambda: None).cancel()
    loop.call_later(1, loop.stop)
    assert loop.next_timer() == 1
    loop.run_forever()
    assert loop.time() == 1


def test_the_loop_stops_when_nothing_is_left_to_do(loop):
    loop.call_later(1, lambda: None)
    loop.run_forever()
    assert loop.time() == 1


def test_time_goes_to_the_horizon_and_no_further(loop):
    ran = []
    loop.call_later(1, ran.append, "at the horizon")
    loop.call_later(1.001, ran.append, "behind it")
    loop.horizon = 1.0
    loop.run_forever()
    assert ran == ["at the horizon"]
    assert loop.time() == 1
    loop.horizon = 1.0005
    loop.run_forever()
    assert loop.time() == 1.0005
    loop.horizon = None
    loop.run_forever()
    assert ran == ["at the horizon", "behind it"]


def test_the_clock_waits_for_work_in_a_thread(loop):
    may_end = threading.Event()
    order = []

    async def work():
        await loop.run_in_executor(None, may_end.wait)
        order.append(("work", loop.time()))

    async def timer():
        await asyncio.sleep(1)
        order.append(("timer", loop.time()))

    async def main():
        tasks = [loop.create_task(work()), loop.create_task(timer())]
        threading.Thread(target=may_end.set).start()
        await asyncio.gather(*tasks)

    loop.run_until_complete(main())
    assert order == [("work", 0), ("timer", 1)]


def test_the_clock_waits_for_what_is_announced_as_real_work(loop):
    order = []
    done = loop.create_future()

    async def real():
        with loop.real_work():
            await done
        order.append(("real", loop.time()))

    async def main():
        task = loop.create_task(real())
        await asyncio.sleep(0)
        ended = threading.Thread(target=loop.call_soon_threadsafe, args=(done.set_result, None))
        ended.start()
        await asyncio.sleep(1)
        order.append(("timer", loop.time()))
        await task
        ended.join()

    loop.run_until_complete(main())
    assert order == [("real", 0), ("timer", 1)]


def test_another_thread_may_call_in_at_any_time(loop):
    called = []

    async def main():
        future = loop.create_future()
        thread = threading.Thread(
            target=loop.call_soon_threadsafe, args=(future.set_result, "hello")
        )
        with loop.real_work():
            thread.start()
            called.append(await future)
        thread.join()

    loop.run_until_complete(main())
    assert called == ["hello"]


def test_switching_to_real_time_and_back_goes_on_from_where_the_clock_stands(loop):
    loop.run_until_complete(asyncio.sleep(100))
    loop.set_virtual(False)
    assert 100 <= loop.time() < 160
    loop.set_virtual(True)
    stood = loop.time()
    assert 100 <= stood < 160
    assert loop.time() == stood
    loop.run_until_complete(asyncio.sleep(10))
    assert loop.time() == pytest.approx(stood + 10, abs=1e-5)


def test_milliseconds_are_exact_however_they_are_summed(loop):
    async def main():
        seen = []
        for _ in range(1_000):
            await asyncio.sleep(0.001)
            seen.append(loop.now_ms)
        return seen

    assert loop.run_until_complete(main()) == list(range(1_000_001, 1_001_001))


@pytest.mark.parametrize("days", [1, 100, 190])
def test_a_timer_is_taken_however_late_it_is(loop, days):
    loop.run_until_complete(asyncio.sleep(days * 86_400))
    loop.run_until_complete(asyncio.sleep(0.001))
    assert loop.now_ms == 1_000_001 + days * 86_400_000


def test_no_loop_runs_outside(loop):
    assert running_loop() is None

    async def inside():
        return running_loop()

    assert loop.run_until_complete(inside()) is loop
