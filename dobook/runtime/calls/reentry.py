"""`run_sync`: waiting for something in the middle of code that is not asynchronous.

Pyodide suspends the whole stack of the caller. Python cannot, so the loop is turned from inside:
everything else keeps running meanwhile, but nested `run_sync` calls finish last in, first out.
Source: pyodide.org/en/stable/usage/api/python-api/ffi.html#pyodide.ffi.run_sync
"""

import asyncio
from typing import Any

from dobook.errors import DeadlockError, UsageError
from dobook.gates import open_gate
from dobook.runtime.loop.asyncio_names import enter_task, leave_task
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.loop.loop import RuntimeLoop, running_loop


def run_sync(awaitable: object) -> Any:
    """Wait for an awaitable and return its result, in a function that is not asynchronous.

    Raises:
        UsageError: If no runtime's code is running.
        DeadlockError: If it can never be done.

    Example:
        >>> class Sleeper:
        ...     def __init__(self, ctx, env): ...
        ...     def nap(self):
        ...         return run_sync(asyncio.sleep(60, "rested"))
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     runtime.run(runtime.register(Sleeper).getByName("a").nap())
        'rested'
    """
    loop = running_loop()
    if not isinstance(loop, RuntimeLoop):
        if asyncio.iscoroutine(awaitable):
            awaitable.close()
        raise UsageError("run_sync() works inside an object or a Worker; elsewhere use await.")
    work = asyncio.ensure_future(_awaiting(awaitable), loop=loop)
    frame = current_frame.get()
    turning = asyncio.current_task(loop)
    if turning is not None:
        leave_task(loop, turning)
    try:
        while not work.done():
            if frame is not None:
                open_gate(frame.gate).readmit()
            if loop.is_stuck():
                work.cancel()
                raise DeadlockError(
                    "run_sync() waits for something that can never happen: nothing is ready and no "
                    "timer is set."
                )
            loop.turn_once()
    finally:
        if turning is not None:
            enter_task(loop, turning)
    return work.result()


async def _awaiting(awaitable: Any) -> Any:
    return await awaitable
