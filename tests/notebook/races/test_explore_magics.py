"""`%%explore`: a cell as a scenario, its report in text, HTML and as a DataFrame."""

import pytest
from IPython.core.error import UsageError

from dobook.explorer.report import Report

COUNTER = """%%durable_object
import asyncio
from workers import DurableObject


class Slow(DurableObject):
    async def increment(self):
        n = await self.ctx.storage.get("n") or 0
        await asyncio.sleep(0.1)
        await self.ctx.storage.put("n", n + 1)
        return n + 1
"""
RACE = """{magic}
stubs = [env.SLOW.getByName("<b>a</b>"), env.SLOW.getByName("<b>a</b>")]
seen = await asyncio.gather(*(stub.increment() for stub in stubs))
assert sorted(seen) == [1, 2]
"""


@pytest.fixture
def slow(shell):
    shell.cell(COUNTER)
    return shell


def test_a_cell_is_a_scenario_with_the_notebooks_classes(slow):
    report = slow.cell(RACE.format(magic="%%explore two --runs 10 --faults none"))
    assert isinstance(report, Report)
    assert report.scenario == "two"
    assert report.failed == 10
    assert dict(report.failure.values)["seen"] == "[1, 1]"
    assert report.failure.place == "AssertionError assert sorted(seen) == [1, 2]"


def test_the_notebooks_own_objects_and_variables_stay_as_they_were(slow):
    slow.cell("stubs = 'mine'")
    slow.cell(RACE.format(magic="%%explore --runs 5 --faults none"))
    assert slow.cell("stubs") == "mine"
    assert slow.cell("runtime.objects()") == []


def test_the_line_replays_in_the_cell_and_by_the_function(slow):
    report = slow.cell(RACE.format(magic="%%explore two --runs 5 --faults none"))
    slow.user_ns["line"] = report.line
    again = slow.cell("import dobook; dobook.replay(line)")
    assert again.failure == report.failure
    assert not again.stale
    magic = f'%%explore two --replay "{report.line}"'
    assert slow.cell(RACE.format(magic=magic)).trace == report.trace
    changed = RACE.format(magic=magic).replace("[1, 2]", "[1, 1]")
    again = slow.cell(changed)
    assert again.stale
    assert again.ok


def test_a_function_is_explored_by_its_name(slow):
    slow.cell("async def look(env):\n    assert await env.SLOW.getByName('a').increment() == 1")
    assert slow.cell("%explore look --runs 5 --faults none").ok
    with pytest.raises(UsageError, match="'look'"):
        slow.cell("%explore lok")
    with pytest.raises(UsageError, match="below %%explore"):
        slow.cell("%explore")


def test_the_report_is_html_with_everything_escaped(slow):
    report = slow.cell(RACE.format(magic="%%explore two --runs 5 --faults none"))
    bundle, _ = slow.display_formatter.format(report)
    assert "<svg" in bundle["text/html"]
    assert "<b>a</b>" not in bundle["text/html"]
    assert "request 2 found no n while request 1 slept in its timer" in bundle["text/html"]
    assert "dobook.replay(" in bundle["text/plain"]
    assert "0x" not in bundle["text/plain"]


def test_the_events_are_a_frame(slow):
    report = slow.cell(RACE.format(magic="%%explore two --runs 5 --faults none"))
    assert list(report.frame.kind).count("storage") == 4
