"""Each object as it was at one event of a trace, and the timeline that goes through them."""

import io

import pytest

from dobook import Runtime
from dobook.errors import UsageError
from dobook.notebook import live
from dobook.notebook.extension import session_of
from dobook.notebook.timeline.plan import described
from dobook.notebook.timeline.state_at import facts, moment


class Shop:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def buy(self, n):
        left = (await self.ctx.storage.get("left") or 10) - n
        await self.ctx.storage.put("left", left)
        await self.ctx.storage.setAlarm(1_767_225_600_000 + 60_000)
        if left < 0:
            self.ctx.abort("sold out")
        return left

    async def open(self, names):
        await self.ctx.storage.put({name: name.upper() for name in names})
        return list((await self.ctx.storage.get(names)).values())

    async def open_a_file(self):
        await self.ctx.storage.put("file", io.IOBase())

    async def alarm(self):
        await self.ctx.storage.delete("left")


@pytest.fixture
def traced():
    with Runtime() as runtime:
        runtime.tracing = True
        stub = runtime.register(Shop).getByName("a")
        runtime.run(stub.buy(3))
        yield runtime, stub


def shop(events, seq):
    return facts("SHOP/a", moment(events, seq)["SHOP/a"])


def at(events, wanted, nth=0):
    return [e for e in events if wanted in str(e)][nth].seq


def test_a_write_is_pending_until_it_is_committed(traced):
    events = traced[0].trace()
    before = shop(events, at(events, "output gate closed"))
    assert before["stored"] == ["left = 7 (not durable yet)"]
    assert before["output_gate"] == "shut"
    assert before["running"] == "buy"
    after = shop(events, events[-1].seq)
    assert after["stored"] == ["left = 7"]
    assert after["output_gate"] == "open"
    assert after["running"] == ""
    assert after["alarm"] == "2026-01-01 00:01:00"
    assert after["memory"] == "in memory"


def test_a_reset_takes_back_what_was_not_durable(traced):
    runtime, stub = traced
    with pytest.raises(Exception, match="sold out"):
        runtime.run(stub.buy(9))
    events = runtime.trace()
    before, after = shop(events, at(events, "op=put", 1)), shop(events, at(events, "reset"))
    assert before["stored"] == ["left = -2 (not durable yet)"]
    assert after["stored"] == ["left = 7"]
    assert after["memory"] == "not in memory"


def test_keys_that_are_written_at_once_have_each_its_value(traced):
    runtime, stub = traced
    runtime.run(stub.open(["a", "b", "c"]))
    events = runtime.trace()
    texts = [described(e) for e in events if e.kind == "storage"][-2:]
    assert texts == ["put a, b, c = ('A', 'B', 'C')", "get a, b, c → ('A', 'B', 'C')"]
    assert shop(events, events[-1].seq)["stored"] == ["left = 7", "a = 'A'", "b = 'B'", "c = 'C'"]


@pytest.mark.parametrize(
    "names",
    [["x" * 38, "y" * 38], ["Lovelace, Ada", "Byron, Ada"], [f"key {n}" for n in range(11)]],
    ids=["long", "with commas", "more than eight"],
)
def test_each_key_of_a_batch_keeps_its_name_and_value(traced, names):
    runtime, stub = traced
    runtime.run(stub.open(names))
    found = shop(runtime.trace(), runtime.trace()[-1].seq)["stored"][-len(names) :]
    assert found == [f"{name} = {name.upper()!r}" for name in names]


def test_a_write_that_was_refused_has_stored_nothing(traced):
    runtime, stub = traced
    with pytest.raises(Exception, match="could not be cloned"):
        runtime.run(stub.open_a_file())
    events = runtime.trace()
    (refused,) = [described(e) for e in events if e.kind == "storage" and e.error]
    assert refused == "put file fails: DataCloneError: <io.IOBase object> could not be cloned."
    assert shop(events, events[-1].seq)["stored"] == ["left = 7"]


def test_nothing_before_the_first_event():
    assert moment([], 5) == {}


def test_the_moment_agrees_with_storage_in_the_end(traced):
    runtime, _ = traced
    runtime.advance("2m")
    last = shop(runtime.trace(), runtime.trace()[-1].seq)
    assert last["stored"] == []
    assert last["alarm"] == ""
    assert last["memory"] == "not in memory"


@pytest.fixture
def timeline(counting):
    counting.cell("%trace on\n%rpc COUNTER/a add 1\n%rpc COUNTER/b add 2")
    counting.cell("diagram = %trace --diagram")
    session = session_of(counting)
    return live.make(session, live.VIEWS[type(counting.ev("diagram"))], counting.ev("diagram"))


def press(view, what, **fields):
    view._heard(view, {"do": what, **fields}, [])
    return view.outcome["problem"]


def test_a_timeline_is_stepped_through_and_back(timeline):
    timeline.session.views.follow(timeline)
    assert timeline.facts["event"] is None
    press(timeline, "go", to="next")
    first = timeline.facts["event"]
    assert timeline.facts["place"] == 0
    press(timeline, "go", to="next")
    assert timeline.facts["event"]["seq"] > first["seq"]
    press(timeline, "go", to="previous")
    assert timeline.facts["event"] == first
    press(timeline, "go", to="last")
    assert timeline.facts["place"] == timeline.facts["count"] - 1
    assert [one["object"] for one in timeline.facts["moment"]] == ["COUNTER/a", "COUNTER/b"]
    assert [one["stored"] for one in timeline.facts["moment"]] == [["n = 1"], ["n = 2"]]
    cause = timeline.facts["event"]["cause"]
    press(timeline, "select", seq=str(cause))
    assert timeline.facts["event"]["seq"] == cause
    assert "not in this timeline" in press(timeline, "select", seq="99999")


def test_a_timeline_shows_what_the_filter_lets_through(timeline):
    timeline.session.views.follow(timeline)
    all_of_it = timeline.facts["count"]
    press(timeline, "filter", object="COUNTER/b")
    assert 0 < timeline.facts["count"] < all_of_it
    assert "COUNTER/a" not in timeline.facts["svg"]
    press(timeline, "filter", kind="storage")
    press(timeline, "filter", text="PUT")
    assert timeline.facts["count"] == 1
    press(timeline, "filter", text="nothing of the kind")
    assert timeline.facts["count"] == 0
    assert press(timeline, "go", to="next") == ""
    press(timeline, "filter", object="", kind="", text="")
    assert timeline.facts["count"] == all_of_it


def test_a_timeline_offers_what_is_recorded_later_and_keeps_the_selection(counting, timeline):
    timeline.session.views.follow(timeline)
    press(timeline, "filter", object="COUNTER/b")
    press(timeline, "go", to="last")
    selected, before = timeline.facts["event"], timeline.facts["svg"]
    counting.cell("%rpc COUNTER/b add 3\n%rpc COUNTER/a add 4")
    timeline.refresh()
    assert timeline.facts["fresh"] > 0
    assert timeline.facts["svg"] == before
    press(timeline, "more")
    assert timeline.facts["fresh"] == 0
    assert "add(3)" in timeline.facts["svg"]
    assert "add(4)" not in timeline.facts["svg"]
    assert timeline.facts["event"] == selected
    counting.cell("%trace clear\n%rpc COUNTER/b add 5")  # what it shows is not forgotten
    press(timeline, "more")
    assert timeline.facts["event"] == selected
    assert "add(3)" in timeline.facts["svg"]
    assert "add(5)" in timeline.facts["svg"]
    counting.cell("%dobook reset\n%trace on\n%rpc COUNTER/b add 6")
    timeline.refresh()
    assert timeline.facts["fresh"] == 0


def test_a_timeline_of_nothing_can_be_shown(shell):
    diagram = shell.cell("%trace --diagram")
    view = live.make(session_of(shell), live.VIEWS[type(diagram)], diagram)
    assert view.facts["count"] == 0
    with pytest.raises(UsageError):
        view.do_select("1")
