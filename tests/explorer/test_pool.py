"""Whenever a worker process ends, the search says so and leaves nothing of its own behind."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import dobook
from dobook.errors import UsageError
from dobook.explorer import pool, search
from dobook.explorer.batch import run_batch
from dobook.explorer.pool import Pool
from dobook.explorer.results import Result

from .scenarios import Counter, a_second_apart

CASE = b"x" * 1_000_000  # more than a pipe holds
RESULTS = r'b"{\"results\": [[1, 2]]}\n"'

# What a worker has done by the moment at which it ends. Each is the body of a program that has
# `source`, `answers` and `end()`, and that has not read anything yet.
MOMENTS = {
    "before it has read anything": "end()",
    "with part of the case read": "os.read(0, 10); end()",
    "with the case read and no batch": "case(); end()",
    "with the batch read": "case(); source.readline(); end()",
    "with part of the answer written": "case(); source.readline(); say(b'{\"results\": [['); end()",
    "with all of the answer but its end": f"case(); source.readline(); say({RESULTS}[:-1]); end()",
    "between two batches, with its input closed": (
        f"case(); source.readline(); os.close(0); say({RESULTS}); end()"
    ),
    "with a second batch read": (
        f"case(); source.readline(); say({RESULTS}); source.readline(); end()"
    ),
}
ENDINGS = {
    "os._exit(3)": r"with exit status 3",
    "os._exit(0)": r"with exit status 0",
    "raise SystemExit(4)": r"with exit status 4",
}
if hasattr(os, "fork"):
    ENDINGS["os.kill(os.getpid(), 9)"] = r"with exit status -9 \(SIGKILL\)"
    ENDINGS["os.kill(os.getpid(), 11)"] = r"with exit status -11 \(SIGSEGV\)"

PROGRAM = """
import os, sys
source = open(0, "rb", closefd=False)
def case():
    source.read(int(source.readline()))
def say(what):
    os.write(1, what)
def end():
    {ending}
{body}
"""
PATIENT = f"case()\nfor line in source: say({RESULTS})"


def worker(body, ending="os._exit(3)"):
    return ("-S", "-c", PROGRAM.format(body=body, ending=ending))


def open_descriptors():
    try:
        return len(list(Path("/proc/self/fd").iterdir()))
    except FileNotFoundError:
        return None


@pytest.fixture
def nothing_left(monkeypatch):
    """Check that every process that was started has been waited for, and nothing else is left."""
    started = []
    popen = subprocess.Popen

    def noted(*args, **options):
        process = popen(*args, **options)
        started.append(process)
        return process

    monkeypatch.setattr(subprocess, "Popen", noted)
    threads, descriptors = set(threading.enumerate()), open_descriptors()
    yield started
    assert all(process.returncode is not None for process in started)
    assert set(threading.enumerate()) == threads
    assert open_descriptors() == descriptors


def failures(futures):
    return {str(future.exception()) for future in futures if not future.cancelled()}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_may_end_at_any_moment(monkeypatch, nothing_left, moment, ending):
    monkeypatch.setattr(pool, "WORKER", worker(MOMENTS[moment], ending))
    workers = Pool(CASE, 1)
    futures = [workers.submit(run_batch, CASE, n, n) for n in range(4)]
    answered = [future for future in futures if future.exception() is None]
    workers.shutdown(cancel_futures=True)
    assert [future.result() for future in answered] == [[[1, 2]]] * (
        "two" in moment or "second" in moment
    )
    (said,) = failures(futures[len(answered) :])
    assert re.fullmatch(
        rf"a worker process ended .* {ENDINGS[ending]}\. Explore with jobs=1.*", said
    )


def test_a_worker_that_has_ended_before_it_is_written_to(monkeypatch, nothing_left):
    monkeypatch.setattr(pool, "WORKER", worker("end()"))
    popen = subprocess.Popen

    def ended(*args, **options):
        process = popen(*args, **options)
        process.wait()
        return process

    monkeypatch.setattr(subprocess, "Popen", ended)
    workers = Pool(b"small", 2)
    futures = [workers.submit(run_batch, b"small", n, n) for n in range(4)]
    assert failures(futures) == {
        "a worker process ended in the middle of a run with exit status 3. "
        "Explore with jobs=1 to see where."
    }
    workers.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('b\'{"error": "ValueError: no"}\\n\'', "failed: ValueError: no"),
        ('b"Segmentation fault\\n"', "answered with something else"),
        ('b"5\\n"', "answered with something else"),
        ('b"{}\\n"', "answered with something else"),
        ('b"\\xff\\n"', "answered with something else"),
    ],
)
def test_a_worker_that_answers_something_else(monkeypatch, nothing_left, answer, said):
    monkeypatch.setattr(
        pool, "WORKER", worker(f"case(); source.readline(); say({answer}); {PATIENT}")
    )
    workers = Pool(CASE, 1)
    futures = [workers.submit(run_batch, CASE, n, n) for n in range(2)]
    (text,) = failures(futures)
    assert said in text
    assert "jobs=1" in text
    workers.shutdown(cancel_futures=True)


def test_a_worker_that_closes_its_output_and_lives_is_killed(monkeypatch, nothing_left):
    monkeypatch.setattr(pool, "WORKER", worker("case(); os.close(1); source.read()"))
    monkeypatch.setattr(pool, "LAST_BREATH_S", 0)
    workers = Pool(CASE, 1)
    with pytest.raises(UsageError, match=r"ended .* because it closed its output"):
        workers.submit(run_batch, CASE, 1, 1).result()
    workers.shutdown()


def test_the_first_failure_stops_the_other_workers(monkeypatch, nothing_left):
    # Both run the same program: one of them is first to get the batch that ends it, and the other
    # waits for a second line that never comes.
    monkeypatch.setattr(
        pool,
        "WORKER",
        worker("case(); line = source.readline()\nif line == b'0 0\\n': end()\nsource.readline()"),
    )
    workers = Pool(CASE, 2)
    futures = [workers.submit(run_batch, CASE, n, n) for n in (1, 0, 2, 3)]
    assert len(failures(futures)) == 1
    assert [process.wait() for process in nothing_left].count(3) == 1
    workers.shutdown()


@pytest.mark.parametrize("broken", [OSError("no more processes"), KeyboardInterrupt()])
def test_a_pool_that_cannot_start_all_its_processes_leaves_none(monkeypatch, nothing_left, broken):
    monkeypatch.setattr(pool, "WORKER", worker(PATIENT))
    popen = subprocess.Popen

    def second_fails(*args, **options):
        if nothing_left:
            raise broken
        return popen(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", second_fails)
    raised = UsageError if isinstance(broken, OSError) else KeyboardInterrupt
    with pytest.raises(raised) as caught:
        Pool(CASE, 2)
    assert raised is KeyboardInterrupt or "jobs=1" in str(caught.value)


def test_a_pool_that_cannot_start_its_threads_leaves_no_process(monkeypatch, nothing_left):
    monkeypatch.setattr(pool, "WORKER", worker(PATIENT))

    def no_thread(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(UsageError, match=r"cannot be started: can't start new thread.*jobs=1"):
        Pool(CASE, 2)


@pytest.mark.parametrize("where", ["waiting for results", "counting them"])
def test_an_interrupt_of_the_search_ends_the_workers(monkeypatch, nothing_left, where):
    monkeypatch.setattr(search, "ALONE_S", 0)
    monkeypatch.setattr(pool, "WORKER", worker("source.read()"))
    alone = []

    def progress(share):
        alone.append(share)
        if where == "counting them":
            raise KeyboardInterrupt

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(pool, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dobook.explore(waits_a_little, runs=200, jobs=2, progress=progress)
    assert bool(nothing_left) == (where == "waiting for results")


async def waits_a_little(env):
    """A scenario in which nothing happens."""


async def meddles(env):
    """A scenario that reads, prints and writes where a worker has its pipes."""
    print("{}")
    os.write(1, b"{}\n")
    sys.stdout.write("5\n")
    assert os.read(0, 10) == b""


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_what_a_scenario_prints_or_reads_does_not_get_between(nothing_left):
    packed = search.pack(search.make_case(meddles, ()), "random", 0)
    workers = Pool(packed, 1)
    results = [Result(*row) for row in workers.submit(run_batch, packed, 1, 3).result()]
    workers.shutdown()
    assert [(result.number, result.failed) for result in results] == [
        (1, False),
        (2, False),
        (3, False),
    ]


async def leaves_a_child(env):
    """A scenario whose process ends, while one that it has forked lives on."""
    if os.fork() == 0:
        os.read(os.open(os.environ["LIVES_UNTIL_WRITTEN_TO"], os.O_RDONLY), 1)
        os._exit(0)
    os._exit(5)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs fork and named pipes")
def test_a_process_that_a_scenario_leaves_behind_does_not_hide_the_end(
    monkeypatch, nothing_left, tmp_path
):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    monkeypatch.setenv("LIVES_UNTIL_WRITTEN_TO", str(fifo))
    packed = search.pack(search.make_case(leaves_a_child, ()), "random", 0)
    workers = Pool(packed, 1)
    future = workers.submit(run_batch, packed, 1, 3)
    with pytest.raises(UsageError, match=r"ended .* exit status 5"):
        future.result()
    workers.shutdown()
    fifo.write_bytes(b"end")


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_real_workers_end_when_the_search_does(monkeypatch, nothing_left):
    monkeypatch.setattr(search, "ALONE_S", 0)
    report = dobook.explore(a_second_apart, {"COUNTER": Counter}, runs=200, jobs=2, stop=True)
    assert report.failed
