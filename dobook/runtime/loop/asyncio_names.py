"""The names of asyncio that are not public and that dobook uses, all in this file.

`RuntimeLoop` (loop.py) also overrides what its base class calls. A test looks at each name on every
version of Python. Two of them, `_enter_task` and `_leave_task`, are documented for those who write
tasks of their own.

Source: docs.python.org/3/library/asyncio-extending.html, CPython's Lib/asyncio
"""

import asyncio
from asyncio import events, futures, tasks
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any, Final

enter_task: Final[Callable[[Any, Any], None]] = tasks._enter_task
leave_task: Final[Callable[[Any, Any], None]] = tasks._leave_task
# Since Python 3.12; there is one current task for a whole thread since 3.14.
swap_current_task: Final[Callable[[Any, Any], Any] | None] = getattr(
    tasks, "_swap_current_task", None
)
get_running_loop: Final[Callable[[], asyncio.AbstractEventLoop | None]] = events._get_running_loop
set_running_loop: Final[Callable[[asyncio.AbstractEventLoop | None], None]] = (
    events._set_running_loop
)
# The callback of the timer that `asyncio.sleep` waits for.
set_result_unless_cancelled: Final[Callable[..., object]] = futures._set_result_unless_cancelled  # type: ignore[attr-defined]
GatheringFuture: Final[type] = tasks._GatheringFuture  # type: ignore[attr-defined]


def waits_for(task: "asyncio.Task[Any]") -> Any:
    """Return what a task waits for, None if it is ready to run."""
    return task._fut_waiter  # type: ignore[attr-defined]


def children_of(gathering: Any) -> Sequence[Any]:
    """Return what a future of `asyncio.gather` waits for."""
    children: Sequence[Any] = gathering._children
    return children


def task_of(handle: asyncio.Handle) -> Any:
    """Return the object whose method a handle calls; for a task's step, the task."""
    return getattr(callback_of(handle), "__self__", None)


def context_of(handle: asyncio.Handle) -> Context:
    """Return the context in which a handle's callback runs."""
    context: Context = handle._context  # type: ignore[attr-defined]
    return context


def callback_of(handle: asyncio.Handle) -> Any:
    """Return what a handle calls."""
    return handle._callback  # type: ignore[attr-defined]


def arguments_of(handle: asyncio.Handle) -> tuple[Any, ...]:
    """Return what a handle calls its callback with."""
    return tuple(handle._args)


def is_set(timer: asyncio.TimerHandle) -> bool:
    """Return whether a timer is still to run."""
    return bool(timer._scheduled) and not timer.cancelled()  # type: ignore[attr-defined]


def run(handle: asyncio.Handle) -> None:
    """Call a handle's callback in its context, as the loop does."""
    handle._run()
