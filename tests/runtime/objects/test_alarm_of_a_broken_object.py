"""Alarms of objects that fail before, or end during, the handler.

Source: cloudflare/workerd src/workerd/io/worker-entrypoint.c++ (`runAlarmImpl`),
src/workerd/server/alarm-scheduler.c++
"""

import asyncio
import logging

import pytest

log = []


@pytest.fixture(autouse=True)
def _empty_log():
    log.clear()


class Base:
    failures = 0

    def __init__(self, ctx, env):
        self.ctx = ctx
        log.append("new")
        if type(self).failures:
            type(self).failures -= 1
            self.fail()

    async def set(self, at_ms, failures=0):
        await self.ctx.storage.setAlarm(at_ms)
        type(self).failures = failures

    async def alarm(self, info):
        log.append((info.isRetry, info.retryCount))


class FailsInBlock(Base):
    def fail(self):
        async def block():
            await asyncio.sleep(0.01)
            raise ValueError("block")

        self.ctx.blockConcurrencyWhile(block)


class FailsAtOnce(Base):
    def fail(self):
        raise ValueError("constructor")


class FailsInHandler(Base):
    async def alarm(self, info):
        await super().alarm(info)
        if type(self).failures:
            type(self).failures -= 1
            raise ValueError("handler")

    def fail(self):
        pass


@pytest.mark.parametrize("kind", [FailsInBlock, FailsAtOnce])
@pytest.mark.parametrize("failures", [1, 2, 3, 8])
def test_a_constructor_that_fails_is_not_a_retry(runtime, kind, failures):
    stub = runtime.register(kind).getByName("a")
    runtime.run(stub.set(runtime.clock.now_ms + 1_000, failures))
    runtime.evict(stub)
    runtime.advance("6h")
    assert log == ["new"] + ["new"] * (failures + 1) + [(False, 0)]


def test_a_handler_that_fails_is(runtime):
    stub = runtime.register(FailsInHandler).getByName("a")
    runtime.run(stub.set(runtime.clock.now_ms + 1_000, 2))
    runtime.advance("1h")
    assert log == ["new", (False, 0), (True, 1), (True, 2)]


class Destroys(Base):
    how = ""

    async def set(self, at_ms, how):
        await self.ctx.storage.put("k", 1)
        await self.ctx.storage.setAlarm(at_ms)
        type(self).how = how

    async def alarm(self, info):
        await super().alarm(info)
        storage, how = self.ctx.storage, self.how
        if "delete first" in how:
            await storage.deleteAlarm()
        await storage.deleteAll()
        if "wait" in how:
            await asyncio.sleep(0.01)
        if "raise" in how:
            raise ValueError("no")
        options = {"retryAlarm": False} if "no retry" in how else None
        self.ctx.abort("destroyed", options)


@pytest.mark.parametrize("how", ["plain", "delete first", "wait", "delete first, wait"])
def test_an_object_that_deletes_itself_and_aborts_comes_back_for_a_cancelled_run(runtime, how):
    stub = runtime.register(Destroys).getByName("a")
    runtime.run(stub.set(runtime.clock.now_ms + 1_000, how))
    (run,) = runtime.advance(1_500)
    assert (run.outcome, log) == ("error", ["new", (False, 0)])
    assert 2_000 <= run.retry_ms - run.ran_ms <= 2_500
    (again,) = runtime.advance("1h")
    assert (again.outcome, log) == ("cancelled", ["new", (False, 0), "new"])


@pytest.mark.parametrize("how", ["no retry", "no retry, wait", "raise", "raise, wait"])
def test_it_stays_away_without_a_retry_or_when_it_raises(runtime, how):
    stub = runtime.register(Destroys).getByName("a")
    runtime.run(stub.set(runtime.clock.now_ms + 1_000, how))
    runtime.advance("1h")
    assert log == ["new", (False, 0)]


class NoHandler:
    def __init__(self, ctx, env):
        self.ctx = ctx
        ctx.storage.setAlarm(ctx.storage.kv.get("at") or 4_102_444_800_000)

    async def at(self):
        return await self.ctx.storage.getAlarm()

    async def set(self, at_ms):
        self.ctx.storage.kv.put("at", at_ms)

    async def set_later(self):
        await self.ctx.storage.setAlarm(1)


def test_an_alarm_without_a_handler_that_a_constructor_sets_is_told_when_it_is_due(runtime, caplog):
    stub = runtime.register(NoHandler).getByName("a")
    at_ms = runtime.clock.now_ms + 5_000
    runtime.run(stub.set(at_ms))
    runtime.evict(stub)
    assert runtime.run(stub.at()) == at_ms
    with caplog.at_level(logging.WARNING, "dobook"):
        runtime.advance("5s")
    assert "did you remember to export an alarm() function?" in caplog.text
    assert "NO_HANDLER/a" in caplog.text
    assert runtime.run(stub.at()) is None


def test_a_method_cannot_set_one(runtime):
    stub = runtime.register(NoHandler).getByName("a")
    with pytest.raises(TypeError, match=r"must have an alarm\(\) handler"):
        runtime.run(stub.set_later())
