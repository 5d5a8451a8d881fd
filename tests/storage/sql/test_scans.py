"""Rows that a statement looks at, against what the real engine was recorded to count."""

import sqlite3

import pytest

from dobook.storage.sql.storage import SqlStorage

from .test_storage import Host

RECORDED = [
    # query, rowsRead in workerd 1.20261117.1 of the tables below
    ("SELECT * FROM t", 3),
    ("SELECT count(*) AS n FROM t", 3),
    ("SELECT max(a) AS n FROM t", 3),
    ("SELECT a FROM t WHERE a > 1", 3),
    ("SELECT a FROM t WHERE rowid = 2", 1),
    ("SELECT a FROM t WHERE rowid = 99", 1),
    ("SELECT a FROM t ORDER BY a DESC", 6),
    ("SELECT a FROM t LIMIT 2", 2),
    ("SELECT DISTINCT b FROM t", 3),
    ("SELECT b, count(*) AS n FROM t GROUP BY b", 6),
    ("SELECT x.a FROM t x JOIN t y", 12),
    ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM t)", 4),
    ("SELECT a FROM t UNION ALL SELECT a FROM t", 6),
    ("SELECT 1 AS x", 0),
    ("SELECT k FROM i WHERE k > 1", 3),
    ("SELECT * FROM i WHERE v = 20", 3),
    ("SELECT max(k) AS m FROM i", 1),
    ("SELECT value FROM json_each('[1,2,3]')", 3),
    ("INSERT INTO t VALUES (9, 9)", 0),
    ("INSERT INTO t SELECT a, b FROM t", 6),
    ("UPDATE t SET b = 1 WHERE a = 1", 3),
    ("DELETE FROM t WHERE a = 9", 3),
    ("DELETE FROM t WHERE a > 1", 3),
    ("DELETE FROM t WHERE rowid = 1", 1),
    ("DELETE FROM i WHERE v = 20", 3),
    ("UPDATE i SET v = v + 1", 4),
]


@pytest.mark.parametrize(("query", "rows_read"), RECORDED)
def test_rows_that_are_looked_at_are_counted_as_on_the_platform(query, rows_read):
    if "EXISTS" in query and (3, 51) <= sqlite3.sqlite_version_info < (3, 52):
        rows_read = 6  # it asks for each row; 3.53, as the platform has it, asks once
    host = Host()
    sql = SqlStorage(host)
    sql.exec("CREATE TABLE t(a, b)")
    sql.exec("INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z')")
    sql.exec("CREATE TABLE i(k INTEGER PRIMARY KEY, v INTEGER, x)")
    sql.exec("CREATE INDEX iv ON i(v)")
    sql.exec("INSERT INTO i VALUES (1, 10, 0), (2, 20, 0), (3, 30, 0), (4, 20, 0)")
    cursor = sql.exec(query)
    cursor.toArray()
    assert cursor.rowsRead == rows_read
    host.database.close()


def test_the_count_stays_when_the_tables_change():
    host = Host()
    sql = SqlStorage(host)
    sql.exec("CREATE TABLE t(a)")
    sql.exec("INSERT INTO t VALUES (1), (2)")
    cursor = sql.exec("SELECT sum(a) AS s FROM t")
    cursor.one()
    assert cursor.rowsRead == 2
    sql.exec("DELETE FROM t")
    assert cursor.rowsRead == 2
    host.database.close()
