"""The order in which ready work of different objects and callers runs, drawn from the seed.

Seed 0 keeps the order in which things became ready, so nothing surprises by default. With another
seed the order is one of those the real engine may show as well:

- calls on one stub arrive in order, calls on different stubs in any order, and a call may arrive
  some ticks of the loop after others that were made at the same time;
- messages of one WebSocket arrive in order;
- one object's own tasks, timers and waiting events keep their order, and the runtime's own
  callbacks keep theirs;
- timers and alarms of different objects that are due at the same instant run in any order.

Only `random.Random.random` is used, whose numbers are the same on every version of Python.
"""

import asyncio
import random
import zlib
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVar

from dobook.runtime.loop.asyncio_names import context_of, task_of
from dobook.runtime.loop.frame import current_frame

T = TypeVar("T")
LATE = 0.25  # how likely a call is to arrive a tick later than it could


class Order:
    """Draws one of the orders that are allowed.

    Args:
        seed: What it is drawn from.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rng = random.Random(f"{seed} order")

    def arrange(self, ready: "deque[Any]") -> None:
        """Reorder the loop's ready queue: steps of tasks change places, nothing else moves."""
        places: list[int] = []
        steps: list[tuple[int, Any]] = []
        for place, handle in enumerate(ready):
            task = task_of(handle)
            if isinstance(task, asyncio.Task):
                frame = context_of(handle).get(current_frame)
                places.append(place)
                steps.append((id(task) if frame is None else id(frame.instance), handle))
        if len(places) > 1:
            for place, (_, handle) in zip(places, self._mixed(steps), strict=True):
                ready[place] = handle

    def mix(self, items: "deque[T]", lane: Callable[[T], int]) -> None:
        """Reorder a queue in place; items of the same lane keep their order."""
        if len(items) > 1:
            mixed = self._mixed([(lane(item), item) for item in items])
            items.clear()
            items.extend(item for _, item in mixed)

    def deliverable(self, items: "deque[T]", lane: Callable[[T], int]) -> int:
        """Reorder a queue in place and return how many of its first items arrive now."""
        self.mix(items, lane)
        late: dict[int, bool] = {}
        now: list[T] = []
        later: list[T] = []
        for item in items:
            key = lane(item)
            if key not in late:
                late[key] = self._rng.random() < LATE
            (later if late[key] else now).append(item)
        items.clear()
        items.extend(now)
        items.extend(later)
        return len(now)

    def rank(self, when: float, context: Context | None, args: tuple[Any, ...]) -> int:
        """Return where a timer stands among those of its instant; one number for each object."""
        frame = current_frame.get() if context is None else context.get(current_frame)
        owner = frame.instance.actor if frame is not None else args[0] if args else None
        identity = getattr(owner, "id", None)
        if identity is None:
            return 0
        return 1 + zlib.crc32(f"{self._seed} {identity} {when}".encode())

    def _mixed(self, items: list[tuple[int, T]]) -> list[tuple[int, T]]:
        lanes: dict[int, deque[tuple[int, T]]] = {}
        for item in items:
            lanes.setdefault(item[0], deque()).append(item)
        if len(lanes) == 1:
            return items
        waiting = list(lanes.values())
        mixed = []
        while waiting:
            at = int(self._rng.random() * len(waiting))
            mixed.append(waiting[at].popleft())
            if not waiting[at]:
                del waiting[at]
        return mixed
