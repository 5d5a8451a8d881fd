"""Several statements in one text, statements that roll back by themselves, and an emptied database.

Source: cloudflare/workerd src/workerd/util/sqlite.c++ (`prepareSql`, `Query::checkRequirements`)
"""

import pytest

import dobook
from dobook.errors import PlatformError

AT_ONCE = "A SQL prepared statement can only be executed once at a time."
LOCKED = "database table is locked: SQLITE_LOCKED"


class Base:
    def __init__(self, ctx, env):
        self.storage = ctx.storage
        self.sql = ctx.storage.sql

    def setup(self):
        self.sql.exec("CREATE TABLE t (k INTEGER PRIMARY KEY, v)")
        self.sql.exec("INSERT INTO t VALUES (1, 'a'), (2, 'b')")

    async def run(self, texts):
        """Run texts; returns for each its rows or the text of its error."""
        results = []
        for text, *bindings in texts:
            try:
                match text:
                    case "deleteAll":
                        await self.storage.deleteAll()
                        results.append("deleted")
                    case "put":
                        await self.storage.put("x", *bindings)
                        results.append("put")
                    case "undo":
                        self.undo(*bindings)
                        results.append("undone")
                    case _:
                        rows = self.sql.exec(text, *bindings).toArray()
                        results.append([dict(row) for row in rows])
            except PlatformError as error:
                results.append(str(error))
        return results

    def read_while_open(self, text):
        cursor = self.sql.exec(text)
        results = [list(self.sql.exec(text)), list(cursor)]
        for _ in range(2):
            try:
                results.append(list(self.sql.exec(text)))
            except PlatformError as error:
                results.append(str(error))
        return results

    def undo(self, text):
        def undone():
            self.sql.exec(text)
            raise KeyError

        try:
            self.storage.transactionSync(undone)
        except KeyError:
            return

    async def rows(self):
        return [
            dict(await self.storage.list()),
            [row.v for row in self.sql.exec("SELECT v FROM t")],
        ]


@pytest.fixture(params=["memory", "disk"])
def base(request, tmp_path):
    path = None if request.param == "memory" else tmp_path / "state"
    with dobook.Runtime(path, durability="process") as runtime:
        stub = runtime.register(Base).getByName("a")
        runtime.run(stub.setup())
        yield stub, runtime


def run(base, *texts):
    stub, runtime = base
    return runtime.run(stub.run([[text] if isinstance(text, str) else text for text in texts]))


@pytest.mark.parametrize("first", ["SELECT 1", "SELECT k FROM t", "PRAGMA table_info(t)"])
def test_a_text_whose_first_statement_gives_rows_fails_the_second_time(base, first):
    text = f"{first}; SELECT 2 AS b"
    assert run(base, *[text] * 4) == [[{"b": 2}], AT_ONCE, [{"b": 2}], [{"b": 2}]]


@pytest.mark.parametrize(
    "first", ["SELECT 1 WHERE 0", "UPDATE t SET v = v", "SELECT k FROM t WHERE k > 9"]
)
def test_one_whose_first_statement_gives_none_does_not(base, first):
    text = f"{first}; SELECT 2 AS b"
    assert run(base, *[text] * 3) == [[{"b": 2}]] * 3


def test_each_open_statement_fails_once(base):
    text = "SELECT 1; SELECT 2; SELECT 3 AS b"
    assert run(base, *[text] * 4) == [[{"b": 3}], AT_ONCE, AT_ONCE, [{"b": 3}]]


def test_a_text_that_is_still_being_read_is_prepared_anew(base):
    stub, runtime = base
    text = "SELECT 1; SELECT k FROM t"
    rows = [{"k": 1}, {"k": 2}]
    assert runtime.run(stub.read_while_open(text)) == [rows, rows, AT_ONCE, rows]


def test_another_text_is_another_statement(base):
    texts = ["SELECT 1; SELECT 2 AS b", "SELECT 1;  SELECT 2 AS b"]
    assert run(base, *texts) == [[{"b": 2}]] * 2


def test_a_text_that_is_not_valid_leaves_nothing_open(base):
    refused = "no such column: nope"
    texts = ["SELECT 1; SELECT nope", "SELECT k FROM t; SELECT nope FROM t", "DROP TABLE t"]
    first, second, dropped = run(base, *texts)
    assert first.startswith(refused)
    assert second.startswith(refused)
    assert dropped == []
    assert run(base, texts[0])[0].startswith(refused)


def test_one_with_a_wrong_number_of_bindings_stays_open(base):
    text = "SELECT 1; SELECT ? AS b"
    wrong = "Wrong number of parameter bindings for SQL query."
    assert run(base, text, [text, 5], [text, 5]) == [wrong, AT_ONCE, [{"b": 5}]]


def test_an_open_statement_locks_its_table_until_it_is_reset(base):
    text = "SELECT k FROM t; SELECT 2 AS b"
    assert run(base, text, "DROP TABLE t") == [[{"b": 2}], LOCKED]
    assert run(base, "DROP TABLE t") == [LOCKED]  # in later calls too
    assert run(base, text, "DROP TABLE t") == [AT_ONCE, []]


def test_leaving_memory_resets_it(base):
    stub, runtime = base
    run(base, "SELECT k FROM t; SELECT 2 AS b")
    runtime.evict(stub)
    assert run(base, "DROP TABLE t") == [[]]


def test_rows_of_returning_in_a_first_statement_are_given_up_by_the_second_run(base):
    stub, runtime = base
    text = "INSERT INTO t (v) VALUES ('n') RETURNING k; SELECT 2 AS b"
    assert run(base, *[text] * 3) == [[{"b": 2}], AT_ONCE, [{"b": 2}]]
    assert runtime.run(stub.rows())[1] == ["a", "b", "n", "n"]


def test_run_once_they_forbid_the_commit(base):
    _, runtime = base
    with pytest.raises(PlatformError, match="RETURNING"):
        run(base, "INSERT INTO t (v) VALUES ('n') RETURNING k; SELECT 2 AS b")
    assert runtime.run(runtime.env.BASE.getByName("a").rows())[1] == ["a", "b"]


@pytest.mark.parametrize(
    "statement", ["INSERT OR ROLLBACK INTO t VALUES (1, 'x')", "DELETE FROM t WHERE k = 2"]
)
def test_a_statement_that_rolls_back_fails_the_call_with_all_it_wrote(base, statement):
    _, runtime = base
    trigger = "CREATE TRIGGER never BEFORE DELETE ON t BEGIN SELECT RAISE(ROLLBACK, 'no'); END"
    run(base, trigger, ["put", 1])
    with pytest.raises(PlatformError, match=r"internal error: .*OR ABORT"):
        run(base, ["put", 2], "INSERT INTO t VALUES (3, 'c')", statement, ["put", 3])
    assert runtime.run(runtime.env.BASE.getByName("a").rows()) == [{"x": 1}, ["a", "b"]]


def test_a_constraint_by_itself_rolls_back_its_statement_only(base):
    stub, runtime = base
    run(base, ["put", 2], "INSERT INTO t VALUES (3, 'c')", "INSERT INTO t VALUES (1, 'x')")
    assert runtime.run(stub.rows()) == [{"x": 2}, ["a", "b", "c"]]


def test_the_code_of_an_error_is_the_same_after_an_undone_change_of_tables(base):
    assert run(base, ["undo", "CREATE TABLE u (x)"], "SELECT nope", "SELECT * FROM u") == [
        "undone",
        "no such column: nope at offset 7: SQLITE_ERROR",
        "no such table: u: SQLITE_ERROR",
    ]


MAKE = "CREATE TABLE s (id INTEGER PRIMARY KEY AUTOINCREMENT, v)"
NAMES = "SELECT name FROM sqlite_master WHERE name LIKE 'sq%'"
NO_SEQUENCE = "no such table: sqlite_sequence: SQLITE_ERROR"


@pytest.mark.parametrize("dropped", [False, True])
def test_delete_all_takes_the_sequences_along(base, dropped):
    stub, runtime = base
    run(base, MAKE, "INSERT INTO s (v) VALUES (1), (2)", *(["DROP TABLE s"] if dropped else []))
    assert run(base, "deleteAll", "SELECT * FROM sqlite_sequence", NAMES) == [
        "deleted",
        NO_SEQUENCE,
        [],
    ]
    runtime.evict(stub)
    assert run(base, "SELECT * FROM sqlite_sequence") == [NO_SEQUENCE]
    again = run(base, MAKE, "INSERT INTO s (v) VALUES (1) RETURNING id", "PRAGMA quick_check")
    assert again[1:] == [[{"id": 1}], [{"quick_check": "ok"}]]
