"""What a check found, point by point."""

from dataclasses import dataclass
from html import escape

from dobook.notebook.core.display import ACCENT, ERROR, box, heading, tag


@dataclass(frozen=True, slots=True)
class Point:
    """One thing an exercise asks for.

    Attributes:
        holds: Whether it is done.
        text: What holds; or what is still wrong, and what to do about it.
    """

    holds: bool
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Verdict:
    """The answer of `dobook.check`.

    Attributes:
        name: The exercise.
        points: What was found, in order. A check ends early where the rest cannot be decided.
    """

    name: str
    points: tuple[Point, ...]

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return all(point.holds for point in self.points)

    def __repr__(self) -> str:
        lines = [f"  {'✓' if p.holds else '✗'} {p.text}" for p in self.points]
        return "\n".join([f"{self.name}  {self._note()}", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            tag(
                "div",
                tag("b", "✓ done: " if p.holds else "✗ to do: ") + escape(p.text),
                "padding: 1px 0",
            )
            for p in self.points
        )
        head = heading(self.name, self._note())
        return box(head, rows, colour=ACCENT if self.passed else ERROR)

    def _note(self) -> str:
        if self.passed:
            return "solved"
        done = sum(point.holds for point in self.points)
        return f"not solved yet: {done} done, {len(self.points) - done} to do"
