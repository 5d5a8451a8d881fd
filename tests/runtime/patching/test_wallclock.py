"""The time of day inside handlers is the virtual one, and Python's own everywhere else."""

import asyncio
import datetime
import datetime as dt
import os
import random
import threading
import time
from datetime import date
from datetime import datetime as imported_datetime
from time import time as imported_time

import pytest

# What users write; it warns since Python 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
REAL = (datetime.datetime, datetime.date)
START = dt.datetime(2040, 5, 6, 7, 8, 9, tzinfo=dt.UTC)


class Watcher:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def everything(self):
        return {
            "time": time.time(),
            "time_ns": time.time_ns() / 1e9,
            "imported time": imported_time(),
            "datetime": datetime.datetime.now(dt.UTC).timestamp(),
            "imported datetime": imported_datetime.now(dt.UTC).timestamp(),
            "local": datetime.datetime.now().timestamp(),  # noqa: DTZ005 - what users write
            "today": datetime.datetime.today().timestamp(),  # noqa: DTZ002 - what users write
            "utcnow": imported_datetime.utcnow().replace(tzinfo=dt.UTC).timestamp(),  # noqa: DTZ003
        }

    async def dates(self):
        return [str(datetime.date.today()), str(date.today())]  # noqa: DTZ011 - what users write

    async def kinds(self):
        now = imported_datetime.now(dt.UTC)
        made = imported_datetime(2020, 1, 2, 3, tzinfo=dt.UTC)
        return {
            "now is a datetime": isinstance(now, imported_datetime),
            "made is a datetime": isinstance(made, datetime.datetime),
            "datetime is a date": isinstance(now, datetime.date),
            "a date is one": isinstance(date(2020, 1, 2), date),
            "a subclass": issubclass(datetime.datetime, datetime.date),
            "the real class": type(now) is REAL[0] and type(made) is REAL[0],
            "parsed": imported_datetime.fromisoformat("2020-01-02T03:00:00+00:00") == made,
            "sum": made + dt.timedelta(hours=1) > made,
            "bounds": imported_datetime.resolution == dt.timedelta(microseconds=1),
            "a text is none": isinstance("2020", imported_datetime),
        }

    async def stored_time(self):
        await self.ctx.storage.put("at", imported_datetime.now(dt.UTC))
        return await self.ctx.storage.get("at")

    async def after(self, ms):
        await asyncio.sleep(ms / 1000)
        return time.time()

    async def fail(self):
        raise ValueError("told to")

    async def in_a_thread(self):
        seen = []
        thread = threading.Thread(target=lambda: seen.append(time.time()))
        thread.start()
        thread.join()
        return seen[0]


@pytest.fixture
def runtime(open_runtime):
    return open_runtime(start=START)


@pytest.fixture
def watcher(runtime):
    return runtime.register(Watcher).getByName("a")


def test_every_way_to_ask_gives_the_virtual_time(runtime, watcher):
    seen = runtime.run(watcher.everything())
    assert seen == dict.fromkeys(seen, START.timestamp())


def test_dates_follow_too(runtime, watcher):
    assert runtime.run(watcher.dates()) == ["2040-05-06"] * 2


def test_isinstance_and_arithmetic_work_as_ever(runtime, watcher):
    kinds = runtime.run(watcher.kinds())
    assert kinds.pop("a text is none") is False
    assert [what for what, holds in kinds.items() if not holds] == []


def test_time_goes_on_while_a_handler_sleeps(runtime, watcher):
    assert runtime.run(watcher.after(1_500)) == START.timestamp() + 1.5


def test_a_datetime_made_inside_can_be_stored_and_leaves(runtime, watcher):
    assert runtime.run(watcher.stored_time()) == START


def test_outside_and_afterwards_time_is_real(runtime, watcher):
    before = time.time()
    runtime.run(watcher.everything())
    assert before <= time.time() < before + 60
    assert before <= imported_time() < before + 60
    assert before - 1 < datetime.datetime.now(dt.UTC).timestamp() < before + 60


def test_time_is_real_again_after_an_error(runtime, watcher):
    with pytest.raises(ValueError, match="told to"):
        runtime.run(watcher.fail())
    assert time.time() < START.timestamp() - 86_400
    assert imported_datetime.now(dt.UTC) < START


def test_other_threads_keep_real_time(runtime, watcher):
    assert runtime.run(watcher.in_a_thread()) < START.timestamp() - 86_400


async def test_on_another_loop_time_is_real_around_the_call(runtime, watcher):
    before = time.time()
    seen = await watcher.everything()
    assert seen["time"] == START.timestamp()
    assert before <= time.time() < before + 60


def test_a_worker_sees_virtual_time_as_well(runtime):
    from dobook.web import Response

    class Default:
        def __init__(self, ctx, env): ...

        async def fetch(self, request):
            return Response(str(imported_time()))

    runtime.serve_worker(Default)

    async def main():
        return await (await runtime.fetch("/")).text()

    assert float(runtime.run(main())) == START.timestamp()


class Keeper:
    def __init__(self, ctx, env):
        pass

    async def draw(self):
        class Timed:  # what frameworks do, when they are imported in a handler
            now = time.time
            now_ns = time.time_ns
            chance = random.random
            bytes_of = os.urandom

        timed = Timed()
        return [timed.now(), timed.now_ns() / 1e9, 0 <= timed.chance() < 1, len(timed.bytes_of(4))]


def test_a_class_made_in_a_handler_calls_the_clock_it_keeps_without_itself(runtime):
    drawn = runtime.run(runtime.register(Keeper).getByName("k").draw())
    assert drawn == [START.timestamp(), START.timestamp(), True, 4]
