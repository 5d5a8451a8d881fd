"""Transactions of an object whose storage fails at their beginning."""

import pytest

from dobook.errors import PlatformError


class Ledger:
    def __init__(self, ctx, env):
        self.storage = ctx.storage

    async def move(self, *, fails):
        self.storage.kv.put("before", 1)

        async def body(txn):
            await txn.put("left", 99)
            if fails:
                raise ValueError("no")
            await txn.put("right", 99)

        try:
            await self.storage.transaction(body)
        except ValueError:
            return await self.rows()

    async def rows(self):
        return list(await self.storage.list())


def test_a_commit_that_fails_before_a_transaction_leaves_no_transaction_open(runtime):
    ledger = runtime.register(Ledger)
    runtime.faults.slow(ledger.getByName("a"), 5)  # so that it has not been committed by then
    runtime.faults.fail_writes(ledger.getByName("a"))
    with pytest.raises(PlatformError, match="could not be written"):
        runtime.run(ledger.getByName("a").move(fails=False))
    assert runtime.run(ledger.getByName("a").move(fails=True)) == ["before"]
    runtime.crash(ledger.getByName("a"))
    assert runtime.run(ledger.getByName("a").rows()) == ["before"]
