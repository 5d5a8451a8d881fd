"""Random programs of several clients and objects, run under a seed, and the promises they check.

A program is drawn from its number: clients that call counters, accounts and reminders, while
storage is slow, objects are evicted, crash at chosen points, and answers get lost. What must hold
whatever happens is checked on the way and at the end; `Broken` says what did not.
"""

import asyncio
import random
import time

from dobook import Runtime
from dobook.errors import PlatformError
from dobook.runtime.access import kernel_of

COUNTERS = (("count", "n"), ("count_in_section", "m"), ("count_in_tasks", "t"))
OBJECTS = ("a", "b", "c")
POINTS = (
    "now",
    "before commit",
    "after commit",
    "1st write",
    "2nd write",
    "1st await",
    "3rd await",
)


class Broken(AssertionError):
    """A promise that did not hold."""


class Subject:
    """The object of all programs; `Subject.alive` counts its lives in memory."""

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.inside = False

    async def count(self):
        """Read, add and write, with storage in between and nothing else."""
        if self.inside:
            raise Broken("input gate: an event came in while storage was under way")
        self.inside = True
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        self.inside = False
        return n

    async def count_in_tasks(self):
        """The same, reading through tasks of its own."""
        if self.inside:
            raise Broken("input gate: an event came in while tasks were reading")
        self.inside = True
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.read("t"))
            group.create_task(self.read("n"))
        _, n = await asyncio.gather(self.read("n"), self.read("t"))
        await self.ctx.storage.put("t", max(n, task.result()) + 1)
        self.inside = False
        return n + 1

    async def read(self, key):
        return await self.ctx.storage.get(key) or 0

    async def count_in_section(self):
        """The same across a timer, in a critical section."""

        async def body():
            n = await self.ctx.storage.get("m") or 0
            await asyncio.sleep(0.05)
            await self.ctx.storage.put("m", n + 1)
            return n + 1

        return await self.ctx.blockConcurrencyWhile(body)

    async def move(self, by):
        """Two writes of one turn, which belong together."""
        x = await self.ctx.storage.get("x") or 0
        y = await self.ctx.storage.get("y") or 0
        self.ctx.storage.put("x", x + by)
        self.ctx.storage.put("y", y - by)

    async def move_sql(self, by):
        """The same in SQL and key-value rows."""
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE IF NOT EXISTS t(z INTEGER)")
        sql.exec("INSERT INTO t VALUES (?)", by)
        self.ctx.storage.kv.put("w", (self.ctx.storage.kv.get("w") or 0) - by)

    async def tell(self, other):
        """Write, then tell another object what was written."""
        n = (await self.ctx.storage.get("told") or 0) + 1
        self.ctx.storage.put("told", n)
        await self.env.SUBJECT.getByName(other).hear(self.ctx.id.name, n)
        return n

    async def hear(self, whom, n):
        heard = await self.ctx.storage.get("heard") or {}
        heard[whom] = max(heard.get(whom, 0), n)
        await self.ctx.storage.put("heard", heard)

    async def remind(self, what, fails):
        """Note something for the alarm, which fails as often as it is told."""
        due = await self.ctx.storage.get("due") or {}
        due[what] = fails
        self.ctx.storage.put("due", due)
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 100)
        return what

    async def alarm(self):
        due = await self.ctx.storage.get("due") or {}
        left = {what: fails - 1 for what, fails in due.items() if fails}
        done = await self.ctx.storage.get("done") or []
        self.ctx.storage.put("done", done + [what for what in due if what not in left])
        self.ctx.storage.put("due", left)
        if left:
            raise RuntimeError("not yet")

    async def state(self):
        rows = dict(await self.ctx.storage.list())
        tables = self.ctx.storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 't'")
        if tables.toArray():
            rows["z"] = self.ctx.storage.sql.exec("SELECT sum(z) AS z FROM t").one().z
        return rows


class Client:
    """What one client was told."""

    def __init__(self):
        self.acknowledged = {}  # method, object → how often
        self.failed = {}
        self.reminders = []  # object, what
        self.broken = []

    async def call(self, stub, method, *args):
        key = (method, stub.name)
        try:
            value = await getattr(stub, method)(*args)
        except Broken as broken:
            self.broken.append(broken)
            return
        except PlatformError:
            self.failed[key] = self.failed.get(key, 0) + 1
            return
        self.acknowledged[key] = self.acknowledged.get(key, 0) + 1
        if method == "remind":
            self.reminders.append((stub.name, value))


def run(seed, path=None):
    """Run the program of a seed.

    Returns:
        Its trace, as texts.

    Raises:
        Broken: If a promise did not hold.
    """
    rng = random.Random(f"{seed} program")
    with Runtime(path, seed=seed) as runtime:
        runtime.tracing = True
        runtime.register(Subject)
        clients = [Client() for _ in range(rng.randint(2, 4))]
        if rng.random() < 0.6:
            runtime.faults.slow("SUBJECT", rng.choice([1, 20, 100]))
        runtime.run(_play(runtime, rng, clients))
        runtime.faults.clear()
        runtime.advance("20m")
        states = {name: runtime.run(_state(runtime, name)) for name in OBJECTS}
        _check(clients, states)
        trace = runtime.trace()
        _check_lives(trace)
        return [f"{event.seq} {event} {event.cause}" for event in trace]


async def _play(runtime, rng, clients):
    plans = []
    for client in clients:
        steps = [_step(rng) for _ in range(rng.randint(3, 8))]
        plans.append(_act(runtime, client, steps))
    await asyncio.gather(*plans)


def _step(rng):
    kind = rng.choices(
        [
            *("count", "count_in_tasks", "count_in_section", "move", "move_sql", "tell"),
            *("remind", "fault", "sleep"),
        ],
        [6, 3, 2, 3, 2, 3, 2, 3, 2],
    )[0]
    fault = rng.choice(["crash", "evict", "lose", "network", "fail"])
    return kind, rng.choice(OBJECTS), rng.choice(OBJECTS), rng.randint(0, 3), fault, rng.random()


async def _act(runtime, client, steps):
    together = []
    for number, (kind, name, other, amount, fault, chance) in enumerate(steps):
        stub = runtime.stub(f"SUBJECT/{name}")
        if kind == "fault":
            _break(runtime, stub, fault, chance)
        elif kind == "sleep":
            await asyncio.sleep(chance / 5)
        else:
            args = {
                "move": (amount,),
                "move_sql": (amount,),
                "tell": (other if other != name else OBJECTS[0],),
                "remind": (f"{number}-{chance}", amount),
            }.get(kind, ())
            call = client.call(stub, kind, *args)
            if chance < 0.5:  # beside what comes next
                together.append(asyncio.create_task(call))
            else:
                await call
    await asyncio.gather(*together)


def _break(runtime, stub, fault, chance):
    faults = runtime.faults
    if fault == "crash":
        faults.crash(stub, POINTS[int(chance * len(POINTS))])
    elif fault == "lose":
        faults.lose_replies(stub)
    elif fault == "network":
        faults.network_errors(stub)
    elif fault == "fail":
        faults.fail_writes(stub)
    elif kernel_of(runtime).actor_of(stub).instance is not None:
        runtime.evict(stub)


async def _state(runtime, name):
    return await runtime.stub(f"SUBJECT/{name}").state()


def _check(clients, states):
    for client in clients:
        for broken in client.broken:
            raise broken
    for name, state in states.items():
        for method, key in COUNTERS:
            told = sum(c.acknowledged.get((method, name), 0) for c in clients)
            unknown = sum(c.failed.get((method, name), 0) for c in clients)
            stored = state.get(key, 0)
            if stored < told:
                raise Broken(f"output gate: {told} were told, {stored} are stored")
            if stored > told + unknown:
                raise Broken(f"{method}: {stored} are stored, but {told + unknown} were asked for")
        if state.get("x", 0) + state.get("y", 0) or (state.get("z") or 0) + state.get("w", 0):
            raise Broken(f"atomic turns: {state}")
        for whom, heard in state.get("heard", {}).items():
            if heard > states[whom].get("told", 0):
                raise Broken(f"output gate: {name} heard {heard} of {whom}, which forgot it")
        if state.get("due"):
            raise Broken(f"alarms: {state['due']} were never done")
        asked = [what for c in clients for owner, what in c.reminders if owner == name]
        if missing := set(asked) - set(state.get("done", [])):
            raise Broken(f"alarms: {missing} were promised and never done")


def _check_lives(trace):
    alive = set()
    for event in trace:
        if event.kind == "started":
            if event.object in alive:
                raise Broken(f"identity: {event.object} came into being twice")
            alive.add(event.object)
        elif event.kind in ("evicted", "reset"):
            alive.discard(event.object)
