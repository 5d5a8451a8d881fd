"""Promise: everything that tells time or chance to code of a runtime follows its clock and its seed,
and nothing outside of it does. The table of `docs/differences.md` has what is measured here.

`DOBOOK_WRITE_DOCS=1 pytest tests/behaviour/test_time_table.py` writes it.

Source: the platform has one clock, developers.cloudflare.com/workers/reference/security-model/
"""

# ruff: noqa: DTZ003, DTZ005, DTZ002, DTZ011 - what users write

import asyncio
import calendar
import datetime
import os
import random
import secrets
import tempfile
import threading
import time
import uuid
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from js import Date, Math, crypto, performance

import dobook
from dobook.runtime.access import kernel_of

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"
BEGIN, END = "<!-- who tells: written by a test -->\n", "<!-- end -->\n"
START = datetime.datetime(2040, 5, 6, tzinfo=datetime.UTC)
RUNTIMES, REAL, SEEDS, NONE = "the runtime's", "real", "the seed's", "n/a"
COLUMNS = ("object", "thread", "own thread", "outside", "real time")


def utcnow():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return datetime.datetime.utcnow().replace(tzinfo=datetime.UTC).timestamp()


def day():
    """Return an instant of today, which is the first day of the runtime's or not, in any zone."""
    days = abs((datetime.date.today() - START.date()).days)
    return START.timestamp() if days <= 1 else 0


def clock_gettime(name, function="clock_gettime"):
    """Read a clock; Windows has no such function, and nothing to tell apart there."""
    clock = getattr(time, name, None)
    return time.time() if clock is None else getattr(time, function)(clock)


def written():
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        file.touch()
        return file.stat().st_mtime


# Each row: what it is called, whether it is a time, and what it consists of.
TIMES = {
    "`time.time`, `time_ns`": [lambda: time.time(), lambda: time.time_ns() / 1e9],
    "`time.monotonic`, `perf_counter`, `process_time`, `thread_time`, with `_ns` too": [
        lambda: time.monotonic(),
        lambda: time.monotonic_ns() / 1e9,
        lambda: time.perf_counter(),
        lambda: time.perf_counter_ns() / 1e9,
        lambda: time.process_time(),
        lambda: time.process_time_ns() / 1e9,
    ],
    "`time.clock_gettime`, `clock_gettime_ns`": [
        lambda: clock_gettime("CLOCK_REALTIME"),
        lambda: clock_gettime("CLOCK_MONOTONIC"),
    ],
    "`time.gmtime`, `localtime`, `ctime`, `asctime`, `strftime` of now": [
        lambda: calendar.timegm(time.gmtime()),
        lambda: time.mktime(time.localtime()),
        lambda: time.mktime(time.strptime(time.ctime())),
        lambda: time.mktime(time.strptime(time.asctime())),
        lambda: time.mktime(time.strptime(time.strftime("%Y%m%d%H%M%S"), "%Y%m%d%H%M%S")),
    ],
    "`datetime.now`, `utcnow`, `today`, `date.today`": [
        lambda: datetime.datetime.now().timestamp(),
        lambda: datetime.datetime.now(datetime.UTC).timestamp(),
        utcnow,
        lambda: datetime.datetime.today().timestamp(),
        day,
    ],
    "`pandas.Timestamp.now`, `Timestamp('now')`, `to_datetime('now')`": [
        lambda: pd.Timestamp.now("UTC").timestamp(),
        lambda: pd.Timestamp("now", tz="UTC").timestamp(),
        lambda: pd.to_datetime("now", utc=True).timestamp(),
    ],
    "`Date.now`, `new Date`, `performance.now` of `js`": [
        lambda: Date.now() / 1000,
        lambda: Date.new().getTime() / 1000,
        lambda: performance.now() / 1000,
    ],
    "`numpy.datetime64('now')`; `dobook check` finds it": [
        lambda: float(np.datetime64("now").astype("int64")),
    ],
    "Times of files": [written],
}
CHANCES = {
    "`random`: its functions, `Random()`, `SystemRandom()`": [
        lambda: random.random(),
        lambda: random.randint(0, 2**62),
        lambda: random.gauss(0, 1),
        lambda: random.Random().random(),
        lambda: random.SystemRandom().random(),
    ],
    "`secrets`, `os.urandom`": [lambda: secrets.token_hex(8), lambda: os.urandom(8)],
    "`uuid1`, `uuid4`": [lambda: uuid.uuid1(), lambda: uuid.uuid4()],
    "`numpy.random`: its functions, `default_rng()`": [
        lambda: np.random.random(),
        lambda: np.random.randint(2**31),
        lambda: np.random.default_rng().random(),
    ],
    "`Math.random`, `crypto.randomUUID` of `js`": [Math.random, crypto.randomUUID],
}
SQL_TIMES = [
    "strftime('%s', CURRENT_TIMESTAMP)", "strftime('%s')", "strftime('%s', 'now')",
    "strftime('%s', CURRENT_DATE) + 1", "strftime('%s', datetime())",
    "round((julianday('now') - 2440587.5) * 86400)",
]  # fmt: skip
SQL_CHANCES = ["random()", "hex(randomblob(8))"]
SQL_ROWS = {
    "SQL: `CURRENT_TIMESTAMP`, `date('now')`, `unixepoch()` and their kind; outside: `%sql`": True,
    "SQL: `random()`, `randomblob()`; outside: `%sql`": False,
}


def answers(rows):
    return [[repr(ask()) if rows is CHANCES else ask() for ask in asks] for asks in rows.values()]


def in_own_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


class Asks:
    def __init__(self, ctx, env):
        self.sql = ctx.storage.sql

    async def ask(self, column):
        def both():
            return [answers(TIMES), answers(CHANCES)]

        sql = [[self.one(q) for q in SQL_TIMES], [str(self.one(q)) for q in SQL_CHANCES]]
        if column == "thread":
            return [*await asyncio.to_thread(both), None]
        if column == "own thread":
            return [*in_own_thread(both), None]
        return [*both(), sql]

    def one(self, expression):
        return next(iter(self.sql.exec(f"SELECT {expression}").raw()))[0]


def ask(column):
    """Return times, chances and SQL's, as they are seen in a place."""
    with dobook.Runtime(start=START, seed=1) as runtime:
        stub = runtime.register(Asks).getByName("a")
        if column == "outside":
            runtime.run(stub.ask("object"))
            from dobook.notebook.inspector.sql_reader import Reader
            from dobook.storage.sql.storage import SqlStorage

            sql = SqlStorage(Reader(kernel_of(runtime).actor_of(stub).store))
            one = Asks.__dict__["one"]
            reader = type("R", (), {"sql": sql})()
            seen = [[one(reader, q) for q in SQL_TIMES], [str(one(reader, q)) for q in SQL_CHANCES]]
            return [answers(TIMES), answers(CHANCES), seen]
        if column == "real time":
            with runtime.start_real_time():
                return runtime.run(stub.ask(column))
        return runtime.run(stub.ask(column))


def of_time(values):
    kinds = {RUNTIMES if 0 <= float(value) - START.timestamp() < 60 else REAL for value in values}
    assert len(kinds) == 1, values
    return kinds.pop()


def of_chance(first, second):
    kinds = {SEEDS if a == b else REAL for a, b in zip(first, second, strict=True)}
    assert len(kinds) == 1, (first, second)
    return kinds.pop()


def measured_sleep():
    """Return in which of the places `asyncio.sleep` waits for the runtime's clock."""
    with dobook.Runtime(start=START) as runtime:

        class Sleeps:
            def __init__(self, ctx, env): ...

            async def inside(self):
                await asyncio.sleep(3600)

            async def thread(self):
                await asyncio.to_thread(asyncio.run, asyncio.sleep(0.001))

        stub = runtime.register(Sleeps).getByName("a")

        def moved(go):
            before = runtime.clock.now_ms
            go()
            return RUNTIMES if runtime.clock.now_ms != before else REAL

        return [
            moved(lambda: runtime.run(stub.inside())),
            moved(lambda: runtime.run(stub.thread())),
            moved(lambda: in_own_thread(lambda: asyncio.run(asyncio.sleep(0.001)))),
            moved(lambda: asyncio.run(asyncio.sleep(0.001))),
            REAL,
        ]


def measured():
    rows = [
        ("`asyncio.sleep`; in a cell `await runtime.sleep(...)` is the runtime's", measured_sleep())
    ]
    seen = {column: (ask(column), ask(column)) for column in COLUMNS}
    for number, name in enumerate(TIMES):
        rows.append((name, [of_time(seen[c][0][0][number]) for c in COLUMNS]))
    sql_times, sql_chances = [], []
    for column in COLUMNS:
        first, second = seen[column][0][2], seen[column][1][2]
        sql_times.append(NONE if first is None else of_time(first[0]))
        sql_chances.append(NONE if first is None else of_chance(first[1], second[1]))
    (time_name, chance_name) = SQL_ROWS
    rows.append((time_name, sql_times))
    for number, name in enumerate(CHANCES):
        chances = [of_chance(seen[c][0][1][number], seen[c][1][1][number]) for c in COLUMNS]
        rows.append((name, chances))
    rows.append((chance_name, sql_chances))
    return rows


def table(rows):
    head = (
        "| | in an object | in a thread of `asyncio.to_thread` | in a `threading.Thread` | "
        "in a cell or script | in an object, real time |\n| --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "".join(f"| {name} | {' | '.join(cells)} |\n" for name, cells in rows)


@pytest.mark.slow
def test_the_page_says_who_tells_which_time_and_chance():
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    found, after = rest.split(END)
    expected = table(measured())
    if os.environ.get("DOBOOK_WRITE_DOCS"):
        PAGE.write_text(before + BEGIN + expected + END + after, "utf-8")
    assert found == expected
