"""Guided by coverage: schedules that showed a new order of two events are kept and varied.

What counts as covered is a pair: at one object, this event right after that one, or this fault
right after that event. A schedule that adds a pair joins the corpus; most runs vary a schedule of
the corpus a little, the rest are random walks.

Source: the idea is that of coverage-guided fuzzing; pairs of events as in Yu et al., "Maple",
OOPSLA 2012.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import ClassVar

from dobook.explorer.decisions import Chooser, Event, Replayer
from dobook.explorer.run import Outcome
from dobook.explorer.schedule import Fault, Schedule
from dobook.explorer.strategies.base import Strategy
from dobook.explorer.strategies.walk import Walker

_FRESH = 0.3  # how often a run is a random walk
_MOST_KEPT = 200


class Coverage(Strategy):
    """Varies the schedules that have shown something new."""

    name: ClassVar[str] = "coverage"
    independent: ClassVar[bool] = False

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._corpus: list[Outcome] = []
        self._pairs: set[tuple[str, str, str]] = set()

    @property
    def pairs(self) -> int:
        """How many orders of two events have been seen."""
        return len(self._pairs)

    def chooser(self, number: int) -> Chooser:
        """Return who decides in a run."""
        if number == 1:
            return Chooser()
        rng = self.rng(number)
        if not self._corpus or rng.random() < _FRESH:
            return Walker(rng)
        recent = 1 - rng.random() ** 2  # newer ones more often
        parent = self._corpus[int(recent * len(self._corpus)) % len(self._corpus)]
        return _Varied(_vary(parent, rng.random), rng.random)

    def learn(self, outcome: Outcome) -> None:
        """Keep a schedule that has shown a new pair."""
        new = _pairs(outcome) - self._pairs
        if new:
            self._pairs |= new
            self._corpus.append(outcome)
            del self._corpus[:-_MOST_KEPT]


class _Varied(Replayer):
    """Follows a varied schedule; now and then, another event goes next."""

    def __init__(self, schedule: Schedule, random: Callable[[], float]) -> None:
        super().__init__(schedule)
        self._random = random
        self._swerve = 0.1 if random() < 0.5 else 0.0

    def pick(self, number: int, ready: Sequence[Event]) -> int:
        """Return what the schedule says, or another one."""
        if self._swerve and self._random() < self._swerve:
            return int(self._random() * len(ready))
        return super().pick(number, ready)


def _vary(parent: Outcome, random: Callable[[], float]) -> Schedule:
    picks = dict(parent.schedule.picks)
    faults = list(parent.schedule.faults)
    for _ in range(1 + int(random() * 3)):
        kind = random()
        if kind < 0.35 and parent.picks:
            number = 1 + int(random() * len(parent.picks))
            picks[number] = int(random() * parent.picks[number - 1][1])
        elif kind < 0.7 and parent.occasions:
            occasion, label, nth, options = parent.occasions[int(random() * len(parent.occasions))]
            faults.append(Fault(occasion, label, nth, options[int(random() * len(options))]))
        elif kind < 0.85 and faults:
            del faults[int(random() * len(faults))]
        elif picks:
            del picks[sorted(picks)[int(random() * len(picks))]]
    return Schedule.of(picks.items(), faults)


def _pairs(outcome: Outcome) -> set[tuple[str, str, str]]:
    found = set()
    for owner, names in outcome.sequences.items():
        kinds = ["", *names]
        found |= {(owner, a, b) for a, b in pairwise(kinds)}
    for fault in outcome.schedule.faults:
        found.add((fault.label, f"{fault.occasion} {fault.nth}", fault.option))
    return found
