"""State directories from strangers: one odd file is that file's problem, and nothing hangs."""

import contextlib
import os
import sqlite3

import pytest

import dobook
from dobook import Runtime
from dobook.errors import DobookError, StateDirectoryError

ENDLESS = "WITH RECURSIVE n(a, b) AS (SELECT 'k', 1 UNION ALL SELECT a, b FROM n) SELECT"
KV = "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
METADATA = "CREATE TABLE _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)"
ODD = {
    "endless rows": [f"CREATE VIEW _cf_KV AS {ENDLESS} a AS key, x'ff0f4906' AS value FROM n"],
    "endless alarm": [f"CREATE VIEW _cf_METADATA AS {ENDLESS} b AS key, b AS value FROM n"],
    "trigger": [KV, "CREATE TRIGGER t AFTER INSERT ON _cf_KV BEGIN DELETE FROM _cf_KV; END"],
    "generated": ["CREATE TABLE _cf_KV (key TEXT, value AS (zeroblob(1000000000)))"],
    "virtual": ["CREATE VIRTUAL TABLE _cf_KV USING fts5(key, value)"],
    "index": [KV, "CREATE INDEX i ON _cf_KV (hex(value))"],
    "a size as value": [KV, "INSERT INTO _cf_KV VALUES ('k', 1000000000000)"],
    "no value": [KV, "INSERT INTO _cf_KV VALUES ('k', NULL)"],
    "text as value": [KV, "INSERT INTO _cf_KV VALUES ('k', 'text')"],
    "bytes as key": [KV, "INSERT INTO _cf_KV VALUES (x'ff', x'ff0f4906')"],
    "key that is not text": [KV, "INSERT INTO _cf_KV VALUES (CAST(x'ff' AS TEXT), x'ff0f4906')"],
    "alarm that is text": [METADATA, "INSERT INTO _cf_METADATA VALUES (1, 'soon')"],
    "alarm that is bytes": [METADATA, "INSERT INTO _cf_METADATA VALUES (1, x'00')"],
    "alarm that is no whole number": [METADATA, "INSERT INTO _cf_METADATA VALUES (1, 1.5)"],
    "broken schema": ["CREATE TABLE t(x)", "UPDATE sqlite_master SET sql = 'CREATE TABLE ('"],
}


class Box:
    def __init__(self, ctx, env):
        self.storage = ctx.storage

    async def put(self, key, value):
        await self.storage.put(key, value)

    async def keys(self):
        return [list(await self.storage.list()), await self.storage.getAlarm()]


@pytest.fixture
def folder(tmp_path):
    with Runtime(tmp_path / "state") as runtime:
        boxes = runtime.register(Box)
        for name in ("good", "odd"):
            runtime.run(boxes.getByName(name).put("k", name))
        runtime.odd_id = boxes.idFromName("odd").toString()
    return tmp_path / "state", f"dobook-Box/{runtime.odd_id}.sqlite"


def make_odd(file, statements):
    file.unlink()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema=ON")
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize("statements", ODD.values(), ids=ODD)
def test_an_odd_object_is_shown_as_odd_beside_the_others(folder, statements):
    state, odd = folder
    make_odd(state / odd, statements)
    frame = dobook.open_state(state).objects()
    assert frame["keys"].isna().tolist() == [False, True]
    assert (
        "is refused" in frame["problem"][1]
        or "does not write" in frame["problem"][1]
        or ("alarm that is not" in frame["problem"][1])
    )
    assert dobook.open_state(state).storage("Box/good")["value"].tolist() == ["good"]


@pytest.mark.parametrize("statements", ODD.values(), ids=ODD)
def test_an_odd_object_fails_by_itself_in_a_runtime(folder, statements):
    state, odd = folder
    make_odd(state / odd, statements)
    with Runtime(state) as runtime:
        boxes = runtime.register(Box)
        assert runtime.run(boxes.getByName("good").keys()) == [["k"], None]
        with pytest.raises(DobookError):
            runtime.run(boxes.getByName("odd").keys())


def test_links_in_a_directory_are_not_followed(folder, tmp_path):
    state, odd = folder
    (state / odd).rename(tmp_path / "elsewhere.sqlite")
    (state / odd).symlink_to(tmp_path / "elsewhere.sqlite")
    frame = dobook.open_state(state).objects()
    assert "symbolic link" in frame["problem"][1]


@pytest.mark.skipif(os.name == "nt", reason="Windows has none")
def test_pipes_in_a_directory_are_not_waited_for(folder):
    state, odd = folder
    (state / odd).unlink()
    os.mkfifo(state / odd)
    assert "is a pipe" in dobook.open_state(state).objects()["problem"][1]


def test_names_that_could_be_paths_are_left_out(folder):
    state, _ = folder
    with contextlib.closing(sqlite3.connect(state / ".dobook/state.sqlite")) as db:
        for name in ("../x", ".dobook", "", None, 5, b"x"):
            db.execute("INSERT OR IGNORE INTO names VALUES (?, ?, 'n')", (name, "ab" * 32))
        db.execute("INSERT INTO names VALUES ('dobook-Box', '../../x', 'n')")
        db.commit()
    (state / "a~1").mkdir()
    (state / "a~1" / f"{'ab' * 32}.sqlite").write_bytes(b"")
    (state / "dobook-Box" / f"{'AB' * 32}.sqlite").write_bytes(b"")
    assert len(dobook.open_state(state).objects()) == 2


INDEX = (
    "CREATE TABLE _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER, actor_name TEXT)"
)
INDEXES = {
    "view": [f"CREATE VIEW _cf_ALARM AS {ENDLESS} a AS actor_id, b AS scheduled_time FROM n"],
    "time": [INDEX, f"INSERT INTO _cf_ALARM VALUES ('{'ab' * 32}', 'soon', NULL)"],
    "id": [INDEX, "INSERT INTO _cf_ALARM VALUES ('../../x', 1, NULL)"],
    "name": [INDEX, f"INSERT INTO _cf_ALARM VALUES ('{'ab' * 32}', 1, x'00')"],
    "link": None,
}


@pytest.mark.parametrize("statements", INDEXES.values(), ids=INDEXES)
def test_an_odd_index_of_alarms_is_set_aside(folder, tmp_path, statements):
    state, _ = folder
    index = state / "dobook-Box" / "metadata.sqlite"
    if index.exists():
        index.unlink()
    (tmp_path / "victim").write_text("precious")
    if statements is None:
        index.symlink_to(tmp_path / "victim")
    else:
        with contextlib.closing(sqlite3.connect(index, isolation_level=None)) as db:
            for statement in statements:
                db.execute(statement)
    assert len(dobook.open_state(state).objects()) == 2
    with Runtime(state) as runtime:
        with pytest.warns(UserWarning, match="The alarms are read from the objects instead"):
            boxes = runtime.register(Box)
        assert runtime.run(boxes.getByName("good").keys()) == [["k"], None]
    assert (tmp_path / "victim").read_text() == "precious"
    assert not index.is_symlink()


def test_a_directory_that_is_refused_says_which_file(folder):
    state, _ = folder
    own = state / ".dobook" / "state.sqlite"
    with contextlib.closing(sqlite3.connect(own, isolation_level=None)) as db:
        db.execute("DROP TABLE meta")
        db.execute(f"CREATE VIEW meta AS {ENDLESS} a AS key, b AS value FROM n")
    with pytest.raises(StateDirectoryError, match=r"state\.sqlite is refused"):
        dobook.open_state(state)


COMPUTING = {
    "view": f"CREATE VIEW v AS {ENDLESS} a, b FROM n",
    "trigger": "CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM meta; END",
    "index": "CREATE INDEX i ON meta (hex(value))",
    "generated": "CREATE TABLE g (x, y AS (zeroblob(1000000000)))",
    "virtual": "CREATE VIRTUAL TABLE f USING fts5(x)",
}


@pytest.mark.parametrize("statement", COMPUTING.values(), ids=COMPUTING)
@pytest.mark.parametrize("name", ["state.sqlite", "history.sqlite"])
def test_dobooks_own_files_compute_nothing(folder, name, statement):
    state, _ = folder
    with contextlib.closing(sqlite3.connect(state / ".dobook" / name, isolation_level=None)) as db:
        db.execute(statement)
    with pytest.raises(StateDirectoryError, match="which dobook does not make"):
        Runtime(state)
