"""What a careful client does when a call fails through no fault of its own."""

import asyncio
from collections.abc import Callable
from typing import Any

from dobook.errors import PlatformError, UsageError


async def retry(call: Callable[[], Any], *, times: int = 5, pause_ms: int = 100) -> Any:
    """Call until it works, as clients are advised to: again after resets and lost connections.

    Errors that the object's own code raises are not retried. After a failed call a stub may be
    broken, so take a new one inside of `call`.

    Args:
        call: Makes the call: `lambda: env.COUNTER.getByName("a").increment()`.
        times: How often at most, 1 or more.
        pause_ms: How long to wait before the second attempt, in ms; twice as long each time.

    Returns:
        What the call returns.

    Raises:
        UsageError: If `times` is below 1.
        BaseException: What the last attempt raised.

    Example:
        >>> async def ask():
        ...     return "here"
        >>> await retry(ask)
        'here'

    Source: developers.cloudflare.com/durable-objects/best-practices/error-handling/
    """
    if times < 1:
        raise UsageError(f"a call is made 1 time or more, not {times} times.")
    left = times
    while True:
        try:
            return await call()
        except PlatformError as error:
            left -= 1
            if not left or not _passes(error):
                raise
        await asyncio.sleep(pause_ms / 1000)
        pause_ms *= 2


def _passes(error: PlatformError) -> bool:
    """Return whether an error may be gone at the next attempt, and an attempt does no harm."""
    if getattr(error, "overloaded", False):
        return False
    return bool(getattr(error, "retryable", False) or getattr(error, "durableObjectReset", False))
