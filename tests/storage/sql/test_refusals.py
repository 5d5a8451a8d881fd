"""Refusals that depend on which SQLite runs, and rules that no cached statement gets round.

Source: cloudflare/workerd src/workerd/util/sqlite.c++; recorded in conformance/vectors/fuzz-storage.json
"""

import pytest

from dobook import Runtime
from dobook.errors import PlatformError
from dobook.notebook.inspector.sql_reader import Reader
from dobook.runtime.access import kernel_of
from dobook.storage.sql.storage import SqlStorage


class Box:
    def __init__(self, ctx, env):
        self.storage = ctx.storage

    async def put(self):
        await self.storage.put("a", 1)
        await self.storage.setAlarm(4_102_444_800_000)

    def sql(self, *queries):
        said = []
        for query in queries:
            try:
                said.append([list(row) for row in self.storage.sql.exec(query).raw()])
            except PlatformError as error:
                said.append(str(error))
        return said

    async def alarm(self):
        pass

    def leave_open(self):
        self.cursor = self.storage.sql.exec("SELECT * FROM t")


@pytest.fixture
def ask(runtime):
    box = runtime.register(Box).getByName("a")
    return lambda method, *args: runtime.run(getattr(box, method)(*args))


def test_the_engines_own_tables_are_unknown_until_it_would_have_made_them(ask):
    reads = ("SELECT * FROM _cf_KV", "DROP TABLE _cf_KV", "SELECT * FROM _cf_METADATA")
    assert ask("sql", *reads) == [
        "no such table: _cf_KV: SQLITE_ERROR",
        "no such table: _cf_KV: SQLITE_ERROR",
        "no such table: _cf_METADATA: SQLITE_ERROR",
    ]
    ask("put")
    assert ask("sql", *reads) == [
        "access to _cf_KV.key is prohibited: SQLITE_AUTH",
        "not authorized: SQLITE_AUTH",
        "access to _cf_METADATA.key is prohibited: SQLITE_AUTH",
    ]
    assert ask("sql", 'CREATE TABLE "_CF_KV"(x)') == ["not authorized: SQLITE_AUTH"]


def test_what_the_engines_sqlite_lacks_or_forbids_is_refused_in_its_words(ask):
    assert ask(
        "sql",
        "SELECT soundex('x')",
        "SELECT unistr('x')",
        "SELECT * FROM dbstat",
        "SELECT rtreecheck('x')",
        "SELECT json_extract('{}', 'bad')",
    ) == [
        "no such function: soundex at offset 7: SQLITE_ERROR",
        "not authorized to use function: unistr at offset 7: SQLITE_ERROR",
        "no such table: dbstat: SQLITE_ERROR",
        "SQL logic error: SQLITE_ERROR",
        "bad JSON path: 'bad': SQLITE_ERROR",
    ]


def test_the_text_of_an_engines_statement_is_refused_like_any_other(ask):
    ask("put")
    ask("sql", "CREATE TABLE t(x)", "INSERT INTO t VALUES (1)")
    for said in ask("sql", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "SAVEPOINT _cf_savepoint_0"):
        assert said.startswith("To execute a transaction, please use")
    (said,) = ask("sql", "SELECT key, value FROM _cf_KV ORDER BY key")
    assert said.startswith("access to _cf_KV")


def test_looking_from_outside_leaves_the_rules_in_force(runtime, ask):
    ask("sql", "CREATE TABLE t(x)", "INSERT INTO t VALUES (7)")
    ask("put")
    outside = SqlStorage(Reader(kernel_of(runtime).actor_of("BOX/a").store))
    assert [list(row) for row in outside.exec("SELECT * FROM t").raw()] == [[7]]
    (said,) = ask("sql", "SELECT * FROM _cf_KV")
    assert said == "access to _cf_KV.key is prohibited: SQLITE_AUTH"


def test_a_cursor_that_an_evicted_object_left_open_is_in_nobodys_way(runtime, ask):
    ask("sql", "CREATE TABLE t(x)", "INSERT INTO t VALUES (1), (2)")
    ask("leave_open")
    runtime.run(runtime.evict("BOX/a"))
    assert ask("sql", "SELECT count(*) FROM t") == [[[2]]]


def test_listing_goes_on_from_the_row_that_was_read_at_once(runtime):
    class Lister(Box):
        async def steps(self):
            kv = self.storage.kv
            assert list(kv.list()) == []
            for key in "abc":
                kv.put(key, 1)
            first = kv.list()
            kv.put("a", 2)
            kv.delete("b")
            seen = [*map(list, first), next(first, None)]
            second, nothing = kv.list(), kv.list(start="b", end="a")
            assert next(second) == ("a", 2)
            await self.storage.list()
            with pytest.raises(PlatformError, match="iterator was invalidated"):
                next(second)
            return [*seen, next(nothing, None)]

    box = runtime.register(Lister).getByName("a")
    assert runtime.run(box.steps()) == [["a", 1], ["a", 2], ["c", 1], None, None]


def test_rules_hold_in_memory_too():
    with Runtime() as runtime:
        box = runtime.register(Box).getByName("a")
        assert runtime.run(box.sql("PRAGMA user_version")) == ["not authorized: SQLITE_AUTH"]
