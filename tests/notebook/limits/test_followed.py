"""Gauges and progress pictures follow the clock, and their buttons do what they say."""

import pandas as pd
import pytest

from dobook.notebook import live
from dobook.notebook.extension import session_of


@pytest.fixture
def looked_at(shell):
    session_of(shell).live = "always"
    return shell


def view_of(shell, line):
    frame = shell.cell(line)
    view = live.make(session_of(shell), live.VIEWS[type(frame)], frame)
    session_of(shell).views.follow(view)
    return view


def press(view, what, **fields):
    view._heard(view, {"do": what, **fields}, [])
    return view.outcome


@pytest.fixture
def gauge(looked_at):
    looked_at.cell("%pattern TokenBucket")
    return view_of(looked_at, "%rate_limit TOKEN_BUCKET/ada --limit 4 --window 20s")


def test_a_frame_carries_its_view_only_where_a_front_end_is_likely(shell):
    shell.cell("%pattern TokenBucket")
    frame = shell.cell("%rate_limit TOKEN_BUCKET/ada")
    assert shell.display_formatter.format(frame)[0].keys() == {"text/plain", "text/html"}
    session_of(shell).live = "always"
    data, _ = shell.display_formatter.format(frame)
    assert data.keys() == {"text/plain", "text/html", live.VIEW}
    assert type(frame.head(1)) is pd.DataFrame


def test_a_gauge_follows_what_cells_do_and_the_clock(looked_at, gauge):
    assert "4 remaining" in gauge.facts["caption"]
    looked_at.cell("%request GET TOKEN_BUCKET/ada /check?limit=4&window=20000 --repeat 3")
    gauge.refresh()
    assert "1 remaining" in gauge.facts["caption"]
    before = gauge.facts["picture"]
    looked_at.cell("%fast_forward 4s")
    gauge.refresh()
    assert gauge.facts["picture"] != before


def test_its_buttons_ask_and_let_time_pass(looked_at, gauge):
    said = press(gauge, "hit", times="5")["note"]
    assert said == "4 of 5 requests passed; the last was answered 429, retry after 5 s"
    assert press(gauge, "step", by="1s")["problem"] == ""
    assert looked_at.ev("runtime.clock.now_ms % 60_000") == 1_000
    assert press(gauge, "free")["problem"] == ""
    assert looked_at.ev("runtime.clock.now_ms % 60_000") == 5_000
    assert "1 remaining" in gauge.facts["caption"]
    assert press(gauge, "hit", times="1")["note"] == "1 of 1 request passed"


@pytest.mark.parametrize(
    ("what", "fields", "problem"),
    [
        ("hit", {"times": "many"}, "not a number from 1 to"),
        ("hit", {"times": "0"}, "not a number from 1 to"),
        ("free", {}, "allowed already"),
        ("step", {"by": "soon"}, "cannot read 'soon'"),
    ],
)
def test_what_cannot_be_done_is_said_in_the_view(gauge, what, fields, problem):
    assert problem in press(gauge, what, **fields)["problem"]


def test_a_frame_stays_what_it_was_while_its_view_goes_on(looked_at, gauge):
    frame = gauge.frame
    press(gauge, "hit", times="4")
    assert frame.empty
    assert frame.attrs["remaining"] == 4
    assert gauge.facts["rows"] == 4


def test_a_workflow_is_followed_from_alarm_to_alarm(looked_at):
    looked_at.cell("%pattern Saga")
    looked_at.cell('%rpc SAGA/a start ["one", "two"]')
    view = view_of(looked_at, "%workflow SAGA/a")
    assert "running, 0 of 2" in view.facts["caption"]
    press(view, "next")  # the second alarm is due at the instant at which the first one ends
    assert "completed, 2 of 2" in view.facts["caption"]
    assert "no alarm is set" in press(view, "next")["problem"]
    text, html = view.static()
    assert "completed" in text
    assert html.count("<svg") == 1


def test_a_view_survives_a_reset(looked_at, gauge):
    press(gauge, "hit", times="4")
    looked_at.cell("%dobook reset")
    gauge.refresh()
    assert "4 remaining" in gauge.facts["caption"]
    assert repr(gauge) == "<RateLimitGauge TOKEN_BUCKET/ada>"
