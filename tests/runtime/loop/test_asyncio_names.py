"""The private names of asyncio that dobook uses mean, on this version of Python, what it takes them for."""

import asyncio
import contextvars
import re
import sys
from pathlib import Path

import pytest

import dobook
from dobook.runtime.loop import asyncio_names as names
from dobook.runtime.loop.loop import RuntimeLoop

PACKAGE = Path(dobook.__file__).parent
# What is private of asyncio's modules, tasks, futures, handles and loops.
PRIVATE = re.compile(
    r"\b(?:tasks|futures|events|base_events)\._\w+|\._fut_waiter\b|\bhandle\._\w+|\btimer\._\w+"
    r"|\bloop\._(?:ready|scheduled|thread_id|selector|run_once|clock_resolution|debug)\b"
    r"|\bimport .*\b_(?:enter|leave)_task\b|\b_GatheringFuture\b|import _get_running_loop"
)
HERE = ("runtime/loop/asyncio_names.py", "runtime/loop/loop.py")


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_no_other_file_of_dobook_uses_one():
    found = {
        path.relative_to(PACKAGE).as_posix(): hits
        for path in PACKAGE.rglob("*.py")
        if (hits := PRIVATE.findall(path.read_text("utf-8")))
    }
    assert found.keys() <= set(HERE), found


def test_a_task_says_what_it_waits_for(loop):
    async def main():
        future = loop.create_future()
        task = loop.create_task(wait(future))
        assert names.waits_for(task) is None  # it has not begun
        await asyncio.sleep(0)
        assert names.waits_for(task) is future
        future.set_result(1)
        await task

    async def wait(future):
        await future

    loop.run_until_complete(main())


def test_gather_says_what_it_waits_for(loop):
    async def main():
        children = [loop.create_future(), loop.create_future()]
        gathering = asyncio.gather(*children)
        assert type(gathering) is names.GatheringFuture
        assert list(names.children_of(gathering)) == children
        for child in children:
            child.set_result(None)
        await gathering

    loop.run_until_complete(main())


def test_a_handle_says_what_it_calls_and_with_what(loop):
    variable = contextvars.ContextVar("variable")
    context = contextvars.copy_context()
    context.run(variable.set, "set")
    handle = loop.call_soon(print, 1, 2, context=context)
    assert names.callback_of(handle) is print
    assert names.arguments_of(handle) == (1, 2)
    assert names.context_of(handle).get(variable) == "set"
    handle.cancel()


def test_a_step_of_a_task_is_told_from_other_handles():
    loop = RuntimeLoop(0)

    async def nothing():
        pass

    task = asyncio.Task(nothing(), loop=loop)
    other = loop.call_soon(print)
    step = next(handle for handle in loop.ready if handle is not other)
    assert names.task_of(step) is task
    assert not isinstance(names.task_of(other), asyncio.Task)
    other.cancel()
    loop.run_until_complete(task)
    loop.close()


def test_a_timer_is_set_until_it_has_run_or_is_cancelled():
    loop = RuntimeLoop(0)
    first, second = loop.call_later(1, print), loop.call_later(2, lambda: None)
    assert names.is_set(first)
    assert loop.timers() == [first, second]
    first.cancel()
    assert not names.is_set(first)
    assert loop.timers() == [second]
    loop.run_until_complete(asyncio.sleep(3))
    assert not names.is_set(second)
    loop.close()


def test_sleep_waits_for_a_timer_with_the_known_callback(loop, monkeypatch):
    seen = []
    call_at = loop.call_at

    def noted(when, callback, *args, **options):
        seen.append(callback)
        return call_at(when, callback, *args, **options)

    monkeypatch.setattr(loop, "call_at", noted)
    monkeypatch.setattr(
        loop, "call_later", lambda s, *rest, **o: noted(loop.time() + s, *rest, **o)
    )
    loop.run_until_complete(asyncio.sleep(0.001))
    assert names.set_result_unless_cancelled in seen


def test_the_current_task_is_entered_left_and_swapped(loop):
    async def main():
        task = asyncio.current_task()
        names.leave_task(loop, task)
        assert asyncio.current_task() is None
        names.enter_task(loop, task)
        assert asyncio.current_task() is task
        if names.swap_current_task is not None:
            assert names.swap_current_task(loop, None) is task
            assert names.swap_current_task(loop, task) is None
        assert names.get_running_loop() is loop
        names.set_running_loop(None)
        assert names.get_running_loop() is None
        names.set_running_loop(loop)

    assert (names.swap_current_task is not None) == (sys.version_info >= (3, 12))
    loop.run_until_complete(main())


def test_the_runtimes_loop_knows_its_thread_and_its_turns():
    loop = RuntimeLoop(0)
    assert loop.thread is None
    seen = []

    def outer():
        loop.call_soon(seen.append, "inner")
        seen.append(loop.thread)
        loop.turn_once()
        seen.append("outer")
        loop.stop()

    loop.call_soon(outer)
    loop.run_forever()
    assert seen[0] is not None
    assert seen[1:] == ["inner", "outer"]
    loop.close()
