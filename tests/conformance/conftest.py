"""The option `--vectors`, the parameters of the tests, and the score at the end of a run."""

from collections import Counter
from collections.abc import Iterator
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


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Score(), "dobook-conformance-score")


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


class Score:
    """Counts, from the reports of the tests, what passed on every store it was played on."""

    def __init__(self) -> None:
        self._scope: dict[str, str | None] = {}
        self._passed: dict[str, bool] = {}
        self._messages: dict[str, set[str]] = {}
        self._agreed: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        verdict = dict(report.user_properties).get("conformance")
        if verdict is None or not (report.when == "call" or report.failed):
            return
        key = verdict["key"]
        self._scope[key] = verdict["scope"]
        self._passed[key] = self._passed.get(key, True) and verdict["passed"]
        messages = set(verdict.get("messages", ()))
        agreed = set(verdict.get("agreed", ()))
        self._messages[key] = self._messages.get(key, set()) | messages
        self._agreed[key] = self._agreed.get(key, agreed) & agreed

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._scope:
            terminalreporter.section("conformance")
            for line in self.lines():
                terminalreporter.write_line(line)

    def lines(self) -> Iterator[str]:
        """Give the lines of the score."""
        total: Counter[str] = Counter()
        passed: Counter[str] = Counter()
        for key, scope in self._scope.items():
            group = f": {key.partition('/')[0]}" if scope is None else f" (scope {scope}):"
            total[group] += 1
            passed[group] += self._passed[key]
        for group in sorted(total):
            yield f"conformance{group} {passed[group]} of {total[group]}"
        plain = [key for key, scope in self._scope.items() if scope is None]
        agreed = sum(len(self._agreed[key] & self._messages[key]) for key in plain)
        messages = sum(len(self._messages[key]) for key in plain)
        yield f"conformance messages: {agreed} of {messages}"
        yield f"conformance: {sum(self._passed[key] for key in plain)} of {len(plain)}"
