"""A schedule: the choices that make one run of a scenario what it is, and the line that says them.

The runtime asks for a choice wherever the world may go more than one way. A schedule lists the
answers that differ from the ordinary ones, so the empty schedule is the run without surprises:

- a **pick**: of several events that are ready, another than the oldest goes next;
- a **fault**: at its nth occasion, something happens to an object: a message or a reply is late or
  lost, storage is slow, the object is evicted or crashes, the clock jumps.

As text: `next 3=1; before-commit COUNTER/a 1 crash; message COUNTER/a 2 +500ms`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from dobook.errors import UsageError

# What may happen, by what people ask for in `faults=`, and where: occasion and option.
KINDS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "delay": (("message", "+"), ("reply", "+")),
    "slow": (("storage", "+"), ("commit", "+")),
    "evict": (("delivery", "evict"),),
    "crash": (
        ("delivery", "crash"),
        ("await", "crash"),
        ("write", "crash"),
        ("before-commit", "crash"),
        ("after-commit", "crash"),
    ),
    "lose": (("delivery", "lost"), ("reply", "lost")),
    "clock": (("clock", "+"),),
}
DELAYS_MS: Final = (1, 50, 500, 2_000, 15_000)  # how late a message or a reply may be
SLOW_MS: Final = (1, 50, 500, 2_000)  # how long storage may take
JUMPS_MS: Final = (1_000, 60_000)  # by how much a clock may jump
_PICK = re.compile(r"([0-9]{1,9})=([0-9]{1,9})")
_FAULT = re.compile(r"([a-z-]+) (\S+) ([0-9]{1,9}) (\S+)")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something that happens on purpose.

    Attributes:
        occasion: Where: "message", "reply", "delivery", "await", "write", "before-commit",
            "after-commit", "storage", "commit" or "clock".
        label: To which object, `BINDING/name`; "clock" for the clock.
        nth: At which of its occasions, from 1.
        option: What: "crash", "evict", "lost", or how late, as "+500ms".
    """

    occasion: str
    label: str
    nth: int
    option: str

    @property
    def ms(self) -> int:
        """How late something is, in ms; 0 if it is not about that."""
        return lateness(self.option) if self.option.startswith("+") else 0

    @property
    def kind(self) -> str:
        """What people call it in `faults=`."""
        option = "+" if self.option.startswith("+") else self.option
        for kind, places in KINDS.items():
            if (self.occasion, option) in places:
                return kind
        raise UsageError(f"nothing like {self.option!r:.80} happens at {self.occasion!r:.80}.")

    def __str__(self) -> str:
        return f"{self.occasion} {quote(self.label, safe='/')} {self.nth} {self.option}"


def late(ms: int) -> str:
    """Return the option that means so many ms late."""
    return f"+{ms}ms"


def lateness(option: str) -> int:
    """Return how many ms late an option of `late` means.

    Example:
        >>> lateness(late(500))
        500
    """
    return int(option[1:-2])


@dataclass(frozen=True, slots=True)
class Schedule:
    """The choices of one run that are not the ordinary ones.

    Attributes:
        picks: (number of the choice, place in the queue) pairs, ascending; place 0 is the oldest.
        faults: What happens on purpose.
    """

    picks: tuple[tuple[int, int], ...] = ()
    faults: tuple[Fault, ...] = ()

    @staticmethod
    def of(picks: Iterable[tuple[int, int]], faults: Iterable[Fault]) -> "Schedule":
        """Make a schedule; picks of the oldest event are left out."""
        return Schedule(
            tuple(sorted((n, place) for n, place in picks if place)), tuple(sorted(faults))
        )

    @property
    def cost(self) -> tuple[int, int, int, int, int]:
        """How much it deviates from a run without surprises; shrinking makes this smaller."""
        severe = sum(fault.kind in ("crash", "lose") for fault in self.faults)
        return (
            len(self.faults) + len(self.picks),
            severe,
            sum(place for _, place in self.picks) + sum(fault.ms for fault in self.faults),
            sum(fault.nth for fault in self.faults),
            sum(n for n, _ in self.picks),
        )

    def __str__(self) -> str:
        parts = []
        if self.picks:
            parts.append("next " + " ".join(f"{n}={place}" for n, place in self.picks))
        parts += [str(fault) for fault in self.faults]
        return "; ".join(parts) or "ordinary"


def parse_schedule(text: str) -> Schedule:
    """Return the schedule that a text says.

    Raises:
        UsageError: If it cannot be read.

    Example:
        >>> parse_schedule("next 3=1; before-commit COUNTER/a 1 crash").faults[0].label
        'COUNTER/a'
    """
    picks: list[tuple[int, int]] = []
    faults: list[Fault] = []
    for part in text.split(";"):
        part = part.strip()
        if part in ("", "ordinary"):
            continue
        if part.startswith("next "):
            words = part.split()[1:]
            found = [_PICK.fullmatch(word) for word in words]
            if all(found):
                picks += [(int(m[1]), int(m[2])) for m in found if m]
                continue
        elif (match := _FAULT.fullmatch(part)) and int(match[3]):
            fault = Fault(match[1], unquote(match[2]), int(match[3]), match[4])
            if fault.option.startswith("+") and not re.fullmatch(r"\+[0-9]{1,12}ms", fault.option):
                raise UsageError(f"cannot read how late {part!r:.80} is; write it like +500ms.")
            fault.kind  # noqa: B018 - raises if there is no such fault
            faults.append(fault)
            continue
        raise UsageError(
            f"cannot read {part!r:.80} in a schedule. Parts look like `next 3=1 7=2` or "
            "`before-commit COUNTER/a 1 crash`."
        )
    return Schedule.of(picks, faults)
