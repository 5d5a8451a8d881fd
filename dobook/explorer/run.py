"""One run of a scenario: a fresh runtime, one schedule, and what came of it."""

import contextlib
import inspect
import io
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from dobook.errors import DeadlockError, PlatformError
from dobook.events import AnyEvent, Error
from dobook.explorer.code import code_hash
from dobook.explorer.decisions import Chooser, Decisions
from dobook.explorer.fault_injection import Mishaps
from dobook.explorer.invariants import Invariants, Violation
from dobook.explorer.schedule import Schedule
from dobook.explorer.scheduler import Scheduler
from dobook.runtime.access import kernel_of
from dobook.runtime.debug.faults import CONNECTION_LOST, CRASHED
from dobook.runtime.debug.trace import recording
from dobook.runtime.runtime import Runtime

Scenario = Callable[..., Any]
FAULT_TEXTS = (CRASHED, CONNECTION_LOST)


@dataclass(frozen=True)
class Case:
    """What is explored.

    Attributes:
        scenario: An async function; it is given `env` and, if it names them, `runtime`.
        classes: The objects' classes by binding.
        kinds: The kinds of faults that may happen.
        most_faults: How many of them in one run.
        seed: Of the handlers' own randomness.
        most_delays: How many late messages and the like in one run.
        worker: The entry Worker, None for none.
    """

    scenario: Scenario
    classes: Mapping[str, type]
    kinds: tuple[str, ...] = ()
    most_faults: int = 3
    seed: int = 0
    most_delays: int = 6
    worker: Any = None

    @property
    def code(self) -> str:
        """The hash of all its code."""
        entry = () if self.worker is None else (self.worker,)
        return code_hash(self.scenario, [*self.classes.values(), *entry])


@dataclass(frozen=True)
class Failure:
    """How a run failed.

    Attributes:
        kind: "assertion", "error", "invariant" or "deadlock".
        text: What was raised or does not hold.
        place: The line or invariant, the same for failures of the same cause.
        values: Names in the line that failed and what they were.
    """

    kind: str
    text: str
    place: str
    values: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {value}" for name, value in self.values)
        return f"{self.text}" + (f"  ({values})" if values else "")


@dataclass
class Outcome:
    """What came of one run.

    Attributes:
        schedule: What was chosen.
        failure: How it failed; None if it did not.
        interrupted: The fault on purpose that ended the scenario; empty if none did.
        overran: Whether it was cut short, having far too many events.
        events: How many events were let go.
        picks: The place picked and the number of candidates, for each choice.
        occasions: Where something could have happened, and what.
        sequences: By object: the events in their order.
        missed: How much of a schedule that was replayed did not come up.
        trace: What was recorded, if asked for.
        printed: What the program printed.
    """

    schedule: Schedule
    failure: Failure | None
    interrupted: str
    overran: bool
    events: int
    picks: list[tuple[int, int]]
    occasions: list[tuple[str, str, int, tuple[str, ...]]]
    sequences: dict[str, list[str]]
    missed: int = 0
    trace: list[AnyEvent] = field(default_factory=list)
    printed: str = ""

    @property
    def signature(self) -> int:
        """A number that is the same for runs in which each object saw the same."""
        parts = [f"{owner}:{'|'.join(names)}" for owner, names in sorted(self.sequences.items())]
        return crc32("\n".join([*parts, *map(str, self.schedule.faults)]).encode())


def run_once(case: Case, chooser: Chooser, *, record: bool = False) -> Outcome:
    """Run a scenario once.

    Args:
        case: The scenario and its classes.
        chooser: Decides.
        record: Whether the trace is kept.
    """
    decisions = Decisions(chooser, case.kinds, case.most_faults, case.most_delays)
    printed = io.StringIO()
    runtime = Runtime(seed=case.seed)
    trace: list[AnyEvent] = []
    try:
        with contextlib.redirect_stdout(printed), contextlib.ExitStack() as stack:
            kernel_of(runtime).loop.set_exception_handler(_quiet)
            scheduler = Scheduler(runtime, decisions)
            Mishaps(runtime, decisions, scheduler)
            for binding, cls in case.classes.items():
                runtime.register(cls, binding)
            if case.worker is not None:
                runtime.serve_worker(case.worker)
            recorder = stack.enter_context(recording(kernel_of(runtime))) if record else None
            failure, interrupted = _Run(case, runtime, decisions, scheduler).go()
            if recorder is not None:
                trace = recorder.events()
    finally:
        decisions.active = False
        scheduler.before_event = None
        with contextlib.redirect_stdout(io.StringIO()):
            runtime.close()
    return Outcome(
        schedule=decisions.schedule,
        failure=failure,
        interrupted=interrupted,
        overran=scheduler.overran,
        events=scheduler.events,
        picks=decisions.picks,
        occasions=decisions.occasions,
        sequences=scheduler.sequences,
        missed=getattr(chooser, "missed", 0),
        trace=trace,
        printed=printed.getvalue(),
    )


class _Run:
    """The scenario, then what remains, then the invariants."""

    def __init__(
        self, case: Case, runtime: Runtime, decisions: Decisions, scheduler: Scheduler
    ) -> None:
        self._case = case
        self._runtime = runtime
        self._decisions = decisions
        self._scheduler = scheduler
        self._invariants = Invariants(runtime)
        self._violation: Violation | None = None
        self._background: Failure | None = None
        if self._invariants.any_always:
            scheduler.before_event = self._check
        runtime.observers.add(self._listen)

    def go(self) -> tuple[Failure | None, str]:
        """Run the scenario; returns how it failed, and which fault ended it early."""
        failure: Failure | None = None
        interrupted = ""
        try:
            self._runtime.run(_call(self._case.scenario, self._runtime))
        except DeadlockError as error:
            if not self._scheduler.overran and self._violation is None:
                failure = Failure("deadlock", str(error), "deadlock")
        except Exception as error:
            if self._is_ours(error):
                interrupted = str(error)
            else:
                failure = describe(error, self._case.scenario)
        if failure is None and self._violation is None and not self._scheduler.overran:
            self._finish()
        if self._violation is not None:
            violation = self._violation
            failure = Failure("invariant", str(violation), f"invariant {violation.name}")
        return failure or self._background, interrupted

    def _finish(self) -> None:
        """Finish what is under way, with no further faults, and check the invariants once more."""
        self._decisions.active = False
        runtime = self._runtime
        runtime.settle()
        patience_ms = self._invariants.patience_ms
        if patience_ms is None and not self._invariants.any_always:
            return
        self._invariants.wake_all()
        runtime.settle()
        self._check()
        if patience_ms is not None:
            self._wait(patience_ms)

    def _wait(self, patience_ms: int) -> None:
        runtime = self._runtime
        kernel = kernel_of(runtime)
        start_ms = kernel.loop.now_ms
        end = kernel.loop.seconds_at(start_ms + patience_ms)
        while not self._scheduler.overran:
            self._invariants.wake_all()  # an object that waits for its alarm may be evicted
            runtime.settle()
            overdue, waiting = self._invariants.overdue(kernel.loop.now_ms - start_ms)
            self._violation = self._violation or overdue
            if self._violation is not None or not waiting:
                return
            timer = kernel.loop.next_timer()
            kernel.driver.turn(end if timer is None else min(end, timer))

    def _check(self) -> None:
        if self._violation is None:
            active, self._decisions.active = self._decisions.active, False
            observers = self._runtime.observers
            detailed, observers.detailed = observers.detailed, False
            try:
                self._violation = self._invariants.broken()
            finally:
                self._decisions.active = active
                observers.detailed = detailed
            if self._violation is not None:
                kernel_of(self._runtime).loop.stop()

    def _listen(self, event: AnyEvent) -> None:
        if isinstance(event, Error) and event.error.startswith("AssertionError"):
            self._background = Failure("assertion", event.error, f"{event.object} {event.error}")

    def _is_ours(self, error: Exception) -> bool:
        """Whether an error is a fault on purpose that the scenario did not provide for."""
        if not isinstance(error, PlatformError) or not self._decisions.faults:
            return False
        return str(error) in FAULT_TEXTS


def describe(error: Exception, scenario: Scenario) -> Failure:
    """Return a failure that says where an error was raised in a scenario, and with which values."""
    name = type(error).__name__
    kind = "assertion" if isinstance(error, AssertionError) else "error"
    file = scenario.__code__.co_filename if hasattr(scenario, "__code__") else ""
    found = None
    for frame, line_number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == file:
            found = frame, line_number
    line = ""
    values: list[tuple[str, str]] = []
    if found is not None:
        frame, line_number = found
        lines = traceback.extract_tb(error.__traceback__)
        at = [s.line for s in lines if s.filename == file and s.lineno == line_number]
        line = (at[-1] or "") if at else ""
        if kind == "assertion":
            here = frame.f_locals
            values = [
                (word, f"{here[word]!r:.60}")
                for word in dict.fromkeys(_words(line))
                if word in here and word not in ("env", "runtime") and not callable(here[word])
            ]
    message = str(error).partition("\n")[0]
    text = f"{name}: {message}" if message else (f"{name} at `{line}`" if line else name)
    return Failure(kind, text, f"{name} {line or message}", tuple(values))


def _words(line: str) -> list[str]:
    return "".join(c if c.isidentifier() or c.isdigit() else " " for c in line).split()


async def _call(scenario: Scenario, runtime: Runtime) -> Any:
    known = {"env": runtime.env, "runtime": runtime}
    names = list(inspect.signature(scenario).parameters)
    return await scenario(*[known.get(name, runtime.env) for name in names])


def _quiet(_loop: object, _context: dict[str, Any]) -> None:
    """Ignore errors that nobody awaits: a run that fails leaves some."""
