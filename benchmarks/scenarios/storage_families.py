"""Random scenarios on one object's storage, and on ids."""

from collections.abc import Callable
from typing import Any

from .dice import TREE, Dice, Op, Scenario, Step, entries, rich, throw, value
from .events import LABELS
from .storage import (
    alarm,
    create,
    cursors,
    ending,
    every,
    iterators,
    listing,
    read,
    sql_read,
    sql_refused,
    sql_write,
    sync_read,
    sync_write,
    transaction,
    transaction_sync,
    write,
)


def calls(
    dice: Dice, make: Callable[[], Op], backend: str, first: list[Op], count: int
) -> list[Step]:
    """Calls of a few operations each, with evictions in between, and a look at what is left."""
    steps: list[Step] = []
    for index in range(count):
        ops = dice.times(2, 6, make)
        steps.append({"object": "a", "ops": [*(first if not index else []), *ops]})
        if dice.chance(0.25):
            steps.append({"evict": "a"})
    steps.append({"object": "a", "ops": every(backend)})
    return steps


def storage_kv(dice: Dice) -> Scenario:
    backend = dice.pick(["sqlite", "kv"])

    def make() -> Any:
        return dice.among(
            (5, lambda: write(dice)),
            (5, lambda: read(dice)),
            (3, lambda: ["list", listing(dice)]),
            (0.4, lambda: ["deleteAll"]),
            (0.3, lambda: ["sync"]),
            (0.3, lambda: alarm(dice)),
            (0.8, lambda: ["all", dice.times(2, 4, lambda: dice.pick([write, read])(dice))]),
            (
                0.8,
                lambda: dice.pick(
                    [["let", "x", ["get", "a"]], ["put", "b", {"$var": "x", "or": 0}]]
                ),
            ),
            (0.4, lambda: ["start", "s", write(dice)]),
        )

    return {
        "backend": backend,
        "steps": calls(
            dice, make, backend, [["put", entries(dice, TREE, 6, 14)]], dice.between(3, 6)
        ),
    }


def storage_sync(dice: Dice) -> Scenario:
    def ops() -> list[Op]:
        return dice.among(
            (3, lambda: iterators(dice)),
            (
                2,
                lambda: dice.times(
                    2, 5, lambda: dice.pick([sync_write, sync_read, write, read])(dice)
                ),
            ),
            (1, lambda: [transaction_sync(dice)]),
            (1, lambda: [transaction(dice, sql=True)]),
            (0.3, lambda: [["deleteAll"]]),
        )

    steps: list[Step] = [
        {"object": "a", "ops": [*create(dice), ["put", entries(dice, TREE, 4, 9)]]}
    ]
    steps += dice.times(
        2, 4, lambda: {"object": "a", "ops": [op for part in dice.times(1, 2, ops) for op in part]}
    )
    steps.append({"object": "a", "ops": every("sqlite")})
    return {"backend": "sqlite", "steps": steps}


def storage_sql(dice: Dice) -> Scenario:
    def make() -> Any:
        return dice.among(
            (6, lambda: sql_write(dice)),
            (5, lambda: sql_read(dice)),
            (1, lambda: sql_refused(dice)),
            (1, lambda: transaction_sync(dice)),
            (0.5, lambda: write(dice)),
            (0.2, lambda: ["deleteAll"]),
        )

    steps = calls(dice, make, "sqlite", create(dice), dice.between(3, 6))
    for step in steps[1:]:
        if "ops" in step and dice.chance(0.3):
            step["ops"] += cursors(dice)
    return {"backend": "sqlite", "steps": steps}


def storage_transactions(dice: Dice) -> Scenario:
    backend = dice.pick(["sqlite", "sqlite", "kv"])
    sql = backend == "sqlite"

    def make() -> Any:
        return dice.among(
            (5, lambda: transaction(dice, sql=sql)),
            (2 if sql else 0, lambda: transaction_sync(dice)),
            (1, lambda: write(dice)),
            (1, lambda: read(dice)),
            (
                0.7,
                lambda: [
                    "all",
                    dice.times(
                        2,
                        3,
                        lambda: dice.among(
                            (1, lambda: transaction(dice, sql=sql)), (1, lambda: write(dice))
                        ),
                    ),
                ],
            ),
            (
                0.4,
                lambda: [
                    "block",
                    [transaction(dice, sql=sql), ["keptTxn", dice.pick([write, read])(dice)]],
                ],
            ),
            (0.4, lambda: throw(dice)),
            (0.3, lambda: ["abort", "in between"]),
        )

    return {
        "backend": backend,
        "steps": calls(dice, make, backend, create(dice) if sql else [], dice.between(3, 6)),
    }


def values(dice: Dice) -> Scenario:
    backend = dice.pick(["sqlite", "sqlite", "kv"])

    def around() -> list[Op]:
        drawn = dice.pick([value, rich])(dice)
        return dice.among(
            (3, lambda: [["put", "v", drawn], ["get", "v"]]),
            (2, lambda: [["put", {"v": drawn, "w": [drawn, {"in": drawn}]}], ["get", ["w", "v"]]]),
            (
                2 if backend == "sqlite" else 0,
                lambda: [["kv.put", "v", drawn], ["kv.get", "v"], ["kv.list"]],
            ),
            (3, lambda: [["rpc", "b", "echo", drawn]]),
            (2, lambda: [["rpc", "b", "kinds", drawn, {"in": drawn}, [drawn]]]),
            (
                1,
                lambda: [
                    ["let", "x", ["rpc", "b", "remember", drawn]],
                    ["rpc", "b", "recall"],
                    ["put", "v", {"$var": "x"}],
                    ["rpc", "a", "read", "v"],
                ],
            ),
            (1, lambda: [["responseJson", value(dice, plain=True)]]),
            (1, lambda: [["log", {"drawn": drawn}]]),
        )

    steps: list[Step] = []
    for _ in range(dice.between(3, 5)):
        steps.append(
            {"object": "a", "ops": [op for _ in range(dice.between(2, 4)) for op in around()]}
        )
        if dice.chance(0.3):
            steps.append({"evict": "a"})
    steps.append({"object": "a", "ops": every(backend)})
    return {"backend": backend, "steps": steps}


def emptied(dice: Dice) -> Scenario:
    """deleteAll() among everything else that an object can hold: tables, rows, an alarm, sockets."""

    def ops() -> Any:
        return dice.times(
            2,
            6,
            lambda: dice.among(
                (
                    2,
                    lambda: [
                        "deleteAll",
                        *dice.some(
                            [
                                {"deleteAlarm": False},
                                {"deleteAlarm": True},
                                {"allowUnconfirmed": True},
                            ],
                            0,
                            1,
                        ),
                    ],
                ),
                (2, lambda: write(dice)),
                (2, lambda: sql_write(dice)),
                (1, lambda: sql_read(dice)),
                (
                    1,
                    lambda: [
                        "sql",
                        "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, k TEXT UNIQUE, v INTEGER, w TEXT)",
                    ],
                ),
                (2, lambda: alarm(dice)),
                (1, lambda: transaction(dice, sql=True)),
                (1, lambda: ["transaction", [write(dice), ["deleteAll"], *ending(dice)]]),
                (1, lambda: ["block", [write(dice), ["deleteAll"], write(dice)]]),
                (1, lambda: ["all", [["deleteAll"], write(dice), read(dice)]]),
                (0.5, lambda: ["abort", "emptied"]),
                (0.5, lambda: throw(dice)),
                (0.5, lambda: ["sql.size"]),
                (1, lambda: ["mem", "m", 1]),
            ),
        )

    steps: list[Step] = [{"object": "a", "ops": [*create(dice), ["put", "n", 1]]}]
    for _ in range(dice.between(2, 4)):
        steps.append({"object": "a", "ops": ops()})
        if dice.chance(0.3):
            steps.append({"evict": "a"})
    return {
        "backend": "sqlite",
        "steps": [*steps, {"object": "a", "ops": [*every("sqlite"), ["mem", "m"]]}],
    }


def on_ids(dice: Dice, names: list[str], hexes: list[str], *, stubbed: bool) -> Op:
    """An operation on ids or stubs; with `stubbed` the variable `s` has a stub."""
    return dice.among(
        (2, lambda: ["idFromName", dice.pick(names)]),
        (1, lambda: ["id.toString", {"$var": dice.pick("ij")}]),
        (1, lambda: ["id.name", {"$var": dice.pick("ij")}]),
        (1, lambda: ["id.equals", {"$var": dice.pick("ij")}, {"$var": dice.pick("ij")}]),
        (1, lambda: ["idFromString", dice.pick(hexes)]),
        (1, lambda: ["let", "j", ["idFromString", {"$text": [{"$var": "h", "or": "x"}]}]]),
        (1, lambda: ["let", "h", ["id.toString", {"$var": "i"}]]),
        (1, lambda: ["ns", dice.pick(["kv", "sqlite"]), ["idFromName", dice.pick(names)]]),
        (
            1,
            lambda: [
                "ns",
                dice.pick(["kv", "sqlite"]),
                ["idFromString", {"$var": "h", "or": "x"}],
            ],
        ),
        (1, lambda: ["getByName", "s", dice.pick(names), "z"]),
        (1, lambda: ["stub", "s", {"$var": "i"}, "z"]),
        (
            1,
            lambda: ["stub.id", {"$var": "s"}] if stubbed else ["id"],
        ),
        (
            1,
            lambda: ["stub.name", {"$var": "s"}] if stubbed else ["id"],
        ),
        (
            0.5,
            lambda: [
                "matches",
                "^[0-9a-f]{64}$",
                ["let", "u", ["upper", ["id.toString", {"$var": "i"}]]],
            ],
        ),
    )


def ids(dice: Dice) -> Scenario:
    names = ["", "x", "é", "\U0001f600", "a/b", "x" * 300, "0" * 64, " ", "\0"]
    hexes = ["0" * 64, "f" * 64, "x", "", "0" * 63, "0" * 66, "G" * 64]
    ops: list[Op] = [
        ["let", "i", ["idFromName", dice.pick(names)]],
        ["let", "j", ["idFromName", dice.pick(names)]],
    ]
    for _ in range(dice.between(5, 10)):
        stubbed = any(op[:2] in (["stub", "s"], ["getByName", "s"]) for op in ops)
        ops.append(on_ids(dice, names, hexes, stubbed=stubbed))
    return {
        "backend": dice.pick(["sqlite", "kv"]),
        "steps": [
            {"object": "a", "ops": ops},
            {"object": dice.pick(LABELS), "ops": [["id"], ["rpc", "a", "whoAmI"]]},
        ],
    }
