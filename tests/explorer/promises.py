"""The engine's promises as scenarios: each holds under every schedule, or the engine is broken."""

import asyncio
import time
from contextlib import suppress
from typing import Any, NamedTuple

from js import WebSocketPair

import dobook
from dobook.errors import PlatformError
from dobook.runtime.debug.faults import CONNECTION_LOST, CRASHED
from dobook.web import Response


class Thing:
    """An object that does one small thing for each promise."""

    def __init__(self, ctx, env):
        self.ctx, self.env = ctx, env
        self.storage, self.kv = ctx.storage, ctx.storage.kv
        self.life = (self.kv.get("life") or 0) + 1
        self.kv.put("life", self.life)

    async def increment(self):
        n = await self.storage.get("n") or 0
        await self.storage.put("n", n + 1)
        return n + 1

    async def increment_in_a_section(self):
        async def slowly():
            n = await self.storage.get("n") or 0
            await asyncio.sleep(0.01)
            await self.storage.put("n", n + 1)
            return n + 1

        return await self.ctx.blockConcurrencyWhile(slowly)

    async def increment_later(self):
        await asyncio.sleep(0.005)
        self.kv.put("n", self.value() + 1)

    async def look_twice(self):
        async def slowly():
            before = self.value()
            await asyncio.sleep(0.01)
            return [before, self.value()]

        return await self.ctx.blockConcurrencyWhile(slowly)

    async def write(self, n):
        await self.storage.put("n", n)

    def value(self):
        return self.kv.get("n") or 0

    async def write_and_tell(self, n):
        self.kv.put("n", n)
        await self.env.OTHER.getByName("b").note(n)

    async def write_both(self):
        n = (self.kv.get("left") or 0) + 1
        self.kv.put("left", n)
        self.kv.put("right", n)

    async def write_both_with_sql(self):
        sql = self.storage.sql
        sql.exec("create table if not exists t (side text primary key, n integer)")
        for side in ("left", "right"):
            sql.exec("insert into t values (?, 1) on conflict do update set n = n + 1", side)

    @dobook.invariant
    def both_sides_are_the_same(self):
        assert self.kv.get("left") == self.kv.get("right")
        sql = self.storage.sql
        if sql.exec("select 1 from sqlite_master where name = 't'").toArray():
            assert len({row["n"] for row in sql.exec("select n from t").toArray()}) <= 1

    async def give_up_in_the_middle(self):
        async def body(txn):
            await txn.put("left", 99)
            raise ValueError("no")

        try:
            await self.storage.transaction(body)
        except ValueError:
            return "undone"

    async def set_alarm(self):
        self.kv.put("set", "yes")
        await self.storage.setAlarm(1)

    async def alarm(self):
        assert self.kv.get("set") == "yes", "an alarm that was never durable runs"
        await self.env.OTHER.getByName("b").note(1)
        self.kv.put("rung", "yes")

    async def set_alarm_in_a_second(self):
        self.kv.put("set", "yes")
        await self.storage.setAlarm(round(time.time() * 1000) + 1_000)

    async def delete_alarm(self):
        self.kv.delete("set")
        await self.storage.deleteAlarm()

    def rung(self):
        return [self.kv.get("set"), self.kv.get("rung")]

    async def go_on_for_long(self):
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:  # never raised in an object that has crashed
            self.env.OTHER.getByName("b").note(0)
        await asyncio.sleep(0.05)
        await self.env.OTHER.getByName("b").note(self.life)

    async def clean_up(self):
        try:
            await asyncio.sleep(0.05)
        finally:
            self.kv.put("n", 13)
        self.kv.put("n", 0)

    async def fetch(self, request):
        client, server = WebSocketPair().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    def webSocketMessage(self, ws, message):
        self.kv.put("n", int(message))
        ws.send(message)


class Other:
    """Notes what it is told."""

    def __init__(self, ctx, env):
        self.kv = ctx.storage.kv

    def note(self, n):
        self.kv.put("notes", [*self.notes(), n])

    def notes(self):
        return self.kv.get("notes") or []


def thing(env):
    return env.THING.getByName("a")


def other(env):
    return env.OTHER.getByName("b")


async def no_update_is_lost_across_storage(env):
    seen = await asyncio.gather(*(thing(env).increment() for _ in range(3)))
    assert sorted(seen) == [1, 2, 3]


async def no_update_is_lost_in_a_section(env):
    seen = await asyncio.gather(*(thing(env).increment_in_a_section() for _ in range(2)))
    assert sorted(seen) == [1, 2]


async def nothing_overtakes_a_section(env):
    async def mixed():
        first = thing(env).increment_in_a_section()
        await asyncio.sleep(0.005)
        return await asyncio.gather(first, thing(env).increment())

    assert sorted(await mixed()) == [1, 2]


async def nobody_goes_on_in_a_section(env):
    _, (before, after) = await asyncio.gather(thing(env).increment_later(), thing(env).look_twice())
    assert before == after


async def an_answer_survives_a_crash(env):
    await dobook.retry(lambda: thing(env).write(5))
    assert await dobook.retry(lambda: thing(env).value()) == 5


async def what_others_are_told_survives_a_crash(env):
    with suppress(PlatformError):
        await thing(env).write_and_tell(5)
    told = await dobook.retry(lambda: other(env).notes())
    assert await dobook.retry(lambda: thing(env).value()) >= max(told, default=0)


async def what_a_socket_has_said_survives_a_crash(env):
    response = await thing(env).fetch("http://x/", headers={"Upgrade": "websocket"})
    socket, said = response.web_socket, []
    socket.addEventListener("message", lambda event: said.append(int(event.data)))
    socket.accept()
    socket.send("7")
    await asyncio.sleep(20)
    assert await dobook.retry(lambda: thing(env).value()) >= max(said, default=0)


async def a_turn_is_written_whole(env):
    for _ in range(2):
        with suppress(PlatformError):
            await thing(env).write_both()


async def a_turn_of_sql_is_written_whole(env):
    for _ in range(2):
        with suppress(PlatformError):
            await thing(env).write_both_with_sql()


async def a_transaction_that_fails_leaves_nothing(env):
    await dobook.retry(lambda: thing(env).give_up_in_the_middle())


async def an_alarm_runs_at_least_once(env):
    with suppress(PlatformError):
        await thing(env).set_alarm()
    await asyncio.sleep(3600)
    was_set, rung = await dobook.retry(lambda: thing(env).rung())
    assert rung == was_set


async def a_deleted_alarm_does_not_run(env):
    await thing(env).set_alarm_in_a_second()
    await asyncio.sleep(1)
    await thing(env).delete_alarm()
    await asyncio.sleep(60)


async def a_dead_object_is_silent(env):
    async def old():
        with suppress(PlatformError):
            await thing(env).go_on_for_long()

    async def new():
        await asyncio.sleep(0.02)
        with suppress(PlatformError):
            await dobook.retry(lambda: thing(env).go_on_for_long())

    await asyncio.gather(old(), new())
    await asyncio.sleep(60)
    notes = await dobook.retry(lambda: other(env).notes())
    assert 0 not in notes
    assert notes == sorted(notes)


async def what_a_dead_object_cleans_up_has_no_effect(env):
    with suppress(PlatformError):
        await thing(env).clean_up()
    assert await dobook.retry(lambda: thing(env).value()) == 0


async def calls_on_one_stub_keep_their_order(env):
    stub = other(env)
    await asyncio.gather(stub.note(1), stub.note(2), stub.note(3))
    notes = await other(env).notes()
    assert notes == [1, 2, 3]


async def everybody_is_answered(env):
    async def ask(after_s):
        await asyncio.sleep(after_s)
        try:
            await asyncio.wait_for(thing(env).go_on_for_long(), 600)
        except PlatformError as error:
            if str(error) not in (CRASHED, CONNECTION_LOST):
                raise

    await asyncio.gather(ask(0), ask(0.02))


class Promise(NamedTuple):
    """A scenario and the faults under which it holds."""

    scenario: Any
    faults: str


PROMISES = [
    Promise(no_update_is_lost_across_storage, "delay slow"),
    Promise(no_update_is_lost_in_a_section, "delay slow"),
    Promise(nothing_overtakes_a_section, "delay slow"),
    Promise(nobody_goes_on_in_a_section, "delay slow"),
    Promise(an_answer_survives_a_crash, "all"),
    Promise(what_others_are_told_survives_a_crash, "all"),
    Promise(what_a_socket_has_said_survives_a_crash, "all"),
    Promise(a_turn_is_written_whole, "all"),
    Promise(a_turn_of_sql_is_written_whole, "all"),
    Promise(a_transaction_that_fails_leaves_nothing, "all"),
    Promise(an_alarm_runs_at_least_once, "all"),
    Promise(a_deleted_alarm_does_not_run, "delay slow"),
    # Without delays: what was sent before the crash may well arrive after it.
    Promise(a_dead_object_is_silent, "slow evict crash"),
    Promise(what_a_dead_object_cleans_up_has_no_effect, "crash"),
    Promise(calls_on_one_stub_keep_their_order, "none"),
    Promise(everybody_is_answered, "evict crash lose delay"),
]


def explore(promise, runs, **options):
    """Explore a promise."""
    return dobook.explore(
        promise.scenario, Thing, Other, runs=runs, faults=promise.faults, jobs=1, **options
    )
