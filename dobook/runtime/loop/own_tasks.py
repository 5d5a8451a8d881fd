"""What an object's own tasks do before the next event is let in, and before a turn is committed."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from dobook.runtime.loop.asyncio_names import waits_for
from dobook.runtime.loop.frame import EXTERNAL, current_frame
from dobook.runtime.loop.turns import Pass, SectionEnd, StorageFuture
from dobook.storage.store import ObjectStore
from dobook.web import body

if TYPE_CHECKING:
    from dobook.runtime.protocols import Instance

_MOST_LOOKED_AT: Final = 8  # tasks; among more, one is assumed to be ready


class NextEvent(asyncio.Future[None]):
    """The wait of a task that has its answer, while other tasks of the object run first."""


# Waits that end when the turn is over, and those of them that need no further event.
_EVENTS: Final = (Pass, SectionEnd, StorageFuture, NextEvent)
_DUE: Final = (Pass, NextEvent)


def others_first() -> NextEvent | None:
    """Return what code awaits before it has an answer that is there; None if it need not wait.

    The object's other tasks come first: what has come from elsewhere meanwhile is let in when the
    turn is over.
    """
    frame = current_frame.get()
    if frame is None or not frame.instance.tasks:
        return None
    instance = frame.instance
    loop = instance.runtime.loop
    current = asyncio.current_task(loop)
    others = (task for task in islice(instance.tasks, _MOST_LOOKED_AT) if task is not current)
    if instance.dead is not None or not any(_comes_first(task) for task in others):
        return None
    event = NextEvent(loop=loop)
    loop.call_soon(_set, event)
    return event


def _comes_first(task: "asyncio.Task[Any]") -> bool:
    # A task that has just ended counts as well: the code that awaits it runs next.
    return type(waits_for(task)) in _DUE or not waits_for_an_event(task)


def _set(event: NextEvent) -> None:
    if not event.done():
        event.set_result(None)


body.before_result = others_first


def turn_lasts(stores: Iterable[ObjectStore], later: Callable[[], None]) -> bool:
    """Return whether a turn of any of some objects continues in its own tasks.

    What they write belongs to the commit of the turn.

    Args:
        stores: The objects' stores.
        later: Called when that turn is over, if there is one.
    """
    for store in stores:
        instance = store.owner.instance
        if instance is not None and instance.gate.turns:
            instance.gate.after_turns = later
            return True
    return False


def others_may_run(instance: "Instance", current: object) -> bool:
    """Return whether another task of the object may be ready, or become so in this turn."""
    tasks = instance.tasks
    for task in islice(tasks, _MOST_LOOKED_AT):
        if task is not current and not task.done() and not waits_for_an_event(task):
            return True
    return len(tasks) > _MOST_LOOKED_AT


def waits_for_an_event(task: "asyncio.Task[Any]") -> bool:
    """Return whether a task waits for something that the gate would hold back now."""
    awaited = waits_for(task)
    return type(awaited) in _EVENTS or bool(getattr(awaited, EXTERNAL, False))
