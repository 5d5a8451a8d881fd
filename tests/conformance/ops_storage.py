"""The ops of an object's state and storage: `ctx`, `ctx.storage`, transactions, `kv` and `sql`."""

import itertools
from typing import Any

from .eager import run_now, start
from .interpreter import Frame, Op, Program, closure, execute, op
from .values import UNDEFINED, make_error

# ---------------------------------------------------------------- state


@op("id")
def id_(frame: Frame) -> Any:
    return frame.ctx.id


@op("block", raw=True)
def block(frame: Frame, program: Program) -> Any:
    return frame.ctx.blockConcurrencyWhile(lambda: closure(frame, program))


@op("waitUntil", raw=True)
def wait_until(frame: Frame, program: Program) -> None:
    frame.ctx.waitUntil(start(closure(frame, program)))


@op("abort")
def abort(frame: Frame, *reason: Any) -> None:
    frame.ctx.abort(*reason)


# ---------------------------------------------------------------- storage
# Inside a transaction these go to the transaction.


@op("get")
def get(frame: Frame, *args: Any) -> Any:
    return frame.storage.get(*args)


@op("put", raw=True)
def put(frame: Frame, *args: Any) -> Any:
    # A value that is undefined is, in Python, one that is not given.
    return frame.storage.put(*[frame.value(arg) for arg in args if arg != UNDEFINED])


@op("delete")
def delete(frame: Frame, *args: Any) -> Any:
    return frame.storage.delete(*args)


@op("list")
def list_(frame: Frame, *args: Any) -> Any:
    return frame.storage.list(*args)


@op("deleteAll")
def delete_all(frame: Frame, *args: Any) -> Any:
    return frame.storage.deleteAll(*args)


@op("sync")
def sync(frame: Frame) -> Any:
    return frame.storage.sync()


@op("getAlarm")
async def get_alarm(frame: Frame, *args: Any) -> Any:
    at_ms = await frame.storage.getAlarm(*args)
    return None if at_ms is None else frame.world.moment(at_ms)


@op("setAlarm")
def set_alarm(frame: Frame, *args: Any) -> Any:
    return frame.storage.setAlarm(*args)


@op("deleteAlarm")
def delete_alarm(frame: Frame, *args: Any) -> Any:
    return frame.storage.deleteAlarm(*args)


@op("getCurrentBookmark")
def get_current_bookmark(frame: Frame) -> Any:
    return frame.storage.getCurrentBookmark()


@op("getBookmarkForTime")
def get_bookmark_for_time(frame: Frame, *args: Any) -> Any:
    return frame.storage.getBookmarkForTime(*args)


@op("onNextSessionRestoreBookmark")
def on_next_session_restore_bookmark(frame: Frame, *args: Any) -> Any:
    return frame.storage.onNextSessionRestoreBookmark(*args)


# ---------------------------------------------------------------- transactions


@op("transaction", raw=True)
def transaction(frame: Frame, program: Program) -> Any:
    return frame.ctx.storage.transaction(lambda txn: closure(frame.but(storage=txn), program))


@op("rollback")
def rollback(frame: Frame) -> Any:
    return frame.storage.rollback()


@op("outer", raw=True)
async def outer(frame: Frame, an_op: Op) -> Any:
    return await execute(frame.but(storage=frame.ctx.storage), an_op)


@op("keepTxn")
def keep_txn(frame: Frame) -> None:
    frame.me.kept = frame.storage


@op("keptTxn", raw=True)
async def kept_txn(frame: Frame, an_op: Op) -> Any:
    return await execute(frame.but(storage=frame.me.kept), an_op)


@op("transactionSync", raw=True)
def transaction_sync(frame: Frame, program: Program) -> Any:
    return frame.ctx.storage.transactionSync(lambda: run_now(closure(frame, program)))


# ---------------------------------------------------------------- synchronous KV


@op("kv.get")
def kv_get(frame: Frame, *args: Any) -> Any:
    return frame.ctx.storage.kv.get(*args)


@op("kv.put")
def kv_put(frame: Frame, *args: Any) -> Any:
    return frame.ctx.storage.kv.put(*args)


@op("kv.delete")
def kv_delete(frame: Frame, *args: Any) -> Any:
    return frame.ctx.storage.kv.delete(*args)


@op("kv.list")
def kv_list(frame: Frame, *args: Any) -> Any:
    return list(frame.ctx.storage.kv.list(*args))


@op("kv.open")
def kv_open(frame: Frame, name: str, *args: Any) -> None:
    frame.vars[name] = frame.ctx.storage.kv.list(*args)


@op("kv.next")
def kv_next(_frame: Frame, iterator: Any) -> dict[str, Any]:
    return next_of(iterator)


def next_of(iterator: Any) -> dict[str, Any]:
    """Return an iterator's next item as JavaScript gives it."""
    if iterator is None:  # of a variable that was never set: JavaScript's own error
        raise make_error("TypeError", "Cannot read properties of undefined (reading 'next')")
    for item in iterator:
        return {"done": False, "value": item}
    return {"done": True}


# ---------------------------------------------------------------- SQL


@op("sql")
def sql(frame: Frame, query: str, *bindings: Any) -> Any:
    return frame.ctx.storage.sql.exec(query, *bindings).toArray()


@op("sql.open")
def sql_open(frame: Frame, name: str, query: str, *bindings: Any) -> None:
    frame.vars[name] = frame.ctx.storage.sql.exec(query, *bindings)


@op("cursor")
def cursor(frame: Frame, of: Any, method: str, *args: Any) -> Any:
    match method:
        case "next":
            return next_of(of)
        case "raw":
            return list(of.raw())
        case "rawNext":
            if id(of) not in frame.raw:
                frame.raw[id(of)] = of.raw()
            return next_of(frame.raw[id(of)])
        case "take":
            return list(itertools.islice(of, args[0]))
        case "columnNames" | "rowsRead" | "rowsWritten":
            return getattr(of, method)
    return getattr(of, method)(*args)


@op("sql.size")
def sql_size(frame: Frame) -> bool:
    size = frame.ctx.storage.sql.databaseSize
    return size > 0 and size % 4096 == 0
