"""Workflows that are driven, and sagas that drive themselves."""

import asyncio
import json

import pytest

from dobook.patterns import Saga, StatefulWorkflow


class Flow:
    """A workflow over HTTP."""

    def __init__(self, runtime, cls=StatefulWorkflow):
        self.runtime = runtime
        self.stub = runtime.register(cls, "FLOW").getByName("a")

    def __call__(self, path, **body):
        init = {"method": "POST", "body": json.dumps(body)} if body else {}
        answer = self.runtime.run(self.stub.fetch(f"http://flow/{path}", init))
        return answer.status, self.runtime.run(answer.json())


@pytest.fixture
def flow(runtime):
    return Flow(runtime)


class Failing(StatefulWorkflow):
    """Fails each step's first attempt."""

    async def run_step(self, name, data):
        data[name] = data.get(name, 0) + 1
        if data[name] == 1:
            raise RuntimeError(f"{name} is not ready")
        return data[name]


def test_steps_run_one_by_one_until_it_is_completed(flow):
    assert flow("create", steps=["a", "b"])[1]["workflow"]["status"] == "pending"
    assert flow("execute")[1]["step"]["name"] == "a"
    status, answer = flow("execute")
    assert (status, answer["workflow"]["status"]) == (200, "completed")
    steps = flow("status")[1]["workflow"]["steps"]
    assert [step["completedAt"] - step["startedAt"] for step in steps] == [100, 100]
    assert flow("execute") == (400, {"error": "Cannot execute: completed"})


def test_what_is_not_there_cannot_be_used(flow):
    assert flow("status") == (200, {"exists": False, "workflow": None})
    assert flow("execute") == (404, {"error": "No workflow"})
    assert flow("cancel") == (404, {"error": "No workflow"})
    assert flow("pause") == (400, {"error": "Cannot pause"})
    assert flow("resume") == (400, {"error": "Cannot resume"})
    assert flow("retry") == (400, {"error": "Cannot retry"})
    assert flow("dance") == (400, {"error": "Unknown action"})
    assert flow("create", names=["a"])[0] == 500


def test_it_is_created_once(flow):
    flow("create", steps=["a"])
    assert flow("create", steps=["b"]) == (409, {"error": "Workflow already exists"})
    assert flow("cancel") == (200, {"success": True})
    assert flow("create", steps=["b"])[0] == 200


def test_a_paused_one_does_not_go_on_before_it_is_resumed(flow):
    flow("create", steps=["a", "b"])
    assert flow("pause")[0] == 400  # not begun
    flow("execute")
    assert flow("pause")[0] == 200
    assert flow("execute") == (400, {"error": "Cannot execute: paused"})
    assert flow("resume")[0] == 200
    assert flow("execute")[1]["workflow"]["status"] == "completed"


def test_it_goes_on_where_it_was_after_eviction(flow):
    flow("create", steps=["a", "b"])
    flow("execute")
    flow.runtime.run(flow.runtime.evict(flow.stub))
    assert flow("execute")[1]["step"]["name"] == "b"


def test_a_failed_step_can_be_tried_again(runtime):
    flow = Flow(runtime, Failing)
    flow("create", steps=["a"])
    assert flow("execute") == (500, {"success": False, "error": "a is not ready"})
    assert flow("execute") == (400, {"error": "Cannot execute: failed"})
    assert flow("retry")[0] == 200
    status, answer = flow("execute")
    assert (status, answer["step"]["attempts"]) == (200, 2)
    assert "error" not in answer["step"]
    assert "error" not in answer["workflow"]


def test_a_step_under_way_is_not_begun_twice(flow):
    flow("create", steps=["a", "b"])

    async def both():
        answers = await asyncio.gather(*(flow.stub.fetch("http://flow/execute") for _ in range(2)))
        return [answer.status for answer in answers]

    assert sorted(flow.runtime.run(both())) == [200, 409]
    assert flow("status")[1]["workflow"]["currentStep"] == 1


class SlowlyFailing(StatefulWorkflow):
    async def run_step(self, name, data):
        await asyncio.sleep(1)
        raise RuntimeError("too late")


def test_a_step_that_fails_after_its_workflow_was_cancelled_leaves_nothing(runtime):
    flow = Flow(runtime, SlowlyFailing)
    flow("create", steps=["a"])

    async def both():
        paths = ("execute", "cancel")
        answers = await asyncio.gather(*(flow.stub.fetch(f"http://flow/{path}") for path in paths))
        return [(answer.status, dict(await answer.json())) for answer in answers]

    assert runtime.run(both()) == [
        (500, {"success": False, "error": "too late"}),
        (200, {"success": True}),
    ]
    assert flow("status") == (200, {"exists": False, "workflow": None})
    runtime.run(runtime.evict(flow.stub))
    assert flow("status") == (200, {"exists": False, "workflow": None})


class Trip(Saga):
    """Notes what it does; the steps named in `data["broken"]` never work."""

    log: list = []  # noqa: RUF012 - outlives the instances; `log_` empties it for each test

    async def run_step(self, name, data, key):
        self.log.append(f"do {name}")
        data["tries"] = data.get("tries", 0) + 1
        if name in data.get("broken", []) or data["tries"] <= data.get("fails", 0):
            raise RuntimeError("no answer")
        return key.rpartition(":")[2]

    async def undo_step(self, name, data, key):
        self.log.append(f"undo {name}")


@pytest.fixture
def trip(runtime):
    Trip.log.clear()
    return runtime.register(Trip, "TRIP").getByName("a")


def test_a_saga_runs_by_itself(runtime, trip):
    runtime.run(trip.start(["flight", "hotel", "car"]))
    runtime.advance("1s")
    state = runtime.run(trip.status())
    assert state["status"] == "completed"
    assert [step["result"] for step in state["steps"]] == ["0", "1", "2"]
    assert Trip.log == ["do flight", "do hotel", "do car"]
    assert runtime.scheduled_alarms() == []


def test_a_step_that_fails_is_tried_again_with_growing_waits(runtime, trip):
    runtime.run(trip.start(["flight"], {"fails": 2}))
    runs = runtime.advance("1m")
    began = runtime.run(trip.status())["createdAt"]
    assert [run.ran_ms - began for run in runs] == [1_000, 3_000]  # the first needed no time
    state = runtime.run(trip.status())
    assert (state["status"], state["steps"][0]["attempts"]) == ("completed", 3)
    assert "error" not in state["steps"][0]


def test_a_step_that_never_works_has_what_was_done_undone_in_reverse(runtime, trip):
    runtime.run(trip.start(["flight", "hotel", "car"], {"broken": ["car"]}))
    runtime.advance("1m")
    state = runtime.run(trip.status())
    assert state["status"] == "failed"
    assert state["error"] == "car: no answer"
    assert [step["status"] for step in state["steps"]] == ["undone", "undone", "failed"]
    assert Trip.log == ["do flight", "do hotel", *["do car"] * 3, "undo hotel", "undo flight"]


def test_a_step_in_which_the_object_dies_every_time_is_given_up(runtime):
    class Deadly(Trip):
        async def run_step(self, name, data, key):
            if name == "bomb":
                self.log.append("tick")
                await asyncio.sleep(60)

    Trip.log.clear()
    deadly = runtime.register(Deadly, "TRIP").getByName("a")
    runtime.run(deadly.start(["flight", "bomb"]))
    for _ in range(3):
        runtime.advance("30s")
        runtime.crash(deadly)
    runtime.advance("1h")
    state = runtime.run(deadly.status())
    assert (state["status"], state["error"]) == (
        "failed",
        "bomb: the object died in the middle of it",
    )
    assert Trip.log == ["tick", "tick", "tick", "undo flight"]


def test_an_undo_that_fails_is_repeated_for_as_long_as_it_takes(runtime):
    class Stubborn(Trip):
        async def undo_step(self, name, data, key):
            data["undone"] = data.get("undone", 0) + 1
            if data["undone"] <= 20:
                raise RuntimeError("not now")

    trip = runtime.register(Stubborn, "TRIP").getByName("a")
    runtime.run(trip.start(["flight", "car"], {"broken": ["car"]}))
    runtime.advance("5h")
    state = runtime.run(trip.status())
    assert (state["status"], state["steps"][0]["error"]) == ("undoing", "undo: not now")
    runtime.advance("1d")
    state = runtime.run(trip.status())
    assert state["status"] == "failed"
    assert [step["status"] for step in state["steps"]] == ["undone", "failed"]
    assert state["data"]["undone"] == 21


def test_a_first_step_that_fails_leaves_nothing_to_undo(runtime, trip):
    runtime.run(trip.start(["flight"], {"broken": ["flight"]}))
    runtime.advance("1m")
    assert runtime.run(trip.status())["status"] == "failed"
    assert "undo flight" not in Trip.log


def test_the_attempts_survive_a_crash_in_the_middle_of_a_step(runtime):
    class Slow(Trip):
        async def run_step(self, name, data, key):
            self.log.append("begun")
            await asyncio.sleep(30)

    Trip.log.clear()
    slow = runtime.register(Slow, "TRIP").getByName("a")
    runtime.run(slow.start(["flight"]))
    runtime.advance("1s")
    runtime.crash(slow)
    runtime.advance("10m")
    state = runtime.run(slow.status())
    assert (state["status"], state["steps"][0]["attempts"]) == ("completed", 2)
    assert Trip.log == ["begun", "begun"]


def test_a_paused_saga_waits_for_ever(runtime, trip):
    runtime.run(trip.start(["flight", "hotel"], {"fails": 1}))
    runtime.settle()
    runtime.run(trip.pause())
    assert runtime.advance("1d") == []
    with pytest.raises(ValueError, match="not running, its status is paused"):
        runtime.run(trip.pause())
    runtime.run(trip.resume())
    runtime.advance("1s")
    assert runtime.run(trip.status())["status"] == "completed"


def test_a_saga_over_http(runtime):
    flow = Flow(runtime, Trip)
    assert flow("status") == (200, {"status": "none", "steps": []})
    assert flow("create", steps=["a"], data={"fails": 1})[0] == 200
    assert flow("create", steps=["a"]) == (409, {"error": "the saga exists already"})
    assert flow("resume")[0] == 409
    assert flow("elsewhere") == (404, {"error": "Unknown action"})
    assert flow("pause")[1]["status"] == "paused"
    assert flow("resume")[1]["status"] == "running"


def test_a_saga_has_steps(runtime, trip):
    with pytest.raises(ValueError, match="at least one step"):
        runtime.run(trip.start([]))
