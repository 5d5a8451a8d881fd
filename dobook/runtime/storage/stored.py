"""What storage operations return: the outcome is there, and awaiting it is still a turn.

On the platform the promise of a storage operation resolves some microtasks later. The object's other
tasks that are ready run in between, other events do not. Without such tasks nobody can see a
difference, and awaiting does not wait at all.

Source: counted in workerd, and recorded with Cloudflare's Python SDK in Pyodide; see `tests/turns`
"""

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dobook.gates import open_gate
from dobook.runtime.calls.promise import _Own
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.loop.own_tasks import others_may_run
from dobook.runtime.loop.task_waits import StorageTurn

if TYPE_CHECKING:
    from dobook.runtime.protocols import Instance

_LATE_TICKS: Final = 2  # for a promise that has resolved already: its callback, then the task


class Stored(_Own):
    """The outcome of a storage operation."""

    # Who stored, the value and the loop's tick, together: an attribute of a class with a `__getattr__`
    # is slow to read.
    __slots__ = ("_state",)

    _TICKS: ClassVar = 4  # of the loop: three microtasks until it resolves, then the task's step

    def __init__(self, instance: "Instance", value: object) -> None:
        self._state = (instance, value, instance.runtime.loop.tick)

    def __await__(self) -> Generator[Any, None, Any]:
        instance, value, since = self._state
        if instance.tasks:
            yield from _turn(instance, since + self._TICKS)
        return value

    @property
    def _value(self) -> Any:
        return self._state[1]

    async def _run(self) -> Any:
        """Return a coroutine of this promise, which may be that of several tasks."""
        return await self

    def __repr__(self) -> str:
        return f"<resolved {self._value!r}>"


class StoredAlarm(Stored):
    """The outcome of `getAlarm`, which is there a microtask earlier."""

    __slots__ = ()

    _TICKS = 3


def _turn(instance: "Instance", until: int) -> Generator[Any, None, None]:
    """Let the object's other tasks run until a tick of the loop, if any may be ready."""
    loop = instance.runtime.loop
    if instance.dead is not None or not others_may_run(instance, asyncio.current_task(loop)):
        return
    frame = current_frame.get()
    gate = open_gate(instance.gate if frame is None else frame.gate)
    turn = StorageTurn(loop, gate, max(_LATE_TICKS, until - loop.tick))
    try:
        yield turn
    finally:
        turn.leave()
