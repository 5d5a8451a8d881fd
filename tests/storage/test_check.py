"""`check_state`: what is right in a state directory, what is odd, and what is damaged."""

import json
import os
import shutil
import sqlite3

import pytest

import dobook
from dobook import Runtime
from dobook.errors import StateDirectoryError
from dobook.ids import IdFactory
from dobook.runtime.access import kernel_of
from dobook.storage.checking import DAMAGE, NOTE, check_state
from tests.storage.damaged_state import LATER_MS, Box, make

KEY = "dobook-Box"
OWN = ".dobook"


def id_of(name):
    return IdFactory(KEY).from_name(name).toString()


@pytest.fixture
def path(tmp_path):
    """A directory that was closed properly."""
    make(tmp_path / "state", "process", how="closed")
    return tmp_path / "state"


def found(path, level=DAMAGE):
    """Return (place, rule) of the findings of a level."""
    return [(f.place, f.rule) for f in check_state(path) if f.level == level]


@pytest.mark.parametrize("how", ["closed", "killed"])
@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_good_directory_is_all_right(tmp_path, how, durability):
    make(tmp_path / "state", durability, how=how)
    report = check_state(tmp_path / "state")
    assert report.summary == "14 objects of 2 classes, all right."
    assert {f.level for f in report} == {"ok"}
    assert not report.damaged
    (journal,) = (f.what for f in report if f.place == f"{OWN}/journal")
    assert ("closed properly" in journal) == (how == "closed")
    assert ("of 8 objects" in journal) == (how == "killed")


def test_a_directory_in_use_is_looked_at_as_it_is_at_that_moment(tmp_path):
    with Runtime(tmp_path) as runtime:
        runtime.run(runtime.register(Box).getByName("a").put({"k": 1}))
        runtime.run(runtime.stub("BOX/a").insert("x"))
        report = check_state(tmp_path)
        runtime.run(runtime.stub("BOX/a").put({"k": 2}))
    assert not report.damaged
    assert report.objects == 1
    assert report.in_use
    assert report.summary.endswith("(a runtime has it open: this is how it was at one moment).")
    assert not check_state(tmp_path).in_use


def test_progress_is_told_after_each_object(path):
    seen = []
    check_state(path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 14) for n in range(1, 15)]


def change(file, sql, *values):
    db = sqlite3.connect(file)
    db.execute(sql, values)
    db.commit()
    db.close()


ROW = "UPDATE _cf_KV SET value = ? WHERE key = 'k1'"
CHANGES = {
    "a value that cannot be decoded": (f"{KEY}/{id_of('kv')}.sqlite", ROW, b"\xff\x0f\xfe"),
    "a value that is a number": (f"{KEY}/{id_of('kv')}.sqlite", ROW, 5),
    "a value that is nothing": (f"{KEY}/{id_of('kv')}.sqlite", ROW, None),
    "an alarm that is text": (f"{KEY}/{id_of('alarm')}.sqlite", "UPDATE _cf_METADATA SET value=?", "x"),
    "an alarm that differs": (f"{KEY}/metadata.sqlite", "UPDATE _cf_ALARM SET scheduled_time=?", 5),
    "an alarm that is text in the index": (
        f"{KEY}/metadata.sqlite", "UPDATE _cf_ALARM SET scheduled_time=?", "x"),
    "an alarm that the index lacks": (
        f"{KEY}/metadata.sqlite", "DELETE FROM _cf_ALARM WHERE actor_id=?", id_of("alarm")),
    "an alarm of an object without a file": (
        f"{KEY}/metadata.sqlite", "INSERT INTO _cf_ALARM VALUES (?, 5, NULL)", "0" * 64),
    "a name that does not lead to the id": (f"{OWN}/state.sqlite", "UPDATE names SET name=?", "no"),
    "a name that is lost": (f"{OWN}/state.sqlite", "DELETE FROM names WHERE name=?", "kv"),
    "no table of names": (f"{OWN}/state.sqlite", "DROP TABLE names"),
    "no table of points": (f"{OWN}/history.sqlite", "DROP TABLE points"),
}  # fmt: skip


@pytest.mark.parametrize(("place", "sql", "value"), [(*c, None)[:3] for c in CHANGES.values()],
                         ids=CHANGES)  # fmt: skip
def test_what_a_database_says_is_compared(path, place, sql, value):
    change(path / place, sql, *([value] if "?" in sql else []))
    assert {at for at, _ in found(path)} == {place}


def test_the_journal_is_newer_than_the_index_of_alarms(tmp_path):
    make(tmp_path / "state", "process", how="killed")
    assert found(tmp_path / "state") == []  # the index has one alarm of three
    (tmp_path / "state" / OWN / "journal").unlink()
    assert found(tmp_path / "state") == [(f"{OWN}/journal", "journal")]


ODD_FILES = {
    f"{OWN}/journal.damaged": "evidence",
    f"{OWN}/state.sqlite.damaged-2": "evidence",
    f"{OWN}/journal.new": "leftover",
    f"{OWN}/what.txt": "foreign",
    f"{KEY}/{id_of('kv')}.sqlite.new": "leftover",
    f"{KEY}/notes.txt": "foreign",
    f"{KEY}/{'A' * 64}.sqlite": "foreign",
    f"{KEY}/short.sqlite": "foreign",
    "README": "foreign",
    "..folder/x": "foreign",
}


@pytest.mark.parametrize(("place", "rule"), ODD_FILES.items())
def test_files_that_do_not_belong_there_are_noted(path, place, rule):
    (path / place).parent.mkdir(exist_ok=True)
    (path / place).write_bytes(b"x")
    shown = place.partition("/")[0] if place.startswith("..") else place
    assert found(path, NOTE) == [(shown, rule)]
    assert found(path) == []


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
@pytest.mark.parametrize("kind", ["link", "folder"])
@pytest.mark.parametrize(
    "place",
    [f"{OWN}/journal", f"{OWN}/ledger", f"{OWN}/state.sqlite", f"{OWN}/history.sqlite",
     f"{OWN}/lock", OWN, KEY, f"{KEY}/metadata.sqlite", f"{KEY}/{id_of('kv')}.sqlite"],
)  # fmt: skip
def test_a_link_or_a_folder_in_the_place_of_a_file_is_damage(path, place, kind):
    if kind == "folder" and place in (OWN, KEY):
        return  # these are folders
    target = path / place
    target.rename(path.parent / "moved")
    if kind == "link":
        target.symlink_to(path.parent / "moved")
    else:
        target.mkdir()
    assert place in {at for at, _ in found(path)}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
@pytest.mark.parametrize("place", [f"{OWN}/journal", f"{OWN}/state.sqlite", KEY, OWN])
def test_what_cannot_be_read_is_said(path, place):
    (path / place).chmod(0)
    try:
        assert place in {at for at, _ in found(path)}
    finally:
        (path / place).chmod(0o755)


def test_a_log_without_its_database_is_damage(tmp_path):
    make(tmp_path / "state", "process", how="killed")
    file = tmp_path / "state" / KEY / f"{id_of('sql')}.sqlite"
    file.unlink()
    assert found(tmp_path / "state") == [(f"{KEY}/{file.name}-wal", "log")]


def test_many_findings_of_a_kind_are_counted(path):
    for number in range(250):
        (path / KEY / f"{number}.txt").touch()
    report = check_state(path)
    assert report.count(NOTE) == 250
    assert "250 notes" in report.summary
    listed = [f for f in report if f.level == NOTE]
    assert len(listed) == 101
    assert "150 more findings of the kind 'foreign'" in str(report)


def test_names_from_a_stranger_are_shown_as_plain_text(path):
    (path / KEY / "\x1b[31mred\n").touch()
    assert "\x1b" not in str(check_state(path))
    json.dumps(check_state(path).as_dict())


def test_a_large_object_is_looked_at_without_holding_it(tmp_path):
    with Runtime(tmp_path) as runtime:
        box = runtime.register(Box).getByName("a")
        runtime.run(box.insert(*["x" * 1_000_000] * 6))
    assert not check_state(tmp_path).damaged


@pytest.mark.parametrize("what", ["missing", "file", "zero"])
def test_what_is_no_directory_is_refused(tmp_path, what):
    path = tmp_path / "state"
    if what == "file":
        path.write_bytes(b"x")
    with pytest.raises(StateDirectoryError):
        check_state("a\0b" if what == "zero" else path)


def test_an_empty_directory_is_all_right(tmp_path):
    assert check_state(tmp_path).summary == "0 objects of 0 classes, all right."


def test_a_directory_of_the_real_engine_needs_nothing_of_dobook(path):
    shutil.rmtree(path / OWN)
    report = check_state(path)
    assert not report.damaged
    assert report.objects == 14


def test_checking_does_not_get_in_the_way_of_opening(path):
    before = dobook.open_state(path).objects()
    check_state(path)
    with Runtime(path) as runtime:
        runtime.register(Box)
        assert {e.due_ms for e in kernel_of(runtime).alarms.scheduled()} == {
            LATER_MS, LATER_MS + 1_000, LATER_MS + 2_000
        }  # fmt: skip
    assert dobook.open_state(path).objects().equals(before)
