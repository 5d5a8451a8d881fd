"""The states that an object of a state directory can be in, and how to reach each by public calls.

Used by `test_every_state`. A state is six facts; `IMPOSSIBLE` says which of the 64 combinations
there cannot be. `facts` is the one place that looks inside, to make sure a recipe still leads to
the state it is named after.
"""

import functools
import itertools
from pathlib import Path
from typing import Any, NamedTuple

import dobook
from dobook.errors import PlatformError
from dobook.runtime.access import kernel_of

from .state_operations import OPERATIONS, Subject

FEW_DATABASES = 16  # may be open at once where a recipe has some closed for want of room
MOST_IDLE_MS = 12_000


class Facts(NamedTuple):
    """Where an object's rows are."""

    file: bool  # the object has a file
    open: bool  # its database is open
    sealed: bool  # since the last checkpoint a seal in the journal has said: look at the file
    journaled: bool  # the journal has rows of it that count, after the seal if there is one
    behind: bool  # something is committed that the journal does not have yet
    awake: bool  # it is in memory; if not, and `behind`, it is asleep

    def __str__(self) -> str:
        return " ".join(("" if fact else "not ") + name for name, fact in self._asdict().items())


class State(NamedTuple):
    """Facts, and two ways in which the same facts can differ."""

    facts: Facts
    fresh: bool = False  # there was no file when the runtime was opened
    rows_apart: bool = False  # rows are read from the database one by one, as of a large object

    @property
    def is_variant(self) -> bool:
        """Whether there is a plainer state of the same facts."""
        return self.fresh or self.rows_apart

    def __str__(self) -> str:
        extra = " fresh" * self.fresh + " rows-apart" * self.rows_apart
        return f"[{self.facts}{extra}]"


IMPOSSIBLE = {
    "what is open is a file": lambda f: f.open and not f.file,
    "SQL writes to a file": lambda f: f.sealed and not f.file,
    "an object that leaves memory closes its file": lambda f: f.open and not f.awake,
    "what is written to an open database is not left for later": lambda f: f.behind and f.open,
}


@functools.cache
def possible_facts() -> list[Facts]:
    """Return every combination that can be."""
    every = itertools.starmap(Facts, itertools.product((False, True), repeat=6))
    return [facts for facts in every if not any(no(facts) for no in IMPOSSIBLE.values())]


def states(*, sql: bool) -> list[State]:
    """Return every state of an object with SQLite storage, or with the older kind."""
    found = []
    for facts in possible_facts():
        used = facts.open or facts.sealed  # which takes SQL, unless rows are read one by one
        if sql or not used:
            found.append(State(facts))
        if sql and used:
            found.append(State(facts, fresh=True))
        if facts.file and (sql or not facts.sealed):
            found.append(State(facts, rows_apart=True))
    return found


class MemoryState(NamedTuple):
    """A state of an object without a state directory: what it did, and whether it left memory."""

    steps: tuple[str, ...]
    evicted: bool

    @property
    def facts(self) -> Facts:
        return Facts(*[False] * 6)

    @property
    def rows_apart(self) -> bool:
        return False

    def __str__(self) -> str:
        return f"[{' '.join(self.steps) or 'new'}{' evicted' * self.evicted}]"


MEMORY_STATES = [
    MemoryState(steps, evicted)
    for steps in ((), ("read",), ("put many",), ("insert, put, set alarm", "put many"))
    for evicted in (False, True)
    if steps or not evicted
]


class World:
    """A runtime with a class of each kind, and something that calls objects as time goes forward.

    Args:
        path: The state directory, None for memory.
        durability: That of the runtime.
        sql: Which kind of storage the objects under test have.
    """

    def __init__(self, path: Path | None, durability: str, *, sql: bool) -> None:
        self.path = path
        self.durability = durability
        self.sql = sql
        self.open()

    def open(self) -> None:
        self.runtime = dobook.Runtime(self.path, durability=self.durability)
        self.runtime.env.bind("CLOCK", self.runtime.clock)
        self.runtime.env.bind("SCRIPT", self)
        self.runtime.register(Conductor)
        self.runtime.register(Subject, "FILLER", name="Filler")
        self.define(Subject)

    def define(self, cls: type) -> None:
        self.subjects = self.runtime.register(cls, "SUBJECT", name="Subject", sqlite=self.sql)

    def close(self) -> None:
        self.runtime.close()

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def reopen(self) -> None:
        self.close()
        self.open()

    def stub(self, name: str) -> Any:
        return self.subjects.getByName(name)

    def do(self, name: str, operation: str, number: int) -> Any:
        return self.runtime.run(self.stub(name).do(operation, number))

    @property
    def now_ms(self) -> int:
        return self.runtime.clock.now_ms

    def evict(self, name: str) -> None:
        try:
            self.runtime.run(self.runtime.evict(self.stub(name)))
        except PlatformError as error:
            if "not currently running" not in str(error):
                raise

    def during_advance(self, *steps: Any) -> None:
        """Run coroutine functions inside the runtime, each after time enough to be evicted.

        Nobody outside waits until the last is over, so commits need not be durable before.
        """
        self.steps = list(steps)
        self.runtime.run(self.runtime.stub("CONDUCTOR/one").start())
        self.runtime.advance(1 + (len(steps) - 1) * MOST_IDLE_MS)

    def allow_databases(self) -> None:
        """Lift a limit on the databases that may be open."""
        kernel_of(self.runtime).stores.directory._max_open = 1_000

    def is_awake(self, name: str) -> bool:
        """Return whether an object is in memory."""
        actor = self.subjects.actors.get(self.stub(name).id.toString())
        return actor is not None and actor.instance is not None

    def facts(self, name: str) -> Facts:
        """Look inside: which state is an object in?"""
        stores, stub = kernel_of(self.runtime).stores, self.stub(name)
        identity = stub.id.toString()
        namespace = self.subjects
        place = (namespace.unique_key, identity)
        actor = namespace.actors.get(identity)
        committer, directory = stores.committer, stores.directory
        store = committer._asleep.get(place) if actor is None else actor.store
        return Facts(
            file=directory.file(*place).exists(),
            open=store is not None and store.is_open,
            sealed=place in committer._announced,
            journaled=place in committer._journaled,
            behind=store is not None and store in committer._ahead,
            awake=self.is_awake(name),
        )


class Conductor:
    """Plays the world's steps, each in an alarm."""

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx
        self.env = env

    async def start(self) -> None:
        await self.ctx.storage.setAlarm(self.env.CLOCK.now_ms + 1)

    async def alarm(self) -> None:
        script = self.env.SCRIPT
        step = script.steps.pop(0)
        if script.steps:
            await self.ctx.storage.setAlarm(self.env.CLOCK.now_ms + MOST_IDLE_MS)
        await step()


# ---------------------------------------------------------------------- the recipes


def seed(world: World, state: State | MemoryState, names: list[str]) -> list[tuple[str, int]]:
    """Give objects files, if their state needs some; returns what was done to each."""
    if not state.facts.file or state.fresh:
        return []
    steps = [("put many", 1), ("set alarm", 2)]
    if world.sql:
        steps.append(("insert", 3))
    for name in names:
        for step in steps:
            world.do(name, *step)
    world.reopen()
    return steps


def reach(world: World, state: State | MemoryState, names: list[str]) -> list[tuple[str, int]]:
    """Bring objects into a state, but for being behind; returns what was done to each."""
    facts = state.facts
    if isinstance(state, MemoryState):
        steps = [(step, 10) for step in state.steps if world.sql or not OPERATIONS[step].sql]
        for name in names:
            for step in steps:
                world.do(name, *step)
            if state.evicted:
                world.evict(name)
        return steps
    steps = []
    apart = state.rows_apart and (facts.journaled or facts.sealed)
    if apart:  # loading it opens its database, and what comes next would go to the file
        steps += [("read", 7), ("close", 0)]
    if facts.sealed:
        steps += [("put", 4), ("insert", 5)]  # what the journal had is in the file from then on
    if facts.journaled:
        if facts.sealed:
            steps.append(("close", 0))  # what comes next goes to the journal again
        steps.append(("put", 8))
    if facts.open and (facts.journaled or not facts.sealed) and not state.rows_apart:
        steps.append(("select", 6))
    if (facts.awake or state.rows_apart) and not (apart and not facts.open):
        steps.append(("read", 7))
    for number, step in enumerate(steps):
        if step[0] == "close":
            leave_databases(world, state, names)
            if facts.open and ("close", 0) not in steps[number + 1 :]:
                world.allow_databases()
            continue
        for name in names:
            world.do(name, *step)
    if not facts.open and not (apart and facts.journaled):
        leave_databases(world, state, names)
    if apart and not facts.awake and not facts.behind:
        for name in names:
            world.evict(name)
    return [step for step in steps if step[0] != "close"]


def leave_databases(world: World, state: State, names: list[str]) -> None:
    """Have the objects' databases closed, and have the objects leave memory if they are to."""
    if few_databases(state):
        close_databases(world)
    elif not state.facts.awake or state.facts.sealed:
        for name in names:
            world.evict(name)


def close_databases(world: World) -> None:
    """Have the databases that are open closed, by using as many others as may be open."""
    for number in range(FEW_DATABASES + 1):
        stub = world.runtime.namespace("FILLER").getByName(f"filler {number}")
        world.runtime.run(stub.do("select", 0))


def few_databases(state: State) -> bool:
    """Return whether a state takes a limit on the databases that may be open."""
    facts = state.facts
    if state.rows_apart and (facts.journaled or facts.sealed):
        return True
    closed = not facts.open and (facts.awake or facts.behind)
    return closed and (facts.sealed or state.rows_apart)
