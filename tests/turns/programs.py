"""Random programs of one object, from a seed: the same ones on every Python."""

import random
from collections.abc import Sequence
from typing import Any, Final

STORAGE: Final = ("get", "many", "put", "del", "list", "wipe", "alarm", "setalarm", "delalarm")
LEAVES: Final = (*STORAGE, "getthen", "putthen", "getlater", "both", "null", "micro", "chain")
TASKS: Final = ("all", "tasks", "group", "bg", "until", "within", "locked", "event")
SECTIONS: Final = ("block", "txn")
# What waits for the event loop. Nothing says in which order two kinds of it come, so a program has one.
LOOP: Final = (("sync",), ("stub", "stubbg"), ("timer", "timerbg"), ("block",), ("txn",))
_PROGRAMS: Final = ("all", "tasks", "group")  # of several programs
_LETTERS: Final = "pqr"

Program = list[list[Any]]


def program(
    rng: random.Random, operations: Sequence[str], most: int = 5, depth: int = 1
) -> Program:
    """Return a random program.

    Args:
        rng: Where it comes from.
        operations: What may be in it.
        most: How many steps it has at most.
        depth: How deep programs may be inside of one another.
    """
    steps: Program = []
    for _ in range(1 + int(rng.random() * most)):
        known = [o for o in operations if depth or o not in (*TASKS, *SECTIONS)]
        operation = known[int(rng.random() * len(known))]
        if operation == "event":  # one half sets what the other waits for
            name = _LETTERS[int(rng.random() * len(_LETTERS))]
            one = [*program(rng, STORAGE, 2, 0), ["set", name], *program(rng, STORAGE, 2, 0)]
            other = [*program(rng, STORAGE, 1, 0), ["wait", name], *program(rng, STORAGE, 2, 0)]
            steps.append(["all", [one, other]])
        elif operation in _PROGRAMS:
            count = 2 + int(rng.random() * 2)
            steps.append(
                [operation, [program(rng, operations, 3, depth - 1) for _ in range(count)]]
            )
        elif operation in (*TASKS, *SECTIONS):
            inside = [
                o for o in operations if operation != "txn" or o != "wipe"
            ]  # is refused there
            steps.append([operation, program(rng, inside, 3, 0)])
        elif operation in ("timer", "timerbg"):  # never two kinds at the same instant
            at_ms = {"timer": (100, 300), "timerbg": (200, 400)}[operation]
            steps.append([operation, at_ms[int(rng.random() * 2)]])
        else:
            steps.append([operation])
    return steps


def programs() -> dict[str, list[Program]]:
    """Return all programs that are recorded, by kind."""
    rng = random.Random("turns")
    quiet = [leaf for leaf in LEAVES if leaf not in ("micro", "chain")]
    return {
        "storage": [[["all", [program(rng, STORAGE, 4, 0) for _ in range(2)]]] for _ in range(40)],
        "tasks": [program(rng, (*quiet, *TASKS)) for _ in range(160)],
        "loop": [
            program(rng, (*quiet, *TASKS, *kinds, *kinds, *kinds))
            for kinds in LOOP
            for _ in range(30)
        ],
        "callbacks": [
            [["all", [program(rng, LEAVES), program(rng, LEAVES, most=8)]]] for _ in range(40)
        ],
    }
