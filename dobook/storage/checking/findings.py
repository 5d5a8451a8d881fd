"""What a check of a state directory has found."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

OK: Final = "ok"
NOTE: Final = "note"
DAMAGE: Final = "damage"
MOST_OF_A_KIND: Final = 100  # findings of one rule that are listed; the rest are counted


@dataclass(frozen=True, slots=True)
class StateFinding:
    """One thing about a state directory.

    Attributes:
        place: The file or folder, as seen from the state directory.
        level: "ok", "note" or "damage".
        rule: The kind of finding, in one word.
        what: What was found.
        then: What happens when the directory is opened, or what to do; may be empty.
    """

    place: str
    level: str
    rule: str
    what: str
    then: str = ""

    def __str__(self) -> str:
        return f"{self.level:<6} {self.place}: {self.what}" + (f" {self.then}" if self.then else "")


@dataclass(slots=True)
class StateReport:
    """All that was found about a state directory; iterate over it for the findings.

    Attributes:
        path: The directory.
        objects: How many objects it has.
        classes: How many classes these are of.
        in_use: Whether a runtime has it open, so that all this holds for a moment.
        findings: Notes and damage first, then what is right.
    """

    path: str
    objects: int = 0
    classes: int = 0
    in_use: bool = False
    findings: list[StateFinding] = field(default_factory=list)
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, level: str, place: object, rule: str, what: str, then: str = "") -> None:
        """Add a finding."""
        kind = level, rule
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._counts[kind] <= MOST_OF_A_KIND:
            self.findings.append(StateFinding(_plain(place), level, rule, _plain(what), then))

    def finish(self) -> None:
        """Bring the findings in order, and count those that are not listed."""
        for (level, rule), found in self._counts.items():
            if found > MOST_OF_A_KIND:
                what = f"{found - MOST_OF_A_KIND} more findings of the kind {rule!r}."
                self.findings.append(StateFinding(".", level, rule, what))
        rank = {DAMAGE: 0, NOTE: 1, OK: 2}
        self.findings.sort(key=lambda f: (rank[f.level], f.place, f.rule))

    def count(self, level: str) -> int:
        """Return how many findings there are of a level, those not listed included."""
        return sum(found for (of, _), found in self._counts.items() if of == level)

    @property
    def damaged(self) -> bool:
        """Whether there is any damage."""
        return self.count(DAMAGE) > 0

    @property
    def summary(self) -> str:
        """One sentence."""
        text = f"{_number(self.objects, 'object')} of {_number(self.classes, 'class', 'es')}, "
        damages, notes = self.count(DAMAGE), self.count(NOTE)
        text += f"{_number(damages, 'finding')} of damage" if damages else "all right"
        if notes:
            text += f", {_number(notes, 'note')}"
        if self.in_use:
            text += " (a runtime has it open: this is how it was at one moment)"
        return f"{text}."

    def __iter__(self) -> Iterator[StateFinding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        return "\n".join([f"{self.path}: {self.summary}", *map(str, self.findings)])

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON."""
        return {
            "path": self.path,
            "objects": self.objects,
            "classes": self.classes,
            "in_use": self.in_use,
            "damage": self.count(DAMAGE),
            "notes": self.count(NOTE),
            "summary": self.summary,
            "findings": [asdict(finding) for finding in self.findings],
        }


def _plain(text: object) -> str:
    """Return a text that any terminal can print on one line; names may come from a stranger."""
    shown = str(text)
    return shown if shown.isprintable() else ascii(shown)[1:-1]


def _number(number: int, noun: str, plural: str = "s") -> str:
    return f"{number:,} {noun}{'' if number == 1 else plural}"
