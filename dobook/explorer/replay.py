"""`dobook.replay`: run one schedule again."""

import time
from collections.abc import Mapping

from dobook.explorer.decisions import Replayer
from dobook.explorer.line import read_line
from dobook.explorer.report import Report
from dobook.explorer.run import Scenario, run_once


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

    Example:
        >>> import dobook
        >>> dobook.replay(
        ...     "dobook.explorer.bugs.memory:fill_a_basket BASKET=Basket code=00000000 | "
        ...     "delivery BASKET/ada 2 evict"
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
