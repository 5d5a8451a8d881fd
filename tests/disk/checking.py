"""Looks at a state that a crash may have left: opens it, and compares every object with what it must have.

What must be found follows from the marks of the log up to the cut (`Expected`). A state is wrong if
dobook refuses it or calls it damaged, if an object has not all of one of the states that it may
have, if its name or its alarm is not known, or if a file is not whole after it has been closed.
"""

import contextlib
import functools
import gc
import itertools
import os
import sqlite3
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dobook
from tests.disk.recorder import Log
from tests.disk.workload import EMPTY, Mark, State, look, opened

_boots = itertools.count()


class Wrong(AssertionError):
    """A state that no crash may leave.

    `kind` is "lost" (an object is as it was before something that was acknowledged), "torn" (as it
    never was), "refused", "alarm", "name" or "file".
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Expected:
    """What objects must have at a cut, told by the marks before it."""

    def __init__(self) -> None:
        self.states: dict[str, list[State]] = {}
        self.acknowledged: set[str] = set()
        self.past: dict[str, list[State]] = {}  # what objects had earlier

    def mark(self, mark: Mark) -> None:
        """Take a mark into account."""
        for name, states in mark.states.items():
            self.past.setdefault(name, [EMPTY]).extend(self.states.get(name, []))
            self.states[name] = states
        if mark.sure:
            self.acknowledged.update(mark.states)

    def update(self, later: "Expected") -> None:
        """Take into account what was expected later."""
        self.mark(Mark(later.states, sure=False))
        self.acknowledged.update(later.acknowledged)

    def copy(self) -> "Expected":
        """Return one that changes apart from this one."""
        other = Expected()
        other.states, other.acknowledged = dict(self.states), set(self.acknowledged)
        other.past = {name: list(states) for name, states in self.past.items()}
        return other

    def key(self) -> str:
        """Return a text that is the same for the same expectations."""
        return f"{sorted(self.states.items())} {sorted(self.acknowledged)}"


def check(
    folder: Path,
    expected: Expected,
    *,
    durability: str,
    power_cut: bool,
    again: bool = False,
    log: Log | None = None,
) -> None:
    """Open a state, compare it with what is expected, and write to each object.

    Args:
        folder: Where it is; it is changed.
        expected: What must be found.
        durability: Of the runtime.
        power_cut: Whether the machine was started anew since.
        again: Whether to open it a second time, to see that what was found and written stayed.
        log: A recording of this, for marks.

    Raises:
        Wrong: If it is not so.
    """
    path = folder / "state"
    try:
        with warnings.catch_warnings(), another_boot(power_cut):
            warnings.simplefilter("error")
            after = _use(path, expected, durability, log)
            _check_files(path)
            if again:
                _use(path, after, durability)
    except Wrong:
        raise
    except Exception as error:
        text = f"it is refused: {type(error).__name__}: {error}\n{_where(error)}"
        raise Wrong("refused", text) from None


def _use(path: Path, expected: Expected, durability: str, log: Log | None = None) -> Expected:
    """Look at every object and write to it; returns what must be found from now on."""
    after = Expected()
    with opened(path, durability=durability) as runtime:
        for name, state in _look_at_all(runtime, expected).items():
            used = {"used": state["rows"].get("used", 0) + 1}
            written = state | {"rows": state["rows"] | used}
            _mark(log, Mark({name: [state, written]}, sure=False))
            runtime.run(runtime.stub(name).put(used))
            after.mark(_mark(log, Mark({name: [written]}, sure=True)))
    return after


def _mark(log: Log | None, mark: Mark) -> Mark:
    if log is not None:
        log.mark(mark)
    return mark


def _look_at_all(runtime: dobook.Runtime, expected: Expected) -> dict[str, State]:
    alarms = {alarm.object: alarm.due_ms for alarm in runtime.scheduled_alarms()}
    names = {f"{seen.binding}/{seen.name}" for seen in runtime.objects()}
    found = runtime.run(_looks(runtime, list(expected.states)))
    for name, states in expected.states.items():
        if found[name] not in states:
            kind = "lost" if found[name] in expected.past.get(name, []) else "torn"
            raise Wrong(kind, f"{name} has {short(found[name])}, not {short(*states)}")
        if alarms.get(name) not in [state["alarm"] for state in states]:
            text = (
                f"the alarm of {name} is scheduled for {alarms.get(name)}; it has {short(*states)}"
            )
            raise Wrong("alarm", text)
        if name in expected.acknowledged and name not in names and EMPTY not in states:
            raise Wrong("name", f"the name of {name} is not known, only {sorted(names)}")
    return found


async def _looks(runtime: dobook.Runtime, names: list[str]) -> dict[str, State]:
    calls = {name: look(runtime, name) for name in names}
    return {name: await call for name, call in calls.items()}


def _check_files(path: Path) -> None:
    for folder, _, names in os.walk(path):
        for name in names:
            file = f"{folder}/{name}"
            if name.endswith("-wal") and os.path.getsize(file):  # noqa: PTH202
                raise Wrong("file", f"{name} is left after closing")
            if name.endswith(".sqlite"):
                uri = f"file:{file}?immutable=1"
                with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
                    (verdict,) = database.execute("PRAGMA integrity_check").fetchone()
                if verdict != "ok":
                    raise Wrong("file", f"{name}: {verdict}")


@contextlib.contextmanager
def another_boot(active: bool) -> Iterator[None]:  # noqa: FBT001
    """Let dobook think that the machine has been started anew, as it is after a power cut."""
    modules = [
        module
        for name, module in list(sys.modules.items())
        if active and name.startswith("dobook.storage") and hasattr(module, "boot_id")
    ]
    boot = f"boot {next(_boots)}"
    before = [module.boot_id for module in modules]
    for module in modules:
        module.boot_id = functools.partial(str, boot)  # each cut begins a new one
    try:
        yield
    finally:
        for module, function in zip(modules, before, strict=True):
            module.boot_id = function


def short(*states: Any) -> str:
    """Return states as text without the length of their values."""
    return " or ".join(_shorten(state) for state in states)


def _shorten(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shorten(inner)}" for key, inner in value.items()) + "}"
    text = str(value)
    return text if len(text) < 40 else f"{text[:12]}…({len(text)})"


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return "\n".join(f"    {frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-6:])


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    """Do many checks without Python's looking through everything that pytest has imported."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
