"""The choices of one run: asked for by the engine's side, answered by a strategy, written down.

A `Strategy` makes a `Chooser` for each run. What the chooser answers is checked here against what
is allowed at all (the kinds of faults that were asked for, how many of them), and recorded as the
schedule that would lead to the same run again.
"""

from collections.abc import Sequence
from typing import Protocol

from dobook.explorer.schedule import KINDS, Fault, Schedule


class Event(Protocol):
    """Something that is ready to happen.

    Attributes:
        lane: What it comes after: events of one lane keep their order.
        owner: The object it happens at, "outside" for the scenario itself.
        name: What it is called in every run in which its object and its sender did the same
            before.
    """

    lane: object
    owner: str
    name: str

    def peers(self) -> frozenset[str]:
        """Return whose calls it may answer, which is all it changes besides its owner."""


class Chooser:
    """Answers for one run; this one lets everything go its ordinary way."""

    def pick(self, number: int, ready: Sequence[Event]) -> int:
        """Return which of several ready events goes next, oldest first.

        Args:
            number: Of this choice in its run, from 1.
            ready: At least two events.
        """
        return 0

    def fault(self, occasion: str, label: str, nth: int, options: Sequence[str]) -> str | None:
        """Return what happens at an occasion, None for nothing."""
        return None

    def ran(self, event: Event) -> None:
        """Note that an event goes now, whether or not there was a choice."""


class Decisions:
    """Asks a chooser, keeps to the limits, and records.

    Args:
        chooser: Who decides.
        kinds: The kinds of faults that may happen.
        most: How many crashes, evictions, losses and jumps of the clock there may be.
        most_delays: How many late messages, replies, writes and the like.
    """

    def __init__(self, chooser: Chooser, kinds: Sequence[str], most: int, most_delays: int) -> None:
        self._chooser = chooser
        self._allowed = {place for kind in kinds for place in KINDS[kind]}
        self._left = most
        self._delays_left = most_delays
        self._counts: dict[tuple[str, str], int] = {}
        self.active = True  # off while nothing may happen: at the end of a run
        self.picks: list[tuple[int, int]] = []  # place, of how many; one for each choice
        self.faults: list[Fault] = []
        self.occasions: list[tuple[str, str, int, tuple[str, ...]]] = []

    def pick(self, ready: Sequence[Event]) -> int:
        """Return which of some ready events goes next."""
        if len(ready) == 1 or not self.active:
            self._chooser.ran(ready[0])
            return 0
        place = self._chooser.pick(len(self.picks) + 1, ready)
        if not 0 <= place < len(ready):
            place = 0
        self.picks.append((place, len(ready)))
        self._chooser.ran(ready[place])
        return place

    def decide(self, occasion: str, label: str, options: Sequence[str]) -> str | None:
        """Return what happens to an object at an occasion, None for nothing."""
        if not self.active:
            return None
        key = (occasion, label)
        nth = self._counts[key] = self._counts.get(key, 0) + 1
        possible = tuple([o for o in options if self._possible(occasion, o)])
        if not possible:
            return None
        self.occasions.append((occasion, label, nth, possible))
        option = self._chooser.fault(occasion, label, nth, possible)
        if option is None:
            return None
        if option.startswith("+") and occasion != "clock":
            self._delays_left -= 1
        else:
            self._left -= 1
        self.faults.append(Fault(occasion, label, nth, option))
        return option

    def _possible(self, occasion: str, option: str) -> bool:
        late = option.startswith("+")
        left = self._delays_left if late and occasion != "clock" else self._left
        return left > 0 and (occasion, "+" if late else option) in self._allowed

    @property
    def schedule(self) -> Schedule:
        """What has been decided, as far as it was not ordinary."""
        places = [(n, place) for n, (place, _) in enumerate(self.picks, 1)]
        return Schedule.of(places, self.faults)


class Replayer(Chooser):
    """Does what a schedule says.

    Args:
        schedule: The schedule.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._picks = dict(schedule.picks)
        self._faults = {(f.occasion, f.label, f.nth): f.option for f in schedule.faults}
        self.missed = len(schedule.faults) + len(schedule.picks)  # what has not come up

    def pick(self, number: int, ready: Sequence[Event]) -> int:
        """Return what the schedule says."""
        place = self._picks.get(number, 0)
        if not 0 <= place < len(ready):
            return 0
        self.missed -= place > 0
        return place

    def fault(self, occasion: str, label: str, nth: int, options: Sequence[str]) -> str | None:
        """Return what the schedule says."""
        option = self._faults.get((occasion, label, nth))
        if option is None or not (option in options or option.startswith("+")):
            return None
        self.missed -= 1
        return option
