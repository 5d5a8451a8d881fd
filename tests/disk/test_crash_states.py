"""The model of a disk after a power cut: it allows what a disk may do, and no more.

SQLite is the witness: what it promises with `synchronous=EXTRA` holds in every state, and without
waiting for the disk it does not. Nor does it with FULL, where it does not wait for a journal's end.
Source: sqlite.org/pragma.html#pragma_synchronous
"""

import contextlib
import os
import random
import sqlite3

import pytest

from dobook.storage import files
from tests.disk import sqlite_vfs
from tests.disk.crash_states import SECTOR, Choice, Disk, parts_of
from tests.disk.materials import put
from tests.disk.recorder import Operation, folder_of, read_image, recording

pytestmark = pytest.mark.skipif(bool(sqlite_vfs.why_not()), reason=sqlite_vfs.why_not() or "works")

A, B = b"a" * SECTOR, b"b" * SECTOR
RNG = random.Random(0)


def disk_after(log, names="strict", count=None):
    disk = Disk(log, names)
    for operation in log.operations[:count]:
        disk.apply(operation)
    return disk


def images(disk, at_random=40):
    return [disk.image(choice) for choice in disk.choices(RNG, at_random)]


def found(log, path, names="strict", count=None):
    return {image.get(path) for image in images(disk_after(log, names, count))}


def opened(path):
    return files.system.open(str(path), os.O_RDWR | os.O_CREAT)


@contextlib.contextmanager
def durable_file(folder, content):
    """Record what is done to a file of which the disk has everything."""
    files.replace_atomically(folder / "a", content, durable=True)
    with recording(folder) as log:
        fd = opened(folder / "a")
        yield fd, log
        files.system.close(fd)


def test_of_two_sectors_each_is_kept_or_lost(tmp_path):
    with durable_file(tmp_path, A + A) as (fd, log):
        files.write_at(fd, B + B, 0)
    assert found(log, "a") == {A + A, A + B, B + A, B + B}


def test_a_later_write_may_be_kept_without_an_earlier_one(tmp_path):
    with durable_file(tmp_path, A + A) as (fd, log):
        files.write_at(fd, B, 0)
        files.write_at(fd, B, SECTOR)
    assert found(log, "a") == {A + A, A + B, B + A, B + B}


def test_a_sector_is_not_torn_and_has_its_writes_in_order(tmp_path):
    with durable_file(tmp_path, A) as (fd, log):
        files.write_at(fd, b"1", 0)
        files.write_at(fd, b"2", 1)
        files.write_at(fd, b"3", 0)
    versions = {A, b"1" + A[1:], b"12" + A[2:], b"32" + A[2:]}
    assert found(log, "a") == versions


def test_what_is_synced_is_kept(tmp_path):
    with durable_file(tmp_path, A) as (fd, log):
        files.write_at(fd, B, 0)
        files.system.sync(fd)
        files.write_at(fd, A, SECTOR)
    assert found(log, "a") == {B, B + A, B + bytes(SECTOR)}


def test_growth_may_be_kept_without_its_data_and_data_without_growth(tmp_path):
    with durable_file(tmp_path, A) as (fd, log):
        files.write_at(fd, B + B, 0)
    states = found(log, "a")
    assert {A, B, A + bytes(SECTOR), B + bytes(SECTOR), A + B, B + B} == states


def test_a_cut_may_be_lost_and_what_it_has_freed_does_not_come_back(tmp_path):
    with durable_file(tmp_path, A + A) as (fd, log):
        files.system.truncate(fd, 0)
        files.write_at(fd, B, 0)
    states = found(log, "a")
    assert {A + A, b"", B, bytes(SECTOR)} <= states
    assert A not in states, "a cut that is kept has freed what was there"


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_that_is_written_anew_is_old_or_new_only_if_it_is_synced_first(tmp_path, durable):
    files.replace_atomically(tmp_path / "a", A, durable=True)
    with recording(tmp_path) as log:
        files.replace_atomically(tmp_path / "a", B + B, durable=durable)
    states = {
        content for n in range(len(log.operations) + 1) for content in found(log, "a", count=n)
    }
    assert (states == {A, B + B}) is durable
    assert None not in states
    assert found(log, "a") == ({B + B} if durable else states)


def test_names_are_kept_one_by_one_or_in_order(tmp_path):
    with recording(tmp_path) as log:
        for name in "abc":
            files.system.close(opened(tmp_path / name))
    strict = {tuple(image) for image in images(disk_after(log))}
    assert len(strict) == 8
    ordered = {tuple(image) for image in images(disk_after(log, "ordered"))}
    assert ordered == {(), ("a",), ("a", "b"), ("a", "b", "c")}


def test_syncing_a_file_keeps_its_name_only_where_names_are_in_order(tmp_path):
    with recording(tmp_path) as log:
        files.system.close(opened(tmp_path / "a"))
        fd = opened(tmp_path / "b")
        files.system.sync(fd)
        files.system.close(fd)
        files.system.close(opened(tmp_path / "c"))
    assert () in {tuple(image) for image in images(disk_after(log))}
    ordered = {tuple(image) for image in images(disk_after(log, "ordered"))}
    assert ordered == {("a", "b"), ("a", "b", "c")}


def test_syncing_a_folder_keeps_its_names_and_those_of_no_other(tmp_path):
    with recording(tmp_path) as log:
        files.make_folder(tmp_path / "one", durable=False)
        files.system.close(opened(tmp_path / "one" / "a"))
        files.sync_folder(tmp_path / "one")
    assert {tuple(image) for image in images(disk_after(log))} == {(), ("one", "one/a")}
    with recording(tmp_path) as log:
        files.remove(tmp_path / "one" / "a")
        files.sync_folder(tmp_path)
    assert found(log, "one/a") == {b"", None}


def test_a_file_without_its_folder_is_not_there(tmp_path):
    with recording(tmp_path) as log:
        files.make_folder(tmp_path / "one" / "two", durable=False)
        files.replace_atomically(tmp_path / "one" / "two" / "a", A, durable=False)
    for image in images(disk_after(log)):
        assert all(folder_of(path) in (*image, "") for path in image)


@pytest.mark.parametrize("names", ["strict", "ordered"])
def test_what_was_in_a_folder_does_not_come_back_in_a_new_one_of_its_name(tmp_path, names):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a").write_bytes(A)
    with recording(tmp_path) as log:
        files.system.unlink(str(tmp_path / "old" / "a"))
        files.system.rmdir(str(tmp_path / "old"))
        files.sync_folder(tmp_path)
        synced = len(log.operations)
        files.system.mkdir(str(tmp_path / "old"))
        files.system.close(opened(tmp_path / "old" / "b"))
    before, after = images(disk_after(log, names, synced - 1)), images(disk_after(log, names))
    assert any("old/a" in image for image in before)
    assert [image for image in images(disk_after(log, names, synced)) if "old" in image] == []
    assert any("old/b" in image for image in after)
    assert [image for image in after if "old/a" in image] == []


def test_a_killed_process_leaves_the_beginning_of_a_write():
    parts = parts_of(Operation("write", "a", 1, 100, b"x" * 1_000))
    assert [len(part.data) for part in parts] == [412, 500, 999]
    assert parts_of(Operation("write", "a", 1, 0, b"x")) == []
    assert parts_of(None) == []


def test_everything_kept_is_the_real_folder(tmp_path):
    with recording(tmp_path) as log, _database(tmp_path / "db", "synchronous=OFF") as db:
        _insert(db, range(50))
    for names in ("strict", "ordered"):
        assert disk_after(log, names).image(Choice("all kept")) == read_image(tmp_path)


def test_an_image_is_put_into_a_folder_as_it_is(tmp_path):
    image = {"a": None, "a/b": b"1", "c": b""}
    for content in ({"x": None, "x/y": b"2"}, image):
        put(content, tmp_path / "here")
        assert read_image(tmp_path / "here") == content


# ---------------------------------------------------------------------- SQLite as the witness


@contextlib.contextmanager
def _database(path, *pragmas):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in pragmas:
            db.execute(f"PRAGMA {pragma}").fetchall()
        yield db


def _insert(db, numbers):
    db.execute("CREATE TABLE IF NOT EXISTS t(x, y)")
    for number in numbers:
        db.execute("BEGIN")
        for part in range(3):
            db.execute("INSERT INTO t VALUES (?, ?)", (number, f"{part}" * 900))
        db.execute("COMMIT")


def _wrong_states(log, folder, mode, per_cut=8):
    """Return how many of the states SQLite takes for damaged, torn, or short of what it promised."""
    wrong = states = promised = 0
    for number, operation in enumerate(log.operations):
        if operation.kind == "mark":
            promised = operation.note
            continue
        disk = disk_after(log, mode, number)
        choices = list(disk.choices(RNG))
        for choice in RNG.sample(choices, min(per_cut, len(choices))):
            put(disk.image(choice), folder)
            states += 1
            try:
                with _database(folder / "db") as db:
                    rows = []
                    if db.execute("SELECT 1 FROM sqlite_master").fetchall():
                        rows = db.execute("SELECT x FROM t").fetchall()
                    verdict = db.execute("PRAGMA integrity_check").fetchall()
                whole = rows == [(n,) for n in range(len(rows) // 3) for _ in range(3)]
                wrong += not (whole and verdict == [("ok",)] and len(rows) >= 3 * promised)
            except sqlite3.DatabaseError:
                wrong += 1
    assert states > 100
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["strict", "ordered"])
@pytest.mark.parametrize(
    ("journal", "waits", "safe"),
    [
        ("delete", "EXTRA", True),
        ("delete", "FULL", False),  # a commit may be undone, as the journal's name may come back
        ("delete", "OFF", False),
        ("wal", "FULL", True),
        ("wal", "OFF", False),
    ],
)
def test_sqlite_keeps_its_promises_exactly_where_it_waits(tmp_path, mode, journal, waits, safe):
    disk = tmp_path / "disk"
    disk.mkdir()
    with _database(disk / "db", f"journal_mode={journal}") as db:
        _insert(db, [])
    with (
        recording(disk) as log,
        _database(disk / "db", f"synchronous={waits}", "wal_autocheckpoint=8") as db,
    ):
        for number in range(3):
            _insert(db, [number])
            log.mark(number + 1)
    wrong = _wrong_states(log, tmp_path / "state", mode)
    assert (wrong == 0) is safe
