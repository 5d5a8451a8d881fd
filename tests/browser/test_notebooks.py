"""The committed notebooks in a real JupyterLab: all cells run, every view is alive, every button answers."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.browser.conftest import VIEWPORT
from tests.browser.lab import Notebook
from tests.npm import node_modules

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
BOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
# All of them take minutes, and nbval executes each as well: here those with most to press.
MOST_ALIVE = ("01_", "05_", "08_", "15_")
OPENED = [b for b in BOOKS if os.environ.get("DOBOOK_ALL_NOTEBOOKS") or b.startswith(MOST_ALIVE)]
INSTRUMENTS = next(name for name in BOOKS if "instruments" in name)
# Pressed last, or not at all: they end what the others need.
LATE = ("Delete", "Clear history", "Stop", "Close", "Leave", "Hang up")
FAILED = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter((cell) => cell.model.type === 'code'
        && !(cell.model.getMetadata('tags') ?? []).includes('raises-exception')
        && cell.model.outputs.toJSON().some((output) => output.output_type === 'error'))
    .map((cell) => cell.model.sharedModel.source.slice(0, 120))"""
SERIOUS = """async () => (await axe.run(
    { include: ['.dobook-view', '.jp-OutputArea-output'] }, { resultTypes: ['violations'] })).violations
    .filter((one) => ['serious', 'critical'].includes(one.impact))
    .flatMap((one) => one.nodes.map((node) => [one.id, node.html.slice(0, 160), node.target.join(' ')]))"""


@pytest.fixture(scope="module")
def books(lab):
    """The notebooks in the server's folder, with what they read beside it."""
    for name in BOOKS:
        shutil.copy(ROOT / "notebooks" / name, lab.root / name)
    shutil.copytree(ROOT / "tests" / "projects", lab.root.parent / "tests" / "projects")
    return lab


@pytest.fixture(scope="module")
def desk(browser):
    """One page for all notebooks, one after another."""
    page = browser.new_page(viewport=VIEWPORT)
    page.set_default_timeout(15_000)
    yield Notebook(page)
    page.close()


@pytest.mark.parametrize("name", OPENED)
def test_a_notebook_runs_and_its_views_answer(books, desk, name):
    desk.turn_to(books, name)
    desk.theme("dark" if BOOKS.index(name) % 2 else "light")
    desk.run_all(timeout_s=150)
    assert desk.page.evaluate(FAILED) == []
    assert desk.page.get_by_text("Error displaying widget").count() == 0
    labels = [view.get_attribute("aria-label") for view in desk.views().all()]
    for label in dict.fromkeys(labels):
        press_every_button(
            desk, desk.page.locator(f".dobook-view[aria-label={json.dumps(label)}]").first
        )
    assert desk.complaints == []
    if name == INSTRUMENTS:
        kinds = (
            "KIOSK/north",
            "env.KIOSK",
            "Runtime",
            "Clock",
            "Requests to",
            "Timeline",
            "Past of",
            "LIMITER/ada",
            "DIARY",
        )
        assert [kind for kind in kinds if not any(kind in label for label in labels)] == []


def press_every_button(desk, view):
    buttons = view.locator("button:not(:disabled)").all_inner_texts()
    for text in dict.fromkeys(t for t in buttons if t and not t.startswith(LATE)):
        button = view.get_by_role("button", name=text, exact=True).first
        if button.count() and button.is_visible() and button.is_enabled():
            button.click()
            if text.startswith("▶ Play"):
                view.get_by_role("button", name="❚❚ Pause").click()
            desk.settle()


def test_axe_finds_nothing_serious_in_any_output_of_the_instruments(books, desk):
    if desk.name != INSTRUMENTS:  # else it is open, and every button has been pressed
        desk.turn_to(books, INSTRUMENTS)
        desk.run_all()
    axe = node_modules("axe-core@4.10.3") / "axe-core" / "axe.min.js"
    desk.page.add_script_tag(path=str(axe))
    for theme in ("light", "dark"):
        desk.theme(theme)
        assert desk.page.evaluate(SERIOUS) == [], theme
