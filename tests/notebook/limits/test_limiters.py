"""What `%rate_limit` says of a limiter is what the limiter itself would say."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dobook import Runtime, patterns
from dobook.errors import UnknownNameError, UsageError
from dobook.notebook.limits.limiter_comparison import ALL, compare_limiters
from dobook.notebook.limits.limiter_frames import limiter_frame
from dobook.notebook.limits.limiter_states import (
    FixedWindow,
    SlidingCounter,
    SlidingLog,
    TokenBucket,
    read_limiter,
)
from dobook.runtime.access import kernel_of

NOW = 1_767_225_600_000
W = 60_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30_000), min_size=1, max_size=40), st.sampled_from(ALL))
def test_the_frame_says_what_the_limiter_answers_next(gaps, name):
    with Runtime() as runtime:
        stub = runtime.register(getattr(patterns, name), "LIMITER").getByName("a")
        for gap in gaps:
            runtime.advance(gap)
            rows = kernel_of(runtime).actor_of(stub).store.kv.scan()
            limiter = read_limiter(rows, "LIMITER/a", limit=3, window_ms=W)
            said = limiter_frame(limiter, "LIMITER/a", runtime.clock.now_ms).attrs
            answer = runtime.run(stub.check(3, W))
            assert answer["allowed"] == (said["remaining"] > 0)
            if answer["allowed"]:
                assert answer["remaining"] == said["remaining"] - 1
                assert said["retry_after"] == 0
            else:
                assert answer["retryAfter"] == said["retry_after"]


def test_a_hit_counts_until_it_is_as_old_as_the_window():
    def attrs(now):
        return limiter_frame(SlidingLog(1, W, (NOW,)), "A/b", now).attrs

    assert (attrs(NOW + 59_999)["used"], attrs(NOW + 59_999)["retry_after"]) == (1, 1)
    assert (attrs(NOW + 60_000)["used"], attrs(NOW + 60_000)["retry_after"]) == (0, 0)


def test_retry_after_waits_for_as_many_hits_as_are_above_the_limit():
    def attrs(limit):
        hits = (NOW - 30_000, NOW - 20_000, NOW - 10_000)
        return limiter_frame(SlidingLog(limit, W, hits), "A/b", NOW).attrs

    assert attrs(3)["retry_after"] == 30
    assert attrs(2)["retry_after"] == 40
    assert attrs(4)["remaining"] == 1


@pytest.mark.parametrize(
    ("limiter", "columns", "frees_in_s"),
    [
        (SlidingLog(2, W, (NOW - 20_000, NOW)), ["hit", "age_s", "frees", "frees_in_s"], [40, 60]),
        (
            FixedWindow(5, W, NOW - NOW % W, 3),
            ["begins", "ends", "hits", "weight", "counts", "frees", "frees_in_s"],
            [60],
        ),
        (
            SlidingCounter(5, W, NOW - NOW % W, 2, 1),
            ["begins", "ends", "hits", "weight", "counts", "frees", "frees_in_s"],
            [60, 120],
        ),
        (TokenBucket(4, W, 1.5, NOW), ["token", "frees", "frees_in_s"], [7.5, 22.5, 37.5]),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_each_kind_has_its_frame_and_its_picture(limiter, columns, frees_in_s):
    frame = limiter_frame(limiter, "A/b", NOW)
    assert list(frame.columns) == columns
    assert frame["frees_in_s"].tolist() == frees_in_s
    (picture,) = re.findall(r"<svg.*?</svg>", frame._repr_html_(), re.DOTALL)
    assert limiter.kind in picture
    # Long after everything has been freed: the same columns, no rows, and still a picture.
    later = limiter_frame(limiter, "A/b", NOW + 10 * W)
    assert list(later.columns) == columns
    assert later.empty
    assert later.dtypes.to_dict() == frame.dtypes.to_dict()
    assert later.attrs["remaining"] == limiter.limit


def test_a_stored_limit_holds_unless_another_one_is_given():
    stored = {"token_bucket": {"tokens": 1, "at_ms": NOW, "limit": 7, "window_ms": 9}}
    assert read_limiter(stored, "A/b").limit == 7
    assert read_limiter(stored, "A/b", limit=8, window_ms=5) == TokenBucket(8, 5, 1, NOW)


def test_what_is_no_limiter_is_said_to_be_none():
    with pytest.raises(UnknownNameError, match="no key named 'requests'"):
        read_limiter({"request": []}, "A/b")
    with pytest.raises(UsageError, match="not a list of times"):
        read_limiter({"requests": ["soon"]}, "A/b")
    assert read_limiter({}, "A/b") == SlidingLog(10, W)


def test_times_may_be_datetimes_under_any_key():
    import datetime as dt

    hits = [dt.datetime.fromtimestamp(NOW / 1000, dt.UTC)]
    assert read_limiter({"seen": hits}, "A/b", key="seen").hits_ms == (NOW,)


# ---------------------------------------------------------------------- on the same traffic


def test_comparing_shows_the_edge_of_the_fixed_window():
    both = compare_limiters([59_999] * 10 + [60_000] * 10)
    summary = both.summary.set_index("limiter")
    assert summary["allowed"].to_dict() == {
        "SlidingLog": 10,
        "FixedWindow": 20,
        "SlidingCounter": 10,
        "TokenBucket": 10,
    }
    assert summary["most_in_a_window"]["FixedWindow"] == 20
    assert (summary["allowed"] + summary["refused"]).tolist() == [20] * 4
    assert both.answers["at_s"].tolist() == [59.999] * 10 + [60.0] * 10
    assert both.answers["FixedWindow"].all()
    html = both._repr_html_()
    assert "<svg" in html
    assert "20 of 20 passed" in html


def test_a_limiter_of_ones_own_can_be_compared():
    class Never:
        def __init__(self, ctx, env): ...

        async def check(self, limit, window_ms):
            return {"allowed": False, "retryAfter": 60}

    never = compare_limiters([3, 1, 2], limiters=[Never, "TokenBucket"])
    assert never.summary["refused"].tolist() == [3, 0]
    assert never.summary["longest_wait_s"].tolist() == [60.0, 0.0]
    assert never.answers["at_s"].tolist() == [0.001, 0.002, 0.003]


@pytest.mark.parametrize(
    ("traffic", "options", "message"),
    [
        ([], {}, "list of times"),
        ([-1], {}, "from 0 on"),
        ([0], {"limit": 0}, "more than 0"),
        ([0], {"limiters": ["Bucket"]}, "no limiter 'Bucket'"),
    ],
)
def test_comparing_nothing_is_refused(traffic, options, message):
    with pytest.raises(UsageError, match=message):
        compare_limiters(traffic, **options)


# ---------------------------------------------------------------------- in a notebook


def test_every_pattern_can_be_defined_from_its_file(shell):
    card = shell.cell("%pattern")
    assert [name for name, _ in card.rows] == patterns.__all__
    for name in patterns.__all__:
        assert shell.cell(f"%pattern {name}").title == name
    assert {n.class_name for n in kernel_of(shell.cell("runtime")).namespaces} == set(
        patterns.__all__
    )


def test_a_pattern_has_the_binding_one_wants_and_its_source_to_show(shell):
    shell.cell("%pattern TokenBucket --binding LIMITER")
    assert shell.cell("%rpc LIMITER/ada check")["remaining"] == 9
    frame = shell.cell("%rate_limit LIMITER/ada")
    assert (frame.attrs["kind"], frame.attrs["remaining"]) == ("token bucket", 9)
    assert "class TokenBucket(DurableObject)" in shell.cell("%pattern TokenBucket --source").data


def test_a_misspelt_pattern_is_answered_with_the_right_one(shell):
    from IPython.core.error import UsageError as Refused

    with pytest.raises(Refused, match=r"no pattern named 'TokenBuckt'\. Did you mean"):
        shell.cell("%pattern TokenBuckt")
    with pytest.raises(Refused, match="say which pattern"):
        shell.cell("%pattern --source")


def test_a_pattern_goes_along_when_the_notebook_is_exported(shell, tmp_path):
    shell.cell("%pattern TokenBucket --binding LIMITER")
    shell.cell(f"%export {tmp_path}/limiter")
    entry = (tmp_path / "limiter" / "src" / "entry.py").read_text("utf-8")
    assert "class TokenBucket(DurableObject)" in entry
    assert "TINY = 1e-9" in entry


def test_tab_knows_the_patterns(shell):
    from IPython.core.completer import provisionalcompleter

    def offered(text):
        with provisionalcompleter():
            return [c.text for c in shell.Completer.completions(text, len(text))]

    assert offered("%pattern Tok") == ["TokenBucket"]
    assert offered("%pattern TokenBucket --so") == ["--source"]
