"""The option `--vectors`, and the parameters of the tests."""

from pathlib import Path
from typing import Any

import pytest

from .steps import Scenario, load

HERE = Path(__file__).parent
STORES = ("memory", "disk")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors",
        type=Path,
        metavar="DIR",
        help="play the recorded scenarios of this folder instead of tests/conformance/vectors",
    )


def chosen_folder(config: pytest.Config) -> Path | None:
    """Return what --vectors says; None without it, also where the option is not known."""
    return config.getoption("vectors", None)


def read_todo(path: Path) -> list[str]:
    """Return the names that a todo file lists."""
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "recorded" not in metafunc.fixturenames:
        return
    folder = chosen_folder(metafunc.config) or HERE / "vectors"
    scenarios = load(folder)
    if not scenarios:
        raise pytest.UsageError(f"there are no vectors (*.json) in {folder}")
    cases = [(scenario, store) for scenario in scenarios for store in STORES]
    ids = [f"[{store}] {scenario.key}" for scenario, store in cases]
    metafunc.parametrize(("recorded", "kept_in"), cases, ids=ids)


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    callspec = getattr(item, "callspec", None)
    if callspec is not None and "recorded" in callspec.params:
        scenario: Scenario = callspec.params["recorded"]
        # A scenario that never gets to an outcome counts as one that failed.
        verdict = {"key": scenario.key, "scope": scenario.scope, "passed": False}
        item.user_properties.append(("conformance", verdict))


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the score takes down about this test."""
    return dict(request.node.user_properties)["conformance"]


@pytest.fixture(scope="session")
def todo() -> list[str]:
    """The names of the scenarios that do not pass yet."""
    return read_todo(HERE / "todo.txt")
