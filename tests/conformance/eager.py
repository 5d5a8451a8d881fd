"""Starting a coroutine at once, as JavaScript starts an async function.

In JavaScript the code up to the first `await` that has to wait runs where the function is called.
asyncio would begin on the next tick, too late for an order of events that was recorded. This is the
only module of the runner that knows the engine from the inside.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any

from dobook.runtime.loop.frame import current_frame
from dobook.runtime.loop.turns import ObjectTask, resume


def start(coro: Coroutine[Any, Any, Any]) -> "asyncio.Future[Any]":
    """Run a coroutine of an object up to its first wait; the rest becomes a task of the object."""
    loop = asyncio.get_running_loop()
    try:
        waits_for = coro.send(None)
    except StopIteration as stop:
        done = loop.create_future()
        done.set_result(stop.value)
        return done
    except Exception as error:
        failed = loop.create_future()
        failed.set_exception(error)
        return seen(failed)
    frame = current_frame.get()
    rest = resume(loop, frame, coro, waits_for, own=True)
    task = ObjectTask(rest, loop=loop, context=copy_context())
    frame.instance.adopt(task)
    return seen(task)


def seen(future: "asyncio.Future[Any]") -> "asyncio.Future[Any]":
    """Return a future whose error is no complaint of asyncio's if nobody awaits it."""
    future.add_done_callback(lambda done: None if done.cancelled() else done.exception())
    return future


def run_now(coro: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that must not wait for anything.

    Raises:
        RuntimeError: If it waits all the same.
    """
    try:
        coro.send(None)
    except StopIteration as stop:
        return stop.value
    coro.close()
    raise RuntimeError("asynchronous op inside a synchronous program")
