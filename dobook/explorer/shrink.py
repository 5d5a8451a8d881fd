"""Making a failing schedule small: fewer faults, fewer unusual picks, less delay, earlier crashes.

Each candidate is run; it is kept when it fails in the same way and deviates less. What it deviates
is what the run really did, so choices that did not come up disappear.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from dobook.explorer.run import Outcome
from dobook.explorer.schedule import DELAYS_MS, Fault, Schedule, late

MOST_TRIES = 600


class Shrinker:
    """Shrinks one failing outcome.

    Args:
        run: Runs a schedule.
        most_tries: After how many runs to be content.
    """

    def __init__(self, run: Callable[[Schedule], Outcome], most_tries: int = MOST_TRIES) -> None:
        self._run = run
        self._left = most_tries
        self._seen: set[Schedule] = set()
        self.tries = 0

    def shrink(self, outcome: Outcome) -> Outcome:
        """Return the smallest outcome found that fails as the given one does."""
        best = outcome
        improved = True
        while improved and self._left > 0:
            improved = False
            for candidate in self._candidates(best.schedule):
                smaller = self._try(candidate, best)
                if smaller is not None:
                    best, improved = smaller, True
                    break
        return best

    def _try(self, candidate: Schedule, best: Outcome) -> Outcome | None:
        if candidate in self._seen or self._left <= 0:
            return None
        self._seen.add(candidate)
        self._left -= 1
        self.tries += 1
        outcome = self._run(candidate)
        assert best.failure is not None
        if outcome.failure is None or outcome.failure.place != best.failure.place:
            return None
        return outcome if _measure(outcome) < _measure(best) else None

    def _candidates(self, at: Schedule) -> Iterator[Schedule]:
        picks, faults = at.picks, at.faults
        if picks and faults:
            yield Schedule((), faults)
        if faults:
            yield Schedule(picks, ())
        yield from self._without_parts(at)
        for index, fault in enumerate(faults):
            for gentler in _gentler(fault):
                changed = tuple(sorted((*faults[:index], gentler, *faults[index + 1 :])))
                yield replace(at, faults=changed)
        for index, (number, place) in enumerate(picks):
            for lower in (1, place // 2, place - 1):
                if 0 < lower < place:
                    yield replace(at, picks=(*picks[:index], (number, lower), *picks[index + 1 :]))
            for earlier in (1, number // 2, number - 1):
                if 0 < earlier < number and all(n != earlier for n, _ in picks):
                    moved = (*picks[:index], (earlier, place), *picks[index + 1 :])
                    yield replace(at, picks=tuple(sorted(moved)))

    def _without_parts(self, at: Schedule) -> Iterator[Schedule]:
        """Yield the schedule without ever smaller parts of its picks, then without each fault."""
        picks = at.picks
        size = len(picks) // 2
        while size:
            for start in range(0, len(picks), size):
                yield replace(at, picks=picks[:start] + picks[start + size :])
            size //= 2
        for index in range(len(at.faults)):
            yield replace(at, faults=at.faults[:index] + at.faults[index + 1 :])


def _gentler(fault: Fault) -> Iterator[Fault]:
    """Yield faults that are easier to understand than one."""
    if fault.occasion == "delivery" and fault.option == "crash":
        yield replace(fault, option="evict")
    if fault.occasion != "clock":
        for ms in DELAYS_MS:
            if ms < fault.ms:
                yield replace(fault, option=late(ms))
    for nth in dict.fromkeys((1, fault.nth // 2, fault.nth - 1)):
        if 0 < nth < fault.nth:
            yield replace(fault, nth=nth)


def _measure(outcome: Outcome) -> tuple[object, ...]:
    cost = outcome.schedule.cost
    return (*cost[:2], outcome.events, *cost[2:])
