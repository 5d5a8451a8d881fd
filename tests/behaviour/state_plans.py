"""Plays operations on objects in some state, ends them in some way, and compares what is left.

Used by `test_every_state`. A plan has many objects in one state directory, all brought into the
same state; each then has its own operations. What must be left is worked out afterwards from what
was acknowledged. Killed plans are played in a child process that is killed with SIGKILL, many of
them at once, each with a runtime of its own.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from dobook.codec import deserialize
from dobook.storage import connection, durable_committer, lock
from dobook.storage import store as stores

from .state_model import Contents, Model
from .state_operations import OPERATIONS, Subject, latest, stale
from .state_recipes import (
    FEW_DATABASES,
    MemoryState,
    State,
    World,
    few_databases,
    possible_facts,
    reach,
    seed,
)

ENDS = ("nothing", "evict", "idle", "crash", "redefine", "reopen", "kill")
ENDS_IN_MEMORY = ENDS[:5]
KILL_IN_A_CALL = "kill in the next call"
IDLE = "20s"
NUMBERS = (100, 200)

Pair = tuple[str, str | None]


@dataclass
class Case:
    """One object: its operations, and what has become of them.

    `events` are what was acknowledged: ("do", operation, number, answer, time in ms) or
    ("end", how, time in ms).
    """

    name: str
    operations: Pair
    events: list[tuple[Any, ...]] = field(default_factory=list)
    problem: str = ""
    note: str = ""  # what else there is to say of it

    def model(self, *, ended: bool) -> Model:
        """Return what the object has to hold; `ended` if it was in memory for the last time."""
        model = Model()
        for kind, *about, now_ms in self.events:
            model.advance_to(now_ms)
            if kind == "do":
                model.begin_session()
                operation, number, said = about
                OPERATIONS[operation].apply(model, number, said)
            elif about != ["nothing"]:
                model.asleep = True
        model.asleep = model.asleep or ended
        model.begin_session()
        return model


@dataclass
class Plan:
    """Objects that are brought into one state, and the two ways in which their work ends."""

    path: Path | None
    durability: str
    sql: bool
    state: State | MemoryState
    ends: tuple[str, str]
    pairs: list[Pair]

    def __post_init__(self) -> None:
        self.pairs.sort(key=lambda pair: "set alarm soon" in pair)  # these let time pass
        self.cases = [Case(f"{number}", pair) for number, pair in enumerate(self.pairs)]

    def world(self) -> World:
        return World(self.path, self.durability, sql=self.sql)

    def describe(self, case: Case) -> str:
        kind = "SQL" if self.sql else "KV"
        where = "memory" if self.path is None else self.durability
        first, second = case.operations
        steps = [first, self.ends[0], *([] if second is None else [second]), self.ends[1]]
        steps = [step for step in steps if step != "nothing"]
        return f"{kind}, {where}, {self.state}: {' > '.join(steps)}{case.note}"


def play(plans: list[Plan]) -> list[str]:
    """Play plans of one state; returns what was wrong, with the exact combination."""
    with settings(plans[0].state):
        _play_in_child([plan for plan in plans if plan.ends[0] == "kill"], _first_half)
        _play_in_child([plan for plan in plans if plan.ends[1] == "kill"], _to_the_end)
        wrong = []
        for plan in plans:
            world = None
            if plan.ends[1] == KILL_IN_A_CALL:
                _play_in_child([plan], _to_the_end)
            elif plan.ends[1] != "kill":
                world = _to_the_end(plan)
            if world is not None and plan.path is not None:
                world.close()
                world = None
            wrong += compare(plan, world)
    return wrong + older_instances()


def older_instances() -> list[str]:
    """Return, once, what instances did after newer ones of the same object had been made."""
    wrong = [f"two instances: {what}" for what in stale]
    latest.clear()
    stale.clear()
    return wrong


@contextlib.contextmanager
def settings(state: State | MemoryState) -> Iterator[None]:
    """Set what a state takes. SIGKILL loses nothing that a disk has not been waited for."""
    older_instances()  # what a test that failed has left
    with contextlib.ExitStack() as stack:

        def change(target: Any, name: str, value: Any) -> None:
            stack.enter_context(mock.patch.object(target, name, value))

        for name in ("fsync", "fdatasync"):
            if hasattr(os, name):
                change(os, name, lambda _fd: None)
        change(durable_committer, "MAX_S_BEHIND", 1e9)
        change(connection, "BUSY_TIMEOUT_S", 0.0)  # nobody else uses the files
        if state.rows_apart:
            change(stores, "WHOLE_LOAD_BYTES", 0)
        if few_databases(state):
            change(lock, "MAX_OPEN_DATABASES", FEW_DATABASES)
        yield


def _play_in_child(plans: list[Plan], part: Callable[[Plan], World]) -> None:
    """Play a part of each plan in a child process that is then killed."""
    if not plans:
        return
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            worlds = [part(plan) for plan in plans]  # each stays open, in the midst of its life
            answer: Any = [plan.cases for plan in plans], list(stale), len(worlds)
        except BaseException:
            answer = traceback.format_exc()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps(answer))
        if plans[0].ends[1] == KILL_IN_A_CALL and not isinstance(answer, str):
            _call_all_and_kill(worlds[0], plans[0].cases)
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    answer = pickle.loads(data)
    assert not isinstance(answer, str), answer
    acknowledged, older, count = answer
    assert count == len(plans)
    stale.extend(older)
    for plan, cases in zip(plans, acknowledged, strict=True):
        plan.cases = cases


def _call_all_and_kill(world: World, cases: list[Case]) -> None:
    """Kill this process when each object has begun a call that nobody gets an answer of."""

    async def main() -> None:
        # Backwards: a session that begins with a write to a file makes all before it durable.
        calls = [world.stub(case.name).linger() for case in reversed(cases)]
        for _ in calls:
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGKILL)

    world.runtime.run(main())


# ---------------------------------------------------------------------- one plan


def _to_the_end(plan: Plan) -> World:
    world = plan.world() if plan.ends[0] == "kill" else _first_half(plan)
    if not _one_by_one(plan):
        for case in plan.cases:
            _do_second(world, case)
    _end(world, plan.ends[1], plan.cases)
    return world


def _do_second(world: World, case: Case) -> None:
    if case.operations[1] is not None:
        _do(world, case, case.operations[1], NUMBERS[1])


def _first_half(plan: Plan) -> World:
    world = plan.world()
    state, names = plan.state, [case.name for case in plan.cases]
    acknowledge(world, plan.cases, seed(world, state, names))
    alone, one_by_one = _lets_time_pass(plan), _one_by_one(plan)
    if not alone:
        acknowledge(world, plan.cases, reach(world, state, names))
    for case in plan.cases:
        if alone:
            acknowledge(world, [case], reach(world, state, [case.name]))
        if state.facts.behind:
            _do_while_behind(world, case, state)
        else:
            look_at_state(world, case, state)
            _do(world, case, case.operations[0], NUMBERS[0])
        if one_by_one:
            _end(world, plan.ends[0], [case])
            _do_second(world, case)
        if alone and "set alarm soon" in case.operations and case is not plan.cases[-1]:
            world.runtime.advance(IDLE)  # or it would wake the object in the next one's time
    if not one_by_one:
        _end(world, plan.ends[0], plan.cases)
    return world


def _lets_time_pass(plan: Plan) -> bool:
    """Return whether an object's work lets time pass, so that others cannot wait in their state."""
    state, end = plan.state, plan.ends[0]
    if not state.facts.behind:
        return False
    soon = sum("set alarm soon" in pair for pair in plan.pairs)
    return not state.facts.awake or end in ("idle", "redefine") or soon > 1


def _one_by_one(plan: Plan) -> bool:
    """Return whether each object's work is done before the next one's begins."""
    return _lets_time_pass(plan) and plan.ends[0] not in ("reopen", "kill")


def acknowledge(world: World, cases: list[Case], steps: list[tuple[str, int]]) -> None:
    for case in cases:
        for operation, number in steps:
            case.events.append(("do", operation, number, None, world.now_ms))


def look_at_state(world: World, case: Case, state: State | MemoryState) -> None:
    if world.path is not None and (found := world.facts(case.name)) != state.facts:
        case.problem = f"the state was not reached, but [{found}]"


def _look_for_new_state(world: World, case: Case) -> None:
    if world.path is not None and (found := world.facts(case.name)) not in possible_facts():
        case.problem = case.problem or f"[{found}] was thought impossible: it needs a recipe"


def _do(world: World, case: Case, operation: str, number: int) -> None:
    try:
        said = world.do(case.name, operation, number)
    except Exception as error:
        _failed(world, case, operation, number, error)
    else:
        case.events.append(("do", operation, number, said, world.now_ms))
        _look_for_new_state(world, case)


def _failed(world: World, case: Case, operation: str, number: int, error: Exception) -> None:
    if OPERATIONS[operation].aborts and str(error) == "restore":
        case.events.append(("do", operation, number, None, world.now_ms))
        case.events.append(("end", "abort", world.now_ms))
    else:
        case.problem = case.problem or f"{operation} raised {type(error).__name__}: {error}"


def _do_while_behind(world: World, case: Case, state: State | MemoryState) -> None:
    """Do an object's first operation in the state in which the journal is behind."""
    operation = case.operations[0]

    async def fall_behind() -> None:
        await world.stub(case.name).do("put", 9)
        case.events.append(("do", "put", 9, None, world.now_ms))
        if state.facts.awake:
            await act()

    async def act() -> None:
        look_at_state(world, case, state)
        try:
            said = await world.stub(case.name).do(operation, NUMBERS[0])
        except Exception as error:
            _failed(world, case, operation, NUMBERS[0], error)
        else:
            case.events.append(("do", operation, NUMBERS[0], said, world.now_ms))

    world.during_advance(*([fall_behind] if state.facts.awake else [fall_behind, act]))


def _end(world: World, how: str, cases: list[Case]) -> None:
    if how == "idle":
        world.runtime.advance(IDLE)
    elif how == "redefine":
        world.define(type("Subject", (Subject,), {}))
    elif how == "reopen":
        world.reopen()
    for case in cases:
        if how == "evict":
            world.evict(case.name)
        elif how == "crash":
            world.runtime.crash(world.stub(case.name))
        case.events.append(("end", how, world.now_ms))
        if how in ENDS[1:-1] and world.is_awake(case.name):
            case.problem = case.problem or f"{how} has left it in memory"


# ---------------------------------------------------------------------- what is left


def compare(plan: Plan, world: World | None) -> list[str]:
    """Return what differs from the models, for a fresh runtime and in the files it leaves."""
    in_memory = world is not None
    world = world or plan.world()
    wrong, expected = [], []
    try:
        for case in plan.cases:
            model = case.model(ended=not in_memory)
            if not case.problem:
                try:
                    look = world.runtime.run(world.stub(case.name).look(sql=plan.sql))
                except Exception as error:
                    case.problem = f"reading raised {type(error).__name__}: {error}"
                else:
                    found = Contents(*look)
                    possible = model.possible(world.now_ms)
                    if found not in possible:
                        case.problem = f"found {_short(found)}, expected {_short(possible[0])}"
                    possible = Model(*found).possible(world.now_ms)  # an alarm may be about to run
                    expected.append((case, world.stub(case.name).id.toString(), possible))
            if case.problem:
                wrong.append(f"{plan.describe(case)}: {case.problem}")
    finally:
        world.close()
    if plan.path is not None and not in_memory:
        for case, identity, possible in expected:
            problem = _file_problem(plan.path / "dobook-Subject" / f"{identity}.sqlite", possible)
            if problem:
                wrong.append(f"{plan.describe(case)}: {problem}")
    return wrong


def _short(contents: Contents) -> str:
    rows = {key: value[-6:] if key == "large" else value for key, value in contents.rows.items()}
    return f"{rows} {contents.table} {contents.alarm_ms}"


def _file_problem(path: Path, expected: list[Contents]) -> str:
    """Return how a file of a closed state directory differs from what the runtime has read."""
    if not path.exists():
        empty = Contents({}, None, None)
        return "" if empty in expected else f"no file for {_short(expected[0])}"
    if Path(f"{path}-wal").exists():
        return "the file has a journal left beside it"
    with contextlib.closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as db:
        (check,) = db.execute("PRAGMA integrity_check").fetchone()
        if check != "ok":
            return f"the file is damaged: {check}"
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        rows, table, alarm = {}, None, None
        if "_cf_KV" in tables:
            rows = {k: deserialize(v) for k, v in db.execute("SELECT key, value FROM _cf_KV")}
        if "t" in tables:
            table = [x for (x,) in db.execute("SELECT x FROM t ORDER BY rowid")]
        if "_cf_METADATA" in tables:
            found = db.execute("SELECT value FROM _cf_METADATA WHERE key = 1").fetchone()
            alarm = None if found is None or found[0] is None else found[0] // 1_000_000
    contents = Contents(rows, table, alarm)
    if contents in expected:
        return ""
    return f"the file has {_short(contents)}, read {_short(expected[0])}"
