"""Kills a process at random moments of a random workload, and looks at what it leaves.

    python -m benchmarks.kills --rounds 5000 --durability power --json results.jsonl

A child process has a runtime on a state directory and plays random turns on six objects of both
kinds of storage: several keys, one, or none of them at once, alarms, transactions that are kept or
undone, deletions of everything; SQL now and then, alone and with keys and the alarm; bookmarks, and
going back to them. Objects are evicted, crash, are idle, and get new code. In between time goes
forward, and three further objects count alarms, each telling the next, without waiting for the disk
at each of them. The child is killed with SIGKILL at a random moment, some while it opens.

This process keeps a model of its own (`kill_model`), of what the child has announced and what it has
acknowledged over a pipe. After most kills the directory is opened again, and every object must hold
all that was acknowledged, and of the turn after it all or nothing; the three that count must be as
they were at one and the same instant. Then the files are read with plain sqlite3: undamaged, and
the same rows. The next round goes on from there; after other kills it does so at once, from what the
kill has left. Prints a line of JSON.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dobook
from benchmarks.kill_model import Model, state_of
from benchmarks.kill_play import CHAIN, OBJECTS, Player, opened
from dobook.codec import deserialize
from dobook.runtime.access import kernel_of

LONGEST_ROUND_S = 0.06
ROUNDS_A_DIRECTORY = 200


def nursery():
    """Fork a child for each line of standard input: imports would take most of a round."""
    with dobook.Runtime():
        pass  # everything is imported before the first fork
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            try:
                Player(*json.loads(line)).play()
            finally:
                os._exit(1)
        os.write(1, b'["pid", %d]\n' % pid)
        _, status = os.waitpid(pid, 0)
        os.write(1, b'["over", %d]\n' % status)


class Rounds:
    """Kills children, and compares what they leave with the models.

    Args:
        durability: That of the runtime.
        folder: An empty folder for the state.
        seed: Of everything that chance decides here.
    """

    def __init__(self, durability, folder, seed):
        self.durability = durability
        self.folder = folder
        self.seed = seed
        self.rng = random.Random(f"{seed} {durability}")
        self.seen = dict.fromkeys(
            (
                "kills",
                "in_the_middle_of_work",
                "acknowledged_turns",
                "alarms_that_told_a_chain",
                "killed_while_time_went_forward",
                "objects_recovered_from_the_journal",
                "objects_compared",
            ),
            0,
        )
        self.begin(0)

    def begin(self, number):
        """Begin with a new state directory."""
        self.path = str(self.folder / f"state{number}")
        self.models = [Model() for _ in OBJECTS]
        self.numbers = [0] * len(OBJECTS)
        self.counted = 0

    def play(self, number, forks):
        """Play one round."""
        rng = self.rng
        if number and number % ROUNDS_A_DIRECTORY == 0:
            self.begin(number)
        begun = [
            (turn, list(model.bookmarks)[-3:])
            for turn, model in zip(self.numbers, self.models, strict=True)
        ]
        order = [self.path, self.durability, f"{self.seed} {number}", begun]
        forks.stdin.write(json.dumps(order).encode() + b"\n")
        forks.stdin.flush()
        opening = number % 10 == 9  # some are killed in the middle of opening
        patient = not opening and number % 4 == 0  # or a slow machine might never end a turn
        pid, ready = 0, False
        for line in forks.stdout:
            what, *words = json.loads(line)
            if what in ("pid", "ready"):  # a child may be ready before its number is told
                if what == "pid":
                    pid = words[0]
                else:
                    ready = True
                    self.seen["in_the_middle_of_work"] += 1
                    for model in self.models:
                        model.advance(words[0], surely=False)
                if (opening and what == "pid") or (pid and ready and not (opening or patient)):
                    time.sleep(rng.random() * (0.02 if opening else LONGEST_ROUND_S))
                    os.kill(pid, signal.SIGKILL)
            elif what == "over":
                assert words[0] == signal.SIGKILL, f"round {number}: it ended by itself"
                break
            else:
                self.hear(number, what, *words)
                if patient and pid and what == "done":
                    patient = False
                    time.sleep(rng.random() * LONGEST_ROUND_S)
                    os.kill(pid, signal.SIGKILL)
        for model in self.models:
            model.killed()
        self.seen["kills"] += 1
        if number % 3 != 1 or number % ROUNDS_A_DIRECTORY == ROUNDS_A_DIRECTORY - 1:
            self.compare(number)

    def hear(self, number, what, *words):
        """Take note of something that the child has said."""
        if what == "do":
            index, now_ms, turn, *rest = words
            self.numbers[index] = turn
            self.models[index].announce(now_ms, turn, *rest)
        elif what == "done":
            index, answer = words
            self.models[index].acknowledge(answer)
            self.seen["acknowledged_turns"] += 1
        elif what == "failed":
            raise AssertionError(f"round {number}: {words[0]}")
        else:
            for model in self.models:
                model.advance(words[0], surely=what == "advanced")
            if what == "advanced":
                self.counted = words[1]

    def compare(self, number):
        """Compare every object with its model, as a runtime reads it and as sqlite3 does."""
        files = []
        with opened(self.path, self.durability) as runtime:
            self.seen["objects_recovered_from_the_journal"] += kernel_of(runtime).stores.recovered
            chain = runtime.run(_counts(runtime))
            where = f"round {number}: {chain}"
            assert chain[0] >= self.counted, f"lost: {where}, {self.counted} were seen"
            assert chain[0] - 1 <= chain[2] <= chain[1] <= chain[0], f"{where}: never at once"
            self.seen["killed_while_time_went_forward"] += chain[0] > self.counted
            self.seen["alarms_that_told_a_chain"] += chain[0] - self.counted
            self.counted = chain[0]
            for (binding, name), model in zip(OBJECTS, self.models, strict=True):
                stub = runtime.namespace(binding).getByName(name)
                state = state_of(*runtime.run(stub.look(sqlite=binding == "SQL")))
                possible = list(model.states)
                assert model.see(state, runtime.clock.now_ms), (
                    f"lost or torn: round {number}, {binding}/{name}: {state}, not of {possible}; "
                    f"its last turns were {model.told}"
                )
                folder = {"SQL": "dobook-Sql", "KV": "dobook-Kv"}[binding]
                files.append((model, f"{self.path}/{folder}/{stub.id.toString()}.sqlite"))
            now_ms = runtime.clock.now_ms
        for model, file in files:
            state = _state_in(file)
            expected = model.states[0]
            assert model.see(state, now_ms), f"round {number}: {file} has {state}, not {expected}"
            self.seen["objects_compared"] += 1


async def _counts(runtime):
    """Return what the chain has counted, all at once: an alarm that is due may be about to run."""
    return await asyncio.gather(*(runtime.stub(f"CHAIN/{name}").count() for name in CHAIN))


def _state_in(file):
    """Return what a file holds, read without dobook's storage."""
    rows, table, alarm_ms = {}, None, None
    if not Path(file).exists():
        return state_of(rows, table, alarm_ms)
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        (check,) = db.execute("PRAGMA integrity_check").fetchone()
        assert check == "ok", f"torn: {file}: {check}"
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        if "_cf_KV" in tables:
            rows = {k: deserialize(v) for k, v in db.execute("SELECT key, value FROM _cf_KV")}
        if "log" in tables:
            table = [turn for (turn,) in db.execute("SELECT turn FROM log ORDER BY rowid")]
        if "_cf_METADATA" in tables:
            found = db.execute("SELECT value FROM _cf_METADATA WHERE key = 1").fetchone()
            alarm_ms = None if found is None or found[0] is None else found[0] // 1_000_000
    return state_of(rows, table, alarm_ms)


def kill_rounds(rounds, durability, folder, seed=0, seconds=None):
    """Run the rounds; returns what was seen, or raises AssertionError.

    Args:
        rounds: How often to kill.
        durability: That of the runtime.
        folder: An empty folder for the state.
        seed: Of everything that chance decides here.
        seconds: Begin no further round after so long.
    """
    begun = time.perf_counter()
    played = Rounds(durability, folder, seed)
    command = [sys.executable, "-m", "benchmarks.kills", "--nursery"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as forks:
        try:
            for number in range(rounds):
                if seconds is not None and time.perf_counter() - begun > seconds:
                    break
                played.play(number, forks)
        finally:
            forks.stdin.close()
    return {"durability": durability, **played.seen, "lost": 0, "torn": 0}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--durability", choices=("power", "process"), default="power")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, help="begin no further round after so long")
    parser.add_argument("--json", type=Path, help="add the line of results to this file too")
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
        line = json.dumps({**seen, "seconds": round(time.perf_counter() - begun, 1)})
        print(line)
        if options.json is not None:
            with options.json.open("a", encoding="utf-8") as results:
                results.write(line + "\n")


if __name__ == "__main__":
    main()
