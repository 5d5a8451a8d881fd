"""State of older versions opens in newer ones, and dobook's own files are brought up to date."""

import zipfile
from pathlib import Path

import pytest

import dobook
from dobook import Runtime
from dobook.errors import StateDirectoryError
from dobook.storage.connection import Connection
from dobook.storage.migrations import migrate, statements


class Box:
    def __init__(self, ctx, env):
        self.storage = ctx.storage

    async def look(self):
        rows = dict(await self.storage.list())
        tables = self.storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 't'").toArray()
        numbers = [row.x for row in self.storage.sql.exec("SELECT x FROM t")] if tables else None
        return [rows, await self.storage.getAlarm(), numbers]

    async def alarm(self):
        pass


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_a_state_directory_of_version_0_1_0_opens_as_it_was(tmp_path, end):
    """The archive was written by version 0.1.0, once closed properly and once killed."""
    with zipfile.ZipFile(Path(__file__).parent / "state-0.1.0.zip") as archive:
        archive.extractall(tmp_path)
    path = tmp_path / end
    assert dobook.open_state(path).objects()["object"].tolist() == [
        "dobook-Box/ada",
        "dobook-Box/bob",
    ]
    for _ in range(2):
        with Runtime(path) as runtime:
            boxes = runtime.register(Box)
            due_ms = 1_767_225_600_000 + 3_600_000
            assert runtime.run(boxes.getByName("ada").look()) == [
                {"v": {"n": [1, None, 2.5], "é": "日"}},
                None,
                [7],
            ]
            assert runtime.run(boxes.getByName("bob").look()) == [{}, due_ms, None]
            assert [alarm.object for alarm in runtime.scheduled_alarms()] == ["BOX/bob"]


FIRST = statements("CREATE TABLE a(x)", "INSERT INTO a VALUES (1)")
SECOND = statements("ALTER TABLE a ADD COLUMN y DEFAULT 2")
BAD = statements("INSERT INTO a (x) VALUES (3)", "INSERT INTO nowhere VALUES (1)")


@pytest.fixture
def connection():
    made = Connection(None)
    yield made
    made.close()


def rows(connection):
    return connection.execute("SELECT * FROM a").fetchall()


def test_each_migration_runs_once_and_in_order(connection):
    path = Path("file")
    migrate(connection, path, [FIRST])
    assert rows(connection) == [(1,)]
    for _ in range(2):
        migrate(connection, path, [FIRST, SECOND])
        assert rows(connection) == [(1, 2)]
    with pytest.raises(StateDirectoryError, match=r"version 2, this one knows 1"):
        migrate(connection, path, [FIRST])


def test_a_migration_that_fails_leaves_the_version_before(connection):
    with pytest.raises(Exception, match="no such table: nowhere"):
        migrate(connection, Path("file"), [FIRST, BAD])
    assert rows(connection) == [(1,)]
    migrate(connection, Path("file"), [FIRST, SECOND])
    assert rows(connection) == [(1, 2)]
