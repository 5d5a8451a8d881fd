"""`%trace`, its diagram, and the magics that break things."""

import pandas as pd
import pytest
from IPython.core.error import UsageError

from dobook.notebook.timeline.diagram import Diagram


def test_the_trace_is_off_at_first_and_says_how_to_begin(counting):
    frame = counting.cell("%trace")
    assert frame.empty
    assert "%trace on begins to record" in repr(frame)


def test_the_trace_is_a_frame_of_documented_columns(counting):
    counting.cell("%trace on")
    counting.cell("%rpc COUNTER/a add 2")
    frame = counting.cell("%trace")
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "seq": "Int64",
        "time": "datetime64[ms, UTC]",
        "object": "string",
        "kind": "string",
        "what": "string",
        "cause": "Int64",
        "detail": "object",
    }
    put = frame[frame.what == "put n = 2"].iloc[0]
    assert put.detail == {"op": "put", "keys": "n", "value": 2}
    assert frame[frame.seq == put.cause].iloc[0].kind == "rpc"
    assert "detail" not in repr(frame).splitlines()[1]
    assert "prints added 2" in repr(frame)
    assert "put n = 2" in frame._repr_html_()
    assert isinstance(frame, pd.DataFrame)


def test_the_trace_can_be_stopped_narrowed_and_forgotten(counting):
    counting.cell("%trace on")
    counting.cell("%rpc COUNTER/a add 1")
    counting.cell("%fast_forward 1m")
    counting.cell("%rpc COUNTER/b add 1")
    assert set(counting.cell("%trace --object COUNTER/b").object) == {"outside", "COUNTER/b"}
    assert set(counting.cell("%trace --since 10s").object) == {"outside", "COUNTER/b"}
    assert counting.cell("%trace --since 2027-01-01").empty
    off = counting.cell("%trace off")
    assert "not recording any more" in repr(off)
    counting.cell("%rpc COUNTER/b add 1")
    assert len(counting.cell("%trace")) == len(off)
    assert counting.cell("%trace clear").empty


def test_the_diagram_has_a_picture_and_words(counting):
    counting.cell("%trace on")
    counting.cell("%rpc COUNTER/a add 1")
    diagram = counting.cell("%trace --diagram")
    assert isinstance(diagram, Diagram)
    assert "put n = 1" in counting.shown(diagram)
    assert counting.shown(diagram, "text/html").startswith("<svg ")
    assert "#ffffff" in diagram.standalone("light")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%trace onn", "Did you mean 'on'"),
        ("%trace --object COUTNER/a", "Did you mean 'COUNTER'"),
        ("%trace --diagram --rows 1", "3 rows"),
        ("%slow COUNTER/a fast", "fast"),
        ("%crash COUNTER/a --at lunch", "before commit, after commit"),
        ("%fail_writes COUTNER/a", "Did you mean 'COUNTER'"),
        ("%crash COUNTER/nobody", "not in memory"),
    ],
)
def test_wrong_use_is_answered_with_the_right_one(counting, line, message):
    with pytest.raises(UsageError, match=message):
        counting.cell(line)


def test_slow_storage_takes_virtual_time(counting):
    counting.cell("%slow COUNTER 50ms")
    planned = counting.cell("%faults")
    assert [tuple(row) for row in planned.itertuples(index=False)] == [("COUNTER", "slow", "50 ms")]
    before = counting.cell("runtime.clock.now_ms")
    counting.cell("%rpc COUNTER/a add 1")
    assert counting.cell("runtime.clock.now_ms") - before == 100
    assert counting.cell("%slow COUNTER off").empty


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("%crash COUNTER/a --at after commit", 2),
        ("%crash COUNTER/a --at 'before commit'", 1),
        ("%crash COUNTER/a --at 1st write", 1),
        ("%crash COUNTER/a --at 2nd await", 1),
        ("%fail_writes COUNTER/a", 1),
        ("%lose_replies COUNTER/a", 2),
        ("%network_errors COUNTER/a 1", 1),
    ],
)
def test_a_fault_happens_at_the_next_call_and_once(counting, line, kept):
    counting.cell("%rpc COUNTER/a add 1")
    assert len(counting.cell(line)) == 1
    with pytest.raises(UsageError, match=r"crashed|written|connection lost"):
        counting.cell("%rpc COUNTER/a add 1")
    assert counting.cell("%faults").empty
    assert counting.cell("%rpc COUNTER/a value") == kept


def test_planned_faults_can_be_taken_back(counting):
    counting.cell("%crash COUNTER/a --at before commit")
    counting.cell("%crash COUNTER/b --at before commit")
    assert list(counting.cell("%faults --clear COUNTER/a").object) == ["COUNTER/b"]
    assert "no faults are planned" in repr(counting.cell("%faults --clear"))
    assert counting.cell("%rpc COUNTER/a add 1") == 1


def test_costs_are_counted_from_the_start_and_shown_as_a_frame(counting):
    counting.cell("%rpc COUNTER/a add 1")
    counting.cell("%rpc COUNTER/b nap 10")
    frame = counting.cell("%objects --cost").set_index("object")
    assert list(frame.loc["COUNTER/a", ["requests", "reads", "writes"]]) == [1, 1, 1]
    assert frame.loc["COUNTER/b", "gb_s"] == pytest.approx(1.28)
    assert frame.usd.sum() == pytest.approx(counting.cell("%objects COUNTER --cost").attrs["usd"])
    with pytest.raises(UsageError, match="Did you mean 'COUNTER'"):
        counting.cell("%objects COUTNER --cost")


def test_why_awake_is_a_card_of_reasons(counting):
    counting.cell("nap = env.COUNTER.getByName('a').nap(60)")
    assert "nap() is under way" in repr(counting.cell("%why_awake COUNTER/a"))
    counting.cell("%fast_forward 61s")
    assert "nothing keeps it awake" in repr(counting.cell("%why_awake COUNTER/a"))
    assert "not in memory" in repr(counting.cell("%why_awake COUNTER/b"))
