"""Crash states and failures of a disk by the hundred thousand, on several processes: see `soak`.

A power cut is simulated, not waited for: what a disk may keep of a program's writes is worked out
from a recording of them (`tests.disk`), each state is made a folder, and opened.
"""

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import redirect_stdout
from typing import Any

from tests.disk import sqlite_vfs
from tests.disk.checking import without_collections
from tests.disk.every_failure import PROGRAMS as PROGRAMS_OF_FAILURES
from tests.disk.every_failure import sweep
from tests.disk.faults import FILE_CALLS, FILES, NEVER_FAIL, SQLITE, SQLITE_CALLS
from tests.disk.materials import scratch_folder
from tests.disk.power_cuts import MODES, Tally, check_program
from tests.disk.programs import PROGRAMS

STATES_AT_ONCE = 400  # of one program in one mode
MOST_WRONG = 20
FAILURE_PARTS = 12


def soak_crashes(args: Any) -> dict[str, object]:
    """States that a power cut or a kill may leave, of programs drawn at random."""
    tally = Tally()
    programs = itertools.chain(PROGRAMS, (f"seed {n}" for n in itertools.count(args.seed * 10_000)))
    work = (
        (name, durability, modes, args.seed)
        for name in programs
        for durability, modes in (("power", MODES), ("process", ("kill",)))
    )
    began = time.monotonic()

    def enough() -> bool:
        print(f"{tally.states:,} states, {len(tally.wrong)} wrong", file=sys.stderr, flush=True)
        return tally.states >= args.states or len(tally.wrong) >= MOST_WRONG

    _spread(_check, work, args.jobs, tally.add, enough)
    return {
        **tally.summary(),
        "seconds": round(time.monotonic() - began, 1),
        "ms_a_state": round(1_000 * tally.seconds / max(tally.states + tally.recoveries_cut, 1), 1),
    }


def _check(name: str, durability: str, modes: tuple[str, ...], seed: int) -> Tally:
    with scratch_folder() as folder, without_collections(), redirect_stdout(sys.stderr):
        return check_program(name, durability, modes, folder, limit=STATES_AT_ONCE, seed=seed)


def soak_failures(args: Any) -> dict[str, object]:
    """Every error of every call of the disk, for every n."""
    failures, wrong = 0, []
    calls = [
        *((FILES, call) for call in FILE_CALLS if call not in NEVER_FAIL),
        *((SQLITE, call) for call in SQLITE_CALLS),
    ]
    work = itertools.product(
        calls, range(FAILURE_PARTS), ("power", "process"), PROGRAMS_OF_FAILURES
    )
    began = time.monotonic()

    def add(found: tuple[int, list[str]]) -> None:
        nonlocal failures
        failures += found[0]
        wrong.extend(found[1])

    def enough() -> bool:
        print(f"{failures:,} failures, {len(wrong)} wrong", file=sys.stderr, flush=True)
        return False

    _spread(_sweep, work, args.jobs, add, enough)
    return {
        "failures": failures,
        "seconds": round(time.monotonic() - began, 1),
        "wrong_failures": len(wrong),
        "wrong": wrong[:MOST_WRONG],
    }


def _sweep(
    call: tuple[str, str], part: int, durability: str, program: str
) -> tuple[int, list[str]]:
    options = {"part": part, "parts": FAILURE_PARTS, "durability": durability, "program": program}
    with scratch_folder() as folder, without_collections(), redirect_stdout(sys.stderr):
        return sweep(call, errors="all", folder=folder, **options)


def _spread(
    task: Callable[..., Any],
    work: Iterator[tuple[Any, ...]],
    jobs: int,
    add: Callable[[Any], None],
    enough: Callable[[], bool],
) -> None:
    """Do work in several processes until there is no more, or enough has been done."""
    if reason := sqlite_vfs.why_not():
        raise SystemExit(f"A disk cannot be simulated here: {reason}.")
    with ProcessPoolExecutor(jobs) as pool:
        pending: set[Future[Any]] = set()
        while True:
            for arguments in itertools.islice(work, jobs + 1 - len(pending)):
                pending.add(pool.submit(task, *arguments))
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                add(future.result())
            if enough():
                pool.shutdown(cancel_futures=True)
                return
