"""Promise: SQL tells the time of `Date.now()`, the runtime's, and draws from the runtime's seed; all
else about SQL's functions is SQLite's own.

Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/,
sqlite.org/lang_datefunc.html
"""

import asyncio
import datetime as dt
import itertools
import sqlite3

import pytest

import dobook
from dobook.errors import PlatformError
from dobook.runtime.access import kernel_of

START = "2026-03-29T01:02:03.456"
TEXT = "2026-03-29 01:02:03.456"
VERSION = sqlite3.sqlite_version_info
# SQLite before 3.46 does not know that `now` is in UTC.
NOW = TEXT + ("Z" if VERSION >= (3, 46) else "")

FUNCTIONS = ["date", "time", "datetime", "julianday"]
if VERSION >= (3, 38):
    FUNCTIONS.append("unixepoch")
FORMAT = "%d %f %H %j %J %m %M %s %S %w %W %Y %%"


class Sql:
    def __init__(self, ctx, env):
        self.sql = ctx.storage.sql

    async def ask(self, query, *bindings):
        return [list(row) for row in self.sql.exec(query, *bindings).raw()]

    async def one(self, query, *bindings):
        return next(iter(self.sql.exec(query, *bindings).raw()))[0]

    async def outcomes(self, queries):
        found = []
        for query, bindings in queries:
            try:
                found.append([list(row) for row in self.sql.exec(query, *bindings).raw()])
            except PlatformError as error:
                found.append(str(error))
        return found

    async def later(self, ms, query):
        await asyncio.sleep(ms / 1000)
        return await self.one(query)


@pytest.fixture
def runtime(state_path):
    with dobook.Runtime(state_path, start=START, seed=1) as made:
        yield made


@pytest.fixture
def sql(runtime):
    return runtime.register(Sql).getByName("a")


def outcomes(sql, queries):
    return sql.outcomes([[query, list(bindings)] for query, bindings in queries])


def real(queries):
    """Return what SQLite answers by itself."""
    db = sqlite3.connect(":memory:")
    try:
        found = []
        for query, bindings in queries:
            try:
                found.append([list(row) for row in db.execute(query, bindings).fetchall()])
            except sqlite3.Error as error:
                found.append(f"{error}: {error.sqlite_errorname}")
        return found
    finally:
        db.close()


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SELECT CURRENT_TIMESTAMP", "2026-03-29 01:02:03"),
        ("SELECT CURRENT_DATE", "2026-03-29"),
        ("SELECT CURRENT_TIME", "01:02:03"),
        ("SELECT date()", "2026-03-29"),
        ("SELECT date('now')", "2026-03-29"),
        ("SELECT date('NoW', '+1 month')", "2026-04-29"),
        ("SELECT date(x'6e6f77')", "2026-03-29"),
        ("SELECT datetime()", "2026-03-29 01:02:03"),
        ("SELECT time('now')", "01:02:03"),
        ("SELECT strftime('%Y-%m-%d %H:%M:%f')", "2026-03-29 01:02:03.456"),
        ("SELECT strftime('%s', 'now')", "1774746123"),
        ("SELECT round(julianday(), 6)", 2461128.543096),
        ("SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)", 1774746123456),
        ("SELECT datetime(julianday('now'))", "2026-03-29 01:02:03"),
    ],
)
def test_sql_tells_the_runtimes_time(runtime, sql, query, value):
    assert runtime.run(sql.one(query)) == value


@pytest.mark.skipif(VERSION < (3, 42), reason="SQLite has it since 3.42")
def test_fractions_of_a_second(runtime, sql):
    assert runtime.run(sql.one("SELECT unixepoch('subsec')")) == 1774746123.456
    assert runtime.run(sql.one("SELECT datetime('now', 'subsecond')")) == TEXT
    assert runtime.run(sql.one("SELECT time('subsec', '+1 hour')")) == "02:02:03.456"


@pytest.mark.skipif(VERSION < (3, 43), reason="SQLite has it since 3.43")
def test_timediff(runtime, sql):
    found = runtime.run(sql.one("SELECT timediff('now', '2026-03-28 01:02:03.456')"))
    assert found == "+0000-00-01 00:00:00.000"
    assert runtime.run(sql.one("SELECT timediff('2026-03-29', 'now')"))[0] == "-"


def test_it_moves_with_the_clock(runtime, sql):
    query = "SELECT CURRENT_TIME || ' ' || strftime('%f', 'now')"
    assert runtime.run(sql.later(1_500, query)) == "01:02:04 04.956"
    runtime.advance("1h")
    assert runtime.run(sql.one(query)) == "02:02:04 04.956"


def test_defaults_views_triggers_and_expressions(runtime, sql):
    runtime.run(outcomes(sql, [
        ("CREATE TABLE t (n, at DEFAULT CURRENT_TIMESTAMP, day DEFAULT (date('now')), r DEFAULT (random()))", ()),
        ("CREATE TABLE log (at)", ()),
        ("CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log VALUES (time('now')); END", ()),
        ("CREATE VIEW v AS SELECT n, CURRENT_DATE AS today, julianday('now') - julianday(at) AS age FROM t", ()),
        ("INSERT INTO t (n) VALUES (1)", ()),
    ]))  # fmt: skip
    runtime.advance("1d")
    runtime.run(sql.ask("INSERT INTO t (n) VALUES (2)"))
    assert runtime.run(sql.ask("SELECT n, at, day FROM t")) == [
        [1, "2026-03-29 01:02:03", "2026-03-29"],
        [2, "2026-03-30 01:02:03", "2026-03-30"],
    ]
    assert runtime.run(sql.ask("SELECT at FROM log")) == [["01:02:03"], ["01:02:03"]]
    ages = runtime.run(sql.ask("SELECT n, today, round(age, 3) FROM v"))
    assert ages == [[1, "2026-03-30", 1.0], [2, "2026-03-30", 0.0]]


def test_sessions_expire_as_the_object_sees_it(runtime, sql):
    """The report that this is about: a row that expires by SQL's clock, and an alarm by the other."""
    runtime.run(sql.ask("CREATE TABLE s (user, expires)"))
    runtime.run(sql.ask("INSERT INTO s VALUES ('ada', unixepoch() + 3600)"))
    expired = "DELETE FROM s WHERE expires <= unixepoch() RETURNING user"
    runtime.advance("59m")
    assert runtime.run(sql.ask(expired)) == []
    runtime.advance("1m")
    assert runtime.run(sql.ask(expired)) == [["ada"]]


MODIFIERS = [
    "+1 day", "-1 month", "+3 hours", "start of month", "start of year", "start of day",
    "weekday 0", "utc", "unixepoch", "julianday", "auto", "subsec", "ceiling", "nonsense", None,
    "+12:00", "localtime",
]  # fmt: skip
VALUES = [
    "2020-02-29", "2020-02-29 12:00:01.5", "2020-02-29T12:00Z", "12:00", "", "no date", "nowhere",
    " now", "now ", 2460000.5, 0, 1700000000, -1, None, 1e300, b"2020-01-01", "2020-01-01\0x",
]  # fmt: skip


def calls(values):
    for name in [*FUNCTIONS, "strftime"]:
        before = (FORMAT,) if name == "strftime" else ()
        for value in values:
            for modifiers in ((), *((m,) for m in MODIFIERS), *itertools.pairwise(MODIFIERS)):
                bindings = (*before, value, *modifiers)
                yield f"SELECT {name}({', '.join('?' * len(bindings))})", bindings


def test_a_time_that_is_given_is_sqlites_own(runtime, sql):
    asked = list(calls(VALUES))
    expected = real(asked)
    found = runtime.run(outcomes(sql, asked))
    assert [
        (query, bindings, f, e)
        for (query, bindings), f, e in zip(asked, found, expected, strict=True)
        if f != e
    ] == []


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_modifiers_of_now_are_sqlites_own(runtime, sql, zone, time_zone):
    time_zone(zone)
    found = runtime.run(outcomes(sql, list(calls(["now"]))))
    asked = list(calls([NOW]))
    # What is NULL for `now` differs from what is NULL for a number, but not for a text.
    assert [
        (query, bindings, f, e)
        for (query, bindings), f, e in zip(asked, found, real(asked), strict=True)
        if f != e
    ] == []


@pytest.fixture
def time_zone(monkeypatch):
    import time

    def switch(zone):
        monkeypatch.setenv("TZ", zone)
        if hasattr(time, "tzset"):
            time.tzset()

    yield switch
    monkeypatch.undo()
    if hasattr(time, "tzset"):
        time.tzset()


@pytest.mark.parametrize("ms", [0, 1, 9, 29, 57, 58, 499, 500, 999])
def test_no_millisecond_is_lost(state_path, ms):
    start = dt.datetime(2026, 1, 1, 23, 59, 59, ms * 1000, tzinfo=dt.UTC)
    with dobook.Runtime(state_path, start=start) as runtime:
        sql = runtime.register(Sql).getByName("a")
        assert runtime.run(sql.one("SELECT strftime('%f', 'now')")) == f"59.{ms:03d}"
        assert runtime.run(sql.one("SELECT strftime('%s', 'now')")) == "1767311999"
        whole = "SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
        assert runtime.run(sql.one(whole)) == 1767311999000 + ms


@pytest.mark.parametrize(
    "query",
    [
        "SELECT random(1)",
        "SELECT randomblob()",
        "SELECT randomblob(1, 2)",
        "SELECT randomblob(5000000)",
        "SELECT strftime()",
        "SELECT strftime(NULL)",
        "SELECT date(distinct 'x')",
        "SELECT date('2020-01-01') FILTER (WHERE 1)",
        "SELECT current_timestamp(1)",
    ],
)
def test_what_is_refused_is_refused_in_sqlites_words(runtime, sql, query):
    (found,) = runtime.run(outcomes(sql, [(query, ())]))
    db = sqlite3.connect(":memory:")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 4 * 1024 * 1024)
    try:
        expected = [list(row) for row in db.execute(query).fetchall()]
    except sqlite3.Error as error:
        expected = str(error)
    db.close()
    if isinstance(expected, str):
        assert isinstance(found, str)
        found, _, _ = found.partition(" at offset")
        assert found.removesuffix(": SQLITE_ERROR").removesuffix(": SQLITE_TOOBIG") == expected
    else:
        assert found == expected


IMPURE = [
    ["CREATE TABLE t (x CHECK (x < date('now')))", "INSERT INTO t VALUES (1)"],
    ["CREATE TABLE t (x CHECK (x < CURRENT_TIMESTAMP))", "INSERT INTO t VALUES (1)"],
    ["CREATE TABLE t (x CHECK (x < date(x)))", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES ('now')"],
    ["CREATE TABLE t (d DEFAULT (date('now')) CHECK (d IS date(d)))", "INSERT INTO t DEFAULT VALUES"],
    ["CREATE TABLE t (d DEFAULT (date()) CHECK (d <= date()))", "INSERT INTO t DEFAULT VALUES"],
    ["CREATE TABLE t (x, y AS (date('now')))", "INSERT INTO t VALUES (1)", "SELECT x FROM t", "SELECT y FROM t"],
    ["CREATE TABLE t (x, y AS (datetime(x, '+1 day')) STORED)", "INSERT INTO t VALUES ('2020-01-01')", "SELECT * FROM t"],
    ["CREATE TABLE t (x, y AS (datetime(x)) STORED)", "INSERT INTO t VALUES ('now')"],
    ["CREATE TABLE t (x, y AS (CURRENT_TIMESTAMP))"],
    ["CREATE TABLE t (x, y AS (random()))"],
    ["CREATE TABLE t (x)", "CREATE INDEX i ON t (date(x))", "INSERT INTO t VALUES ('2020-01-01')",
     "SELECT * FROM t WHERE date(x) = '2020-01-01'", "INSERT INTO t VALUES ('now')"],
    ["CREATE TABLE t (x)", "INSERT INTO t VALUES (1)", "CREATE INDEX i ON t (date('now'))"],
    ["CREATE TABLE t (x)", "CREATE INDEX i ON t (x) WHERE x > date('now')", "INSERT INTO t VALUES (1)"],
    ["CREATE TABLE t (x)", "CREATE INDEX i ON t (x) WHERE x > CURRENT_DATE"],
    ["CREATE TABLE t (x)", "CREATE INDEX i ON t (random())"],
    ["CREATE TABLE t (x CHECK (strftime('%Y', 'now') > x))", "INSERT INTO t VALUES (1)"],
    ["CREATE TABLE t (x CHECK (strftime('%Y') > x))", "INSERT INTO t VALUES (1)"],
    ["CREATE TABLE a (x CHECK (x < date('now')))", "CREATE TABLE t (x)", "INSERT INTO t VALUES (date('now') > '')",
     "SELECT * FROM t"],
    ["CREATE TABLE t (x CHECK (x < 5 OR x > julianday('now')))", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (7)"],
]  # fmt: skip


@pytest.mark.parametrize("queries", IMPURE)
def test_now_is_refused_where_sqlite_refuses_it(runtime, sql, queries):
    asked = [(query, ()) for query in queries]
    found = runtime.run(outcomes(sql, asked))
    assert found == real(asked)


def test_a_refused_statement_leaves_nothing_and_the_object_goes_on(runtime, sql):
    found = runtime.run(outcomes(sql, [
        ("CREATE TABLE t (x CHECK (x < date('now')))", ()),
        ("INSERT INTO t VALUES (1)", ()),
        ("SELECT count(*) FROM t", ()),
        ("SELECT date('now')", ()),
    ]))  # fmt: skip
    assert found[2:] == [[[0]], [["2026-03-29"]]]


CHANCE = "SELECT random(), hex(randomblob(8)), abs(random()) % 100 FROM (SELECT 1 UNION SELECT 2)"


def test_chance_is_the_seeds(state_path, tmp_path):
    def draw(seed, path):
        with dobook.Runtime(path, seed=seed) as runtime:
            stub = runtime.register(Sql).getByName("a")
            return runtime.run(stub.ask(CHANCE)), runtime.run(stub.ask(CHANCE))

    paths = [state_path and tmp_path / name for name in ("one", "two", "three")]
    first = draw(1, paths[0])
    assert first[0] != first[1]
    assert draw(1, paths[1]) == first
    assert draw(2, paths[2]) != first


def test_sizes_of_random_blobs_are_sqlites(runtime, sql):
    sizes = [3, 0, -1, 2.9, "5x", "", None, "0x10", b"4", 2.0**40]
    asked = [("SELECT length(randomblob(?))", (size,)) for size in sizes[:-1]]
    assert runtime.run(outcomes(sql, asked)) == real(asked)
    (too_big,) = runtime.run(outcomes(sql, [("SELECT randomblob(?)", (sizes[-1],))]))
    assert too_big == "string or blob too big: SQLITE_TOOBIG"


def test_in_real_time_sql_tells_the_runtimes_time_and_chance_is_real(open_runtime):
    def ask():
        runtime = open_runtime(start="2040-05-06", seed=1)
        stub = runtime.register(Sql).getByName("a")
        with runtime.start_real_time():
            day = runtime.run(stub.one("SELECT date() || ' ' || CURRENT_DATE"))
            return day, runtime.run(stub.one("SELECT hex(randomblob(16))"))

    (day, first), (_, second) = ask(), ask()
    assert day == "2040-05-06 2040-05-06"
    assert first != second


def test_two_runtimes_each_have_their_own(open_runtime):
    runtimes = [open_runtime(start=f"{year}-01-01") for year in (2030, 2040)]
    stubs = [runtime.register(Sql).getByName("a") for runtime in runtimes]
    found = [r.run(s.one("SELECT strftime('%Y')")) for r, s in zip(runtimes, stubs, strict=True)]
    assert found == ["2030", "2040"]
    with runtimes[0].fork() as fork:
        fork.advance("400d")
        assert fork.run(fork.stub("SQL/a").one("SELECT strftime('%Y')")) == "2031"


def test_an_interrupt_within_a_function_is_an_interrupt(runtime, sql, monkeypatch):
    def press(_self):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(kernel_of(runtime).time_and_chance), "milliseconds", press)
    with pytest.raises(KeyboardInterrupt):
        runtime.run(sql.one("SELECT date('now')"))
    monkeypatch.undo()
    assert runtime.run(sql.one("SELECT date('now')")) == "2026-03-29"
