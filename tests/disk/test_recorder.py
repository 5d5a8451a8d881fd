"""The log of a state directory's disk is complete: played again, it gives the same bytes."""

import os

import pytest

from dobook.storage import files
from tests.disk import sqlite_vfs
from tests.disk.programs import PROGRAMS, is_row_by_row, program
from tests.disk.recorder import NOT_RECORDED, RECORDED, read_image, recording
from tests.disk.workload import record

pytestmark = pytest.mark.skipif(bool(sqlite_vfs.why_not()), reason=sqlite_vfs.why_not() or "works")


def kinds(log):
    return [operation.kind for operation in log.operations]


@pytest.mark.parametrize("durability", ["power", "process"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_all_file_work_of_a_state_directory_is_in_the_log(tmp_path, name, durability):
    row_by_row = is_row_by_row(name)
    recorded = record(name, program(name), durability, tmp_path, row_by_row=row_by_row)
    assert recorded.log.bypassed == []
    assert recorded.log.image() == read_image(tmp_path / "disk")
    # A look at what SQLite would take for a journal is the only reading that cannot be made to fail.
    assert [path for path in recorded.log.read_past if not path.endswith("-journal")] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_all_file_work_of_a_random_program_is_in_the_log(tmp_path, seed):
    recorded = record(f"seed {seed}", program(f"seed {seed}"), "power", tmp_path)
    assert recorded.log.bypassed == []
    assert recorded.log.image() == read_image(tmp_path / "disk")


def test_a_log_begins_with_what_is_there(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a").write_bytes(b"aaaa")
    with recording(tmp_path) as log:
        files.make_folder(tmp_path / "new", durable=True)
        files.replace_atomically(tmp_path / "new" / "b", b"bbbb", durable=True)
        fd = files.system.open(str(tmp_path / "old" / "a"), os.O_RDWR)
        files.write_at(fd, b"cc", 3)
        files.system.truncate(fd, 9)
        files.system.close(fd)
        files.remove(tmp_path / "new" / "b")
    assert log.image() == read_image(tmp_path) == {
        "old": None, "old/a": b"aaacc\0\0\0\0", "new": None,
    }  # fmt: skip
    assert kinds(log) == [
        *("mkdir", "sync_folder", "create", "write", "sync", "rename", "sync_folder"),
        *("write", "truncate", "unlink"),
    ]


def test_a_file_keeps_its_number_under_another_name(tmp_path):
    with recording(tmp_path) as log:
        files.replace_atomically(tmp_path / "a", b"1", durable=False)
        fd = files.system.open(str(tmp_path / "a"), os.O_RDWR)
        files.system.rename(str(tmp_path / "a"), str(tmp_path / "b"))
        files.write_at(fd, b"2", 0)
        files.system.close(fd)
        files.replace_atomically(tmp_path / "a", b"3", durable=False)
    assert log.image() == read_image(tmp_path) == {"a": b"3", "b": b"2"}


def test_a_deleted_folder_is_in_the_log(tmp_path):
    with recording(tmp_path) as log:
        files.make_folder(tmp_path / "a" / "b", durable=False)
        files.replace_atomically(tmp_path / "a" / "b" / "c", b"1", durable=False)
        files.remove_tree(tmp_path / "a")
    assert log.image() == read_image(tmp_path) == {}
    assert log.bypassed == []


@pytest.mark.parametrize(
    ("what", "act"),
    [
        ("open a", lambda path: (path / "a").open("a").close()),
        ("open b", lambda path: (path / "b").write_bytes(b"")),
        ("os.rename a", lambda path: (path / "a").rename(path / "b")),
        ("os.remove a", lambda path: (path / "a").unlink()),
        ("os.mkdir b", lambda path: (path / "b").mkdir()),
        ("os.truncate a", lambda path: os.truncate(path / "a", 0)),
        ("os.link a", lambda path: os.link(path / "a", path / "b")),
        ("os.symlink a", lambda path: (path / "b").symlink_to(path / "a")),
    ],
)
def test_what_goes_past_the_log_is_noticed(tmp_path, what, act):
    (tmp_path / "a").write_bytes(b"1")
    with recording(tmp_path) as log:
        act(tmp_path)
    assert log.bypassed == [what]
    act_after = (tmp_path / "c").write_bytes
    act_after(b"")
    assert log.bypassed == [what], "nothing is noticed after the recording"


def test_what_is_read_past_the_log_is_noticed(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    with recording(tmp_path) as log:
        (tmp_path / "a").read_bytes()
    assert (log.bypassed, log.read_past) == ([], ["a"])


def test_each_call_of_the_system_is_recorded_or_known_to_change_nothing():
    calls = {n for n, value in vars(files.System).items() if callable(value) and n[0] != "_"}
    assert calls == RECORDED | NOT_RECORDED, "RecordingSystem has to know the new call"
