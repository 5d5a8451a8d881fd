"""Long runs that nobody waits for in CI: random operations, memory, promises, crashes, failures.

    python -m benchmarks.soak model --operations 1000000      # evictions, crashes, restarts
    python -m benchmarks.soak memory --events 10000000        # does memory stay flat?
    python -m benchmarks.soak promises --runs 5000            # the engine's promises, explored
    python -m benchmarks.soak crashes --states 100000 --jobs 2    # what a power cut may leave
    python -m benchmarks.soak failures --jobs 2               # every call of the disk fails

Each prints a line of JSON at the end and exits with 1 if something is wrong.
"""

import argparse
import gc
import itertools
import json
import os
import random
import sys
import tempfile
import time
from contextlib import suppress

import dobook
from dobook.errors import PlatformError

KEYS = [f"key:{n}" for n in range(12)]
OBJECTS = 20
MISSING = "-"


class Store:
    """An object that does what it is told to its storage."""

    def __init__(self, ctx, env):
        self.storage, self.kv = ctx.storage, ctx.storage.kv
        self.kept = 0

    async def put(self, key, value):
        await self.storage.put(key, value)

    async def delete(self, key):
        await self.storage.delete(key)

    async def get(self, key):
        return await self.storage.get(key)

    async def rows(self):
        return dict(await self.storage.list(prefix="key:"))

    def put_now(self, entries):
        for key, value in entries.items():
            self.kv.put(key, value)

    async def transaction(self, entries, fails):
        async def body(txn):
            for key, value in entries.items():
                await txn.put(key, value)
            if fails:
                raise ValueError("no")

        with suppress(ValueError):
            await self.storage.transaction(body)

    def count(self, by):
        sql = self.storage.sql
        sql.exec("create table if not exists n (id integer primary key, n integer)")
        sql.exec("insert into n values (1, ?1) on conflict do update set n = n + ?1", by)
        return sql.exec("select n from n").one()["n"]

    async def ring(self, at_ms):
        await self.storage.setAlarm(at_ms)

    async def alarm(self):
        self.kv.put("rung", (self.kv.get("rung") or 0) + 1)


class Model:
    """What an object's rows may be: after a call that failed, more than one thing."""

    def __init__(self):
        self.states = [{}]
        self.counts = {0}

    def apply(self, entries, *, sure):
        """Note a write; one that is not sure may have happened or not, as a whole."""
        after = [_with(state, entries) for state in self.states]
        self.states = after if sure else _distinct([*self.states, *after])

    def add(self, by, *, sure):
        """Note an addition."""
        after = {n + by for n in self.counts}
        self.counts = after if sure else self.counts | after

    def seen(self, rows):
        """Note what the rows are; returns whether that can be."""
        found = [state for state in self.states if state == rows]
        self.states = found[:1] or [dict(rows)]
        return bool(found)

    def counted(self, n):
        """Note what the count is; returns whether that can be."""
        possible = n in self.counts
        self.counts = {n}
        return possible


def _with(state, entries):
    new = {**state, **entries}
    return {key: value for key, value in new.items() if value is not MISSING}


def _distinct(states):
    found = []
    for state in states:
        if state not in found:
            found.append(state)
    return found


class Soak:
    """Random operations on a few objects, checked against their models."""

    def __init__(self, operations, seed, path):
        self.operations = operations
        self.rng = random.Random(f"soak {seed}")
        self.path = path
        self.models = [Model() for _ in range(OBJECTS)]
        self.tally = dict.fromkeys(
            ("failed calls", "evictions", "crashes", "planned crashes", "restarts", "checks"), 0
        )
        self.wrong = []
        self.runtime = self.open()

    def open(self):
        """Open the runtime, again after a restart."""
        runtime = dobook.Runtime(self.path, durability="process", history=0)
        self.namespace = runtime.register(Store)
        return runtime

    def run(self):
        """Do it; returns what there is to report."""
        began = time.monotonic()
        for done in range(1, self.operations + 1):
            self.step()
            if done % max(self.operations // 20, 1) == 0:
                rate = done / (time.monotonic() - began)
                print(f"{done:,} operations, {rate:,.0f}/s", file=sys.stderr, flush=True)
            if len(self.wrong) > 5:
                break
        for number in range(OBJECTS):
            self.check(number)
        self.runtime.close()
        seconds = time.monotonic() - began
        return {"operations": done, "seconds": round(seconds, 1), **self.tally, "wrong": self.wrong}

    def step(self):
        """Do one random thing."""
        rng = self.rng
        number = int(rng.random() * OBJECTS)
        dice = rng.random()
        if dice < 0.002:
            self.tally["restarts"] += rng.random() < 0.1 and self.restart()
        elif dice < 0.012:
            self.tally["evictions"] += self.attempt(self.runtime.evict(self.stub(number)))
        elif dice < 0.022:
            self.runtime.crash(self.stub(number))
            self.tally["crashes"] += 1
        elif dice < 0.042:
            where = rng.choice(["before commit", "after commit", "1st write", "2nd await"])
            self.runtime.faults.crash(self.stub(number), where)
            self.tally["planned crashes"] += 1
        elif dice < 0.06:
            self.check(number)
        elif dice < 0.08:
            self.runtime.advance(int(rng.random() * 30_000))
        else:
            self.operate(number, rng.random())

    def operate(self, number, dice):
        """Write something, and note it in the model."""
        rng, model = self.rng, self.models[number]
        key, value = rng.choice(KEYS), rng.randrange(1000)
        stub = self.stub(number)
        if dice < 0.4:
            model.apply({key: value}, sure=self.attempt(stub.put(key, value)))
        elif dice < 0.5:
            model.apply({key: MISSING}, sure=self.attempt(stub.delete(key)))
        elif dice < 0.65:
            entries = {k: rng.randrange(1000) for k in rng.sample(KEYS, 3)}
            model.apply(entries, sure=self.attempt(stub.put_now(entries)))
        elif dice < 0.8:
            entries = {k: rng.randrange(1000) for k in rng.sample(KEYS, 2)}
            fails = rng.random() < 0.3
            sure = self.attempt(stub.transaction(entries, fails))
            model.apply({} if fails else entries, sure=sure)
        elif dice < 0.95:
            model.add(1, sure=self.attempt(stub.count(1)))
        else:
            self.attempt(stub.ring(self.runtime.clock.now_ms + rng.randrange(60_000)))

    def check(self, number):
        """Compare an object with its model."""
        self.tally["checks"] += 1
        model = self.models[number]
        self.runtime.faults.clear(self.stub(number))
        rows = self.runtime.run(self.stub(number).rows())
        if not model.seen(rows):
            self.wrong.append(f"object {number} has {rows}")
        count = self.runtime.run(self.stub(number).count(0))
        if not model.counted(count):
            self.wrong.append(f"object {number} counts {count}")

    def attempt(self, promise):
        """Return whether a call worked."""
        try:
            self.runtime.run(promise)
        except PlatformError:
            self.tally["failed calls"] += 1
            return False
        return True

    def restart(self):
        """Close the runtime and open it again, if it is on disk."""
        if self.path is None:
            return False
        self.runtime.close()
        self.runtime = self.open()
        return True

    def stub(self, number):
        """Return a stub."""
        return self.namespace.getByName(f"object {number}")


def soak_model(args):
    """Random operations against a model, in memory or in a state directory."""
    if args.memory:
        return Soak(args.operations, args.seed, None).run()
    with tempfile.TemporaryDirectory(dir=args.directory) as folder:
        return Soak(args.operations, args.seed, os.path.join(folder, "state")).run()  # noqa: PTH118


def rss_mb():
    """Return this process's memory in MiB."""
    with open("/proc/self/status") as lines:  # noqa: PTH123
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def soak_memory(args):
    """Events of all kinds with the trace on: memory at a tenth, and at the end."""
    began = time.monotonic()
    samples = []
    with dobook.Runtime(history=0) as runtime:
        runtime.tracing = True
        namespace = runtime.register(Store)
        rng = random.Random(f"memory {args.seed}")
        observers = runtime.observers
        for turn in itertools.count():
            names = [f"object {rng.randrange(OBJECTS)}" for _ in range(20)]
            runtime.run(_burst(namespace, names, turn, runtime.clock.now_ms))
            if turn % 50 == 0:
                runtime.advance(20_000)  # alarms run, idle objects are evicted
                runtime.crash(namespace.getByName(names[0]))
            if observers._seq >= args.events * (len(samples) + 1) / 10:  # noqa: SLF001
                gc.collect()
                samples.append(round(rss_mb(), 1))
                print(f"{observers._seq:,} events, {samples[-1]} MiB", file=sys.stderr, flush=True)  # noqa: SLF001
            if len(samples) == 10:
                break
        events = observers._seq  # noqa: SLF001
    grown = samples[-1] - samples[0]
    return {
        "events": events,
        "seconds": round(time.monotonic() - began, 1),
        "rss_mb": samples,
        "grown_mb": round(grown, 1),
        "wrong": [f"grew by {grown:.1f} MiB"] if grown > args.allowed else [],
    }


async def _burst(namespace, names, turn, now_ms):
    for name in names:
        stub = namespace.getByName(name)
        await stub.put(KEYS[turn % len(KEYS)], turn)
        await stub.get(KEYS[0])
        await stub.count(1)
    await namespace.getByName(names[0]).ring(now_ms + 5_000)


def soak_promises(args):
    """Explore the engine's promises at length."""
    from tests.explorer import promises

    began = time.monotonic()
    wrong, runs, distinct = [], 0, 0
    for promise in promises.PROMISES:
        for strategy in ("random", "pct", "exhaustive", "coverage"):
            report = promises.explore(
                promise, args.runs, strategy=strategy, seed=args.seed, progress=False
            )
            runs += report.runs
            distinct += report.distinct
            print(f"{strategy:10} {report.scenario}: {report.verdict}", file=sys.stderr, flush=True)
            if not report.ok:
                wrong.append(report.line)
    seconds = round(time.monotonic() - began, 1)
    return {"schedules": runs, "distinct": distinct, "seconds": seconds, "wrong": wrong}


def soak_crashes(args):
    """What a power cut or a kill may leave, state by state."""
    from benchmarks import crashes

    return crashes.soak_crashes(args)


def soak_failures(args):
    """Every error of every call of the disk, for every n."""
    from benchmarks import crashes

    return crashes.soak_failures(args)


SOAKS = {
    "model": soak_model,
    "memory": soak_memory,
    "promises": soak_promises,
    "crashes": soak_crashes,
    "failures": soak_failures,
}


def main():
    """Run one of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=SOAKS)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--states", type=int, default=100_000, help="crashes: how many")
    parser.add_argument("--jobs", type=int, default=1, help="crashes, failures: processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", action="store_true", help="model: no state directory")
    parser.add_argument("--directory", help="model: where the state directory is made")
    parser.add_argument("--allowed", type=float, default=8, help="memory: MiB it may grow")
    args = parser.parse_args()
    found = {"soak": args.what, **SOAKS[args.what](args)}
    print(json.dumps(found))
    return int(bool(found["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
