"""What is sent to other processes is unpacked only where the same versions have packed it."""

import io
import os
import pickle
import subprocess
import sys

import pytest

from dobook.errors import UsageError
from dobook.explorer import batch
from dobook.explorer.run import Case
from dobook.explorer.strategies.table import strategy_named

unpacked = []


class Trap:
    def __reduce__(self):
        return unpacked.append, ("unpacked",)


async def scenario(env):
    pass


@pytest.fixture
def packed(monkeypatch):
    found = batch.pack(Case(scenario, {}), "random", 0)
    monkeypatch.setattr(batch, "_own", {})  # as in another process
    monkeypatch.setattr(batch, "_cases", {})
    unpacked.clear()
    return found


def test_what_this_version_has_packed_is_unpacked(packed):
    assert len(batch.run_batch(packed, 1, 3)) == 3
    assert strategy_named("random") is not None


@pytest.mark.parametrize(
    ("python", "dobook"), [("2.7", None), ("3.99", None), (None, "0.0.1"), (None, "99")]
)
def test_other_versions_are_a_sentence(packed, python, dobook):
    head, _, _ = packed.partition(b"\n")
    words = head.decode().split(" ")
    words[3] = f"{python}," if python else words[3]
    words[5] = dobook or words[5]
    other = " ".join(words).encode() + b"\n" + pickle.dumps(Trap())
    with pytest.raises(UsageError, match=r"was packed by Python .*, and this process has Python"):
        batch.run_batch(other, 1, 1)
    assert unpacked == []


@pytest.mark.parametrize("head", [b"", b"\n", b"dobook", b"dobook case", b"x" * 1_000, b"\xff\n"])
def test_what_nobody_has_packed_is_not_unpacked(packed, head):
    with pytest.raises(UsageError, match="not a scenario that dobook has packed"):
        batch.run_batch(head + pickle.dumps(Trap()), 1, 1)
    assert unpacked == []


def test_what_is_too_large_is_not_packed(monkeypatch):
    monkeypatch.setattr(batch, "MOST_BYTES", 100)
    with pytest.raises(UsageError, match="more than 100"):
        batch.pack(Case(scenario, {}), "random", 0)


@pytest.mark.parametrize(
    "sent",
    [b"", b"5\nabc", b"-1\n", b"9" * 1_000, b"999999999999\n", b"x\n", b"3\nabc" + b"1" * 99],
)
def test_a_worker_process_ends_at_input_that_is_not_of_its_kind(sent):
    done = subprocess.run(
        [sys.executable, "-m", "dobook.explorer.worker"],
        input=sent,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=15,
        check=False,
    )
    assert done.stdout == b""


def test_a_worker_process_says_what_was_wrong_with_the_case():
    done = subprocess.run(
        [sys.executable, "-m", "dobook.explorer.worker"],
        input=b"3\nabc1 1\n",
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=15,
        check=False,
    )
    assert "not a scenario that dobook has packed" in io.BytesIO(done.stdout).read().decode()
