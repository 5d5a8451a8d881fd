"""SqlStorage equals plain SQLite, whatever the order of statements, cursors and turns."""

import sqlite3

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dobook.errors import PlatformError
from dobook.storage.connection import Connection
from dobook.storage.sql.storage import SqlStorage

keys = st.sampled_from(["a", "b", "é", "", "key\0nul", "\ud800"])
numbers = st.one_of(st.integers(-5, 5), st.floats(allow_nan=False, width=32), st.none())
values = st.one_of(numbers, st.text(max_size=5), st.binary(max_size=5), st.booleans())


def as_bound(value):
    """What the platform makes of a binding."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return float(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return value


class SqlMachine(RuleBasedStateMachine):
    """The same statements go to `exec` and to a plain connection."""

    unsafe_limits = False
    owner = None

    def __init__(self):
        super().__init__()
        self.database = Connection(None)
        self.sql = SqlStorage(self)
        self.model = sqlite3.connect(":memory:", isolation_level=None)
        self.depth = 0
        self.cursors = []
        for query in (
            "CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT UNIQUE, v)",
            "CREATE TRIGGER tr AFTER DELETE ON t BEGIN UPDATE t SET v = v WHERE id = old.id; END",
        ):
            self.both(query)

    def connection(self):
        return self.database

    def will_write(self):
        if not self.database.in_transaction:
            self.database.begin()
            self.model.execute("BEGIN")

    def settle_schema(self):
        pass

    def check(self):
        pass

    def both(self, query, *bindings, names=None):
        bound = [as_bound(value) for value in bindings]
        if names:  # the module binds named placeholders from a mapping only, since Python 3.14
            bound = dict(zip(names, bound, strict=True))
        try:
            found = [list(row) for row in self.sql.exec(query, *bindings).raw()]
        except PlatformError as error:
            found = str(error).split(":")[0]
        try:
            wanted = self.model.execute(query, bound).fetchall()
            wanted = [list(row) for row in wanted]
        except sqlite3.Error as error:
            wanted = str(error).split(":")[0]
        assert found == wanted
        assert self.database.in_transaction == self.model.in_transaction

    @rule(key=keys, value=values)
    def insert(self, key, value):
        self.both("INSERT INTO t(k, v) VALUES (?, ?)", key, value)

    @rule(key=keys, value=numbers)
    def upsert(self, key, value):
        self.both(
            "INSERT INTO t(k, v) VALUES (:k, :v) "
            "ON CONFLICT (k) DO UPDATE SET v = excluded.v RETURNING id, v",
            key,
            value,
            names=("k", "v"),
        )

    @rule(key=keys)
    def delete(self, key):
        self.both("DELETE FROM t WHERE k = ?", key)

    @rule(key=keys)
    def look_up(self, key):
        self.both("SELECT v, typeof(v) FROM t WHERE k = ?", key)

    @rule(count=st.integers(-1, 3))
    def page(self, count):
        self.both("SELECT id, k, v FROM t ORDER BY id LIMIT ?", count)

    @rule()
    def fail(self):
        self.both("SELECT nope FROM t")
        self.both("INSERT INTO missing VALUES (1)")

    @rule()
    def end_turn(self):
        if self.depth == 0 and self.database.in_transaction:
            self.database.commit()
            self.model.execute("COMMIT")

    @rule()
    def open_savepoint(self):
        self.will_write()
        self.depth += 1
        self.database.savepoint(f"s{self.depth}")
        self.model.execute(f"SAVEPOINT s{self.depth}")

    @precondition(lambda self: self.depth > 0)
    @rule(keep=st.booleans())
    def close_savepoint(self, keep):
        name = f"s{self.depth}"
        if not keep:
            self.database.rollback_to(name)
            self.model.execute(f"ROLLBACK TO {name}")
        self.database.release(name)
        self.model.execute(f"RELEASE {name}")
        self.depth -= 1

    @invariant()
    def same_rows(self):
        query = "SELECT id, k, v, typeof(v) FROM t ORDER BY id"
        found = [tuple(row) for row in self.sql.exec(query).raw()]
        assert found == self.model.execute(query).fetchall()

    def teardown(self):
        self.database.close()
        self.model.close()


TestSql = SqlMachine.TestCase
TestSql.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
