"""What only looks runs no alarm and moves no clock, however long an alarm has been due."""

import contextlib

import pytest
from IPython.core.error import UsageError

DUE = """%%durable_object
from workers import DurableObject

ran = []

class Due(DurableObject):
    async def set(self, at_ms=1):
        await self.ctx.storage.setAlarm(at_ms)
        await self.ctx.storage.put({"n": 1, "steps": [], "status": "new"})
        self.ctx.storage.sql.exec("create table if not exists t (x)")
        self.ctx.storage.sql.exec("insert into t values (1)")

    async def alarm(self, info=None):
        ran.append(self.ctx.id.name)
"""

LOOKS = [
    "%objects",
    "%objects --cost",
    "%objects DUE",
    "%storage DUE/a",
    "%storage DUE/a --history",
    "%storage DUE/a --prefix n",
    "%sql DUE/a select * from t",
    "%alarms",
    "%trace",
    "%trace on",
    "%trace off",
    "%trace clear",
    "%trace --diagram",
    "%requests",
    "%requests DUE/a --errors",
    "%why_awake DUE/a",
    "%rate_limit DUE/a",
    "%workflow DUE/a",
    "%faults",
    "%dobook",
    "%dobook help",
    "%dobook check",
    "%storage?",
    "runtime",
    "runtime.clock",
    "env.DUE",
    "runtime.objects()",
    "runtime.scheduled_alarms()",
    "runtime.costs()",
]

# What changes something: it may turn the loop, and an alarm that is due may run.
ACTS = {
    "durable_object",
    "worker",
    "wrangler",
    "request",
    "rpc",
    "fast_forward",
    "pattern",
    "evict",
    "crash",
    "slow",
    "fail_writes",
    "lose_replies",
    "network_errors",
    "explore",
    "websocket",
    "chat",
    "serve",
    "export",
}


@pytest.fixture
def due(shell, tmp_path):
    """A session in a state directory in which one alarm is due now, and one was an hour ago."""
    shell.cell(f"%dobook --state {tmp_path} --start 2026-01-01T00:00")
    shell.cell(DUE)
    shell.cell("%rpc DUE/a set 1767229200000")  # 01:00
    shell.cell("%rpc DUE/b set 1767232800000")  # 02:00
    shell.cell(f"%dobook --state {tmp_path} --start 2026-01-01T02:00")
    assert shell.cell("ran") == []
    return shell


@pytest.mark.parametrize("look", LOOKS)
def test_looking_runs_no_alarm_and_moves_no_clock(due, look):
    before_ms = due.cell("runtime.clock.now_ms")
    alarms = due.cell("runtime.scheduled_alarms()")
    assert [alarm.object for alarm in alarms] == ["DUE/a", "DUE/b"]
    with contextlib.suppress(UsageError):  # there is no rate limiter, and no workflow
        due.cell(look)
    assert due.cell("ran") == []
    assert due.cell("runtime.clock.now_ms") == before_ms
    assert due.cell("runtime.scheduled_alarms()") == alarms
    due.cell("%fast_forward 1s")
    assert due.cell("ran") == ["a", "b"]


@pytest.mark.parametrize("end", ["%dobook reset", "%dobook --seed 7", "runtime.close()"])
def test_an_end_of_the_runtime_runs_no_alarm(shell, end):
    shell.cell(DUE)
    shell.cell("%rpc DUE/a set 1767229200000")  # 01:00
    shell.cell("from dobook.runtime.access import kernel_of")
    shell.cell("kernel_of(runtime).loop.set_time(7200)")
    assert shell.cell("ran") == []
    ran = shell.cell("ran")
    shell.cell(end)
    assert ran == []


def test_every_magic_is_one_that_looks_or_one_that_acts(shell):
    looking = {look.strip("%?").partition(" ")[0] for look in LOOKS if look.startswith("%")}
    families = shell.cell("%dobook help").rows
    names = {name.lstrip("%") for row in families for name in row[0].split(", ")}
    assert names - looking == ACTS
    assert looking <= names
