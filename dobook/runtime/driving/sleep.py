"""Waiting on another loop for an instant of the runtime's clock."""

import asyncio
import types
from collections.abc import Callable, Generator
from typing import Any

from dobook.runtime.loop_base import Loop


class Sleep:
    """An instant that is waited for on another loop, as others wait there for the end of a call.

    Args:
        loop: The runtime's loop.
        seconds: How far off it is.
    """

    def __init__(self, loop: Loop, seconds: float) -> None:
        self._waiter = loop.create_future()
        self._timer = loop.call_later(seconds, self._over)

    def _over(self) -> None:
        if not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def done(self) -> bool:
        """Whether the wait is over."""
        return self._waiter.done()

    def waiter(self) -> "asyncio.Future[None]":
        """Return a future that is done when the wait is over."""
        return self._waiter

    @types.coroutine
    def elsewhere(
        self, wait: Callable[["Sleep"], Generator[Any, None, None]]
    ) -> Generator[Any, None, None]:
        """Wait on the running loop, by means of the driver's `wait_elsewhere`."""
        yield from wait(self)

    def __enter__(self) -> "Sleep":
        return self

    def __exit__(self, *exc: object) -> None:
        self._timer.cancel()
