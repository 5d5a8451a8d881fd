"""What a number of runs came to, in a form that may travel between processes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from dobook.explorer.run import Outcome
from dobook.explorer.schedule import Schedule, parse_schedule


class Result(NamedTuple):
    """What one run came to: numbers and texts only."""

    number: int  # of the run, from 1
    signature: int  # the same for runs in which every object saw the same
    interrupted: bool
    overran: bool
    events: int
    failed: bool = False
    place: str = ""  # of the failure
    schedule: str = ""  # of a run that failed


def result(number: int, outcome: Outcome) -> Result:
    """Return what is to be remembered of a run."""
    failure = outcome.failure
    return Result(
        number,
        outcome.signature,
        bool(outcome.interrupted),
        outcome.overran,
        outcome.events,
        failure is not None,
        "" if failure is None else failure.place,
        "" if failure is None else str(outcome.schedule),
    )


@dataclass
class Tally:
    """What a number of runs came to.

    Attributes:
        runs: How many there were.
        failed: How many of them failed.
        interrupted: In how many a fault ended the scenario.
        overran: How many were cut short.
        signatures: Which different runs there were.
        first_failure: The number of the first that failed, 0 if none did.
        smallest: By failure: the schedule that deviates the least, and its number of events.
    """

    runs: int = 0
    failed: int = 0
    interrupted: int = 0
    overran: int = 0
    signatures: set[int] = field(default_factory=set)
    first_failure: int = 0
    smallest: dict[str, tuple[Schedule, int]] = field(default_factory=dict)

    def add(self, results: Iterable[Result]) -> None:
        """Count some runs."""
        for found in results:
            self.runs += 1
            self.interrupted += found.interrupted
            self.overran += found.overran
            self.signatures.add(found.signature)
            if found.failed:
                self._failed(found)

    def _failed(self, found: Result) -> None:
        self.failed += 1
        if not self.first_failure or found.number < self.first_failure:
            self.first_failure = found.number
        schedule = parse_schedule(found.schedule)
        known = self.smallest.get(found.place)
        if known is None or (schedule.cost, found.events) < (known[0].cost, known[1]):
            self.smallest[found.place] = schedule, found.events

    def best(self) -> list[Schedule]:
        """Return one schedule for each failure, the least deviating first."""
        ordered = sorted(self.smallest.values(), key=lambda item: (item[0].cost, item[1]))
        return [schedule for schedule, _ in ordered]
