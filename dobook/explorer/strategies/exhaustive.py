"""Everything, in stages: few choices out of the ordinary first, then every order of events.

Each stage goes depth first: a run follows a prefix of choices and goes the ordinary way from
there; the last choice that has something untried left begins the next run. The stages are

1. one choice out of the ordinary: another event goes next, or one fault;
2. every order of events, without faults;
3. two choices out of the ordinary;
4. every order of events, with one fault;
5. three choices out of the ordinary.

In 2 and 4, orders that differ only in events that do not depend on one another look the same to
every object, so all but one of them are left out: what has been tried at a choice sleeps in the
branches beside it until an event wakes it that it depends on. Two events depend on one another if
they happen at the same object, or if one may answer a call of the object at which the other
happens. These two stages are given up when they are too large.

Source: Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996 (sleep
sets); Musuvathi, Qadeer, "Iterative Context Bounding", PLDI 2007 (few choices first).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from dobook.explorer.decisions import Chooser, Event
from dobook.explorer.run import Outcome
from dobook.explorer.strategies.base import Strategy

Name = tuple[str, str]  # an event's owner and name
Sleeping = dict[Name, frozenset[str]]  # by event: whose calls it may answer
_NOTHING: Final = ""
_NO_LIMIT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage tries.

    Attributes:
        claim: What has been tried when it is through.
        choices: How many choices out of the ordinary there may be in a run.
        faults: How many of them may be faults.
        sleep: Whether orders that look the same are left out.
        most_runs: After how many runs to give it up.
    """

    claim: str
    choices: int
    faults: int
    sleep: bool = False
    most_runs: int = _NO_LIMIT


STAGES: Final = (
    Stage("every schedule with at most one choice out of the ordinary", 1, 1),
    Stage("every order of events, without faults", _NO_LIMIT, 0, sleep=True, most_runs=400),
    Stage("every schedule with at most two choices out of the ordinary", 2, 2),
    Stage(
        "every order of events, with at most one fault", _NO_LIMIT, 1, sleep=True, most_runs=4000
    ),
    Stage("every schedule with at most three choices out of the ordinary", 3, 3),
)


@dataclass(slots=True)
class _Node:
    """One choice on the way to where the search is.

    Attributes:
        chosen: The place picked, or the option.
        untried: What is left to try.
        names: The events that were ready, for a pick.
        peers: Whose calls each of them may answer.
        sleeping: Events that need not go here, for a pick: they have been tried beside this run.
    """

    chosen: int | str
    untried: list[int | str]
    names: list[Name] = field(default_factory=list)
    peers: list[frozenset[str]] = field(default_factory=list)
    sleeping: Sleeping = field(default_factory=dict)


class Exhaustive(Strategy):
    """Tries everything, in stages.

    Args:
        seed: Of no influence; there is no chance in it.
    """

    name: ClassVar[str] = "exhaustive"
    independent: ClassVar[bool] = False
    shareable: ClassVar[bool] = False

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._stage = 0
        self._runs = 0  # in this stage
        self._path: list[_Node] = []
        self._current: _Descent | None = None
        self._claims: list[str] = []
        self._faults = False  # whether there is any occasion for one

    def chooser(self, number: int) -> Chooser | None:
        """Return who follows the next branch, None if all have been followed."""
        if self._stage == len(STAGES):
            return None
        self._current = _Descent(self._path, STAGES[self._stage])
        return self._current

    def learn(self, outcome: Outcome) -> None:
        """Step back to the last choice with something left to try."""
        assert self._current is not None
        self._runs += 1
        self._faults = self._faults or bool(outcome.occasions)
        path = self._current.path
        while path and not path[-1].untried:
            path.pop()
        stage = STAGES[self._stage]
        if path and self._runs < stage.most_runs:
            node = path[-1]
            if stage.sleep and isinstance(node.chosen, int):
                node.sleeping[node.names[node.chosen]] = node.peers[node.chosen]
            node.chosen = node.untried.pop(0)
            self._path = path
            return
        self._path = []
        self._runs = 0
        self._stage += 1
        if not path:
            self._claims.append(stage.claim)
            if stage.sleep and not self._faults:  # that was everything
                self._claims = ["every order of events"]
                self._stage = len(STAGES)

    @property
    def exhausted(self) -> str:
        """What has been tried without exception, empty if nothing has."""
        return "; ".join(self._claims[-2:])


class _Descent(Chooser):
    """Follows a path and goes the ordinary way behind it, noting what else could be tried.

    Args:
        path: The choices to follow.
        stage: What may be tried.
    """

    def __init__(self, path: list[_Node], stage: Stage) -> None:
        self.path = path
        self._at = 0
        self._sleep = stage.sleep
        self._choices = stage.choices  # left
        self._faults = stage.faults  # left
        self._sleeping: Sleeping = {}

    def pick(self, number: int, ready: Sequence[Event]) -> int:
        """Follow the path, or begin with the oldest event that does not sleep."""
        if not self._choices:
            return 0
        if self._at < len(self.path):
            node = self.path[self._at]
            chosen = int(node.chosen)
        else:
            node = self._branch(ready)
            chosen = int(node.chosen)
        self._at += 1
        self._sleeping = node.sleeping
        if chosen and not self._sleep:
            self._choices -= 1
        return chosen

    def _branch(self, ready: Sequence[Event]) -> _Node:
        names = [(event.owner, event.name) for event in ready]
        awake = [place for place, name in enumerate(names) if name not in self._sleeping]
        # If all sleep, this order looks like one that has been tried: it ends without branches.
        chosen, untried = (awake[0], awake[1:]) if awake else (0, [])
        peers = [event.peers() for event in ready] if self._sleep else []
        node = _Node(chosen, list(untried), names, peers, dict(self._sleeping))
        self.path.append(node)
        return node

    def ran(self, event: Event) -> None:
        """Wake what depends on the event."""
        if self._sleeping:
            owner, peers = event.owner, event.peers()
            self._sleeping = {
                name: whose
                for name, whose in self._sleeping.items()
                if name[0] != owner and name[0] not in peers and owner not in whose
            }

    def fault(self, occasion: str, label: str, nth: int, options: Sequence[str]) -> str | None:
        """Follow the path, or let nothing happen at first."""
        if not self._faults or not self._choices:
            return None
        if self._at < len(self.path):
            chosen = str(self.path[self._at].chosen)
        else:
            chosen = _NOTHING
            self.path.append(_Node(chosen, list(options)))
        self._at += 1
        if chosen:
            self._faults -= 1
            self._choices -= not self._sleep
        return chosen or None
