"""What a task of an object waits for that is not a future.

A future only schedules the task's next step. Whoever ends one of these waits decides when the step
runs, because it may take or keep a lock that others have to see.
"""

# ruff: noqa: D102 - the undocumented methods are those that asyncio expects of a future

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dobook.runtime.loop.loop import RuntimeLoop


class Wait:
    """A minimal awaitable with the methods that asyncio asks a future for."""

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_loop", "cancelled")

    def __init__(self, loop: "RuntimeLoop") -> None:
        self._loop = loop
        self._asyncio_future_blocking = True
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self.cancelled = False

    def get_loop(self) -> "RuntimeLoop":
        return self._loop

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        self._callback = callback
        self._context = context

    def remove_done_callback(self, _callback: Callable[[Any], object]) -> int:
        self._callback = None
        return 1

    def result(self) -> None:
        if self.cancelled:
            raise asyncio.CancelledError
