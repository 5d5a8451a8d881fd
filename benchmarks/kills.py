"""Kills a process at random moments of a random workload, and looks at what it leaves.

    python -m benchmarks.kills --rounds 1000 --durability power

A child process has a runtime on a state directory and plays random turns on six objects of both
kinds of storage: turns that write several keys, SQL rows and the alarm together, transactions,
deletions, eviction and other objects' calls. What a turn writes carries its number, everywhere the
same, so that a turn that is torn can be seen. Each answered turn is reported over a pipe. In between
time goes forward, and three further objects count alarms, each telling the next, without waiting
for the disk at each of them. The child is killed with SIGKILL at a random moment, the directory is
opened again, and every object must have all of its last acknowledged turn, or all of the one after
it; and the three must be as they were at one and the same instant. The next round goes on from
there. Prints a line of JSON.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dobook
from dobook.errors import PlatformError
from dobook.storage import journaled

KEYS = tuple(f"k{n}" for n in range(5))
OBJECTS = (("SQL", "a"), ("SQL", "b"), ("SQL", "c"), ("KV", "a"), ("KV", "b"), ("KV", "c"))
CHAIN = ["first", "second", "third"]
FAR_MS = 4_102_444_800_000
LONGEST_ROUND_S = 0.25
ROW = "INSERT INTO log(turn) VALUES (?)"


class Subject:
    """Writes a turn's number to several places, all at once."""

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.storage = ctx.storage
        self.env = env

    async def turn(self, number, kind, size, *, sqlite):
        if kind == "transaction":
            await self.storage.transaction(lambda txn: self.write(txn, number, size, sqlite=sqlite))
        elif kind == "undone":
            try:
                await self.storage.transaction(self.undone)
            except ValueError:
                await self.write(self.storage, number, size, sqlite=sqlite)
        elif kind == "everything":
            await self.storage.deleteAll()
            await self.write(self.storage, number, size, sqlite=sqlite)
        else:
            await self.write(self.storage, number, size, sqlite=sqlite)
        return number

    async def write(self, target, number, size, *, sqlite):
        await target.put({key: [number, "x" * size] for key in KEYS})
        await target.setAlarm(FAR_MS + number)
        if sqlite:
            self.storage.sql.exec("CREATE TABLE IF NOT EXISTS log(turn)")
            self.storage.sql.exec("DELETE FROM log")
            for _ in range(3):
                self.storage.sql.exec(ROW, number)

    async def undone(self, txn):
        await txn.put(KEYS[0], "torn")
        await txn.setAlarm(FAR_MS - 1)
        raise ValueError("undo")

    async def alarm(self):
        pass

    async def look(self, *, sqlite):
        rows = await self.storage.list()
        numbers = [value[0] for value in rows.values()]
        alarm_ms = await self.storage.getAlarm()
        if alarm_ms is not None:
            numbers.append(alarm_ms - FAR_MS)
        if (
            sqlite
            and self.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'log'").toArray()
        ):
            numbers += [row.turn for row in self.storage.sql.exec("SELECT turn FROM log")]
        return numbers


class Link:
    """Counts its alarms, one each ms, and tells the next in a chain; or counts what it is told."""

    def __init__(self, ctx, env):
        self.storage = ctx.storage
        self.env = env

    async def start(self):
        await self.storage.setAlarm(self.env.CLOCK.now_ms + 1)

    async def alarm(self):
        number = (await self.storage.get("done") or 0) + 1
        await self.hear(number, CHAIN[1:])
        await self.storage.put("done", number)
        await self.storage.setAlarm(self.env.CLOCK.now_ms + 1)

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


def child(path, durability, seed, first):
    """Play random turns for ever; report each answer as `object number` on standard output."""
    rng = random.Random(seed)
    numbers = json.loads(first)
    # Often in the middle of going forward, or not before it is over.
    journaled.MAX_COMMITS_BEHIND = rng.choice([20, 200, 4_096])
    with opened(path, durability) as runtime:
        first = runtime.namespace("CHAIN").getByName(CHAIN[0])
        runtime.run(first.start())
        os.write(1, b"ready\n")
        while True:
            calls = []
            for index in rng.sample(range(len(OBJECTS)), rng.randint(1, 4)):
                binding, name = OBJECTS[index]
                numbers[index] += 1
                kind = rng.choice(
                    ["plain", "plain", "plain", "transaction", "undone", "everything"]
                )
                # Small ones keep to the journal; large ones bring checkpoints.
                size = rng.choice([1, 1, 100, 100, 20_000])
                stub = runtime.namespace(binding).getByName(name)
                call = stub.turn(numbers[index], kind, size, sqlite=binding == "SQL")
                calls.append((index, numbers[index], call))
            for index, number, call in calls:
                runtime.run(call)
                os.write(1, b"%d %d\n" % (index, number))
            if rng.random() < 0.2:
                runtime.advance(rng.randint(1, 500))
                os.write(1, b"counted %d\n" % runtime.run(first.count()))
            elif rng.random() < 0.05:
                for binding, name in OBJECTS:
                    with contextlib.suppress(PlatformError):  # it was not in memory
                        runtime.run(runtime.evict(f"{binding}/{name}"))


def nursery():
    """Fork a child for each line of standard input: imports would take most of a round."""
    with dobook.Runtime():
        pass  # everything is imported before the first fork
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            child(*json.loads(line))
            os._exit(1)
        os.write(1, b"pid %d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(1, b"over %d\n" % status)


def kill_rounds(rounds, durability, folder, seed=0, seconds=None):
    """Run the rounds; returns what was seen, or raises AssertionError.

    Args:
        rounds: How often to kill.
        durability: That of the runtime.
        folder: An empty folder for the state.
        seed: Of everything that chance decides here.
        seconds: Begin no further round after so long.
    """
    begun, kills = time.perf_counter(), 0
    rng = random.Random(f"{seed} {durability}")
    state, numbers = str(folder / "state"), [0] * len(OBJECTS)
    acknowledged_turns, after_ready, recovered = 0, 0, 0
    counted, ahead = 0, 0
    command = [sys.executable, "-m", "benchmarks.kills", "--nursery"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as forks:
        assert forks.stdin is not None
        assert forks.stdout is not None
        for number in range(rounds):
            if seconds is not None and time.perf_counter() - begun > seconds:
                break
            kills += 1
            order = [state, durability, f"{seed} {number}", json.dumps(numbers)]
            forks.stdin.write(json.dumps(order).encode() + b"\n")
            forks.stdin.flush()
            acknowledged = list(numbers)
            pid, ready, wait_s = 0, False, rng.random() * LONGEST_ROUND_S
            for line in forks.stdout:
                words = line.split()
                if words[0] == b"pid":
                    pid = int(words[1])
                    if number % 10 == 9:  # some in the middle of opening
                        time.sleep(rng.random() * 0.02)
                        os.kill(pid, signal.SIGKILL)
                elif words[0] == b"ready":
                    ready = True
                    if number % 10 != 9:
                        time.sleep(wait_s)
                        os.kill(pid, signal.SIGKILL)
                elif words[0] == b"over":
                    assert int(words[1]) == signal.SIGKILL, f"round {number}: it ended by itself"
                    break
                elif words[0] == b"counted":
                    counted = int(words[1])
                else:
                    index, turn = map(int, words)
                    acknowledged_turns += turn - acknowledged[index]
                    acknowledged[index] = turn
            after_ready += ready
            with opened(state, durability) as runtime:
                recovered += runtime.stores.recovered
                chain = [runtime.run(runtime.stub(f"CHAIN/{name}").count()) for name in CHAIN]
                assert chain[0] >= counted, f"round {number}: {chain} lost, {counted} were seen"
                assert chain[0] - 1 <= chain[2] <= chain[1] <= chain[0], (
                    f"round {number}: {chain} were not so at any instant"
                )
                ahead += chain[0] > counted
                counted = chain[0]
                for index, (binding, name) in enumerate(OBJECTS):
                    sqlite = binding == "SQL"
                    stub = runtime.namespace(binding).getByName(name)
                    found = runtime.run(stub.look(sqlite=sqlite))
                    where = f"round {number}, {binding}/{name}: {found}, {acknowledged[index]}"
                    full = len(KEYS) + 1 + (3 if sqlite else 0)
                    assert len(found) in (0, full), f"torn: {where}"
                    assert len(set(found)) <= 1, f"torn: {where}"
                    stored = found[0] if found else 0
                    assert acknowledged[index] <= stored <= acknowledged[index] + 1, (
                        f"lost: {where}"
                    )
                    numbers[index] = stored
        forks.stdin.close()
    return {
        "kills": kills,
        "durability": durability,
        "in_the_middle_of_work": after_ready,
        "acknowledged_turns": acknowledged_turns,
        "alarms_that_told_a_chain": counted,
        "killed_while_time_went_forward": ahead,
        "objects_recovered_from_the_journal": recovered,
        "lost": 0,
        "torn": 0,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--durability", choices=("power", "process"), default="power")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, help="begin no further round after so long")
    parser.add_argument("--nursery", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.nursery:
        nursery()
        return
    with tempfile.TemporaryDirectory(prefix="dobook-kills-") as folder:
        begun = time.perf_counter()
        seen = kill_rounds(
            options.rounds, options.durability, Path(folder), options.seed, options.seconds
        )
        print(json.dumps({**seen, "seconds": round(time.perf_counter() - begun, 1)}))


if __name__ == "__main__":
    main()
