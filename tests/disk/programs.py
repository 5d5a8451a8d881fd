"""The programs that are played before crashes: hand-picked ones, and any number drawn from seeds."""

import random
from typing import Final

from tests.disk.workload import DOOMED, FAR_MS, KEYS, OBJECTS, Step

SIZES: Final = (1, 100, 3_000)


def program(name: str) -> list[Step]:
    """Return a program: a hand-picked one, or `seed N`."""
    kind, _, number = name.partition(" ")
    return random_program(int(number)) if kind == "seed" else PROGRAMS[name]


def is_row_by_row(name: str) -> bool:
    """Return whether a program is played with objects that count as large."""
    kind, _, number = name.partition(" ")
    return int(number) % 3 == 2 if kind == "seed" else name == "row by row"


def _entries(number: int, size: int = 100) -> dict[str, str]:
    return dict.fromkeys(KEYS, f"{number} " * (size // 3 + 1))


PROGRAMS: Final[dict[str, list[Step]]] = {
    "the first row": [("call", "KV/three", "put", _entries(1))],
    "the first SQL": [("call", "SQL/one", "log", 1), ("call", "SQL/one", "log", 2)],
    "SQL, then rows": [
        ("call", "SQL/one", "log", 1),
        ("call", "SQL/one", "put", _entries(2)),
        ("call", "SQL/one", "all_of_it", _entries(3), 3, FAR_MS),
        ("call", "SQL/one", "put", _entries(4)),
    ],
    "rows, then SQL": [
        ("call", "SQL/one", "put", _entries(1)),
        ("call", "SQL/one", "set_alarm", FAR_MS),
        ("call", "SQL/one", "log", 2),
        ("call", "SQL/one", "all_of_it", _entries(3), 3, FAR_MS + 3),
    ],
    "rows after SQL has left memory": [
        ("call", "SQL/one", "log", 1),
        ("evict", "SQL/one"),
        ("call", "SQL/one", "put", _entries(2)),
        ("call", "SQL/one", "set_alarm", FAR_MS),
        ("call", "SQL/one", "log", 3),
        ("idle",),
        ("call", "SQL/one", "delete", ["a"]),
    ],
    "a second session": [
        ("call", "KV/three", "put", _entries(1)),
        ("call", "SQL/one", "all_of_it", _entries(2), 2, FAR_MS),
        ("reopen",),
        ("call", "KV/three", "put", _entries(3)),
        ("call", "SQL/one", "put", _entries(4)),
        ("reopen",),
        ("call", "SQL/one", "log", 5),
        ("call", "KV/four", "put", _entries(6)),
    ],
    "checkpoints": [
        ("call", "KV/three", "put", _entries(1)),
        ("checkpoint",),
        ("call", "KV/three", "put", _entries(2)),
        ("call", "SQL/one", "log", 3),
        ("checkpoint",),
        ("call", "SQL/one", "put", _entries(4)),
        ("checkpoint",),
        ("call", "KV/three", "delete", ["b"]),
    ],
    "large values": [
        ("call", "KV/three", "put", _entries(n, 3_000)) for n in range(4)
    ] + [("call", "SQL/one", "all_of_it", _entries(n, 3_000), n, FAR_MS + n) for n in range(3)],
    "row by row": [
        ("call", "SQL/one", "put", _entries(1, 3_000)),
        ("call", "KV/three", "put", _entries(2, 3_000)),
        ("checkpoint",),
        ("evict", "SQL/one"),
        ("evict", "KV/three"),
        ("call", "SQL/one", "put", _entries(3)),
        ("call", "KV/three", "delete", ["a"]),
        ("call", "SQL/one", "all_of_it", _entries(4, 3_000), 4, FAR_MS),
        ("reopen",),
        ("call", "KV/three", "put", _entries(5)),
        ("call", "SQL/one", "put", _entries(6)),
    ],
    "everything deleted at first": [
        ("call", "KV/three", "start_again", _entries(1), FAR_MS + 1),
        ("call", "SQL/one", "start_again", _entries(2), FAR_MS + 2),
    ],
    "everything deleted": [
        ("call", "SQL/one", "all_of_it", _entries(1), 1, FAR_MS),
        ("call", "SQL/one", "start_again", _entries(2), FAR_MS + 2),
        ("call", "SQL/one", "log", 3),
        ("evict", "SQL/one"),
        ("call", "SQL/one", "start_again", _entries(4), FAR_MS + 4),
        ("call", "KV/three", "put", _entries(5)),
        ("call", "KV/three", "start_again", _entries(6), FAR_MS + 6),
    ],
    "all in one tick": [
        (
            "together",
            [(name, "all_of_it", _entries(n), n if "SQL" in name else None, FAR_MS + n)
             for name in OBJECTS],
        )
        for n in range(3)
    ],
    "alarms": [
        ("call", "SQL/one", "log", 1),
        ("ring", "SQL/one"),
        ("ring", "KV/three"),
        ("idle",),
        ("ring", "KV/three"),
    ],
    "back to a bookmark": [
        ("call", "SQL/one", "all_of_it", _entries(1), 1, FAR_MS),
        ("bookmark", "SQL/one"),
        ("call", "SQL/one", "all_of_it", _entries(2), 2, FAR_MS + 2),
        ("restore", "SQL/one"),
        ("call", "SQL/one", "put", _entries(3)),
    ],
    "a class deleted": [
        ("call", DOOMED, "all_of_it", _entries(1), 1, FAR_MS),
        ("call", "KV/three", "put", _entries(2)),
        ("delete_class",),
        ("call", DOOMED, "put", _entries(3)),
    ],
}  # fmt: skip


def random_program(seed: int, length: int = 14) -> list[Step]:
    """Return the program of a seed."""
    rng = random.Random(f"disk {seed}")
    steps: list[Step] = []
    marked: set[str] = set()
    for number in range(1, length + 1):
        name = rng.choice(OBJECTS)
        sql = name.startswith("SQL/")
        entries = _entries(number, rng.choice(SIZES))
        kind = rng.choices(
            [
                *("put", "all_of_it", "log", "delete", "start_again", "transaction", "together"),
                *("evict", "checkpoint", "reopen", "ring", "idle", "bookmark", "restore"),
            ],
            [6, 5, 4, 2, 2, 2, 3, 4, 1, 1, 1, 1, 1, 1],
        )[0]
        if kind == "put" or (kind == "log" and not sql):
            steps.append(("call", name, "put", entries))
        elif kind == "log":
            steps.append(("call", name, "log", number))
        elif kind == "all_of_it":
            steps.append(
                (
                    "call",
                    name,
                    kind,
                    entries,
                    number if sql and rng.random() < 0.7 else None,
                    FAR_MS + number,
                )
            )
        elif kind == "delete":
            steps.append(("call", name, kind, rng.sample(KEYS, 2)))
        elif kind == "start_again":
            steps.append(("call", name, kind, entries, FAR_MS + number))
        elif kind == "transaction":
            steps.append(("transaction", name, entries, rng.random() < 0.3))
        elif kind == "together":
            names = rng.sample(OBJECTS, rng.randint(2, 4))
            steps.append(("together", [(n, "put", entries) for n in names]))
        elif kind in ("checkpoint", "reopen", "idle"):
            steps.append((kind,))
        elif kind in ("evict", "ring"):
            steps.append((kind, name))
        elif kind == "bookmark" and sql:
            marked.add(name)
            steps.append((kind, name))
        elif kind == "restore" and name in marked:
            steps.append((kind, name))
    return steps
