"""The known answers: each classic mistake is found within its budget, and nothing in its twin."""

import pytest

import dobook
from dobook.explorer.bugs import BUGS
from dobook.explorer.strategies.table import STRATEGIES

BUDGET = 150
each_bug = pytest.mark.parametrize("bug", BUGS.values(), ids=lambda bug: bug.name)


def test_there_are_at_least_25():
    assert len(BUGS) >= 25


@pytest.mark.slow
@each_bug
def test_the_mistake_is_found_within_its_budget(bug):
    report = dobook.explore(bug.scenario, bug.broken, runs=BUDGET, stop=True)
    assert report.failed, report
    assert report.reproducible
    assert report.story
    again = dobook.replay(report.line)
    assert again.failure == report.failure
    assert not again.stale


@pytest.mark.slow
@each_bug
def test_nothing_is_found_in_the_twin(bug):
    for number, strategy in enumerate(STRATEGIES):
        report = dobook.explore(
            bug.scenario, bug.fixed, runs=25, strategy=strategy, seed=number, stop=True
        )
        assert report.ok, report


@each_bug
def test_the_mistake_does_not_show_in_the_ordinary_run(bug):
    assert dobook.explore(bug.scenario, bug.broken, runs=1).ok
