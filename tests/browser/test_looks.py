"""Every view in a real JupyterLab, light and dark, all of it unfolded: accessible, and inside its cell."""

import os
from pathlib import Path

import pytest

from tests.npm import node_modules

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CONTRAST = (Path(__file__).parent / "contrast.js").read_text("utf-8").partition("\n")[2]
SERIOUS = """async () => (await axe.run('.dobook-view', { resultTypes: ['violations'] })).violations
    .filter((one) => ['serious', 'critical'].includes(one.impact))
    .flatMap((one) => one.nodes.map((node) => [one.id, node.html.slice(0, 160), node.failureSummary]))"""
WIDE = """() => [...document.querySelectorAll('.dobook-view')].flatMap((view) => {
    const edge = view.getBoundingClientRect().right + 1;
    return [view.scrollWidth > view.clientWidth + 1 && 'the view itself',
        ...[...view.querySelectorAll(':scope > div > *')].filter((one) =>
            one.getBoundingClientRect().right > edge).map((one) => one.outerHTML.slice(0, 80))];
}).filter(Boolean)"""


UNFOLD = """() => {
    window.folded = [...document.querySelectorAll('.dobook-view details')].filter((one) => !one.open);
    window.folded.forEach((one) => { one.open = true; });
}"""


@pytest.fixture
def unfolded(notebook):
    view, counters = notebook.views("Runtime"), notebook.views("env.COUNTER")
    view.get_by_label("a class or an object").fill("COUNTER/typed")
    notebook.press(view, "Look into")
    notebook.press(counters, "open typed")
    notebook.page.evaluate(UNFOLD)
    notebook.page.wait_for_timeout(200)
    yield notebook
    notebook.page.evaluate("() => window.folded.forEach((one) => { one.open = false; })")
    notebook.press(view, "open COUNTER")  # which closes it
    notebook.press(counters, "close COUNTER/typed")


def test_axe_finds_no_serious_violation(unfolded):
    axe = node_modules("axe-core@4.10.3") / "axe-core" / "axe.min.js"
    unfolded.page.add_script_tag(path=str(axe))
    assert unfolded.page.evaluate(SERIOUS) == []
    found = unfolded.page.evaluate(CONTRAST)
    assert [one for one in found if "dobook" in one or "svg" in one] == []
    if folder := os.environ.get("DOBOOK_SCREENSHOTS"):
        theme = unfolded.page.evaluate("document.body.dataset.jpThemeLight")
        for view in unfolded.views().all():
            name = view.get_attribute("aria-label").replace("/", "-").replace(" ", "-")
            Path(folder, f"lab-{name}-{theme}.png").write_bytes(view.screenshot())


def test_nothing_is_wider_than_its_cell(unfolded):
    for width in (480, 1100):
        unfolded.page.set_viewport_size({"width": width, "height": 2000})
        unfolded.page.wait_for_timeout(300)
        assert unfolded.page.evaluate(WIDE) == [], width
