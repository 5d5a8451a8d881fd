"""Repairing a runtime after an exception has interrupted the engine's own code.

That should not happen: signal handlers are kept from it (see `signals`). It does when memory runs
out, when another thread raises an exception in this one, or when there is a mistake in dobook.
Anything may be half done then, so what is in memory is given up as if the process had been killed
and started again in place: calls under way fail, objects are reset, and what has been committed
stays. Alarms are set again from what is stored.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from dobook.errors import PlatformError
from dobook.runtime.loop.asyncio_names import leave_task

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel


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
            leave_task(runtime.loop, task)
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
    runtime.alarms.mend(broken)
    runtime.post.mend()
    if runtime.loop.virtual:
        runtime.driver.interrupts.end_all(broken if isinstance(error, Exception) else None)
