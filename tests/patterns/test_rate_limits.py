"""Four limiters: what each allows, to the millisecond, and what all have in common."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dobook import Runtime
from dobook.patterns import FixedWindow, SlidingCounter, SlidingLog, TokenBucket

ALL = [SlidingLog, FixedWindow, SlidingCounter, TokenBucket]
W = 60_000


class Limiter:
    """A limiter and the clock it lives by."""

    def __init__(self, runtime, cls, limit=10):
        self.runtime = runtime
        self.limit = limit
        self.stub = runtime.register(cls).getByName("ada")

    def hit(self, n=1):
        """Return the answers of n hits at this instant, as True, or the seconds to wait."""
        answers = [self.runtime.run(self.stub.check(self.limit, W)) for _ in range(n)]
        found = [True if a["allowed"] else a["retryAfter"] for a in answers]
        return found[0] if n == 1 else found

    def wait(self, ms):
        self.runtime.advance(ms)
        return self


@pytest.fixture(params=ALL, ids=lambda cls: cls.__name__)
def limiter(request, runtime):
    return Limiter(runtime, request.param)


def test_each_allows_the_limit_at_once_and_no_more(limiter):
    assert limiter.hit(10) == [True] * 10
    assert limiter.hit() is not True


def test_each_counts_down(limiter):
    remaining = [limiter.runtime.run(limiter.stub.check(3, W)).get("remaining") for _ in range(4)]
    assert remaining == [2, 1, 0, None]


def test_each_allows_again_after_the_wait_it_asked_for(limiter):
    limiter.hit(10)
    wait_s = limiter.hit()
    assert limiter.wait(wait_s * 1000).hit() is True


def test_none_allows_a_second_earlier_than_it_said(limiter):
    limiter.hit(10)
    wait_s = limiter.hit()
    assert limiter.wait((wait_s - 1) * 1000 - 1).hit() is not True


def test_each_remembers_across_eviction(limiter):
    limiter.hit(10)
    limiter.runtime.run(limiter.runtime.evict(limiter.stub))
    assert limiter.hit() is not True


def test_users_do_not_share_a_limit(limiter):
    limiter.hit(10)
    grace = limiter.stub._namespace.getByName("grace")
    assert limiter.runtime.run(grace.check(10, W))["allowed"]


def test_racing_requests_pass_as_often_as_the_limit_says(limiter):
    async def race():
        return await asyncio.gather(*(limiter.stub.check(10, W) for _ in range(25)))

    assert sum(a["allowed"] for a in limiter.runtime.run(race())) == 10


def test_each_answers_over_http(limiter):
    def ask(query=""):
        return limiter.runtime.run(limiter.stub.fetch(f"http://limiter/check{query}"))

    allowed = ask("?limit=1&window=60000")
    refused = ask("?limit=1&window=60000")
    assert allowed.status == 200
    assert refused.status == 429
    body = limiter.runtime.run(refused.json())
    assert refused.headers.get("retry-after") == str(body["retryAfter"])
    assert limiter.runtime.run(allowed.json())["remaining"] == 0
    assert ask("?limit=0").status == ask("?window=soon").status == 400


def test_the_log_frees_each_hit_when_it_is_as_old_as_the_window(runtime):
    limiter = Limiter(runtime, SlidingLog, limit=2)
    assert limiter.hit() is True
    assert limiter.wait(10_000).hit() is True
    assert limiter.wait(49_999).hit() == 1
    assert limiter.wait(1).hit() is True
    assert limiter.hit() == 10


def test_the_log_asks_for_the_right_wait_after_its_limit_was_lowered(runtime):
    limiter = Limiter(runtime, SlidingLog, limit=3)
    for _ in range(3):
        limiter.hit()
        limiter.wait(10_000)
    limiter.limit = 1  # all but the newest hit have to leave
    assert limiter.hit() == 50


def test_a_fixed_window_lets_twice_the_limit_through_at_its_edge(runtime):
    limiter = Limiter(runtime, FixedWindow)
    limiter.wait(59_999)
    assert limiter.hit(10) == [True] * 10
    assert limiter.wait(1).hit(10) == [True] * 10


def test_the_log_and_the_counter_do_not(runtime):
    for cls, most in ((SlidingLog, 0), (SlidingCounter, 0)):
        limiter = Limiter(runtime, cls)
        limiter.wait(W - 1 - runtime.clock.now_ms % W)
        assert limiter.hit(10) == [True] * 10
        assert sum(a is True for a in limiter.wait(1).hit(10)) == most


def test_the_counter_weighs_the_previous_window_by_what_is_left_of_it(runtime):
    limiter = Limiter(runtime, SlidingCounter)
    limiter.hit(10)
    # In the next window, 6 s in, nine tenths of ten count: one more fits, exactly then.
    assert limiter.wait(W + 5_999).hit() == 1
    assert limiter.wait(1).hit() is True
    assert limiter.hit() == 6


def test_the_counter_forgets_what_is_two_windows_ago(runtime):
    limiter = Limiter(runtime, SlidingCounter)
    limiter.hit(10)
    assert limiter.wait(2 * W).hit(10) == [True] * 10


def test_a_bucket_refills_token_by_token(runtime):
    limiter = Limiter(runtime, TokenBucket)
    limiter.hit(10)
    assert limiter.wait(5_999).hit() == 1
    assert limiter.wait(1).hit() is True
    assert limiter.hit() == 6
    assert limiter.wait(60_000).hit(11) == [True] * 10 + [6]


def test_a_bucket_never_holds_more_than_its_limit(runtime):
    limiter = Limiter(runtime, TokenBucket)
    assert limiter.hit() is True
    assert [a is True for a in limiter.wait(10 * W).hit(11)] == [True] * 10 + [False]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 30_000), min_size=1, max_size=60), st.integers(1, 7))
def test_the_log_never_lets_more_than_the_limit_into_any_window(gaps, limit):
    with Runtime() as runtime:
        limiter = Limiter(runtime, SlidingLog, limit=limit)
        answers = [(limiter.wait(gap).hit(), runtime.clock.now_ms) for gap in gaps]
        allowed = [at for answer, at in answers if answer is True]
        for end in allowed:
            assert sum(end - W < at <= end for at in allowed) <= limit


@settings(max_examples=40)
@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=60), st.sampled_from(ALL))
def test_whoever_waits_as_long_as_told_is_let_in(gaps, cls):
    with Runtime() as runtime:
        limiter = Limiter(runtime, cls, limit=3)
        for gap in gaps:
            answer = limiter.wait(gap).hit()
            if answer is not True:
                assert 1 <= answer <= 2 * W / 1000
                assert limiter.wait(answer * 1000).hit() is True
