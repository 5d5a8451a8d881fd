"""What a strategy is: it makes a chooser for each run, and may learn from what came of it."""

import random
from typing import ClassVar

from dobook.explorer.decisions import Chooser
from dobook.explorer.run import Outcome


class Strategy:
    """A way to look for failing schedules.

    Args:
        seed: Where everything random comes from.
    """

    name: ClassVar[str]
    # Whether runs need not know of one another, so that it does not matter who makes them.
    independent: ClassVar[bool] = True
    shareable: ClassVar[bool] = True  # whether others may make some of them at all

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def chooser(self, number: int) -> Chooser | None:
        """Return who decides in a run, None when there is nothing left to try.

        Args:
            number: Of the run, from 1. The first is the ordinary one.
        """
        raise NotImplementedError

    def learn(self, outcome: Outcome) -> None:
        """Take note of what came of the run whose chooser was asked for last."""

    @property
    def exhausted(self) -> str:
        """What has been tried without exception, as text; empty if nothing has."""
        return ""

    def rng(self, number: int) -> random.Random:
        """Return the random numbers of one run: the same on every machine and Python."""
        return random.Random(f"{self.name} {self.seed} {number}")
