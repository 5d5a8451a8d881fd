"""What an object's own tasks do before the next event is let in, and before a turn is committed."""

import asyncio
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from dobook.runtime.calls.turns import EXTERNAL, Pass, SectionEnd, StorageFuture
from dobook.storage.store import ObjectStore

if TYPE_CHECKING:
    from dobook.runtime.objects.instance import Instance

_MOST_LOOKED_AT: Final = 8  # tasks; with more, some is taken to be ready
_EVENTS: Final = (Pass, SectionEnd, StorageFuture)  # what a task waits for that is let in later


def next_event(instance: "Instance") -> Generator[Any, None, None]:
    """Wait as for an event of the object, if another of its tasks may run before.

    What has come from elsewhere in the meantime is let in when the turn is over.
    """
    loop = instance.runtime.loop
    if instance.dead is None and others_may_run(instance, asyncio.current_task(loop)):
        event = loop.create_future()
        setattr(event, EXTERNAL, True)
        loop.call_soon(_set, event)
        yield from event


def _set(event: "asyncio.Future[None]") -> None:
    if not event.done():
        event.set_result(None)


def turn_lasts(stores: Iterable[ObjectStore], later: Callable[[], None]) -> bool:
    """Return whether a turn of one of some objects goes on in its own tasks.

    What they write belongs to the commit of the turn.

    Args:
        stores: The objects' stores.
        later: Called when the turn is over, if one goes on.
    """
    for store in stores:
        instance = store.owner.instance
        if instance is not None and instance.gate.turns:
            instance.gate.after_turns = later
            return True
    return False


def others_may_run(instance: "Instance", current: Any) -> bool:
    """Return whether another task of the object may be ready, or become so in this turn."""
    tasks = instance.tasks
    for task in islice(tasks, _MOST_LOOKED_AT):
        if task is not current and not waits_for_an_event(task):
            return True
    return len(tasks) > _MOST_LOOKED_AT


def waits_for_an_event(task: "asyncio.Task[Any]") -> bool:
    """Return whether a task waits for something that the gate would hold back now."""
    waits_for: Any = task._fut_waiter  # type: ignore[attr-defined]
    return type(waits_for) in _EVENTS or getattr(waits_for, EXTERNAL, False)
