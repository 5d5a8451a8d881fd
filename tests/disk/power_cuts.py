"""Cuts the power, or kills the process, at every operation of a recording, and looks at what is left.

    python -m tests.disk.power_cuts --seed 5 --durability power

plays the program of a seed, or `--program NAME`, and checks states until `--states` have been seen.
A failure names the cut and the choice, and the command that shows it again.
"""

import argparse
import contextlib
import dataclasses
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

from tests.disk.checking import Expected, Wrong, check
from tests.disk.crash_states import Choice, Disk, Names, parts_of
from tests.disk.materials import digest, put, scratch_folder
from tests.disk.programs import PROGRAMS, is_row_by_row, program
from tests.disk.recorder import Image, Log, recording
from tests.disk.workload import Mark, Recording, record, small_sizes

MODES: Final = ("strict", "ordered", "kill")
KINDS: Final = ("lost", "torn", "refused", "alarm", "name", "file")
AGAIN_EVERY: Final = 8
CUT_RECOVERY_EVERY: Final = 40
RECOVERY_STATES: Final = 6
EXTREME_SHARE: Final = 0.3
ALL: Final = 1_000_000


@dataclasses.dataclass
class Tally:
    """What was seen."""

    states: int = 0
    same: int = 0  # as one that was looked at before
    recoveries_cut: int = 0
    seconds: float = 0.0
    wrong: list[str] = dataclasses.field(default_factory=list)
    kinds: Counter[str] = dataclasses.field(default_factory=Counter)  # of `Wrong`

    def add(self, other: "Tally") -> None:
        """Add another one's counts."""
        self.states += other.states
        self.same += other.same
        self.recoveries_cut += other.recoveries_cut
        self.seconds += other.seconds
        self.wrong += other.wrong
        self.kinds += other.kinds

    def summary(self) -> dict[str, object]:
        """Return the counts, and the first that were wrong."""
        return {
            "states": self.states,
            "same": self.same,
            "recoveries_cut": self.recoveries_cut,
            "seconds": round(self.seconds, 1),
            **{kind: self.kinds[kind] for kind in KINDS},
            "wrong": self.wrong[:10],
        }


@dataclasses.dataclass(frozen=True)
class Cut:
    """A state that a crash may leave."""

    at: int  # the number of operations before it
    choice: Choice
    image: Image
    expected: Expected


def cuts(
    log: Log, mode: str, chance: str, wanted: Mapping[int, int] | None = None
) -> Iterator[Cut]:
    """Yield states that a crash may leave.

    Args:
        log: What was done.
        mode: "kill", or when names are kept ("strict", "ordered").
        chance: The seed of what is drawn; a cut's choices depend on it and on nothing else.
        wanted: How many states to yield of the cuts before these operations; None for all.
    """
    names: Names = "ordered" if mode == "ordered" else "strict"
    disk, expected = Disk(log, names), Expected()
    for number, operation in enumerate([*log.operations, None]):
        if operation is not None and operation.kind == "mark":
            if isinstance(operation.note, Mark):
                expected.mark(operation.note)
            continue
        if wanted is None or number in wanted:
            rng = random.Random(f"{chance} {number}")
            if mode == "kill":
                whole = Choice("all kept")
                found = [Cut(number, whole, disk.image(whole), expected.copy())]
                for part in parts_of(operation):
                    half = Choice(f"and {len(part.data)} bytes of the next")
                    found.append(Cut(number, half, disk.image(half, part=part), expected.copy()))
                yield from found if wanted is None else _some(found, wanted[number], rng)
            else:
                choices = list(disk.choices(rng))
                if wanted is not None:
                    choices = _some(choices, wanted[number], rng)
                for choice in choices:
                    yield Cut(number, choice, disk.image(choice), expected.copy())
        if operation is not None:
            disk.apply(operation)


T = TypeVar("T")


def _some(found: list[T], count: int, rng: random.Random) -> list[T]:
    """Return some of a list, often one of its first two: everything kept, everything lost."""
    if count >= len(found):
        return found
    first = rng.sample(found[:2], 1) if rng.random() < EXTREME_SHARE else []
    return first + rng.sample(found[len(first) * 2 :], min(count - len(first), len(found) - 2))


def points(log: Log) -> list[int]:
    """Return the places of a log at which a crash makes a difference."""
    places = [n for n, operation in enumerate(log.operations) if operation.kind != "mark"]
    return [*places, len(log.operations)]


def spread(log: Log, count: int, rng: random.Random) -> Counter[int]:
    """Return at how many cuts to look where, if there are to be so many in all."""
    places = points(log)
    wanted = Counter(places * (count // len(places)))
    wanted.update(rng.sample(places, count % len(places)))
    return wanted


class Checker:
    """Checks the states of recordings, in a folder that it uses again and again.

    Args:
        folder: An empty one.
        seed: Of all that chance decides.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.seed = seed
        self.tally = Tally()
        self._seen: set[tuple[bytes, str]] = set()

    def run(
        self, recorded: Recording, mode: str, *, limit: int, only: tuple[int, str] | None = None
    ) -> None:
        """Check states of a recording.

        Args:
            recorded: What was done.
            mode: One of `MODES`.
            limit: How many states to check; they are spread over all cuts.
            only: The cut and the choice to check alone.
        """
        began = time.perf_counter()
        chance = f"{self.seed} {recorded.name} {recorded.durability} {mode}"
        wanted = spread(recorded.log, limit, random.Random(chance))
        for cut in cuts(recorded.log, mode, chance, {only[0]: ALL} if only else wanted):
            if only is None or (cut.at, cut.choice.what) == only:
                self._check(recorded, mode, cut, thorough=only is not None)
        self.tally.seconds += time.perf_counter() - began

    def _check(self, recorded: Recording, mode: str, cut: Cut, *, thorough: bool) -> None:
        key = (digest(cut.image), cut.expected.key())
        if key in self._seen:
            self.tally.same += 1
            return
        self._seen.add(key)
        self.tally.states += 1
        number = self.tally.states
        try:
            if thorough or number % CUT_RECOVERY_EVERY == 0:
                self._cut_recovery(recorded, mode, cut)
            else:
                self._check_image(recorded, mode, cut, again=number % AGAIN_EVERY == 0)
        except Wrong as wrong:
            self.tally.kinds[wrong.kind] += 1
            done = [op for op in recorded.log.operations[: cut.at] if op.kind != "mark"]
            self.tally.wrong.append(
                f"{recorded.name}, {recorded.durability}, {mode}, cut {cut.at} after {done[-3:]}, "
                f"{cut.choice.what}: {wrong}\n"
                f"To see it again: {self._command(recorded, mode, cut)}"
            )

    def _command(self, recorded: Recording, mode: str, cut: Cut) -> str:
        kind, _, number = recorded.name.partition(" ")
        which = f"--seed {number}" if kind == "seed" else f"--program {recorded.name!r}"
        return (
            f"python -m tests.disk.power_cuts {which} --durability {recorded.durability} "
            f"--mode {mode} --chance {self.seed} --cut {cut.at} --choice {cut.choice.what!r}"
        )

    def _check_image(
        self, recorded: Recording, mode: str, cut: Cut, *, again: bool = False
    ) -> None:
        place = self.folder / "state of a disk"
        put(cut.image, place)
        check(
            place,
            cut.expected,
            durability=recorded.durability,
            power_cut=mode != "kill",
            again=again,
        )

    def _cut_recovery(self, recorded: Recording, mode: str, cut: Cut) -> None:
        """Check a state, and some that a crash may leave while it is opened and used."""
        place = self.folder / "recovered"
        put(cut.image, place)
        power_cut = mode != "kill"
        with recording(place) as log:
            check(place, cut.expected, durability=recorded.durability, power_cut=power_cut, log=log)
        chance = f"{self.seed} {cut.at} {cut.choice.what}"
        wanted = spread(log, RECOVERY_STATES, random.Random(chance))
        for second in cuts(log, mode, chance, wanted):
            expected = cut.expected.copy()
            expected.update(second.expected)
            self.tally.recoveries_cut += 1
            try:
                self._check_image(
                    recorded, mode, dataclasses.replace(second, expected=expected), again=True
                )
            except Wrong as wrong:
                text = f"opened, then cut at {second.at}, {second.choice.what}: {wrong}"
                raise Wrong(wrong.kind, text) from None


def check_program(
    name: str, durability: str, modes: tuple[str, ...], folder: Path, *, limit: int, seed: int = 0,
    only: tuple[int, str] | None = None,
) -> Tally:  # fmt: skip
    """Play a program, `seed N` or one of the hand-picked, and check its states.

    Args:
        name: The program.
        durability: Of the runtime.
        modes: Some of `MODES`.
        folder: An empty one.
        limit: How many states to check in each mode.
        seed: Of all that chance decides but the program.
        only: The cut and the choice to check alone.
    """
    row_by_row = is_row_by_row(name)
    recorded = record(name, program(name), durability, folder, row_by_row=row_by_row)
    checker = Checker(folder, seed)
    with small_sizes(row_by_row=row_by_row):
        for mode in modes:
            checker.run(recorded, mode, limit=limit, only=only)
    return checker.tally


def main() -> int:
    """Check the states of one program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--program", choices=list(PROGRAMS))
    parser.add_argument("--seed", type=int, help="of a random program")
    parser.add_argument("--durability", choices=("power", "process"), default="power")
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--states", type=int, default=1_000, help="in each mode")
    parser.add_argument("--chance", type=int, default=0, help="the seed of everything else")
    parser.add_argument("--cut", type=int)
    parser.add_argument("--choice")
    options = parser.parse_args()
    name = options.program or f"seed {options.seed or 0}"
    modes = tuple(options.mode or (("kill",) if options.durability == "process" else MODES))
    only = None if options.cut is None else (options.cut, options.choice)
    with scratch_folder() as folder, contextlib.redirect_stdout(sys.stderr):
        tally = check_program(
            name, options.durability, modes, folder,
            limit=options.states, seed=options.chance, only=only,
        )  # fmt: skip
    print(json.dumps({"program": name, **tally.summary()}, indent=1, ensure_ascii=False))
    return int(bool(tally.wrong))


if __name__ == "__main__":
    sys.exit(main())
