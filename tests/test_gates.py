"""Input gates, critical sections and output gates, by themselves."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dobook.gates import Commit, CriticalSection, InputGate, OutputGate, open_gate


class Ticks:
    """A loop of which the test turns every tick."""

    def __init__(self):
        self.ready = deque()

    def __call__(self, callback):
        self.ready.append(callback)

    def turn(self):
        while self.ready:
            self.ready.popleft()()


@pytest.fixture
def ticks():
    return Ticks()


@pytest.fixture
def gate(ticks):
    return InputGate(ticks)


def test_an_open_gate_is_not_busy_and_a_locked_one_is(gate, ticks):
    assert not gate.busy
    gate.lock()
    assert gate.busy
    gate.unlock()
    ticks.turn()
    assert not gate.busy


def test_locks_add_up(gate, ticks):
    order = []
    gate.lock()
    gate.lock()
    gate.wait(lambda: order.append("in"))
    gate.unlock()
    ticks.turn()
    assert order == []
    gate.unlock()
    ticks.turn()
    assert order == ["in"]


def test_waiters_are_let_in_in_order_on_the_tick_after_the_unlock(gate, ticks):
    order = []
    gate.lock()
    for name in "abc":
        gate.wait(lambda name=name: order.append(name))
    gate.unlock()
    assert order == []
    ticks.turn()
    assert order == ["a", "b", "c"]


def test_a_waiter_that_locks_the_gate_holds_back_those_behind_it(gate, ticks):
    order = []

    def first():
        order.append("first")
        gate.lock()

    gate.lock()
    gate.wait(first)
    gate.wait(lambda: order.append("second"))
    gate.unlock()
    ticks.turn()
    assert order == ["first"]
    gate.unlock()
    ticks.turn()
    assert order == ["first", "second"]


def test_who_comes_while_others_wait_has_to_wait_too(gate, ticks):
    gate.lock()
    gate.wait(lambda: None)
    gate.unlock()
    assert gate.busy, "the waiter is first, although nothing is locked"
    ticks.turn()
    assert not gate.busy


def test_a_discarded_waiter_is_never_let_in_and_leaves_the_gate_open(gate, ticks):
    order = []

    def waiter():
        order.append("in")

    gate.lock()
    gate.wait(waiter)
    gate.discard(waiter)
    gate.discard(waiter)
    gate.unlock()
    ticks.turn()
    assert order == []
    assert not gate.busy


def test_a_section_holds_its_parent_until_it_leaves(gate, ticks):
    order = []
    section = CriticalSection(gate, ticks)
    section.enter(lambda: order.append("inside"))
    gate.wait(lambda: order.append("outside"))
    ticks.turn()
    assert order == ["inside"]
    section.leave()
    section.leave()
    ticks.turn()
    assert order == ["inside", "outside"]


def test_what_a_section_waits_for_is_admitted_inside_it(gate, ticks):
    order = []
    section = CriticalSection(gate, ticks)
    section.enter(lambda: order.append("inside"))
    ticks.turn()
    assert gate.busy
    assert not section.busy
    section.lock()
    section.wait(lambda: order.append("woken inside"))
    section.unlock()
    ticks.turn()
    assert order == ["inside", "woken inside"]


def test_who_still_waits_in_a_section_that_ends_waits_at_its_parent(gate, ticks):
    order = []
    section = CriticalSection(gate, ticks)
    section.enter(lambda: None)
    ticks.turn()
    section.lock()
    section.wait(lambda: order.append("late"))
    section.leave()
    ticks.turn()
    assert order == ["late"]


def test_sections_nest(gate, ticks):
    outer = CriticalSection(gate, ticks)
    outer.enter(lambda: None)
    ticks.turn()
    inner = CriticalSection(outer, ticks)
    inner.enter(lambda: None)
    ticks.turn()
    assert outer.busy
    assert open_gate(inner) is inner
    inner.leave()
    ticks.turn()
    assert not outer.busy
    assert open_gate(inner) is outer
    outer.leave()
    ticks.turn()
    assert open_gate(inner) is gate
    assert not gate.busy


@given(st.lists(st.sampled_from(["lock", "unlock", "wait", "turn"]), max_size=40))
def test_every_waiter_is_let_in_once_in_order_and_never_through_a_lock(actions):
    ticks = Ticks()
    gate = InputGate(ticks)
    entered = []
    waiting = 0

    def enter(number):
        assert gate.locks == 0
        entered.append(number)

    for action in actions:
        if action == "lock":
            gate.lock()
        elif action == "unlock" and gate.locks:
            gate.unlock()
        elif action == "wait":
            if gate.busy:
                gate.wait(lambda number=waiting: enter(number))
            else:
                enter(waiting)
            waiting += 1
        elif action == "turn":
            ticks.turn()
    while gate.locks:
        gate.unlock()
    ticks.turn()
    assert entered == list(range(waiting))
    assert not gate.busy


def test_an_open_output_gate_lets_speak_at_once():
    said = []
    OutputGate().pass_through(lambda: said.append("now"))
    assert said == ["now"]


def test_a_shut_output_gate_lets_speak_after_the_commit_and_in_order():
    gate, commit, said = OutputGate(), Commit(), []
    commit.shut(gate)
    gate.pass_through(lambda: said.append(1))
    gate.pass_through(lambda: said.append(2))
    assert said == []
    commit.done()
    assert said == [1, 2]
    assert gate.commit is None


def test_a_gate_that_a_later_commit_shuts_stays_shut():
    gate, first, second, said = OutputGate(), Commit(), Commit(), []
    first.shut(gate)
    gate.pass_through(lambda: said.append("first"))
    second.shut(gate)
    gate.pass_through(lambda: said.append("second"))
    first.done()
    assert said == ["first"]
    second.done()
    assert said == ["first", "second"]


def test_one_commit_opens_the_gates_of_many_objects():
    gates, commit, said = [OutputGate() for _ in range(3)], Commit(), []
    for number, gate in enumerate(gates):
        commit.shut(gate)
        commit.shut(gate)
        gate.pass_through(lambda number=number: said.append(number))
    commit.done()
    assert said == [0, 1, 2]


def test_one_that_cannot_speak_leaves_the_others_to_the_next_time():
    gate, commit, said = OutputGate(), Commit(), []

    def fail():
        raise KeyboardInterrupt

    commit.shut(gate)
    gate.pass_through(lambda: said.append(1))
    gate.pass_through(fail)
    gate.pass_through(lambda: said.append(2))
    gate.pass_through(lambda: said.append(3))
    with pytest.raises(KeyboardInterrupt):
        commit.done()
    assert said == [1]
    commit.done()
    assert said == [1, 2, 3]
