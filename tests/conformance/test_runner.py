"""The runner itself: it fails what it should, plays what it is given, and keeps the score."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dobook import Runtime

from .conftest import read_todo
from .interpreter import OPS
from .score import Score
from .sqlite_versions import SINCE, excuse
from .steps import Scenario, play
from .test_vectors import test_recorded as run_recorded

ROOT = Path(__file__).parents[2]


def scenario(*, expect, steps=None, handlers=None, scope=None):
    data = {
        "name": "made-up",
        "about": "for a test",
        "backend": "sqlite",
        "steps": steps or [{"object": "a", "ops": [["put", "k", 1], ["get", "k"]]}],
        "handlers": handlers or {},
        "expect": expect,
    }
    return Scenario("made", data | ({} if scope is None else {"scope": scope}))


RIGHT = [{"results": [{}, {"ok": 1}]}]
WRONG = [{"results": [{}, {"ok": 2}]}]


def judge(tmp_path, made, *, listed=False):
    verdict = {}
    try:
        run_recorded(made, "memory", [made.key] if listed else [], tmp_path, verdict)
    except pytest.xfail.Exception as failure:
        return "xfailed", str(failure), verdict
    except pytest.fail.Exception as failure:
        return "failed", str(failure), verdict
    return "passed", "", verdict


def test_a_right_answer_passes(tmp_path):
    outcome, _, verdict = judge(tmp_path, scenario(expect=RIGHT))
    assert (outcome, verdict["passed"]) == ("passed", True)


def test_a_wrong_answer_fails_and_says_where(tmp_path):
    outcome, text, verdict = judge(tmp_path, scenario(expect=WRONG))
    assert (outcome, verdict["passed"]) == ("failed", False)
    assert "made/made-up" in text
    assert "step [0].results[1].ok: expected 2, got 1" in text


def test_a_wrong_answer_that_is_listed_is_expected(tmp_path):
    outcome, _, verdict = judge(tmp_path, scenario(expect=WRONG), listed=True)
    assert (outcome, verdict["passed"]) == ("xfailed", False)


def test_a_right_answer_that_is_listed_fails_until_it_is_taken_off_the_list(tmp_path):
    outcome, text, _ = judge(tmp_path, scenario(expect=RIGHT), listed=True)
    assert outcome == "failed"
    assert "made/made-up passes now: remove its line" in text


@pytest.mark.parametrize(("expect", "outcome"), [(RIGHT, "passed"), (WRONG, "xfailed")])
def test_a_scenario_with_a_scope_never_fails(tmp_path, expect, outcome):
    assert judge(tmp_path, scenario(expect=expect, scope="js"))[0] == outcome


@pytest.mark.parametrize(("name", "outcome"), [("newer-functions", "failed"), ("new", "xfailed")])
def test_a_scenario_that_this_sqlite_can_answer_has_to_pass(tmp_path, name, outcome):
    wrong = scenario(expect=WRONG, scope="sqlite")
    made = Scenario("sql", wrong.data | {"name": name})
    assert judge(tmp_path, made)[0] == outcome


@pytest.mark.parametrize(
    ("key", "version", "options", "excused"),
    [
        ("sql-wide/arith-6", (3, 45, 1), set(), True),
        ("sql-wide/arith-6", (3, 46, 0), set(), False),
        ("sql-wide/dml-3", (3, 53, 2), set(), True),
        ("sql-wide/dml-3", (3, 40, 1), {"ENABLE_UPDATE_DELETE_LIMIT"}, False),
        ("sql-wide/printf-5", (3, 40, 1), set(), False),
        ("sql-wide/printf-5", (3, 45, 1), set(), True),
        ("sql-wide/printf-5", (3, 46, 0), set(), False),
        ("sql-wide/other", (3, 40, 1), set(), False),
    ],
)
def test_an_excuse_is_a_version_or_an_option(key, version, options, excused):
    category, name = key.split("/")
    scope = {"scope": "sqlite"} if key in SINCE else {}
    assert bool(excuse(Scenario(category, {"name": name, **scope}), version, options)) == excused


@pytest.mark.parametrize("expect", [RIGHT * 2, [{**RIGHT[0], "events": {"a": [["log", 1]]}}]])
def test_missing_steps_and_events_are_noticed(tmp_path, expect):
    assert judge(tmp_path, scenario(expect=expect))[0] == "failed"


def test_events_that_were_not_recorded_are_noticed(tmp_path):
    steps = [{"object": "a", "ops": [["log", 1]]}]
    assert judge(tmp_path, scenario(steps=steps, expect=[{"results": [{}]}]))[0] == "failed"


def test_started_ops_run_to_their_first_wait_at_once():
    ops = [
        ["start", "p", ["must", ["log", "started"]]],
        ["waitUntil", [["log", "background"], ["sleep", 100], ["log", "late"]]],
        ["all", [["log", "1"], ["let", "x", ["get", "k"]], ["log", {"$var": "x", "or": "unset"}]]],
        ["log", "end"],
    ]
    with Runtime() as runtime:
        outcomes = play(runtime, scenario(steps=[{"object": "a", "ops": ops}], expect=[]))
    logged = [event[1] for event in outcomes[0]["events"]["a"]]
    assert logged == ["started", "background", "1", "unset", "end"]


def test_the_clock_moves_in_sleeps_and_advances_only():
    steps = [
        {"object": "a", "ops": [["put", "k", 1], ["sleep", 150]]},
        {"advance_ms": 500},
        {"concurrent": [{"object": "a", "ops": [["sleep", 100]]}] * 2},
    ]
    with Runtime() as runtime:
        t0 = runtime.clock.now_ms
        play(runtime, scenario(steps=steps, expect=[]))
        assert runtime.clock.now_ms == t0 + 150 + 500 + 100


def test_a_client_that_fails_inside_concurrent_fails_alone():
    steps = [
        {"websocket": "w", "connect": "a"},
        {"websocket": "w", "close": []},
        {
            "concurrent": [
                {"object": "a", "ops": [["value", 1]]},
                {"websocket": "w", "send": "late"},
            ]
        },
        {"websocket": "w", "send": "later"},
    ]
    handlers = {"a": {"fetch": [[["upgrade", {}]]]}}
    with Runtime() as runtime:
        outcomes = play(runtime, scenario(steps=steps, handlers=handlers, expect=[]))
    fine, late = outcomes[2]["outcomes"]
    assert fine == {"results": [{"ok": 1}]}
    assert late["error"]["message"].startswith("Can't call WebSocket send() after close()")
    assert outcomes[3]["error"] == late["error"]


def test_every_op_of_the_description_has_a_function():
    described = """must throw throwValue log let hide value matches upper mutate mem all start await
    sleep id block waitUntil abort get put delete list deleteAll sync getAlarm setAlarm deleteAlarm
    getCurrentBookmark getBookmarkForTime onNextSessionRestoreBookmark transaction rollback outer
    keepTxn keptTxn transactionSync kv.get kv.put kv.delete kv.list kv.open kv.next sql sql.open
    cursor sql.size ns idFromName idFromString newUniqueId id.toString id.name id.equals stub
    getByName exports exports.kind exports.get props stub.id stub.name fetch request respond respondJson respondWith newResponse
    responseJson responseRedirect newRequest bodyTwice clone headers rpc rpc.get rpc.path call
    dispose dup upgrade ws.pair ws.hibernate ws.accept ws.send ws.close ws.attach ws.attachment
    ws.tags ws.state ws.autoTimestamp sockets each auto.set auto.get auto.unset timeout.set
    timeout.get"""
    assert set(OPS) == set(described.split())


def test_todo_lines_may_have_comments(tmp_path):
    path = tmp_path / "todo.txt"
    path.write_text("# heading\n\nalarms/retry\nsql/x  # why\n", encoding="utf-8")
    assert read_todo(path) == ["alarms/retry", "sql/x"]


def told(key, *, passed, scope=None, messages=(), agreed=()):
    verdict = {"key": key, "scope": scope, "passed": passed}
    verdict |= {"messages": list(messages), "agreed": list(agreed)}
    return SimpleNamespace(user_properties=[("conformance", verdict)], when="call", failed=False)


def test_the_score_counts_a_scenario_that_passes_on_every_store():
    score = Score()
    for report in (
        told("alarms/a", passed=True, messages=["m"], agreed=["m"]),
        told("alarms/a", passed=True, messages=["m"], agreed=["m"]),
        told("alarms/b", passed=True, messages=["m", "n"], agreed=["m", "n"]),
        told("alarms/b", passed=False, messages=["m", "n"], agreed=["n"]),
        told("sql/c", passed=False),
        told("sql/d", passed=True, scope="js"),
        told("sql/e", passed=False, scope="js", messages=["m"]),
    ):
        score.pytest_runtest_logreport(report)
    assert list(score.lines()) == [
        "conformance (scope js): 1 of 2",
        "conformance: alarms 1 of 2",
        "conformance: sql 0 of 1",
        "conformance messages: 2 of 3",
        "conformance: 1 of 3",
    ]


@pytest.mark.slow
@pytest.mark.timeout(90)  # a pytest of its own
def test_another_folder_can_be_played(tmp_path):
    made = [scenario(expect=RIGHT).data, {**scenario(expect=WRONG).data, "name": "other"}]
    (tmp_path / "made.json").write_text(json.dumps(made), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "tests/conformance/test_vectors.py", "-q"]
    command += ["-p", "no:cacheprovider", "--vectors", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "conformance: made 1 of 2" in done.stdout
    assert "[disk] made/other" in done.stdout
