"""Snapshots from strangers: refused with a reason, in bounded time, with nothing left behind."""

import contextlib
import os
import shutil
import socket
import sqlite3
import sys

import pytest

import dobook
from dobook import Runtime
from dobook.errors import DobookError, StateDirectoryError
from dobook.storage.names import is_segment

IDENTITY = "ab" * 32
ENDLESS = (
    "WITH RECURSIVE n(a, b) AS (SELECT 1, 1 UNION ALL SELECT a + 1, b FROM n) SELECT {} FROM n"
)
JOURNEYS = ["memory", "disk", "open_state"]


class Box:
    def __init__(self, ctx, env):
        self.storage = ctx.storage

    async def put(self, key, value):
        await self.storage.put(key, value)

    async def keys(self):
        return list(await self.storage.list())

    async def sql(self, query):
        return [list(row) for row in self.storage.sql.exec(query).raw()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    file = tmp_path_factory.mktemp("whole") / "whole.dobook"
    with Runtime() as runtime:
        boxes = runtime.register(Box)
        runtime.run(boxes.getByName("a").put("k", {"v": [1, "x"]}))
        runtime.run(boxes.getByName("b").sql("CREATE TABLE t(x)"))
        runtime.snapshot(file)
    return file


@pytest.fixture
def snapshot(whole, tmp_path):
    return shutil.copy(whole, tmp_path / "stranger.dobook")


def change(file, *statements):
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema=ON")
        for statement in statements:
            db.execute(*(statement if isinstance(statement, tuple) else (statement,)))


def open_it(journey, file, folder):
    if journey == "open_state":
        return dobook.open_state(file)
    with Runtime.restore(
        file, classes=[Box], into=folder / "into" / "state" if journey == "disk" else None
    ) as runtime:
        runtime.run(runtime.env.BOX.getByName("a").keys())


def refused(file, folder, match, journeys=JOURNEYS):
    before = sorted(os.walk(folder))
    for journey in journeys:
        with pytest.raises(StateDirectoryError, match=match) as raised:
            open_it(journey, file, folder)
        text = str(raised.value)
        assert len(text) < 1_000
        assert text.isprintable(), text
    assert sorted(os.walk(folder)) == before


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_whole_one_is_taken(snapshot, tmp_path, journey):
    open_it(journey, snapshot, tmp_path)


# ---------------------------------------------------------------------- names

ODD_NAMES = [
    "../../un/escaped",
    "..",
    "",
    ".dobook",
    "a/b",
    "C:x",
    "NUL",
    "a\n",
    "a" * 300,
    "\u200b",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
@pytest.mark.parametrize("table", ["objects", "classes"])
def test_a_unique_key_is_never_a_path(snapshot, tmp_path, table, name):
    assert not is_segment(name)
    change(
        snapshot,
        (f"UPDATE {table} SET unique_key = ?", (name,))
        if table == "classes"
        else ("UPDATE objects SET unique_key = ? WHERE object = 1", (name,)),
    )
    refused(snapshot, tmp_path, "cannot be the name of a folder")


@pytest.mark.parametrize("identity", ["../../x", "", IDENTITY.upper(), IDENTITY + "/", "é" * 64])
def test_an_id_is_never_a_path(snapshot, tmp_path, identity):
    change(snapshot, ("UPDATE objects SET id = ? WHERE object = 1", (identity,)))
    refused(snapshot, tmp_path, "64 lower-case hex digits")


def test_an_existing_directory_stays_empty_and_usable(snapshot, tmp_path):
    into = tmp_path / "state"
    into.mkdir()
    change(snapshot, "UPDATE objects SET sql = x'00' WHERE object = 1")
    with pytest.raises(StateDirectoryError):
        Runtime.restore(snapshot, into=into)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("made", [True, False])
def test_what_fails_while_files_are_written_leaves_nothing(whole, tmp_path, monkeypatch, made):
    from dobook.storage import world_files

    into = tmp_path / "folder" / "state"
    if made:
        into.mkdir(parents=True)
    written = []

    def fails(file, data):
        if written:
            raise OSError(28, "No space left on device")
        written.append(file)
        file.write_bytes(data)

    monkeypatch.setattr(world_files, "create_file", fails)
    with pytest.raises(StateDirectoryError, match="No space left"):
        Runtime.restore(whole, into=into)
    assert written
    assert [p for p in tmp_path.rglob("*") if p not in (into, into.parent)] == []
    monkeypatch.undo()
    with Runtime.restore(whole, classes=[Box], into=into) as runtime:
        assert runtime.run(runtime.env.BOX.getByName("a").keys()) == ["k"]


# ---------------------------------------------------------------------- the schema

COLUMNS = {
    "meta": ["key", "value"],
    "classes": ["unique_key", "binding", "class_name", "sqlite"],
    "objects": ["object", "unique_key", "id", "name", "alarm_ms", "retries", "runs_ms", "sql"],
    "rows": ["object", "key", "value"],
}
SCHEMAS = {
    "missing": "{drop}",
    "endless view": "{drop}; CREATE VIEW {table} AS {endless}",
    "view": "{drop}; CREATE VIEW {table} AS SELECT * FROM kept",
    "other columns": "{drop}; CREATE TABLE {table} (x)",
    "other affinities": "{drop}; CREATE TABLE {table} ({numeric})",
    "generated": "{drop}; CREATE TABLE {table} (z, {generated})",
    "generated blob": "{drop}; CREATE TABLE {table} (z, {huge})",
    "check": "{drop}; CREATE TABLE {table} ({columns}, CHECK (length(zeroblob(1000000))))",
    "trigger": "CREATE TRIGGER x AFTER INSERT ON {table} BEGIN DELETE FROM {table}; END",
    "index": "CREATE INDEX x ON {table} ({first})",
    "expression": "CREATE INDEX x ON {table} (hex({first}))",
    "further table": "CREATE TABLE x (a)",
    "further view": "CREATE VIEW x AS {endless}",
    "a name of SQLite's": "CREATE VIEW x AS {endless}; "
    "UPDATE sqlite_master SET name = 'sqlite_stat9', tbl_name = 'sqlite_stat9' WHERE name = 'x'",
}


@pytest.mark.parametrize("table", COLUMNS)
@pytest.mark.parametrize("kind", SCHEMAS)
def test_any_other_schema_is_refused(snapshot, tmp_path, kind, table):
    columns = COLUMNS[table]
    values = {
        "table": table,
        "first": columns[0],
        "drop": f"CREATE TABLE kept AS SELECT * FROM {table}; DROP TABLE {table}"
        if kind == "view"
        else f"DROP TABLE {table}",
        "endless": ENDLESS.format(", ".join(f"a AS {column}" for column in columns)),
        "columns": ", ".join(columns),
        "numeric": ", ".join(f"{column} NUMERIC" for column in columns),
        "generated": ", ".join(f"{column} AS (z + 1)" for column in columns),
        "huge": ", ".join(f"{column} AS (zeroblob(1000000000))" for column in columns),
    }
    statements = SCHEMAS[kind].format(**values).split("; ")
    if kind == "trigger":
        statements = [SCHEMAS[kind].format(**values)]
    change(snapshot, *statements)
    refused(snapshot, tmp_path, "is refused: ")


def test_a_virtual_table_is_refused(snapshot, tmp_path):
    change(snapshot, "DROP TABLE rows", "CREATE VIRTUAL TABLE rows USING fts5(object, key, value)")
    refused(snapshot, tmp_path, "is refused: ")


# ---------------------------------------------------------------------- types

VALUES = [
    None,
    -1,
    0,
    7,
    2**62,
    -(2**63),
    1.5,
    float("inf"),
    "",
    "text",
    "5",
    b"",
    b"\xff",
    "x" * 100_000,
]


def fits(column, value):
    """Return whether dobook itself may write such a value there."""
    whole_number = type(value) is int
    if column in ("alarm_ms", "runs_ms"):
        return value is None or (whole_number and abs(value) <= 8.64e15)
    if column == "name":
        return value is None or isinstance(value, str)
    if column in ("binding", "class_name"):
        return isinstance(value, str) and len(value) <= 10_000
    if column == "retries":
        return whole_number and 0 <= value < 2**31
    if column == "sqlite":
        return value in (0, 1) and whole_number
    if column == "sql":
        return value is None
    if column == "value":  # whether it can be decoded is asked when it is restored
        return isinstance(value, bytes)
    if column == "key":
        return isinstance(value, str)
    return column == "unique_key" and is_segment(value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:20])
@pytest.mark.parametrize(
    ("table", "column"),
    [(t, c) for t, columns in COLUMNS.items() for c in columns if t != "meta"],
)
def test_every_type_in_every_column(snapshot, tmp_path, table, column, value):
    change(snapshot, "DELETE FROM objects WHERE sql IS NOT NULL")
    try:
        change(snapshot, (f"UPDATE {table} SET {column} = ?", (value,)))
    except (sqlite3.Error, OverflowError):
        pytest.skip("SQLite itself refuses it there")
    with contextlib.closing(sqlite3.connect(snapshot)) as db:
        (kept,) = db.execute(f"SELECT {column} FROM {table}").fetchone()  # as the affinity has it
    same_object = table in ("rows", "objects") and column == "object" and kept == 2
    if same_object or fits(column, kept):
        dobook.open_state(snapshot).objects()
    else:
        refused(snapshot, tmp_path, "is refused: |names a class|with the id")


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:20])
@pytest.mark.parametrize(
    "key", ["format", "clock_ms", "seed", "worker", "unsafe_limits", "history", "session"]
)
def test_every_type_in_every_setting(snapshot, tmp_path, key, value):
    change(snapshot, ("UPDATE meta SET value = ? WHERE key = ?", (value, key)))
    with contextlib.closing(sqlite3.connect(snapshot)) as db:
        (kept,) = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    number = type(kept) is int
    fine = {
        "format": False,
        "clock_ms": number and abs(kept) < 2**40,
        "seed": number and kept > -(2**63),
        "worker": isinstance(kept, str) and len(kept) < 100,
        "unsafe_limits": number and kept in (0, 1),
        "history": number and kept >= 0,
        "session": number and 0 <= kept < 2**31,
    }[key]
    if not fine:
        refused(snapshot, tmp_path, "is refused: |newer dobook")
        return
    for journey in JOURNEYS:
        open_it(journey, snapshot, tmp_path)


@pytest.mark.parametrize(
    "key",
    [
        "note clean",
        "note session",
        "note clock_ms",
        "note version",
        "note self",
        "note ",
        "note a b",
        "note \0",
        "other",
        "",
    ],
)
def test_a_note_cannot_stand_in_for_what_dobook_keeps(snapshot, tmp_path, key):
    change(snapshot, ("INSERT INTO meta VALUES (?, 1)", (key,)))
    refused(snapshot, tmp_path, "which does not exist")


def test_settings_that_are_missing(snapshot, tmp_path):
    for key in ("format", "clock_ms"):
        file = shutil.copy(snapshot, tmp_path / f"{key}.dobook")
        change(file, ("DELETE FROM meta WHERE key = ?", (key,)))
        refused(file, tmp_path, f"{key} is NULL, expected a whole number")


def test_rows_without_an_object(snapshot, tmp_path):
    change(snapshot, "INSERT INTO rows VALUES (99, 'k', x'ff0f4906')")
    refused(snapshot, tmp_path, "rows of an object that is not in it")


MALFORMED = {
    "nothing": "",
    "newer": "ff6349",
    "cut": "ff0f22ff",
    "array bomb": "ff0f41ffffffff0f",
    "deep": "ff0f" + "4101" * 20_000,
    "reference": "ff0f5e05",
    "unknown": "ff0f01",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_value_that_cannot_be_read_is_named(snapshot, tmp_path, data):
    change(snapshot, f"UPDATE rows SET value = x'{data}'")
    refused(snapshot, tmp_path, "the value of key 'k' of 'BOX/a'", ["memory", "disk"])
    shown = dobook.open_state(snapshot).storage("Box/a")  # looking at it is still possible
    assert shown["value"].tolist() == [bytes.fromhex(data)]


# ---------------------------------------------------------------------- an object's own SQL


def image(*statements):
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema=ON")
        for statement in statements:
            db.execute(statement)
        return db.serialize()


KV = "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
IMAGES = {
    "empty": b"",
    "text": b"hello" * 1_000,
    "only a header": b"SQLite format 3\0" + bytes(500),
    "view": image(f"CREATE VIEW _cf_KV AS {ENDLESS.format('a AS key, b AS value')}"),
    "view in capitals": image(f"CREATE VIEW _CF_kv AS {ENDLESS.format('a AS key, b AS value')}"),
    "generated": image("CREATE TABLE _cf_KV (key TEXT, value AS (zeroblob(1000000000)))"),
    "trigger": image(KV, "CREATE TRIGGER t BEFORE INSERT ON _cf_KV BEGIN SELECT 1; END"),
    "index": image(KV, "CREATE INDEX i ON _cf_KV (hex(value))"),
    "virtual": image("CREATE VIRTUAL TABLE _cf_METADATA USING fts5(key, value)"),
    "schema": image("CREATE TABLE t(x)", "UPDATE sqlite_master SET sql = 'CREATE TABLE u(('"),
}


@pytest.mark.parametrize("data", IMAGES.values(), ids=IMAGES)
def test_an_objects_sql_cannot_replace_the_engines_tables(snapshot, tmp_path, data):
    change(snapshot, ("UPDATE objects SET sql = ? WHERE object = 2", (data,)))
    refused(snapshot, tmp_path, r"the SQL of dobook-Box/\w+… is refused: ")


def test_an_objects_own_schema_may_be_anything(snapshot, tmp_path):
    own = image("CREATE TABLE t(x)", f"CREATE VIEW v AS {ENDLESS.format('a')}", KV)
    change(snapshot, ("UPDATE objects SET sql = ? WHERE object = 2", (own,)))
    for journey in JOURNEYS:
        open_it(journey, snapshot, tmp_path)


# ---------------------------------------------------------------------- bytes


def test_pages_that_lead_in_circles_are_refused(snapshot, tmp_path):
    row = b"\xff\x0fI\x06"
    puts = [("INSERT INTO rows VALUES (1, ?, ?)", (f"{n:05}", row)) for n in range(3_000)]
    change(snapshot, "BEGIN", *puts, "COMMIT")
    with contextlib.closing(sqlite3.connect(snapshot)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'rows'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    data = bytearray(snapshot.read_bytes())
    page = memoryview(data)[(root - 1) * size : root * size]
    assert page[0] == 2  # an inner page of an index
    first = int.from_bytes(page[12:14], "big")
    child = bytes(page[first : first + 4])
    for n in range(int.from_bytes(page[3:5], "big")):  # every child is the same one
        cell = int.from_bytes(page[12 + 2 * n : 14 + 2 * n], "big")
        page[cell : cell + 4] = child
    page[8:12] = child
    page.release()
    snapshot.write_bytes(data)
    refused(snapshot, tmp_path, "is damaged")


def test_every_way_of_cutting_it_off(snapshot, tmp_path):
    data = snapshot.read_bytes()
    for length in [*range(0, 600, 37), *range(600, len(data), 1_111)]:
        snapshot.write_bytes(data[:length])
        with pytest.raises(StateDirectoryError):
            dobook.open_state(snapshot)


def test_a_flipped_byte_raises_nothing_else(snapshot, tmp_path):
    data = snapshot.read_bytes()
    for position in range(0, len(data), 53):
        changed = bytearray(data)
        changed[position] ^= 0xFF
        snapshot.write_bytes(changed)
        with contextlib.suppress(DobookError):
            dobook.open_state(snapshot).objects()


# ---------------------------------------------------------------------- what is not a file


def test_what_is_not_a_file_is_not_opened(whole, tmp_path):
    link = tmp_path / "link.dobook"
    link.symlink_to(whole)
    refused(link, tmp_path, "is a symbolic link, not a file")
    refused(tmp_path, tmp_path, "is a folder, not a file", ["memory", "disk"])
    refused(tmp_path / "nowhere", tmp_path, "cannot be read|does not exist")


@pytest.mark.skipif(os.name == "nt", reason="Windows has none")
def test_pipes_sockets_and_devices_are_not_opened(tmp_path, monkeypatch):
    pipe = tmp_path / "pipe.dobook"
    os.mkfifo(pipe)
    refused(pipe, tmp_path, "is a pipe, not a file")
    if sys.platform == "linux":
        for device in ("/dev/zero", "/dev/null"):
            refused(device, tmp_path, "is a device, not a file")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
        monkeypatch.chdir(tmp_path)  # the whole path would be too long for a socket
        listening.bind("socket")
        refused(tmp_path / "socket", tmp_path, "is a socket, not a file")


def test_a_file_larger_than_memory_is_refused_before_it_is_read(whole, tmp_path):
    sparse = tmp_path / "sparse.dobook"
    shutil.copy(whole, sparse)
    os.truncate(sparse, 2**41)
    refused(sparse, tmp_path, "too large to read")


def test_saving_does_not_write_through_a_link(tmp_path):
    (tmp_path / "victim").write_text("precious")
    for name in ("x.dobook", "x.dobook.new"):
        (tmp_path / name).symlink_to(tmp_path / "victim")
    with Runtime() as runtime:
        runtime.register(Box)
        runtime.snapshot(tmp_path / "x.dobook")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "x.dobook").is_symlink()
    with Runtime.restore(tmp_path / "x.dobook"):
        pass
