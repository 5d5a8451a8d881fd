"""Promise: whatever call of the disk fails, callers are told, nothing hangs, nothing acknowledged is lost.

Here each call fails once for every n, with another error in turn; all errors for all n are tried by
`python -m benchmarks.soak failures`.
"""

import errno

import pytest

from tests.disk import sqlite_vfs
from tests.disk.every_failure import run_with, sweep
from tests.disk.faults import (
    FILE_CALLS,
    FILES,
    NEVER_FAIL,
    SHORT,
    SQLITE,
    SQLITE_CALLS,
    FaultySystem,
    Kind,
)
from tests.disk.materials import scratch_folder

pytestmark = [
    pytest.mark.skipif(bool(sqlite_vfs.why_not()), reason=sqlite_vfs.why_not() or "works"),
    pytest.mark.slow,
]

# How often the program makes a call, roughly: a test of its own for each part of the numbers.
PARTS = {(FILES, "sync"): 2, (SQLITE, "read"): 4, (SQLITE, "write"): 6, (SQLITE, "open"): 2}
PARTS |= {(SQLITE, "size"): 4, (SQLITE, "access"): 3}
CALLS = [
    *((FILES, call) for call in FILE_CALLS if call not in NEVER_FAIL),
    *((SQLITE, call) for call in SQLITE_CALLS),
]
# What a program of this kind never does: SQLite and dobook do it where a file was left by a crash.
NOT_CALLED = {(FILES, "truncate"), (FILES, "rmdir")}


def nothing_is(wrong):
    """Fail with the first few things that are wrong, each in full."""
    if wrong:
        pytest.fail(f"{len(wrong)} runs were wrong:\n" + "\n".join(wrong[:8]), pytrace=False)


@pytest.fixture
def folder():
    with scratch_folder() as made:
        yield made


@pytest.mark.parametrize(
    ("call", "part"),
    [(call, part) for call in CALLS for part in range(PARTS.get(call, 1))],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else f"part {value}",
)
def test_a_call_that_fails_is_told_and_loses_nothing(folder, call, part):
    failures, wrong = sweep(
        call, errors="in turn", part=part, parts=PARTS.get(call, 1), folder=folder
    )
    nothing_is(wrong)
    assert (failures > 0) is (call not in NOT_CALLED)


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_call_that_fails_after_a_kill_is_told_and_loses_nothing(folder, call):
    _, wrong = sweep(call, errors="in turn", program="after a kill", folder=folder)
    nothing_is(wrong)


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "MemoryError"])
@pytest.mark.parametrize("call", [call for call in CALLS if call[0] == FILES], ids=" ".join)
def test_an_interrupt_in_any_call_loses_nothing(folder, call, error):
    failures, wrong = sweep(call, errors=error, folder=folder)
    nothing_is(wrong)
    assert (failures > 0) is (call not in NOT_CALLED)


@pytest.mark.parametrize(
    "call", [(FILES, "write"), (FILES, "open"), (SQLITE, "open")], ids=" ".join
)
def test_nothing_that_survives_a_kill_is_lost_by_a_failure(folder, call):
    _, wrong = sweep(call, errors="in turn", durability="process", folder=folder)
    nothing_is(wrong)


# ---------------------------------------------------------------------- the machinery


def test_a_run_without_a_failure_is_as_promised(folder):
    outcome = run_with(Kind(FILES, "write", errno.EIO), 1_000_000, folder)
    assert (outcome.hit, outcome.told, outcome.wrong) == (False, [], [])


def test_a_failure_is_met_and_told(folder):
    outcome = run_with(Kind(FILES, "open", errno.EIO), 1, folder)
    assert outcome.hit
    assert [text.partition(":")[0] for text in outcome.told] == ["opening"]


def test_a_lost_write_is_noticed(folder, monkeypatch):
    """Say of every journal's write that it was done, and do none."""
    monkeypatch.setattr(FaultySystem, "write", lambda _self, _fd, data, _offset: len(data))
    kind = Kind(FILES, "sync_folder", errno.EIO)
    assert any(" has " in text for text in run_with(kind, 1_000_000, folder).wrong)


@pytest.mark.parametrize("error", [errno.ENOSPC, SHORT])
def test_a_call_that_keeps_failing_fails_until_the_disk_is_mended(folder, error):
    outcome = run_with(Kind(FILES, "write", error, stays=True), 3, folder)
    assert outcome.hit
    assert outcome.told
    assert all("No space left" in text for text in outcome.told)
