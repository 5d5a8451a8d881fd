"""Where Python's versions take a different number of ticks: made alike, so that traces are.

`asyncio.gather` of futures that are all done needs two ticks of the loop before Python 3.12 and
none since. While the runtime's loop turns on 3.11, gathering behaves as it does on later versions.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from dobook.runtime.loop.chance import Swap

_real_gather: Callable[..., Any] = asyncio.gather


def swaps(here: Callable[[], bool]) -> list[Swap]:
    """Return what is to stand in for what.

    Args:
        here: Says whether the thread that asks is the one that turns the loop.
    """
    if sys.version_info >= (3, 12):
        return []

    def gather(*awaitables: Any, return_exceptions: bool = False) -> Any:
        ready = awaitables and all(asyncio.isfuture(a) and a.done() for a in awaitables)
        if not ready or not here():
            return _real_gather(*awaitables, return_exceptions=return_exceptions)
        return _gathered(awaitables, return_exceptions=return_exceptions)

    return [
        (vars(asyncio), "gather", _real_gather, gather),
        (vars(asyncio.tasks), "gather", _real_gather, gather),
    ]


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
