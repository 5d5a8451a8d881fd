"""Promise: while nobody outside waits, time does not wait for the disk either; and still nothing that
depends on a write leaves the runtime before that write is durable.

Objects hear of each other's writes before the disk has them. So what a crash leaves has to be one
instant of all objects, and what goes outside has to wait for everything before it.
Source: developers.cloudflare.com/durable-objects/reference/in-memory-state/
"""

import asyncio
import errno
import itertools
import os
import shutil

import pytest
from js import WebSocketPair

from dobook.codec import deserialize
from dobook.errors import DobookError, PlatformError
from dobook.runtime.access import kernel_of
from dobook.storage import files
from dobook.storage.state_reader import StateReader
from dobook.web import Response


class Chain:
    """Counts its alarms, one each ms, and tells the next in the chain."""

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.told = 0

    async def start(self, limit, tell=None, after_ms=1):
        await self.ctx.storage.put({"limit": limit, "tell": tell})
        await self.ctx.storage.setAlarm(self.env.CLOCK.now_ms + after_ms)

    async def alarm(self, _info):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        tell = await self.ctx.storage.get("tell")
        if tell is not None:
            await self.env.CHAIN.getByName(tell).hear(n)
        if n < await self.ctx.storage.get("limit"):
            now_ms = self.env.CLOCK.now_ms
            await self.ctx.storage.setAlarm(now_ms + 1)

    async def hear(self, n):
        self.told = n
        await self.ctx.storage.put("n", n)

    def last_heard(self):
        return self.told

    async def n(self):
        return await self.ctx.storage.get("n")

    async def alarm_ms(self):
        return await self.ctx.storage.getAlarm()

    async def synced(self):
        await self.ctx.storage.sync()

    async def sql(self):
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(n)")
        self.ctx.storage.sql.exec("INSERT INTO t VALUES (?)", self.told)


class Bystander:
    """Knows what it was told in memory only, and lets it out in every way there is."""

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.n = None

    def hear(self, n):
        self.n = n

    def answer(self):
        return self.n

    def fail(self):
        raise ValueError(str(self.n))

    async def fetch(self, request):
        client, server = WebSocketPair().object_values()
        server.accept()
        self.server = server
        return Response(None, status=101, web_socket=client)

    async def call(self, function):
        await function(self.n)

    async def ask(self):
        from workers import fetch

        await fetch(f"https://outside.example/{self.n}")

    async def in_thread(self, what):
        await asyncio.to_thread(lambda: self.env.LOOK(what))

    def say(self):
        self.server.send(str(self.n))


@pytest.fixture
def runtime(open_runtime, tmp_path):
    runtime = open_runtime(tmp_path / "state")
    runtime.env.bind("CLOCK", runtime.clock)
    runtime.register(Chain)
    runtime.register(Bystander)
    return runtime


@pytest.fixture
def waits(monkeypatch):
    """How often the journal has waited for the disk, as a list that grows; `full` makes it refuse."""

    class Waits(files.System, list):
        full = False

        def sync(self, fd):
            if self.full:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self.append("disk")
            super().sync(fd)

    seen = Waits()
    monkeypatch.setattr(files, "system", seen)
    # How often must not depend on how fast this machine is.
    monkeypatch.setattr("dobook.storage.durable_committer.MAX_S_BEHIND", float("inf"))
    return seen


def on_disk(runtime):
    """What a crash would leave at this moment: each counter's number, by its name."""
    reader = StateReader(kernel_of(runtime).path)
    found = {}
    for place in reader.places("dobook-Chain"):
        data = reader.contents(place).rows.get("n")
        found[reader.name(place)] = None if data is None else deserialize(data)
    return found


def start(runtime, *names, limit=10_000):
    """Have each of the chain tell the next; the last is told and tells nobody."""
    for name, tell in itertools.pairwise(names):
        runtime.run(runtime.stub(f"CHAIN/{name}").start(limit, tell))


def test_a_fast_forward_waits_for_the_disk_once_and_not_at_each_instant(runtime, waits):
    start(runtime, "a", "b", limit=300)
    waits.clear()
    runtime.advance(400)
    assert len(waits) == 1  # at the end
    assert on_disk(runtime) == {"a": 300, "b": 300}


def test_a_long_fast_forward_does_not_put_everything_off_to_its_end(runtime, waits, monkeypatch):
    monkeypatch.setattr("dobook.storage.durable_committer.MAX_COMMITS_BEHIND", 100)
    runtime.run(runtime.stub("CHAIN/a").start(250))
    waits.clear()
    runtime.advance(300)
    assert len(waits) >= 3


def test_work_that_takes_long_is_written_now_and_then(runtime, waits, monkeypatch):
    monkeypatch.setattr("dobook.storage.durable_committer.MAX_S_BEHIND", 0.0)
    runtime.run(runtime.stub("CHAIN/a").start(30))
    waits.clear()
    runtime.advance(60)
    assert len(waits) >= 29


@pytest.mark.slow
def test_what_a_crash_leaves_is_one_instant_of_all_objects(runtime, monkeypatch):
    start(runtime, "a", "b", "c")
    seen = []
    real = Chain.hear

    async def hear(self, n):
        await real(self, n)
        seen.append(on_disk(runtime))

    monkeypatch.setattr(Chain, "hear", hear)
    monkeypatch.setattr("dobook.storage.durable_committer.MAX_COMMITS_BEHIND", 7)
    runtime.advance(60)
    assert len({left.get("a") for left in seen}) > 5
    for left in seen:
        a, b = left.get("a") or 0, left.get("b") or 0
        assert b <= a <= b + 1, left


@pytest.mark.parametrize("way", ["answer", "fail", "call", "ask", "socket", "in_thread", "sync"])
def test_what_goes_outside_waits_for_all_that_it_may_depend_on(runtime, waits, way):
    start(runtime, "a", "c")
    bystander = runtime.stub("BYSTANDER/b")
    seen = []

    def look(_what=None):
        seen.append(on_disk(runtime)["a"])

    runtime.env.bind("LOOK", look)
    runtime.network.answer("https://outside.example", lambda _request: look() or Response("ok"))

    async def main():
        if way == "socket":
            socket = (
                await bystander.fetch("http://do/", headers={"Upgrade": "websocket"})
            ).web_socket
            socket.accept()
            socket.addEventListener("message", lambda _event: look())
        await asyncio.sleep(0.02)
        # From object to object nothing is waited for.
        before = len(waits)
        promise = asyncio.ensure_future(runtime.stub("CHAIN/a").n())
        n = await promise
        assert len(waits) == before + 1
        await asyncio.sleep(0.02)
        behind = on_disk(runtime)["a"]
        assert behind == n
        if way == "socket":
            await bystander.say()
        elif way == "fail":
            with pytest.raises(ValueError, match="None"):
                await bystander.fail()
            look()
        elif way == "call":
            await bystander.call(look)
        elif way == "sync":
            await runtime.stub("CHAIN/c").synced()
            look()
        elif way == "in_thread":
            await bystander.in_thread("x")
        else:
            await getattr(bystander, way)()
            look()
        assert seen[0] >= n + 19, (seen, n)

    runtime.run(main())


def test_an_object_that_is_evicted_meanwhile_comes_back_with_what_it_had(runtime, waits):
    runtime.run(runtime.stub("CHAIN/a").start(3))

    async def alarm(self, _info):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        if n < 50:
            await self.ctx.storage.setAlarm(self.env.CLOCK.now_ms + 60_000)

    class Slow(Chain):
        pass

    Slow.alarm = alarm
    runtime.register(Slow, "CHAIN", name="Chain")
    waits.clear()
    runtime.advance("2h")
    assert len(waits) == 1
    assert runtime.run(runtime.stub("CHAIN/a").n()) == 50


def test_a_file_that_sql_opens_is_not_ahead_of_other_objects(runtime, waits):
    start(runtime, "a", "b")

    async def main():
        await asyncio.sleep(0.02)
        await runtime.stub("CHAIN/b").sql()

    runtime.run(main())
    left = on_disk(runtime)
    assert left["b"] <= left["a"] <= left["b"] + 1


def test_a_disk_that_refuses_takes_all_objects_back_to_one_instant(runtime, waits):
    start(runtime, "a", "b", limit=100)
    runtime.advance(20)
    before = on_disk(runtime)
    waits.full = True
    with pytest.warns(UserWarning, match="last writes could not be saved"):
        runtime.advance(20)
    waits.full = False
    assert on_disk(runtime) == before
    stores = {name: kernel_of(runtime).actor_of(f"CHAIN/{name}").store for name in "ab"}
    assert {name: store.kv.get("n") for name, store in stores.items()} == before
    (alarm,) = runtime.scheduled_alarms()
    assert alarm.due_ms < runtime.clock.now_ms
    runtime.advance("1m")
    assert on_disk(runtime) == {"a": 100, "b": 100}


def test_what_was_heard_before_the_disk_refused_is_never_told(runtime, waits):
    start(runtime, "a", "b")

    async def main():
        await asyncio.sleep(0.02)
        waits.full = True
        with pytest.raises(PlatformError, match="could not be written"):
            await runtime.stub("CHAIN/b").last_heard()
        waits.full = False
        return await runtime.stub("CHAIN/b").last_heard()

    told = runtime.run(main())
    assert told <= on_disk(runtime)["a"]


def test_an_object_that_was_evicted_is_taken_back_as_well(runtime, waits):
    runtime.run(runtime.stub("CHAIN/a").start(1, after_ms=1_000))
    waits.full = True

    async def main():
        await asyncio.sleep(30)
        assert kernel_of(runtime).actor_of("CHAIN/a").instance is None
        with pytest.raises(DobookError, match="could not be written"):
            await runtime.stub("CHAIN/a").n()
        waits.full = False
        await asyncio.sleep(1)
        return await runtime.stub("CHAIN/a").n()

    assert runtime.run(main()) == 1
    assert on_disk(runtime) == {"a": 1}


def test_real_time_waits_for_the_disk_at_each_commit(runtime, waits):
    with runtime.start_real_time():
        runtime.run(runtime.stub("CHAIN/a").hear(0))  # the first of a class makes its folder, too
        for n in range(1, 4):
            waits.clear()
            runtime.run(runtime.stub("CHAIN/a").hear(n))
            assert len(waits) == 1


@pytest.mark.slow
def test_a_trace_does_not_show_when_the_disk_was_waited_for(open_runtime, tmp_path, monkeypatch):
    traces = []
    for most, path in ((1, "a"), (7, "b"), (4_096, "c"), (4_096, None)):
        monkeypatch.setattr("dobook.storage.durable_committer.MAX_COMMITS_BEHIND", most)
        runtime = open_runtime(None if path is None else tmp_path / path, seed=7)
        runtime.env.bind("CLOCK", runtime.clock)
        runtime.register(Chain)
        runtime.tracing = True
        start(runtime, "a", "b", "c", limit=30)
        runtime.advance("1m")
        traces.append(list(runtime.trace()))
    assert len(traces[0]) > 500
    assert traces[1] == traces[0]
    assert traces[2] == traces[0]
    assert traces[3] == traces[0]


def test_time_does_not_go_back_after_a_killed_process(runtime, open_runtime, tmp_path):
    runtime.run(runtime.stub("CHAIN/a").start(5, after_ms=60_000))
    runtime.advance("1d")
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    after = open_runtime(tmp_path / "copy")
    assert after.clock.now_ms == runtime.clock.now_ms


def test_time_is_known_in_the_middle_of_a_long_turn_as_well(
    runtime, open_runtime, tmp_path, monkeypatch
):
    monkeypatch.setattr("dobook.storage.durable_committer.MAX_COMMITS_BEHIND", 100)
    runtime.run(runtime.stub("CHAIN/a").start(10_000))

    async def main():
        await asyncio.sleep(2.5)
        shutil.copytree(tmp_path / "state", tmp_path / "copy")

    begun_ms = runtime.clock.now_ms
    runtime.run(main())
    after = open_runtime(tmp_path / "copy")
    assert 1_000 <= after.clock.now_ms - begun_ms <= 2_500
