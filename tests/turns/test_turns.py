"""Own tasks of one object interleave at storage operations, as with Cloudflare's Python SDK.

`python.json` was recorded with the SDK in Pyodide (`record.py`). `javascript.json` was recorded with
workerd 1.20261117.1, compatibility date 2026-04-01, three times with the same log: the same small
programs as methods of a JavaScript class, up to three calls at once. Of 280 such programs it has the
80 that do not measure JavaScript's own microtasks.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import dobook
from tests.turns.program import F

HERE = Path(__file__).parent
PYTHON = json.loads((HERE / "python.json").read_text())
JAVASCRIPT = json.loads((HERE / "javascript.json").read_text())
# In Python an await takes one step more than in JavaScript: after the promise has resolved, the task
# continues. So a promise that resolves one microtask later than the one awaited is still behind it.
A_STEP_MORE = '["putthen"], ["alarm"]'
KINDS = ["storage", "tasks", "loop", "callbacks"]


def log_of(calls: list[Any], *, seed: int = 0) -> list[str]:
    """Return what the programs of one or more calls write in the log of one object."""

    async def main() -> None:
        await namespace.getByName("helper").echo(0)
        await asyncio.gather(*[one.run("ABC"[at], program) for at, program in enumerate(calls)])

    with dobook.Runtime(seed=seed) as runtime:
        namespace = runtime.register(F)
        one = namespace.getByName("one")
        runtime.run(main())
        runtime.advance(700)
        log: list[str] = runtime.run(one.take())
    return log


def mentions(program: Any, operation: str) -> bool:
    return f'"{operation}"' in json.dumps(program)


def different(entries: list[Any], **options: Any) -> list[tuple[str, list[str], list[str]]]:
    """Return the programs whose logs are not the recorded ones, with both logs."""
    found = []
    for entry in entries:
        log = log_of(entry["calls"], **options)
        if log != entry["log"]:
            found.append((json.dumps(entry["calls"]), entry["log"], log))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_an_objects_own_tasks_is_that_of_the_sdk(kind):
    entries = PYTHON[kind]
    if sys.version_info < (3, 12):  # there `asyncio.wait_for` starts a task
        entries = [entry for entry in entries if not mentions(entry["calls"], "within")]
    assert len(entries) >= 40
    assert different(entries) == []


def test_the_order_is_the_same_with_another_seed():
    assert different(PYTHON["storage"], seed=5) == []


def test_the_order_of_calls_and_their_tasks_is_that_of_the_engine():
    # asyncio.sleep(0) lets another call in here; `await null` does not there.
    entries = [
        entry
        for entry in JAVASCRIPT
        if not (mentions(entry["calls"], "null") and len(entry["calls"]) > 1)
    ]
    assert len(entries) > 60
    differing = different(entries)
    assert len(differing) == 2
    assert all(A_STEP_MORE in calls for calls, _recorded, _here in differing)
