"""The VFS of the tests: it sees all that SQLite does, and what it refuses SQLite takes for refused."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.disk import sqlite_vfs
from tests.disk.sqlite_vfs import FULL, IOERR_FSYNC, IOERR_READ, watch

pytestmark = pytest.mark.skipif(bool(sqlite_vfs.why_not()), reason=sqlite_vfs.why_not() or "works")


@contextlib.contextmanager
def database(path, *pragmas):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in pragmas:
            db.execute(f"PRAGMA {pragma}")
        yield db


def test_the_writes_that_are_seen_make_the_file(tmp_path):
    contents = {}

    def listener(call, proceed):
        code = proceed()
        content = contents.setdefault(call.path, bytearray())
        if call.kind == "write":
            content.extend(bytes(max(0, call.offset - len(content))))
            content[call.offset : call.offset + len(call.data)] = call.data
        elif call.kind == "truncate":
            del content[call.size :]
        elif call.kind == "delete":
            del contents[call.path]
        return code

    file = tmp_path / "some.sqlite"
    with watch(listener), database(file) as db:
        db.execute("CREATE TABLE t(x)")
        db.executemany("INSERT INTO t VALUES (?)", [("x" * 1_000,)] * 50)
        db.execute("DELETE FROM t WHERE rowid > 5")
        db.execute("VACUUM")
    assert bytes(contents[str(file)]) == file.read_bytes()
    assert [path for path in contents if Path(path).exists()] == [str(file)]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_syncs_are_seen_where_sqlite_waits_for_the_disk(tmp_path, mode):
    kinds = []

    def listener(call, proceed):
        kinds.append(call.kind)
        return proceed()

    with watch(listener), database(tmp_path / "a", f"journal_mode={mode}") as db:
        db.execute("PRAGMA synchronous=OFF")
        db.execute("CREATE TABLE t(x)")
        before = kinds.count("sync")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("INSERT INTO t VALUES (1)")
        assert kinds.count("sync") > before


@pytest.mark.parametrize(
    ("kind", "code", "text"),
    [
        ("write", FULL, "full"),
        ("write", sqlite_vfs.IOERR_WRITE, "disk I/O error"),
        ("sync", IOERR_FSYNC, "disk I/O error"),
        ("read", IOERR_READ, "disk I/O error"),
        ("open", sqlite_vfs.CANTOPEN, "unable to open"),
        ("write", sqlite_vfs.INTERRUPT, "interrupted"),
    ],
)
def test_what_is_refused_fails_and_what_was_there_stays(tmp_path, kind, code, text):
    with database(tmp_path / "a") as db:
        db.execute("CREATE TABLE t(x)")
        db.execute("INSERT INTO t VALUES ('kept')")
    refuses = []

    def listener(call, proceed):
        return code if refuses and call.kind == kind else proceed()

    with watch(listener), contextlib.ExitStack() as stack:
        if kind in ("open", "read"):
            refuses.append(True)
        with pytest.raises(sqlite3.OperationalError, match=text):  # noqa: PT012 -- when differs
            db = stack.enter_context(database(tmp_path / "a"))
            refuses.append(True)
            db.execute("INSERT INTO t VALUES ('refused')")
            db.execute("SELECT * FROM t").fetchall()
        refuses.clear()
    with database(tmp_path / "a") as db:
        assert db.execute("SELECT * FROM t").fetchall() == [("kept",)]


def test_a_write_can_be_cut_short(tmp_path):
    def listener(call, proceed):
        if call.kind == "write" and call.path.endswith("a"):
            call.data = call.data[:100]
            proceed()
            return FULL
        return proceed()

    with watch(listener), database(tmp_path / "a", "synchronous=OFF", "journal_mode=OFF") as db:
        with pytest.raises(sqlite3.OperationalError, match="full"):
            db.execute("CREATE TABLE t(x)")
        assert (tmp_path / "a").stat().st_size == 100


def test_nothing_is_seen_any_more_afterwards(tmp_path):
    calls = []

    def listener(call, proceed):
        calls.append(call)
        return proceed()

    with watch(listener):
        pass
    with database(tmp_path / "a") as db:
        db.execute("CREATE TABLE t(x)")
    assert calls == []


def test_a_database_that_is_left_open_is_named_and_stays_usable(tmp_path):
    with contextlib.ExitStack() as stack:
        with (
            pytest.raises(AssertionError, match=r"left open: .*some\.sqlite"),
            watch(lambda _call, proceed: proceed()),
        ):
            db = stack.enter_context(database(tmp_path / "some.sqlite"))
        db.execute("CREATE TABLE t(x)")
    with database(tmp_path / "some.sqlite") as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]


def test_what_a_listener_raises_comes_out_in_the_end(tmp_path):
    def listener(call, proceed):
        if call.kind == "write":
            raise ZeroDivisionError("of the listener")
        return proceed()

    with (
        pytest.raises(ZeroDivisionError, match="of the listener"),
        watch(listener),
        database(tmp_path / "a") as db,
        pytest.raises(sqlite3.OperationalError),
    ):
        db.execute("CREATE TABLE t(x)")


def test_there_is_no_way_past_it_by_mapped_memory(tmp_path):
    reads = []

    def listener(call, proceed):
        if call.kind == "read":
            reads.append(call)
        return proceed()

    with watch(listener), database(tmp_path / "a", "mmap_size=1000000") as db:
        db.execute("CREATE TABLE t(x)")
        db.execute("INSERT INTO t VALUES (1)")
        del reads[:]
        with database(tmp_path / "a", "mmap_size=1000000") as other:
            assert other.execute("SELECT * FROM t").fetchall() == [(1,)]
    assert [call.path for call in reads if call.size >= 4_096] != []
