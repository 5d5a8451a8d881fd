"""Promises: awaitables that have begun, which asyncio takes wherever it takes coroutines."""

import asyncio

import pytest

from dobook.runtime.calls.promise import NOTHING, Rejected, Resolved


def step(promise):
    """Return what awaiting gives without any loop; it must not yield."""
    with pytest.raises(StopIteration) as ended:
        promise.send(None)
    return ended.value.value


def test_a_resolved_promise_does_not_yield():
    assert step(Resolved(5)) == 5
    assert step(NOTHING) is None


def test_a_rejected_promise_raises_what_it_was_given():
    with pytest.raises(KeyError, match="why"):
        Rejected(KeyError("why")).send(None)


async def test_promises_are_awaited_gathered_and_made_into_tasks():
    assert await Resolved(1) == 1
    assert await asyncio.gather(Resolved(1), Resolved(2)) == [1, 2]
    assert await asyncio.create_task(Resolved(3)) == 3
    assert await asyncio.wait_for(Resolved(4), timeout=1) == 4
    assert await asyncio.ensure_future(Resolved(5)) == 5
    with pytest.raises(ValueError, match="no"):
        await Rejected(ValueError("no"))


async def test_one_promise_may_be_awaited_again():
    promise = Resolved([1])
    assert await promise is await promise


def test_closing_one_that_was_never_awaited_is_quiet():
    Resolved(1).close()
    Rejected(ValueError("nobody awaits it")).close()


def test_promises_show_themselves():
    assert "5" in repr(Resolved(5))
    assert "ValueError" in repr(Rejected(ValueError("x")))


async def test_calls_are_promises_too(runtime):
    class Echo:
        def __init__(self, ctx, env): ...

        async def echo(self, value):
            await asyncio.sleep(1)
            return value

    echo = runtime.register(Echo).getByName("a")
    assert await asyncio.gather(*[asyncio.create_task(echo.echo(n)) for n in range(3)]) == [0, 1, 2]
    assert await asyncio.wait_for(echo.echo("in time"), timeout=60) == "in time"
    promise = echo.echo(7)
    assert "pending" in repr(promise)
    await promise
    assert "done" in repr(promise)


async def test_a_task_of_a_promise_shows_itself_without_asking_the_other_side(runtime):
    class Plain:
        def __init__(self, ctx, env): ...

        async def value(self):
            return 5

    task = asyncio.ensure_future(runtime.register(Plain).getByName("a").value())
    assert "remote" not in repr(task)
    assert await task == 5
    assert "remote" not in repr(task)
