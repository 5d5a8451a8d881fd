"""What every test gets: two hypothesis profiles, runtimes on both stores, and a check for leaks.

A test that leaves a runtime open, a thread or an unfinished task fails, also when all it asserts
is true: what leaks here would leak in somebody's notebook.
"""

import asyncio
import contextlib
import functools
import gc
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from dobook import Runtime
from dobook.runtime.access import kernel_of
from tests import distribution
from tests.conformance.score import Score

# CI must give the same verdict twice, so its examples do not depend on chance. `thorough` is the
# longer run for people: HYPOTHESIS_PROFILE=thorough pytest.
hypothesis.settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, print_blob=True
)
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2_000)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev")
)

_made: list[Runtime] = []


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads its options
def pytest_cmdline_main(config: pytest.Config) -> None:
    distribution.distribute(config)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return distribution.Units(config, log) if config.option.dist == "loadfile" else None


def pytest_configure(config: pytest.Config) -> None:
    # Here, because the process that hands out the tests reads no conftest of a folder below.
    config.pluginmanager.register(Score(), "dobook-conformance-score")


def pytest_collection_finish() -> None:
    """Leave what collecting has made out of garbage collections: it is large, and stays."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _runtimes_are_counted() -> Iterator[None]:
    construct = Runtime.__init__

    @functools.wraps(construct)
    def counted(self: Runtime, *args: Any, **kwargs: Any) -> None:
        construct(self, *args, **kwargs)
        _made.append(self)

    Runtime.__init__ = counted
    yield
    Runtime.__init__ = construct


class _Complaints(logging.Handler):
    """Keeps what asyncio logs as errors: tasks nobody finished, exceptions nobody saw."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    threads = set(threading.enumerate())
    handled = sys.exc_info()[1]
    _made.clear()
    complaints = _Complaints()
    logger = logging.getLogger("asyncio")
    logger.addHandler(complaints)
    yield
    left = []
    if sys.exc_info()[1] is not handled:  # it would be the context of all that is raised later
        left.append(f"{sys.exc_info()[1]!r} as the exception that is being handled")
    for runtime in _made:
        if not kernel_of(runtime).closed:
            left.append(repr(runtime))
            with contextlib.suppress(Exception):
                runtime.close()
        for task in asyncio.all_tasks(kernel_of(runtime).loop):
            left.append(repr(task))
            task._log_destroy_pending = False  # said here, where it belongs
        if not kernel_of(runtime).loop.is_closed():
            left.append(f"the loop of {runtime!r}")
            kernel_of(runtime).loop.close()
    _made.clear()
    logger.removeHandler(complaints)
    left += complaints.texts
    for thread in set(threading.enumerate()) - threads:
        if not thread.daemon:
            thread.join(timeout=2)  # one that is about to end may do so
            if thread.is_alive():
                left.append(f"thread {thread.name}")
    if left:
        pytest.fail("the test left behind: " + "; ".join(left), pytrace=False)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest) -> str:
    """Where objects are kept; a test that asks for it, or for `runtime`, runs once on each."""
    return str(request.param)


@pytest.fixture
def state_path(store: str, tmp_path: Path) -> Path | None:
    """The state directory of this test, None for memory."""
    return None if store == "memory" else tmp_path / "state"


@pytest.fixture
def runtime(state_path: Path | None) -> Iterator[Runtime]:
    """A runtime, once in memory and once on disk; closed after the test."""
    with Runtime(state_path) as made:
        yield made


@pytest.fixture
def open_runtime() -> Iterator[Callable[..., Runtime]]:
    """Opens further runtimes; those still open are closed after the test."""
    opened: list[Runtime] = []

    def open_one(*args: Any, **kwargs: Any) -> Runtime:
        runtime = Runtime(*args, **kwargs)
        opened.append(runtime)
        return runtime

    yield open_one
    for runtime in opened:
        runtime.close()
