"""PCT: priorities instead of dice. The ready event of the highest priority goes, always.

Priorities of lanes are drawn at random; at a few places, drawn among all the places the ordinary
run has, the lane that would go next falls behind all others, or something happens to an object. A
bug that needs d such places is found with a probability that is bounded from below, which a walk
that decides anew at each step cannot offer.

Source: Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
ASPLOS 2010.
"""

import random
from collections.abc import Sequence
from typing import ClassVar

from dobook.explorer.decisions import Chooser, Event
from dobook.explorer.run import Outcome
from dobook.explorer.strategies.base import Strategy

DEPTHS = (1, 2, 2, 3)  # how many places, besides the priorities
_PATIENCE = 40  # picks in a row after which a lane that only waits loses its priority
_LATE_WITH_PRIORITY = 0.5  # how often a place is one of the occasions rather than one of the picks


class Pct(Strategy):
    """Draws priorities, and a few places at which they change or something happens."""

    name: ClassVar[str] = "pct"

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._picks = 8  # how many choices a run has, as far as is known
        self._occasions = 16
        self._measured = False

    def chooser(self, number: int) -> Chooser:
        """Return who decides in a run."""
        if number == 1:
            return Chooser()
        return Prioritiser(self.rng(number), self._picks, self._occasions)

    def learn(self, outcome: Outcome) -> None:
        """Take the ordinary run's length; runs that are shared among processes agree on it."""
        if not self._measured:
            self._measured = True
            self._picks = max(4, outcome.events)
            self._occasions = max(4, len(outcome.occasions))


class Prioritiser(Chooser):
    """Decides by priority in one run.

    Args:
        rng: Where priorities and places come from.
        picks: About how many events a run has.
        occasions: About how many occasions for faults a run has.
    """

    def __init__(self, rng: random.Random, picks: int, occasions: int) -> None:
        self._rng = rng
        self._priorities: dict[object, float] = {}
        self._lowest = 0.0
        depth = DEPTHS[int(rng.random() * len(DEPTHS))]
        self._changes: set[int] = set()
        self._faults: set[int] = set()
        for _ in range(depth):
            if rng.random() < _LATE_WITH_PRIORITY:
                self._faults.add(1 + int(rng.random() * occasions))
            else:
                self._changes.add(1 + int(rng.random() * picks))
        self._events = 0
        self._occasions = 0
        self._last: object = None
        self._in_a_row = 0

    def pick(self, number: int, ready: Sequence[Event]) -> int:
        """Return the event of the highest priority."""
        best = max(range(len(ready)), key=lambda place: self._priority(ready[place].lane))
        if self._events + 1 in self._changes:
            self._changes.discard(self._events + 1)
            self._fall(ready[best].lane)
            best = max(range(len(ready)), key=lambda place: self._priority(ready[place].lane))
        return best

    def ran(self, event: Event) -> None:
        """Count the events of a lane in a row: one that polls must not keep all others waiting."""
        self._events += 1
        self._in_a_row = self._in_a_row + 1 if event.lane == self._last else 1
        self._last = event.lane
        if self._in_a_row > _PATIENCE:
            self._in_a_row = 0
            self._fall(event.lane)

    def fault(self, occasion: str, label: str, nth: int, options: Sequence[str]) -> str | None:
        """Return what happens, if this occasion is one of those that were drawn."""
        self._occasions += 1
        if self._occasions not in self._faults:
            return None
        return options[int(self._rng.random() * len(options))]

    def _priority(self, lane: object) -> float:
        found = self._priorities.get(lane)
        if found is None:
            found = self._priorities[lane] = self._rng.random()
        return found

    def _fall(self, lane: object) -> None:
        self._lowest -= 1
        self._priorities[lane] = self._lowest
