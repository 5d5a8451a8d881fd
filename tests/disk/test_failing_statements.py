"""Promise: a turn is whole or absent, also where one of its statements fails and its code carries on.

SQLite undoes the whole transaction where the disk or memory refuses, also when a statement that only
reads meets it. The object's code may catch that error: nothing of its turn may be acknowledged then.

Source: sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
"""

import itertools
import warnings

import pytest

from dobook import Runtime
from dobook.errors import PlatformError
from tests.disk import sqlite_vfs
from tests.disk.faults import SQLITE, Fault, failing, kinds

READS = [
    kind
    for kind in kinds(all_of_them=True)
    if (kind.side, kind.call) == (SQLITE, "read")
    and kind.error != sqlite_vfs.INTERRUPT
    and not kind.stays
]
HOW = {
    "one": lambda cursor: cursor.one(),
    "all": lambda cursor: cursor.toArray(),
    "each": lambda cursor: [dict(row) for row in cursor],
}
ROWS = 60  # each a page of its own and more, so that there is something to read

pytestmark = pytest.mark.skipif(bool(sqlite_vfs.why_not()), reason="no SQLite to simulate")


class Reader:
    fault = None  # of the run

    def __init__(self, ctx, env):
        self.sql, self.kv = ctx.storage.sql, ctx.storage.kv

    def fill(self):
        self.sql.exec("CREATE TABLE written(x)")
        self.sql.exec("CREATE TABLE large(x)")
        for number in range(ROWS):
            self.sql.exec("INSERT INTO large VALUES (?)", f"{number}" * 4_000)

    def turn(self, how, *, again):
        self.sql.exec("INSERT INTO written VALUES (1)")
        self.kv.put("written", 1)
        self.fault.mended = False
        try:
            HOW[how](self.sql.exec("SELECT sum(length(x)) AS n FROM large"))
        except (PlatformError, MemoryError):
            pass
        finally:
            self.fault.mended = True
        if again:
            self.sql.exec("INSERT INTO written VALUES (2)")

    def written(self):
        found = self.sql.exec("SELECT count(*) AS n FROM written").one()["n"]
        return [found, self.kv.get("written") or 0]


@pytest.fixture
def filled(tmp_path):
    with Runtime(tmp_path, durability="process", history=0) as runtime:
        runtime.run(runtime.register(Reader).getByName("a").fill())
    return tmp_path


@pytest.mark.parametrize("again", [False, True], ids=["", "and writes more"])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", READS, ids=str)
def test_a_turn_whose_reading_fails_is_whole_or_absent(filled, monkeypatch, kind, how, again):
    hits, before = 0, [0, 0]
    for number in itertools.count(1, 37):
        fault = Fault(kind, number)
        fault.mended = True
        monkeypatch.setattr(Reader, "fault", fault)
        with warnings.catch_warnings(), failing(fault):
            warnings.simplefilter("ignore")
            with Runtime(filled, durability="process", history=0) as runtime:
                stub = runtime.register(Reader).getByName("a")
                runtime.run(stub.written())
                try:
                    runtime.run(stub.turn(how, again=again))
                    after = [before[0] + 1 + again, 1]
                except PlatformError:
                    after = before
                assert runtime.run(runtime.namespace(Reader).getByName("a").written()) == after
            with Runtime(filled, durability="process", history=0) as runtime:
                assert runtime.run(runtime.register(Reader).getByName("a").written()) == after
        before = after
        if not fault.hit:
            break
        hits += 1
    assert hits > 0
