"""Makes `asyncio.gather` and others take the same number of ticks on each Python version.

`asyncio.gather` of futures that are all done needs two ticks of the loop before Python 3.12 and
none since. On 3.11, gathering on a runtime's loop behaves as it does on later versions.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from dobook.runtime.loop.loop import RuntimeLoop, running_loop
from dobook.runtime.patching.standin import StandIn


def functions() -> list[tuple[dict[str, Any], str, StandIn]]:
    """Return the functions that differ, with what stands in for them."""
    if sys.version_info >= (3, 12):
        return []
    real: Callable[..., Any] = asyncio.gather

    def gather(_source: object, *awaitables: Any, return_exceptions: bool = False) -> Any:
        ready = awaitables and all(asyncio.isfuture(a) and a.done() for a in awaitables)
        if not ready or not isinstance(running_loop(), RuntimeLoop):
            return real(*awaitables, return_exceptions=return_exceptions)
        return _gathered(awaitables, return_exceptions=return_exceptions)

    stand_in = StandIn(real, gather)
    return [(vars(asyncio), "gather", stand_in), (vars(asyncio.tasks), "gather", stand_in)]


def _gathered(
    futures: "tuple[asyncio.Future[Any], ...]", *, return_exceptions: bool
) -> "asyncio.Future[Any]":
    outer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    results: list[Any] = []
    for future in futures:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is not None and not return_exceptions:
            outer.set_exception(error)
            return outer
        results.append(future.result() if error is None else error)
    outer.set_result(results)
    return outer
