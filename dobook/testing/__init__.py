"""Durable Objects in a project's own tests: alarms, races and evictions in milliseconds.

The pytest plugin gives three fixtures, `durable_objects`, `clock` and `stub`; it is there as soon as
dobook is installed (or with `pytest -p dobook`) and does nothing until a test asks for one::

    from entry import Counter


    async def test_nothing_is_lost(durable_objects, stub):
        counter = stub(Counter, "a")
        await durable_objects.race(*[counter.increment() for _ in range(10)])
        assert await counter.increment() == 11

Tests may be coroutines, with pytest-asyncio or anyio, or plain functions that use
`durable_objects.run(...)`. `state_machine(Class)` makes a Hypothesis test whose calls, schedules
and faults shrink together.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dobook.testing.clock import TestClock
    from dobook.testing.machine import state_machine
    from dobook.testing.objects import DurableObjects

__all__ = ["DurableObjects", "TestClock", "state_machine"]

_HOME = {
    "DurableObjects": "dobook.testing.objects",
    "TestClock": "dobook.testing.clock",
    "state_machine": "dobook.testing.machine",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'dobook.testing' has no attribute {name!r}")
