"""Many jobs on one alarm."""

import asyncio
import time

import pytest

from dobook.patterns import Schedule


class Notes(Schedule):
    """Notes each run: the job and when, in s since the start."""

    ran: list = []  # noqa: RUF012 - outlives the instances
    fails: dict = {}  # noqa: RUF012

    async def run(self, name, payload):
        self.ran.append((name, int(time.time() * 1000) % 86_400_000 // 1000))
        if self.fails.get(name, 0):
            self.fails[name] -= 1
            raise RuntimeError("not now")


@pytest.fixture
def notes(runtime):
    Notes.ran.clear()
    Notes.fails.clear()
    return runtime.register(Notes, "NOTES").getByName("a")


def test_jobs_run_in_the_order_of_their_times(runtime, notes):
    for name, seconds in (("c", 30), ("a", 10), ("b", 20)):
        runtime.run(notes.add(name, seconds * 1000))
    assert [job["name"] for job in runtime.run(notes.jobs())] == ["a", "b", "c"]
    runtime.advance("1m")
    assert Notes.ran == [("a", 10), ("b", 20), ("c", 30)]
    assert runtime.run(notes.jobs()) == []
    assert runtime.scheduled_alarms() == []


def test_the_alarm_is_that_of_the_earliest_job(runtime, notes):
    runtime.run(notes.add("late", 60_000))
    runtime.run(notes.add("early", 10_000))
    (alarm,) = runtime.scheduled_alarms()
    assert alarm.due_ms - runtime.clock.now_ms == 10_000
    assert runtime.run(notes.remove("early")) is True
    assert runtime.run(notes.remove("early")) is False
    (alarm,) = runtime.scheduled_alarms()
    assert alarm.due_ms - runtime.clock.now_ms == 60_000
    runtime.run(notes.remove("late"))
    assert runtime.scheduled_alarms() == []


def test_a_recurring_job_keeps_its_beat(runtime, notes):
    runtime.run(notes.add("beat", 10_000, every_ms=20_000))
    runtime.advance("75s")
    assert [at for _, at in Notes.ran] == [10, 30, 50, 70]


def test_adding_a_job_again_replaces_it(runtime, notes):
    runtime.run(notes.add("a", 10_000))
    runtime.run(notes.add("a", 30_000))
    runtime.advance("1m")
    assert Notes.ran == [("a", 30)]


def test_a_failing_job_is_tried_again_and_does_not_hold_up_the_others(runtime, notes):
    Notes.fails["a"] = 2
    runtime.run(notes.add("a", 10_000))
    runtime.run(notes.add("b", 11_000))
    runtime.advance("1m")
    assert Notes.ran == [("a", 10), ("b", 11), ("a", 12), ("a", 16)]
    assert runtime.run(notes.jobs()) == []


def test_a_job_that_never_works_is_dropped_and_a_recurring_one_waits_for_its_turn(runtime, notes):
    Notes.fails.update(once=9, daily=9)
    runtime.run(notes.add("once", 0))
    runtime.run(notes.add("daily", 0, every_ms=86_400_000))
    runtime.advance("1h")
    assert sum(name == "once" for name, _ in Notes.ran) == 5
    (job,) = runtime.run(notes.jobs())
    assert (job["name"], job["attempts"]) == ("daily", 0)
    assert job["at_ms"] - runtime.clock.now_ms == 23 * 3_600_000


def test_a_job_may_remove_itself(runtime):
    class Thrice(Schedule):
        n = 0

        async def run(self, name, payload):
            Thrice.n += 1
            if Thrice.n == 3:
                await self.remove(name)

    thrice = runtime.register(Thrice, "THRICE").getByName("a")
    runtime.run(thrice.add("a", 1_000, every_ms=1_000))
    runtime.advance("1h")
    assert Thrice.n == 3
    assert runtime.run(thrice.jobs()) == []


def test_every_needs_a_positive_length(runtime, notes):
    with pytest.raises(ValueError, match="every_ms"):
        runtime.run(notes.add("a", 0, every_ms=0))


def test_a_schedule_survives_eviction(runtime, notes):
    runtime.run(notes.add("a", 3_600_000))
    runtime.run(runtime.evict(notes))
    runtime.advance("1h")
    assert Notes.ran == [("a", 3600)]


def test_a_job_in_which_the_object_dies_every_time_does_not_stop_the_others(runtime):
    class Deadly(Notes):
        async def run(self, name, payload):
            self.ran.append((name, 0))
            if name == "bomb":
                await asyncio.sleep(600)

    Notes.ran.clear()
    deadly = runtime.register(Deadly, "NOTES").getByName("a")
    runtime.run(deadly.add("bomb", 0))
    runtime.run(deadly.add("after", 1))
    for _ in range(5):
        runtime.run(deadly.jobs())
        runtime.advance("90s")
        runtime.crash(deadly)
    runtime.advance("1h")
    assert [name for name, _ in Notes.ran].count("bomb") == 5
    assert Notes.ran[-1][0] == "after"
    assert runtime.run(deadly.jobs()) == []
