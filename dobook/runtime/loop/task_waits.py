"""What a task of an object waits for that is not a future.

A future only schedules the task's next step. The code that ends one of these waits decides when
the step runs, because it may take or keep a lock that others have to see.
"""

# ruff: noqa: D102 - the undocumented methods are those that asyncio expects of a future

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from dobook.gates import InputGate

if TYPE_CHECKING:
    from dobook.runtime.loop_base import Loop


class Wait:
    """A minimal awaitable with the methods that asyncio asks a future for."""

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_loop", "cancelled")

    def __init__(self, loop: "Loop") -> None:
        self._loop = loop
        self._asyncio_future_blocking = True
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self.cancelled = False

    def get_loop(self) -> "Loop":
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


class StorageTurn(Wait):
    """What a task waits for at a storage operation while its object has other work that is ready.

    On the platform the promise of a storage operation resolves after some microtasks of the same
    turn: the object's other tasks run meanwhile, events do not. asyncio's loop runs callbacks in
    the order of microtasks, so a tick of the loop stands for a microtask.

    Args:
        loop: The runtime's loop.
        gate: The object's gate, which is locked for everything but the object's own tasks.
        ticks: After how many ticks the task continues, at least 2.
    """

    __slots__ = ("_gate", "_over")

    def __init__(self, loop: "Loop", gate: InputGate, ticks: int) -> None:
        super().__init__(loop)
        self._over = False
        self._gate = gate
        gate.begin_turn()
        loop.call_soon(self._tick, ticks - 2)

    def _tick(self, left: int) -> None:
        if left:
            self._loop.call_soon(self._tick, left - 1)
        else:
            self._over = True
            self._wake()

    def _wake(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            self._loop.call_soon(callback, self, context=self._context)

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        super().add_done_callback(callback, context=context)
        if self._over:
            self._wake()

    def cancel(self, msg: object = None) -> bool:
        del msg
        if self._callback is None:
            return False
        self.cancelled = True
        self._wake()
        return True

    def leave(self) -> None:
        """Unlock the gate once the object's own tasks are quiet; the task is about to continue."""
        if not self._loop.is_closed():
            self._gate.leave_turn()
