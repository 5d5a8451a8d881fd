"""Random scenarios on alarms, gates, calls, HTTP, WebSockets and an object's life."""

from functools import partial
from typing import Any

from .dice import Dice, Op, Scenario, Step, throw
from .events import LABELS, accepting, call, closing, gated, handling, socket, stubs
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
from .web_values import URLS, fetch, reading, request_init, response, web


def alarm_calls(dice: Dice, now: int, *, sql: bool) -> list[Op]:
    """Operations of one call on the alarm, where the clock shows `now`."""

    def soon() -> Any:
        return {dice.pick(["$t", "$tdate"]): ((now + 500) // 1000 + dice.between(0, 2)) * 1000}

    return dice.times(
        1,
        5,
        lambda: dice.among(
            (4, lambda: ["setAlarm", soon()]),
            (2, lambda: ["getAlarm"]),
            (0.5, lambda: ["deleteAlarm"]),
            (1, lambda: write(dice)),
            (0.5, lambda: read(dice)),
            (0.3, lambda: ["deleteAll", *dice.some([{"deleteAlarm": False}], 0, 1)]),
            (1, lambda: ["transaction", [["setAlarm", soon()], ["getAlarm"], *ending(dice)]]),
            (0.5, lambda: ["setAlarm", {"$t": 1}]),
            (1 if sql else 0, lambda: transaction_sync(dice)),
            (0.2, lambda: throw(dice)),
            (0.15, lambda: ["abort", "alarmed"]),
            (
                0.3,
                lambda: [
                    "block",
                    [["setAlarm", soon()], *([throw(dice)] if dice.chance(0.3) else [])],
                ],
            ),
        ),
    )


def alarms(dice: Dice, *, sql: bool = False) -> Scenario:
    backend = "sqlite" if sql else dice.pick(["sqlite", "kv"])
    now = 500
    steps: list[Step] = [{"advance_ms": 500}]
    if sql:
        steps.append({"object": "a", "ops": create(dice)})
    for _ in range(dice.between(2, 4)):
        ops = alarm_calls(dice, now, sql=sql)
        steps.append({"object": "a", "ops": ops})
        if dice.chance(0.25):
            steps.append({"evict": "a"})
        step = dice.pick([1000, 1000, 2000])
        steps.append({"advance_ms": step})
        now += step
    steps += [{"advance_ms": 6500}, {"object": "a", "ops": every(backend)}]

    def later() -> Any:
        return {"$t": dice.between(60, 80) * 1000}

    def handler() -> Any:
        return [
            *dice.times(
                0,
                3,
                lambda: dice.among(
                    (1, lambda: ["setAlarm", later()]),
                    (1, lambda: ["log", ["getAlarm"]]),
                    (1, lambda: write(dice)),
                    (1, lambda: ["log", read(dice)]),
                    (0.5, lambda: ["deleteAlarm"]),
                    (0.3, lambda: ["deleteAll"]),
                    (0.5, lambda: transaction(dice, sql=sql)),
                    (1 if sql else 0, lambda: ["log", sql_write(dice)]),
                    (
                        0.4,
                        lambda: [
                            "block",
                            [write(dice), *([throw(dice)] if dice.chance(0.3) else [])],
                        ],
                    ),
                    (0.3, lambda: ["waitUntil", [["sleep", 50], write(dice)]]),
                    (0.3, lambda: call(dice, "b")),
                    (0.2, lambda: ["sleep", 50]),
                    (0.2, lambda: ["abort", "in the alarm"]),
                ),
            ),
            *([throw(dice, "alarm")] if dice.chance(0.2) else []),
        ]

    handlers: dict[str, Any] = {"alarm": [*dice.times(1, 3, handler), []]}
    if dice.chance(0.5):
        failing = (
            [["block", [["log", "block"], throw(dice, "construct")]]] if dice.chance(0.15) else []
        )
        handlers["construct"] = [
            [["log", "constructed"]],
            [["log", "again"], *failing],
            [["log", "later"]],
        ]
    return {"backend": backend, "handlers": {"a": handlers}, "steps": steps}


def gates(dice: Dice, *, sql: bool | None = None) -> Scenario:
    backend = dice.pick(["sqlite", "kv"]) if sql is None else "sqlite"
    with_sql = backend == "sqlite"
    steps: list[Step] = [{"object": "a", "ops": create(dice)}] if with_sql else []
    for _ in range(dice.between(1, 3)):
        at_once: list[Step] = []
        for _ in range(dice.between(2, 4)):
            target = dice.pick(["a", "a", "a", "b"])
            allowed = with_sql and target == "a"
            ops = dice.times(1, 5, partial(gated, dice, sql=allowed))
            at_once.append({"object": target, "ops": ops})
        steps.append({"concurrent": at_once})
        if dice.chance(0.3):
            steps.append({"evict": "a"})
    steps += [{"object": label, "ops": [*every(backend), ["mem", "m"]]} for label in "ab"]
    return {"backend": backend, "steps": steps}


def rpc(dice: Dice) -> Scenario:
    backend = dice.pick(["sqlite", "kv"])
    steps: list[Step] = []
    for _ in range(dice.between(2, 4)):
        ops = (
            stubs(dice, dice.pick(LABELS))
            if dice.chance(0.4)
            else dice.times(2, 5, lambda: call(dice, dice.pick(LABELS[1:]), late=True))
        )
        steps.append({"object": "a", "ops": ops})
        if dice.chance(0.2):
            steps.append({"evict": dice.pick(LABELS[:2])})
    steps.append({"object": "b", "ops": [["mem", "remembered"], ["list"]]})
    return {"backend": backend, "steps": steps}


def http(dice: Dice) -> Scenario:
    def program() -> Any:
        return [
            *dice.times(0, 3, lambda: reading(dice)),
            *dice.times(0, 2, lambda: dice.pick([write, read])(dice)),
            response(dice),
            *dice.times(0, 1, lambda: write(dice)),
            *([throw(dice, "no answer")] if dice.chance(0.1) else []),
        ]

    steps: list[Step] = []
    steps += dice.times(
        2,
        5,
        lambda: dice.among(
            (
                3,
                lambda: {
                    "object": dice.pick("ab"),
                    "fetch": [dice.pick(URLS), request_init(dice, streams=False)],
                },
            ),
            (
                2,
                lambda: {
                    "object": "c",
                    "ops": dice.times(1, 3, lambda: fetch(dice, dice.pick("ab"))),
                },
            ),
            (2, lambda: {"object": "c", "ops": dice.times(2, 5, lambda: web(dice))}),
        ),
    )
    steps.append({"object": "a", "ops": [["list"]]})
    return {
        "backend": dice.pick(["sqlite", "kv"]),
        "handlers": {"a": {"fetch": dice.times(2, 4, program)}},
        "steps": steps,
    }


def client_step(dice: Dice, name: str) -> Step:
    """Something that a connected client does, or the object while it is connected."""
    return dice.among(
        (
            4,
            lambda: {
                "websocket": name,
                "send": dice.pick(["hi", "", "ping", "é", {"$bytes": "AP8="}, "m" * 500]),
            },
        ),
        (1, lambda: {"websocket": name, "close": closing(dice)}),
        (1, lambda: {"websocket": name}),
        (2, lambda: {"object": "a", "ops": dice.times(1, 3, lambda: socket(dice))}),
        (1, lambda: {"evict": "a"}),
        (0.3, lambda: {"evict": "a", "webSockets": "close"}),
        (
            0.4,
            lambda: {
                "object": "a",
                "ops": [dice.pick([["deleteAll"], ["abort", "sockets"], throw(dice)])],
            },
        ),
    )


def client_steps(dice: Dice, count: int) -> list[Step]:
    """What clients do to object a: they connect, send and close in a sensible order."""
    steps: list[Step] = []
    names: list[str] = []
    for _ in range(count):
        if not names or dice.chance(0.25):
            names.append(f"w{len(names)}")
            steps.append({"websocket": names[-1], "connect": "a"})
            continue
        steps.append(client_step(dice, dice.pick(names)))
    return steps


def sockets(dice: Dice, *, sql: bool = False) -> Scenario:
    backend = "sqlite" if sql else dice.pick(["sqlite", "kv"])
    handlers: dict[str, Any] = {
        "fetch": dice.times(1, 3, lambda: accepting(dice)),
        "message": dice.times(1, 3, lambda: handling(dice, sql=sql)),
        "close": dice.times(
            1, 2, lambda: [op for op in handling(dice, sql=sql) if op[1:] != [{"$event": "data"}]]
        ),
    }
    if dice.chance(0.4):
        handlers["construct"] = [
            [["log", "constructed"], *dice.times(0, 1, lambda: ["auto.set", "ping", "pong"])]
        ]
    steps: list[Step] = [{"object": "a", "ops": create(dice)}] if sql else []
    steps += client_steps(dice, dice.between(5, 9))
    steps.append(
        {
            "object": "a",
            "ops": [
                ["sockets"],
                ["each", None, [["ws.state"], ["ws.attachment"]]],
                *every(backend),
            ],
        }
    )
    return {"backend": backend, "handlers": {"a": handlers}, "steps": steps}


def lifecycle(dice: Dice) -> Scenario:
    backend = dice.pick(["sqlite", "kv"])
    sql = backend == "sqlite"

    def construct() -> Any:
        return [
            ["log", dice.between(0, 9)],
            *dice.times(
                0,
                2,
                lambda: dice.among(
                    (
                        2,
                        lambda: [
                            "block",
                            [
                                *dice.times(1, 3, lambda: gated(dice, sql=False, depth=1)),
                                *([throw(dice, "first block")] if dice.chance(0.2) else []),
                            ],
                        ],
                    ),
                    (2, lambda: write(dice)),
                    (1, lambda: ["mem", "m", dice.between(0, 9)]),
                    (0.4, lambda: throw(dice, "constructor")),
                    (0.2, lambda: ["abort", "while constructing"]),
                    (1, lambda: alarm(dice)),
                    (1 if sql else 0, lambda: sync_write(dice)),
                ),
            ),
        ]

    steps: list[Step] = []
    steps += dice.times(
        3,
        6,
        lambda: dice.among(
            (
                3,
                lambda: {
                    "object": "a",
                    "ops": dice.times(1, 4, lambda: gated(dice, sql=False, depth=1)),
                },
            ),
            (1, lambda: {"object": "a", "fetch": ["http://object/"]}),
            (2, lambda: {"evict": "a"}),
            (0.15, lambda: {"advance_ms": 11_000}),
            (
                1,
                lambda: {
                    "concurrent": [
                        {"object": "a", "ops": [["get", "n"], ["mem", "m"]]},
                        {"object": "a", "fetch": ["http://object/x"]},
                    ]
                },
            ),
            (1, lambda: {"object": "b", "ops": [call(dice, "a")]}),
        ),
    )
    steps.append({"object": "a", "ops": [*every(backend), ["mem", "m"]]})
    return {
        "backend": backend,
        "handlers": {"a": {"construct": dice.times(1, 4, construct)}},
        "steps": steps,
    }
