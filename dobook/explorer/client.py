"""What a careful client does when a call fails through no fault of its own."""

import asyncio
from collections.abc import Callable
from typing import Any

from dobook.errors import PlatformError


async def retry(call: Callable[[], Any], *, times: int = 5, pause_ms: int = 100) -> Any:
    """Call until it works, as clients are advised to: again after resets and lost connections.

    Errors that the object's own code raises are not retried. After a failed call a stub may be
    broken, so take a new one inside of `call`.

    Args:
        call: Makes the call: `lambda: env.COUNTER.getByName("a").increment()`.
        times: How often at most.
        pause_ms: How long to wait before the second attempt, in ms; twice as long each time.

    Returns:
        What the call returns.

    Raises:
        BaseException: What the last attempt raised.

    Example:
        >>> async def ask():
        ...     return "here"
        >>> await retry(ask)
        'here'

    Source: developers.cloudflare.com/durable-objects/best-practices/error-handling/
    """
    for attempt in range(times):
        try:
            return await call()
        except PlatformError as error:
            again = getattr(error, "retryable", False) or getattr(
                error, "durableObjectReset", False
            )
            if not again or getattr(error, "overloaded", False) or attempt == times - 1:
                raise
            await asyncio.sleep(pause_ms * 2**attempt / 1000)
    raise AssertionError("unreachable: times is at least 1")
