"""Finds out whether an awaited result can still come, before the clock jumps to an alarm for it.

A call that hangs for ever must not run the alarms of a hundred years. Whether some alarm's handler
would wake it cannot be decided in general. What can be decided:

* A future that nobody holds but the code that awaits it is never done. If all that the awaited
  call depends on are such futures, and nothing but other objects' alarms is set, it is **stuck**:
  a DeadlockError is raised at once, and the clock stays where it is.
* In all other cases alarms run, but no further than `limits.MAX_WAIT_FOR_ALARMS_MS` after the wait
  began. What sleeps has a timer of its own, which is reached however far away it is.
"""

import asyncio
import gc
from collections.abc import Sequence
from types import CoroutineType, FrameType, GeneratorType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from dobook import limits
from dobook.runtime.loop.asyncio_names import GatheringFuture, arguments_of, children_of, waits_for

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel

_MOST_HOLDERS: Final = 200  # objects that are followed from a future to those who hold it
# Holders that are reached from elsewhere for sure.
_ENDS: Final = (CoroutineType, GeneratorType, FrameType, ModuleType, type, asyncio.Task)


class Wait:
    """What is awaited, from outside, while the loop turns.

    Args:
        runtime: Whose loop it is.
        awaited: Futures and tasks of the loop; the wait is over with the first of them.
    """

    def __init__(self, runtime: "Kernel", awaited: Sequence[Any]) -> None:
        self._runtime = runtime
        self._awaited = awaited
        self._until = runtime.loop.time() + limits.MAX_WAIT_FOR_ALARMS_MS / 1000
        self._known: tuple[list[int], bool] = ([], False)

    def allows(self, due: float) -> bool:
        """Return whether the clock may jump to an alarm, at a time of the loop in seconds."""
        found = _Search(self._runtime)
        for future in self._awaited:
            found.follow(future)
        if found.timed:
            return True
        if due > self._until:
            return False
        if found.unknown or self._others_may_help(found):
            return True
        leaves = [id(future) for future in found.leaves]
        if self._known[0] != leaves:  # asking who holds something goes through the whole heap
            self._known = (leaves, _are_held(found.leaves, found.own))
        return self._known[1]

    def _others_may_help(self, found: "_Search") -> bool:
        """Return whether a timer is set that is not an alarm, or one of an object that waits."""
        alarms = self._runtime.alarms.scheduled()
        return len(found.timers) > len(alarms) or any(
            (entry.namespace.unique_key, entry.id.toString()) in found.objects for entry in alarms
        )


class _Search:
    """What a future depends on.

    Attributes:
        leaves: Futures at which code waits, and of which is not known who would set them.
        timed: Whether a timer's future is among what is depended on.
        unknown: Whether something is in between that cannot be followed.
        own: The ids of the calls, tasks and coroutines that wait.
        objects: Unique key and id of the objects whose code waits.
        timers: The timers that are set.
    """

    def __init__(self, runtime: "Kernel") -> None:
        self.timers = runtime.loop.timers()
        self._sleeping = {id(arg) for timer in self.timers for arg in arguments_of(timer)}
        self._calls = {
            id(call.future): call
            for instance in runtime.residency.instances()
            for call in instance.calls
            if call.future is not None
        }
        self.leaves: list[Any] = []
        self.timed = self.unknown = False
        self.own: set[int] = set()
        self.objects: set[tuple[str, str]] = set()

    def follow(self, future: Any) -> None:
        """Follow a future to what it depends on."""
        if id(future) in self.own:
            return
        call = self._calls.get(id(future))
        if id(future) in self._sleeping:
            self.timed = True
        elif call is not None:
            self.own.update((id(future), id(call)))  # a call keeps what its handler waits for
            self.objects.add((call.actor.namespace.unique_key, call.actor.id.toString()))
            if call.task is None:
                self.unknown = True  # at a gate
            else:
                self.follow(call.task)
        elif isinstance(future, asyncio.Task):
            self.own.add(id(future))
            self._own_code(future.get_coro())
            waiter = waits_for(future)
            if waiter is None:
                self.unknown = True
            else:
                self.follow(waiter)
        elif type(future) is GatheringFuture:
            self.own.add(id(future))
            for child in children_of(future):
                self.follow(child)
        elif type(future) is asyncio.Future:
            self.leaves.append(future)
        else:
            self.unknown = True

    def _own_code(self, coro: object) -> None:
        # What steps an object's code by hand holds it as a local variable (`turns`).
        waiting = [coro]
        while waiting:
            found = waiting.pop()
            if isinstance(found, CoroutineType | GeneratorType) and id(found) not in self.own:
                waiting += gc.get_referents(found)
                self.own.add(id(found))


def _are_held(futures: list[Any], own: set[int]) -> bool:
    """Return whether anybody holds one of some futures but the code that awaits them."""
    queue = list(futures)
    ignored = {id(queue), id(futures), *own, *map(id, futures)}
    for held in queue:  # it grows meanwhile
        holders = gc.get_referrers(held)
        ignored.add(id(holders))
        for holder in holders:
            if id(holder) in ignored:
                continue
            if isinstance(holder, _ENDS) or len(queue) > _MOST_HOLDERS:
                return True
            ignored.add(id(holder))
            queue.append(holder)
    return False
