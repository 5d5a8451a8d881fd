"""The pytest plugin, in projects of its own as somebody would have them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ENTRY = """
import asyncio
import time

from workers import DurableObject, Response, WorkerEntrypoint


class Counter(DurableObject):
    async def increment(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        await self.ctx.storage.setAlarm(time.time() * 1000 + 3_600_000)
        return n

    async def careless(self):
        n = await self.ctx.storage.get("n") or 0
        await asyncio.sleep(1)
        await self.ctx.storage.put("n", n + 1)
        return n + 1

    async def refused(self):
        self.ctx.storage.put("k", (1, 2))

    async def alarm(self):
        await self.ctx.storage.put("n", 0)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response.json(await self.env.COUNTER.getByName("a").increment())
"""

PLAIN = """
import pytest
from entry import Counter, Default


def test_alarm(durable_objects, clock, stub):
    counter = stub(Counter, "a")
    assert durable_objects.run(counter.increment()) == 1
    before = clock.now_ms
    assert [run.outcome for run in clock.advance("1h")] == ["ok"]
    assert clock.now_ms == before + 3_600_000
    assert durable_objects.run(counter.increment()) == 1


def test_race(durable_objects, stub):
    counter = stub(Counter)
    calls = [counter.increment() for _ in range(10)]
    assert durable_objects.run(durable_objects.race(*calls)) == list(range(1, 11))
    calls = [counter.careless() for _ in range(3)]
    assert durable_objects.run(durable_objects.race(*calls)) == [11, 11, 11]


def test_eviction_and_crash(durable_objects, stub):
    counter = stub(Counter)
    durable_objects.run(counter.increment())
    durable_objects.evict(counter)
    assert durable_objects.run(counter.increment()) == 2
    durable_objects.crash(counter)
    assert durable_objects.run(stub("COUNTER/test").increment()) == 3


def test_worker(durable_objects):
    durable_objects(Counter)
    durable_objects.worker(Default)
    response = durable_objects.run(durable_objects.fetch("/"))
    assert durable_objects.run(response.json()) == 1


@pytest.mark.durable_objects(state="disk", start="2026-03-01")
def test_restart(durable_objects, clock, stub):
    assert clock.now.month == 3
    durable_objects.run(stub(Counter, "a").increment())
    durable_objects.restart()
    assert [run.outcome for run in clock.advance("30m")] == []
    assert durable_objects.run(stub("COUNTER", "a").increment()) == 2


def test_restart_in_memory(durable_objects):
    with pytest.raises(RuntimeError, match="state=.disk."):
        durable_objects.restart()
"""

ASYNC = """
from entry import Counter


async def test_race(durable_objects, clock, stub):
    counter = stub(Counter, "a")
    assert await durable_objects.race(counter.increment(), counter.increment()) == [1, 2]
    durable_objects.evict(counter)
    clock.advance("2h")
    assert await counter.increment() == 1
"""

FAILING = """
from entry import Counter


def test_wrong(durable_objects, stub):
    assert durable_objects.run(stub(Counter, "a").increment()) == 2
"""


@pytest.fixture
def project(tmp_path):
    """Runs pytest in a project; returns its exit code and what it said."""

    def run(test, *arguments):
        (tmp_path / "src").mkdir(exist_ok=True)
        (tmp_path / "src" / "entry.py").write_text(ENTRY, "utf-8")
        (tmp_path / "test_it.py").write_text(test, "utf-8")
        (tmp_path / "pytest.ini").write_text(
            "[pytest]\npythonpath = src\naddopts = --strict-markers\nfilterwarnings = error\n"
            "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
            if "-p" in arguments and "asyncio" in arguments
            else "[pytest]\npythonpath = src\naddopts = --strict-markers\n",
            "utf-8",
        )
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.slow
def test_a_project_without_pytest_asyncio_uses_it_with_p_dobook(project):
    code, said = project(PLAIN, "-p", "dobook")
    assert code == 0, said
    assert "6 passed" in said


@pytest.mark.slow
def test_with_pytest_asyncio_tests_await(project):
    code, said = project(ASYNC, "-p", "dobook", "-p", "asyncio")
    assert code == 0, said
    assert "1 passed" in said


@pytest.mark.slow
def test_a_failed_test_shows_what_its_objects_did(project):
    code, said = project(FAILING, "-p", "dobook")
    assert code == 1
    assert "what the Durable Objects did" in said
    assert "COUNTER/a  rpc  method=increment" in said


@pytest.mark.slow
def test_a_misspelt_option_of_the_marker_is_an_error(project):
    wrong = PLAIN.replace('state="disk"', 'state="disc"')
    code, said = project(wrong, "-p", "dobook", "-k", "test_restart")
    assert code == 1
    assert 'state is "memory" or "disk", not \'disc\'' in said


def test_the_plugin_alone_imports_no_runtime():
    code = (
        "import sys, dobook.testing.plugin; "
        "print(*(m for m in ('dobook.runtime.runtime', 'pandas', 'IPython') if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


REFUSED = """
import pytest
from entry import Counter


@pytest.mark.durable_objects(unheard="fail")
def test_marked(durable_objects):
    durable_objects.run(durable_objects.stub(Counter, "a").refused())


def test_set_for_all(durable_objects):
    durable_objects.run(durable_objects.stub(Counter, "a").refused())
"""


def test_a_test_can_fail_on_what_was_refused_and_not_awaited(project):
    _, said = project(REFUSED, "-p", "dobook")
    assert "2 passed, 1 error" in said, said
    assert "COUNTER/a: put() has failed, and nothing awaits it" in said
    _, said = project(REFUSED, "-p", "dobook", "-o", "durable_objects_unheard=fail")
    assert "2 passed, 2 errors" in said, said
