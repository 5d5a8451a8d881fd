"""How a run of the whole suite is spread over processes, with pytest-xdist.

The tests of a file stay in one process, in their order: they may share a fixture, and the cells of
a notebook share a kernel. Each folder of `TOGETHER` stays in one process too, for what it shares is
expensive. Units are handed out as they were collected, to the process that is free next.

A run of some files stays in one process: starting more would take longer than most such runs.
"""

import os

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/browser",)  # one JupyterLab and one Chromium
FEWEST, MOST = 2, 8  # each process collects all tests, so the ninth would gain little


def processes() -> int:
    """Return how many processes run the whole suite: one for each core that this one may use.

    pytest-xdist's own `-n auto` counts two hardware threads of a core as one, which on a virtual
    machine with two is one process.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    cores = len(affinity(0)) if affinity else os.cpu_count() or FEWEST
    return min(max(cores, FEWEST), MOST)


def distribute(config: pytest.Config) -> None:
    """Spread a run of the whole suite over processes, unless the command line says how.

    `-n 0` keeps it in one, and so do `--pdb`, `--trace` and `-s`, which need the terminal.
    """
    option = config.option
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    decided = option.numprocesses is not None or bool(option.tx) or hasattr(config, "workerinput")
    interactive = option.usepdb or option.trace or option.capture == "no" or option.collectonly
    if whole and not decided and not interactive:
        option.numprocesses = processes()


def unit(nodeid: str) -> str:
    """Return what a test stays together with: its file, or a folder of `TOGETHER`."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


class Units(LoadScopeScheduling):
    """Hands out whole units instead of single tests."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
