"""Who turns the loop: a script, another loop, a test; and what cannot be turned."""

import asyncio
import contextvars
import signal
import threading

import pytest

from dobook.errors import DeadlockError, UsageError
from dobook.runtime.access import kernel_of


class Talker:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.log = []

    async def wait(self, ms, value=None):
        self.log.append(f"{value} begins")
        await asyncio.sleep(ms / 1000)
        self.log.append(f"{value} ends")
        return value

    async def noted(self):
        return self.log

    async def fail(self):
        raise ValueError("told to")

    async def never(self):
        await asyncio.Future()

    async def turn(self, runtime_method):
        try:
            runtime_method()
        except UsageError as error:
            return str(error)
        return "turned"

    async def say(self, text):
        print(text)

    async def spin(self):
        while True:
            pass

    async def interrupt_and_wait(self):
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(3_600)

    async def interrupt_and_spin(self):
        signal.raise_signal(signal.SIGINT)
        while True:
            pass


@pytest.fixture
def talkers(runtime):
    return runtime.register(Talker)


@pytest.fixture
def talker(talkers):
    return talkers.getByName("a")


INTERLEAVED = ["1 begins", "2 begins", "3 begins", "3 ends", "2 ends", "1 ends"]


async def three_at_once(talker):
    return await asyncio.gather(talker.wait(30, 1), talker.wait(20, 2), talker.wait(10, 3))


# ---------------------------------------------------------------------- from where


def test_a_script_runs_a_call_or_a_coroutine(runtime, talker):
    assert runtime.run(talker.wait(1, "call")) == "call"

    async def main():
        return await talker.wait(1, "coroutine")

    assert runtime.run(main()) == "coroutine"


def test_gathered_calls_interleave_in_a_script(runtime, talker):
    assert runtime.run(three_at_once(talker)) == [1, 2, 3]
    assert runtime.run(talker.noted()) == INTERLEAVED


def test_gathered_calls_interleave_under_asyncio_run(runtime, talker):
    start = runtime.clock.now_ms

    async def main():
        return await three_at_once(talker), await talker.noted()

    assert asyncio.run(main()) == ([1, 2, 3], INTERLEAVED)
    assert runtime.clock.now_ms == start + 30


async def test_gathered_calls_interleave_in_an_async_test(runtime, talker):
    assert await three_at_once(talker) == [1, 2, 3]
    assert await talker.noted() == INTERLEAVED


async def test_tasks_of_another_loop_interleave_too(runtime, talker):
    async with asyncio.TaskGroup() as group:
        for value, ms in [(1, 30), (2, 20), (3, 10)]:
            group.create_task(talker.wait(ms, value))
    assert await talker.noted() == INTERLEAVED


async def test_a_call_that_answers_goes_on_before_time_moves_for_the_others(runtime, talkers):
    """What awaits the short call may call again at that very instant."""
    start = runtime.clock.now_ms

    async def short():
        await talkers.getByName("short").wait(10)
        first = runtime.clock.now_ms - start
        await talkers.getByName("short").wait(10)
        return first, runtime.clock.now_ms - start

    async def long():
        await talkers.getByName("long").wait(1_000)

    times, _ = await asyncio.gather(short(), long())
    assert times == (10, 20)


async def test_run_works_inside_another_running_loop_as_in_a_cell(runtime, talker):
    assert runtime.run(talker.wait(5, "inside")) == "inside"
    assert asyncio.get_running_loop() is not kernel_of(runtime).loop
    assert asyncio.current_task() is not None


async def test_run_works_in_a_callback_of_another_loop_where_no_task_is_current(runtime, talker):
    loop = asyncio.get_running_loop()
    answer = loop.create_future()

    def callback():
        try:
            answer.set_result(runtime.run(talker.wait(10, "a")))
        except BaseException as error:
            answer.set_exception(error)

    loop.call_soon(callback)
    assert await answer == "a"


async def test_time_moves_from_inside_another_loop(runtime, talker):
    start = runtime.clock.now_ms
    promise = talker.wait(1_000, "done")
    assert runtime.advance(999) == []
    runtime.advance(1)
    assert runtime.clock.now_ms == start + 1_000
    assert await promise == "done"
    assert runtime.clock.now_ms == start + 1_000


def test_a_call_is_on_its_way_before_it_is_awaited(runtime, talker):
    promise = talker.wait(10, "eager")
    runtime.settle()
    assert runtime.run(talker.noted()) == ["eager begins"]
    runtime.advance(10)
    assert runtime.run(promise) == "eager"


def test_an_answer_may_be_awaited_twice(runtime, talker):
    async def main():
        promise = talker.wait(1, "again")
        return [await promise, await promise, await wait_for(promise)]

    assert runtime.run(main()) == ["again"] * 3


@pytest.mark.parametrize("way", ["run", "gather"])
def test_an_answer_may_be_taken_twice_by_run_or_gather(runtime, talker, way):
    promise = talker.wait(1, "again")
    if way == "run":
        answers = [runtime.run(promise), runtime.run(promise)]
    else:

        async def main():
            return [*await asyncio.gather(promise), *await asyncio.gather(promise)]

        answers = runtime.run(main())
    assert answers == ["again"] * 2


async def wait_for(promise):
    return await promise


def test_an_error_reaches_whoever_awaits(runtime, talker):
    with pytest.raises(ValueError, match="told to"):
        runtime.run(talker.fail())
    with pytest.raises(ValueError, match="told to"):
        asyncio.run(wait_for(talker.fail()))


async def test_one_failing_call_of_several_leaves_the_others_alone(runtime, talker):
    results = await asyncio.gather(
        talker.wait(5, "good"), talker.fail(), talker.wait(1, "better"), return_exceptions=True
    )
    assert results[0] == "good"
    assert isinstance(results[1], ValueError)
    assert results[2] == "better"


async def test_a_cancelled_wait_does_not_stop_the_call(runtime, talker):
    waiting = asyncio.create_task(wait_for(talker.wait(50, "goes on")))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    runtime.advance(50)
    assert await talker.noted() == ["goes on begins", "goes on ends"]


def test_awaiting_without_any_loop_says_what_to_do(runtime, talker):
    with pytest.raises(UsageError, match=r"runtime\.run\(stub\.method\(\)\)"):
        next(talker.noted().__await__())


def test_a_thread_may_turn_the_loop_when_nobody_else_does(runtime, talker):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(runtime.run(talker.wait(5, "there"))))
    thread.start()
    thread.join(timeout=10)
    assert answers == ["there"]
    assert runtime.run(talker.wait(1, "here")) == "here"


def test_two_runtimes_turn_side_by_side(runtime, talker, open_runtime):
    other = open_runtime()
    start = other.clock.now_ms
    theirs = other.register(Talker).getByName("a")

    async def main():
        return await asyncio.gather(talker.wait(5, 1), theirs.wait(7, 2))

    assert asyncio.run(main()) == [1, 2]
    assert (runtime.clock.now_ms, other.clock.now_ms) == (start + 5, start + 7)


# ---------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("method", ["settle", "advance", "run"])
def test_turning_the_loop_from_inside_itself_says_what_to_do(runtime, talkers, method):
    said = []

    class Nested:
        def __init__(self, ctx, env): ...

        async def turn(self):
            try:
                if method == "run":
                    runtime.run(asyncio.sleep(1))
                elif method == "advance":
                    runtime.advance(1)
                else:
                    runtime.settle()
            except UsageError as error:
                said.append(str(error))

    runtime.run(runtime.register(Nested).getByName("a").turn())
    assert len(said) == 1
    assert "await" in said[0]


def test_two_objects_that_wait_for_each_other_are_named(runtime):
    class Polite:
        def __init__(self, ctx, env):
            self.ctx = ctx
            self.env = env

        async def after_you(self, other):
            async def wait():
                return await self.env.POLITE.getByName(other).answer()

            # A section would end by itself after 30 s; a plain future never does.
            return await wait()

        async def answer(self):
            await asyncio.Future()

    polite = runtime.register(Polite)
    with pytest.raises(DeadlockError) as caught:
        runtime.run(polite.getByName("a").after_you("b"))
    assert "POLITE/a rpc after_you" in str(caught.value)
    assert "POLITE/b rpc answer" in str(caught.value)


async def test_a_deadlock_is_named_on_another_loop_too(runtime, talker):
    with pytest.raises(DeadlockError, match="TALKER/a rpc never"):
        await talker.never()
    runtime.close()


def test_after_a_deadlock_the_runtime_goes_on(runtime, talker):
    with pytest.raises(DeadlockError):
        runtime.run(talker.never())
    assert runtime.run(talker.wait(1, "fine")) == "fine"


def test_what_a_handler_prints_is_heard_where_the_loop_is_turned(runtime, talker, capsys):
    runtime.run(talker.say("hello"))
    assert capsys.readouterr().out == "hello\n"


def test_handlers_see_the_context_of_whoever_turns_the_loop(runtime):
    variable = contextvars.ContextVar("cell", default="nobody")

    class Listener:
        def __init__(self, ctx, env): ...

        async def heard(self, ms):
            await asyncio.sleep(ms / 1000)
            return variable.get()

    listener = runtime.register(Listener).getByName("a")
    for cell in ("first", "second"):
        variable.set(cell)
        assert runtime.run(listener.heard(1)) == cell


def test_a_print_lands_where_the_newest_of_those_who_wait_is(runtime):
    variable = contextvars.ContextVar("cell", default="nobody")

    class Listener:
        def __init__(self, ctx, env): ...

        async def heard(self):
            return variable.get()

    async def cell(name):
        variable.set(name)
        return await runtime.register(Listener).getByName("a").heard()

    async def kernel():  # the second cell begins before the first one's turning has come to rest
        return [await asyncio.create_task(cell(name)) for name in ("first", "second")]

    assert asyncio.run(kernel()) == ["first", "second"]


# ---------------------------------------------------------------------- interrupts


@pytest.mark.parametrize("method", ["interrupt_and_wait", "interrupt_and_spin"])
def test_an_interrupt_stops_the_handler_and_leaves_the_runtime_usable(runtime, talkers, method):
    with pytest.raises(KeyboardInterrupt):
        runtime.run(getattr(talkers.getByName("a"), method)())
    assert runtime.run(talkers.getByName("a").wait(1, "fine")) == "fine"
    assert runtime.run(talkers.getByName("b").wait(1, "fine")) == "fine"


def test_the_signal_handler_is_put_back(runtime, talker):
    before = signal.getsignal(signal.SIGINT)
    runtime.run(talker.wait(1))
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        runtime.run(talker.interrupt_and_wait())
    assert signal.getsignal(signal.SIGINT) is before


def test_a_loop_that_ended_in_the_midst_of_it_is_no_hindrance_to_the_next(runtime, talker):
    async def main():
        return await talker.wait(1_000, 1)

    first = asyncio.new_event_loop()
    assert first.run_until_complete(main()) == 1  # it stops before it has looked for more calls
    assert asyncio.run(main()) == 1
    assert asyncio.run(main()) == 1
    assert first.run_until_complete(main()) == 1
    first.close()


def test_a_groups_errors_have_no_frames_of_dobook(runtime):
    class Grouping:
        def __init__(self, ctx, env): ...

        async def go(self):
            async with asyncio.TaskGroup() as group:
                group.create_task(self.fail())

        async def fail(self):
            await asyncio.sleep(1)
            raise OSError("in the group")

    with pytest.raises(ExceptionGroup) as caught:
        runtime.run(runtime.register(Grouping).getByName("a").go())
    (error,) = caught.value.exceptions
    assert error.__traceback__.tb_frame.f_code.co_name == "fail"


def test_a_deadlock_names_the_line_at_which_a_handler_waits(runtime, talker):
    with pytest.raises(DeadlockError, match=r"rpc never at line \d+, `await asyncio.Future\(\)`"):
        runtime.run(talker.never())
