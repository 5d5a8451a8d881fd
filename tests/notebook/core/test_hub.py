"""However many views there are: all follow, a refresh takes a bounded time, none stands still unsaid."""

import pytest

from dobook.notebook.core import hub
from dobook.notebook.extension import session_of
from dobook.notebook.inspector.inspector_view import ObjectInspector


class Loop:
    """Keeps what is to be called later."""

    def __init__(self):
        self.due = []

    def call_later(self, _delay, function, *args):
        self.due.append(lambda: function(*args))

    def turn(self):
        due, self.due = self.due, []
        for function in due:
            function()


@pytest.fixture
def session(counting):
    session = session_of(counting)
    session.live = "always"
    return session


@pytest.fixture
def make(counting, session):
    def made(number):
        stub = counting.ev("env.COUNTER.getByName('a')")
        return [ObjectInspector(session, stub) for _ in range(number)]

    return made


def shown(views):
    return [view.facts["requests"] for view in views]


def slow_down(monkeypatch):
    """Have a refresh no time left after the first view, and none begin by itself."""
    monkeypatch.setattr(hub, "MOST_S", -1)
    monkeypatch.setattr(hub, "AT_LEAST_EVERY_S", 1e9)


def in_cell(session, cell, execution):
    """Have the shell say which cell runs."""
    parent = {"metadata": {"cellId": cell}, "header": {"msg_id": execution}}
    session.shell.get_parent = lambda: parent


def test_a_hundred_views_all_follow(counting, session, make):
    views = make(100)
    counting.cell("%rpc COUNTER/a add")
    session.views.refresh()
    assert shown(views) == [1] * 100


def test_a_refresh_ends_when_its_time_is_over_and_the_next_goes_on(
    counting, session, make, monkeypatch
):
    views, loop = make(5), Loop()
    slow_down(monkeypatch)
    session.views._loop = loop
    counting.cell("%rpc COUNTER/a add")
    loop.due.clear()
    session.views.refresh()
    assert sum(shown(views)) == 1
    for count in (2, 3, 4, 5, 5):
        loop.turn()
        assert sum(shown(views)) == count
    assert not loop.due


def test_those_that_have_waited_longest_come_first_however_often_things_change(
    counting, session, make, monkeypatch
):
    views, loop = make(3), Loop()
    slow_down(monkeypatch)
    session.views._loop = loop
    for number in (1, 2, 3):
        counting.cell("%rpc COUNTER/a add")
        loop.due.clear()
        session.views.refresh()
        assert number in shown(views)
    assert sorted(shown(views)) == [1, 2, 3]


def test_what_a_cell_showed_before_it_ran_again_stands_still_and_says_so(counting, session, make):
    in_cell(session, "cell 1", "first")
    (old, beside) = make(2)
    in_cell(session, "cell 2", "second")
    (other,) = make(1)
    in_cell(session, "cell 1", "third")
    (new,) = make(1)
    assert [v.following for v in (old, beside, other, new)] == [False, False, True, True]
    counting.cell("%rpc COUNTER/a add")
    session.views.refresh()
    assert shown([old, other, new]) == [0, 1, 1]
    in_cell(session, "", "")  # a button's message names no cell
    old._heard(old, {"do": "follow"}, [])
    assert old.following
    assert shown([old]) == [1]
    counting.cell("%rpc COUNTER/a add")
    session.views.refresh()
    assert shown([old, new]) == [2, 2]


def test_beyond_the_most_the_oldest_stands_still_and_can_be_taken_up_again(
    counting, session, make, monkeypatch
):
    monkeypatch.setattr(hub, "MOST_FOLLOWING", 2)
    first, second, third = make(3)
    assert [v.following for v in (first, second, third)] == [False, True, True]
    first.act("follow")
    assert [v.following for v in (first, second, third)] == [True, False, True]
    counting.cell("%rpc COUNTER/a add")
    session.views.refresh()
    assert shown([first, second, third]) == [1, 0, 1]
