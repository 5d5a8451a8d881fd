"""Functions that use the runtime of their caller, and are the real function for other code."""

import functools
from collections.abc import Callable
from sys import _getframe
from typing import Any, Final

from dobook.runtime.loop.asyncio_names import get_running_loop
from dobook.runtime.loop.loop import RuntimeLoop
from dobook.runtime.patching.current import TimeAndChance, current

# These measure how long they wait, which they do for real, also when a handler has called them. A
# queue's `get(timeout=1)` would wait for ever by a clock that stands still meanwhile. With them
# stand programs that run others: kernels, debuggers, test runners, dobook.
REAL_CALLERS: Final = frozenset(
    {
        *("asyncio", "concurrent", "multiprocessing", "queue", "sched", "selectors"),
        *("socketserver", "subprocess", "threading"),
        *("IPython", "_pydevd_bundle", "comm", "coverage", "debugpy", "dobook", "ipykernel"),
        *(
            "ipywidgets",
            "jupyter_client",
            "prompt_toolkit",
            "pydevd",
            "pytest",
            "_pytest",
            "tornado",
            "zmq",
        ),
    }
)
_known: dict[str | None, bool] = {}  # by module


class StandIn:
    """A function that behaves differently for code of a runtime.

    As with the built-in functions it stands for, a class that keeps it as an attribute makes no
    method of it, and it is pickled by its name.

    Args:
        real: The function it stands for.
        mine: Called with the runtime's clock and chance, and the arguments.
    """

    def __init__(self, real: Callable[..., Any], mine: Callable[..., Any]) -> None:
        functools.update_wrapper(self, real, updated=())
        self._real, self._mine = real, mine

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Answer for the runtime that the caller's code belongs to."""
        source: TimeAndChance | None = current()
        if source is None:
            return self._real(*args, **options)
        return self._mine(source, *args, **options)

    def __reduce__(self) -> str:
        return self._real.__name__

    def __repr__(self) -> str:
        return repr(self._real)


class Clock(StandIn):
    """Stands in for a function without arguments; these are called more often than all others."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return the time of the runtime that the caller's code belongs to."""
        loop = get_running_loop()
        source = loop.time_and_chance if type(loop) is RuntimeLoop else current()
        if source is None or args or options:
            return self._real(*args, **options)
        return self._mine(source)


class SteadyClock(StandIn):
    """Stands in for a clock that durations are measured with; see `REAL_CALLERS`."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return the time of the runtime that the caller's code belongs to."""
        source: TimeAndChance | None = current()
        if source is None or args or options:
            return self._real(*args, **options)
        name = _getframe(1).f_globals.get("__name__")
        real = _known.get(name)
        if real is None:
            real = _known[name] = str(name).partition(".")[0] in REAL_CALLERS
        return self._real() if real else self._mine(source)


class SeededFunction(StandIn):
    """Stands in for a random function: in virtual time only."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Draw from the seed of the runtime that the caller's code belongs to."""
        source: TimeAndChance | None = current()
        if source is None or not source.seeded:
            return self._real(*args, **options)
        return self._mine(source, *args, **options)
