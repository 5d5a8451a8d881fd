"""Promise: storage equals a plain model of it, whatever the order of calls, evictions, crashes,
restarts and killed processes.

A step of the program is one call to one of three objects; the model holds what the platform says
an object has after it. Files are also looked at as a killed process leaves them: copied while the
runtime is open, and opened by another.

Source: developers.cloudflare.com/durable-objects/api/storage-api/
"""

import copy
import shutil
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import dobook
from dobook.errors import DobookError

KEYS = ["", "a", "ab", "b", "ä", "\U0001f600", "\ufffd", "k" * 600]
FAR = 4_102_444_800_000

objects = st.sampled_from(["one", "two", "three"])
keys = st.sampled_from(KEYS)
values = st.one_of(st.integers(-5, 5), st.text(max_size=3), st.lists(st.integers(), max_size=2))
endings = st.sampled_from(["return", "abort", "raise"])
step = st.one_of(
    st.tuples(st.just("put"), keys, values),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("sync")),
    st.tuples(st.just("insert"), st.integers(0, 9)),
    st.tuples(st.just("clear_sql")),
    st.tuples(st.just("set_alarm"), st.integers(0, 99)),
    st.tuples(st.just("delete_alarm")),
    st.tuples(st.just("delete_all")),
)
steps = st.lists(step, min_size=1, max_size=5)


class Subject:
    """Plays a list of steps and ends as it is told."""

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.storage = ctx.storage

    async def play(self, steps, ending):
        for name, *arguments in steps:
            await getattr(self, f"_{name}")(*arguments)
        if ending == "abort":
            self.ctx.abort("end of the steps")
        if ending == "raise":
            raise ValueError("end of the steps")

    async def in_transaction(self, steps, *, keep):
        async def body(_txn):
            await self.play(steps, "return")
            if not keep:
                raise ValueError("undo")

        try:
            await self.storage.transaction(body)
        except ValueError:
            return "undone"
        return "kept"

    def _table(self):
        return self.storage.sql.exec(
            "SELECT name FROM sqlite_master WHERE name = 'numbers'"
        ).toArray()

    async def _put(self, key, value):
        await self.storage.put(key, value)

    async def _delete(self, key):
        await self.storage.delete(key)

    async def _sync(self):
        await self.storage.sync()

    async def _insert(self, n):
        self.storage.sql.exec("CREATE TABLE IF NOT EXISTS numbers(n)")
        self.storage.sql.exec("INSERT INTO numbers VALUES (?)", n)

    async def _clear_sql(self):
        if self._table():
            self.storage.sql.exec("DELETE FROM numbers")

    async def _set_alarm(self, n):
        await self.storage.setAlarm(FAR + n)

    async def _delete_alarm(self):
        await self.storage.deleteAlarm()

    async def _delete_all(self):
        await self.storage.deleteAll()

    def alarm(self):
        pass

    async def state(self, *, sqlite):
        rows = await self.storage.list()
        assert await self.storage.get(list(rows)[:128]) == rows
        numbers = []
        if sqlite:
            assert dict(self.storage.kv.list()) == rows
            if self._table():
                numbers = self.storage.sql.exec("SELECT n FROM numbers ORDER BY rowid").toArray()
        return {
            "rows": rows,
            "numbers": [row["n"] for row in numbers],
            "alarm": await self.storage.getAlarm(),
        }


def nothing():
    return {"rows": {}, "numbers": [], "alarm": None}


def apply(model, steps):
    """Return what an object holds after steps that all take effect."""
    model = copy.deepcopy(model)
    for name, *arguments in steps:
        if name == "put":
            model["rows"][arguments[0]] = arguments[1]
        elif name == "delete":
            model["rows"].pop(arguments[0], None)
        elif name == "insert":
            model["numbers"].append(arguments[0])
        elif name == "clear_sql":
            model["numbers"].clear()
        elif name == "set_alarm":
            model["alarm"] = FAR + arguments[0]
        elif name == "delete_alarm":
            model["alarm"] = None
        elif name == "delete_all":
            model = nothing()
    return model


def turns(steps):
    """Divide steps where the object waits for something other than storage operations."""
    divided = [[]]
    for one in steps:
        divided[-1].append(one)
        if one[0] == "sync":
            divided.append([])
    return divided


class StorageMachine(RuleBasedStateMachine):
    """Three objects and a model of what each of them has stored."""

    durability: ClassVar[str | None] = None
    sqlite: ClassVar[bool] = True

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="dobook-test-"))
        self.copies = 0
        self.models = {name: nothing() for name in ("one", "two", "three")}

    @initialize()
    def begin(self):
        self.open(self.folder / "state0")

    def open(self, path):
        if self.durability is None:
            self.runtime = dobook.Runtime()
        else:
            self.runtime = dobook.Runtime(path, durability=self.durability)
        self.path = path
        self.subjects = self.runtime.register(Subject, sqlite=self.sqlite)

    def possible(self, steps):
        """Return the steps that the class's storage has."""
        return [one for one in steps if self.sqlite or one[0] not in ("insert", "clear_sql")]

    def run(self, name, method, *arguments, **options):
        stub = self.subjects.getByName(name)
        return self.runtime.run(getattr(stub, method)(*arguments, **options))

    @rule(name=objects, steps=steps, ending=endings)
    def play(self, name, steps, ending):
        steps = self.possible(steps)
        sent = [list(one) for one in steps]
        if ending == "return":
            self.run(name, "play", sent, ending)
        else:
            with pytest.raises((DobookError, ValueError), match="end of the steps"):
                self.run(name, "play", sent, ending)
        if ending == "abort":
            *kept, lost = turns(steps)
            steps = [one for turn in kept for one in turn]
            steps += [one for one in lost if one[0] == "delete_all"][:1]  # takes effect at once
        self.models[name] = apply(self.models[name], steps)

    @rule(name=objects, steps=steps, keep=st.booleans())
    def transact(self, name, steps, keep):
        steps = [one for one in self.possible(steps) if one[0] not in ("sync", "delete_all")]
        said = self.run(name, "in_transaction", [list(one) for one in steps], keep=keep)
        assert said == ("kept" if keep else "undone")
        if keep:
            self.models[name] = apply(self.models[name], steps)

    @rule(name=objects)
    def evict(self, name):
        if any(o.name == name and o.state != "evicted" for o in self.runtime.objects()):
            self.runtime.run(self.runtime.evict(f"SUBJECT/{name}"))

    @rule(name=objects)
    def crash(self, name):
        self.runtime.crash(f"SUBJECT/{name}")

    @rule()
    def pass_time(self):
        self.runtime.advance("11s")

    @rule()
    def restart(self):
        if self.durability is not None:
            self.runtime.close()
            self.open(self.path)

    @rule(on_disk=st.booleans())
    def go_on_from_a_snapshot(self, on_disk):
        self.copies += 1
        file = self.runtime.snapshot(self.folder / f"world{self.copies}")
        self.runtime.close()
        into = self.folder / f"state{self.copies}" if self.durability and on_disk else None
        options = {} if into is None else {"durability": self.durability}
        self.runtime = dobook.Runtime.restore(file, classes=[Subject], into=into, **options)
        if self.durability is not None and into is None:  # from memory back to the disk
            again = self.runtime.snapshot(file)
            self.runtime.close()
            into = self.folder / f"again{self.copies}"
            options = {"durability": self.durability}
            self.runtime = dobook.Runtime.restore(again, classes=[Subject], into=into, **options)
        self.path = into
        self.subjects = self.runtime.env.SUBJECT

    @rule()
    def go_on_from_a_fork(self):
        if self.durability is None:
            old, self.runtime = self.runtime, self.runtime.fork()
            old.close()
            self.subjects = self.runtime.env.SUBJECT

    @rule()
    def kill_the_process(self):
        if self.durability is not None:
            self.copies += 1
            left = self.folder / f"state{self.copies}"
            shutil.copytree(self.path, left)
            self.runtime.close()
            self.open(left)

    @invariant()
    def same_as_the_model(self):
        for name, model in self.models.items():
            assert self.run(name, "state", sqlite=self.sqlite) == model, name
        due = {a.object.partition("/")[2]: a.due_ms for a in self.runtime.scheduled_alarms()}
        assert due == {n: m["alarm"] for n, m in self.models.items() if m["alarm"] is not None}

    @invariant()
    def rows_are_ordered_by_their_bytes(self):
        for name in self.models:
            listed = list(self.run(name, "state", sqlite=self.sqlite)["rows"])
            assert listed == sorted(listed, key=lambda key: key.encode())

    def teardown(self):
        if hasattr(self, "runtime"):
            self.runtime.close()
        shutil.rmtree(self.folder)


class MemoryMachine(StorageMachine):
    durability = None


class ProcessMachine(StorageMachine):
    durability = "process"


class PowerMachine(StorageMachine):
    durability = "power"


class KvMemoryMachine(MemoryMachine):
    sqlite = False


class KvPowerMachine(PowerMachine):
    sqlite = False


brief = settings(max_examples=30, stateful_step_count=15)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TestInMemory = MemoryMachine.TestCase
TestWithDurabilityProcess = ProcessMachine.TestCase
TestWithDurabilityPower = PowerMachine.TestCase
TestKvInMemory = KvMemoryMachine.TestCase
TestKvWithDurabilityPower = KvPowerMachine.TestCase
for case in (
    TestInMemory,
    TestWithDurabilityProcess,
    TestWithDurabilityPower,
    TestKvInMemory,
    TestKvWithDurabilityPower,
):
    case.settings = brief
del case
