"""Which runtime the running code belongs to, and the clock and seed which that runtime shows it.

Code belongs to a runtime while it runs on that runtime's loop, or in a context that was copied
there: `asyncio.to_thread` copies one, and so do libraries that run functions in worker threads.
`current()` tells the two cases apart from everything else. It is asked at each call, so nothing
has to be switched when a turn of a loop begins or ends, and any number of runtimes, threads and
servers can tell time at once.
"""

import os
import random
import threading
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import Any

from dobook.runtime.loop.asyncio_names import get_running_loop
from dobook.runtime.loop.loop import RuntimeLoop, running_loop

_urandom = os.urandom  # as it is before anybody replaces the name


class Draws:
    """One sequence of random numbers, and what other sources of chance derive from it.

    Args:
        seed: What the sequence starts from.

    Attributes:
        generator: The sequence.
        derived: Further generators by name, for `numpy` and `uuid`; they are made when needed.
    """

    __slots__ = ("derived", "generator")

    def __init__(self, seed: str) -> None:
        self.generator = random.Random(seed)
        self.derived: dict[str, Any] = {}


class TimeAndChance:
    """The clock and the chance that code of one runtime sees.

    Args:
        loop: The runtime's loop.
        seed: What random numbers are drawn from in virtual time. In real time they are real,
            because nobody may be able to predict a token.

    Attributes:
        builtin: What SQL's functions of time and chance keep here (see `storage.sql.clock`).
        closed: Whether the runtime has been closed; its threads see the real clock from then on.
    """

    def __init__(self, loop: RuntimeLoop, seed: int) -> None:
        self.builtin: Any = None
        self.closed = False
        self._loop = loop
        self._seed = seed
        self._draws = Draws(f"{seed} handlers")
        self._threads = 0  # that have drawn, or may

    @property
    def generator(self) -> random.Random:
        """The sequence that code on the loop draws from."""
        return self._draws.generator

    @property
    def seeded(self) -> bool:
        """Whether random numbers come from the seed."""
        return self._loop.virtual

    def seconds(self) -> float:
        """Return the time in seconds since 1970: whole milliseconds, as on the platform."""
        loop = self._loop
        if loop.virtual:  # `now_ms` written out for speed
            return (loop.start_ms + int(loop._now * 1000 + 1e-3)) / 1000
        return loop.now_ms / 1000

    def nanoseconds(self) -> int:
        """Return the time in nanoseconds since 1970."""
        return self._loop.now_ms * 1_000_000

    def milliseconds(self) -> int:
        """Return the time in whole milliseconds since 1970."""
        return self._loop.now_ms

    def random_bytes(self, size: int) -> bytes:
        """Return random bytes: from the seed in virtual time, real ones otherwise."""
        return self.draws().generator.randbytes(size) if self.seeded else _urandom(size)

    def draws(self) -> Draws:
        """Return what the calling thread draws from.

        Each thread has a sequence of its own: how threads are scheduled must not decide what code
        on the loop draws.
        """
        if running_loop() is self._loop:
            return self._draws
        if _thread.source is not self:
            self._threads += 1
            _thread.source = self
            _thread.draws = Draws(f"{self._seed} thread {self._threads}")
        return _thread.draws

    def context(self) -> Context:
        """Return a copy of the current context in which code belongs to this runtime."""
        context = copy_context()
        context.run(_current.set, self)
        return context

    def bind(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function such that it belongs to this runtime in a worker thread."""
        self._threads += 1
        return partial(self._in_thread, self._threads, function)

    def _in_thread(self, number: int, function: Callable[..., Any], *args: Any) -> Any:
        token = _current.set(self)
        before = _thread.source, _thread.draws
        _thread.source, _thread.draws = self, Draws(f"{self._seed} thread {number}")
        try:
            return function(*args)
        finally:
            _thread.source, _thread.draws = before
            _current.reset(token)


class _Thread(threading.local):
    source: TimeAndChance | None = None
    draws: Draws = Draws("none")


_thread = _Thread()
_current: ContextVar[TimeAndChance | None] = ContextVar("dobook_time_and_chance", default=None)


def current() -> TimeAndChance | None:
    """Return the clock and chance of the runtime that the caller's code belongs to.

    None if it belongs to no runtime: then the clock and chance are the real ones.
    """
    loop = get_running_loop()
    if type(loop) is RuntimeLoop:
        return loop.time_and_chance  # type: ignore[no-any-return]
    source = _current.get()
    return None if source is None or source.closed else source
