"""Locks with leases, fencing, elections, and doing something once."""

import asyncio

import pytest

import dobook
from dobook.patterns import FencedStore, Leader, Lock, Once


@pytest.fixture
def lock(runtime):
    return runtime.register(Lock, "LOCK").getByName("a")


def test_of_many_who_race_for_a_lock_one_gets_it(runtime, lock):
    async def race():
        return await asyncio.gather(*(lock.acquire(f"owner {i}", 1_000) for i in range(10)))

    granted = [answer for answer in runtime.run(race()) if answer["granted"]]
    assert [answer["token"] for answer in granted] == [1]


def test_a_lease_ends_to_the_millisecond(runtime, lock):
    runtime.run(lock.acquire("ada", 1_000))
    runtime.advance(999)
    refused = runtime.run(lock.acquire("grace", 1_000))
    assert refused == {"granted": False, "owner": "ada", "retryAfterMs": 1}
    runtime.advance(1)
    assert runtime.run(lock.acquire("grace", 1_000))["token"] == 2


def test_an_owner_keeps_its_token_as_long_as_it_renews(runtime, lock):
    token = runtime.run(lock.acquire("ada", 1_000))["token"]
    for _ in range(5):
        runtime.advance(900)
        assert runtime.run(lock.renew("ada", token, 1_000)) is True
    assert runtime.run(lock.acquire("ada", 1_000))["token"] == token
    runtime.advance(1_000)
    assert runtime.run(lock.renew("ada", token, 1_000)) is False
    assert runtime.run(lock.holder()) is None


def test_only_the_owner_can_let_go(runtime, lock):
    token = runtime.run(lock.acquire("ada"))["token"]
    assert runtime.run(lock.release("grace", token)) is False
    assert runtime.run(lock.release("ada", token + 1)) is False
    assert runtime.run(lock.release("ada", token)) is True
    assert runtime.run(lock.release("ada", token)) is False
    assert runtime.run(lock.acquire("grace"))["token"] == token + 1


def test_tokens_grow_across_eviction(runtime, lock):
    runtime.run(lock.acquire("ada", 1_000))
    runtime.run(runtime.evict(lock))
    runtime.advance(1_000)
    assert runtime.run(lock.acquire("ada", 1_000))["token"] == 2


def test_a_lease_has_a_length(runtime, lock):
    with pytest.raises(ValueError, match="1 ms or more"):
        runtime.run(lock.acquire("ada", 0))


def test_an_owner_whose_lease_has_ended_cannot_spoil_what_the_next_one_wrote(runtime, lock):
    store = runtime.register(FencedStore, "STORE").getByName("a")
    old = runtime.run(lock.acquire("ada", 1_000))["token"]
    runtime.advance(1_000)
    new = runtime.run(lock.acquire("grace", 1_000))["token"]
    assert runtime.run(store.write(new, "text", "grace's")) is True
    assert runtime.run(store.write(old, "text", "ada's")) is False
    assert runtime.run(store.write(new, "text", "grace's second")) is True
    assert runtime.run(store.read("text")) == "grace's second"
    assert runtime.run(store.read("nothing")) is None


# ---------------------------------------------------------------------- elections


@pytest.fixture
def group(runtime):
    return runtime.register(Leader, "GROUP").getByName("a")


def test_the_first_candidate_leads_until_it_stops_campaigning(runtime, group):
    assert runtime.run(group.state()) == {"leader": None, "term": 0, "endsAt": None}
    runtime.run(group.campaign("one", 5_000))
    for _ in range(4):
        runtime.advance(4_000)
        runtime.run(group.campaign("two", 5_000))
        assert runtime.run(group.campaign("one", 5_000))["leader"] == "one"
    runtime.advance(4_000)
    runtime.run(group.campaign("two", 5_000))
    runtime.advance(999)
    assert runtime.run(group.state())["leader"] == "one"
    runtime.advance(1)
    assert runtime.run(group.state()) == {
        "leader": "two",
        "term": 2,
        "endsAt": runtime.clock.now_ms + 5_000,
    }


def test_whoever_has_waited_longest_comes_next(runtime, group):
    for name in ("one", "two", "three"):
        runtime.run(group.campaign(name, 60_000))
        runtime.advance(1_000)
    assert runtime.run(group.resign("one"))["leader"] == "two"
    assert runtime.run(group.resign("three"))["leader"] == "two"
    assert runtime.run(group.resign("two")) == {"leader": None, "term": 2, "endsAt": None}
    assert runtime.scheduled_alarms() == []


def test_a_candidate_that_has_gone_silent_is_passed_over(runtime, group):
    runtime.run(group.campaign("one", 10_000))
    runtime.run(group.campaign("silent", 1_000))
    runtime.run(group.campaign("two", 60_000))
    runtime.advance(10_000)
    assert runtime.run(group.state())["leader"] == "two"


def test_there_is_one_leader_for_each_term(runtime, group):
    seen = {}
    for i in range(40):
        runtime.run(group.campaign(f"node {i % 3}", 1_500))
        state = runtime.run(group.state())
        assert seen.setdefault(state["term"], state["leader"]) == state["leader"]
        runtime.advance(700)
    assert len(seen) > 3


# ---------------------------------------------------------------------- once


class Payments(Once):
    """Notes what it does, slowly."""

    paid: list = []  # noqa: RUF012 - outlives the instances
    fails = 0

    async def act(self, request, key):
        await asyncio.sleep(1)
        if Payments.fails:
            Payments.fails -= 1
            raise RuntimeError("the bank is closed")
        self.paid.append(request)
        return f"receipt {len(self.paid)}"


@pytest.fixture
def payments(runtime):
    Payments.paid.clear()
    Payments.fails = 0
    return runtime.register(Payments, "PAYMENTS").getByName("ada")


def test_a_key_acts_once_even_when_its_requests_race(runtime, payments):
    async def race():
        return await asyncio.gather(*(payments.perform("k", 20) for _ in range(5)))

    assert runtime.run(race()) == ["receipt 1"] * 5
    assert runtime.run(payments.perform("k", 20)) == "receipt 1"
    assert runtime.run(payments.perform("other", 5)) == "receipt 2"
    assert Payments.paid == [20, 5]


class Counted(Once):
    """Fails at first, and knows how many acts there were and how many at the same time."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.acts = self.now = self.most = 0

    async def act(self, request, key):
        self.acts += 1
        number = self.acts
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(1)
            if number <= request:
                raise RuntimeError("the bank is closed")
        finally:
            self.now -= 1
        return f"receipt {number}"

    async def seen(self):
        return [self.acts, self.most]


async def four_at_once_and_the_first_fails(env):
    ada = env.COUNTED.getByName("ada")
    calls = [ada.perform("k", 1) for _ in range(4)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(answer == "receipt 2" for answer in answers) == 3
    assert await ada.seen() == [2, 1]


def test_those_who_wait_for_an_act_that_fails_act_one_after_the_other(runtime):
    ada = runtime.register(Counted, "COUNTED").getByName("ada")

    async def five():
        calls = [ada.perform("k", 3) for _ in range(5)]
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = runtime.run(five())
    assert [str(answer) for answer in answers[:3]] == ["the bank is closed"] * 3
    assert answers[3:] == ["receipt 4"] * 2
    assert runtime.run(ada.seen()) == [4, 1]


@pytest.mark.parametrize("strategy", ["random", "exhaustive"])
def test_no_order_makes_a_key_act_twice_at_once(strategy):
    report = dobook.explore(
        four_at_once_and_the_first_fails, Counted, runs=40, faults="none", jobs=1, strategy=strategy
    )
    assert report.ok, report


def test_the_answer_is_remembered_across_eviction_and_forgotten_after_a_day(runtime, payments):
    runtime.run(payments.perform("k", 20))
    runtime.run(runtime.evict(payments))
    assert runtime.run(payments.perform("k", 20)) == "receipt 1"
    runtime.advance("1d")
    assert runtime.scheduled_alarms() == []
    assert runtime.run(payments.perform("k", 20)) == "receipt 2"


def test_a_failure_is_not_remembered(runtime, payments):
    Payments.fails = 1
    with pytest.raises(RuntimeError, match="the bank is closed"):
        runtime.run(payments.perform("k", 20))
    assert runtime.run(payments.perform("k", 20)) == "receipt 1"


def test_none_is_an_answer_too(runtime):
    class Quiet(Once):
        n = 0

        async def act(self, request, key):
            Quiet.n += 1

    quiet = runtime.register(Quiet, "QUIET").getByName("a")
    assert runtime.run(quiet.perform("k")) is None
    assert runtime.run(quiet.perform("k")) is None
    assert Quiet.n == 1
