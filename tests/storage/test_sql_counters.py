"""`changes()` and `last_insert_rowid()` begin at 0 wherever the engine opens a database anew.

Recorded with workerd 1.20261117.1: after each of these both are 0; after nothing they are not.
"""

import contextlib

import pytest

from dobook import Runtime

COUNTERS = "SELECT changes(), last_insert_rowid()"


class Counting:
    def __init__(self, ctx, env):
        self.ctx = ctx

    def sql(self, *queries):
        return [list(map(list, self.ctx.storage.sql.exec(query).raw())) for query in queries]

    async def delete_all(self):
        await self.ctx.storage.deleteAll()

    def abort(self):
        self.ctx.abort("enough")

    def write_and_abort(self):
        self.ctx.storage.sql.exec("INSERT INTO t VALUES (NULL)")
        self.ctx.abort("enough")

    async def block(self):
        await self.ctx.blockConcurrencyWhile(self.fail)

    async def fail(self):
        raise ValueError("no")


@pytest.mark.parametrize("disk", [False, True])
@pytest.mark.parametrize(
    ("how", "counters"),
    [
        ("nothing", [2, 2]),
        ("delete_all", [0, 0]),
        ("abort", [0, 0]),
        ("write_and_abort", [0, 0]),
        ("block", [0, 0]),
        ("evict", [0, 0]),
        ("crash", [0, 0]),
    ],
)
def test_the_counters_of_sql_after(tmp_path, disk, how, counters):
    with Runtime(tmp_path if disk else None) as runtime:
        objects = runtime.register(Counting)
        stub = objects.getByName("a")
        table = "CREATE TABLE t(n INTEGER PRIMARY KEY AUTOINCREMENT)"
        runtime.run(stub.sql(table, "INSERT INTO t VALUES (NULL), (NULL)"))
        if how in ("evict", "crash"):
            getattr(runtime, how)(stub)
        elif how != "nothing":

            async def end():
                with contextlib.suppress(Exception):
                    await getattr(stub, how)()

            runtime.run(end())
        stub = objects.getByName("a")
        assert runtime.run(stub.sql(COUNTERS)) == [[counters]]
        names = [] if how == "delete_all" else [["sqlite_sequence"], ["t"]]
        assert runtime.run(stub.sql("SELECT name FROM sqlite_master ORDER BY 1")) == [names]
