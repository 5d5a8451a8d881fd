"""Promise: all promises hold in random programs, whatever the seed; a broken engine breaks them.

All 1,000 programs run with DOBOOK_SEEDS=1000; the ordinary run takes a few dozen of them.
Source: the promises of the design, and developers.cloudflare.com/durable-objects/reference/
"""

import os

import pytest

from dobook import limits
from dobook.gates import Commit, InputGate

from .random_programs import Broken, run

SEEDS = int(os.environ.get("DOBOOK_SEEDS", "48"))
BATCH = 12
ENOUGH = 60  # programs in which a broken engine must be found out


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", range(1, SEEDS + 1, BATCH))
def test_promises_hold_whatever_the_seed(first):
    for seed in range(first, min(first + BATCH, SEEDS + 1)):
        try:
            run(seed)
        except Exception as error:
            error.add_note(f"the program of seed {seed}")
            raise


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 5])
def test_the_same_program_leaves_the_same_trace_in_memory_and_on_disk(seed, tmp_path):
    assert run(seed) == run(seed) == run(seed, tmp_path / "state")


def found_out():
    """Return the promises that the broken engine is seen to break."""
    broken = set()
    for seed in range(1, ENOUGH):
        try:
            run(seed)
        except Broken as error:
            broken.add(str(error).partition(":")[0])
    return broken


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_without_input_gates_they_break(monkeypatch):
    monkeypatch.setattr(InputGate, "lock", lambda _gate: None)
    monkeypatch.setattr(InputGate, "unlock", lambda _gate: None)
    assert "input gate" in found_out()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_without_output_gates_they_break(monkeypatch):
    monkeypatch.setattr(Commit, "shut", lambda _commit, _gate: None)
    assert "output gate" in found_out()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_without_retries_they_break(monkeypatch):
    monkeypatch.setattr(limits, "ALARM_MAX_RETRIES", 0)
    assert "alarms" in found_out()
