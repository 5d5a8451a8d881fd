"""Every frame states its dtypes, keeps its columns when it is empty, and escapes what it shows."""

import pandas as pd
import pytest

from dobook.clock import DEFAULT_START_MS as NOW
from dobook.notebook.core.log import Asked
from dobook.notebook.inspector import object_frames as objects
from dobook.notebook.requests import request_frames as requests
from dobook.runtime.debug.snapshots import AlarmSnapshot, ObjectSnapshot
from dobook.runtime.objects.alarm import AlarmRun

TIME = "datetime64[ms, UTC]"
ANSWER = {
    "sent": NOW,
    "status": 429,
    "retry_after": "60",
    "body": "no",
    "took_ms": 1.5,
    "error": "",
}
CASES = {
    "objects": (
        lambda rows: objects.objects_frame(rows, NOW),
        ObjectSnapshot("A", "Klass", "<b>", "f" * 64, "idle", 2, None, 3),
        ["string", "string", "string", "Int64", TIME, "Int64", "string"],
    ),
    "alarms": (
        lambda rows: objects.alarms_frame(rows, NOW),
        AlarmSnapshot("A/<b>", NOW + 1000, NOW + 2500, 1),
        ["string", TIME, TIME, "float64", "Int64"],
    ),
    "runs": (
        lambda rows: objects.runs_frame(rows, NOW, NOW + 1),
        AlarmRun("A/<b>", NOW, NOW + 1, 0, "error", "ValueError: <b>", NOW + 2000),
        ["string", TIME, TIME, "Int64", "string", "string", TIME],
    ),
    "requests": (
        lambda rows: requests.requests_frame(rows, NOW),
        Asked(NOW, "A/<b>", "GET", "/<b>", 200, NOW + 5),
        [TIME, "string", "string", "string", "Int64", "float64", "string"],
    ),
    "answers": (
        lambda rows: requests.answers_frame(rows, "A/<b>", NOW),
        ANSWER | {"body": "<b>"},
        [TIME, "Int64", "string", "string", "float64", "string"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_dtypes_are_the_same_with_and_without_rows(case):
    make, row, dtypes = CASES[case]
    full, empty = make([row]), make([])
    assert [str(d) for d in full.dtypes] == dtypes
    assert [str(d) for d in empty.dtypes] == dtypes
    assert list(full.columns) == list(empty.columns)
    assert len(empty) == 0
    assert full.attrs["time"].startswith("2026-01-01 00:00:00")


@pytest.mark.parametrize("case", CASES)
def test_html_is_escaped_and_stable(case):
    make, row, _ = CASES[case]
    html = make([row])._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    assert html == make([row])._repr_html_()


def test_what_is_made_from_a_frame_is_a_plain_dataframe():
    frame = objects.alarms_frame([AlarmSnapshot("A/b", NOW, NOW, 0)], NOW)
    assert type(frame[frame["in_s"] > 1]) is pd.DataFrame
    assert type(frame.copy()) is pd.DataFrame


def test_a_long_frame_shows_its_ends_and_has_all_rows():
    frame = objects.alarms_frame([AlarmSnapshot(f"A/{i}", NOW, NOW, 0) for i in range(500)], NOW)
    html = frame._repr_html_()
    assert len(frame) == 500
    assert html.count("<tr>") == 22
    assert "A/9<" in html
    assert "A/10<" not in html
    assert "A/490<" in html
    assert "…" in html
    assert "A/499" in repr(frame)
    assert "A/200" not in repr(frame)


def test_times_before_1970_and_after_2262_are_shown():
    frame = objects.alarms_frame([AlarmSnapshot("A/b", 8_640_000_000_000_000, -1, 0)], NOW)
    assert "A/b" in repr(frame)
    assert "A/b" in frame._repr_html_()


def test_repeated_column_names_of_a_query_get_numbers():
    frame = objects.sql_frame(["a", "a"], [(1, 2)], "A/b", NOW)
    assert list(frame.columns) == ["a", "a_2"]
