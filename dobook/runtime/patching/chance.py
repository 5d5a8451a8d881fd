"""Random functions of the standard library and NumPy, seeded for code of a runtime.

In virtual time it comes from the runtime's seed, in real time it is real, because nobody may be
able to predict a token. `random.Random` stays the class it is: its method `seed`, which draws when
it is given nothing, is replaced in place.
"""

import os
import random
import sys
import types
import uuid
from collections.abc import Callable
from typing import Any, Final

from dobook.runtime.patching.current import Draws, TimeAndChance, current
from dobook.runtime.patching.standin import SeededFunction, StandIn

# Functions of `random` that are methods of one hidden generator.
_METHODS: Final = (
    *("betavariate", "binomialvariate", "choice", "choices", "expovariate", "gammavariate"),
    *("gauss", "getrandbits", "getstate", "lognormvariate", "normalvariate", "paretovariate"),
    *("randbytes", "randint", "random", "randrange", "sample", "seed", "setstate", "shuffle"),
    *("triangular", "uniform", "vonmisesvariate", "weibullvariate"),
)
_NODE: Final = 0x0200_5E00_5301  # a locally administered address from the range for documentation
# What `uuid` remembers from one call to the next, so that ids of the same instant differ.
_UUID_STATE: Final = (
    *("_last_timestamp", "_last_timestamp_v6", "_last_timestamp_v7", "_last_counter_v7"),
)
_UUID_TIMED: Final = ("uuid1", "uuid6", "uuid7")
# Of `numpy.random`, functions that are not methods, and the method they call.
_NUMPY_NAMES: Final = {"seed": "seed", "ranf": "random_sample", "sample": "random_sample"}
_SYSTEM_UUIDS: Final = ("_generate_time_safe", "_UuidCreate")  # would ask the operating system


def functions() -> list[tuple[types.ModuleType, str, StandIn]]:
    """Return the random functions, with their replacements."""
    found: list[tuple[types.ModuleType, str, StandIn]] = []

    def add(module: types.ModuleType, name: str, mine: Callable[..., Any]) -> None:
        real = vars(module).get(name)
        if real is not None:
            found.append((module, name, SeededFunction(real, mine)))

    for name in _METHODS:
        add(random, name, _drawing(name))
    # uuid4() reads `os.urandom`; SystemRandom, and with it `secrets`, read `_urandom` of `random`.
    add(os, "urandom", _urandom)
    add(random, "_urandom", _urandom)
    add(os, "getrandom", _getrandom)
    add(uuid, "getnode", lambda _source: _NODE)
    for name in _UUID_TIMED:
        add(uuid, name, _timed_uuid(name))
    return found


def _drawing(name: str) -> Callable[..., Any]:
    def mine(source: TimeAndChance, *args: Any, **options: Any) -> Any:
        return getattr(source.draws().generator, name)(*args, **options)

    return mine


def _urandom(source: TimeAndChance, size: int, /) -> bytes:
    if size < 0:
        raise ValueError("negative argument not allowed")
    return source.draws().generator.randbytes(size)


def _getrandom(source: TimeAndChance, size: int, flags: int = 0) -> bytes:
    return _urandom(source, size)


def _timed_uuid(name: str) -> Callable[..., Any]:
    def mine(source: TimeAndChance, *args: Any, **options: Any) -> Any:
        names = source.draws().derived.setdefault("uuid", {})
        if not names:
            names |= vars(uuid)
            names |= dict.fromkeys(_SYSTEM_UUIDS)
            names |= {state: None for state in _UUID_STATE if state in names}
            if "_last_counter_v7" in names:
                names["_last_counter_v7"] = 0
            names["getnode"] = lambda: _NODE
        # The function itself, but with a memory of this runtime's own.
        real = getattr(uuid, name)
        code, defaults = real.__wrapped__.__code__, real.__wrapped__.__defaults__
        return types.FunctionType(code, names, name, defaults)(*args, **options)

    return mine


def seed_method() -> Callable[..., None]:
    """Return the replacement of `random.Random.seed`."""
    real = random.Random.seed

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None:
            source = current()
            # The generator of `tempfile` is made once for the whole process, by its first
            # user. If it took its seed from that runtime, others would draw other numbers.
            keeper = sys._getframe(2).f_globals.get("__name__")
            if source is not None and source.seeded and keeper != "tempfile":
                a = source.draws().generator.getrandbits(128)
        real(self, a, version)

    seed.__doc__, seed.__qualname__, seed.__module__ = real.__doc__, "Random.seed", "random"
    return seed


def numpy_functions(module: types.ModuleType) -> list[tuple[types.ModuleType, str, StandIn]]:
    """Return the functions of NumPy's global generator, with their replacements.

    `numpy.random.default_rng()` draws its seed from `secrets` and needs nothing here.

    Args:
        module: `numpy.random`.
    """
    mtrand = vars(module).get("mtrand")
    hidden = getattr(mtrand, "_rand", None)
    if mtrand is None or hidden is None:
        return []
    return [
        (
            owner,
            name,
            SeededFunction(value, _numpy_drawing(module, _NUMPY_NAMES.get(name, name))),
        )
        for owner in (module, mtrand)
        for name, value in vars(owner).items()
        if name in _NUMPY_NAMES or getattr(value, "__self__", None) is hidden
    ]


def _numpy_drawing(module: types.ModuleType, name: str) -> Callable[..., Any]:
    def mine(source: TimeAndChance, *args: Any, **options: Any) -> Any:
        draws: Draws = source.draws()
        state = draws.derived.get("numpy")
        if state is None:
            seed = draws.generator.getrandbits(32)
            state = draws.derived["numpy"] = vars(module)["RandomState"](seed)
        return getattr(state, name)(*args, **options)

    return mine
