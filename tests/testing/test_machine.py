"""A class's methods as a Hypothesis test: calls, schedules and faults shrink together."""

import asyncio

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

import dobook
from dobook.errors import UsageError
from dobook.explorer.invariants import Violation
from dobook.testing import state_machine

QUICK = settings(max_examples=150, stateful_step_count=6, derandomize=True, deadline=None)
UNSHRUNK = settings(QUICK, phases=[Phase.generate])
STEADY = settings(max_examples=15, stateful_step_count=8, derandomize=True, deadline=None)


class Stock:
    """Sells the one thing it has; between looking and selling it waits."""

    def __init__(self, ctx, env):
        self.kv = ctx.storage.kv

    async def sell(self):
        if self.left() > 0:
            await asyncio.sleep(0)
            self.kv.put("sold", 2 - self.left())

    def left(self):
        return 1 - (self.kv.get("sold") or 0)

    @dobook.invariant
    def sells_no_more_than_there_is(self):
        return self.left() >= 0


class CarefulStock(Stock):
    async def sell(self):
        await asyncio.sleep(0)
        if self.left() > 0:
            self.kv.put("sold", 2 - self.left())


class Forgetful:
    """Counts in memory, which an eviction or a crash takes away."""

    def __init__(self, ctx, env):
        self.storage = ctx.storage
        self.n = 0
        ctx.blockConcurrencyWhile(self.load)

    async def load(self):
        self.stored = await self.storage.get("n") or 0

    async def add(self, by: int):
        self.n += abs(by)
        await self.storage.put("n", self.n)

    @dobook.invariant
    def never_counts_backwards(self):
        return self.n >= self.stored or (self.n == 0 and self.stored == 0)


class Late:
    """Promises to be done within a minute, from an alarm an hour later."""

    def __init__(self, ctx, env):
        self.storage, self.kv = ctx.storage, ctx.storage.kv

    async def begin(self):
        self.kv.put("begun", 1)
        await self.storage.setAlarm(1_767_225_600_000 + 3_600_000)

    def alarm(self):
        self.kv.delete("begun")

    @dobook.invariant(eventually="1m")
    def gets_done(self):
        return self.kv.get("begun") is None


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_race_is_found_and_shrunk():
    machine = state_machine(Stock, names=["a"], faults="none")
    with pytest.raises(Violation, match="sells no more than there is") as caught:
        run_state_machine_as_test(machine, settings=QUICK)
    told = "\n".join(caught.value.__notes__)
    assert told.count(".sell(") == 2
    assert told.count("at_once=True") == 1
    assert told.count("swerves=[]") == 2


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_faults_are_part_of_what_is_tried():
    machine = state_machine(Forgetful, names=["a"], arguments={"add": {"by": st.just(1)}})
    with pytest.raises(Violation, match="never counts backwards"):
        run_state_machine_as_test(machine, settings=UNSHRUNK)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_what_must_hold_eventually_is_waited_for():
    with pytest.raises(Violation, match="gets done"):
        run_state_machine_as_test(state_machine(Late, names=["a"]), settings=UNSHRUNK)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_class_without_a_mistake_passes():
    run_state_machine_as_test(state_machine(CarefulStock), settings=STEADY)


def test_a_parameter_that_says_nothing_is_asked_for():
    class Vague:
        def __init__(self, ctx, env): ...

        def give(self, what): ...

    with pytest.raises(UsageError, match=r"Vague.give\(\) be called with as 'what'"):
        state_machine(Vague)
    assert state_machine(Vague, arguments={"give": {"what": st.none()}}).TestCase


@pytest.mark.slow
def test_an_error_of_a_method_fails_unless_it_is_allowed():
    class Picky:
        def __init__(self, ctx, env): ...

        def take(self, n: int):
            raise ValueError("not that")

    with pytest.raises(ValueError, match="not that"):
        run_state_machine_as_test(state_machine(Picky, faults="none"), settings=STEADY)
    run_state_machine_as_test(
        state_machine(Picky, faults="none", allow=[ValueError]), settings=STEADY
    )
