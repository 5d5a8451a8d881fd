"""The recorded answers of the real engine, played against dobook in memory and on disk.

See `vectors/README.md`. What does not pass yet stands in `todo.txt`.
"""

from pathlib import Path
from typing import Any

import pytest

from dobook import Runtime

from .compare import Comparison, compare
from .conftest import STORES, chosen_folder
from .sqlite_versions import BETWEEN, OPTIONS, SINCE, excuse
from .steps import Scenario, load, play

# The scenarios stand for programs in JavaScript, which the remarks on Python's SDK do not concern.
pytestmark = pytest.mark.filterwarnings("ignore::dobook.errors.PortabilityWarning")


def judge(scenario: Scenario, kept_in: str, folder: Path) -> Comparison:
    """Play a scenario on one store and compare with what was recorded."""
    path = None if kept_in == "memory" else folder / kept_in
    # What a killed process leaves is what is judged; waiting for the disk would double the time.
    with Runtime(path, durability="process") as runtime:
        actual = play(runtime, scenario)
    return compare(scenario.expect, actual)


def report(scenario: Scenario, comparison: Comparison) -> str:
    """Return what differs, one place a line."""
    lines = [f"{scenario.key}: {scenario.data['about']}"]
    lines += [f"  step {difference}" for difference in comparison.differences]
    return "\n".join(lines)


def test_recorded(
    recorded: Scenario, kept_in: str, todo: list[str], tmp_path: Path, verdict: dict[str, Any]
) -> None:
    excused = excuse(recorded)
    try:
        comparison = judge(recorded, kept_in, tmp_path)
    except Exception as error:
        if not excused and recorded.key not in todo:
            raise
        pytest.xfail(f"{recorded.key}: {type(error).__name__}: {error}")
    verdict["passed"] = comparison.same
    verdict["messages"] = sorted(comparison.messages)
    verdict["agreed"] = sorted(comparison.agreed)
    if excused:
        if not comparison.same:
            pytest.xfail(f"{excused}: {comparison.differences[0]}")
        return
    if recorded.key not in todo:
        if not comparison.same:
            pytest.fail(report(recorded, comparison), pytrace=False)
        return
    if not comparison.same:
        pytest.xfail(f"todo.txt: {comparison.differences[0]}")
    others = [store for store in STORES if store != kept_in]
    if all(judge(recorded, store, tmp_path).same for store in others):
        pytest.fail(
            f"{recorded.key} passes now: remove its line from tests/conformance/todo.txt",
            pytrace=False,
        )


def test_todo_names_scenarios_that_can_fail(todo: list[str], pytestconfig: pytest.Config) -> None:
    if chosen_folder(pytestconfig) is not None:
        pytest.skip("todo.txt is about the vectors in tests/conformance")
    scenarios = {s.key: s for s in load(Path(__file__).parent / "vectors")}
    assert len(todo) == len(set(todo)), "todo.txt names a scenario twice"
    unknown = [key for key in todo if key not in scenarios]
    assert not unknown, f"todo.txt names scenarios that do not exist: {unknown}"
    named = {*SINCE, *OPTIONS, *BETWEEN}
    assert not named - scenarios.keys(), "sqlite_versions.py names scenarios that do not exist"
    assert {*SINCE} == {key for key, s in scenarios.items() if s.scope == "sqlite"}
    scoped = [key for key in todo if scenarios[key].scope is not None]
    assert not scoped, f"todo.txt names scenarios that never fail, having a scope: {scoped}"
