"""Odd files among those handed in: each has a row that says why, and all others are read."""

import contextlib
import os
import shutil
import sqlite3

import pytest

from dobook import Runtime
from dobook.notebook.exercises.handing_in import Solutions, collect

GOOD = {"solved": True, "done": ["it works"], "to_do": [], "source": "class Seat: pass"}
EVERY_TYPE = {
    "null": None,
    "true": True,
    "number": 5,
    "fraction": 0.5,
    "big": 2**70,
    "text": "text",
    "empty text": "",
    "list": [],
    "list of numbers": [1],
    "list of lists": [[]],
    "list of null": [None],
    "object": {},
    "bytes": b"\xff",
    "set": {1},
    "deep": None,  # filled in below
}
deep = []
for _ in range(400):
    deep = [deep]
EVERY_TYPE["deep"] = deep


def write(folder, who, rows, name=None):
    with Runtime() as runtime:
        runtime.run(runtime.register(Solutions).getByName(name or who).put(rows))
        return runtime.snapshot(folder / f"{who}.dobook")


@pytest.fixture
def collected(tmp_path):
    write(tmp_path, "ada", {"identity-1": GOOD})
    write(tmp_path, "zoe", {"identity-1": {**GOOD, "solved": False, "to_do": ["this", "that"]}})

    def collect_and_check():
        frame = collect(tmp_path)
        others = frame[frame["who"].isin(["ada", "zoe"])]
        assert others["solved"].tolist() == [True, False]
        assert others["missing"].tolist() == ["", "this; that"]
        frame._repr_html_()
        return frame[~frame["who"].isin(["ada", "zoe"])].reset_index(drop=True)

    return collect_and_check


def is_odd(frame, match=""):
    assert len(frame) == 1
    assert frame["solved"].isna().all()
    assert frame["done"].isna().all()
    assert match in frame["missing"][0]
    assert frame["missing"][0]


@pytest.mark.parametrize("value", EVERY_TYPE.values(), ids=EVERY_TYPE)
def test_every_type_in_the_place_of_a_row(collected, tmp_path, value):
    write(tmp_path, "odd", {"identity-1": value})
    is_odd(collected(), "not written by dobook.hand_in")


@pytest.mark.parametrize("value", EVERY_TYPE.values(), ids=EVERY_TYPE)
@pytest.mark.parametrize("key", GOOD)
def test_every_type_in_every_place(collected, tmp_path, key, value):
    write(tmp_path, "odd", {"identity-1": {**GOOD, key: value}})
    fits = {
        "solved": value is True,
        "done": value == [],
        "to_do": value == [],
        "source": isinstance(value, str),
    }[key]
    frame = collected()
    if fits:
        assert frame["solved"].tolist() == [True]
    else:
        is_odd(frame, f"{key} ")


@pytest.mark.parametrize("key", GOOD)
def test_a_part_that_is_missing(collected, tmp_path, key):
    write(tmp_path, "odd", {"identity-1": {k: v for k, v in GOOD.items() if k != key}})
    is_odd(collected(), f"{key} is missing or null")


def test_an_odd_row_does_not_hide_the_others_of_its_file(collected, tmp_path):
    write(tmp_path, "odd", {"a": 5, "b": GOOD, "c": {}})
    frame = collected()
    assert frame["exercise"].tolist() == ["a", "b", "c"]
    assert frame["solved"].isna().tolist() == [True, False, True]


def test_texts_that_cannot_be_written_anywhere(collected, tmp_path):
    write(tmp_path, "odd", {"\0": {**GOOD, "source": "\ud800", "done": ["\udfff"]}})
    frame = collected()
    assert frame["source"].tolist() == ["?"]
    frame.to_csv(tmp_path / "all.csv", encoding="utf-8")


def test_html_is_escaped(collected, tmp_path):
    evil = "<img src=x onerror=alert(1)>"
    row = {**GOOD, "solved": False, "to_do": [evil], "source": evil}
    write(tmp_path, "odd", {evil: row})
    write(tmp_path, "odder", {"a": {**GOOD, "solved": evil}})
    write(tmp_path, "oddest", {evil: 5})
    html = collect(tmp_path)._repr_html_()
    assert "<img" not in html
    assert "&lt;img" in html
    assert len(collected()) == 3


# ---------------------------------------------------------------------- files


def test_what_is_not_a_file_has_a_row(collected, tmp_path):
    (tmp_path / "folder.dobook").mkdir()
    (tmp_path / "link.dobook").symlink_to(tmp_path / "ada.dobook")
    (tmp_path / "nowhere.dobook").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.dobook").symlink_to(tmp_path / "loop.dobook")
    expected = {"folder": "is a folder", "link": "symbolic link", "loop": "symbolic link"}
    expected["nowhere"] = "symbolic link"
    if os.name != "nt":
        os.mkfifo(tmp_path / "pipe.dobook")
        expected["pipe"] = "is a pipe"
    frame = collected()
    assert frame["who"].tolist() == sorted(expected)
    for who, missing in zip(frame["who"], frame["missing"], strict=True):
        assert expected[who] in missing


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\xff\xfe" * 1_000, b"{" * 100_000, b"SQLite format 3\0" + bytes(5_000)]
)
def test_what_is_not_a_snapshot_has_a_row(collected, tmp_path, data):
    (tmp_path / "odd.dobook").write_bytes(data)
    is_odd(collected())


def test_a_huge_file_has_a_row_at_once(collected, tmp_path):
    shutil.copy(tmp_path / "ada.dobook", tmp_path / "odd.dobook")
    os.truncate(tmp_path / "odd.dobook", 2**40)
    is_odd(collected(), "too large")


def test_an_endless_view_has_a_row_at_once(collected, tmp_path):
    shutil.copy(tmp_path / "ada.dobook", tmp_path / "odd.dobook")
    with contextlib.closing(sqlite3.connect(tmp_path / "odd.dobook")) as db:
        db.execute("DROP TABLE meta")
        db.execute(
            "CREATE VIEW meta AS WITH RECURSIVE n(key, value) AS "
            "(SELECT 1, 1 UNION ALL SELECT key + 1, 1 FROM n) SELECT * FROM n"
        )
    is_odd(collected(), "is refused")


def test_another_snapshot_has_a_row(collected, tmp_path):
    class Counter:
        def __init__(self, ctx, env):
            pass

    with Runtime() as runtime:
        runtime.register(Counter)
        runtime.snapshot(tmp_path / "odd.dobook")
    is_odd(collected(), "another snapshot")


def test_a_file_that_was_handed_in_twice_has_rows_twice(collected, tmp_path):
    shutil.copy(tmp_path / "ada.dobook", tmp_path / "ada (1).dobook")
    assert collected()["who"].tolist() == ["ada (1)"]


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_not_utf_8_has_a_row(collected, tmp_path):
    write(tmp_path, "odd", {"a": GOOD}, name="eve")
    try:
        (tmp_path / "odd.dobook").rename(tmp_path / os.fsdecode(b"\xff.dobook"))
    except OSError:
        pytest.skip("this file system has no such names")
    assert collected()["who"].tolist() == ["?"]
