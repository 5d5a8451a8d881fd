"""Promise: writes made with no await of something else between them land together or not at all,
in the key-value rows and in SQL alike.

Source: developers.cloudflare.com/durable-objects/api/storage-api/#put (write coalescing),
developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#transactionsync
"""

import asyncio
import shutil

import pytest

import dobook
from dobook.errors import DobookError, PlatformError


class Books:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.storage = ctx.storage
        self.kept = None

    async def everything(self):
        exists = self.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 't'").toArray()
        rows = self.storage.sql.exec("SELECT v FROM t ORDER BY v").toArray() if exists else []
        return {
            "rows": dict(await self.storage.list()),
            "sql": [row["v"] for row in rows],
            "alarm": await self.storage.getAlarm(),
        }

    def alarm(self):
        pass

    async def write(self, n):
        await self.storage.put("a", n)
        await self.storage.put({"b": n, "c": n})
        self.storage.kv.put("d", n)
        self.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(v)")
        self.storage.sql.exec("INSERT INTO t VALUES (?)", n)
        await self.storage.setAlarm(4_102_444_800_000 + n)

    async def write_and_return(self, n):
        await self.write(n)
        return n

    async def write_then_abort(self, n):
        await self.write(n)
        self.ctx.abort("in the same turn")

    async def write_sleep_write_abort(self, n):
        await self.write(n)
        await asyncio.sleep(0.01)
        await self.write(n + 1)
        self.ctx.abort("in the second turn")

    async def write_then_raise(self, n):
        await self.write(n)
        raise ValueError("an error undoes nothing")

    async def delete_then_abort(self):
        await self.storage.delete(["a", "b"])
        self.storage.sql.exec("DELETE FROM t")
        await self.storage.deleteAlarm()
        self.ctx.abort("in the same turn")

    async def delete_all_then_abort(self):
        await self.storage.deleteAll()
        self.ctx.abort("in the same turn")

    async def sync_transaction(self, n, *, fail):
        def body():
            self.storage.kv.put("a", n)
            self.storage.sql.exec("UPDATE t SET v = ?", n)
            if fail:
                raise ValueError("undo it")
            return "kept"

        try:
            return self.storage.transactionSync(body)
        except ValueError:
            return "undone"

    async def nested_sync(self):
        def inner():
            self.storage.kv.put("b", "inner")
            raise ValueError("inner only")

        def outer():
            self.storage.kv.put("a", "outer")
            try:
                self.storage.transactionSync(inner)
            except ValueError:
                self.storage.kv.put("c", "caught")

        self.storage.transactionSync(outer)

    async def transaction(self, n, how):
        async def body(txn):
            self.kept = txn
            await txn.put("a", n)
            await asyncio.sleep(0.01)
            await txn.put("b", n)
            await txn.setAlarm(4_102_444_800_000 + n)
            if how == "raise":
                raise ValueError("undo it")
            if how == "rollback":
                txn.rollback()
            if how == "abort":
                self.ctx.abort("inside a transaction")
            return "kept"

        return await self.storage.transaction(body)

    async def use_kept(self):
        await self.kept.put("a", "late")

    async def write_before_a_transaction_that_fails(self):
        await self.storage.put("before", 1)

        async def body(txn):
            await txn.put("inside", 1)
            raise ValueError("undo it")

        try:
            await self.storage.transaction(body)
        except ValueError:
            await self.storage.put("after", 1)

    async def mutate_after_put(self):
        value = {"list": [1, 2]}
        await self.storage.put("a", value)
        value["list"].append(3)
        got = await self.storage.get("a")
        got["list"].append(4)
        return await self.storage.get("a")


ALARM = 4_102_444_800_000


@pytest.fixture
def books(runtime):
    return runtime.register(Books)


def state(runtime, books):
    return runtime.run(books.getByName("a").everything())


def written(n, sql):
    return {"rows": dict.fromkeys("abcd", n), "sql": sql, "alarm": ALARM + n}


def test_a_turn_that_ends_well_is_kept_whole_through_a_crash(runtime, books):
    runtime.run(books.getByName("a").write_and_return(1))
    runtime.crash("BOOKS/a")
    assert state(runtime, books) == written(1, [1])


def test_a_turn_that_aborts_is_undone_whole(runtime, books):
    with pytest.raises(DobookError):
        runtime.run(books.getByName("a").write_then_abort(1))
    assert state(runtime, books) == {"rows": {}, "sql": [], "alarm": None}


def test_a_turn_that_aborts_is_undone_to_what_was_there_before(runtime, books):
    runtime.run(books.getByName("a").write_and_return(1))
    with pytest.raises(DobookError):
        runtime.run(books.getByName("a").write_then_abort(2))
    assert state(runtime, books) == written(1, [1])


def test_deletions_are_undone_like_writes(runtime, books):
    runtime.run(books.getByName("a").write_and_return(1))
    with pytest.raises(DobookError):
        runtime.run(books.getByName("a").delete_then_abort())
    assert state(runtime, books) == written(1, [1])


def test_delete_all_makes_storage_anew_at_once_and_is_not_undone(runtime, books):
    """As recorded (vectors/fuzz-storage.json); workerd src/workerd/io/actor-sqlite.c++, deleteAll."""
    runtime.run(books.getByName("a").write_and_return(1))
    with pytest.raises(DobookError):
        runtime.run(books.getByName("a").delete_all_then_abort())
    assert state(runtime, books) == {"rows": {}, "sql": [], "alarm": None}


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("after", ["nothing", "a write"])
def test_a_kill_around_delete_all_and_abort_leaves_everything_or_nothing(
    tmp_path, durability, after
):
    copies = []

    def copy(said):
        """Keep what a process that is killed now would leave."""
        copies.append(tmp_path / said)
        shutil.copytree(tmp_path / "state", copies[-1])

    class Wiped(Books):
        async def wipe(self):
            await self.storage.deleteAll()
            copy("deleted")
            if after == "a write":
                await self.storage.put("new", 1)
            copy("written")
            self.ctx.abort("in the same turn")

    with dobook.Runtime(tmp_path / "state", durability=durability) as runtime:
        books = runtime.register(Wiped, name="Books", binding="BOOKS")
        runtime.run(books.getByName("a").write_and_return(1))
        with pytest.raises(DobookError):
            runtime.run(books.getByName("a").wipe())
        copy("answered")
        empty = state(runtime, books)
        copy("seen")
    assert empty == {"rows": {}, "sql": [], "alarm": None}
    for copied in copies:
        with dobook.Runtime(copied, durability=durability) as runtime:
            books = runtime.register(Books, binding="BOOKS")
            left = state(runtime, books)
        assert left == empty or (left == written(1, [1]) and copied.name != "seen"), copied.name


def test_a_wait_of_something_else_divides_two_turns(runtime, books):
    with pytest.raises(DobookError):
        runtime.run(books.getByName("a").write_sleep_write_abort(1))
    assert state(runtime, books) == written(1, [1])


def test_an_error_of_the_handler_undoes_nothing(runtime, books):
    with pytest.raises(ValueError, match="undoes nothing"):
        runtime.run(books.getByName("a").write_then_raise(1))
    runtime.crash("BOOKS/a")
    assert state(runtime, books) == written(1, [1])


@pytest.mark.parametrize(("fail", "n"), [(False, 2), (True, 1)])
def test_a_synchronous_transaction_keeps_or_undoes_rows_and_sql_together(runtime, books, fail, n):
    runtime.run(books.getByName("a").write_and_return(1))
    said = runtime.run(books.getByName("a").sync_transaction(2, fail=fail))
    assert said == ("undone" if fail else "kept")
    runtime.crash("BOOKS/a")
    seen = state(runtime, books)
    assert (seen["rows"]["a"], seen["sql"]) == (n, [n])


def test_an_inner_transaction_is_undone_alone(runtime, books):
    runtime.run(books.getByName("a").nested_sync())
    assert state(runtime, books)["rows"] == {"a": "outer", "c": "caught"}


def test_a_transaction_that_ends_well_is_kept(runtime, books):
    assert runtime.run(books.getByName("a").transaction(1, "return")) == "kept"
    runtime.crash("BOOKS/a")
    assert state(runtime, books) == {"rows": {"a": 1, "b": 1}, "sql": [], "alarm": ALARM + 1}


def test_a_transaction_that_raises_is_undone_although_it_waited(runtime, books):
    with pytest.raises(ValueError, match="undo it"):
        runtime.run(books.getByName("a").transaction(1, "raise"))
    assert state(runtime, books) == {"rows": {}, "sql": [], "alarm": None}
    assert runtime.scheduled_alarms() == []


def test_a_transaction_that_is_rolled_back_is_undone(runtime, books):
    assert runtime.run(books.getByName("a").transaction(1, "rollback")) == "kept"
    assert state(runtime, books) == {"rows": {}, "sql": [], "alarm": None}
    assert runtime.scheduled_alarms() == []


def test_a_transaction_that_aborts_is_undone(runtime, books):
    with pytest.raises(DobookError, match="inside a transaction"):
        runtime.run(books.getByName("a").transaction(1, "abort"))
    assert state(runtime, books) == {"rows": {}, "sql": [], "alarm": None}


def test_a_transaction_object_is_dead_when_the_transaction_is_over(runtime, books):
    runtime.run(books.getByName("a").transaction(1, "return"))
    with pytest.raises(PlatformError, match="already committed"):
        runtime.run(books.getByName("a").use_kept())
    runtime.run(books.getByName("a").transaction(2, "rollback"))
    with pytest.raises(PlatformError, match="rolled back"):
        runtime.run(books.getByName("a").use_kept())


def test_what_was_written_before_a_transaction_does_not_depend_on_it(runtime, books):
    runtime.run(books.getByName("a").write_before_a_transaction_that_fails())
    runtime.crash("BOOKS/a")
    assert state(runtime, books)["rows"] == {"before": 1, "after": 1}


def test_changing_a_value_after_it_was_stored_or_read_changes_nothing_stored(runtime, books):
    assert runtime.run(books.getByName("a").mutate_after_put()) == {"list": [1, 2]}
    runtime.crash("BOOKS/a")
    assert state(runtime, books)["rows"] == {"a": {"list": [1, 2]}}


def test_a_restart_finds_whole_turns(open_runtime, tmp_path):
    with open_runtime(tmp_path / "state") as first:
        books = first.register(Books)
        first.run(books.getByName("a").write_and_return(1))
        with pytest.raises(DobookError):
            first.run(books.getByName("a").write_then_abort(2))
    second = open_runtime(tmp_path / "state")
    assert state(second, second.register(Books)) == written(1, [1])


def test_delete_all_reaches_sql_that_was_put_aside_with_an_evicted_object(runtime, books):
    runtime.run(books.getByName("a").write_and_return(1))
    runtime.run(runtime.evict(books.getByName("a")))
    with pytest.raises(DobookError):
        runtime.run(books.getByName("a").delete_all_then_abort())
    assert state(runtime, books) == {"rows": {}, "sql": [], "alarm": None}


class Returning(Books):
    def begin(self):
        self.storage.kv.put("a", 1)
        self.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(v)")
        self.storage.sql.exec("DELETE FROM t")
        return self.storage.sql.exec("INSERT INTO t VALUES (1), (2) RETURNING v")

    async def unread(self):
        self.cursor = self.begin()

    async def read_in_part(self):
        self.cursor = self.begin()
        self.cursor.next()

    async def first_of_two(self):
        self.begin().toArray()
        self.storage.sql.exec("INSERT INTO t VALUES (3) RETURNING v; SELECT 1").toArray()

    async def read(self):
        self.begin().toArray()

    async def read_one_by_one(self):
        cursor = self.begin()
        cursor.next()
        cursor.next()

    async def in_transaction(self):
        def body():
            self.cursor = self.begin()

        with pytest.raises(PlatformError, match="RETURNING"):
            self.storage.transactionSync(body)
        return [row.v for row in self.cursor]


@pytest.fixture
def returning(runtime):
    return runtime.register(Returning, binding="RETURNING")


@pytest.mark.parametrize("way", ["unread", "read_in_part", "first_of_two"])
def test_rows_of_returning_that_nobody_reads_forbid_the_commit(runtime, returning, way):
    """As recorded: workerd says "internal error", as its SQLite statement is still running."""
    with pytest.raises(PlatformError, match="internal error: rows that a statement with RETURNING"):
        runtime.run(getattr(returning.getByName("a"), way)())
    assert state(runtime, returning) == {"rows": {}, "sql": [], "alarm": None}


@pytest.mark.parametrize("way", ["read", "read_one_by_one"])
def test_rows_of_returning_that_are_read_let_the_commit_through(runtime, returning, way):
    runtime.run(getattr(returning.getByName("a"), way)())
    assert state(runtime, returning) == {"rows": {"a": 1}, "sql": [1, 2], "alarm": None}


def test_rows_of_returning_that_nobody_reads_undo_a_synchronous_transaction(runtime, returning):
    assert runtime.run(returning.getByName("a").in_transaction()) == [1, 2]
    assert state(runtime, returning) == {"rows": {}, "sql": [], "alarm": None}
