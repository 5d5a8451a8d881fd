"""The families of random scenarios, and the scenario that a name stands for."""

import json
from collections.abc import Callable
from typing import Any

from .dice import Dice, Scenario, Step
from .event_families import alarms, gates, http, lifecycle, rpc, sockets
from .mixed_families import across, one_tick, sockets_and_alarms, sql_and_abort
from .storage_families import (
    emptied,
    ids,
    storage_kv,
    storage_sql,
    storage_sync,
    storage_transactions,
    values,
)

Make = Callable[[Dice], Scenario]

FAMILIES: dict[str, tuple[int, Make]] = {
    "kv": (8, storage_kv),
    "sync-kv": (6, storage_sync),
    "sql": (9, storage_sql),
    "transactions": (8, storage_transactions),
    "values": (6, values),
    "ids": (2, ids),
    "alarms": (6, alarms),
    "gates": (9, gates),
    "rpc": (6, rpc),
    "http": (7, http),
    "sockets": (8, sockets),
    "lifecycle": (6, lifecycle),
    "one-tick": (8, one_tick),
    "sql-and-abort": (7, sql_and_abort),
    "sockets-and-alarms": (5, sockets_and_alarms),
    "alarms-and-sql": (3, lambda dice: alarms(dice, sql=True)),
    "across": (6, across),
    "emptied": (5, emptied),
}

# What would go on after its step, in the background, and what stands for it there: the recorder
# lets some real time pass after a step, a virtual clock none.
TIMED = ("sleep", "slow", "failLater")


def untimed(program: Any) -> Any:
    """Return a program without what takes time."""
    if not isinstance(program, list):
        return program
    if program[:1] == ["sleep"]:
        return ["sync"]
    if len(program) > 2 and program[2] in TIMED:
        return [*program[:2], "recall"]
    return [untimed(item) for item in program]


def in_time(program: Any) -> Any:
    """Return a program that takes no time but within its own call."""
    if not isinstance(program, list):
        return program
    if program[:1] == ["waitUntil"]:
        return untimed(program)
    return [in_time(item) for item in program]


def settled(made: Scenario) -> Scenario:
    """Return the scenario without timers that fire between steps."""
    handlers = {
        label: {
            kind: [in_time(p) if kind == "fetch" else untimed(p) for p in programs]
            for kind, programs in kinds.items()
        }
        for label, kinds in made.get("handlers", {}).items()
    }
    steps = [settled_step(step) for step in made["steps"]]
    return {**made, **({"handlers": handlers} if handlers else {}), "steps": steps}


def settled_step(step: Step) -> Step:
    if "concurrent" in step:
        return {"concurrent": [settled_step(one) for one in step["concurrent"]]}
    return {**step, "ops": in_time(step["ops"])} if "ops" in step else step


def scenario(family: str, name: str) -> Scenario:
    """Draw the scenario of a family that a name stands for."""
    made = settled(FAMILIES[family][1](Dice(f"{family} {name}")))
    text = json.dumps(made)
    if '"classic"' in text or '"settings"]' in text:
        # What such a socket or a stub refers to stays in memory, and evict waits for half a minute.
        made["steps"] = [step for step in made["steps"] if "evict" not in step]
    return {"name": name, "about": f"random {family.replace('-', ' ')}", **made, "expect": []}
