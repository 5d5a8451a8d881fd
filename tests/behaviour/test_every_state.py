"""Promise: nothing that was acknowledged is lost, whatever state an object's storage is in, whatever
it does then and however that ends. Each name has at most one live instance.

An object has a file or not, which is open or not; it has used SQL since the last checkpoint or not;
the journal has rows of it, or is behind, or neither; it is in memory, asleep, or being evicted.
Every combination that there can be is reached by public calls, and every operation is done in it.
The ordinary run plays 11,406 combinations of state, operation and end on disk, a part of them with
a second operation, and 4,270 in memory. All 4.4 million of a state, two operations and what ends
each, with both durabilities, run with DOBOOK_STATES=full: that takes most of a day, and -k chooses.

Source: developers.cloudflare.com/durable-objects/reference/in-memory-state/
"""

import itertools
import os
import sys

import pytest

from .state_operations import OPERATIONS, operations
from .state_plans import ENDS, ENDS_IN_MEMORY, KILL_IN_A_CALL, Plan, play
from .state_recipes import IMPOSSIBLE, MEMORY_STATES, Facts, possible_facts, states

FULL = os.environ.get("DOBOOK_STATES") == "full"
MOST_SHOWN = 12
KINDS = {"SQL": True, "KV": False}
EVERY = [(kind, state) for kind, sql in KINDS.items() for state in states(sql=sql)]
NUMBERED = [(number, *both) for number, both in enumerate(EVERY)]

pytestmark = [
    # The transactions here put lists, for which Cloudflare's Python SDK needs to_js().
    pytest.mark.filterwarnings("ignore:txn.put"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither SIGKILL nor fork"),
]

every_state = pytest.mark.parametrize(
    ("number", "kind", "state"), NUMBERED, ids=[f"{kind} {state}" for kind, state in EVERY]
)


def check(plans):
    """Play plans; fail with the combinations that are wrong, those with fewest steps first."""
    wrong = play(plans)
    if wrong:
        shown = sorted(wrong, key=lambda text: (text.count(" > "), len(text)))[:MOST_SHOWN]
        pytest.fail(f"{len(wrong)} wrong, for instance:\n" + "\n".join(shown), pytrace=False)


def durability(number):
    """Have both durabilities meet every state, operation and end."""
    return ("power", "process")[number % 2]


def test_every_combination_of_facts_is_reached_or_impossible():
    reached = {state.facts for state in states(sql=True)}
    for values in itertools.product((False, True), repeat=len(Facts._fields)):
        facts = Facts(*values)
        reasons = [reason for reason, holds in IMPOSSIBLE.items() if holds(facts)]
        assert (facts in reached) != bool(reasons), f"[{facts}]: {reasons}"
    assert len(possible_facts()) == 28


@every_state
def test_one_operation_then_an_end_then_a_kill(tmp_path, number, kind, state):
    sql = KINDS[kind]
    pairs = [(operation, None) for operation in operations(sql=sql)]
    ends = ENDS[:2] if state.is_variant else ENDS[:5]
    check(
        [
            Plan(tmp_path / end, durability(number + n), sql, state, (end, "kill"), pairs)
            for n, end in enumerate(ends)
        ]
    )


@every_state
def test_one_operation_then_a_kill_in_the_next_call(tmp_path, number, kind, state):
    sql = KINDS[kind]
    pairs = [(operation, None) for operation in operations(sql=sql)]
    ends = ("nothing" if state.is_variant else ENDS[number % 2], KILL_IN_A_CALL)
    check([Plan(tmp_path / "state", durability(number), sql, state, ends, pairs)])


@every_state
def test_two_operations_with_an_end_between_them_then_a_kill(tmp_path, number, kind, state):
    sql = KINDS[kind]
    names = operations(sql=sql)
    pairs = [(first, names[(number + n) % len(names)]) for n, first in enumerate(names)]
    end = ENDS[number % len(ENDS)]
    check([Plan(tmp_path / end, durability(number), sql, state, (end, "kill"), pairs)])


@every_state
def test_two_operations_in_a_row_then_a_clean_close(tmp_path, number, kind, state):
    sql = KINDS[kind]
    names = operations(sql=sql)
    pairs = [(first, names[(number * 5 + n) % len(names)]) for n, first in enumerate(names)]
    check([Plan(tmp_path / "state", durability(number), sql, state, ("nothing",) * 2, pairs)])


@pytest.mark.parametrize("state", MEMORY_STATES, ids=str)
@pytest.mark.parametrize("end", ENDS_IN_MEMORY)
@pytest.mark.parametrize("kind", KINDS)
def test_operations_in_memory(kind, end, state):
    sql = KINDS[kind]
    names = operations(sql=sql)
    pairs = [(first, second) for n, first in enumerate(names) for second in (None, *names[n::9])]
    check([Plan(None, "power", sql, state, (end, "nothing"), pairs)])


def test_every_operation_is_one_of_both_kinds_or_of_sqlite_only():
    assert set(operations(sql=False)) < set(operations(sql=True)) == set(OPERATIONS)


if FULL:

    @pytest.mark.parametrize("second_end", ENDS)
    @pytest.mark.parametrize("first_end", ENDS)
    @pytest.mark.parametrize("durability", ["power", "process"])
    @every_state
    def test_every_pair_of_operations_and_ends(
        tmp_path, number, kind, state, durability, first_end, second_end
    ):
        sql = KINDS[kind]
        names = operations(sql=sql)
        pairs = list(itertools.product(names, (None, *names)))
        check([Plan(tmp_path / "state", durability, sql, state, (first_end, second_end), pairs)])
