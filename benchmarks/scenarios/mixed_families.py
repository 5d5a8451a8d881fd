"""Random scenarios that mix two families: events of one tick, aborts, sockets with alarms."""

from typing import Any

from .dice import Dice, Op, Scenario, Step, throw
from .event_families import sockets
from .events import LABELS, call, gated, on_socket, socket
from .storage import (
    alarm,
    create,
    ending,
    every,
    read,
    sql_write,
    sync_write,
    transaction,
    transaction_sync,
    write,
)
from .web_values import request_init, response


def one_tick(dice: Dice) -> Scenario:
    """Several kinds of events of one object that arrive at once: calls, fetches, messages, an alarm."""
    backend = dice.pick(["sqlite", "sqlite", "kv"])
    sql = backend == "sqlite"

    def program() -> Any:
        return dice.times(1, 4, lambda: gated(dice, sql=sql, depth=1))

    handlers = {
        "fetch": [
            [["upgrade", {"tags": ["x"]}]],
            *dice.times(1, 2, lambda: [*program(), response(dice)]),
        ],
        "message": dice.times(
            1, 2, lambda: [*program(), *dice.times(0, 1, lambda: on_socket(dice))]
        ),
        "alarm": [*dice.times(1, 2, program), []],
    }
    steps: list[Step] = [
        {"object": "a", "ops": create(dice) if sql else [["put", "n", 1]]},
        {"websocket": "w", "connect": "a"},
    ]
    for _ in range(dice.between(1, 3)):
        at_once: list[Step] = dice.times(
            2,
            4,
            lambda: dice.among(
                (3, lambda: {"object": "a", "ops": program()}),
                (1.5, lambda: {"object": "a", "fetch": ["http://object/now"]}),
                (0.5, lambda: {"websocket": "w", "send": dice.pick(["m", "ping"])}),
                (1, lambda: {"object": "a", "ops": [["setAlarm", {"$t": 0}], *program()]}),
                (1, lambda: {"object": "b", "ops": [call(dice, "a"), call(dice, "a")]}),
            ),
        )
        steps.append({"concurrent": at_once})
    steps.append({"object": "a", "ops": [*every(backend), ["sockets"], ["mem", "m"]]})
    return {"backend": backend, "handlers": {"a": handlers}, "steps": steps}


def sql_and_abort(dice: Dice) -> Scenario:
    """SQL and key-value writes in transactions and blocks, cut off by aborts, errors and evictions."""

    def ops() -> list[Op]:
        body = dice.times(
            2,
            5,
            lambda: dice.among(
                (3, lambda: sql_write(dice)),
                (2, lambda: transaction(dice, sql=True)),
                (2, lambda: transaction_sync(dice)),
                (1, lambda: write(dice)),
                (1, lambda: sync_write(dice)),
                (1, lambda: alarm(dice)),
                (0.5, lambda: ["sync"]),
                (0.5, lambda: ["sleep", 50]),
                (
                    0.5,
                    lambda: [
                        "block",
                        dice.times(1, 2, lambda: dice.pick([sql_write, write])(dice)),
                    ],
                ),
                (0.3, lambda: ["deleteAll"]),
            ),
        )
        cut = dice.among(
            (2, list),
            (2, lambda: [["abort", "cut"]]),
            (1, lambda: [throw(dice)]),
            (1, lambda: [["transaction", [write(dice), sql_write(dice), ["abort", "inside"]]]]),
            (
                1,
                lambda: [
                    [
                        "transactionSync",
                        [sql_write(dice), sync_write(dice), ["abort", "inside sync"]],
                    ]
                ],
            ),
            (1, lambda: [["block", [sql_write(dice), throw(dice, "block")]]]),
            (0.5, lambda: [["waitUntil", [["sleep", 50], sql_write(dice), ["abort", "late"]]]]),
        )
        return [*body, *cut, *dice.times(0, 1, lambda: write(dice))]

    steps: list[Step] = [{"object": "a", "ops": create(dice)}]
    for _ in range(dice.between(2, 4)):
        steps.append(
            {"object": "a", "ops": ops()}
            if dice.chance(0.7)
            else {"concurrent": [{"object": "a", "ops": ops()} for _ in range(2)]}
        )
        if dice.chance(0.2):
            steps.append({"evict": "a"})
    look = ["sql", "SELECT k, v, w FROM t ORDER BY id"]
    steps.append(
        {"object": "a", "ops": [look, ["sql", "SELECT * FROM child ORDER BY id"], *every("sqlite")]}
    )
    return {"backend": "sqlite", "steps": steps}


def sockets_and_alarms(dice: Dice) -> Scenario:
    """Hibernating sockets, evictions and alarms that talk to them."""
    made = sockets(dice, sql=dice.chance(0.5))
    handlers, steps = made["handlers"]["a"], made["steps"]
    handlers["alarm"] = [
        *dice.times(
            1,
            3,
            lambda: [
                *dice.times(
                    1,
                    3,
                    lambda: dice.among(
                        (3, lambda: socket(dice)),
                        (1, lambda: write(dice)),
                        (1, lambda: ["log", ["sockets"]]),
                        (0.2, lambda: ["abort", "alarm"]),
                    ),
                ),
                *([throw(dice, "alarm")] if dice.chance(0.1) else []),
            ],
        ),
        [],
    ]
    at = dice.between(1, len(steps) - 1)
    steps.insert(at, {"object": "a", "ops": [["setAlarm", {"$t": 2000}], ["getAlarm"]]})
    if dice.chance(0.6):
        steps.insert(at + 1, {"evict": "a"})
    steps.insert(len(steps) - 1, {"advance_ms": 5500})
    return made


def across(dice: Dice) -> Scenario:
    """Objects that call each other, in transactions and blocks, and fail or abort while they do."""
    backend = dice.pick(["sqlite", "kv"])
    sql = backend == "sqlite"

    def program(target: str) -> Any:
        return [
            *dice.times(
                1,
                3,
                lambda: dice.among(
                    (3, lambda: call(dice, target, late=True)),
                    (2, lambda: write(dice)),
                    (1, lambda: ["transaction", [write(dice), call(dice, target), *ending(dice)]]),
                    (1, lambda: ["block", [call(dice, target), write(dice)]]),
                    (1, lambda: ["fetch", target, "http://object/y", request_init(dice)]),
                    (0.5, lambda: ["must", call(dice, target)]),
                    (0.5, lambda: ["waitUntil", [call(dice, target), write(dice)]]),
                    (0.5, lambda: ["all", [call(dice, target), write(dice), call(dice, target)]]),
                    (0.3 if sql else 0, lambda: transaction_sync(dice)),
                ),
            ),
        ]

    def answer() -> Any:
        return [
            *dice.times(0, 2, lambda: dice.pick([write, read])(dice)),
            response(dice),
            *dice.pick([[], [], [], [["abort", "while answering"]], [throw(dice)]]),
        ]

    handlers = {
        "b": {"fetch": dice.times(1, 3, answer)},
        "c": {"construct": [[["log", "c"]], [throw(dice, "c fails")], [["log", "c again"]]]},
    }
    steps: list[Step] = []
    for _ in range(dice.between(2, 4)):
        steps.append({"object": "a", "ops": program(dice.pick("bbc"))})
        if dice.chance(0.3):
            steps.append({"evict": dice.pick(LABELS)})
    steps += [{"object": label, "ops": [*every(backend), ["mem", "remembered"]]} for label in "ab"]
    return {"backend": backend, "handlers": handlers, "steps": steps}
