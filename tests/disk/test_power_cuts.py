"""Promise: nothing acknowledged is lost or torn by a power cut or a kill, at whatever instant.

A few states of each cut here; 100,000 of them are `python -m benchmarks.soak crashes`.
"""

import random

import pytest

from tests.disk import sqlite_vfs
from tests.disk.checking import Expected, Wrong, check, without_collections
from tests.disk.crash_states import Choice, Disk
from tests.disk.materials import put, scratch_folder
from tests.disk.power_cuts import MODES, check_program, points, spread
from tests.disk.programs import PROGRAMS
from tests.disk.recorder import Operation
from tests.disk.workload import EMPTY, Mark, record

pytestmark = pytest.mark.skipif(bool(sqlite_vfs.why_not()), reason=sqlite_vfs.why_not() or "works")

SEEDS = [f"seed {n}" for n in range(10)]
STATES = 20  # of each program and mode: about 2,000 in all


def nothing_is_wrong(tally):
    """Fail with the first few states that are wrong, each in full."""
    if tally.wrong:
        found = ", ".join(f"{count} {kind}" for kind, count in tally.kinds.items())
        text = "\n".join(tally.wrong[:4])
        pytest.fail(f"of {tally.states} states {found}:\n{text}", pytrace=False)


@pytest.fixture
def folder():
    with scratch_folder() as made, without_collections():
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PROGRAMS, *SEEDS])
def test_a_power_cut_loses_and_tears_nothing(folder, name):
    tally = check_program(name, "power", MODES, folder, limit=STATES)
    nothing_is_wrong(tally)
    assert tally.states > STATES


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PROGRAMS, *SEEDS])
def test_a_kill_loses_and_tears_nothing(folder, name):
    tally = check_program(name, "process", ("kill",), folder, limit=STATES)
    nothing_is_wrong(tally)
    assert tally.states > STATES // 2


# ---------------------------------------------------------------------- the machinery


FIRST_ROW = PROGRAMS["the first row"]


def last_state(recorded):
    """Return a disk that has everything, and what is expected of it."""
    disk, expected = Disk(recorded.log), Expected()
    for operation in recorded.log.operations:
        disk.apply(operation)
        if isinstance(operation.note, Mark):
            expected.mark(operation.note)
    return disk, expected


def checked(folder, image, expected):
    put(image, folder / "here")
    check(folder / "here", expected, durability="power", power_cut=True, again=True)


def test_a_state_with_everything_is_right(folder):
    disk, expected = last_state(record("", FIRST_ROW, "power", folder))
    checked(folder, disk.image(Choice("all")), expected)
    assert set(expected.states["KV/three"][0]["rows"]) == {"a", "b", "c"}


def test_a_lost_row_is_noticed(folder):
    disk, expected = last_state(record("", FIRST_ROW, "power", folder))
    image = {path: data for path, data in disk.image(Choice("all")).items() if "Kv/" not in path}
    with pytest.raises(Wrong, match=r"KV/three"):
        checked(folder, image, expected)


def test_a_damaged_file_is_noticed(folder):
    disk, expected = last_state(record("", FIRST_ROW, "power", folder))
    image = disk.image(Choice("all"))
    (path,) = [path for path in image if "Kv/" in path and len(path) > 64]
    image[path] = image[path][:4_096] + b"\xff" * 4_096
    with pytest.raises(Wrong, match="is refused"):
        checked(folder, image, expected)


def test_marks_say_what_is_expected():
    one, two = EMPTY | {"log": [1]}, EMPTY | {"log": [2]}
    expected = Expected()
    expected.mark(Mark({"SQL/one": [one]}, sure=True))
    expected.mark(Mark({"SQL/one": [one, two], "SQL/two": [EMPTY, two]}, sure=False))
    assert expected.states == {"SQL/one": [one, two], "SQL/two": [EMPTY, two]}
    assert expected.acknowledged == {"SQL/one"}


def test_states_are_spread_over_all_cuts(folder):
    log = record("", FIRST_ROW, "power", folder).log
    places = points(log)
    assert places[-1] == len(log.operations)
    assert all(log.operations[place].kind != "mark" for place in places[:-1])
    assert set(spread(log, len(places) * 2, random.Random(0)).values()) == {2}
    assert spread(log, 5, random.Random(0)).total() == 5


def test_an_operation_is_shown_without_the_length_of_its_id():
    operation = Operation("write", f"state/x/{'0123456789abcdef' * 4}.sqlite", 1, 8, b"1234")
    assert repr(operation) == "write state/x/012345….sqlite 8-12"
