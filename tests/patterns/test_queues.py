"""Queues that do their tasks, queues that lend them out, batches."""

import asyncio

import pytest

from dobook.patterns import Batcher, TaskQueue, WorkQueue

MOST_ITEMS, MOST_WAIT_MS = Batcher.MOST_ITEMS, Batcher.MOST_WAIT_MS


class Worker(TaskQueue):
    """Notes what it does; tasks that say so fail."""

    done: list = []  # noqa: RUF012 - outlives the instances
    fails: dict = {}  # noqa: RUF012

    async def process(self, task, number):
        self.done.append(task)
        if self.fails.get(task, 0):
            self.fails[task] -= 1
            raise RuntimeError("not now")


@pytest.fixture
def queue(runtime):
    Worker.done.clear()
    Worker.fails.clear()
    return runtime.register(Worker, "QUEUE").getByName("a")


def push(runtime, queue, *tasks):
    return [runtime.run(queue.push(task)) for task in tasks]


def test_tasks_are_done_in_the_order_they_came(runtime, queue):
    tasks = [f"task {i}" for i in range(50)]
    assert push(runtime, queue, *tasks) == list(range(1, 51))
    runtime.advance("1s")
    assert Worker.done == tasks
    assert runtime.run(queue.waiting()) == []
    assert runtime.scheduled_alarms() == []


def test_racing_pushes_get_different_numbers(runtime, queue):
    async def race():
        return await asyncio.gather(*(queue.push(i) for i in range(20)))

    assert sorted(runtime.run(race())) == list(range(1, 21))


def test_a_failing_task_holds_up_those_behind_it(runtime, queue):
    Worker.fails["a"] = 2
    push(runtime, queue, "a", "b")
    began = runtime.clock.now_ms
    runs = runtime.advance("1m")
    assert Worker.done == ["a", "a", "a", "b"]
    assert [run.ran_ms - began for run in runs] == [1_000, 3_000]  # the first try needed no time


def test_what_never_works_is_set_aside_and_can_be_revived(runtime, queue):
    Worker.fails["a"] = 5
    push(runtime, queue, "a", "b")
    runtime.advance("1h")
    assert Worker.done == ["a"] * 5 + ["b"]
    (letter,) = runtime.run(queue.dead())
    assert (letter["task"], letter["attempts"], letter["error"]) == ("a", 5, "not now")
    assert runtime.run(queue.revive(letter["number"])) == 3
    runtime.advance("1s")
    assert Worker.done[-1] == "a"
    assert runtime.run(queue.dead()) == []
    with pytest.raises(ValueError, match="no dead letter 1"):
        runtime.run(queue.revive(1))


def test_a_pushed_task_survives_a_crash(runtime, queue):
    Worker.fails["a"] = 1
    push(runtime, queue, "a")
    runtime.settle()
    runtime.crash(queue)
    runtime.advance("1m")
    assert Worker.done == ["a", "a"]


def test_a_task_in_which_the_object_dies_every_time_is_set_aside(runtime):
    class Deadly(Worker):
        async def process(self, task, number):
            self.done.append(task)
            if task == "bomb":
                await asyncio.sleep(60)

    Worker.done.clear()
    queue = runtime.register(Deadly, "QUEUE").getByName("a")
    push(runtime, queue, "bomb", "b")
    for _ in range(5):
        runtime.run(queue.waiting())  # an object that is called is in memory
        runtime.advance("40s")
        runtime.crash(queue)
    runtime.advance("1h")
    assert Worker.done[-1] == "b"
    (letter,) = runtime.run(queue.dead())
    assert (letter["task"], letter["error"]) == ("bomb", "the object died in the middle of it")


# ---------------------------------------------------------------------- lent out


@pytest.fixture
def jobs(runtime):
    return runtime.register(WorkQueue, "JOBS").getByName("a")


def test_the_oldest_free_task_is_lent_first_and_to_one_worker_only(runtime, jobs):
    push(runtime, jobs, "a", "b")
    first, second, third = (runtime.run(jobs.pull(1_000)) for _ in range(3))
    assert (first["task"], second["task"], third) == ("a", "b", None)
    assert runtime.run(jobs.size()) == {"free": 0, "lent": 2, "dead": 0}


def test_an_acknowledged_task_is_gone(runtime, jobs):
    push(runtime, jobs, "a")
    job = runtime.run(jobs.pull(1_000))
    assert runtime.run(jobs.acknowledge(job["number"], job["receipt"])) is True
    assert runtime.run(jobs.acknowledge(job["number"], job["receipt"])) is False
    runtime.advance("1h")
    assert runtime.run(jobs.pull()) is None


def test_a_lease_ends_to_the_millisecond_and_the_old_receipt_with_it(runtime, jobs):
    push(runtime, jobs, "a")
    slow = runtime.run(jobs.pull(1_000))
    runtime.advance(999)
    assert runtime.run(jobs.pull(1_000)) is None
    runtime.advance(1)
    quick = runtime.run(jobs.pull(1_000))
    assert (quick["task"], quick["attempt"]) == ("a", 2)
    assert runtime.run(jobs.acknowledge(slow["number"], slow["receipt"])) is False
    assert runtime.run(jobs.release(slow["number"], slow["receipt"])) is False
    assert runtime.run(jobs.acknowledge(quick["number"], quick["receipt"])) is True


def test_a_released_task_is_free_at_once(runtime, jobs):
    push(runtime, jobs, "a")
    job = runtime.run(jobs.pull())
    assert runtime.run(jobs.release(job["number"], job["receipt"])) is True
    assert runtime.run(jobs.pull())["attempt"] == 2


def test_a_task_that_kills_its_workers_is_set_aside(runtime, jobs):
    push(runtime, jobs, "poison", "b")
    for _ in range(5):
        assert runtime.run(jobs.pull(1))["task"] == "poison"
        runtime.advance(1)
    assert runtime.run(jobs.pull(1))["task"] == "b"
    assert runtime.run(jobs.size())["dead"] == 1


# ---------------------------------------------------------------------- batches


class Clicks(Batcher):
    """Notes its batches; fails as often as it is told to."""

    batches: list = []  # noqa: RUF012 - outlives the instances
    fails = 0

    async def flush(self, items, number):
        if Clicks.fails:
            Clicks.fails -= 1
            raise RuntimeError("the database is away")
        self.batches.append((number, len(items)))


@pytest.fixture
def clicks(runtime):
    Clicks.batches.clear()
    Clicks.fails = 0
    return runtime.register(Clicks, "CLICKS").getByName("a")


def add(runtime, clicks, n):
    async def go():
        return await asyncio.gather(*(clicks.add(i) for i in range(n)))

    return runtime.run(go())


def test_a_batch_is_handed_on_when_its_first_item_has_waited(runtime, clicks):
    add(runtime, clicks, 1)
    runtime.advance(MOST_WAIT_MS - 1)
    add(runtime, clicks, 2)
    assert Clicks.batches == []
    runtime.advance(1)
    assert Clicks.batches == [(1, 3)]
    assert runtime.scheduled_alarms() == []


def test_a_full_batch_is_handed_on_at_once(runtime, clicks):
    add(runtime, clicks, MOST_ITEMS + 3)
    runtime.settle()
    assert Clicks.batches == [(1, MOST_ITEMS)]
    runtime.advance(MOST_WAIT_MS)
    assert Clicks.batches == [(1, MOST_ITEMS), (2, 3)]


def test_a_batch_that_could_not_be_handed_on_is_tried_again(runtime, clicks):
    Clicks.fails = 2
    add(runtime, clicks, 3)
    runtime.advance("1m")
    assert Clicks.batches == [(1, 3)]


def test_a_new_item_brings_back_a_batch_that_the_platform_gave_up(runtime, clicks):
    Clicks.fails = 7
    add(runtime, clicks, 3)
    runtime.advance("1h")
    assert Clicks.batches == []
    add(runtime, clicks, 1)
    runtime.advance("1m")
    assert Clicks.batches == [(1, 4)]
