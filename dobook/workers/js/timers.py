"""JavaScript's timers, on the runtime's clock; in an object a timer is an event of it.

Source: developers.cloudflare.com/workers/runtime-apis/web-standards/
"""

import asyncio
import itertools
from typing import Any

from dobook.errors import PlatformError
from dobook.workers.js.objects import relaxed

_GLOBAL_SCOPE = (
    "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), "
    "setting a timeout, and generating random values are not allowed within global scope. To fix "
    "this error, perform this operation within a handler."
)
_ids = itertools.count(1)
_tasks: dict[int, asyncio.Task[None]] = {}


def setTimeout(callback: Any, delay: float | None = 0, *args: Any) -> int:
    """Call a function later.

    Args:
        callback: The function; it may be asynchronous.
        delay: In ms.
        *args: What it is called with.

    Returns:
        A number for `clearTimeout`.

    Raises:
        PlatformError: Outside of handlers.
    """
    return _started(callback, delay, args, repeat=False)


def setInterval(callback: Any, delay: float | None = 0, *args: Any) -> int:
    """Call a function again and again, every `delay` ms; returns a number for `clearInterval`."""
    return _started(callback, delay, args, repeat=True)


def clearTimeout(timer: Any = None) -> None:
    """Cancel a timer; an unknown one is ignored."""
    task = _tasks.pop(timer, None) if isinstance(timer, int) else None
    if task is not None:
        task.cancel()


clearInterval = clearTimeout


class Scheduler:
    """JavaScript's `scheduler`."""

    def wait(self, delay: float | None = 0, options: Any = None) -> "asyncio.Task[None]":
        """Return a promise that is kept after `delay` ms.

        Args:
            delay: In ms.
            options: None; `signal` is not offered.

        Raises:
            PlatformError: Outside of handlers.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise PlatformError(_GLOBAL_SCOPE) from None
        return loop.create_task(asyncio.sleep(max(float(delay or 0), 0) / 1000))

    def __repr__(self) -> str:
        return "<js.scheduler>"


def queueMicrotask(callback: Any) -> None:
    """Call a function as soon as the code that runs now waits for something."""
    setTimeout(callback, 0)


def _started(callback: Any, delay: float | None, args: tuple[Any, ...], *, repeat: bool) -> int:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise PlatformError(_GLOBAL_SCOPE) from None
    number = next(_ids)
    seconds = max(float(delay or 0), 0) / 1000
    task = loop.create_task(_run(callback, seconds, args, repeat=repeat))
    _tasks[number] = task
    task.add_done_callback(lambda _done: _tasks.pop(number, None))
    return number


async def _run(callback: Any, seconds: float, args: tuple[Any, ...], *, repeat: bool) -> None:
    while True:
        await asyncio.sleep(seconds)
        result = relaxed(callback, *args)
        if hasattr(type(result), "__await__"):
            await result
        if not repeat:
            return
