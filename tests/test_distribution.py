"""How the whole suite is spread over processes."""

from types import SimpleNamespace

import pytest

from . import distribution

TESTPATHS, ARGS = pytest.Config.ArgsSource.TESTPATHS, pytest.Config.ArgsSource.ARGS


def processes_of(args_source, **more):
    options = {
        "numprocesses": None, "tx": [], "usepdb": False, "trace": False, "capture": "fd",
        "collectonly": False,
    }  # fmt: skip
    config = SimpleNamespace(args_source=args_source, option=SimpleNamespace(**options | more))
    distribution.distribute(config)
    return config.option.numprocesses


def test_the_whole_suite_runs_in_several_processes_and_a_part_of_it_in_one():
    assert processes_of(TESTPATHS) == distribution.processes()
    assert processes_of(ARGS) is None


@pytest.mark.parametrize(
    "option", [{"usepdb": True}, {"trace": True}, {"capture": "no"}, {"collectonly": True}], ids=str
)
def test_what_needs_the_terminal_runs_in_one_process(option):
    assert processes_of(TESTPATHS, **option) is None


@pytest.mark.parametrize("number", [0, 1, 16])
def test_the_command_line_says_how_many(number):
    assert processes_of(TESTPATHS, numprocesses=number) == number
    assert processes_of(TESTPATHS, tx=["popen"]) is None


@pytest.mark.parametrize(("cores", "expected"), [(1, 2), (2, 2), (3, 3), (8, 8), (64, 8)])
def test_there_are_as_many_processes_as_cores_within_limits(monkeypatch, cores, expected):
    monkeypatch.setattr(
        distribution.os, "sched_getaffinity", lambda _pid: set(range(cores)), raising=False
    )
    assert distribution.processes() == expected


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/test_ids.py::test_a[x::y]", "tests/test_ids.py"),
        ("tests/behaviour/test_storage_model.py::TestInMemory::runTest",
         "tests/behaviour/test_storage_model.py"),
        ("notebooks/01_quickstart.ipynb::Cell 1", "notebooks/01_quickstart.ipynb"),
        ("tests/browser/test_chat.py::test_a[light]", "tests/browser"),
        ("tests/browser_less/test_a.py::test_a", "tests/browser_less/test_a.py"),
    ],
)  # fmt: skip
def test_what_shares_something_stays_together(nodeid, unit):
    assert distribution.unit(nodeid) == unit
