"""Promise: an object that is evicted while it is called has one live instance, and loses nothing.

In every state in which an object can be in memory, it is called before, while and after it is asked
to leave, in every order of a few evictions, calls and ticks.
Source: developers.cloudflare.com/durable-objects/concepts/durable-object-lifecycle/
"""

import asyncio
import itertools

import pytest

from dobook.errors import DobookError

from .state_operations import OPERATIONS, operations
from .state_plans import Plan, acknowledge, compare, look_at_state, older_instances, settings
from .state_recipes import MEMORY_STATES, reach, seed, states

KINDS = {"SQL": True, "KV": False}
STEPS = ("evict", "call", "wait")
LENGTH = 5
PATTERNS = [
    steps
    for steps in itertools.product(STEPS, repeat=LENGTH)
    if {"evict", "call"} <= set(steps) and steps[-1] != "wait"
]
AWAKE = [
    (kind, state)
    for kind, sql in KINDS.items()
    for state in states(sql=sql)
    if state.facts.awake and not state.facts.behind and not state.is_variant
]
IN_MEMORY = [(kind, state) for kind in KINDS for state in MEMORY_STATES if not state.evicted]

pytestmark = [
    # The transactions here put lists, for which Cloudflare's Python SDK needs to_js().
    pytest.mark.filterwarnings("ignore:txn.put"),
    pytest.mark.slow,
    pytest.mark.timeout(120),
]


def evict_and_call(world, case, steps):
    """Ask an object to leave and call it, in some order; note what was acknowledged.

    All calls but the first increment a number, so that one which is lost can be seen.
    """

    async def main():
        pending = []
        for step in steps:
            stub = world.stub(case.name)
            if step == "wait":
                await asyncio.sleep(0)
            elif step == "evict":
                pending.append((step, world.runtime.evict(stub)))
            else:
                first = all(what == "evict" for what, _ in pending)
                operation = case.operations[0] if first else "increment"
                pending.append((operation, stub.do(operation, 100)))
        pending.append(("increment", None))
        for what, promise in pending:
            try:
                last = world.stub(case.name).do(what, 100) if promise is None else promise
                said = await last
            except DobookError as error:
                if what != "evict" or "not currently running" not in str(error):
                    case.problem = case.problem or f"{what} raised {error}"
            else:
                if what != "evict":
                    case.events.append(("do", what, 100, said, world.now_ms))

    world.runtime.run(main())


def check(path, kind, state, pairs):
    """Evict objects of one state while they are called; fail with what was wrong.

    Args:
        path: The state directory, None for memory.
        kind: "SQL" or "KV".
        state: The state.
        pairs: Of the steps, and the operation of the first call among them.
    """
    sql = KINDS[kind]
    plan = Plan(path, "process", sql, state, ("nothing",) * 2, [(name, None) for _, name in pairs])
    with settings(state):
        with plan.world() as world:
            objects = [case.name for case in plan.cases]
            acknowledge(world, plan.cases, seed(world, state, objects))
            acknowledge(world, plan.cases, reach(world, state, objects))
            for case, (steps, _) in zip(plan.cases, pairs, strict=True):
                case.note = f", as the first call of {', '.join(steps)}"
                look_at_state(world, case, state)
                evict_and_call(world, case, steps)
            wrong = older_instances() + compare(plan, world)  # as the objects in memory have it
        if path is not None:
            wrong += compare(plan, None)
    if wrong:
        pytest.fail(f"{len(wrong)} wrong, for instance:\n" + "\n".join(wrong[:10]), pytrace=False)


@pytest.mark.parametrize(("kind", "state"), AWAKE, ids=[f"{k} {s}" for k, s in AWAKE])
def test_every_order_of_evictions_and_calls(tmp_path, kind, state):
    check(tmp_path / "state", kind, state, [(steps, "increment") for steps in PATTERNS])


@pytest.mark.parametrize(("kind", "state"), AWAKE, ids=[f"{k} {s}" for k, s in AWAKE])
def test_every_operation(tmp_path, kind, state):
    names = [
        name
        for name in operations(sql=KINDS[kind])
        if not OPERATIONS[name].aborts and name not in ("write, restore", "set alarm soon")
    ]
    steps = [("evict", "call", "wait", "call"), ("call", "evict", "wait", "wait", "call")]
    check(tmp_path / "state", kind, state, list(itertools.product(steps, names)))


@pytest.mark.parametrize(("kind", "state"), IN_MEMORY, ids=[f"{k} {s}" for k, s in IN_MEMORY])
def test_every_order_of_evictions_and_calls_in_memory(kind, state):
    check(None, kind, state, [(steps, "increment") for steps in PATTERNS])
