"""A class and the runtime as live views in a real JupyterLab, light and dark."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def state(notebook, name):
    return notebook.ask(f"next(o.state for o in runtime.objects() if o.name == {name!r})")


def keys(notebook, name):
    return notebook.ask(f"next(o.keys for o in runtime.objects() if o.name == {name!r})")


def row(notebook, view, name):
    opens = notebook.page.get_by_role("button", name=f"open {name}", exact=True)
    return view.locator("tr", has=opens)


def test_a_class(notebook):
    view = notebook.views("env.COUNTER")
    notebook.run("%fast_forward 1s")  # so that what follows is later than all before
    notebook.run("for name in ('p', 'q', 'r'):\n    await env.COUNTER.getByName(name).add()")
    row(notebook, view, "q").get_by_text("in memory, idle").wait_for()
    assert "in 1h" in row(notebook, view, "q").inner_text()
    find = view.get_by_label("only names with this text")
    find.fill("other")
    find.press("Enter")
    notebook.settle()
    assert view.get_by_role("checkbox").count() == 3
    find.fill("")
    find.press("Enter")
    notebook.settle()
    view.get_by_label("order").select_option("last active")
    notebook.settle()
    assert "rpc add()" in view.locator("tbody tr").first.inner_text()
    for name in ("p", "q"):
        view.get_by_role("checkbox", name=f"choose {name}", exact=True).press("Space")
        notebook.settle()
    notebook.press(view, "Evict 2")
    assert [state(notebook, name) for name in ("p", "q", "r")] == ["evicted", "evicted", "idle"]
    notebook.press(view, "Choose none")
    view.get_by_role("checkbox", name="choose r", exact=True).click()
    notebook.settle()
    notebook.press(view, "Crash 1")
    assert "1 object crashed" in notebook.said(view)
    assert state(notebook, "r") == "evicted"
    notebook.press(view, "Delete 1…")
    notebook.press(view, "Keep")
    assert keys(notebook, "r") == 3
    notebook.press(view, "Delete 1…")
    notebook.press(view, "Delete everything it keeps")
    assert (keys(notebook, "p"), keys(notebook, "r")) == (3, 0)
    notebook.press(view, "Choose all")
    assert view.locator("[role=checkbox][aria-checked=false]").count() == 0
    notebook.press(view, "Choose none")


def test_a_class_opens_an_object_inside_of_itself(notebook):
    view = notebook.views("env.COUNTER")
    view.get_by_label("name or id of an object").fill("inner")
    view.get_by_label("name or id of an object").press("Enter")
    notebook.settle()
    inner = view.get_by_role("region", name="COUNTER/inner", exact=True)
    assert "not used yet" in inner.inner_text()
    notebook.press(inner, "Send")
    value = inner.get_by_label("value of n", exact=True)
    assert value.input_value() == "1"
    value.fill("7")
    value.press("Enter")
    notebook.settle()
    assert notebook.ask("runtime.run(env.COUNTER.getByName('inner').add(0))") == 7
    notebook.press(inner, "Evict")
    assert state(notebook, "inner") == "evicted"
    notebook.press(view, "open typed")
    assert view.get_by_role("region", name="COUNTER/typed", exact=True).count() == 1
    notebook.press(view, "close COUNTER/typed")
    assert view.locator(".dobook-inner").count() == 0


def test_the_runtime(notebook):
    view = notebook.views("Runtime")
    before = notebook.ask("runtime.clock.now_ms")
    notebook.press(view, "+1 s")
    assert notebook.ask("runtime.clock.now_ms") == before + 1_000
    notebook.run("%slow COUNTER/typed 100ms")
    notebook.press(view, "Call them off")
    assert notebook.ask("len(runtime.faults.planned())") == 0
    notebook.run("await typed.add()")
    view.get_by_role("region", name="last requests").get_by_text("COUNTER/typed").first.wait_for()
    notebook.press(view, "Evict all idle")
    assert state(notebook, "typed") == "evicted"
    assert view.get_by_role("button", name="Evict all idle").is_disabled()
    notebook.press(view, "open COUNTER")
    inner = view.get_by_role("region", name="env.COUNTER", exact=True)
    assert "typed" in inner.inner_text()
    path = view.get_by_label("a class or an object")
    path.fill("COUTNER/typed")
    notebook.press(view, "Look into")
    assert "COUNTER" in notebook.said(view)
    path.fill("COUNTER/typed")
    path.press("Enter")
    notebook.settle()
    notebook.press(view.get_by_role("region", name="COUNTER/typed", exact=True), "Send")
    assert state(notebook, "typed") == "idle"
    notebook.press(view, "open COUNTER")
    assert view.get_by_role("region", name="env.COUNTER", exact=True).count() == 0


def test_a_view_whose_cell_ran_again_elsewhere_can_be_followed_again(notebook):
    view = notebook.views("COUNTER/typed").first
    notebook.run(
        "import dobook.notebook.extension as _e\n_s = _e.session_of(get_ipython())\n"
        "_v = next(v for v in _s.views._shown if v.facts['title'] == 'COUNTER/typed')\n_s.views.leave(_v)"
    )
    view.get_by_text("stands still").wait_for()
    notebook.run("await typed.add()")
    notebook.press(view, "Follow again")
    n = notebook.ask("runtime.run(typed.add(0))")
    assert view.get_by_label("value of n", exact=True).input_value() == str(n)
    assert view.get_by_text("stands still").count() == 0
