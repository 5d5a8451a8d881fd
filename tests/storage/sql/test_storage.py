"""`ctx.storage.sql`: what exec, its cursor and its rules promise.

Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
"""

import enum
from datetime import UTC, datetime

import pytest

from dobook.codec import JsBuffer
from dobook.errors import PlatformError, PlatformTypeError
from dobook.storage.connection import Connection
from dobook.storage.sql import text
from dobook.storage.sql.storage import SqlStorage
from dobook.storage.sql.tables import tables


class Host:
    """The least that SqlStorage needs of an object; `log` is what it was told."""

    def __init__(self, path=None, *, unsafe_limits=False):
        self.unsafe_limits = unsafe_limits
        self.owner = None
        self.database = Connection(path)
        self.log = []

    def connection(self):
        return self.database

    def will_write(self):
        self.log.append("will_write")
        if not self.database.in_transaction:
            self.database.begin()

    def settle_schema(self):
        pass

    def check(self):
        pass


@pytest.fixture(params=["memory", "file"])
def host(request, tmp_path):
    made = Host(None if request.param == "memory" else tmp_path / "a.sqlite")
    yield made
    made.database.close()


@pytest.fixture
def sql(host):
    return SqlStorage(host)


def message(sql, query, *bindings):
    with pytest.raises(PlatformError) as caught:
        sql.exec(query, *bindings)
    return str(caught.value)


def filled(sql):
    sql.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT UNIQUE, v)")
    sql.exec("INSERT INTO t(k, v) VALUES ('a', 1), ('b', 2), ('c', 3)")


# ---------------------------------------------------------------- writes and transactions


def test_rows_written_are_counted_again_after_tables_have_changed(sql):
    # SQLite before 3.41 crashed here, when an explanation was used a second time.
    filled(sql)
    for number in range(5):
        cursor = sql.exec("INSERT INTO t(k) VALUES (?) RETURNING id", f"k{number}")
        assert (len(cursor.toArray()), cursor.rowsWritten) == (1, 2)
        sql.exec(f"ALTER TABLE t ADD COLUMN more{number} TEXT")


def test_a_query_that_only_reads_opens_no_transaction(host, sql):
    filled(sql)
    host.database.commit()
    host.log.clear()
    sql.exec("SELECT * FROM t").toArray()
    sql.exec("WITH x AS (SELECT 1) SELECT * FROM x").toArray()
    sql.exec("VALUES (1)").toArray()
    sql.exec("PRAGMA table_info(t)").toArray()
    sql.exec("EXPLAIN QUERY PLAN SELECT 1").toArray()
    assert host.log == []
    assert not host.database.in_transaction


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO t(v) VALUES (9)",
        "  /* first */ insert into t(v) values (9)",
        "REPLACE INTO t(id, v) VALUES (1, 9)",
        "UPDATE t SET v = 9",
        "DELETE FROM t",
        "WITH x AS (SELECT 9) INSERT INTO t(v) SELECT * FROM x",
        "CREATE TABLE u(x)",
        "DROP TABLE t",
        "ALTER TABLE t ADD COLUMN w",
        "INSERT INTO t(v) VALUES (9) RETURNING id",
    ],
)
def test_a_statement_that_writes_announces_it_each_time_before_it_runs(host, sql, query):
    filled(sql)
    host.database.commit()
    for _ in range(2):
        host.log.clear()
        sql.exec(query)
        assert host.log == ["will_write"]
        host.database.rollback()


@pytest.mark.parametrize(
    "query", ["INSERT INTO missing VALUES (1)", "INSERT INTO t VALUES (", "DELETE FROM _cf_KV"]
)
def test_a_statement_that_cannot_be_prepared_opens_no_transaction(host, sql, query):
    filled(sql)
    host.database.commit()
    host.log.clear()
    message(sql, query)
    assert host.log == []


def test_a_failing_statement_leaves_earlier_writes_of_the_turn_in_place(host, sql):
    filled(sql)
    assert message(sql, "INSERT INTO t(k) VALUES ('z'), ('a')").startswith("UNIQUE constraint")
    assert host.database.in_transaction
    assert sql.exec("SELECT group_concat(k) AS ks FROM t").one().ks == "a,b,c"


def test_a_statement_that_rolls_the_transaction_back_is_reported(host, sql):
    filled(sql)
    lost = []
    host.database.on_lost = lost.append
    message(sql, "INSERT OR ROLLBACK INTO t(k) VALUES ('a')")
    assert len(lost) == 1
    assert not host.database.in_transaction


def test_unread_returning_rows_do_not_forbid_the_commit(host, sql):
    filled(sql)
    cursor = sql.exec("INSERT INTO t(v) VALUES (7), (8) RETURNING id, v")
    host.database.commit()
    assert cursor.columnNames == ["id", "v"]
    assert cursor.toArray() == [{"id": 4, "v": 7}, {"id": 5, "v": 8}]


def test_statements_before_the_failing_one_stay_done(sql):
    assert message(sql, "CREATE TABLE m(x); INSERT INTO m VALUES (1); SELEC 1") == (
        'near "SELEC": syntax error at offset 0: SQLITE_ERROR'
    )
    assert sql.exec("SELECT x FROM m").one().x == 1


def test_a_trigger_s_semicolons_do_not_end_it(sql):
    filled(sql)
    sql.exec(
        "CREATE TRIGGER one AFTER INSERT ON t BEGIN"
        "  UPDATE t SET v = CASE WHEN new.v THEN 1 ELSE 0 END WHERE id = new.id; SELECT 1; END;"
        "INSERT INTO t(v) VALUES (5)"
    )
    assert sql.exec("SELECT v FROM t WHERE id = 4").one().v == 1


@pytest.mark.parametrize(
    "query", ["", ";", " ", "-- x", "SELECT 1; -- x", "SELECT 1;;", "SELECT 1\0", "/* open"]
)
def test_a_query_whose_last_statement_is_empty_is_refused(sql, query):
    assert message(sql, query) == "SQL code did not contain a statement."


def test_columns_are_right_after_the_table_has_changed(host, sql):
    filled(sql)
    assert sql.exec("SELECT * FROM t LIMIT 1").columnNames == ["id", "k", "v"]
    sql.exec("ALTER TABLE t RENAME COLUMN v TO w")
    assert sql.exec("SELECT * FROM t LIMIT 1").columnNames == ["id", "k", "w"]
    host.database.rollback()
    filled(sql)
    assert sql.exec("SELECT * FROM t LIMIT 1").columnNames == ["id", "k", "v"]


# ---------------------------------------------------------------- values


class Colour(enum.IntEnum):
    RED = 3


class Word(enum.StrEnum):
    HELLO = "hello"


@pytest.mark.parametrize(
    ("given", "back", "kind"),
    [
        (5, 5, "real"),
        (2.5, 2.5, "real"),
        (2**53 - 1, 2**53 - 1, "real"),
        ("x", "x", "text"),
        (None, None, "null"),
        (b"\x00\xff", b"\x00\xff", "blob"),
        (bytearray(b"x"), b"x", "blob"),
        pytest.param(memoryview(b"x"), b"x", "blob", id="memoryview"),
        (True, "true", "text"),
        (float("nan"), None, "null"),
        (float("inf"), float("inf"), "real"),
        ("\ud800", "\ufffd\ufffd\ufffd", "text"),
        ("p\0q", "p\0q", "text"),
        (Colour.RED, 3, "real"),
        (Word.HELLO, "hello", "text"),
        ([1, None, "x"], "1,,x", "text"),
        ({"a": 1}, "[object Object]", "text"),
        (
            datetime(1970, 1, 1, tzinfo=UTC),
            "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)",
            "text",
        ),
    ],
    ids=repr,
)
def test_a_binding_travels_as_on_the_platform(sql, given, back, kind):
    for _ in range(2):
        row = sql.exec("SELECT ? AS x, typeof(?) AS kind", given, given).one()
        assert (row.x, row.kind) == (back, kind)
        assert type(row.x) is (JsBuffer if kind == "blob" else type(back))


def test_numbers_come_back_as_javascript_would_hand_them_over(sql):
    row = sql.exec("SELECT 1.0 AS whole, 2.5 AS half, -0.0 AS zero, 9007199254740993 AS big").one()
    assert type(row.whole) is int
    assert type(row.half) is float
    assert str(row.zero) == "-0.0"
    assert type(row.big) is float
    assert row.big == 2**53


def test_an_int_beyond_javascript_s_numbers_is_refused(sql):
    for number in (2**53, -(2**53)):
        with pytest.raises(PlatformTypeError, match="Cannot convert a BigInt value to a number"):
            sql.exec("SELECT ?", number)


def test_an_awaitable_binding_gets_its_own_lesson(sql):
    async def count():
        return 1

    with pytest.raises(PlatformTypeError, match="You want"):
        sql.exec("SELECT ?", count())
    with pytest.raises(PlatformTypeError, match="cannot be bound"):
        sql.exec("SELECT ?", object())


def test_text_that_is_not_utf8_is_read_with_replacement_characters(sql):
    query = "SELECT CAST(x'ff41' AS TEXT) AS x UNION ALL SELECT CAST(x'42fe' AS TEXT)"
    assert sql.exec(query).toArray() == [{"x": "\ufffdA"}, {"x": "B\ufffd"}]
    assert sql.exec(query).next().value.x == "\ufffdA"


@pytest.mark.parametrize("query", ["SELECT 1 AS x UNION ALL SELECT CAST(x'fe' AS TEXT)"])
def test_one_refuses_a_second_row_that_is_not_utf8(sql, query):
    with pytest.raises(PlatformError, match="multiple results"):
        sql.exec(query).one()


@pytest.fixture(params=["this Python", "Python 3.12.0 to 3.12.3"])
def pythons(request, monkeypatch):
    """Bind as this Python does, and as those that take numbered parameters for named ones."""
    if request.param != "this Python":
        monkeypatch.setattr(text, "NUMBERS_ARE_NAMES", True)
    text.split.cache_clear()
    yield
    text.split.cache_clear()


@pytest.mark.usefixtures("pythons")
@pytest.mark.parametrize(
    ("query", "given", "row"),
    [
        ("SELECT :a AS x, :b AS y, :a AS z", (1, 2), {"x": 1, "y": 2, "z": 1}),
        ("SELECT @a AS x, $b AS y", (1, 2), {"x": 1, "y": 2}),
        ("SELECT :a AS x, ? AS y, ?1 AS z", (1, 2), {"x": 1, "y": 2, "z": 1}),
        ("SELECT :a AS x, @a AS y", (1, 2), {"x": 1, "y": 2}),
        ("SELECT ?2 AS x, ?1 AS y", (1, 2), {"x": 2, "y": 1}),
        ("SELECT ?1 AS x, ?01 AS y", (1,), {"x": 1, "y": 1}),
        ("SELECT ?1 AS x, ? AS y, ?1 AS z", (1, 2), {"x": 1, "y": 2, "z": 1}),
        (
            "SELECT ?3 AS x, ? AS y, :a AS z, ?7 AS w",
            tuple("abcdefg"),
            {"x": "c", "y": "d", "z": "e", "w": "g"},
        ),
        (
            "SELECT ':a?' AS x, \"?\" AS y, ? AS z -- ?\n/* ? */",
            (1,),
            {"x": ":a?", "y": "?", "z": 1},
        ),
    ],
)
def test_parameters_are_bound_by_position_however_they_are_written(sql, query, given, row):
    assert sql.exec(query, *given).one() == row
    assert message(sql, query, *given, 3) == "Wrong number of parameter bindings for SQL query."
    assert sql.exec(query, *given).one() == row


@pytest.mark.usefixtures("pythons")
@pytest.mark.parametrize("number", ["0", "101", "32767", "999999999", "9" * 20, "1" * 5_000])
@pytest.mark.parametrize("given", [(), (1,)])
def test_a_parameter_with_an_impossible_number_is_refused(sql, number, given):
    expected = "variable number must be between ?1 and ?100: SQLITE_ERROR"
    assert message(sql, f"SELECT ?{number} AS x", *given) == expected


# ---------------------------------------------------------------- cursors


def test_a_row_is_a_mapping_with_attributes_and_the_last_of_equal_columns_counts(sql):
    row = sql.exec("SELECT 1 AS x, 2 AS x, 'y' AS y").one()
    assert row == {"x": 2, "y": "y"}
    assert (row["x"], row.y) == (2, "y")


def test_rows_are_read_once_by_whatever_reads_them(sql):
    filled(sql)
    cursor = sql.exec("SELECT id FROM t ORDER BY id")
    raw = cursor.raw()
    assert raw.next() == {"done": False, "value": [1]}
    assert next(cursor) == {"id": 2}
    assert cursor.rowsRead == 3
    assert list(raw) == [[3]]
    assert raw.next() == cursor.next() == {"done": True}
    assert cursor.toArray() == raw.toArray() == []
    assert cursor.columnNames == ["id"]


def test_rows_read_runs_one_ahead_and_ends_at_their_number(sql):
    filled(sql)
    cursor = sql.exec("SELECT id FROM t")
    seen = [cursor.rowsRead, *(cursor.rowsRead for _ in cursor)]
    assert seen == [1, 2, 3, 3]
    assert cursor.rowsWritten == 0


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("INSERT INTO t(k) VALUES ('x'), ('y')", 4),  # each with an entry in the index of k
        ("UPDATE t SET v = 0", 3),
        ("UPDATE t SET k = k || '!' WHERE id = 1", 2),
        ("INSERT INTO t(id, v) VALUES (1, 9) ON CONFLICT DO UPDATE SET v = 9", 2),
        ("DELETE FROM t WHERE id > 1", 2),
        ("DELETE FROM t", 3),
        ("WITH x AS (SELECT 1) INSERT INTO t(v) SELECT * FROM x", 2),
        ("INSERT INTO t(v) VALUES (1) RETURNING id", 2),
        ("SELECT * FROM t", 0),
    ],
)
def test_rows_written_counts_rows_and_index_entries(sql, query, count):
    filled(sql)
    assert sql.exec(query).rowsWritten == count


def test_an_open_cursor_sees_rows_that_are_written_meanwhile(sql):
    filled(sql)
    cursor = sql.exec("SELECT id FROM t ORDER BY id")
    assert cursor.next().value.id == 1
    sql.exec("INSERT INTO t(v) VALUES (4)")
    other = sql.exec("SELECT id FROM t ORDER BY id")
    assert other.next().value.id == 1
    assert [row.id for row in cursor] == [2, 3, 4]
    assert [row.id for row in other] == [2, 3, 4]


def test_a_cursor_ends_with_the_database(host, sql):
    filled(sql)
    cancelled = sql.exec("SELECT id FROM t")
    host.database.cancel_readers()
    sql.exec("DROP TABLE t")
    with pytest.raises(PlatformError, match="canceled because the database was deleted"):
        cancelled.toArray()
    closed = sql.exec("SELECT 1 UNION SELECT 2")
    host.database.close()
    for use in (closed.next, closed.one, closed.toArray):
        with pytest.raises(PlatformError, match="canceled because the database was deleted"):
            use()


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM pragma_table_info('_cf_KV')",
        "PRAGMA table_info(_cf_KV)",
        "PRAGMA quick_check(_CF_kv)",
        "PRAGMA data_version = 5",
        "PRAGMA defer_foreign_keys = abcd",
        "INSERT INTO _cf_KV VALUES ('a', 1)",
        "ALTER TABLE t RENAME TO [_cf_t]",
        "CREATE TRIGGER _cf_t AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE v USING fts5abcd(x)",
        "DETACH main",
    ],
)
def test_what_the_platform_forbids_is_forbidden(host, sql, query):
    filled(sql)
    host.database.execute("CREATE TABLE _cf_KV(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
    assert message(sql, query) == "not authorized: SQLITE_AUTH"


def test_hidden_rows_stay_hidden_behind_a_bound_name_a_view_and_a_changed_view(host, sql):
    host.database.execute("CREATE TABLE _cf_KV(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
    info = "SELECT name FROM pragma_table_info(?)"
    sql.exec("CREATE TABLE shown(x)")
    sql.exec("CREATE VIEW v AS SELECT x AS key FROM shown")
    assert sql.exec(info, "shown").one().name == "x"
    assert message(sql, info, "_cf_KV") == "not authorized: SQLITE_AUTH"
    assert sql.exec("SELECT * FROM v").toArray() == []
    sql.exec("DROP VIEW v; CREATE VIEW v AS SELECT key FROM _cf_KV")
    assert message(sql, "SELECT * FROM v") == "access to _cf_KV.key is prohibited: SQLITE_AUTH"


@pytest.mark.parametrize(
    ("spelling", "on"),
    [("true", True), ("OFF", False), ("'yes'", True), ('"0"', False), ("  1  ", True)],
)
def test_a_boolean_pragma_takes_every_spelling(runtime, spelling, on):
    class Deferring:
        def __init__(self, ctx, env):
            self.sql = ctx.storage.sql

        def dangle(self):
            self.sql.exec("CREATE TABLE p(x PRIMARY KEY); CREATE TABLE c(y REFERENCES p(x))")
            self.sql.exec(f"PRAGMA defer_foreign_keys = {spelling}")
            self.sql.exec("INSERT INTO c VALUES (5)")
            self.sql.exec("INSERT INTO p VALUES (5)")

    stub = runtime.register(Deferring).getByName("a")
    if on:
        runtime.run(stub.dangle())
    else:
        with pytest.raises(PlatformError, match="FOREIGN KEY constraint failed"):
            runtime.run(stub.dangle())


def test_the_optimize_pragma_takes_a_mask(sql):
    assert list(sql.exec("PRAGMA optimize = 0x10002")) == []


def test_full_text_search_works_with_its_internal_statements(sql):
    sql.exec("CREATE VIRTUAL TABLE docs USING FtS5(body, tokenize = porter)")
    sql.exec("INSERT INTO docs VALUES (?), (?)", "the contents", "something else")
    query = "SELECT highlight(docs, 0, '[', ']') AS h FROM docs WHERE docs MATCH ?"
    assert sql.exec(query, "content").one().h == "the [contents]"


def test_the_hosted_service_s_limits_hold_unless_they_are_switched_off():
    for unsafe_limits in (False, True):
        host = Host(unsafe_limits=unsafe_limits)
        sql = SqlStorage(host)
        many = f"SELECT max({', '.join('1' * 33)}) AS m"
        long = "x" * (2 * 1024 * 1024 + 1)
        if unsafe_limits:
            assert sql.exec(many).one().m == 1
            assert sql.exec("SELECT length(?) AS n", long).one().n == len(long)
        else:
            assert message(sql, many) == "too many arguments on function max: SQLITE_ERROR"
            assert message(sql, "SELECT ?", long) == "string or blob too big: SQLITE_TOOBIG"
        assert message(sql, f"SELECT {', '.join('?' * 101)}", *range(101)).startswith(
            "too many SQL variables"
        )
        host.database.close()


def test_newer_functions_are_there_whatever_the_sqlite(sql):
    row = sql.exec(
        "SELECT octet_length('ž') AS o, concat('a', NULL, 1) AS c, concat_ws('-', 1, NULL, 'x') AS w,"
        " unhex('ff-00', '-') AS u, string_agg(value, '+') AS s FROM json_each('[1, 2]')"
    ).one()
    assert row == {"o": 2, "c": "a1", "w": "1-x", "u": b"\xff\x00", "s": "1+2"}


# ---------------------------------------------------------------- around


def test_the_size_of_the_database_follows_its_pages(sql):
    before = sql.databaseSize
    sql.exec("CREATE TABLE one_more_page(x)")
    after = sql.databaseSize
    assert after > before
    assert after % 4096 == 0
    sql.exec("DROP TABLE one_more_page")
    assert sql.databaseSize < after


def test_tables_shows_what_the_user_made(host, sql):
    filled(sql)
    host.database.execute("CREATE TABLE _cf_KV(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
    sql.exec("CREATE VIEW v AS SELECT k FROM t")
    sql.exec("CREATE VIRTUAL TABLE f USING fts5(body)")
    sql.exec("CREATE TABLE g(a NOT NULL DEFAULT 7, b AS (a * 2), PRIMARY KEY (a)) WITHOUT ROWID")
    shown = {table.name: table for table in tables(host.database)}
    assert [(t.name, t.kind, t.rows) for t in shown.values()] == [
        ("f", "virtual", 0),
        ("g", "table", 0),
        ("t", "table", 3),
        ("v", "view", None),
    ]
    a, b = shown["g"].columns
    assert (a.name, a.not_null, a.default, a.key, a.generated) == ("a", True, "7", 1, False)
    assert (b.name, b.generated) == ("b", True)
    assert [c.name for c in shown["f"].columns] == ["body"]
