"""A batch of runs, as it is sent to another process or another machine.

The scenario and its classes travel by value (cloudpickle), because a notebook's are nowhere to be
imported from; what comes back are numbers and texts. Each run's choices depend on its number
alone, so it does not matter who makes it.

Unpacking runs code, so it is done only in processes that the caller has chosen: dobook's own, over
a pipe that it has made, and those of an executor that was passed. What is packed begins with the
versions of Python and dobook, which are compared before anything is unpacked.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

from dobook.errors import UsageError
from dobook.explorer.results import Result, result
from dobook.explorer.run import Case, run_once
from dobook.explorer.strategies.base import Strategy
from dobook.explorer.strategies.table import strategy_named

MOST_BYTES: Final = 256 * 1024 * 1024
"""The most that a packed case may have."""
_MAGIC: Final = "dobook case: "
_MOST_HEAD: Final = 200
_cases: dict[bytes, tuple[Case, Strategy]] = {}  # the last one of this process, by what was sent
_own: dict[bytes, tuple[Case, str, int]] = {}  # what this process has sent itself
# While a run turns its loop, its clock and its randomness stand in for the process's own.
_one_at_a_time = threading.Lock()


def pack(case: Case, strategy: str, seed: int) -> bytes:
    """Return a case as bytes that `run_batch` takes.

    Raises:
        UsageError: If something of it cannot travel.
    """
    import cloudpickle

    with _by_value(case, cloudpickle):
        try:
            packed = _head() + bytes(cloudpickle.dumps((case, strategy, seed)))
        except Exception as error:
            raise UsageError(
                f"the scenario cannot be sent to other processes: {error}. Explore it with jobs=1, "
                "or make what it needs inside of it."
            ) from error
    if len(packed) > MOST_BYTES:
        raise UsageError(
            f"the scenario cannot be sent to other processes: with what it uses it has "
            f"{len(packed):,} bytes, more than {MOST_BYTES:,}. Make large data inside of it."
        )
    # Unpacking in the process that packed would give the very same classes other methods.
    _own.clear()
    _own[packed] = case, strategy, seed
    return packed


def run_batch(packed: bytes, first: int, last: int) -> list[tuple[Any, ...]]:
    """Make the runs from one number to another; what a worker does.

    Args:
        packed: From `pack`.
        first: The first run's number.
        last: The last run's number.
    """
    with _one_at_a_time:
        if packed not in _cases:
            _cases.clear()
            _cases[packed] = _unpacked(packed)
        case, strategy = _cases[packed]
        return [tuple(found) for found in make_runs(case, strategy, first, last)]


def _unpacked(packed: bytes) -> tuple[Case, Strategy]:
    if packed in _own:
        case, name, seed = _own[packed]
    else:
        import cloudpickle

        case, name, seed = cloudpickle.loads(_checked(packed))
    strategy = strategy_named(name)(seed)
    chooser = strategy.chooser(1)
    if chooser is not None:
        strategy.learn(run_once(case, chooser))  # how long a run is
    return case, strategy


def _head() -> bytes:
    version = sys.modules["dobook"].__version__  # the package above: imports point downwards
    python = ".".join(map(str, sys.version_info[:2]))
    return f"{_MAGIC}Python {python}, dobook {version}\n".encode()


def _checked(packed: bytes) -> bytes:
    """Return what can be unpacked, once it is sure that the same versions packed it.

    Raises:
        UsageError: If others did, or it was not packed by `pack`.
    """
    head, own = bytes(packed[:_MOST_HEAD]).partition(b"\n")[0] + b"\n", _head()
    if head == own:
        return packed[len(own) :]
    if not head.startswith(_MAGIC.encode()):
        raise UsageError("this is not a scenario that dobook has packed; nothing was unpacked.")
    theirs, here = (
        line.decode("utf-8", "replace").removeprefix(_MAGIC).strip() for line in (head, own)
    )
    raise UsageError(
        f"the scenario was packed by {theirs}, and this process has {here}. Nothing was unpacked. "
        "Install the same versions in both, or explore with jobs=1."
    )


def make_runs(case: Case, strategy: Strategy, first: int, last: int) -> list[Result]:
    """Make the runs from one number to another, fewer if there is nothing left to try."""
    results = []
    for number in range(first, last + 1):
        chooser = strategy.chooser(number)
        if chooser is None:
            break
        outcome = run_once(case, chooser)
        strategy.learn(outcome)
        results.append(result(number, outcome))
    return results


@contextlib.contextmanager
def _by_value(case: Case, cloudpickle: Any) -> Iterator[None]:
    """Pickle the modules of a case by value, unless they are installed packages."""
    names = {getattr(thing, "__module__", "") for thing in (case.scenario, *case.classes.values())}
    registered = []
    for name in sorted(names):
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None) or ""
        installed = "site-packages" in file or name.partition(".")[0] == "dobook"
        if module is not None and not installed and name != "__main__":
            cloudpickle.register_pickle_by_value(module)
            registered.append(module)
    try:
        yield
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)
