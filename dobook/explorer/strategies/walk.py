"""The random walk: at every choice, chance decides; how wild it is, chance decides for each run."""

import random
from collections.abc import Sequence
from typing import ClassVar

from dobook.explorer.decisions import Chooser, Event
from dobook.explorer.strategies.base import Strategy

_SWERVES = (0.0, 0.1, 0.3, 0.6, 1.0)  # how often another event than the oldest goes next
_RATES = (0.0, 0.0, 0.0, 0.0, 0.02, 0.05, 0.1, 0.3)  # how often something of a kind happens


class RandomWalk(Strategy):
    """Draws every choice; each run has its own mix of what is likely."""

    name: ClassVar[str] = "random"

    def chooser(self, number: int) -> Chooser:
        """Return who decides in a run."""
        return Chooser() if number == 1 else Walker(self.rng(number))


class Walker(Chooser):
    """Draws the choices of one run.

    Args:
        rng: Where from.
    """

    def __init__(self, rng: random.Random) -> None:
        self._random = rng.random
        self._swerve = _SWERVES[int(rng.random() * len(_SWERVES))]
        self._rates: dict[str, float] = {}

    def pick(self, number: int, ready: Sequence[Event]) -> int:
        """Draw which goes next."""
        if self._random() >= self._swerve:
            return 0
        return int(self._random() * len(ready))

    def fault(self, occasion: str, label: str, nth: int, options: Sequence[str]) -> str | None:
        """Draw whether something happens, and what."""
        option = options[int(self._random() * len(options))]
        key = f"{occasion} {option if not option.startswith('+') else '+'}"
        rate = self._rates.get(key)
        if rate is None:
            rate = self._rates[key] = _RATES[int(self._random() * len(_RATES))]
        return option if self._random() < rate else None
