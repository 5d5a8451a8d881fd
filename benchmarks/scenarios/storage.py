"""Random operations on an object's storage: key-value, SQL, transactions and the alarm."""

from collections.abc import Sequence
from typing import Any

from .dice import BOUNDS, KEYS, Dice, Op, entries, throw, value

OPTIONS = ["allowUnconfirmed", "allowConcurrency", "noCache"]
ROWS = ["a", "b", "c", "d", "é"]

SCHEMA = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT UNIQUE, v INTEGER CHECK (v < 900), w TEXT)",
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL); CREATE TABLE child (id INTEGER PRIMARY KEY, "
    "of INTEGER REFERENCES parent(id) ON DELETE CASCADE, n INTEGER DEFAULT 7)",
    "CREATE TABLE seen (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT); "
    "CREATE TRIGGER watch AFTER UPDATE ON t BEGIN INSERT INTO seen (what) VALUES (old.k || '>' || new.k); END",
    "CREATE VIEW sums AS SELECT v, count(*) AS n FROM t GROUP BY v",
    "CREATE TABLE pairs (x INTEGER, y INTEGER, z INTEGER GENERATED ALWAYS AS (x * y) STORED, PRIMARY KEY (x, y)) WITHOUT ROWID",
    "CREATE INDEX by_v ON t (v DESC) WHERE v > 3",
)
SELECTS = (
    "SELECT k, v, w FROM t ORDER BY id",
    "SELECT count(*) AS n, sum(v) AS s, min(k) AS lo, max(k) AS hi FROM t",
    "SELECT v, group_concat(k) AS ks FROM (SELECT v, k FROM t ORDER BY k) GROUP BY v ORDER BY v",
    "SELECT k, v, row_number() OVER (ORDER BY v, k) AS place, sum(v) OVER (ORDER BY v, k) AS running FROM t ORDER BY place",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5) SELECT x, (SELECT k FROM t WHERE v = x) AS k FROM c",
    "SELECT t.k, u.k FROM t JOIN t AS u ON u.v = t.v AND u.k > t.k ORDER BY t.k, u.k",
    "SELECT json_group_array(k) AS ks FROM (SELECT k FROM t ORDER BY k)",
    "SELECT k FROM t WHERE k LIKE 'a%' OR k GLOB '[b-c]' ORDER BY k",
    "SELECT k, CASE WHEN v > 10 THEN 'big' WHEN v IS NULL THEN 'none' ELSE 'small' END AS size FROM t ORDER BY k",
    "SELECT v FROM t UNION SELECT length(k) FROM t ORDER BY 1",
    "SELECT k, x'00ff' AS bytes, 1.5 AS half, NULL AS nothing FROM t ORDER BY k LIMIT 2",
    'SELECT key, value, type FROM json_each(\'[1,"x",null,{"a":2}]\')',
    "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' ORDER BY name",
    "VALUES (1, 'a'), (2, NULL)",
    "PRAGMA table_info(t)",
    "PRAGMA foreign_key_list(child)",
    "SELECT * FROM t, t AS u ORDER BY t.id, u.id LIMIT 2",
    "EXPLAIN QUERY PLAN SELECT 1",
)
REFUSED = (
    "SELECT nope FROM t",
    "SELECT",
    "SELEC 1",
    "",
    ";",
    "-- only a comment",
    "BEGIN",
    "COMMIT",
    "SAVEPOINT s",
    "ROLLBACK",
    "INSERT INTO missing VALUES (1)",
    "INSERT INTO t (k, v) VALUES ('a')",
    "INSERT INTO t (k, v) VALUES ('zz', 901)",
    "INSERT INTO parent (id) VALUES (1)",
    "INSERT INTO child (of) VALUES (4711)",
    "INSERT INTO sums VALUES (1, 2)",
    "UPDATE pairs SET z = 1",
    "CREATE TABLE t (x)",
    "CREATE TABLE _cf_mine (x)",
    "SELECT * FROM _cf_KV",
    "DROP TABLE nothing",
    "ATTACH 'x' AS y",
    "VACUUM",
    "PRAGMA journal_mode",
    "SELECT load_extension('x')",
    "SELECT abs(-9223372036854775808)",
    "SELECT json('{')",
    "CREATE TEMP TABLE q (x)",
    "ALTER TABLE t RENAME TO _cf_t",
    "SELECT 1; SELECT nope",
    "INSERT INTO t (k) VALUES ('m1'); INSERT INTO missing VALUES (1)",
    "REINDEX by_v",
    "SELECT raise(ABORT, 'x')",
    "SELECT sum(9223372036854775807) FROM (SELECT 1 UNION ALL SELECT 2)",
)


def options(dice: Dice) -> list[dict[str, bool]]:
    """Draw the options of one operation, mostly none."""
    if dice.chance(0.8):
        return []
    return [{name: dice.chance(0.7) for name in dice.some(OPTIONS, 1, 2)}]


def write(dice: Dice, keys: Sequence[str] = KEYS) -> Op:
    return dice.among(
        (5, lambda: ["put", dice.pick(keys), value(dice), *options(dice)]),
        (2, lambda: ["put", entries(dice, keys, 0, 4), *options(dice)]),
        (2, lambda: ["delete", dice.pick(keys), *options(dice)]),
        (1, lambda: ["delete", dice.some(keys, 0, 4), *options(dice)]),
    )


def read(dice: Dice, keys: Sequence[str] = KEYS) -> Op:
    return dice.among(
        (4, lambda: ["get", dice.pick(keys), *options(dice)]),
        (2, lambda: ["get", dice.some(keys, 0, 5), *options(dice)]),
        (1, lambda: ["list", listing(dice)]),
        (1, lambda: ["list"]),
    )


def listing(dice: Dice, bounds: Sequence[str] = BOUNDS) -> dict[str, Any]:
    """Draw options of `list()`; some refuse each other."""
    drawn: dict[str, Any] = {}
    if dice.chance(0.3):
        drawn["prefix"] = dice.pick([*bounds, "a/", "b/"])
    if dice.chance(0.3):
        drawn[dice.pick(["start", "startAfter"])] = dice.pick(bounds)
    if dice.chance(0.3):
        drawn["end"] = dice.pick(bounds)
    if dice.chance(0.4):
        drawn["reverse"] = dice.chance(0.8)
    if dice.chance(0.4):
        drawn["limit"] = dice.pick([1, 2, 3, 6, 1000]) if dice.chance(0.9) else 0
    if dice.chance(0.03):
        drawn |= {"start": "a", "startAfter": "b"}
    return drawn


def sync_write(dice: Dice, keys: Sequence[str] = KEYS) -> Op:
    return dice.among(
        (3, lambda: ["kv.put", dice.pick(keys), value(dice)]),
        (1, lambda: ["kv.delete", dice.pick(keys)]),
    )


def sync_read(dice: Dice, keys: Sequence[str] = KEYS) -> Op:
    return dice.among(
        (3, lambda: ["kv.get", dice.pick(keys)]),
        (1, lambda: ["kv.list", listing(dice)]),
        (1, lambda: ["kv.list"]),
    )


def sql_write(dice: Dice) -> Op:
    """An operation on the tables of `SCHEMA`; its numbers go to INTEGER columns only."""

    def row() -> Any:
        return dice.pick(ROWS)

    return dice.among(
        (
            4,
            lambda: [
                "sql",
                "INSERT INTO t (k, v, w) VALUES (?, ?, ?)",
                row(),
                dice.between(0, 20),
                dice.pick([None, "w", ""]),
            ],
        ),
        (
            2,
            lambda: [
                "sql",
                "INSERT INTO t (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = v + excluded.v RETURNING k, v",
                row(),
                dice.between(1, 9),
            ],
        ),
        (
            1,
            lambda: [
                "sql",
                f"INSERT OR {dice.pick(['REPLACE', 'IGNORE', 'ABORT', 'FAIL'])} INTO t (k, v) VALUES (?, ?), ('x', 1), (?, 2) RETURNING k",
                row(),
                dice.between(0, 9),
                row(),
            ],
        ),
        (2, lambda: ["sql", "UPDATE t SET v = v + ? WHERE k >= ?", dice.between(-5, 5), row()]),
        (1, lambda: ["sql", "UPDATE t SET k = ? WHERE k = ?", row(), row()]),
        (
            1,
            lambda: [
                "sql",
                "UPDATE t SET v = p.id FROM parent AS p WHERE p.name = t.k RETURNING t.k, t.v",
            ],
        ),
        (1, lambda: ["sql", "DELETE FROM t WHERE v > ? RETURNING k", dice.between(10, 20)]),
        (1, lambda: ["sql", "DELETE FROM t WHERE k = ?", row()]),
        (
            1,
            lambda: [
                "sql",
                "INSERT INTO parent (id, name) VALUES (?, ?) RETURNING id",
                dice.between(1, 4),
                row(),
            ],
        ),
        (1, lambda: ["sql", "INSERT INTO child (of) VALUES (?) RETURNING *", dice.between(1, 4)]),
        (0.7, lambda: ["sql", "DELETE FROM parent WHERE id = ?", dice.between(1, 4)]),
        (
            0.7,
            lambda: [
                "sql",
                "INSERT INTO pairs (x, y) VALUES (?, ?)",
                dice.between(1, 3),
                dice.between(1, 3),
            ],
        ),
        (
            0.5,
            lambda: [
                "sql",
                "INSERT INTO t (k, v) VALUES ('m', 1); UPDATE t SET v = v + 1 WHERE k = 'm'; SELECT k, v FROM t WHERE k = 'm'",
            ],
        ),
        (
            0.4,
            lambda: [
                "sql",
                dice.pick(
                    [
                        "ALTER TABLE t ADD COLUMN extra TEXT DEFAULT 'e'",
                        "CREATE TABLE IF NOT EXISTS later (x INTEGER)",
                        "DROP VIEW IF EXISTS sums",
                        "DROP TABLE IF EXISTS later",
                        "ALTER TABLE seen RENAME COLUMN what TO which",
                        "DROP TRIGGER IF EXISTS watch",
                    ]
                ),
            ],
        ),
    )


def sql_read(dice: Dice) -> Op:
    return dice.among(
        (6, lambda: ["sql", dice.pick(SELECTS)]),
        (
            1,
            lambda: [
                "sql",
                "SELECT k, v FROM t WHERE v BETWEEN ? AND ? ORDER BY v, k",
                dice.between(0, 5),
                dice.between(6, 20),
            ],
        ),
        (
            1,
            lambda: [
                "sql",
                "SELECT k FROM t WHERE k IN (?, ?) ORDER BY k DESC LIMIT ?",
                dice.pick(ROWS),
                dice.pick(ROWS),
                dice.between(0, 3),
            ],
        ),
        (1, lambda: ["sql", "SELECT * FROM child ORDER BY id"]),
        (1, lambda: ["sql", "SELECT x, y, z FROM pairs"]),
        (1, lambda: ["sql", "SELECT id FROM seen ORDER BY id"]),
        (0.5, lambda: ["sql", "SELECT * FROM sums ORDER BY v"]),
        (
            0.5,
            lambda: [
                "sql",
                "SELECT ?2 AS b, ?1 AS a",
                dice.pick(["x", None]),
                dice.pick(["y", {"$bytes": "AAE="}]),
            ],
        ),
        (0.3, lambda: ["sql", "SELECT k FROM t WHERE k = ? OR k = ?", "a"]),
        (0.3, lambda: ["sql", "SELECT k FROM t WHERE k = ?", "a", "b"]),
    )


def sql_refused(dice: Dice) -> Op:
    return ["sql", dice.pick(REFUSED)]


def cursors(dice: Dice) -> list[Op]:
    """Some cursors, read by turns with writes in between."""

    def query() -> Any:
        return dice.pick(
            [
                "SELECT k, v FROM t ORDER BY id",
                "SELECT k FROM t ORDER BY k DESC",
                "VALUES (1), (2), (3)",
            ]
        )

    names = ["c0", "c1"][: dice.between(1, 2)]
    # A cursor that the engine always makes comes first, where a table may be gone.
    ops: list[Op] = [["sql.open", name, "VALUES (1), (2), (3)"] for name in names]
    ops += [["sql.open", name, query()] for name in names]
    methods = ["next", "next", "next", "toArray", "one", "columnNames", "raw", "rawNext"]
    ops += dice.times(
        3,
        7,
        lambda: dice.among(
            (5, lambda: ["cursor", {"$var": dice.pick(names)}, dice.pick(methods)]),
            (1, lambda: ["cursor", {"$var": dice.pick(names)}, "take", dice.between(1, 2)]),
            (1, lambda: sql_write(dice)),
            (0.5, lambda: ["sql.open", dice.pick(names), query()]),
        ),
    )
    return ops


def iterators(dice: Dice) -> list[Op]:
    """Iterators of `kv.list()`, read by turns with writes in between."""
    names = ["i0", "i1"][: dice.between(1, 2)]
    ops: list[Op] = [["kv.open", name, listing(dice)] for name in names]
    ops += dice.times(
        3,
        8,
        lambda: dice.among(
            (4, lambda: ["kv.next", {"$var": dice.pick(names)}]),
            (2, lambda: sync_write(dice)),
            (0.5, lambda: write(dice)),
            (
                0.3,
                lambda: [
                    "transactionSync",
                    [sync_write(dice), ["kv.next", {"$var": names[0]}]],
                ],
            ),
        ),
    )
    return ops


def alarm(dice: Dice, low: int = 60, high: int = 90) -> Op:
    """An operation on the alarm; times are whole seconds, by default after the scenario."""
    return dice.among(
        (
            3,
            lambda: [
                "setAlarm",
                {dice.pick(["$t", "$t", "$tdate"]): dice.between(low, high) * 1000},
                *options(dice),
            ],
        ),
        (3, lambda: ["getAlarm"]),
        (1, lambda: ["deleteAlarm"]),
    )


def ending(dice: Dice) -> list[Op]:
    """How a transaction ends: well, rolled back, or with an error."""
    return dice.among((6, list), (1, lambda: [["rollback"]]), (1.5, lambda: [throw(dice)]))


def inside(dice: Dice, *, sql: bool, depth: int = 0) -> Op:
    """An operation for the inside of a transaction."""
    nested = 1.0 if depth < 2 else 0.0
    with_sql = 1.0 if sql else 0.0
    return dice.among(
        (4, lambda: write(dice)),
        (3, lambda: read(dice)),
        (2 * with_sql, lambda: sql_write(dice)),
        (1 * with_sql, lambda: sql_read(dice)),
        (0.5 * with_sql, lambda: sync_write(dice)),
        (0.5 * with_sql, lambda: sync_read(dice)),
        (0.6 * with_sql * nested, lambda: transaction_sync(dice, depth + 1)),
        (1, lambda: alarm(dice)),
        (0.2, lambda: ["rollback"]),
        (0.2, lambda: ["deleteAll"]),
        (nested, lambda: ["outer", transaction(dice, sql=sql, depth=depth + 1)]),
        (0.5, lambda: ["outer", dice.pick([write, read])(dice)]),
        (0.2, lambda: ["sleep", 50]),
        (0.3, lambda: ["must", dice.pick([["get", "n"], ["put", "n", 1], ["list", {"limit": 0}]])]),
        (0.3, lambda: ["all", dice.times(2, 3, lambda: dice.pick([write, read])(dice))]),
    )


def transaction(dice: Dice, *, sql: bool, depth: int = 0) -> Op:
    body = dice.times(1, 4, lambda: inside(dice, sql=sql, depth=depth))
    return ["transaction", [["keepTxn"], *body, *ending(dice)]]


def transaction_sync(dice: Dice, depth: int = 0) -> Op:
    nested = 0.6 if depth < 2 else 0.0
    body = dice.times(
        1,
        4,
        lambda: dice.among(
            (3, lambda: sync_write(dice)),
            (3, lambda: sync_read(dice)),
            (3, lambda: sql_write(dice)),
            (1, lambda: sql_read(dice)),
            (0.3, lambda: sql_refused(dice)),
            (nested, lambda: transaction_sync(dice, depth + 1)),
        ),
    )
    return ["transactionSync", [*body, *([throw(dice)] if dice.chance(0.25) else [])]]


def create(dice: Dice) -> list[Op]:
    """Make the tables, now and then without some of those that nothing refers to."""
    return [["sql", text] for text in SCHEMA]


def every(backend: str) -> list[Op]:
    """Read everything that an object of a backend holds."""
    return [["list"], ["getAlarm"], *([["kv.list"]] if backend == "sqlite" else [])]
