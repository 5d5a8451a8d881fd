"""`dobook.replay`: run one schedule again."""

import time
from collections.abc import Mapping

from dobook.explorer.decisions import Replayer
from dobook.explorer.replay_line import read_line
from dobook.explorer.report import Report
from dobook.explorer.run import Scenario, run_once


def replay(
    line: str, scenario: Scenario | None = None, *classes: type | Mapping[str, type]
) -> Report:
    """Run one schedule again, as a report's line says it.

    A line is text, and may come from anybody. It is parsed, never evaluated, nothing is imported
    for it, and it runs only what you have given or have here yourself: the scenario and classes
    that you pass, what has been explored in this process, and otherwise what a module of your own
    defines that is imported already (in a notebook: what a cell has defined), if its code has the
    hash that stands in the line.

    Args:
        line: The line, from `report.line`.
        scenario: The scenario. It is needed where it cannot be found by its name.
        classes: The classes, likewise: a class, or a dict of classes by binding.

    Returns:
        A report of that one run. Its `stale` says whether the code that you passed is another one
        by now, in which case the schedule may not fit any more.

    Raises:
        UsageError: If the line cannot be read, or names something that you have neither given nor
            have here, or something of other code. Then nothing was run.

    Example:
        >>> import dobook
        >>> from dobook.explorer.bugs.memory import Basket, fill_a_basket
        >>> dobook.replay(
        ...     "dobook.explorer.bugs.memory:fill_a_basket BASKET=Basket code=00000000 | "
        ...     "delivery BASKET/ada 2 evict",
        ...     fill_a_basket,
        ...     Basket,
        ... ).failure.kind
        'assertion'
    """
    case, schedule, code = read_line(line, scenario, classes)
    began = time.monotonic()
    outcome = run_once(case, Replayer(schedule), record=True)
    failure = outcome.failure
    now = case.code
    return Report(
        scenario=getattr(case.scenario, "__name__", "scenario"),
        strategy="replay",
        runs=1,
        distinct=1,
        failed=int(failure is not None),
        interrupted=int(bool(outcome.interrupted)),
        overran=int(outcome.overran),
        first_failure=int(failure is not None),
        seconds=time.monotonic() - began,
        shrinking=0,
        places=() if failure is None else (failure.place,),
        smallest=outcome,
        reproducible=True,
        line=line,
        code=now,
        stale=code != now or outcome.missed > 0,
    )
