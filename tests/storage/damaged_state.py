"""A state directory of several objects, ways to damage it, and what a runtime then finds in it."""

import os
import random
import shutil
import warnings
from dataclasses import dataclass, field

from dobook import Runtime
from dobook.errors import DobookError, StateDirectoryError
from dobook.runtime.access import kernel_of

BINDINGS = ("BOX", "CHEST")
SQL = ("sql", "both")
NAMES = ("kv", "large", "sql", "both", "alarm", "moved", "late")


class Box:
    """An object that keeps rows, a table and an alarm."""

    def __init__(self, ctx, env):
        self.ctx, self.storage = ctx, ctx.storage

    async def put(self, rows):
        await self.storage.put(rows)

    async def delete(self, key):
        await self.storage.delete(key)

    async def insert(self, *texts):
        self.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (x TEXT)")
        for text in texts:
            self.storage.sql.exec("INSERT INTO t VALUES (?)", text)

    async def set_alarm(self, at_ms):
        await self.storage.setAlarm(at_ms)

    async def everything(self, with_sql):
        rows = [[key, value] for key, value in sorted((await self.storage.list()).items())]
        texts = []
        if with_sql:  # asking opens the database, and what waits in the journal goes there
            texts = [x for (x,) in self.storage.sql.exec("SELECT x FROM t").raw()]
        return [rows, texts, await self.storage.getAlarm()]

    async def alarm(self):
        pass


class Chest(Box):
    """Another class."""


LATER_MS = 4_000_000_000_000
NOTE = "v3"


def make(path, durability, *, how):
    """Make a state directory; returns what each of its objects has, by binding and id.

    Args:
        path: Where.
        durability: The runtime's.
        how: "closed" properly; "killed": with some in the objects' files and some in the journal.
    """
    live = path if how == "closed" else path.with_name(f"{path.name}-live")
    model = {}
    with Runtime(live, durability=durability) as runtime:
        fill(runtime)
        kernel_of(runtime).stores.committer.checkpoint()
        change(runtime)
        for binding in BINDINGS:
            for name in NAMES:
                stub = runtime.stub(f"{binding}/{name}")
                kept = runtime.run(stub.everything(name in SQL))
                model[binding, stub.id.toString()] = [name, *kept]
        if how != "closed":
            shutil.copytree(live, path)
    if how != "closed":
        shutil.rmtree(live)
    return model


def fill(runtime):
    """Give each object what its name says."""
    runtime.register(Box)
    runtime.register(Chest)
    kernel_of(runtime).stores.keep_note("migration", NOTE)
    for binding in BINDINGS:
        of = {name: runtime.stub(f"{binding}/{name}") for name in NAMES}
        runtime.run(of["kv"].put({f"k{n}": n for n in range(5)}))
        runtime.run(of["large"].put({f"k{n}": str(n) * 700 for n in range(20)}))
        runtime.run(of["sql"].insert("one", "two"))
        runtime.run(of["both"].put({"a": [1, "b"]}))
        runtime.run(of["both"].insert("three"))
        runtime.run(of["alarm"].set_alarm(LATER_MS))
        runtime.run(of["moved"].put({"a": 1}))


def change(runtime):
    """Change each object, and make one more."""
    for binding in BINDINGS:
        of = {name: runtime.stub(f"{binding}/{name}") for name in NAMES}
        runtime.run(of["kv"].put({"k1": "changed", "k9": 9}))
        runtime.run(of["kv"].delete("k0"))
        runtime.run(of["sql"].insert("four"))
        runtime.run(of["both"].put({"a": "changed"}))
        runtime.run(of["moved"].set_alarm(LATER_MS + 1_000))
        runtime.run(of["large"].put({"k0": "y" * 500}))
        runtime.run(of["late"].put({"z": 1}))
        runtime.run(of["late"].set_alarm(LATER_MS + 2_000))


@dataclass
class Found:
    """What opening a directory gave.

    Attributes:
        refusal: Why the directory was refused as a whole, None if it was not.
        contents: By binding and id: what the object has, or the error it gave.
        warned: The warnings.
        note: The note.
        scheduled: By binding and id: when an alarm is due, as the runtime knew before it looked
            into the objects.
    """

    refusal: StateDirectoryError | None = None
    contents: dict = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)
    note: object = None
    scheduled: dict = field(default_factory=dict)


def look(path, model, durability):
    """Open a directory and read every object; an error that is not dobook's passes through."""
    found = Found()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with Runtime(path, durability=durability) as runtime:
                _read(runtime, model, found)
        except StateDirectoryError as error:
            found.refusal = error
    found.warned = [str(warning.message) for warning in caught]
    return found


def _read(runtime, model, found):
    runtime.register(Box)
    runtime.register(Chest)
    found.note = kernel_of(runtime).stores.note("migration")
    found.scheduled = {
        (entry.namespace.binding, entry.id.toString()): entry.due_ms
        for entry in kernel_of(runtime).alarms.scheduled()
    }
    for (binding, identity), kept in model.items():
        namespace = runtime.namespace(binding)
        try:
            name = kernel_of(runtime).stores.directory.own.name((namespace.unique_key, identity))
            stub = namespace.get(namespace.idFromString(identity))
            rest = runtime.run(stub.everything(kept[2] != []))
            found.contents[binding, identity] = [name, *rest]
        except DobookError as error:
            found.contents[binding, identity] = error


THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def damages(data, *, end=20_480, always=()):
    """Yield (words, damaged bytes; None: the file is missing) for a file's bytes.

    Args:
        data: The file.
        end: The end of what matters; behind it is slack.
        always: Positions of bytes in which a bit is flipped in any case.
    """
    rng = random.Random(len(data))
    size, end = len(data), min(end, len(data))
    yield "missing", None
    yield "empty", b""
    cuts = [16, 511, 4_095, 4_096, size // 2, size - 1]
    if THOROUGH:
        cuts += [1, 45, 100, 512, 513, 4_097, size - 512, *rng.sample(range(1, end), 9)]
    for cut in sorted(set(cuts)):
        if 0 < cut < size:
            yield f"cut to {cut}", data[:cut]
    yield "foreign", b"not what it was\n" * 400
    sectors = [at for at in range(0, end, 512) if any(data[at : at + 512])]
    for at in sectors if THOROUGH else rng.sample(sectors, min(5, len(sectors))):
        yield f"zeroed at {at}", data[:at] + bytes(512) + data[at + 512 :]
    places = [at for at in range(end) if data[at]]
    drawn = rng.sample(places, min(300 if THOROUGH else 12, len(places)))
    for at in sorted({*always, *drawn, *(range(100) if THOROUGH else ())}):
        if at < size:
            flipped = bytearray(data)
            flipped[at] ^= 1 << rng.randrange(8)
            yield f"flipped at {at}", bytes(flipped)
