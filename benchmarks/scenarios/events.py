"""Random operations that reach other objects and clients: RPC, WebSockets, gates."""

from typing import Any

from .dice import ERRORS, KEYS, Dice, Op, rich, throw, value
from .storage import (
    alarm,
    read,
    sql_read,
    sql_write,
    sync_write,
    transaction,
    transaction_sync,
    write,
)

LABELS = ["a", "b", "c"]


def call(dice: Dice, target: Any, *, late: bool = False) -> Op:
    """A call of another object's method; `late` allows those that take time."""
    return dice.among(
        (3, lambda: ["rpc", target, "echo", value(dice)]),
        (
            2,
            lambda: [
                "rpc",
                target,
                "kinds",
                *dice.times(0, 3, lambda: value(dice)),
                *dice.times(0, 2, lambda: rich(dice)),
            ],
        ),
        (2, lambda: ["rpc", target, "read", dice.pick(KEYS)]),
        (1, lambda: ["rpc", target, "remember", value(dice)]),
        (1, lambda: ["rpc", target, "recall"]),
        (1, lambda: ["rpc", target, "sum", *dice.times(0, 4, lambda: dice.between(-9, 9))]),
        (0.5, lambda: ["rpc", target, "whoAmI"]),
        (0.5, lambda: ["rpc", target, dice.pick(["nothing", "missing", "secret"])]),
        (
            1,
            lambda: [
                "rpc",
                target,
                "fail",
                dice.pick([*ERRORS, "SyntaxError"]),
                "refused",
                *dice.some([{"code": 7}, {"remote": False}, {"retryable": True}], 0, 1),
            ],
        ),
        (0.5 if late else 0, lambda: ["rpc", target, "failLater", dice.pick(ERRORS), "later"]),
        (0.5 if late else 0, lambda: ["rpc", target, "slow", dice.pick([50, 100]), value(dice)]),
        (0.7, lambda: ["rpc.get", target, dice.pick(["greeting", "settings", "secret"])]),
        (1, lambda: ["rpc.path", target, path(dice)]),
        (0.3, lambda: ["rpc", target, "runAbort", dice.pick(["gone", "again"])]),
        (
            0.5,
            lambda: [
                "rpc",
                target,
                "callBack",
                dice.pick(LABELS),
                dice.pick(["greet", "recall", "nothing"]),
            ],
        ),
    )


def path(dice: Dice) -> list[Any]:
    return dice.pick(
        [
            [["counter", 5], ["increment", 2]],
            [["counter", 5], "value"],
            [["counter", 1], ["child", 7], ["increment"]],
            [["counter", 1], ["fail", "range"]],
            [["counter", 1], "hidden"],
            [["counter", 1], ["missing"]],
            [["bag"], "label"],
            [["bag"], "counter", ["increment", 3]],
            [["bag"], ["twice", 4]],
            [["bag"], "nothing"],
            ["settings", "colour"],
            ["settings", "nested", ["add", 1, 2]],
            [["fail", "TypeError", "first"], "value"],
            ["greeting"],
            [["nothing"], "x"],
            [["echo", {"deep": {"list": [1, 2]}}], "deep", "list"],
        ]
    )


def stubs(dice: Dice, target: Any) -> list[Op]:
    """Calls of what a call returned: counters and functions, duplicated and disposed of."""
    ops: list[Op] = [
        ["let", "s", ["rpc", target, "counter", dice.between(0, 9)]],
        ["let", "f", ["rpc", target, "adder", dice.between(0, 9)]],
    ]
    if dice.chance(0.5):
        ops.append(["dup", "d", {"$var": "s"}])

    def held() -> Any:
        return {"$var": dice.pick(["s", "s", "d"]) if len(ops) > 2 and ops[2][0] == "dup" else "s"}

    ops += dice.times(
        2,
        6,
        lambda: dice.among(
            (3, lambda: ["call", held(), "increment", dice.between(1, 5)]),
            (1, lambda: ["call", held(), "fail", "of a counter"]),
            (1, lambda: ["call", held(), dice.pick(["missing", "hidden"])]),
            (2, lambda: ["call", {"$var": "f"}, None, dice.between(1, 9)]),
            (1, lambda: ["rpc", dice.pick(LABELS), "bump", held(), dice.between(1, 3)]),
            (1, lambda: ["rpc", dice.pick(LABELS), "invoke", {"$var": "f"}, dice.between(1, 3)]),
            (0.7, lambda: ["rpc", dice.pick(LABELS), "invokeTwice", {"$function": True}, 1]),
            (0.4, lambda: ["dispose", held()]),
            (0.4, lambda: write(dice)),
        ),
    )
    return ops


def socket(dice: Dice) -> Op:
    """An operation of the object on its sockets."""
    return dice.among(
        (
            2,
            lambda: [
                "each",
                dice.pick([None, None, "x", "y", "none"]),
                dice.times(1, 3, lambda: on_socket(dice)),
            ],
        ),
        (2, lambda: ["sockets", *dice.some(["x", "y"], 0, 1)]),
        (0.4, lambda: ["auto.set", "ping", dice.pick(["pong", "", "p" * 20])]),
        (0.3, lambda: ["auto.get"]),
        (0.2, lambda: ["auto.unset"]),
        (0.1, lambda: ["timeout.set", dice.pick([0, 500, 604_800_000])]),
        (0.1, lambda: ["timeout.get"]),
    )


def on_socket(dice: Dice) -> Op:
    """An operation on the current socket."""
    return dice.among(
        (4, lambda: ["ws.send", dice.pick(["hello", "", "é", "x" * 500, {"$bytes": "AAH/"}])]),
        (1, lambda: ["ws.close", *closing(dice)]),
        (2, lambda: ["ws.attach", value(dice)]),
        (2, lambda: ["log", ["ws.attachment"]]),
        (1, lambda: ["log", ["ws.state"]]),
        (1, lambda: ["log", ["ws.tags"]]),
        (0.3, lambda: ["log", ["ws.autoTimestamp"]]),
    )


def closing(dice: Dice) -> list[Any]:
    code = dice.pick(
        [1000, 1001, 1003, 1011, 3000, 4000, 4999] * 2
        + [0, 999, 1004, 1005, 1006, 1015, 2999, 5000]
    )
    return dice.pick(
        [[], [1000], [code], [code, ""], [code, "bye"], [code, "é" * 61], [code, "x" * 124]]
    )


def accepting(dice: Dice) -> list[Op]:
    """A program of a fetch handler that accepts a WebSocket, in one way or another."""
    options: dict[str, Any] = {}
    if dice.chance(0.7):
        options["tags"] = dice.pick([["x"], ["y"], ["x", "y"], ["x", "x"], [], ["é"]])
    if dice.chance(0.2):
        options = {"classic": True}
    if dice.chance(0.2):
        options["headers"] = {"X-Chosen": "1"}
    before = dice.times(0, 1, lambda: dice.pick([write, read])(dice))
    after = dice.times(
        0,
        2,
        lambda: dice.among(
            (3, lambda: on_socket(dice)), (1, lambda: write(dice)), (1, lambda: ["log", read(dice)])
        ),
    )
    if options.get("classic"):
        after = [
            op
            for op in after
            if op[0] not in ("ws.attach",)
            and op[1:] not in ([["ws.attachment"]], [["ws.tags"]], [["ws.autoTimestamp"]])
        ]
    return [*before, ["upgrade", options], *after]


def handling(dice: Dice, *, sql: bool = False) -> list[Op]:
    """A program of a handler of messages or closed sockets."""
    with_sql = 1.0 if sql else 0.0
    ops = dice.times(
        0,
        3,
        lambda: dice.among(
            (3, lambda: on_socket(dice)),
            (1, lambda: ["ws.send", {"$event": "data"}]),
            (2, lambda: write(dice)),
            (1, lambda: ["log", read(dice)]),
            (1, lambda: socket(dice)),
            (0.6, lambda: call(dice, dice.pick(LABELS[1:]))),
            (with_sql, lambda: ["log", sql_write(dice)]),
            (0.5, lambda: transaction(dice, sql=sql)),
            (0.4, lambda: alarm(dice)),
            (0.2, lambda: ["sleep", 50]),
            (0.2, lambda: ["abort", "stopped by a message"]),
        ),
    )
    # Only messages have data.
    return [*ops, *([throw(dice)] if dice.chance(0.1) else [])]


def gated(dice: Dice, *, sql: bool, depth: int = 0) -> Op:
    """An operation of a call that meets others: timers, blocks, started and awaited operations."""
    nested = 1.0 if depth < 2 else 0.0
    with_sql = 1.0 if sql else 0.0

    def inner(low: str, high: str) -> Any:
        return dice.times(low, high, lambda: gated(dice, sql=sql, depth=depth + 1))

    return dice.among(
        (3, lambda: write(dice)),
        (3, lambda: ["log", read(dice)]),
        (1, lambda: ["put", "n", {"$add": [{"$var": "n", "or": 0}, 1]}]),
        (1, lambda: ["let", "n", ["get", "n"]]),
        (2 * with_sql, lambda: sql_write(dice)),
        (1 * with_sql, lambda: ["log", sql_read(dice)]),
        (0.7 * with_sql, lambda: sync_write(dice)),
        (0.7 * with_sql, lambda: transaction_sync(dice)),
        (1, lambda: transaction(dice, sql=sql)),
        (1.5, lambda: ["sleep", dice.pick([50, 100, 150])]),
        (1, lambda: ["sync"]),
        (1.2, lambda: call(dice, dice.pick(LABELS[1:]), late=True)),
        (0.5, lambda: ["fetch", dice.pick(LABELS[1:]), "http://object/x"]),
        (
            nested,
            lambda: [
                "block",
                [*inner(1, 3), *([throw(dice, "block")] if dice.chance(0.15) else [])],
            ],
        ),
        (nested, lambda: ["all", inner(2, 3)]),
        (
            0.8 * nested,
            lambda: [
                "waitUntil",
                [*inner(1, 3), *([throw(dice, "late")] if dice.chance(0.15) else [])],
            ],
        ),
        (0.8, lambda: ["log", dice.between(0, 99)]),
        (0.6, lambda: ["mem", "m", dice.between(0, 9)]),
        (0.6, lambda: ["log", ["mem", "m"]]),
        (0.3, lambda: throw(dice)),
        (0.25, lambda: ["abort", dice.pick(["abort one", "abort two"])]),
        (0.3, lambda: alarm(dice)),
        (0.2, lambda: ["deleteAll"]),
    )
