"""Live views in a real JupyterLab, light and dark: every button is pressed, and its effect seen."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def stored(notebook, key="n", name="a"):
    return notebook.ask(f"runtime.namespace('COUNTER').actors[env.COUNTER.idFromName({name!r}).toString()].store.kv.get({key!r})")  # fmt: skip


def now(notebook):
    return notebook.ask("runtime.clock.now_ms") / 1000


def test_an_inspector(notebook):
    view = notebook.views("COUNTER/a")
    value = view.get_by_label("value of n", exact=True)
    value.fill("41")
    value.press("Enter")
    notebook.settle()
    assert stored(notebook) == 41
    value.fill("not a number")
    value.press("Enter")
    notebook.settle()
    assert "keeps the type" in notebook.said(view)
    assert stored(notebook) == 41
    value.press("Escape")
    assert value.input_value() == "41"
    view.get_by_label("value of on").select_option("False")
    notebook.settle()
    assert stored(notebook, "on") is False
    view.get_by_label("new key").fill("more")
    view.get_by_label("new value").fill("[1]")
    notebook.press(view, "Add row")
    assert stored(notebook, "more") == [1]
    notebook.press(view, "delete more")
    assert stored(notebook, "more") is None
    view.get_by_label("path").fill("/boom")
    notebook.press(view, "Send")
    assert "ValueError: boom" in notebook.said(view)
    assert 'raise ValueError("boom")' in notebook.said(view)
    assert "asked for http://localhost/boom" in notebook.said(view)
    view.get_by_label("path").fill("/")
    view.get_by_label("path").press("Enter")
    notebook.settle()
    assert stored(notebook) == 42
    assert '{"n": 42}' in notebook.said(view)
    notebook.press(view, "Evict")
    assert view.get_by_role("button", name="Evict").is_disabled()
    assert "evicted" in view.locator(".dobook-chip").first.inner_text()
    notebook.press(view, "Run alarm")
    assert stored(notebook, "rang") is True
    assert "COUNTER/a  ok" in notebook.said(view)
    notebook.press(view, "Crash")
    assert "evicted" in view.locator(".dobook-chip").first.inner_text()
    notebook.press(view, "Delete…")
    notebook.press(view, "Keep")
    assert stored(notebook) == 42
    notebook.press(view, "Delete…")
    notebook.press(view, "Delete everything it keeps")
    assert notebook.ask("next(o.keys for o in runtime.objects() if o.name == 'a')") == 0


def test_an_inspector_follows_what_cells_do_and_keeps_what_is_being_typed(notebook):
    view = notebook.views("COUNTER/typed")
    field, before = view.get_by_label("new key"), stored(notebook, name="typed")
    field.fill("half a wo")
    notebook.run("await typed.add(10)")
    view.get_by_label("value of n", exact=True).and_(
        notebook.page.locator(f"[value='{before + 10}']")
    ).wait_for()
    assert field.input_value() == "half a wo"
    assert field.evaluate("field => field === document.activeElement")
    # What is pressed in a view is not the notebook's shortcut: "dd" would delete the cell.
    view.get_by_role("button", name="Evict").focus()
    notebook.page.keyboard.press("d")
    notebook.page.keyboard.press("d")
    assert view.is_visible()


def test_clocks_stay_in_step(notebook):
    view, other = notebook.views("Clock").first, notebook.views("Clock").nth(1)
    for name, seconds in (("+1 s", 1), ("+1 m", 60), ("+1 h", 3_600), ("+1 d", 86_400)):
        before = now(notebook)
        notebook.press(view, name)
        assert now(notebook) == pytest.approx(before + seconds)
        assert other.locator(".dobook-now").inner_text() == view.locator(".dobook-now").inner_text()
    notebook.run("await env.COUNTER.getByName('rung').add()")
    due = notebook.ask("runtime.scheduled_alarms()[0].runs_ms") / 1000
    notebook.press(view, "Next alarm")
    assert now(notebook) == due
    view.get_by_label("how far, or until when").fill("10m")
    notebook.press(view, "Jump")
    assert now(notebook) == due + 600
    view.get_by_label("how far, or until when").fill("2027-01-01T03:00")
    view.get_by_label("how far, or until when").press("Enter")
    notebook.settle()
    assert "2027-01-01 03:00:00" in other.locator(".dobook-now").inner_text()
    view.get_by_label("how far, or until when").fill("yesterday")
    notebook.press(view, "Jump")
    assert "'yesterday' is not a duration" in notebook.said(view)
    view.get_by_role("button", name="1h a second").click()
    notebook.press(view, "▶ Play")
    other.get_by_text("▶ playing").wait_for()
    other.get_by_role("button", name="10s a second").click()  # while it plays, another rate
    notebook.page.wait_for_function(
        "![...document.querySelectorAll('.dobook-now')].some((one) => one.textContent.includes('03:00:00 '))"
    )
    notebook.press(other, "❚❚ Pause")
    stands = now(notebook)
    assert stands > due + 600
    notebook.page.wait_for_timeout(300)
    assert now(notebook) == stands


def test_a_console(notebook):
    view = notebook.views("Requests to")
    view.get_by_label("path").fill("/one")
    notebook.press(view, "Send")
    assert stored(notebook, name="asked") == 1
    assert "200 OK" in view.locator(".dobook-answer").inner_text()
    assert '{"n": 1}' in view.locator(".dobook-answer").inner_text()
    view.get_by_text("Many", exact=True).click()
    view.get_by_label("how many").fill("20")
    view.get_by_label("rate").fill("10/s")
    notebook.press(view, "Send")
    assert stored(notebook, name="asked") == 21
    assert "20 of 20 requests" in view.locator(".dobook-answer").inner_text()
    assert view.locator(".dobook-answer svg circle").count() >= 20
    view.locator("summary", has_text="History").click()
    notebook.press(view, "replay request 1")
    assert stored(notebook, name="asked") == 22
    notebook.press(view, "show answer 2")
    assert "20 of 20 requests" in view.locator(".dobook-answer").inner_text()
    notebook.press(view, "edit request 1")
    assert view.get_by_label("path").input_value() == "/one"
    view.get_by_label("path").fill("/boom")
    view.get_by_text("Headers and body").click()
    view.get_by_label("headers, one a line").fill("broken")
    notebook.press(view, "Send")
    assert "a header is written 'name: value'" in notebook.said(view)
    view.get_by_label("headers, one a line").fill("x-user: ada")
    notebook.press(view, "Send")
    assert "ValueError: boom" in notebook.said(view)
    notebook.press(view, "Clear history")
    assert view.locator("summary", has_text="History").count() == 0


def test_a_response(notebook):
    view = notebook.views("Response 200 OK")
    body = view.get_by_role("region", name="body")
    assert "application/json" in view.get_by_role("region", name="headers").inner_text()
    assert "somewhere 39" not in body.inner_text()
    view.get_by_role("button", name="Show all").click()
    notebook.settle()
    assert '"name": "somewhere 39"' in body.inner_text()
    notebook.press(view, "As it came")
    assert body.inner_text().count("\n") == 0
    notebook.press(view, "Lay out")
    notebook.press(view, "Show the beginning")
    assert "characters more" in body.inner_text()


def test_a_timeline(notebook):
    view = notebook.views("Timeline")
    event = view.locator(".dobook-event strong")
    notebook.press(view, "first event")
    assert event.inner_text() == "outside: calls add"
    notebook.press(view, "next event")
    assert event.inner_text() == "COUNTER/a: add()"
    notebook.press(view, "previous event")
    assert view.get_by_role("button", name="previous event").is_disabled()
    notebook.press(view, "last event")
    moment = view.get_by_role("region", name="objects at this moment")
    assert "2026-01-01 01:00:00" in moment.inner_text()
    assert "name = 'Ada'" in moment.inner_text()
    view.locator("[data-seq]", has_text="get n").first.click()
    notebook.settle()
    assert event.inner_text() == "COUNTER/a: get n"
    assert view.locator("svg [aria-current]").count() == 1
    view.get_by_role("button", name="caused by").click()
    notebook.settle()
    assert event.inner_text() == "COUNTER/a: add()"
    notebook.run("%trace on\nawait env.COUNTER.getByName('later').add()\n%trace off")
    view.get_by_role("button", name="new").click()
    view.locator("[data-lane='COUNTER/later']").wait_for()
    assert event.inner_text() == "COUNTER/a: add()"
    rows = view.locator("svg [data-seq]")
    view.get_by_label("only this object").select_option("COUNTER/a")
    notebook.settle()
    view.get_by_label("only this kind").select_option("storage")
    notebook.settle()
    assert 0 < rows.count() < 9
    view.get_by_label("only with this text").fill("insert")
    view.get_by_label("only with this text").press("Enter")
    notebook.settle()
    assert rows.count() == 1
    view.get_by_label("only this object").select_option("outside")
    notebook.settle()
    assert rows.count() == 0


def test_a_slider(notebook):
    notebook.run("await kept.add()")
    before = stored(notebook, name="kept")
    notebook.run("%fast_forward 1m")
    notebook.run("await kept.add(9)")
    view = notebook.views("Past of COUNTER/kept")
    then = view.get_by_role("region", name="storage then")
    view.get_by_label("moment", exact=True).press("End")
    notebook.settle()
    view.get_by_text(", now").wait_for()
    then.get_by_text(str(before + 9), exact=True).wait_for()
    notebook.press(view, "earlier")
    assert f"n\t{before}\tint" in then.inner_text()
    changes = view.get_by_role("region", name="what is different now").inner_text()
    assert f"key\tn\t{before}\t{before + 9}" in changes
    notebook.press(view, "later")
    view.get_by_label("moment", exact=True).focus()
    notebook.page.keyboard.press("ArrowLeft")
    notebook.settle()
    assert f"n\t{before}\tint" in then.inner_text()
    notebook.press(view, "Fork from here")
    assert notebook.ask("fork.run(fork.stub('COUNTER/kept').add(0))") == before
    assert stored(notebook, name="kept") == before + 9
    notebook.press(view, "Go back…")
    notebook.press(view, "Stay")
    notebook.press(view, "Go back…")
    notebook.press(view, "Go back to this moment")
    assert stored(notebook, name="kept") == before
    assert "this bookmark undoes it" in notebook.said(view)
    notebook.run("fork.close()\ndel fork")


def test_gauges(notebook):
    gauge, progress = notebook.views("TOKEN_BUCKET/ada"), notebook.views("SAGA/trip")
    before = now(notebook)
    notebook.press(gauge, "Ask 5 times")
    assert "4 of 5 requests passed" in notebook.said(gauge)
    assert "none remaining" in gauge.inner_text()
    notebook.press(gauge, "+1 s")
    notebook.press(gauge, "Wait until one is free")
    assert now(notebook) == before + 5
    assert "1 remaining" in gauge.inner_text()
    notebook.press(gauge, "Ask once")
    assert "1 of 1 request passed" in notebook.said(gauge)
    for name, seconds in (("+10 s", 10), ("+1 m", 60)):
        before = now(notebook)
        notebook.press(gauge, name)
        assert now(notebook) == before + seconds
    # The other view has followed the clock meanwhile: the saga has run on it.
    assert "completed, 2 of 2 steps" in progress.inner_text()
    notebook.run("await env.COUNTER.getByName('due').add()")
    due = notebook.ask("runtime.scheduled_alarms()[0].runs_ms") / 1000
    notebook.press(progress, "Next alarm")
    assert now(notebook) == due
    for name, seconds in (("+1 s", 1), ("+10 s", 10), ("+1 m", 60)):
        before = now(notebook)
        notebook.press(progress, name)
        assert now(notebook) == before + seconds
