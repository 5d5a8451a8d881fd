"""Repairing a runtime after an exception has interrupted the engine's own code.

That should not happen: signal handlers are kept from it (see `signals`). It does when memory runs
out, when another thread raises an exception in this one, or when there is a mistake in dobook.
Anything may be half done then, so what is in memory is given up as if the process had been killed
and started again in place: calls under way fail, objects are reset, and what has been committed
stays. Alarms are set again from what is stored.
"""

import asyncio
import contextlib
from asyncio import tasks
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import PlatformError

if TYPE_CHECKING:
    from dobook.runtime.kernel import Kernel

_leave_task: Callable[[Any, Any], None] = tasks._leave_task  # documented for task implementers

BROKEN_OFF: Final = (
    "The Durable Object was reset because an exception from outside (of a signal handler, or a lack "
    "of memory) has broken off the work of dobook."
)


def mend(runtime: "Kernel", error: BaseException) -> None:
    """End all that is under way, reset all objects, and set their alarms again.

    Args:
        runtime: The runtime; nobody turns its loop.
        error: What has broken it off.
    """
    task = asyncio.current_task(runtime.loop)
    if task is not None:  # a call that was not left
        with contextlib.suppress(RuntimeError):
            _leave_task(runtime.loop, task)
    broken = PlatformError(BROKEN_OFF)
    broken.__cause__ = error
    runtime.post.drop(broken)
    stores = [a.store for n in runtime.namespaces for a in n.actors.values()]
    for instance in runtime.residency.instances():
        with contextlib.suppress(Exception):
            instance.reset(broken, stubs=False)
    with contextlib.suppress(Exception):
        runtime.stores.committer.flush()
    for store in stores:
        while (group := store.output_gate.commit) is not None:
            with contextlib.suppress(Exception):
                group.done()
            if store.output_gate.commit is group:
                store.output_gate.commit = None
    runtime.residency.mend()
    runtime.wire.mend()
    _set_alarms(runtime, broken)
    runtime.post.mend()
    if runtime.loop.virtual:
        runtime.driver.interrupts.end_all(broken if isinstance(error, Exception) else None)


def _set_alarms(runtime: "Kernel", broken: BaseException) -> None:
    alarms = runtime.alarms
    for entry in list(alarms._entries.values()):
        call, entry.call = entry.call, None
        if call is not None and not call.done:
            call.settle(None, broken)  # whether it is tried again is decided as for any other
        if entry.running:
            entry.running = entry.deferred = False
            if entry.limit is not None:
                entry.limit.cancel()
                entry.limit = None
            alarms._arm(entry, runtime.loop.now_ms)
    for namespace in runtime.namespaces:
        for actor in list(namespace.actors.values()):
            at_ms = actor.store.kv.alarm_ms
            if at_ms is not None or actor.alarm is not None:
                entry = alarms._entry(actor)
                if at_ms != entry.due_ms:
                    alarms._set(entry, at_ms)
    for entry in alarms._entries.values():
        timer = entry.timer
        waits = timer is not None and timer._scheduled and not timer.cancelled()  # type: ignore[attr-defined]
        if entry.due_ms is not None and not waits:
            alarms._arm(entry, entry.due_ms)
