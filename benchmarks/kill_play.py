"""What the process plays that `benchmarks.kills` kills: classes, and random turns on their objects."""

import contextlib
import json
import os
import random

import dobook
from benchmarks.kill_model import FAR_MS, KEYS, RECOVERY, ROWS, SQL
from dobook.errors import PlatformError
from dobook.storage import durable_committer, journal, store

OBJECTS = (("SQL", "a"), ("SQL", "b"), ("SQL", "c"), ("KV", "a"), ("KV", "b"), ("KV", "c"))
CHAIN = ["first", "second", "third"]
ROW = "INSERT INTO log(turn) VALUES (?)"
TABLE = "CREATE TABLE IF NOT EXISTS log(turn)"


class Undo(Exception):
    """Ends a transaction whose writes must not stay."""


class Subject:
    """Writes a turn's number to its storage, in one turn of some kind."""

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.storage = ctx.storage

    async def turn(self, number, kind, size, extra):
        storage, value = self.storage, [number, "x" * size]
        every, one = dict.fromkeys(KEYS, value), KEYS[number % len(KEYS)]
        match kind:
            case "put":
                await storage.put(every)
            case "put one":
                await storage.put(one, value)
            case "delete":
                await storage.delete([one, KEYS[0]])
            case "set alarm":
                await storage.setAlarm(FAR_MS + number)
            case "set alarm soon":
                await storage.setAlarm(extra)
            case "delete alarm":
                await storage.deleteAlarm()
            case "transaction":
                await storage.transaction(lambda txn: self.write(txn, every, number))
            case "undone":
                with contextlib.suppress(Undo):
                    await storage.transaction(self.undone)
                await storage.put(one, value)
            case "everything":
                await storage.deleteAll()
                await self.write(storage, every, number)
            case "deleteAll":
                await storage.deleteAll()
            case "insert":
                self.insert(number)
            case "write all":
                await self.write_all(every, number)
            case "transactionSync":
                storage.transactionSync(lambda: self.write_now(one, value, number))
            case "transaction with SQL":
                await storage.transaction(lambda txn: self.write_both(txn, every, number))
            case "drop table":
                storage.sql.exec("DROP TABLE IF EXISTS log")
            case "bookmark":
                return await storage.getCurrentBookmark()
            case "restore" | "write, restore":
                if kind != "restore":
                    await self.write_all(every, number)
                await storage.onNextSessionRestoreBookmark(extra)
                self.ctx.abort("restore")

    def insert(self, number):
        self.storage.sql.exec(TABLE)
        self.storage.sql.exec(ROW, number)

    async def write(self, target, every, number):
        await target.put(every)
        await target.setAlarm(FAR_MS + number)

    async def write_all(self, every, number):
        await self.write(self.storage, every, number)
        self.storage.sql.exec(TABLE)
        self.storage.sql.exec("DELETE FROM log")
        for _ in range(3):
            self.storage.sql.exec(ROW, number)

    def write_now(self, one, value, number):
        self.storage.kv.put(one, value)
        self.insert(number)
        self.storage.kv.delete(KEYS[0])

    async def write_both(self, txn, every, number):
        self.insert(number)
        await txn.put(every)

    async def undone(self, txn):
        await txn.put(KEYS[0], "torn")
        await txn.setAlarm(FAR_MS - 1)
        raise Undo

    async def alarm(self):
        await self.storage.put("rung", [0, ""])

    async def look(self, *, sqlite):
        rows, table = dict(await self.storage.list()), None
        sql = self.storage.sql if sqlite else None
        if sql and sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'log'").toArray():
            table = [row.turn for row in sql.exec("SELECT turn FROM log ORDER BY rowid")]
        return [rows, table, await self.storage.getAlarm()]


class Link:
    """Counts its alarms, one each `every_ms`, and tells the next; or counts what it is told."""

    def __init__(self, ctx, env):
        self.storage = ctx.storage
        self.env = env

    async def start(self, every_ms):
        await self.storage.put("every_ms", every_ms)
        await self.storage.setAlarm(self.env.CLOCK.now_ms + every_ms)

    async def alarm(self):
        number = (await self.storage.get("done") or 0) + 1
        await self.hear(number, CHAIN[1:])
        await self.storage.put("done", number)
        await self.storage.setAlarm(self.env.CLOCK.now_ms + await self.storage.get("every_ms"))

    async def hear(self, number, tell):
        await self.storage.put("n", number)
        if tell:
            await self.env.CHAIN.getByName(tell[0]).hear(number, tell[1:])

    async def count(self):
        return await self.storage.get("n") or 0


def opened(path, durability):
    """Return a runtime with all classes."""
    runtime = dobook.Runtime(path, durability=durability)
    runtime.env.bind("CLOCK", runtime.clock)
    runtime.register(Link, "CHAIN", name="Chain")
    runtime.register(Subject, "SQL", name="Sql")
    runtime.register(Subject, "KV", name="Kv", sqlite=False)
    return runtime


class Player:
    """Plays random turns, in the process that is killed, and says so on standard output.

    Args:
        path: The state directory.
        durability: That of the runtime.
        seed: Of what is played.
        begun: Of each object the number of its last turn, and the bookmarks it has given.
    """

    def __init__(self, path, durability, seed, begun):
        rng = self.rng = random.Random(seed)
        self.numbers = [number for number, _ in begun]
        self.bookmarks = [list(bookmarks) for _, bookmarks in begun]
        # Often in the middle of going forward, or not before it is over.
        durable_committer.MAX_COMMITS_BEHIND = rng.choice([20, 200, 4_096])
        if rng.random() < 0.3:
            journal.CHECKPOINT_BYTES = 30_000  # checkpoints now and then
        if rng.random() < 0.2:
            store.WHOLE_LOAD_BYTES = 0  # rows are read one by one, as of large objects
        self.sql = rng.choice([0.05, 0.3, 0.9])  # how often an object uses SQL that can
        self.every_ms = rng.choice([1, 1, 100])
        self.runtime = opened(path, durability)
        self.first = self.runtime.namespace("CHAIN").getByName(CHAIN[0])

    def say(self, *words):
        os.write(1, json.dumps(words).encode() + b"\n")

    def play(self):
        """Play for ever."""
        rng, runtime = self.rng, self.runtime
        self.say("ready", runtime.clock.now_ms)
        runtime.run(self.first.start(self.every_ms))
        while True:
            self.turns(rng.sample(range(len(OBJECTS)), rng.randint(1, 4)))
            dice = rng.random()
            if dice < 0.1:
                # Up to half a minute, in which objects are idle, if the chain is slow.
                to_ms = runtime.clock.now_ms + rng.randint(1, 300) * self.every_ms
                self.say("advance", to_ms)
                runtime.advance_to(to_ms)
                self.say("advanced", to_ms, runtime.run(self.first.count()))
            elif dice < 0.35:
                binding, name = rng.choice(OBJECTS)
                with contextlib.suppress(PlatformError):  # it was not in memory
                    runtime.run(runtime.evict(f"{binding}/{name}"))
            elif dice < 0.4:
                runtime.crash("{}/{}".format(*rng.choice(OBJECTS)))
            elif dice < 0.42:
                runtime.register(type("Sql", (Subject,), {}), "SQL", name="Sql")

    def turns(self, indexes):
        """Have one turn of each of some objects under way at once."""
        calls = []
        for index in indexes:
            binding, name = OBJECTS[index]
            turn = self.draw(index, binding)
            self.say("do", index, self.runtime.clock.now_ms, *turn)
            calls.append((index, turn, self.runtime.stub(f"{binding}/{name}").turn(*turn)))
        for index, turn, call in calls:
            answer = None
            try:
                answer = self.runtime.run(call)
            except PlatformError as error:
                if "restore" not in turn[1] or str(error) != "restore":
                    self.say("failed", f"{turn}: {error}")
                    os._exit(1)
            if turn[1] == "bookmark":
                self.bookmarks[index] = [*self.bookmarks[index], answer][-3:]
            self.say("done", index, answer)

    def draw(self, index, binding):
        rng = self.rng
        kind, extra = rng.choice(ROWS), None
        if binding == "SQL" and rng.random() < self.sql:
            kind = rng.choice(SQL)
        elif binding == "SQL" and rng.random() < 0.2:
            kind = rng.choice(RECOVERY)
            if kind != "bookmark" and not self.bookmarks[index]:
                kind = "bookmark"
        if "restore" in kind:
            extra = rng.choice(self.bookmarks[index])
        elif kind == "set alarm soon":
            extra = self.runtime.clock.now_ms + rng.randint(1, 2_000)
        self.numbers[index] += 1
        # Small ones keep to the journal; large ones bring checkpoints.
        return self.numbers[index], kind, rng.choice([1, 1, 100, 100, 20_000]), extra
