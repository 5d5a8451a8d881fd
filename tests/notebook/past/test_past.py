"""An object's moments: look, compare, fork, go back; looking changes nothing."""

import pytest

from dobook.notebook import live
from dobook.notebook.extension import session_of


@pytest.fixture
def told(counting):
    """A counter that had 1 at first, 3 a minute later, and 6 and an alarm now."""
    counting.cell("%rpc COUNTER/a add 1\n%fast_forward 1m\n%rpc COUNTER/a add 2\n%fast_forward 1m")
    counting.cell("%rpc COUNTER/a add 3\n%rpc COUNTER/a ring 60000")
    counting.cell("past = %storage COUNTER/a --history")
    return counting


def place_of(past, value):
    for place in range(len(past.moments())):
        frame = past.storage(place)
        if list(frame["value"]) == [value]:
            return place
    raise AssertionError(value)


def test_each_moment_has_what_was_stored_then(told):
    past = told.ev("past")
    frame = past.points()
    assert "n: 1 → 3" in list(frame["changed"])
    assert frame["at"].is_monotonic_increasing
    assert list(past.storage(place_of(past, 3))["value"]) == [3]
    assert list(past.storage()["value"]) == [6]
    assert next(iter(past.diff(place_of(past, 1))["there"])) == 6
    assert told.cell("%rpc COUNTER/a value") == 6


def test_the_static_card_tells_what_changed(told):
    text = told.shown(told.ev("past"))
    assert "n: 1 → 3" in text
    assert "n: 3 → 6; alarm: none → 2026-01-01 00:03:00" in text
    assert "moments to go back to" in told.shown(told.ev("past"), "text/html")


def test_a_fork_goes_on_from_the_moment_and_the_object_stays(told):
    past = told.ev("past")
    with past.fork(place_of(past, 1)) as fork:
        stub = fork.stub("COUNTER/a")
        assert fork.run(stub.add(10)) == 11
        assert fork.scheduled_alarms() == []
    assert told.cell("%rpc COUNTER/a value") == 6
    assert told.ev("len(runtime.scheduled_alarms())") == 1


def test_going_back_takes_rows_and_alarm_and_can_be_undone(told):
    past = told.ev("past")
    before = len(past.moments())
    past.restore(place_of(past, 3))
    assert told.cell("%rpc COUNTER/a value") == 3
    assert told.ev("runtime.scheduled_alarms()") == []
    assert len(past.moments()) > before  # going back is a moment too
    past.restore(place_of(past, 6))
    assert told.cell("%rpc COUNTER/a value") == 6


def test_what_has_no_history_says_so(shell):
    shell.cell("%%durable_object --storage kv\nfrom workers import DurableObject\n"
               "class Box(DurableObject):\n    async def set(self):\n"
               "        await self.ctx.storage.put('a', 1)")  # fmt: skip
    shell.cell("%rpc BOX/a set")
    with pytest.raises(Exception, match="no history of BOX/a is kept"):
        shell.cell("%storage BOX/a --history")


def test_an_object_that_was_never_used_has_no_moments(counting):
    past = counting.cell("%storage COUNTER/nobody --history")
    assert past.moments() == []
    assert list(past.points().columns) == ["at", "changed", "bookmark"]
    assert "0 moments" in counting.shown(past)
    view = live.make(session_of(counting), live.VIEWS[type(past)], past)
    assert view.facts["moments"] == []
    with pytest.raises(Exception, match="0 moments"):
        past.storage()


def test_the_slider_looks_forks_and_goes_back(told):
    session, past = session_of(told), told.ev("past")
    view = live.make(session, live.VIEWS[type(past)], past)
    session.views.follow(view)

    def press(what, **fields):
        view._heard(view, {"do": what, **fields}, [])
        return view.outcome

    assert view.facts["changes"] == []
    press("go", place=str(place_of(past, 3)))
    assert view.facts["rows"] == [["n", "3", "int"]]
    assert next(c[1:] for c in view.facts["changes"]) == ["n", "3", "6"]
    said = press("fork", name="other")
    assert said["problem"] == ""
    assert told.ev("other.run(other.stub('COUNTER/a').value())") == 3
    told.ev("other.close()")
    assert "already" in press("fork", name="other")["problem"]
    assert "cannot be" in press("fork", name="1x")["problem"]
    told.cell("%rpc COUNTER/a add 1")
    assert view.facts["rows"] == [["n", "3", "int"]]  # it stays at the moment
    assert "gone back" in press("restore")["note"]
    assert told.cell("%rpc COUNTER/a value") == 3
    assert view.facts["place"] == len(view.facts["moments"]) - 1
    assert "no moment" in press("go", place="999")["problem"]
