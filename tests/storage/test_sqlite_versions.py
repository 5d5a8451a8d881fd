"""Promise: a statement that needs a newer SQLite than this Python's says so."""

import sqlite3

import pytest

import dobook
from dobook.storage.sql.versions import missing_here

OLD, NEW = (3, 40, 1), (3, 53, 2)


@pytest.mark.parametrize(
    ("error", "statement", "says"),
    [
        ("no such function: jsonb", "SELECT jsonb('1')", "jsonb() is there since 3.45"),
        ("no such function: JSONB_SET", "SELECT JSONB_SET(1)", "jsonb_set() is there since 3.45"),
        ("no such table: jsonb_each", "SELECT * FROM jsonb_each(1)", "jsonb_each() is there"),
        ("wrong number of arguments to function iif()", "SELECT iif(1, 2)", "since 3.49"),
        (
            'near "ORDER": syntax error',
            "SELECT group_concat(a ORDER BY a) FROM t",
            "ORDER BY in an aggregate is there since 3.44",
        ),
        ('unrecognized token: "1_000"', "SELECT 1_000", "since 3.46"),
    ],
)
def test_what_an_older_sqlite_lacks_is_named_with_its_version(error, statement, says):
    told = missing_here(error, statement, OLD)
    assert told.startswith("This Python's SQLite is 3.40.1, and ")
    assert says in told
    assert missing_here(error, statement, NEW) == ""


@pytest.mark.parametrize(
    ("error", "statement"),
    [
        ("no such function: nope", "SELECT nope(1)"),
        ("no such table: t", "SELECT * FROM t"),
        ("wrong number of arguments to function min()", "SELECT min()"),
        ('near "ORDER": syntax error', "SELECT 1 ORDER 2"),
        ('near "LIMIT": syntax error', "INSERT INTO t VALUES (1) LIMIT 1"),
        ('unrecognized token: "@"', "SELECT @"),
    ],
)
def test_other_errors_have_nothing_to_do_with_the_version(error, statement):
    assert missing_here(error, statement, OLD) == ""


@pytest.mark.parametrize("error", ['near "LIMIT": syntax error', 'syntax error near "ORDER BY"'])
def test_an_option_that_a_build_lacks_is_told_whatever_the_version(error):
    told = missing_here(error, "DELETE FROM t ORDER BY x LIMIT 1", NEW)
    assert "built without ORDER BY and LIMIT of UPDATE and DELETE" in told


class Asking:
    def __init__(self, ctx, env):
        self.sql = ctx.storage.sql

    async def ask(self, query):
        return self.sql.exec(query).toArray()


@pytest.mark.parametrize(
    ("query", "since", "value"),
    [
        ("SELECT json(jsonb('[1]')) AS v", (3, 45), "[1]"),
        ("SELECT iif(1, 2) AS v", (3, 49), 2),
        ("SELECT 1_000 AS v", (3, 46), 1000),
        ("SELECT value AS v FROM jsonb_each('[7]')", (3, 51), 7),
    ],
)
def test_this_pythons_sqlite_gives_the_value_or_says_what_it_lacks(query, since, value):
    with dobook.Runtime() as runtime:
        stub = runtime.register(Asking).getByName("a")
        if sqlite3.sqlite_version_info >= since:
            assert runtime.run(stub.ask(query)) == [{"v": value}]
            return
        with pytest.raises(dobook.errors.PlatformError) as error:
            runtime.run(stub.ask(query))
        assert f"SQLite is {sqlite3.sqlite_version}" in error.value.__notes__[0]
