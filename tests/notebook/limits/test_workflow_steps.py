"""`%workflow` reads a workflow's progress from what it has stored."""

import pytest
from IPython.core.error import UsageError

from dobook.notebook.limits.workflow_steps import workflow_frame

NOW = 1_767_225_600_000


def test_a_saga_shows_its_steps_attempts_and_times(shell):
    shell.cell("%pattern Saga --binding TRIP")
    shell.cell('%rpc TRIP/a start ["flight", "hotel"]')
    shell.cell("%fast_forward 1s")
    frame = shell.cell("%workflow TRIP/a")
    assert frame["name"].tolist() == ["flight", "hotel"]
    assert frame["status"].tolist() == ["completed"] * 2
    assert frame["attempts"].tolist() == [1, 1]
    assert frame["took_ms"].tolist() == [100.0, 100.0]
    assert (frame.attrs["status"], frame.attrs["completed"]) == ("completed", 2)
    assert "2 of 2 steps completed" in repr(frame)
    assert frame._repr_html_().count("<svg") == 1


def test_a_workflow_that_has_not_begun_has_the_same_columns(shell):
    shell.cell("%pattern StatefulWorkflow")
    frame = shell.cell("%workflow STATEFUL_WORKFLOW/a")
    assert frame.empty
    assert "no workflow yet" in repr(frame)
    full = workflow_frame({"status": "running", "steps": [{"name": "a"}]}, "A/b", NOW)
    assert frame.dtypes.to_dict() == full.dtypes.to_dict()


def test_a_step_without_a_recorded_start_begins_where_the_one_before_ended():
    steps = [
        {"name": "a", "status": "completed", "completedAt": NOW + 100},
        {"name": "b", "status": "completed", "completedAt": NOW + 350},
        {"name": "c", "status": "pending"},
    ]
    workflow = {"status": "running", "createdAt": NOW, "steps": steps}
    frame = workflow_frame(workflow, "A/b", NOW + 1_000)
    assert frame["took_ms"].tolist()[:2] == [100.0, 250.0]
    assert frame["started"].isna().tolist() == [False, False, True]


def test_a_running_step_lasts_until_now_and_a_failed_one_says_why():
    steps = [
        {"name": "a", "status": "failed", "startedAt": NOW, "completedAt": NOW, "error": "no"},
        {"name": "<b>", "status": "running", "startedAt": NOW, "attempts": 3},
    ]
    frame = workflow_frame({"status": "running", "steps": steps}, "A/b", NOW + 5_000)
    assert frame["took_ms"].tolist() == [0.0, 5_000.0]
    assert frame["outcome"].tolist() == ["no", ""]
    html = frame._repr_html_()
    assert "3 attempts" in html
    assert "<b>" not in html


def test_many_steps_are_drawn_up_to_a_number():
    steps = [{"name": f"step {i}", "status": "pending"} for i in range(60)]
    frame = workflow_frame({"status": "pending", "steps": steps}, "A/b", NOW)
    assert len(frame) == 60
    assert "and 36 more steps" in frame._repr_html_()


def test_what_is_no_workflow_is_said_to_be_none(counting):
    counting.cell("%rpc COUNTER/a add 1")
    with pytest.raises(UsageError, match="no key named 'workflow'"):
        counting.cell("%workflow COUNTER/a")
    with pytest.raises(UsageError, match="is not a workflow"):
        counting.cell("%workflow COUNTER/a --key n")
