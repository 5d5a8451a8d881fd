"""Live views in a real JupyterLab: every button is pressed, and its effect seen in storage."""

import itertools

import pytest

from tests.browser.conftest import COUNTER
from tests.browser.lab import write_notebook
from tests.npm import node_modules

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CELLS = [
    "%load_ext dobook",
    COUNTER,
    "%trace on\nstub = env.COUNTER.getByName('a')\nawait stub.add()\n%trace off\nstub",
    "runtime.clock",
    "runtime.clock",
    "%request --console COUNTER/a",
    "%trace --diagram",
    "%storage COUNTER/a --history",
    "for i in range(3):\n    await env.COUNTER.getByName(f'other {i}').add()",
]

numbers = itertools.count(1)


@pytest.fixture
def open_notebook(lab, notebook):
    def opened(theme):
        name = f"{next(numbers)}.ipynb"  # a kernel of its own
        write_notebook(lab.root / name, CELLS)
        notebook.open(lab, name, theme)
        notebook.run_all()
        return notebook

    return opened


def stored(notebook, key="n", name="a"):
    return notebook.ask(f"runtime.namespace('COUNTER').actors[env.COUNTER.idFromName({name!r}).toString()].store.kv.get({key!r})")  # fmt: skip


def press(notebook, view, name):
    view.get_by_role("button", name=name, exact=True).click()
    notebook.settle()


def said(view):
    return view.locator(".dobook-said").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_button_of_an_inspector_has_its_effect(open_notebook, theme):
    notebook = open_notebook(theme)
    view = notebook.views("COUNTER/a")
    value = view.get_by_label("value of n", exact=True)
    value.fill("41")
    value.press("Enter")
    notebook.settle()
    assert stored(notebook) == 41
    value.fill("not a number")
    value.press("Enter")
    notebook.settle()
    assert "keeps the type" in said(view)
    assert stored(notebook) == 41
    value.press("Escape")
    assert value.input_value() == "41"
    view.get_by_label("value of on").select_option("False")
    notebook.settle()
    assert stored(notebook, "on") is False
    view.get_by_label("new key").fill("more")
    view.get_by_label("new value").fill("[1]")
    press(notebook, view, "Add row")
    assert stored(notebook, "more") == [1]
    press(notebook, view, "delete more")
    assert stored(notebook, "more") is None
    view.get_by_label("path").fill("/boom")
    press(notebook, view, "Send")
    assert "ValueError: boom" in said(view)
    assert 'raise ValueError("boom")' in said(view)
    assert "asked for http://localhost/boom" in said(view)
    view.get_by_label("path").fill("/")
    view.get_by_label("path").press("Enter")
    notebook.settle()
    assert stored(notebook) == 42
    assert '{"n": 42}' in said(view)
    press(notebook, view, "Evict")
    assert view.get_by_role("button", name="Evict").is_disabled()
    assert "evicted" in view.locator(".dobook-chip").first.inner_text()
    press(notebook, view, "Run alarm")
    assert stored(notebook, "rang") is True
    assert "COUNTER/a  ok" in said(view)
    press(notebook, view, "Crash")
    assert "evicted" in view.locator(".dobook-chip").first.inner_text()
    press(notebook, view, "Delete…")
    press(notebook, view, "Keep")
    assert stored(notebook) == 42
    press(notebook, view, "Delete…")
    press(notebook, view, "Delete everything it keeps")
    assert notebook.ask("next(o.keys for o in runtime.objects() if o.name == 'a')") == 0
    assert notebook.complaints == []


def test_an_inspector_follows_what_cells_do_and_keeps_what_is_being_typed(open_notebook):
    notebook = open_notebook("light")
    view = notebook.views("COUNTER/a")
    field = view.get_by_label("new key")
    field.fill("half a wo")
    notebook.run("await stub.add(10)")
    view.get_by_label("value of n", exact=True).and_(
        notebook.page.locator("[value='11']")
    ).wait_for()
    assert field.input_value() == "half a wo"
    assert field.evaluate("field => field === document.activeElement")
    # What is pressed in a view is not the notebook's shortcut: "dd" would delete the cell.
    view.get_by_role("button", name="Evict").focus()
    notebook.page.keyboard.press("d")
    notebook.page.keyboard.press("d")
    assert view.is_visible()


def test_every_button_of_a_clock_has_its_effect_and_clocks_stay_in_step(open_notebook):
    notebook = open_notebook("dark")
    view, other = notebook.views("Clock").first, notebook.views("Clock").nth(1)

    def now():
        return (notebook.ask("runtime.clock.now_ms") - 1_767_225_600_000) / 1000

    for name, seconds in (("+1 s", 1), ("+1 m", 61), ("Next alarm", 3_600), ("+1 h", 7_200)):
        press(notebook, view, name)
        assert now() == seconds
        assert other.locator(".dobook-now").inner_text() == view.locator(".dobook-now").inner_text()
    assert "02:00:00" in other.locator(".dobook-now").inner_text()
    assert (
        notebook.ask("next(o.alarm_ms for o in runtime.objects() if o.name == 'other 1')") is None
    )
    view.get_by_label("how far, or until when").fill("10m")
    press(notebook, view, "Jump")
    assert now() == 7_800
    view.get_by_label("how far, or until when").fill("2026-01-01T03:00")
    view.get_by_label("how far, or until when").press("Enter")
    notebook.settle()
    assert now() == 10_800
    view.get_by_label("how far, or until when").fill("yesterday")
    press(notebook, view, "Jump")
    assert "'yesterday' is no duration" in said(view)
    view.get_by_role("button", name="1h a second").click()
    press(notebook, view, "▶ Play")
    other.get_by_text("▶ playing").wait_for()
    notebook.page.wait_for_function(
        "!document.querySelector('.dobook-now').textContent.includes('03:00:00')"
    )
    press(notebook, other, "❚❚ Pause")
    stands = now()
    assert stands > 10_800
    notebook.page.wait_for_timeout(400)
    assert now() == stands
    press(notebook, view, "+1 d")
    assert now() == pytest.approx(stands + 86_400)
    assert notebook.complaints == []


def test_every_button_of_a_console_has_its_effect(open_notebook):
    notebook = open_notebook("light")
    view = notebook.views("Requests to")
    view.get_by_label("path").fill("/one")
    press(notebook, view, "Send")
    assert stored(notebook) == 2
    assert "200 OK" in view.locator(".dobook-answer").inner_text()
    assert '{"n": 2}' in view.locator(".dobook-answer").inner_text()
    view.get_by_text("Many", exact=True).click()
    view.get_by_label("how many").fill("20")
    view.get_by_label("rate").fill("10/s")
    press(notebook, view, "Send")
    assert stored(notebook) == 22
    assert "20 of 20 requests" in view.locator(".dobook-answer").inner_text()
    assert view.locator(".dobook-answer svg circle").count() >= 20
    view.locator("summary", has_text="History").click()
    press(notebook, view, "replay request 1")
    assert stored(notebook) == 23
    press(notebook, view, "show answer 2")
    assert "20 of 20 requests" in view.locator(".dobook-answer").inner_text()
    press(notebook, view, "edit request 1")
    assert view.get_by_label("path").input_value() == "/one"
    view.get_by_label("path").fill("/boom")
    view.get_by_text("Headers and body").click()
    view.get_by_label("headers, one a line").fill("broken")
    press(notebook, view, "Send")
    assert "a header is written 'name: value'" in said(view)
    view.get_by_label("headers, one a line").fill("x-user: ada")
    press(notebook, view, "Send")
    assert "ValueError: boom" in said(view)
    press(notebook, view, "Clear history")
    assert view.locator("summary", has_text="History").count() == 0
    assert notebook.complaints == []


def test_every_button_of_a_timeline_has_its_effect(open_notebook):
    notebook = open_notebook("light")
    view = notebook.views("Timeline")
    event = view.locator(".dobook-event strong")
    press(notebook, view, "first event")
    assert event.inner_text() == "outside: calls add"
    press(notebook, view, "next event")
    assert event.inner_text() == "COUNTER/a: add()"
    press(notebook, view, "previous event")
    assert view.get_by_role("button", name="previous event").is_disabled()
    press(notebook, view, "last event")
    moment = view.get_by_role("region", name="objects at this moment")
    assert "alarm" in moment.inner_text()
    assert "2026-01-01 01:00:00" in moment.inner_text()
    view.locator("[data-seq]", has_text="get n").first.click()
    notebook.settle()
    assert event.inner_text() == "COUNTER/a: get n"
    assert view.locator("svg [aria-current]").count() == 1
    view.get_by_role("button", name="caused by").click()
    notebook.settle()
    assert event.inner_text() == "COUNTER/a: add()"
    view.get_by_label("only this kind").select_option("storage")
    notebook.settle()
    rows = view.locator("svg [data-seq]")
    assert 0 < rows.count() < 9
    view.get_by_label("only with this text").fill("insert")
    view.get_by_label("only with this text").press("Enter")
    notebook.settle()
    assert rows.count() == 1
    view.get_by_label("only this object").select_option("outside")
    notebook.settle()
    assert rows.count() == 0
    assert notebook.complaints == []


def test_every_button_of_the_slider_has_its_effect(open_notebook):
    notebook = open_notebook("light")
    notebook.run("%fast_forward 1m")
    notebook.run("await stub.add(9)")
    view = notebook.views("Past of COUNTER/a")
    then = view.get_by_role("region", name="storage then")
    view.get_by_text(", now").wait_for()
    assert "10" in then.inner_text()
    press(notebook, view, "earlier")
    assert "n\t1\tint" in then.inner_text()
    assert "key\tn\t1\t10" in view.get_by_role("region", name="what is different now").inner_text()
    press(notebook, view, "later")
    view.get_by_label("moment", exact=True).focus()
    notebook.page.keyboard.press("ArrowLeft")
    notebook.settle()
    assert "n\t1\tint" in then.inner_text()
    press(notebook, view, "Fork from here")
    assert notebook.ask("fork.run(fork.stub('COUNTER/a').add(0))") == 1
    assert stored(notebook) == 10
    press(notebook, view, "Go back…")
    press(notebook, view, "Stay")
    press(notebook, view, "Go back…")
    press(notebook, view, "Go back to this moment")
    assert stored(notebook) == 1
    assert "this bookmark undoes it" in said(view)
    notebook.run("fork.close()")
    assert notebook.complaints == []


def test_axe_finds_no_serious_violation_in_either_theme(open_notebook):
    notebook = open_notebook("light")
    press(notebook, notebook.views("COUNTER/a"), "Send")
    for summary in notebook.page.locator(".dobook-view summary").all():
        if not summary.evaluate("summary => summary.parentNode.open"):
            summary.click()
    axe = node_modules("axe-core@4.10.3") / "axe-core" / "axe.min.js"
    notebook.page.add_script_tag(path=str(axe))
    serious = []
    for theme in ("light", "dark"):
        notebook.theme(theme)
        found = notebook.page.evaluate(
            "async () => (await axe.run('.dobook-view', { resultTypes: ['violations'] })).violations"
        )
        serious += [
            (theme, one["id"], node["html"][:160], node["failureSummary"])
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
    assert serious == []


def test_nothing_is_wider_than_its_cell(open_notebook):
    notebook = open_notebook("light")
    for width in (480, 1100):
        notebook.page.set_viewport_size({"width": width, "height": 1200})
        notebook.page.wait_for_timeout(300)
        wide = notebook.page.evaluate(
            "() => [...document.querySelectorAll('.dobook-view')].flatMap((view) => {"
            "  const edge = view.getBoundingClientRect().right + 1;"
            "  return [view.scrollWidth > view.clientWidth + 1 && 'the view itself',"
            "    ...[...view.querySelectorAll(':scope > div > *')].filter((one) =>"
            "      one.getBoundingClientRect().right > edge).map((one) => one.outerHTML.slice(0, 80))];"
            "}).filter(Boolean)"
        )
        assert wide == [], width
