"""12 Production: a test that tells right from wrong."""

import inspect
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from dobook.errors import DobookError
from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Missing, Work
from dobook.testing import DurableObjects, TestClock

_HOLD_MS = 300_000


class _Right:
    """What is to be tested: a seat that is held for five minutes."""

    hold_ms: ClassVar[int] = _HOLD_MS

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx

    async def hold(self, who: str) -> bool:
        held = await self._get()
        if held is not None and held["who"] != who:
            return False
        until = int(time.time() * 1000) + self.hold_ms
        await self._put({"who": who, "until": until})
        await self.ctx.storage.setAlarm(until)
        return True

    async def holder(self) -> str | None:
        held = await self._get()
        return None if held is None else held["who"]

    async def alarm(self) -> None:
        await self._put(None)

    async def _get(self) -> dict[str, Any] | None:
        held: dict[str, Any] | None = await self.ctx.storage.get("held")
        return held

    async def _put(self, value: dict[str, Any] | None) -> None:
        await self.ctx.storage.put("held", value)


class _Generous(_Right):
    """Gives the seat to everyone who asks."""

    async def hold(self, who: str) -> bool:
        await self._put(None)
        return await super().hold(who)


class _Forgetful(_Right):
    """Keeps the seat in memory."""

    _held: dict[str, Any] | None = None

    async def _get(self) -> dict[str, Any] | None:
        return self._held

    async def _put(self, value: dict[str, Any] | None) -> None:
        self._held = value


class _Early(_Right):
    """Frees the seat a second early."""

    hold_ms = _HOLD_MS - 1_000


class _Never(_Right):
    """Never frees the seat."""

    async def alarm(self) -> None:
        pass


_WRONG: tuple[tuple[type[_Right], str, str], ...] = (
    (_Generous, "gives the seat to everyone", "hold it twice, for two people"),
    (_Forgetful, "forgets the seat with its instance", "durable_objects.evict(seat), then ask"),
    (_Early, "frees the seat a second early", "look a moment before the five minutes are over"),
    (_Never, "never frees the seat", "look when the five minutes are over"),
)


@exercise("production-1", "A function test_seat(durable_objects, clock) that finds four mistakes.")
def production_1(work: Work) -> Iterator[Point]:
    """Check that the test passes for the right class and fails for each of four wrong ones."""
    test = work.variable("test_seat", "a function, test_seat(durable_objects, clock).")
    if not callable(test):
        raise Missing("test_seat is not a function.")
    if inspect.iscoroutinefunction(test):
        raise Missing(
            "test_seat is a coroutine. Make it a plain function, and await with "
            "durable_objects.run(...)."
        )
    if not {*inspect.signature(test).parameters} <= {"durable_objects", "clock"}:
        raise Missing("test_seat takes durable_objects and clock, and nothing else.")
    problem = _failure(test, _Right)
    if problem is not None:
        raise Missing(f"it fails for a class that is right: {problem}")
    yield Point(holds=True, text="it passes for a class that is right")
    for cls, mistake, advice in _WRONG:
        found = _failure(test, cls) is not None
        yield Point(
            holds=found,
            text=f"it fails for one that {mistake}"
            if found
            else f"it passes for a class that {mistake}: {advice}.",
        )


def _failure(test: Callable[..., Any], cls: type[_Right]) -> str | None:
    """Return what a test says of a class, None if it passes."""
    objects = DurableObjects()
    try:
        objects(cls, "SEAT", name="Seat")
        given = {"durable_objects": objects, "clock": TestClock(objects)}
        test(**{name: given[name] for name in inspect.signature(test).parameters})
    except (AssertionError, DobookError) as error:
        return f"{type(error).__name__} {error}".rstrip()
    except Exception as error:
        raise Missing(f"test_seat raised {type(error).__name__}: {error}") from error
    finally:
        objects.close()
    return None
