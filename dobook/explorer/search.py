"""`dobook.explore`: run a scenario under many schedules and keep what fails."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from dobook.errors import UsageError, suggest
from dobook.explorer.code import code_hash
from dobook.explorer.decisions import Replayer
from dobook.explorer.line import remember, write_line
from dobook.explorer.report import Report
from dobook.explorer.run import Case, Outcome, Scenario, run_once
from dobook.explorer.schedule import KINDS, Schedule
from dobook.explorer.shrink import Shrinker
from dobook.explorer.strategies.base import Strategy
from dobook.explorer.strategies.coverage import Coverage
from dobook.explorer.strategies.exhaustive import Exhaustive
from dobook.explorer.strategies.pct import Pct
from dobook.explorer.strategies.walk import RandomWalk
from dobook.runtime.registry import default_binding

STRATEGIES: dict[str, type[Strategy]] = {s.name: s for s in (RandomWalk, Pct, Exhaustive, Coverage)}
DEFAULT_RUNS = 500


@dataclass
class Tally:
    """What a number of runs came to."""

    runs: int = 0
    failed: int = 0
    interrupted: int = 0
    overran: int = 0
    signatures: set[int] = field(default_factory=set)
    first_failure: int = 0  # its run's number
    failures: dict[str, Outcome] = field(default_factory=dict)  # the least deviating, by place
    exhausted: str = ""  # what there is nothing more of

    def add(self, outcome: Outcome) -> None:
        """Count a run."""
        self.runs += 1
        self.interrupted += bool(outcome.interrupted)
        self.overran += outcome.overran
        self.signatures.add(outcome.signature)
        if outcome.failure is not None:
            self.failed += 1
            self.first_failure = self.first_failure or self.runs
            known = self.failures.get(outcome.failure.place)
            if known is None or outcome.schedule.cost < known.schedule.cost:
                self.failures[outcome.failure.place] = outcome


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
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Run a scenario under many schedules, crashes and delays; show the smallest that fails.

    Args:
        scenario: An async function with assertions. It is given `env` and, if it has a parameter
            of that name, `runtime`. Each run has a runtime of its own.
        classes: The objects' classes, or mappings of bindings to classes.
        runs: How many schedules to try; 500 unless `seconds` is given.
        seconds: How long to go on, in seconds of real time.
        strategy: "random" (a walk), "pct" (priorities), "exhaustive" (everything, with ever more
            faults) or "coverage" (varies what showed something new); see `dobook.explorer`.
        faults: What may happen besides the order of events: "all", "none", or some of "delay",
            "slow", "evict", "crash", "lose", "clock".
        most_faults: How many crashes, evictions, losses and jumps of the clock in one run.
        seed: Another seed tries other schedules.
        stop: Whether to stop at the first failure.
        progress: Called with how much is done and of how much: runs, or ms.

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
    case = make_case(scenario, classes, faults=faults, most_faults=most_faults, seed=seed)
    if strategy not in STRATEGIES:
        raise UsageError(f"no strategy named {strategy!r}. {suggest(strategy, STRATEGIES)}")
    if runs is None and seconds is None:
        runs = DEFAULT_RUNS
    tally = Tally()
    plan = STRATEGIES[strategy](seed)
    began = time.monotonic()
    while runs is None or tally.runs < runs:
        elapsed = time.monotonic() - began
        if seconds is not None and elapsed >= seconds:
            break
        chooser = plan.chooser(tally.runs + 1)
        if chooser is None:
            break
        outcome = run_once(case, chooser)
        plan.learn(outcome)
        tally.add(outcome)
        if progress is not None:
            if runs is not None:
                progress(tally.runs, runs)
            elif seconds is not None:
                progress(int(elapsed * 1000), int(seconds * 1000))
        if stop and tally.failed:
            break
    tally.exhausted = plan.exhausted
    return finish(case, tally, strategy, time.monotonic() - began)


def make_case(
    scenario: Scenario,
    classes: Iterable[type | Mapping[str, type]],
    *,
    faults: str | Iterable[str],
    most_faults: int,
    seed: int,
) -> Case:
    """Return what is to be explored.

    Raises:
        UsageError: If it cannot be.
    """
    if not callable(scenario):
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
        faults = {"all": tuple(KINDS), "none": ()}.get(faults) or faults.replace(",", " ").split()
        faults = () if list(faults) == ["none"] else faults
    kinds = tuple(faults)
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"no kind of fault named {kind!r}. {suggest(kind, KINDS)}")
    return Case(scenario, bindings, kinds, most_faults if kinds else 0, seed)


def finish(case: Case, tally: Tally, strategy: str, seconds: float) -> Report:
    """Shrink what failed, and report."""
    smallest: Outcome | None = None
    tries = 0
    reproducible = True
    if tally.failures:
        first = min(tally.failures.values(), key=lambda o: (o.schedule.cost, o.events))
        again = run_once(case, Replayer(first.schedule))
        reproducible = again.failure is not None
        if reproducible:
            shrinker = Shrinker(lambda schedule: run_once(case, Replayer(schedule)))
            smallest = shrinker.shrink(again)
            tries = shrinker.tries
            smallest = run_once(case, Replayer(smallest.schedule), record=True)
        else:
            smallest = first
    remember(case)
    line = "" if smallest is None else write_line(case, smallest.schedule)
    return Report(
        scenario=getattr(case.scenario, "__name__", "scenario"),
        strategy=strategy,
        runs=tally.runs,
        distinct=len(tally.signatures),
        failed=tally.failed,
        interrupted=tally.interrupted,
        overran=tally.overran,
        first_failure=tally.first_failure,
        seconds=seconds,
        shrinking=tries,
        places=tuple(tally.failures),
        smallest=smallest,
        reproducible=reproducible,
        line=line,
        code=code_hash(case.scenario, case.classes.values()),
        exhausted=tally.exhausted,
    )


def replay(
    line: str, scenario: Scenario | None = None, *classes: type | Mapping[str, type]
) -> Report:
    """Run one schedule again, as a report's line says it.

    Args:
        line: The line, from `report.line`.
        scenario: The scenario, where it cannot be found by its name.
        classes: The classes, likewise.

    Returns:
        A report of that one run. Its `stale` says whether the code is another one by now, in
        which case the schedule may not fit any more.

    Raises:
        UsageError: If the line cannot be read or the scenario cannot be found.
    """
    from dobook.explorer.line import read_line

    case, schedule, code = read_line(line, scenario, classes)
    began = time.monotonic()
    outcome = run_once(case, Replayer(schedule), record=True)
    tally = Tally()
    tally.add(outcome)
    now = code_hash(case.scenario, case.classes.values())
    return Report(
        scenario=getattr(case.scenario, "__name__", "scenario"),
        strategy="replay",
        runs=1,
        distinct=1,
        failed=tally.failed,
        interrupted=tally.interrupted,
        overran=tally.overran,
        first_failure=tally.first_failure,
        seconds=time.monotonic() - began,
        shrinking=0,
        places=tuple(tally.failures),
        smallest=outcome,
        reproducible=True,
        line=line,
        code=now,
        stale=code != now or outcome.missed > 0,
    )


def run_schedule(case: Case, schedule: Schedule, *, record: bool = False) -> Outcome:
    """Run a case under a schedule."""
    return run_once(case, Replayer(schedule), record=record)
