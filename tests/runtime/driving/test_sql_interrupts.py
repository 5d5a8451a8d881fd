"""SQL that does not end: the stop button stops it, and so does any other signal handler."""

import gc
import signal
import sqlite3
import threading

import pytest

from dobook import Runtime
from dobook.storage.connection import Connection

COUNTING = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
ENDLESS = f"{COUNTING} SELECT count(*) FROM c"
ENDLESS_WRITE = f"INSERT INTO t {COUNTING} SELECT x FROM c"
CROSS_JOIN = "SELECT count(*) FROM t a, t b, t c, t d, t e, t f WHERE a.x + b.x + c.x + f.x < 0"


class Timeout(BaseException):
    """As a test's timeout is one."""


def interrupt():
    """Have SIGINT come while the statement runs; the first one only asks the loop to stop."""
    signal.raise_signal(signal.SIGINT)


class Queries:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.sql = ctx.storage.sql

    def fill(self, value):
        self.sql.exec("CREATE TABLE IF NOT EXISTS t(x)")
        self.sql.exec("INSERT INTO t VALUES (?)", value)
        self.ctx.storage.kv.put("last", value)

    def stored(self):
        return [
            [row.x for row in self.sql.exec("SELECT x FROM t")],
            self.ctx.storage.kv.get("last"),
        ]

    def _begin(self):
        self.sql.exec("INSERT INTO t VALUES (-1)")
        self.ctx.storage.kv.put("last", -1)
        interrupt()

    async def query(self):
        self._begin()
        self.sql.exec(ENDLESS).one()

    async def cross_join(self):
        self._begin()
        self.sql.exec("INSERT INTO t " + COUNTING + "SELECT x FROM c LIMIT 300")
        self.sql.exec(CROSS_JOIN).one()

    async def write(self):
        self._begin()
        self.sql.exec(ENDLESS_WRITE)

    async def several(self):
        self._begin()
        self.sql.exec(f"INSERT INTO t VALUES (-2); {ENDLESS}; SELECT 1")

    async def cursor(self):
        self._begin()
        for _row in self.sql.exec(f"{COUNTING} SELECT x FROM c WHERE x = 1 OR x < 0"):
            pass

    async def function(self):
        self._begin()
        self.sql.exec(f"{COUNTING} SELECT octet_length(x) FROM c WHERE concat(x, '') = ''")

    async def in_transaction_sync(self):
        self._begin()
        self.ctx.storage.transactionSync(lambda: self.sql.exec(ENDLESS_WRITE))

    async def in_transaction(self):
        async def closure(txn):
            await txn.put("last", -2)
            self._begin()
            self.sql.exec(ENDLESS_WRITE)

        await self.ctx.storage.transaction(closure)

    async def in_section(self):
        async def section():
            self._begin()
            self.sql.exec(ENDLESS)

        await self.ctx.blockConcurrencyWhile(section)

    async def swallowed(self):
        self._begin()
        try:
            self.sql.exec(ENDLESS_WRITE)
        except BaseException:
            self.ctx.storage.kv.put("last", -3)

    def nested(self):
        inner = Runtime()
        try:
            stub = inner.register(Queries).getByName("inner")
            inner.run(stub.fill(0))
            inner.run(stub.query())
        finally:
            inner.close()

    async def timed_out(self):
        self.sql.exec("INSERT INTO t VALUES (-1)")
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.02)  # of this process's own time
        self.sql.exec(ENDLESS)


@pytest.fixture(autouse=True)
def _no_long_collection():
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def stub(runtime):
    made = runtime.register(Queries).getByName("a")
    runtime.run(made.fill(1))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize(
    "method",
    [
        *("query", "cross_join", "write", "several", "cursor", "function", "in_transaction_sync"),
        *("in_transaction", "in_section", "nested"),
    ],
)
def test_an_interrupt_stops_a_statement_and_undoes_the_turn(runtime, stub, method, real):
    if real:
        runtime.start_real_time()
    with pytest.raises(KeyboardInterrupt) as raised:
        runtime.run(getattr(stub, method)())
    assert not isinstance(raised.value, sqlite3.Error)
    assert runtime.run(stub.stored()) == [[1], 1]
    runtime.run(stub.fill(2))
    assert runtime.run(stub.stored()) == [[1, 2], 2]


@pytest.mark.slow
def test_code_that_swallows_the_interrupt_of_a_write_is_undone_all_the_same(runtime, stub):
    with pytest.raises(KeyboardInterrupt):
        runtime.run(stub.swallowed())
    assert runtime.run(stub.stored()) == [[1], 1]


@pytest.mark.slow
def test_an_interrupted_statement_leaves_the_directory_to_the_next_runtime(tmp_path):
    with Runtime(tmp_path) as runtime:
        stub = runtime.register(Queries).getByName("a")
        runtime.run(stub.fill(1))
        with pytest.raises(KeyboardInterrupt) as raised:
            runtime.run(stub.write())
        runtime.advance("1m")  # evicted, and so its file is closed
        runtime.run(stub.fill(2))
    with Runtime(tmp_path) as runtime:
        stored = runtime.run(runtime.register(Queries).getByName("a").stored())
    assert stored == [[1, 2], 2]
    del raised  # until here its traceback was kept, as a notebook keeps the last one


@pytest.mark.skipif(not hasattr(signal, "SIGVTALRM"), reason="there are no interval timers")
def test_a_timeout_of_a_test_stops_a_statement(runtime, stub):
    def expired(_signum, _frame):
        raise Timeout("too slow")

    before = signal.signal(signal.SIGVTALRM, expired)
    try:
        with pytest.raises(Timeout, match="too slow"):
            runtime.run(stub.timed_out())
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        assert signal.signal(signal.SIGVTALRM, before) is expired
    assert runtime.run(stub.stored()) == [[1], 1]


@pytest.mark.skipif(not hasattr(signal, "SIGVTALRM"), reason="there are no interval timers")
def test_a_statement_of_the_engine_ends_before_an_exception_is_raised():
    def expired(_signum, _frame):
        raise Timeout

    def fill_and_wait():
        connection.execute(f"INSERT INTO t {COUNTING} SELECT x FROM c LIMIT 300000")
        while True:
            threading.get_ident()

    connection = Connection(None)
    connection.execute("CREATE TABLE t(x)")
    before = signal.signal(signal.SIGVTALRM, expired)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.001)
        with pytest.raises(Timeout):
            fill_and_wait()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (300_000,)
    connection.close()
