"""One state directory for both: what the real engine writes dobook opens, and the other way round.

Source: cloudflare/workerd src/workerd/server/server.c++ (local disk storage of durable objects),
cloudflare/workers-sdk packages/miniflare/src/plugins/do
"""

import contextlib
import random
import sqlite3
import time

import pytest

from dobook import Runtime
from tests.conformance.values import decode, encode

from .engine import KEYS, engine, normal, random_value

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
HOUR_MS = 3_600_000


class Box:
    """Does what the class of the same name in `engine.mjs` does."""

    def __init__(self, ctx, env):
        self.storage = ctx.storage

    async def run(self, ops):
        return [await self.one(op, *args) for op, *args in ops]

    async def one(self, op, *args):
        if op == "put":
            await self.storage.put(args[0], decode(args[1]))
        elif op == "delete":
            return await self.storage.delete(args[0])
        elif op == "list":
            return [[key, encode(value)] for key, value in (await self.storage.list()).items()]
        elif op == "sql":
            rows = self.storage.sql.exec(args[0], *map(decode, args[1:])).raw()
            return [[encode(value) for value in row] for row in rows]
        elif op == "setAlarm":
            await self.storage.setAlarm(args[0])
        else:
            return await self.storage.getAlarm()

    async def alarm(self):
        await self.storage.put("ran", True)  # noqa: FBT003


def dobook(calls, path, **options):
    """Do what `engine` does, with dobook."""
    with Runtime(path, worker="exchange", **options) as runtime:
        for kind in ("SqliteBox", "KvBox"):
            runtime.register(Box, name=kind, sqlite=kind == "SqliteBox")
        return [
            runtime.run(runtime.namespace(call["class"]).getByName(call["name"]).run(call["ops"]))
            for call in calls
        ]


def call(kind, name, *ops):
    return {"class": kind, "name": name, "ops": list(ops)}


def entries(values):
    return [[key, values[key]] for key in sorted(values, key=lambda k: k.encode())]


def test_they_write_and_read_in_turns_and_agree_on_every_value_and_row(tmp_path):
    rng = random.Random(20_261_126)
    model = {(kind, name): {} for kind in ("SqliteBox", "KvBox") for name in ("a", "é b")}
    table = []
    writers = [engine, dobook, engine, dobook]
    for number, writer in enumerate(writers):
        calls = []
        for (kind, name), rows in model.items():
            ops = []
            for _ in range(60):
                key = rng.choice(KEYS) + rng.choice(["", "x", "y"])
                if key in rows and rng.random() < 0.3:
                    ops.append(["delete", key])
                    del rows[key]
                else:
                    rows[key] = random_value(rng)
                    ops.append(["put", key, rows[key]])
            calls.append(call(kind, name, *ops))
        sql = [["sql", "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, i INT, r REAL, x, b)"]]
        for i in range(number * 10, number * 10 + 10):
            row = [i, rng.randint(-(2**53) + 1, 2**53 - 1), rng.random(), f"text {i} é"]
            row.append({"$bytes": "AAEC/w=="})
            table.append(row)
            sql.append(["sql", f"INSERT INTO t VALUES ({row[0]}, {row[1]}, ?, ?, ?)", *row[2:]])
        sql.append(["sql", f"UPDATE t SET x = 'changed' WHERE id = {number * 10}"])
        table[-10][3] = "changed"
        writer([*calls, call("SqliteBox", "a", *sql)], persist=tmp_path) if writer is engine else (
            dobook([*calls, call("SqliteBox", "a", *sql)], tmp_path)
        )
        look = [call(kind, name, ["list"]) for kind, name in model]
        look.append(call("SqliteBox", "a", ["sql", "SELECT * FROM t ORDER BY id"]))
        readers = [dobook(look, tmp_path), engine(look, persist=tmp_path)]
        for results in readers:
            *lists, ((rows),) = results
            for (found,), values in zip(lists, model.values(), strict=True):
                assert normal(found) == normal(entries(values))
            assert normal(rows) == normal(table)


def test_the_same_value_is_the_same_bytes(tmp_path):
    rng = random.Random(4)  # sets of one: Python does not keep the order of more
    puts = [["put", f"{n:03}", random_value(rng, largest_set=1)] for n in range(300)]
    for writer, folder in ((engine, "theirs"), (dobook, "ours")):
        path = tmp_path / folder
        calls = [call("SqliteBox", "a", *puts)]
        engine(calls, persist=path) if writer is engine else dobook(calls, path)
    theirs, ours = (stored(tmp_path / folder) for folder in ("theirs", "ours"))
    assert [key for key in theirs if theirs[key] != ours[key]] == []
    assert len(theirs) == 300


def stored(path):
    (file,) = (path / "exchange-SqliteBox").glob(f"{'?' * 64}.sqlite")
    with contextlib.closing(sqlite3.connect(file)) as db:
        return dict(db.execute("SELECT key, value FROM _cf_KV"))


def test_values_that_python_has_no_type_for_are_read_as_the_nearest(tmp_path):
    puts = [
        ["put", "self", {"$self": {"a": 1}}],
        ["put", "twice", {"$twice": [1]}],
        ["put", "words", {"$view": ["Uint16Array", "AAEC/w=="]}],
        ["put", "doubles", {"$view": ["Float64Array", "AAAAAAAA8D8="]}],
    ]
    engine([call("SqliteBox", "a", *puts)], persist=tmp_path)
    ((found,),) = dobook([call("SqliteBox", "a", ["list"])], tmp_path)
    assert dict(found) == {
        "self": {"a": 1, "self": {"$cycle": 0}},
        "twice": [[1], [1]],
        "words": {"$bytes": "AAEC/w=="},
        "doubles": {"$bytes": "AAAAAAAA8D8="},
    }


@pytest.mark.parametrize("kind", ["SqliteBox", "KvBox"])
def test_an_alarm_that_the_engine_set_runs_here_on_virtual_time(kind, tmp_path):
    now_ms = int(time.time() * 1000)
    due_ms = now_ms + HOUR_MS
    engine([call(kind, "waker", ["setAlarm", due_ms])], persist=tmp_path)
    with Runtime(tmp_path, worker="exchange", start=now_ms) as runtime:
        namespace = runtime.register(Box, name=kind, sqlite=kind == "SqliteBox")
        (alarm,) = runtime.scheduled_alarms()
        assert (alarm.object, alarm.due_ms) == (f"{namespace.binding}/waker", due_ms)
        assert runtime.run(namespace.getByName("waker").run([["getAlarm"]])) == [due_ms]
        assert [run.outcome for run in runtime.advance_to(due_ms)] == ["ok"]
    assert engine([call(kind, "waker", ["getAlarm"], ["list"])], persist=tmp_path) == [
        [None, [["ran", True]]]
    ]


@pytest.mark.parametrize("kind", ["SqliteBox", "KvBox"])
def test_an_alarm_that_was_set_here_runs_on_the_engine(kind, tmp_path):
    due_ms = int(time.time() * 1000) + 1_000
    dobook([call(kind, "waker", ["setAlarm", due_ms])], tmp_path, start=due_ms - HOUR_MS)
    assert engine([call(kind, "waker", ["until", "ran"])], persist=tmp_path) == [[True]]


def test_files_that_a_killed_engine_left_open_are_whole(tmp_path):
    calls = [call("SqliteBox", "a", ["put", "a", 1], ["sql", "CREATE TABLE t(x)"])]
    due_ms = int(time.time() * 1000) + HOUR_MS
    calls.append(call("KvBox", "b", ["put", "b", 2], ["setAlarm", due_ms]))
    engine(calls, persist=tmp_path, kill=True)
    assert list(tmp_path.glob("*/*-wal"))
    look = [call("SqliteBox", "a", ["list"], ["sql", "SELECT count(*) FROM t"])]
    look.append(call("KvBox", "b", ["list"], ["getAlarm"]))
    assert dobook(look, tmp_path, start=due_ms - HOUR_MS) == [
        [[["a", 1]], [[0]]],
        [[["b", 2]], due_ms],
    ]


@pytest.mark.parametrize("below", ["", "v3", "v3/do"])
def test_the_directory_that_wrangler_persists_to_opens_at_any_level(below, tmp_path):
    engine([call("SqliteBox", "a", ["put", "a", 1])], root=tmp_path / "v3")
    assert dobook([call("SqliteBox", "a", ["list"], ["put", "b", 2])], tmp_path / below) == [
        [[["a", 1]], None]
    ]
    assert engine([call("SqliteBox", "a", ["list"])], root=tmp_path / "v3") == [
        [[["a", 1], ["b", 2]]]
    ]


def test_another_workers_name_is_pointed_out(tmp_path):
    dobook([call("SqliteBox", "a", ["put", "a", 1])], tmp_path)
    with Runtime(tmp_path) as runtime, pytest.warns(UserWarning, match="worker='exchange'"):
        runtime.register(Box, name="SqliteBox")
