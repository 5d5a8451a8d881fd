"""What exploring a scenario came to, as an object and as text.

Its DataFrame and its HTML are the notebook layer's.
"""

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

from dobook.events import AnyEvent
from dobook.explorer.explanation import Sentence, Story
from dobook.explorer.run import Failure, Outcome
from dobook.explorer.schedule import Fault, Schedule

_MOST_SENTENCES = 40


@dataclass(frozen=True, repr=False)
class Report:
    """What exploring a scenario came to.

    Attributes:
        scenario: Its name.
        strategy: How schedules were looked for; "replay" for a single one.
        runs: How many schedules were run.
        distinct: In how many different ways the objects saw their events.
        failed: How many runs failed.
        interrupted: In how many a fault ended the scenario, which had not provided for it.
        overran: How many were cut short, having far too many events.
        first_failure: Which run was the first to fail, from 1; 0 if none did.
        seconds: How long it took, in real time, without shrinking.
        shrinking: How many runs the shrinking took.
        places: The different failures.
        smallest: The smallest failing run, or the run that was replayed; None if none failed.
        reproducible: Whether the failing run fails again when it is repeated. If it does not,
            something outlives a run: a global variable, a file.
        line: What `dobook.replay` repeats it by; empty if none failed.
        code: The hash of the scenario's and the classes' code.
        stale: Whether a replayed schedule belongs to other code.
        exhausted: What has been tried without exception; empty if nothing has.
    """

    scenario: str
    strategy: str
    runs: int
    distinct: int
    failed: int
    interrupted: int
    overran: int
    first_failure: int
    seconds: float
    shrinking: int
    places: tuple[str, ...]
    smallest: Outcome | None
    reproducible: bool
    line: str
    code: str
    stale: bool = False
    exhausted: str = ""

    # ------------------------------------------------------------------ the smallest failing run

    @property
    def ok(self) -> bool:
        """Whether no schedule failed."""
        return self.failed == 0

    @property
    def failure(self) -> Failure | None:
        """How the smallest failing run fails."""
        return None if self.smallest is None else self.smallest.failure

    @property
    def schedule(self) -> Schedule | None:
        """The schedule of the smallest failing run."""
        return None if self.smallest is None else self.smallest.schedule

    @property
    def trace(self) -> list[AnyEvent]:
        """The events of the smallest failing run."""
        return [] if self.smallest is None else self.smallest.trace

    @cached_property
    def story(self) -> list[Sentence]:
        """The smallest failing run in words."""
        return Story(self.trace).sentences()

    @cached_property
    def guilty(self) -> tuple[int, ...]:
        """The numbers of the events to look at: the guilty interleaving and the faults."""
        return tuple(sentence.seq for sentence in self.story if sentence.guilty)

    @property
    def frame(self) -> Any:
        """The events of the smallest failing run as a DataFrame; needs pandas."""
        return import_module("dobook.notebook.races.exploring").report_frame(self)

    # ------------------------------------------------------------------ words

    @property
    def verdict(self) -> str:
        """One sentence that says what came out."""
        if self.strategy == "replay":
            end = "failed" if self.failed else "did not fail"
            return f"the schedule {end}" + (
                ", but the code is not the one it belongs to" * self.stale
            )
        if self.ok:
            return f"no failure in {self.runs:,} schedules, {self.distinct:,} distinct"
        share = self.failed / self.runs
        percent = f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"
        return (
            f"{self.failed:,} of {self.runs:,} schedules failed ({percent}); "
            f"{self.distinct:,} distinct"
        )

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """Label and text of what there is to say besides."""
        rows: list[tuple[str, str]] = []
        if self.failure is not None:
            rows.append(("fails", str(self.failure)))
        elif self.places:
            rows.append(("fails", self.places[0]))
        if len(self.places) > 1:
            rows.append(("other failures", "\n".join(self.places[1:6])))
        if self.smallest is not None:
            rows.append(("smallest", f"{self.smallest.events} events; {plain(self.schedule)}"))
            told = self.story
            lines = [str(sentence) for sentence in told[:_MOST_SENTENCES]]
            if len(told) > _MOST_SENTENCES:
                lines.append(f"  … and {len(told) - _MOST_SENTENCES} more")
            if lines:
                rows.append(("what happened", "\n".join(lines)))
        if not self.reproducible:
            rows.append(
                ("careful", "the failure does not come again; does something outlive a run?")
            )
        if self.interrupted and self.interrupted * 2 > self.runs:
            rows.append(
                (
                    "careful",
                    f"a fault ended the scenario early in {self.interrupted:,} runs; let it try "
                    "again as a client would: await dobook.retry(lambda: stub.method())",
                )
            )
        if self.overran:
            rows.append(
                ("careful", f"{self.overran:,} runs had too many events and were cut short")
            )
        if self.exhausted:
            rows.append(("exhausted", self.exhausted))
        if self.line:
            rows.append(("replay", f"dobook.replay({self.line!r})"))
        return tuple(rows)

    def __repr__(self) -> str:
        width = max((len(label) for label, _ in self.rows), default=0)
        margin = "\n" + " " * (width + 4)
        return "\n".join(
            [
                f"{self.scenario}: {self.verdict}",
                *(f"  {k:<{width}}  {v}".replace("\n", margin).rstrip() for k, v in self.rows),
            ]
        )


def plain(schedule: Schedule | None) -> str:
    """Return a schedule as people read it.

    Example:
        >>> plain(Schedule())
        'in the ordinary order'
    """
    if schedule is None:
        return ""
    parts = [describe(fault) for fault in schedule.faults]
    if schedule.picks:
        count = len(schedule.picks)
        parts.append(f"{count} event{'s' * (count > 1)} out of the ordinary order")
    else:
        parts.append("in the ordinary order")
    return "; ".join(parts)


def describe(fault: Fault) -> str:
    """Return a fault as people read it."""
    nth = _ordinal(fault.nth)
    where = fault.label
    late = f"{fault.ms:,} ms"
    return {
        ("message", "+"): f"the {nth} message to {where} is {late} late",
        ("reply", "+"): f"the {nth} reply of {where} is {late} late",
        ("reply", "lost"): f"the {nth} reply of {where} is lost",
        ("delivery", "lost"): f"the {nth} message to {where} is lost",
        ("delivery", "evict"): f"{where} is evicted before its {nth} event",
        ("delivery", "crash"): f"{where} crashes before its {nth} event",
        ("await", "crash"): f"{where} crashes at its {nth} await",
        ("write", "crash"): f"{where} crashes after its {nth} write, before the commit",
        ("before-commit", "crash"): f"{where} crashes before its {nth} commit",
        ("after-commit", "crash"): f"{where} crashes after its {nth} commit",
        ("storage", "+"): f"the {nth} storage operation of {where} takes {late}",
        ("commit", "+"): f"the {nth} commit of {where} is {late} late",
        ("clock", "+"): f"the clock jumps {late} at its {nth} step",
    }[(fault.occasion, "+" if fault.ms else fault.option)]


def _ordinal(n: int) -> str:
    ending = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
