"""The loop's side of livelocks: timers without a delay, and a watch over what is ready.

See `livelock`.
"""

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from dobook import limits
from dobook.runtime.loop.asyncio_names import callback_of, context_of, task_of
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.loop.livelock import MACHINERY, end
from dobook.runtime.loop_base import Chain

if TYPE_CHECKING:
    from dobook.runtime.loop_base import Loop
    from dobook.runtime.protocols import Instance

WATCHED_TURNS: Final = 1_000  # of the loop, before something is called a livelock
_MACHINERY: Final = (*MACHINERY, "_asyncio", "builtins")


class Again:
    """The callback of a timer without a delay, which knows what led to it."""

    __slots__ = ("_callback", "_chain", "_loop")

    def __init__(self, loop: "Loop", callback: Any, chain: Chain) -> None:
        self._loop = loop
        self._callback = callback
        self._chain = chain

    def __call__(self, *args: Any) -> None:
        """Call it, unless its object has been reset meanwhile."""
        loop, frame = self._loop, current_frame.get()
        if frame is not None and frame.instance.dead is not None:
            return
        before, loop.chain = loop.chain, self._chain
        try:
            self._callback(*args)
        except BaseException:
            if loop.failure is None:
                raise
        finally:
            loop.chain = before


class Watch:
    """Finds what no chain shows: code of objects alone that is ready turn after turn of the loop.

    Args:
        loop: The runtime's loop, which calls this in each turn once there have been very many.
    """

    def __init__(self, loop: "Loop") -> None:
        self._loop = loop
        self._seen: Counter[Instance] = Counter()
        self._turns = 0

    def __call__(self) -> None:
        """Look at what is ready; end the livelock after some turns without outside code."""
        loop = self._loop
        if loop.ticks_here == limits.MAX_TICKS_AT_AN_INSTANT:
            self._seen.clear()
            self._turns = 0
        self._turns += 1
        for handle in loop.ready:
            frame = context_of(handle).get(current_frame)
            if frame is not None:
                self._seen[frame.instance] += 1
            elif isinstance(task_of(handle), asyncio.Task):
                loop.ticks_here = 0  # code outside of objects may end it
                return
        if self._turns >= WATCHED_TURNS and self._seen:
            loop.ticks_here = 0
            ((instance, _),) = self._seen.most_common(1)
            with contextlib.suppress(BaseException):  # it is not the object's code that runs
                end(loop, instance, f"has been busy for {limits.MAX_TICKS_AT_AN_INSTANT:,} turns")
            self._cancel_callbacks(instance)

    def _cancel_callbacks(self, instance: "Instance") -> None:
        """Cancel what the object's code has asked the loop to call; its tasks end on their own."""
        for handle in self._loop.ready:
            frame = context_of(handle).get(current_frame)
            callback = callback_of(handle)
            callback = getattr(callback, "func", callback)
            module = getattr(callback, "__module__", None) or "asyncio"
            if (
                frame is not None
                and frame.instance is instance
                and module.partition(".")[0] not in _MACHINERY
            ):
                handle.cancel()
