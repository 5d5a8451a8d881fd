"""The pytest plugin: fixtures `durable_objects`, `clock` and `stub`; nothing until one is asked for.

`@pytest.mark.durable_objects(seed=7, start="2026-03-01", state="disk")` sets what a test's runtime
is made with. A failed test shows what its objects did, in order. `unheard="fail"` in the marker, or
`durable_objects_unheard = "fail"` in pytest's configuration for all tests, fails a test in which
something was refused and nobody awaited it.
"""

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dobook.runtime.calls.stub import DurableObjectStub
    from dobook.testing.clock import TestClock
    from dobook.testing.objects import DurableObjects

_OBJECTS = pytest.StashKey["DurableObjects"]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        'durable_objects(seed=0, start=..., state="memory"): what the runtime behind the fixture '
        "durable_objects is made with; everything dobook.Runtime takes; unheard='fail' fails the "
        "test if something was refused and nobody awaited it",
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the setting known."""
    parser.addini(
        "durable_objects_unheard",
        '"fail" for tests to fail if a refusal of storage or a failed call was never awaited',
        default="report",
    )


@pytest.fixture
def durable_objects(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["DurableObjects"]:
    """Provide a Durable Objects runtime, in virtual time; see `dobook.testing`."""
    from dobook.errors import UsageError
    from dobook.testing.objects import DurableObjects

    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("durable_objects"):
        options = {**marker.kwargs, **options}  # the nearest counts
    state = options.pop("state", "memory")
    if state not in ("memory", "disk"):
        raise UsageError(f'state is "memory" or "disk", not {state!r}.')
    unheard = options.pop("unheard", request.config.getini("durable_objects_unheard"))
    if unheard not in ("report", "fail"):
        raise UsageError(f'unheard is "report" or "fail", not {unheard!r}.')
    path = tmp_path_factory.mktemp("durable_objects") / "state" if state == "disk" else None
    objects = DurableObjects(path, **options)
    request.node.stash[_OBJECTS] = objects
    yield objects
    objects.close()
    if unheard == "fail" and objects.unheard:
        pytest.fail("\n".join(map(str, objects.unheard)), pytrace=False)


@pytest.fixture
def clock(durable_objects: "DurableObjects") -> "TestClock":
    """Provide the virtual clock of this test's objects: `clock.advance("1h")`."""
    from dobook.testing.clock import TestClock

    return TestClock(durable_objects)


@pytest.fixture
def stub(durable_objects: "DurableObjects") -> Callable[..., "DurableObjectStub"]:
    """Provide stubs: `stub(Counter, "a")`, `stub("COUNTER/a")`."""
    return durable_objects.stub


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the objects of a failed test did."""
    report = yield
    objects = item.stash.get(_OBJECTS, None)
    if objects is not None and report.when == "call" and report.failed:
        story = objects.story()
        if story:
            report.sections.append(("what the Durable Objects did", story))
    return report
