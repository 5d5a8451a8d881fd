"""Promise: what never ends while virtual time stands still is ended, in words; what ends is not.

Source: cloudflare/miniflare packages/shared/src/context.ts (the depth of calls); the other bounds
are dobook's own.
"""

import asyncio
import re

import pytest
from js import WebSocketPair, setInterval, setTimeout
from workers import Response

from dobook import limits
from dobook.errors import LivelockError, PlatformError
from dobook.runtime.access import kernel_of


class Restless:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env

    async def quiet(self):
        return "quiet"

    async def start(self, how):
        getattr(self, how)()

    def alarm_for_now(self):
        self.ctx.storage.setAlarm(1)

    async def alarm(self, info=None):
        self.ctx.storage.setAlarm(1)

    async def set_alarm(self):
        await self.ctx.storage.setAlarm(1)

    def call_later(self):
        asyncio.get_running_loop().call_later(0, self.call_later)

    def call_at(self):
        loop = asyncio.get_running_loop()
        loop.call_at(loop.time() - 1, self.call_at)

    def set_timeout(self):
        setTimeout(self.set_timeout, 0)

    def set_interval(self):
        setInterval(lambda: None, 0)

    def spawning_tasks(self):
        async def again():
            self.ctx.waitUntil(again())

        self.ctx.waitUntil(again())

    def two_kinds_of_tasks(self):
        async def one():
            self.task = asyncio.create_task(two())

        async def two():
            asyncio.get_running_loop().call_later(0, self.two_kinds_of_tasks)

        self.task = asyncio.create_task(one())

    def yielding(self):
        async def loop():
            while True:  # noqa: ASYNC110
                await asyncio.sleep(0)

        self.ctx.waitUntil(loop())

    def sleeping_for_nothing(self):
        async def loop():
            while True:  # noqa: ASYNC110
                await asyncio.sleep(1e-9)

        self.ctx.waitUntil(loop())

    def two_tasks_and_a_queue(self):
        there, back = asyncio.Queue(), asyncio.Queue()

        async def pass_on(a, b):
            while True:
                await b.put(await a.get())

        self.ctx.waitUntil(pass_on(there, back))
        self.ctx.waitUntil(pass_on(back, there))
        there.put_nowait("ball")

    def call_soon(self):
        asyncio.get_running_loop().call_soon(self.call_soon)

    def calling_others_for_ever(self):
        async def loop():
            while True:
                await self.env.HELPER.getByName("h").nothing()

        self.ctx.waitUntil(loop())


class Helper:
    def __init__(self, ctx, env):
        self.env = env

    async def nothing(self):
        pass

    async def set_it_for(self, name):
        await self.env.THROUGH_ANOTHER.getByName(name).set_alarm()


WAYS = {
    "alarm_for_now": "sets its alarm for now",
    "call_later": "sets a timer that is due at once",
    "call_at": "sets a timer that is due at once",
    "set_timeout": "starts tasks that start others",
    "set_interval": "",
    "spawning_tasks": "starts tasks that start others",
    "two_kinds_of_tasks": "",
    "yielding": r"has awaited asyncio.sleep\(0\)",
    "sleeping_for_nothing": "",
    "two_tasks_and_a_queue": "",
    "call_soon": "",
    "calling_others_for_ever": "",
}


@pytest.fixture(autouse=True)
def _sooner(monkeypatch):
    """Lower the bound of last resort, which takes seconds to reach."""
    monkeypatch.setattr(limits, "MAX_TICKS_AT_AN_INSTANT", 50_000)
    monkeypatch.setattr(limits, "MAX_YIELDS_AT_AN_INSTANT", 2_000)


def settled(runtime, stub, way):
    runtime.run(stub.start(way))
    runtime.settle()


@pytest.mark.parametrize("way", WAYS)
def test_a_livelock_ends_with_the_object_and_the_line(runtime, way):
    runtime.register(Helper)
    stub = runtime.register(Restless).getByName("a")
    other = runtime.stub("RESTLESS/other")
    assert runtime.run(other.quiet()) == "quiet"
    now_ms = runtime.clock.now_ms
    with pytest.raises(
        LivelockError, match=rf"^RESTLESS/a keeps itself busy .*{WAYS[way]}"
    ) as caught:
        settled(runtime, stub, way)
    assert runtime.clock.now_ms == now_ms
    assert "settle" not in str(caught.value)  # that line is not the object's
    # Others go on, and so does the object.
    assert runtime.run(other.quiet()) == "quiet"
    assert runtime.run(runtime.stub("RESTLESS/a").quiet()) == "quiet"
    runtime.settle()


def test_the_message_has_the_line_of_the_code(runtime):
    stub = runtime.register(Restless).getByName("a")
    with pytest.raises(LivelockError) as caught:
        settled(runtime, stub, "call_later")
    assert re.search(r"at line \d+, `asyncio.*call_later\(0, self.call_later\)`", str(caught.value))


def test_an_alarm_that_was_ended_is_retried_as_on_the_platform(runtime):
    stub = runtime.register(Restless).getByName("a")
    with pytest.raises(LivelockError):
        settled(runtime, stub, "alarm_for_now")
    next_ms = kernel_of(runtime).alarms.next_ms()
    assert limits.ALARM_RETRY_FIRST_MS <= next_ms - runtime.clock.now_ms <= 2_500


class ThroughAnother(Restless):
    async def alarm(self, info=None):
        await self.env.HELPER.getByName("h").set_it_for(self.ctx.id.name)


def test_an_alarm_that_is_set_by_way_of_another_object_ends_too(runtime):
    runtime.register(Helper)
    stub = runtime.register(ThroughAnother).getByName("a")
    with pytest.raises(LivelockError, match=r"^(THROUGH_ANOTHER|HELPER)/. keeps itself"):
        settled(runtime, stub, "alarm_for_now")


# ---------------------------------------------------------------------- sockets


class Echo:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, socket, message):
        await self.ctx.storage.put("last", message)
        socket.send(message)


class Caller(Echo):
    async def begin(self):
        response = await self.env.ECHO.getByName("e").fetch(
            "https://echo/", headers={"Upgrade": "websocket"}
        )
        socket = response.web_socket
        socket.accept()
        socket.addEventListener("message", lambda event: socket.send(event.data))
        socket.send("ball")


def let_it_run(runtime, stub):
    runtime.run(stub.begin())
    runtime.settle()


def test_two_objects_whose_sockets_answer_each_other_end(runtime):
    runtime.register(Echo)
    stub = runtime.register(Caller).getByName("c")
    with pytest.raises(LivelockError, match="is sent messages because of those it has sent"):
        let_it_run(runtime, stub)
    runtime.settle()


def test_an_object_and_a_client_that_answer_each_other_end(runtime):
    runtime.register(Echo)
    client = runtime.connect("ECHO/e")
    client._socket.addEventListener("message", lambda event: client.send(event.data))
    with pytest.raises(LivelockError, match=r"^ECHO/e .*is sent messages"):
        client.send("ball")
    runtime.settle()


# ---------------------------------------------------------------------- calls


class Deep:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env

    def stub(self, name):
        return self.env.DEEP.getByName(name)

    async def directly(self, left):
        return 1 + (await self.stub(self.ctx.id.name).directly(left - 1) if left else 0)

    async def through(self, left):
        other = "b" if self.ctx.id.name == "a" else "a"
        return 1 + (await self.stub(other).through(left - 1) if left else 0)

    async def later(self, left):
        await asyncio.sleep(1)
        return 1 + (await self.stub("b").later(left - 1) if left else 0)

    async def in_a_task(self, left):
        if not left:
            return 1
        return 1 + await asyncio.create_task(self.call_again(left))

    async def call_again(self, left):
        return await self.stub("b").in_a_task(left - 1)

    async def fetch(self, request):
        left = int(request.url.rpartition("/")[2])
        if not left:
            return Response("1")
        answer = await self.stub("a").fetch(f"https://deep/{left - 1}")
        return Response(str(1 + int(await answer.text())))

    async def by_fetch(self, left):
        return int(await (await self.stub("a").fetch(f"https://deep/{left - 1}")).text()) + 1

    async def lends(self, left):
        return 1 + await self.stub("b").borrows(self.lends, left - 1) if left else 0

    async def borrows(self, function, left):
        return 1 + await function(left - 1) if left else 0


@pytest.mark.parametrize("way", ["directly", "through", "later", "in_a_task", "by_fetch"])
def test_calls_may_be_as_deep_as_on_the_platform_and_no_deeper(runtime, way):
    stub = runtime.register(Deep).getByName("a")
    most = limits.MAX_SUBREQUEST_DEPTH
    assert runtime.run(getattr(stub, way)(most - 1)) == most
    with pytest.raises(PlatformError, match=r"^Subrequest depth limit exceeded\. This request"):
        runtime.run(getattr(runtime.stub("DEEP/c"), way)(most))
    assert runtime.run(getattr(runtime.stub("DEEP/a"), way)(most - 1)) == most


def test_a_call_without_end_ends_without_the_depth_limit_too(open_runtime):
    runtime = open_runtime(unsafe_limits=True)
    stub = runtime.register(Deep).getByName("a")
    assert runtime.run(stub.through(500)) == 501
    with pytest.raises(LivelockError, match=r"^DEEP/. .*makes calls that make others"):
        runtime.run(stub.through(10**9))


# ---------------------------------------------------------------------- what is no livelock


class Busy:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.tasks = []

    async def count(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

    async def set_alarm(self):
        await self.ctx.storage.setAlarm(1)

    async def alarm(self, info=None):
        await self.count()

    async def work_off(self, items):
        for n in range(items):
            await self.ctx.storage.put(f"item{n % 100}", n)
            if n % 100 == 0:
                await asyncio.sleep(0)
        return await self.ctx.storage.get("item0")

    async def gather(self, calls):
        other = self.env.BUSY.getByName("other")
        return len(await asyncio.gather(*(other.count() for _ in range(calls))))

    async def in_turn(self, calls):
        other = self.env.BUSY.getByName("other")
        for _ in range(calls):
            n = await other.count()
        return n

    async def many_tasks(self, tasks):
        for _ in range(tasks):
            self.ctx.waitUntil(self.count())

    async def many_timers(self, timers):
        for _ in range(timers):
            asyncio.get_running_loop().call_later(0, self.tasks.append, 1)

    async def timers_run(self):
        return len(self.tasks)

    async def ticks(self, seconds):
        async def tick():
            self.tasks.append(1)
            if len(self.tasks) < seconds:
                await asyncio.sleep(1)
                self.ctx.waitUntil(tick())

        self.ctx.waitUntil(tick())

    async def say(self, count):
        for socket in self.ctx.getWebSockets():
            for n in range(count):
                socket.send(str(n))

    fetch = Echo.fetch
    webSocketMessage = Echo.webSocketMessage


@pytest.fixture
def memory(open_runtime):
    return open_runtime()


@pytest.fixture
def busy(memory):
    return memory.register(Busy).getByName("a")


def test_many_calls_from_outside_at_one_instant_are_no_livelock(memory, busy):
    async def outside():
        await asyncio.gather(*(busy.count() for _ in range(3_000)))
        for _ in range(2_000):
            n = await busy.count()
        return n

    now_ms = memory.clock.now_ms
    assert memory.run(outside()) == 5_000
    assert memory.clock.now_ms == now_ms


@pytest.mark.parametrize("way", ["gather", "in_turn"])
def test_many_calls_of_one_handler_are_no_livelock(memory, busy, way):
    assert memory.run(getattr(busy, way)(3_000)) == 3_000


def test_a_long_queue_is_no_livelock(memory, busy):
    assert memory.run(busy.work_off(10_000)) == 9_900


def test_an_alarm_that_is_set_from_outside_again_and_again_is_no_livelock(memory, busy):
    async def outside():
        for _ in range(1_500):
            await busy.set_alarm()
            await asyncio.sleep(0)
            await busy.count()

    memory.run(outside())
    memory.settle()


def test_many_tasks_and_timers_of_one_handler_are_no_livelock(memory, busy):
    memory.run(busy.many_tasks(1_500))
    memory.run(busy.many_timers(1_500))
    memory.settle()
    assert memory.run(busy.timers_run()) == 1_500
    assert memory.run(busy.count()) == 2  # all tasks read before the first had written


def test_tasks_that_start_each_other_as_time_passes_are_no_livelock(memory, busy):
    memory.run(busy.ticks(2_500))
    memory.advance("2505s")
    assert memory.run(busy.timers_run()) == 2_500


def test_many_messages_are_no_livelock(memory, busy):
    client = memory.connect("BUSY/a")
    memory.run(busy.say(1_500))

    async def talk():
        for n in range(1_500):
            assert await client.receive() == str(n)
        for n in range(1_500):
            client.send(str(n))
            assert await client.receive() == str(n)

    memory.run(talk())
