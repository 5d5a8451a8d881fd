"""`dobook.explore`: run a scenario under many schedules and keep what fails."""

import contextlib
import inspect
import itertools
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

from dobook.errors import UsageError, suggest
from dobook.explorer.batch import make_runs, pack
from dobook.explorer.decisions import Replayer
from dobook.explorer.pool import BATCH, Batch, Pool, spread
from dobook.explorer.progress import Progress
from dobook.explorer.replay_line import remember, write_line
from dobook.explorer.report import Report
from dobook.explorer.results import Result, Tally
from dobook.explorer.run import Case, Outcome, Scenario, run_once
from dobook.explorer.schedule import KINDS
from dobook.explorer.shrink import Shrinker
from dobook.explorer.strategies.base import Strategy
from dobook.explorer.strategies.table import strategy_named
from dobook.runtime.patching.patches import patches
from dobook.runtime.registry import default_binding

DEFAULT_RUNS = 500
ALONE_S = 1.5  # how long to run alone before other processes are worth their start


def explore(
    scenario: Scenario,
    *classes: type | Mapping[str, type],
    runs: int | None = None,
    seconds: float | None = None,
    strategy: str = "random",
    faults: str | Iterable[str] = "all",
    most_faults: int = 3,
    seed: int = 0,
    stop: bool = False,
    jobs: int | None = None,
    executor: object = None,
    worker: object = None,
    progress: bool | Callable[[float], None] = True,
) -> Report:
    """Run a scenario under many schedules, crashes and delays; show the smallest that fails.

    Args:
        scenario: An async function with assertions. It is given `env` and, if it has a parameter
            of that name, `runtime`. Each run has a runtime of its own.
        classes: The objects' classes, or mappings of bindings to classes.
        runs: How many schedules to try; 500 unless `seconds` is given.
        seconds: How long to keep running, in seconds of real time.
        strategy: "random" (a walk), "pct" (priorities), "exhaustive" (everything, few choices out
            of the ordinary first) or "coverage" (varies what has shown something new).
        faults: What may happen besides the order of events: "all", "none", or some of "delay",
            "slow", "evict", "crash", "lose", "clock".
        most_faults: How many crashes, evictions, losses and jumps of the clock in one run.
        seed: Another seed tries other schedules.
        stop: Whether to stop at the first failure.
        jobs: How many processes; by default as many as there are cores, if it takes long enough.
            "coverage" learns from its runs and uses several only when asked to, each of which then
            learns on its own; "exhaustive" always works alone.
        executor: Who makes the runs instead: a `concurrent.futures.Executor`, also one of Dask or
            Ray, or a `joblib.Parallel`. The scenario is sent to it with cloudpickle.
        worker: The entry Worker, which a scenario asks with `await runtime.fetch("/path")`.
        progress: Whether there is a bar when it takes long; or a function, called with how much
            is done, from 0 to 1.

    Returns:
        A report; it says how to replay the smallest failure.

    Raises:
        UsageError: If an argument cannot be used.

    Example:
        >>> import asyncio, dobook
        >>> class Counter:
        ...     def __init__(self, ctx, env):
        ...         self.storage = ctx.storage
        ...     async def increment(self):
        ...         n = await self.storage.get("n") or 0
        ...         await asyncio.sleep(0.1)
        ...         await self.storage.put("n", n + 1)
        ...         return n + 1
        >>> async def two_at_once(env):
        ...     counters = [env.COUNTER.getByName("a"), env.COUNTER.getByName("a")]
        ...     seen = await asyncio.gather(*(c.increment() for c in counters))
        ...     assert sorted(seen) == [1, 2]
        >>> dobook.explore(two_at_once, Counter, runs=20, faults="none").failed
        20
    """
    case = make_case(
        scenario, classes, faults=faults, most_faults=most_faults, seed=seed, worker=worker
    )
    if runs is None and seconds is None:
        runs = DEFAULT_RUNS
    plan = strategy_named(strategy)(seed)
    tally = Tally()
    began = time.monotonic()
    # Once for all runs: Python stops to cache a class's methods when they change too often.
    with patches, Progress(show=progress, runs=runs, seconds=seconds) as bar:
        try:
            with contextlib.closing(_results(case, plan, runs, jobs, executor)) as found:
                for results in found:
                    tally.add(results)
                    if (stop and tally.failed) or bar.advance(tally.runs):
                        break
        except KeyboardInterrupt:
            if not tally.failed:
                raise  # else what has been found is worth more
    return _finish(case, tally, plan, time.monotonic() - began)


def _results(
    case: Case, plan: Strategy, runs: int | None, jobs: int | None, executor: object
) -> Generator[list[Result], None, None]:
    """Yield results: alone at first, then, if it takes long, from other processes."""
    asked = executor is not None or (jobs or 1) > 1
    if asked and not plan.shareable:
        raise UsageError(f"the strategy {plan.name!r} works alone; leave jobs and executor out.")
    alone = not asked and (jobs is not None or not plan.independent)
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    alone = alone or (jobs == 1 and executor is None)
    numbers = itertools.count(1) if runs is None else iter(range(1, runs + 1))
    began = time.monotonic()
    for number in numbers:
        results = make_runs(case, plan, number, number)
        if not results:
            return
        yield results
        if not alone and (executor is not None or time.monotonic() - began > ALONE_S):
            break
    else:
        return
    packed = pack(case, plan.name, plan.seed)
    rest = _batches(number + 1, runs)
    if executor is not None:
        yield from spread(executor, packed, rest, at_once=_width(executor, jobs))
        return
    pool = Pool(packed, jobs)
    try:
        yield from spread(pool, packed, rest, at_once=2 * jobs)
    finally:
        pool.shutdown(cancel_futures=True)


def _width(executor: object, jobs: int) -> int:
    """Return how many batches to have under way at somebody else's."""
    known = getattr(executor, "_max_workers", None) or getattr(executor, "n_jobs", None)
    return 2 * (known if isinstance(known, int) and known > 0 else max(jobs, 16))


def _batches(first: int, runs: int | None) -> Iterator[Batch]:
    for start in itertools.count(first, BATCH):
        if runs is not None and start > runs:
            return
        yield start, start + BATCH - 1 if runs is None else min(start + BATCH - 1, runs)


def make_case(
    scenario: Scenario,
    classes: Iterable[type | Mapping[str, type]],
    *,
    faults: str | Iterable[str] = "all",
    most_faults: int = 3,
    seed: int = 0,
    worker: object = None,
) -> Case:
    """Return what is to be explored.

    Raises:
        UsageError: If it cannot be.
    """
    if not inspect.iscoroutinefunction(scenario):
        raise UsageError(f"a scenario is an async function, not {scenario!r:.80}")
    bindings: dict[str, type] = {}
    for given in classes:
        if isinstance(given, type):
            bindings[default_binding(given.__name__)] = given
        elif isinstance(given, Mapping):
            bindings.update(given)
        else:
            raise UsageError(f"expected a class or a mapping of bindings, not {given!r:.80}")
    if isinstance(faults, str):
        words = faults.replace(",", " ").split()
        faults = {"all": tuple(KINDS), "none": ()}.get(" ".join(words), words)
    kinds = tuple(faults)
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"no kind of fault named {kind!r}. {suggest(kind, KINDS)}")
    return Case(scenario, bindings, kinds, most_faults if kinds else 0, seed, worker=worker)


def _finish(case: Case, tally: Tally, plan: Strategy, seconds: float) -> Report:
    """Shrink what failed, and report."""
    smallest: Outcome | None = None
    tries = 0
    for schedule in tally.best():
        again = run_once(case, Replayer(schedule))
        if again.failure is not None:
            shrinker = Shrinker(lambda schedule: run_once(case, Replayer(schedule)))
            smallest = shrinker.shrink(again)
            tries = shrinker.tries
            smallest = run_once(case, Replayer(smallest.schedule), record=True)
            break
    remember(case)
    return Report(
        scenario=getattr(case.scenario, "__name__", "scenario"),
        strategy=plan.name,
        runs=tally.runs,
        distinct=len(tally.signatures),
        failed=tally.failed,
        interrupted=tally.interrupted,
        overran=tally.overran,
        first_failure=tally.first_failure,
        seconds=seconds,
        shrinking=tries,
        places=tuple(tally.smallest),
        smallest=smallest,
        reproducible=smallest is not None or not tally.failed,
        line="" if smallest is None else write_line(case, smallest.schedule),
        code=case.code,
        exhausted=plan.exhausted,
    )
