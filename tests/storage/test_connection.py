"""One object's database: what opening, transactions, sync and close promise."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from dobook.errors import StateDirectoryError
from dobook.storage.connection import Connection, error_text, is_critical


@pytest.fixture(params=["memory", "file"])
def connection(request, tmp_path):
    opened = Connection(None if request.param == "memory" else tmp_path / "a.sqlite")
    yield opened
    opened.close()


def fill(connection):
    connection.execute("CREATE TABLE t(x INTEGER PRIMARY KEY, y)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [(1, "a"), (2, "b")])


def rows(connection):
    return connection.execute("SELECT x, y FROM t ORDER BY x").fetchall()


def test_rolling_back_undoes_the_transaction_and_tolerates_that_there_is_none(connection):
    fill(connection)
    connection.begin()
    assert connection.in_transaction
    connection.execute("DELETE FROM t")
    connection.rollback()
    assert not connection.in_transaction
    assert rows(connection) == [(1, "a"), (2, "b")]
    connection.rollback()


def test_a_savepoint_undoes_only_what_came_after_it(connection):
    fill(connection)
    connection.begin()
    connection.execute("INSERT INTO t VALUES (3, 'c')")
    connection.savepoint("inner_1")
    connection.execute("DELETE FROM t")
    connection.rollback_to("inner_1")
    connection.release("inner_1")
    connection.commit()
    assert [x for x, _ in rows(connection)] == [1, 2, 3]


def test_foreign_keys_are_enforced_and_a_deferred_violation_keeps_the_transaction_open(connection):
    connection.execute("CREATE TABLE p(id INTEGER PRIMARY KEY)")
    connection.execute(
        "CREATE TABLE c(p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)",
    )
    connection.begin()
    connection.execute("INSERT INTO c VALUES (7)")
    with pytest.raises(sqlite3.IntegrityError) as caught:
        connection.commit()
    assert error_text(caught.value) == (
        "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)"
    )
    assert connection.in_transaction
    connection.rollback()


def test_what_was_committed_is_there_after_reopening(tmp_path):
    path = tmp_path / "a.sqlite"
    connection = Connection(path)
    fill(connection)
    connection.close()
    connection.close()
    assert not (tmp_path / "a.sqlite-wal").exists()
    again = Connection(path)
    assert rows(again) == [(1, "a"), (2, "b")]
    again.close()


def test_closing_drops_an_open_transaction(tmp_path):
    connection = Connection(tmp_path / "a.sqlite")
    fill(connection)
    connection.begin()
    connection.execute("DELETE FROM t")
    connection.close()
    again = Connection(tmp_path / "a.sqlite")
    assert len(rows(again)) == 2
    again.close()


def test_the_file_has_the_layout_of_the_real_engine(tmp_path):
    connection = Connection(tmp_path / "a.sqlite")
    connection.begin()
    connection.commit()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA page_size").fetchone() == (4096,)
    connection.close()


def test_sqlite_itself_never_waits_nor_writes_back_unasked_when_the_disk_has_to_be_waited_for(
    tmp_path,
):
    # `sync` waits, and `checkpoint` writes back between two waits: a write-back in between would
    # not survive a loss of power.
    connection = Connection(tmp_path / "a.sqlite")
    assert connection.execute("PRAGMA synchronous").fetchone() == (0,)
    assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    connection.close()


def test_sync_works_from_another_thread_before_and_after_the_first_write(tmp_path):
    connection = Connection(tmp_path / "a.sqlite")
    for _ in range(2):
        failures = []

        def sync(failures=failures):
            try:
                connection.sync()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=sync)
        thread.start()
        thread.join()
        assert failures == []
        connection.execute("CREATE TABLE IF NOT EXISTS t(x)")
    connection.close()
    connection.sync()


def test_another_program_s_lock_is_still_kept_out_after_a_sync(tmp_path):
    connection = Connection(tmp_path / "a.sqlite")
    fill(connection)
    connection.sync()
    connection.begin()
    other = sqlite3.connect(tmp_path / "a.sqlite", timeout=0)
    with pytest.raises(sqlite3.OperationalError):
        other.execute("BEGIN IMMEDIATE")
    other.close()
    connection.rollback()
    connection.close()


def unusable(path: Path, text: str) -> None:
    with pytest.raises(StateDirectoryError) as caught:
        Connection(path)
    assert str(path) in str(caught.value)
    assert text in str(caught.value)
    assert isinstance(caught.value.__cause__, sqlite3.Error)


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"not a database at all, but long enough to have a header" * 40)
    unusable(path, "is not a SQLite database")


def test_a_torn_file_is_refused(tmp_path):
    path = tmp_path / "a.sqlite"
    connection = Connection(path)
    for i in range(200):
        connection.execute(f"CREATE TABLE t{i}(a, b, c, d, e, f, g)")
    connection.close()
    os.truncate(path, 4096 * 2)
    unusable(path, "is damaged")


def test_a_missing_directory_is_refused(tmp_path):
    unusable(tmp_path / "nowhere" / "a.sqlite", "cannot be opened")


def test_a_locked_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("dobook.storage.connection.BUSY_TIMEOUT_S", 0)
    path = tmp_path / "a.sqlite"
    Connection(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    unusable(path, "in use by another program")
    other.close()


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anything")
def test_a_read_only_file_is_refused(tmp_path):
    path = tmp_path / "a.sqlite"
    Connection(path).close()
    path.chmod(0o444)
    unusable(path, "cannot be written")


def test_a_full_database_is_a_critical_error(connection):
    fill(connection)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 1}")
    connection.begin()
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("INSERT INTO t VALUES (3, zeroblob(100000))")
    assert is_critical(caught.value)
    assert error_text(caught.value) == "database or disk is full: SQLITE_FULL"
    connection.rollback()
