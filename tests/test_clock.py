"""Durations and times as people write and read them."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dobook.clock import (
    DEFAULT_START_MS,
    format_duration,
    format_time,
    parse_duration,
    parse_time,
)
from dobook.errors import DurationError


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("250ms", 250),
        ("1s", 1_000),
        ("1.5s", 1_500),
        ("2m", 120_000),
        ("1h30m", 5_400_000),
        ("1h 30m", 5_400_000),
        (" 1h, 30m ", 5_400_000),
        ("7d", 604_800_000),
        ("1W", 604_800_000),
        ("0s", 0),
        (0, 0),
        (1.6, 2),
        (dt.timedelta(minutes=1), 60_000),
    ],
)
def test_durations_are_read(text, ms):
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    "text", ["", "soon", "1", "5 bananas", "1h nonsense", "h", "1y", "-1s", "1h-30m"]
)
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(DurationError, match=r"for instance 30s, 1h30m or 7d"):
        parse_duration(text)


@pytest.mark.parametrize("value", [-1, -0.6, dt.timedelta(seconds=-1)])
def test_time_does_not_run_backwards(value):
    with pytest.raises(DurationError, match="backwards"):
        parse_duration(value)


@given(st.integers(0, 10**13))
def test_a_duration_that_is_shown_whole_reads_back(ms):
    shown = format_duration(ms)
    assert parse_duration(shown) <= ms
    if shown.count(" ") == 0:
        assert parse_duration(shown) == ms


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0s"), (1, "1ms"), (999, "999ms"), (1_000, "1s"), (3_661_000, "1h 1m"), (-500, "-500ms")],
)
def test_durations_are_shown_with_their_two_largest_units(ms, text):
    assert format_duration(ms) == text


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("2026-01-01T00:00:00Z", DEFAULT_START_MS),
        ("2026-01-01", DEFAULT_START_MS),
        ("2026-01-01T01:00+01:00", DEFAULT_START_MS),
        (dt.datetime(2026, 1, 1), DEFAULT_START_MS),  # noqa: DTZ001 - taken as UTC
        (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), DEFAULT_START_MS),
        (5, 5),
        (5.4, 5),
    ],
)
def test_times_are_read_as_utc_unless_they_say_otherwise(value, ms):
    assert parse_time(value) == ms


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "12:00"])
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(DurationError, match="2026-01-31T18:00"):
        parse_time(text)


@given(st.integers(-(10**12), 10**13))
def test_a_time_that_is_shown_reads_back(ms):
    assert parse_time(format_time(ms)) == ms


def test_times_beyond_the_calendar_are_shown_as_numbers():
    assert format_time(10**18) == f"{10**18} ms"
