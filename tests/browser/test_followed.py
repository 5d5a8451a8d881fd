"""Gauges and progress pictures in a real JupyterLab: pressed, followed, and accessible."""

import itertools

import pytest

from tests.browser.lab import write_notebook
from tests.npm import node_modules

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CELLS = [
    "%load_ext dobook",
    "%pattern TokenBucket",
    "%pattern Saga",
    "%rate_limit TOKEN_BUCKET/ada --limit 4 --window 20s",
    '%rpc SAGA/trip start ["flight", "hotel"]\n%workflow SAGA/trip',
]
numbers = itertools.count(1)


@pytest.fixture
def opened(lab, notebook):
    name = f"followed-{next(numbers)}.ipynb"
    write_notebook(lab.root / name, CELLS)
    notebook.open(lab, name, "light")
    notebook.run_all()
    return notebook


def press(notebook, view, name):
    view.get_by_role("button", name=name, exact=True).click()
    notebook.settle()


def test_gauges_are_pressed_followed_and_accessible(opened):
    gauge, progress = opened.views("TOKEN_BUCKET/ada"), opened.views("SAGA/trip")
    press(opened, gauge, "Ask 5 times")
    assert "4 of 5 requests passed" in gauge.locator(".dobook-said").inner_text()
    assert "none remaining" in gauge.inner_text()
    press(opened, gauge, "+1 s")
    press(opened, gauge, "Wait until one is free")
    assert "1 remaining" in gauge.inner_text()
    press(opened, gauge, "Ask once")
    assert "1 of 1 request passed" in gauge.locator(".dobook-said").inner_text()
    # The other view has followed the clock meanwhile: the saga has run on it.
    assert "completed, 2 of 2 steps" in progress.inner_text()
    assert opened.ask("runtime.clock.now_ms % 60_000") == 5_000
    press(opened, progress, "Next alarm")
    assert "no alarm is set" in progress.locator(".dobook-problem").inner_text()
    for summary in opened.page.locator(".dobook-view summary").all():
        summary.click()
    assert gauge.locator("table tbody tr").count() == 4

    axe = node_modules("axe-core@4.10.3") / "axe-core" / "axe.min.js"
    opened.page.add_script_tag(path=str(axe))
    serious = []
    for theme in ("light", "dark"):
        opened.theme(theme)
        found = opened.page.evaluate(
            "async () => (await axe.run('.dobook-view', { resultTypes: ['violations'] })).violations"
        )
        serious += [
            (theme, one["id"], node["html"][:160], node["failureSummary"])
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
    assert serious == []
    opened.page.set_viewport_size({"width": 480, "height": 1200})
    opened.page.wait_for_timeout(300)
    assert opened.page.evaluate(
        "() => [...document.querySelectorAll('.dobook-view')]"
        ".every((view) => view.scrollWidth <= view.clientWidth + 1)"
    )
    assert opened.complaints == []
