"""Exploring finds the mistake, shows the smallest run that has it, and replays it."""

import asyncio
import subprocess
import sys

import pytest

import dobook
from dobook.errors import UsageError
from dobook.explorer.code import code_hash
from dobook.explorer.schedule import Fault, Schedule, parse_schedule
from dobook.explorer.strategies import exhaustive
from dobook.web import Response

from .scenarios import (
    Careful,
    Counter,
    Inbox,
    Memory,
    Once,
    Reminder,
    Stored,
    a_second_apart,
    remind_once,
    say_and_ask,
)

LOST_UPDATE = (a_second_apart, {"COUNTER": Counter})
SENT_TWICE = (remind_once, Reminder, Inbox)
FORGOTTEN = (say_and_ask, Memory)


@pytest.mark.slow
@pytest.mark.parametrize("case", [LOST_UPDATE, SENT_TWICE, FORGOTTEN], ids=lambda c: c[0].__name__)
def test_a_mistake_is_found_and_its_smallest_run_has_one_fault(case):
    report = dobook.explore(*case, runs=100)
    assert report.failed
    assert report.reproducible
    assert len(report.schedule.faults) == 1
    assert report.schedule.picks == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        (a_second_apart, {"COUNTER": Careful}),
        (remind_once, {"REMINDER": Once}, Inbox),
        (say_and_ask, {"MEMORY": Stored}),
    ],
    ids=lambda c: c[0].__name__,
)
def test_nothing_is_found_where_there_is_no_mistake(case):
    report = dobook.explore(*case, runs=100)
    assert report.ok, report
    assert report.distinct > 20


def test_the_words_say_who_read_what_while_whom_slept():
    report = dobook.replay(
        "tests:a_second_apart COUNTER=Counter code=0 | storage COUNTER/a 1 +2000ms", *LOST_UPDATE
    )
    guilty = [sentence.text for sentence in report.story if sentence.guilty]
    assert guilty == [
        "COUNTER/a: storage takes 2000ms",
        "request 2 found no n while request 1 slept in its timer",
        "request 1 wrote n=1 while request 2 slept in its timer",
        "request 2 wrote n=1",
    ]


def test_a_line_replays_the_same_failure():
    report = dobook.explore(*FORGOTTEN, runs=50)
    again = dobook.replay(report.line)
    assert not again.stale
    assert again.failure == report.failure
    assert again.trace == report.trace


def test_a_line_of_other_code_is_reported_as_stale():
    report = dobook.explore(*FORGOTTEN, runs=50)
    again = dobook.replay(report.line, say_and_ask, {"MEMORY": Stored})
    assert again.stale
    assert again.ok


def test_the_hash_of_code_is_the_same_on_every_python():
    # Comments and docstrings do not count; CI runs this on several versions.
    assert code_hash(a_second_apart, [Counter]) == "e1697c66"
    assert code_hash(a_second_apart, [Careful]) != "e1697c66"


def test_a_line_that_names_what_is_not_here_says_what_to_do():
    with pytest.raises(UsageError, match="Run the cell or import the module"):
        dobook.replay("nowhere:scenario A=A code=00000000 | ordinary")
    with pytest.raises(UsageError, match="not a line that replays"):
        dobook.replay("something else")


@pytest.mark.slow
def test_runs_are_the_same_in_every_process():
    code = (
        "import dobook, sys; sys.path.insert(0, 'tests/explorer'); import scenarios as s; "
        "r = dobook.explore(s.remind_once, s.Reminder, s.Inbox, runs=60); "
        "print(r.failed, r.distinct, r.first_failure, r.line, r.story)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_a_schedule_is_what_its_text_says():
    schedule = Schedule.of(
        [(3, 1), (7, 2), (9, 0)],
        [Fault("before-commit", "ROOM/a b;c", 1, "crash"), Fault("message", "A/b", 2, "+500ms")],
    )
    assert str(schedule) == (
        "next 3=1 7=2; before-commit ROOM/a%20b%3Bc 1 crash; message A/b 2 +500ms"
    )
    assert parse_schedule(str(schedule)) == schedule
    assert parse_schedule("ordinary") == Schedule()


@pytest.mark.parametrize("text", ["next 3", "crash A/b", "write A/b 0 crash", "write A/b 1 +5ms"])
def test_a_text_that_is_no_schedule_is_refused(text):
    with pytest.raises(UsageError):
        parse_schedule(text)


def test_what_must_hold_eventually_is_waited_for_across_evictions():
    class Slow:
        def __init__(self, ctx, env):
            self.storage, self.kv = ctx.storage, ctx.storage.kv

        async def begin(self, in_ms):
            self.kv.put("open", 1)
            await self.storage.setAlarm(1_767_225_600_000 + in_ms)

        def alarm(self):
            self.kv.delete("open")

        @dobook.invariant(eventually="1m")
        def gets_done(self):
            return self.kv.get("open") is None

    async def soon(env):
        await env.SLOW.getByName("a").begin(30_000)

    async def late(env):
        await env.SLOW.getByName("a").begin(90_000)

    assert dobook.explore(soon, Slow, runs=3, faults="none").ok
    report = dobook.explore(late, Slow, runs=3, faults="none")
    assert report.failure.text == "SLOW/a: gets done does not hold"


def test_an_unknown_kind_of_fault_is_answered_with_the_right_one():
    with pytest.raises(UsageError, match="'crash'"):
        dobook.explore(say_and_ask, Memory, faults="crush")


def test_a_scenario_is_an_async_function():
    with pytest.raises(UsageError, match="async function"):
        dobook.explore(lambda env: None, Memory)


def test_a_failure_that_does_not_come_again_is_reported_as_such():
    seen = []

    async def only_once(env):
        seen.append(1)
        assert len(seen) != 3

    report = dobook.explore(only_once, runs=5, faults="none", jobs=1)
    assert report.failed == 1
    assert not report.reproducible
    assert "outlive a run" in repr(report)
    assert report.line == ""


class Entry:
    def __init__(self, ctx, env):
        self.env = env

    async def fetch(self, request):
        stub = self.env.MEMORY.getByName("a")
        if request.method == "POST":
            await stub.say("hello")
        return Response.json(await stub.words())


async def say_over_http(env, runtime):
    await dobook.retry(lambda: runtime.fetch("/", method="POST"))
    response = await dobook.retry(lambda: runtime.fetch("/"))
    assert "hello" in await response.json()


def test_an_entry_worker_is_part_of_what_is_explored_and_replayed():
    report = dobook.explore(say_over_http, Memory, worker=Entry, runs=60)
    assert report.failed
    again = dobook.replay(report.line)
    assert again.failure == report.failure
    assert not again.stale


def test_a_strategy_that_works_alone_takes_no_executor():
    with pytest.raises(UsageError, match="works alone"):
        dobook.explore(say_and_ask, Memory, strategy="exhaustive", jobs=2)


@pytest.mark.slow
def test_sleep_sets_leave_out_nothing_that_an_object_could_tell_apart(monkeypatch):
    class Pad:
        def __init__(self, ctx, env):
            self.kv = ctx.storage.kv

        def write(self, text):
            self.kv.put("text", (self.kv.get("text") or "") + text)

    async def two_writers(env):
        await asyncio.gather(env.PAD.getByName("a").write("1"), env.PAD.getByName("b").write("2"))

    def every_order(*, sleep):
        stage = exhaustive.Stage("every order", 10**6, 0, sleep=sleep)
        monkeypatch.setattr(exhaustive, "STAGES", (stage,))
        report = dobook.explore(
            two_writers, Pad, strategy="exhaustive", faults="none", runs=5_000, progress=False
        )
        assert report.exhausted == ("every order of events" if sleep else "every order")
        return report

    all_orders, fewer = every_order(sleep=False), every_order(sleep=True)
    assert fewer.runs < all_orders.runs
    assert fewer.distinct == all_orders.distinct
