"""Known answers: classic mistakes as small objects, each with its repaired twin.

`BUGS` has them by name. The explorer has to find every one of them within its budget, and nothing
in the twins; `benchmarks.races` measures how many schedules each strategy needs.

Example:
    >>> import dobook
    >>> from dobook.explorer.bugs import BUGS
    >>> bug = BUGS["forgotten in memory"]
    >>> dobook.explore(bug.scenario, bug.broken, runs=60).ok
    False
    >>> dobook.explore(bug.scenario, bug.fixed, runs=60).ok
    True
"""

from dobook.explorer.bugs import alarms, between, locks, memory, speech, updates
from dobook.explorer.bugs.base import Bug

BUGS: dict[str, Bug] = {
    bug.name: bug
    for module in (memory, updates, between, alarms, speech, locks)
    for bug in module.BUGS
}
