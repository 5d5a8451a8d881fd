"""`random`, `uuid`, `os.urandom` and `secrets` follow the seed while the runtime's loop turns.

The names are replaced the way `wallclock` replaces the time of day, and only in virtual time: in
real time nobody may be able to foretell a token. Each runtime draws from its own generator; other
threads, and code outside of the runtime, keep the real one. Not covered: generators that user code
makes elsewhere, and those of other packages (NumPy's for instance), which have seeds of their own.
"""

import functools
import os
import random
import threading
import uuid
from collections.abc import Callable
from typing import Any

Swap = tuple[dict[str, Any], str, Any, Any]  # namespace, name, what is there, what stands in

# Functions of `random` that are methods of one hidden generator.
_METHODS = (
    *("betavariate", "binomialvariate", "choice", "choices", "expovariate", "gammavariate"),
    *("gauss", "getrandbits", "getstate", "lognormvariate", "normalvariate", "paretovariate"),
    *("randbytes", "randint", "random", "randrange", "sample", "seed", "setstate", "shuffle"),
    *("triangular", "uniform", "vonmisesvariate", "weibullvariate"),
)
_NODE = 0x0200_5E00_5301  # a locally administered address from the range for documentation
# What `uuid` remembers from one call to the next, so that ids of the same instant differ.
_UUID_STATE = ("_last_timestamp", "_last_timestamp_v6", "_last_timestamp_v7", "_last_counter_v7")
_real_random_class = random.Random


class Chance:
    """The randomness of one runtime.

    Args:
        seed: What it is drawn from.
    """

    def __init__(self, seed: int) -> None:
        self.generator = _real_random_class(f"{seed} handlers")
        self._uuid_state: dict[str, Any] = {}

    def swaps(self, here: Callable[[], bool]) -> list[Swap]:
        """Return what is to stand in for what.

        Args:
            here: Says whether the thread that asks is the one that turns the loop.
        """
        generator = self.generator
        names = vars(random)
        swaps: list[Swap] = []

        def either(real: Callable[..., Any], mine: Callable[..., Any]) -> Callable[..., Any]:
            return _Either(real, mine, here)

        for name in _METHODS:
            if name in names:
                stand_in = either(names[name], getattr(generator, name))
                swaps.append((names, name, names[name], stand_in))
        # `secrets` and SystemRandom read `_urandom` of this module, uuid4() reads os.urandom.
        urandom = either(os.urandom, generator.randbytes)
        swaps.append((names, "_urandom", os.urandom, urandom))
        swaps.append((vars(os), "urandom", os.urandom, urandom))
        swaps.append((names, "Random", _real_random_class, _generator_class(generator, here)))
        ids = vars(uuid)
        swaps.append((ids, "getnode", uuid.getnode, either(uuid.getnode, lambda: _NODE)))
        swaps += [
            (ids, name, ids[name], None)  # what would ask the operating system
            for name in ("_generate_time_safe", "_UuidCreate")
            if ids.get(name) is not None
        ]
        return swaps

    def enter(self) -> None:
        """Bring back what `uuid` remembered when this runtime's loop turned last."""
        self._exchange_uuid_state()

    def leave(self) -> None:
        """Give `uuid` back what it remembered before."""
        self._exchange_uuid_state()

    def _exchange_uuid_state(self) -> None:
        names, mine = vars(uuid), self._uuid_state
        for name in _UUID_STATE:
            if name in names:
                initial = 0 if name == "_last_counter_v7" else None
                names[name], mine[name] = mine.get(name, initial), names[name]


class _Either:
    """A function that is another one on the thread that turns the loop.

    As with the functions it stands for, a class that keeps it as an attribute makes no method of it.
    """

    def __init__(
        self, real: Callable[..., Any], mine: Callable[..., Any], here: Callable[[], bool]
    ) -> None:
        functools.update_wrapper(self, real)
        self._real, self._mine, self._here = real, mine, here

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._mine(*args, **options) if self._here() else self._real(*args, **options)


def _generator_class(generator: random.Random, here: Callable[[], bool]) -> type:
    """Return a stand-in for `random.Random` that takes its seed from `generator` if it has none."""

    class Meta(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, _real_random_class)

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, _real_random_class)

    class Random(_real_random_class, metaclass=Meta):
        def __init__(self, x: Any = None) -> None:
            super().__init__(generator.getrandbits(128) if x is None and here() else x)

    Random.__qualname__ = "Random"
    Random.__module__ = "random"
    return Random


def thread_is(thread: Callable[[], int]) -> Callable[[], bool]:
    """Return a function that says whether it is called on a thread."""
    ident = threading.get_ident
    return lambda: ident() == thread()
