"""The live views of a class and of the runtime: what they show is what is, and what is pressed is done."""

import pytest

from dobook import Runtime
from dobook.notebook import live
from dobook.notebook.extension import session_of
from dobook.runtime.access import kernel_of


@pytest.fixture
def looked_at(counting):
    session_of(counting).live = "always"
    return counting


def view_of(shell, expression):
    subject = shell.ev(expression)
    return live.make(session_of(shell), live.VIEWS[type(subject)], subject)


def press(view, what, **fields):
    """Do what a message of the front end asks for; returns the outcome."""
    view._heard(view, {"do": what, **fields}, [])
    return view.outcome


@pytest.fixture
def counters(looked_at):
    looked_at.cell(
        "for name in ('ada', 'bob', 'cleo'):\n    await env.COUNTER.getByName(name).add()"
    )
    return view_of(looked_at, "env.COUNTER")


@pytest.fixture
def whole(looked_at):
    looked_at.cell("for name in ('ada', 'bob'):\n    await env.COUNTER.getByName(name).add()")
    return view_of(looked_at, "runtime")


def names(view):
    return [row["name"] for row in view.facts["rows"]]


def states(facts):
    return {row["name"]: row["state"] for row in facts["rows"]}


@pytest.mark.parametrize("expression", ["env.COUNTER", "runtime"])
def test_the_static_display_is_what_it_was_and_the_view_stands_beside_it(counting, expression):
    subject = counting.ev(expression)
    before, _ = counting.display_formatter.format(subject)
    assert before.keys() == {"text/plain", "text/html"}
    session_of(counting).live = "always"
    data, _ = counting.display_formatter.format(subject)
    assert data.keys() == {"text/plain", "text/html", live.VIEW}
    assert {kind: data[kind] for kind in before} == before
    assert view_of(counting, expression).static() == (data["text/plain"], data["text/html"])


def test_the_runtimes_view_is_what_dobook_shows(looked_at):
    card = looked_at.cell("%dobook")
    data, _ = looked_at.display_formatter.format(card)
    assert data[live.VIEW]
    assert data["text/plain"] == repr(card)
    assert "%dobook help" in data["text/html"]
    other = looked_at.cell("%dobook help")
    assert live.VIEW not in looked_at.display_formatter.format(other)[0]


def test_another_runtime_has_no_live_view(looked_at):
    with Runtime() as other:
        looked_at.push({"other": other})
        assert live.VIEW not in looked_at.display_formatter.format(other)[0]
        namespace = other.register(type("Box", (), {}))
        assert live.VIEW not in looked_at.display_formatter.format(namespace)[0]


# ---------------------------------------------------------------------- a class


def test_a_class_lists_its_objects_as_they_are(looked_at, counters):
    assert names(counters) == ["ada", "bob", "cleo"]
    looked_at.cell("%rpc COUNTER/bob ring 60000\n%evict COUNTER/cleo\n%fast_forward 5s")
    counters.refresh()
    rows = {row["name"]: row for row in counters.facts["rows"]}
    assert states(counters.facts) == {"ada": "idle", "bob": "idle", "cleo": "evicted"}
    assert rows["bob"]["alarm"] == "in 55s"
    assert rows["ada"]["keys"] == 1
    assert rows["bob"]["requests"] == 2
    assert rows["bob"]["last"] == "2026-01-01 00:00:00  rpc ring(60000)"
    assert (counters.facts["count"], counters.facts["resident"], counters.facts["alarms"]) == (
        3,
        2,
        1,
    )
    assert repr(counters) == "<NamespaceView env.COUNTER>"


def test_looking_at_a_class_makes_no_object_and_wakes_none(looked_at, counters):
    looked_at.cell("%evict COUNTER/ada")
    counters.refresh()
    press(counters, "open", which="nobody")
    assert counters.facts["opened"]["state"] == "not used yet"
    assert looked_at.ev("len(runtime.objects())") == 3
    assert states(counters.facts)["ada"] == "evicted"


def test_objects_are_found_by_name_and_ordered(looked_at, counters):
    looked_at.cell("%fast_forward 2s\n%rpc COUNTER/bob ring 60000\n%rpc COUNTER/ada ring 30000")
    press(counters, "find", text="b")
    assert names(counters) == ["bob"]
    assert counters.facts["count"] == 3
    press(counters, "find", text="")
    for order, wanted in (
        ("alarm", ["ada", "bob", "cleo"]),
        ("name", ["ada", "bob", "cleo"]),
        ("first used", ["ada", "bob", "cleo"]),
    ):
        press(counters, "order", by=order)
        assert names(counters) == wanted
    looked_at.cell("%fast_forward 2s\n%rpc COUNTER/cleo add")
    press(counters, "order", by="last active")
    assert names(counters)[0] == "cleo"


def test_an_object_is_opened_by_name_or_id_and_acted_on(looked_at, counters):
    assert press(counters, "put", row="n", value="5")["problem"].startswith("no object is open")
    press(counters, "open", which=looked_at.ev("env.COUNTER.idFromName('bob').toString()"))
    assert counters.facts["opened"]["rows"][0]["edit"] == "1"
    press(counters, "open", which="bob")
    press(counters, "put", row="n", value="41")
    assert counters.facts["opened"]["rows"][0]["edit"] == "41"
    assert looked_at.cell("%rpc COUNTER/bob add") == 42
    counters.refresh()
    assert counters.facts["opened"]["rows"][0]["edit"] == "42"
    press(counters, "shut")
    assert counters.facts["opened"] is None
    assert "by its name" in press(counters, "open", which="")["problem"]


def test_those_that_are_ticked_are_evicted_crashed_or_deleted_and_no_others(looked_at, counters):
    ids = {row["name"]: row["id"] for row in counters.facts["rows"]}
    assert press(counters, "evict_chosen")["problem"] == "no object that is in memory is ticked."
    press(counters, "choose", which=ids["ada"])
    press(counters, "choose", which=ids["bob"])
    assert press(counters, "evict_chosen")["note"].startswith("2 objects evicted")
    assert states(counters.facts) == {"ada": "evicted", "bob": "evicted", "cleo": "idle"}
    press(counters, "choose", which=ids["bob"])
    assert counters.facts["chosen"] == 1
    press(counters, "delete_chosen")
    assert [row["keys"] for row in counters.facts["rows"]] == [0, 1, 1]
    press(counters, "choose_none")
    assert press(counters, "crash_chosen")["problem"] == "no object that is in memory is ticked."
    press(counters, "choose_all")
    assert press(counters, "crash_chosen")["note"].startswith("1 object crashed")
    assert states(counters.facts) == dict.fromkeys(("ada", "bob", "cleo"), "evicted")
    assert looked_at.cell("%rpc COUNTER/cleo value") == 1


def test_a_class_on_disk_lists_what_sleeps_there_and_opens_each_file_once(
    looked_at, tmp_path, monkeypatch
):
    looked_at.cell(f"%dobook --state {tmp_path}/state")
    looked_at.cell("await env.COUNTER.getByName('ada').add()\n%fast_forward 20s")
    view = view_of(looked_at, "env.COUNTER")
    assert states(view.facts) == {"ada": "evicted"}
    assert view.facts["rows"][0]["keys"] == 1
    kernel_of(looked_at.ev("runtime")).stores.peek = None  # it is not asked again
    view.refresh()
    assert view.facts["rows"][0]["keys"] == 1


def test_a_class_that_is_gone_is_said_to_be(looked_at, counters):
    looked_at.cell("%wrangler --delete-class Counter")
    counters.refresh()
    assert "COUNTER" in counters.outcome["problem"]


# ---------------------------------------------------------------------- the runtime


def test_the_runtime_shows_classes_requests_and_the_clock(looked_at, whole):
    (counter,) = whole.facts["classes"]
    assert (counter["binding"], counter["objects"], counter["resident"]) == ("COUNTER", 2, 2)
    assert whole.facts["asked"][0][1:4] == ["COUNTER/bob", "rpc add()", "✓"]
    assert whole.facts["clock"]["now"] == "2026-01-01 00:00:00"
    looked_at.cell("%rpc COUNTER/ada ring 60000")
    whole.refresh()
    assert whole.facts["classes"][0]["alarms"] == 1
    assert whole.facts["clock"]["alarms"][0]["object"] == "COUNTER/ada"
    assert "COUNTER/ada  ok" in press(whole, "next")["note"]
    press(whole, "step", by="1m")
    assert looked_at.ev("runtime.clock.now_ms") == 1_767_225_600_000 + 120_000
    assert whole.facts["resident"] == 0


def test_the_runtime_shows_what_is_under_way_and_evicts_only_what_is_idle(looked_at, whole):
    looked_at.cell("nap = env.COUNTER.getByName('ada').nap(5)\nruntime.settle()")
    whole.refresh()
    assert whole.facts["under_way"] == [["COUNTER/ada", "nap() is under way"]]
    assert press(whole, "evict_idle")["note"].startswith("1 object evicted")
    assert (whole.facts["busy"], whole.facts["idle"]) == (1, 0)
    assert looked_at.cell("await nap") == 5


def test_the_runtime_shows_faults_and_calls_them_off(looked_at, whole):
    views = session_of(looked_at).views
    views._last = 0
    looked_at.cell("%slow COUNTER/ada 200ms")  # which turns no loop
    assert whole.facts["faults"] == [["COUNTER/ada", "slow", "200 ms"]]
    press(whole, "call_off")
    assert whole.facts["faults"] == []


def test_the_runtime_opens_a_class_and_an_object(looked_at, whole):
    press(whole, "class", binding="COUNTER")
    assert whole.facts["opened"]["title"] == "env.COUNTER"
    press(whole, "open", which="bob")
    press(whole, "put", row="n", value="7")
    assert looked_at.cell("%rpc COUNTER/bob value") == 7
    press(whole, "class", binding="COUNTER")
    assert whole.facts["opened"] is None
    press(whole, "reach", path="COUNTER/ada")
    assert whole.facts["opened"]["opened"]["title"] == "COUNTER/ada"
    press(whole, "reach", path="COUNTER")
    assert whole.facts["opened"]["opened"] is None
    assert "COUNTER" in press(whole, "reach", path="COUTNER/ada")["problem"]
    assert "no binding" in press(whole, "reach", path="COUTNER")["problem"]


def test_the_runtimes_view_goes_on_with_the_runtime_after_a_reset(looked_at, whole):
    press(whole, "reach", path="COUNTER/ada")
    looked_at.cell("%dobook reset")
    whole.refresh()
    assert whole.facts["objects"] == 0
    assert whole.facts["opened"]["opened"]["state"] == "not used yet"
