"""Runs a small program on a disk of which one call fails, and checks what callers and objects see.

The promises: every caller has an answer, or an error of dobook's with words; nothing waits for ever,
nor does virtual time jump; as soon as the disk works, so do the objects; and what was acknowledged
is there, now, after closing, and in a copy of the directory that was made without closing.
"""

import contextlib
import functools
import itertools
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import dobook
from dobook.errors import DeadlockError, DobookError
from dobook.runtime.access import kernel_of
from tests.disk import sqlite_vfs
from tests.disk.checking import Wrong, short
from tests.disk.faults import Fault, Kind, failing, kinds
from tests.disk.materials import put, scratch_folder
from tests.disk.recorder import Image, read_image
from tests.disk.workload import AFTER, EMPTY, FAR_MS, State, look, opened, small_sizes

ONE, TWO = "SQL/one", "KV/two"
Step = tuple[Any, ...]


def _rows(number: int) -> dict[str, str]:
    return {"a": f"{number}", "b": f"{number} " * 300}


LIFE: Final[list[Step]] = [
    ("call", ONE, "put", _rows(1)),
    ("call", TWO, "all_of_it", _rows(2), None, FAR_MS),
    ("call", ONE, "log", 3),
    ("evict", ONE),
    ("read", ONE),
    ("call", ONE, "put", _rows(4)),
    ("checkpoint",),
    ("call", TWO, "put", _rows(5)),
    ("call", ONE, "all_of_it", _rows(6), 6, FAR_MS + 6),
    ("reopen",),
    ("call", ONE, "start_again", _rows(7), FAR_MS + 7),
    ("call", TWO, "delete", ["a"]),
    ("ring", TWO),
    ("call", ONE, "log", 8),
    ("idle",),
    ("call", ONE, "put", _rows(9)),
    ("reopen", {"history": 0}),  # deletes a file
    ("call", TWO, "put", _rows(10)),
]
# What is left by a kill at its end is what the other program begins with.
BEFORE_A_KILL: Final[list[Step]] = [
    ("call", ONE, "all_of_it", _rows(1), 1, FAR_MS),
    ("call", TWO, "put", _rows(2)),
    ("checkpoint",),
    ("evict", ONE),
    ("call", ONE, "put", _rows(3)),
    ("call", TWO, "all_of_it", _rows(4), None, FAR_MS + 4),
]
AFTER_A_KILL: Final[list[Step]] = [
    ("read", TWO),
    ("read", ONE),
    ("call", TWO, "put", _rows(5)),
    ("call", ONE, "log", 6),
]
PROGRAMS: Final = {"a life": LIFE, "after a kill": AFTER_A_KILL}


@dataclass
class Outcome:
    """What came of one run: whether the fault was met, where, and what was not as promised."""

    hit: bool
    what: str
    wrong: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)  # the errors that callers had


class Run:
    """One run of the program."""

    def __init__(self, folder: Path, fault: Fault, durability: str) -> None:
        self.path, self.fault, self.durability = folder / "state", fault, durability
        self.runtime: dobook.Runtime | None = None
        self.possible: dict[str, list[State]] = {}
        self.wrong: list[str] = []
        self.told: list[str] = []

    def attempt(self, what: str, act: Callable[[], object]) -> bool:
        """Do something that may fail; returns whether it worked."""
        try:
            act()
        except KeyboardInterrupt as error:
            stops = (KeyboardInterrupt, sqlite_vfs.INTERRUPT)
            self.note(what, error, right=self.fault.kind.error in stops)
        except DeadlockError as error:
            self.note(what, error, right=False)
        except DobookError as error:
            self.note(what, error, right=len(str(error)) > 10)
        except MemoryError as error:
            self.note(what, error, right=self.fault.kind.error in (MemoryError, sqlite_vfs.NOMEM))
        except Exception as error:
            self.note(what, error, right=False)
        else:
            return True
        self.fault.mend()
        return False

    def note(self, what: str, error: BaseException, *, right: bool) -> None:
        """Take note of an error that a caller had."""
        text = f"{what}: {type(error).__name__}: {error}"
        self.told.append(text)
        if not right:
            self.wrong.append(f"a caller had an error of another kind, or none with words: {text}")
        elif not self.fault.hit:
            self.wrong.append(f"a caller had an error although nothing has failed: {text}")

    # ------------------------------------------------------------------ steps

    def open(self, **options: Any) -> None:
        """Open the directory; a failure must leave it free, for a second attempt."""

        def act() -> None:
            self.runtime = opened(self.path, durability=self.durability, **options)

        for what in ("opening", "opening once more"):
            if self.attempt(what, act):
                return
        raise Wrong("refused", "the directory cannot be opened although the disk works again")

    def step(self, step: Step) -> None:
        """Do one step."""
        assert self.runtime is not None
        before_ms = self.runtime.clock.now_ms
        asked_ms = getattr(self, f"do_{step[0]}")(*step[1:]) or 0
        passed_ms = self.runtime.clock.now_ms - before_ms
        if passed_ms > asked_ms:
            self.wrong.append(f"{step[0]}: {passed_ms} ms have passed, {asked_ms} were asked for")

    def do_call(self, name: str, method: str, *args: Any) -> None:
        """Call an object."""
        runtime = self.runtime
        assert runtime is not None
        before = self.possible.get(name, [EMPTY])
        after = [AFTER[method](state, *args) for state in before]
        worked = self.attempt(
            f"{name} {method}", lambda: runtime.run(getattr(runtime.stub(name), method)(*args))
        )
        if not worked and method == "start_again":  # no abort undoes what `deleteAll` has done
            after = [*after, EMPTY]
        self.possible[name] = after if worked else _distinct([*before, *after])

    def do_read(self, name: str) -> None:
        """Look at an object."""
        runtime = self.runtime
        assert runtime is not None
        found: list[State] = []
        self.attempt(f"{name} look", lambda: found.append(runtime.run(look(runtime, name))))
        for state in found:
            self.compare("meanwhile", name, state)

    def do_ring(self, name: str) -> int:
        """Let an alarm run, perhaps after retries."""
        runtime = self.runtime
        assert runtime is not None
        self.do_call(name, "set_alarm", runtime.clock.now_ms + 1_000)
        before = self.possible[name]
        self.attempt("time", lambda: runtime.advance("1s"))
        self.attempt("time", lambda: runtime.advance("10s"))  # a retry waits for 2 s
        rang = [s | {"rows": s["rows"] | {"rang": True}} for s in before]
        after = [state | {"alarm": None} for state in rang]
        self.possible[name] = _distinct([*before, *rang, *after])
        return 11_000

    def do_idle(self) -> int:
        """Let objects leave memory."""
        runtime = self.runtime
        assert runtime is not None
        self.attempt("time", lambda: runtime.advance("30s"))
        return 30_000

    def do_evict(self, name: str) -> None:
        """Take an object out of memory."""
        runtime = self.runtime
        assert runtime is not None
        with contextlib.suppress(KeyError):
            self.attempt("evicting", lambda: runtime.run(runtime.evict(name)))

    def do_checkpoint(self) -> None:
        """Write every file, as happens when the journal is full."""
        assert self.runtime is not None
        self.attempt("a checkpoint", kernel_of(self.runtime).stores.committer._checkpoint_if_full)

    def do_reopen(self, options: dict[str, Any] | None = None) -> None:
        """Close the runtime and open it again."""
        self.close()
        self.open(**options or {})

    def close(self) -> None:
        """Close; if that fails it says so once, and the directory is free all the same."""
        runtime = self.runtime
        assert runtime is not None
        self.attempt("closing", runtime.close)
        if not self.attempt("closing a second time", runtime.close):
            self.wrong.append("a runtime that was closed cannot be closed once more")
        if not kernel_of(runtime).closed:
            self.wrong.append("close() leaves the runtime open")
        self.runtime = None

    # ------------------------------------------------------------------ looking

    def look(self, where: str) -> None:
        """See that objects have what they should, and can be used."""
        runtime = self.runtime
        assert runtime is not None
        for name in self.possible:
            try:
                found = runtime.run(look(runtime, name))
            except Exception as error:
                self.wrong.append(
                    f"{where}, {name} does not answer: {type(error).__name__}: {error}"
                )
                continue
            self.compare(where, name, found)

    def compare(self, where: str, name: str, found: State) -> None:
        """Compare what an object has with what it may have."""
        states = self.possible[name]
        if found not in states:
            self.wrong.append(f"{where}, {name} has {short(found)}, not {short(*states)}")
        self.possible[name] = [found]

    def finish(self, copy: Path) -> None:
        """Use the objects after the fault, copy the directory, close it, and open both."""
        self.fault.mended = True
        self.look("afterwards")
        for number, name in enumerate((ONE, TWO), 100):
            self.do_call(name, "put", {"last": number})
        self.do_call(ONE, "log", 100)
        self.look("in the end")
        shutil.copytree(self.path, copy / "state", ignore=shutil.ignore_patterns("lock", "*-shm"))
        self.close()
        self.open()
        self.look("opened again")
        self.close()
        killed = Run(copy, self.fault, self.durability)
        killed.possible = self.possible
        killed.open()
        killed.look("after a kill")
        killed.close()
        self.wrong += killed.wrong


def _distinct(states: list[State]) -> list[State]:
    found: list[State] = []
    for state in states:
        if state not in found:
            found.append(state)
    return found


def sweep(
    call: tuple[str, str], *, errors: str, part: int = 0, parts: int = 1,
    durability: str = "power", program: str = "a life", folder: Path,
) -> tuple[int, list[str]]:  # fmt: skip
    """Let the n-th call fail for every n, until a run has no n-th call.

    Args:
        call: The side and the name of the call.
        errors: "in turn": another error for each n; "all": every error for every n; or the name
            of an exception.
        part: Take only every `parts`-th n, from this one on.
        parts: See `part`.
        durability: Of the runtime.
        program: One of `PROGRAMS`.
        folder: An empty one.

    Returns:
        How often something has failed, and what was not as promised.
    """
    all_kinds = kinds(all_of_them=errors != "in turn")
    ways = [kind for kind in all_kinds if (kind.side, kind.call) == call]
    if errors == "in turn":
        ways = [kind for kind in ways if not isinstance(kind.error, type)]
    elif errors != "all":
        ways = [kind for kind in ways if getattr(kind.error, "__name__", "") == errors]
    assert ways, f"{call} has no such error as {errors}"
    failures, wrong = 0, []
    for number in itertools.count(part + 1, parts):
        met = False
        for kind in [ways[number // parts % len(ways)]] if errors == "in turn" else ways:
            place = folder / f"{number} {kind}"
            outcome = run_with(kind, number, place, durability=durability, program=program)
            shutil.rmtree(place)
            met = met or outcome.hit
            failures += outcome.hit
            if outcome.wrong:
                text = "\n    ".join(outcome.wrong)
                where = f"{program}, {kind}, number {number} ({outcome.what}), {durability}"
                wrong.append(f"{where}:\n    {text}")
        if not met:
            return failures, wrong
    raise AssertionError("numbers do not end")


@functools.cache
def _left_by_a_kill(durability: str) -> tuple[Image, dict[str, list[State]]]:
    """Return what a killed process has left, and what the objects had."""
    with scratch_folder() as folder, small_sizes():
        run = Run(folder, Fault(kinds()[0], 0), durability)
        run.open()
        for step in BEFORE_A_KILL:
            run.step(step)
        image = read_image(run.path)
        run.close()
    assert run.wrong == []
    return image, run.possible


def run_with(
    kind: Kind,
    number: int,
    folder: Path,
    *,
    durability: str = "power",
    program: str = "a life",
) -> Outcome:
    """Run a program with one failure.

    Args:
        kind: The way to fail.
        number: Which call of its kind fails.
        folder: An empty one.
        durability: Of the runtime.
        program: One of `PROGRAMS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fault = Fault(kind, number)
    run = Run(folder, fault, durability)
    if program == "after a kill":
        image, possible = _left_by_a_kill(durability)
        put(image, run.path)
        run.possible = dict(possible)
    with warnings.catch_warnings(), small_sizes(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")  # some failures are told by warnings alone
        stack.enter_context(failing(fault))
        try:
            run.open()
            for step in PROGRAMS[program]:
                run.step(step)
            run.finish(folder / "killed")
        except (Exception, KeyboardInterrupt) as error:
            run.wrong.append(f"{type(error).__name__}: {error}")
        finally:
            if run.runtime is not None:
                with contextlib.suppress(BaseException):
                    run.runtime.close()
        run.wrong += _left_open(folder)
        if run.wrong:
            with contextlib.suppress(BaseException):
                stack.close()
    return Outcome(fault.hit, fault.what, run.wrong, run.told)


def _left_open(folder: Path) -> list[str]:
    """Return which files below a folder this process has open."""
    if sys.platform != "linux":
        return []
    left = []
    for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208
        with contextlib.suppress(OSError):
            path = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
            if path.startswith(str(folder)):
                left.append(f"{path.removeprefix(str(folder))} is left open")
    return left
