"""What an object can do to its storage in one call, and what it holds afterwards.

Used by `test_every_state`. An operation is written twice: as the calls that a class makes, and as
what they do to a model.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .state_model import Contents, Model

FAR_MS = 4_102_444_800_000
SOON_MS = 5_000
LARGE = 20_000

latest: dict[str, "Subject"] = {}  # the newest instance of each object, by id
stale: list[str] = []  # what an instance did after a newer one was made


class Subject:
    """Does one operation a call. Notes when it acts although a newer instance was made."""

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx
        self.env = env
        latest[ctx.id.toString()] = self

    def check(self, what: str) -> None:
        if latest.get(self.ctx.id.toString()) is not self:
            stale.append(f"{self.ctx.id.name}: an older instance {what}")

    async def do(self, name: str, number: int) -> Any:
        self.check(f"begins {name}")
        result = await OPERATIONS[name].perform(self, number)
        self.check(f"ends {name}")
        return result

    async def linger(self) -> None:
        await asyncio.sleep(3600)

    async def alarm(self) -> None:
        self.check("runs an alarm")
        await self.ctx.storage.put("rung", True)  # noqa: FBT003

    async def look(self, *, sql: bool) -> Contents:
        storage = self.ctx.storage
        rows = dict(await storage.list())
        table = None
        if sql and storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 't'").toArray():
            table = [row.x for row in storage.sql.exec("SELECT x FROM t ORDER BY rowid")]
        return [rows, table, await storage.getAlarm()]


def insert(storage: Any, number: int) -> None:
    storage.sql.exec("CREATE TABLE IF NOT EXISTS t(x)")
    storage.sql.exec("INSERT INTO t VALUES (?)", number)


class Undo(Exception):
    """Ends a transaction whose writes must not stay."""


# ---------------------------------------------------------------------- rows and the alarm


async def _put(subject, number):
    await subject.ctx.storage.put("a", number)


async def _put_many(subject, number):
    await subject.ctx.storage.put({"a": number, "b": number, "c": number})


async def _put_large(subject, number):
    await subject.ctx.storage.put("large", "x" * LARGE + str(number))


async def _delete(subject, _number):
    await subject.ctx.storage.delete("a")


async def _delete_many(subject, _number):
    await subject.ctx.storage.delete(["a", "b", "large"])


async def _increment(subject, _number):
    storage = subject.ctx.storage
    await storage.put("n", (await storage.get("n") or 0) + 1)


async def _read(subject, _number):
    await subject.ctx.storage.list()
    await subject.ctx.storage.get("a")


async def _set_alarm(subject, number):
    await subject.ctx.storage.setAlarm(FAR_MS + number)


async def _set_alarm_soon(subject, _number):
    at_ms = subject.env.CLOCK.now_ms + SOON_MS
    await subject.ctx.storage.setAlarm(at_ms)
    return at_ms


async def _delete_alarm(subject, _number):
    await subject.ctx.storage.deleteAlarm()


async def _delete_all(subject, _number):
    await subject.ctx.storage.deleteAll()


async def _delete_all_and_put(subject, number):
    deleted = subject.ctx.storage.deleteAll()
    put = subject.ctx.storage.put({"a": number, "new": number})
    assert await subject.ctx.storage.get("b") is None
    await deleted
    await put


# ---------------------------------------------------------------------- transactions


async def _transaction(subject, number):
    async def body(txn):
        await txn.put({"a": number, "b": number})
        await txn.delete("c")
        await txn.setAlarm(FAR_MS + number)

    await subject.ctx.storage.transaction(body)


async def _transaction_undone(subject, number):
    async def body(txn):
        await txn.put({"a": number, "b": number})
        await txn.deleteAlarm()
        raise Undo

    try:
        await subject.ctx.storage.transaction(body)
    except Undo:
        return


async def _transaction_rolled_back(subject, number):
    async def body(txn):
        await txn.delete("a")
        await txn.put("b", number)
        txn.rollback()

    await subject.ctx.storage.transaction(body)


# ---------------------------------------------------------------------- with SQL


async def _select(subject, _number):
    subject.ctx.storage.sql.exec("SELECT count(*) FROM sqlite_master").toArray()


async def _insert(subject, number):
    insert(subject.ctx.storage, number)


async def _drop_table(subject, _number):
    subject.ctx.storage.sql.exec("DROP TABLE IF EXISTS t")


async def _insert_and_put(subject, number):
    storage = subject.ctx.storage
    put = storage.put("a", number)
    insert(storage, number)
    alarm = storage.setAlarm(FAR_MS + number)
    await put
    await alarm


async def _put_at_once(subject, number):
    subject.ctx.storage.kv.put("a", number)


async def _transaction_sync(subject, number):
    storage = subject.ctx.storage

    def body():
        storage.kv.put("a", number)
        insert(storage, number)
        storage.kv.delete("b")

    storage.transactionSync(body)


async def _transaction_sync_undone(subject, number):
    storage = subject.ctx.storage

    def body():
        storage.kv.put("a", number)
        insert(storage, number)
        raise Undo

    try:
        storage.transactionSync(body)
    except Undo:
        return


async def _transaction_with_sql(subject, number):
    storage = subject.ctx.storage

    async def body(txn):
        await txn.put("a", number)
        insert(storage, number)
        await txn.put("b", number)

    await storage.transaction(body)


async def _transaction_with_sql_undone(subject, number):
    storage = subject.ctx.storage

    async def body(txn):
        insert(storage, number)
        await txn.put("a", number)
        raise Undo

    try:
        await storage.transaction(body)
    except Undo:
        return


# ---------------------------------------------------------------------- point-in-time recovery


async def _write_and_restore(subject, number):
    storage = subject.ctx.storage
    bookmark = await storage.getCurrentBookmark()
    await _insert_and_put(subject, number)
    await storage.onNextSessionRestoreBookmark(bookmark)


async def _put_and_restore_now(subject, number):
    storage = subject.ctx.storage
    bookmark = await storage.getCurrentBookmark()
    await storage.put("a", number)
    await storage.onNextSessionRestoreBookmark(bookmark)
    subject.ctx.abort("restore")


async def _write_and_restore_now(subject, number):
    await _write_and_restore(subject, number)
    subject.ctx.abort("restore")


async def _delete_all_and_restore_now(subject, _number):
    storage = subject.ctx.storage
    bookmark = await storage.getCurrentBookmark()
    await storage.deleteAll()
    await storage.onNextSessionRestoreBookmark(bookmark)
    subject.ctx.abort("restore")


# ---------------------------------------------------------------------- the same on the model


def _nothing(_model, _number, _said):
    pass


def _rows(*keys):
    def apply(model, number, _said):
        model.rows.update(dict.fromkeys(keys, number))

    return apply


def _gone(*keys):
    def apply(model, _number, _said):
        for key in keys:
            model.rows.pop(key, None)

    return apply


def _large(model, number, _said):
    model.rows["large"] = "x" * LARGE + str(number)


def _one_more(model, _number, _said):
    model.rows["n"] = model.rows.get("n", 0) + 1


def _alarm_far(model, number, _said):
    model.alarm_ms = FAR_MS + number


def _alarm_said(model, _number, said):
    model.alarm_ms = said


def _no_alarm(model, _number, _said):
    model.alarm_ms = None


def _empty(model, _number, _said):
    model.clear()


def _no_table(model, _number, _said):
    model.table = None


def _one_row(model, number, _said):
    model.insert(number)


def _then_back(*effects):
    """Have effects, and go back when the next session begins."""

    def apply(model, number, said):
        before = model.contents()
        _all(*effects)(model, number, said)
        model.pending = before

    return apply


def _all(*effects):
    def apply(model, number, said):
        for effect in effects:
            effect(model, number, said)

    return apply


@dataclass(frozen=True)
class Operation:
    """One call. `sql`: only classes with SQLite storage have it; `aborts`: it ends the session."""

    perform: Callable[[Subject, int], Any]
    apply: Callable[[Model, int, Any], None]
    sql: bool = False
    aborts: bool = False


_WRITE = (_rows("a"), _one_row, _alarm_far)
_K, _S = Operation, lambda perform, apply: Operation(perform, apply, sql=True)

OPERATIONS: dict[str, Operation] = {
    "read": _K(_read, _nothing),
    "put": _K(_put, _rows("a")),
    "put many": _K(_put_many, _rows("a", "b", "c")),
    "put large": _K(_put_large, _large),
    "delete": _K(_delete, _gone("a")),
    "delete many": _K(_delete_many, _gone("a", "b", "large")),
    "increment": _K(_increment, _one_more),
    "set alarm": _K(_set_alarm, _alarm_far),
    "set alarm soon": _K(_set_alarm_soon, _alarm_said),
    "delete alarm": _K(_delete_alarm, _no_alarm),
    "deleteAll": _K(_delete_all, _empty),
    "deleteAll, put": _K(_delete_all_and_put, _all(_empty, _rows("a", "new"))),
    "transaction": _K(_transaction, _all(_rows("a", "b"), _gone("c"), _alarm_far)),
    "transaction undone": _K(_transaction_undone, _nothing),
    "transaction rolled back": _K(_transaction_rolled_back, _nothing),
    "select": _S(_select, _nothing),
    "insert": _S(_insert, _one_row),
    "drop table": _S(_drop_table, _no_table),
    "insert, put, set alarm": _S(_insert_and_put, _all(*_WRITE)),
    "kv.put": _S(_put_at_once, _rows("a")),
    "transactionSync": _S(_transaction_sync, _all(_rows("a"), _gone("b"), _one_row)),
    "transactionSync undone": _S(_transaction_sync_undone, _nothing),
    "transaction with SQL": _S(_transaction_with_sql, _all(_rows("a", "b"), _one_row)),
    "transaction with SQL undone": _S(_transaction_with_sql_undone, _nothing),
    "write, restore": _S(_write_and_restore, _then_back(*_WRITE)),
    "put, restore, abort": Operation(
        _put_and_restore_now, _then_back(_rows("a")), sql=True, aborts=True
    ),
    "write, restore, abort": Operation(
        _write_and_restore_now, _then_back(*_WRITE), sql=True, aborts=True
    ),
    "deleteAll, restore, abort": Operation(
        _delete_all_and_restore_now, _then_back(_empty), sql=True, aborts=True
    ),
}


def operations(*, sql: bool) -> list[str]:
    """Return the names of the operations that a kind of storage has."""
    return [name for name, operation in OPERATIONS.items() if sql or not operation.sql]
