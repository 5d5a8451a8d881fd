"""It does not matter who makes the runs: one process, several, or somebody else's executor."""

import concurrent.futures
import os

import pytest

import dobook
from dobook.errors import UsageError
from dobook.explorer import search

from .scenarios import Counter, a_second_apart

CASE = (a_second_apart, {"COUNTER": Counter})


@pytest.fixture
def expected():
    report = dobook.explore(*CASE, runs=120, jobs=1)
    return report.failed, report.distinct, report.line


def found(**options):
    report = dobook.explore(*CASE, runs=120, **options)
    return report.failed, report.distinct, report.line


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_processes_find_what_one_finds(expected, monkeypatch):
    monkeypatch.setattr(search, "ALONE_S", 0)
    assert found(jobs=2) == expected


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_worker_process_that_dies_is_told_of_with_a_way_out(monkeypatch):
    monkeypatch.setattr(search, "ALONE_S", 0)
    here = os.getpid()

    async def ends_the_process(env):
        if os.getpid() != here:
            os._exit(3)

    with pytest.raises(UsageError, match=r"ended .* exit status 3\. Explore with jobs=1"):
        dobook.explore(ends_the_process, runs=100, jobs=2)


@pytest.mark.slow
def test_an_executor_finds_what_one_process_finds(expected):
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        assert found(executor=executor) == expected


@pytest.mark.slow
def test_joblib_finds_what_one_process_finds(expected):
    def parallel(tasks):  # what joblib.Parallel is: a callable that takes delayed calls
        return [function(*args, **keywords) for function, args, keywords in tasks]

    assert found(executor=parallel) == expected


@pytest.mark.slow
def test_the_search_stops_when_its_time_is_up():
    shares = []
    report = dobook.explore(*CASE, seconds=0.3, jobs=1, progress=shares.append)
    assert shares[-1] == 1.0
    assert report.runs == len(shares) > 1


def test_something_that_is_no_executor_is_refused():
    with pytest.raises(UsageError, match="executor"):
        dobook.explore(*CASE, runs=5, executor=3)


def test_what_cannot_travel_is_refused_with_a_way_out():
    lock = __import__("threading").Lock()

    async def scenario(env):
        assert lock

    with pytest.raises(UsageError, match="jobs=1"):
        dobook.explore(scenario, runs=5, executor=lambda tasks: [])
