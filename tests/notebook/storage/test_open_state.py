"""Looking at state without a runtime: `dobook.open_state`, `%storage --state`; and `--diff`."""

import os
import subprocess
import sys

import pandas as pd
import pytest

import dobook
from dobook import Runtime
from dobook.errors import StateDirectoryError, UnknownNameError, UsageError


class Box:
    def __init__(self, ctx, env):
        self.storage = ctx.storage

    async def put(self, key, value):
        await self.storage.put(key, value)

    async def sql(self, query, *values):
        self.storage.sql.exec(query, *values)

    async def set_alarm(self, at_ms):
        await self.storage.setAlarm(at_ms)

    async def alarm(self):
        pass


def fill(runtime):
    boxes = runtime.register(Box)
    runtime.run(boxes.getByName("ada").put("v", {"n": [1, 2]}))
    runtime.run(boxes.getByName("ada").put("w", None))
    runtime.run(boxes.getByName("ada").sql("CREATE TABLE t(id INTEGER PRIMARY KEY, x)"))
    runtime.run(boxes.getByName("ada").sql("INSERT INTO t VALUES (1, 'one'), (2, x'00')"))
    runtime.run(boxes.getByName("bob").set_alarm(runtime.clock.now_ms + 60_000))
    return boxes


def files_of(path):
    return {
        p.relative_to(path): (p.stat().st_size, p.stat().st_mtime_ns)
        for p in path.rglob("*")
        if p.is_file()
    }


@pytest.fixture(params=["closed", "open", "snapshot"])
def kept(request, tmp_path):
    """State in a directory that is closed, or in use, or in a snapshot."""
    path = tmp_path / "state"
    with Runtime(path, durability="process") as runtime:
        fill(runtime)
        if request.param == "open":
            yield path
            return
        if request.param == "snapshot":
            yield runtime.snapshot(tmp_path / "world")
            return
    yield path


def test_state_is_shown_by_class_object_key_and_query(kept):
    before = files_of(kept.parent)
    state = dobook.open_state(kept)
    assert state.classes().values.tolist() == [["dobook-Box", 2]]
    objects = state.objects()
    assert objects["object"].tolist() == ["dobook-Box/ada", "dobook-Box/bob"]
    assert objects["keys"].tolist() == [2, 0]
    assert objects["tables"].tolist() == ["t", ""]
    assert objects["problem"].isna().all()
    assert objects["alarm"].isna().tolist() == [True, False]
    for which in ("dobook-Box/ada", "Box/ada", "BOX/ada", f"Box/{objects['id'][0][:8]}"):
        rows = state.storage(which)
        assert rows[["key", "type"]].values.tolist() == [["v", "dict"], ["w", "None"]]
        assert rows["value"][0] == {"n": [1, 2]}
    assert state.storage("Box/ada", prefix="w")["key"].tolist() == ["w"]
    assert state.tables("Box/ada")[["table", "rows"]].values.tolist() == [["t", 2]]
    assert state.sql("Box/ada", "SELECT x FROM t WHERE id = ?", 1).values.tolist() == [["one"]]
    assert state.alarms()["object"].tolist() == ["dobook-Box/bob"]
    assert isinstance(objects, pd.DataFrame)
    assert "2 objects of 1 class" in repr(state)
    assert files_of(kept.parent) == before


def test_names_that_are_not_there_are_answered_with_the_nearest(kept):
    state = dobook.open_state(kept)
    with pytest.raises(UnknownNameError, match="ada"):
        state.storage("Box/adda")
    with pytest.raises(UnknownNameError, match="dobook-Box"):
        state.objects("Bux")
    with pytest.raises(UsageError, match="only reads"):
        state.sql("Box/ada", "DELETE FROM t")
    with pytest.raises(StateDirectoryError, match="does not exist"):
        dobook.open_state(kept / "missing")


def test_a_damaged_file_is_named_and_harms_no_other(tmp_path):
    with Runtime(tmp_path) as runtime:
        fill(runtime)
    files = tmp_path.glob(f"*/{'?' * 64}.sqlite")
    file = max(files, key=lambda f: f.stat().st_size)  # the one with a table
    file.write_bytes(b"no database" * 1_000)
    objects = dobook.open_state(tmp_path).objects()
    assert objects["problem"].isna().tolist() == [False, True]
    assert "is not a SQLite database" in objects["problem"][0]


KILLED = """
import os, sys
import dobook
class Box:
    def __init__(self, ctx, env):
        self.storage = ctx.storage
    async def put(self, key, value):
        await self.storage.put(key, value)
runtime = dobook.Runtime(sys.argv[1])
runtime.run(runtime.register(Box).getByName("ada").put("v", 7))
os._exit(1)
"""


@pytest.mark.slow
def test_what_a_killed_process_left_in_the_journal_is_shown(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], env=environment, check=False)
    before = files_of(tmp_path)
    assert dobook.open_state(tmp_path).storage("Box/ada")["value"].tolist() == [7]
    assert files_of(tmp_path) == before


def test_differences_of_two_states(tmp_path):
    with Runtime(tmp_path / "one") as runtime:
        boxes = fill(runtime)
        first = runtime.snapshot(tmp_path / "first")
        runtime.run(boxes.getByName("ada").put("v", "changed"))
        runtime.run(boxes.getByName("ada").sql("UPDATE t SET x = 'uno' WHERE id = 1"))
        runtime.run(boxes.getByName("ada").sql("INSERT INTO t VALUES (3, NULL)"))
        runtime.run(boxes.getByName("ada").sql("CREATE INDEX i ON t(x)"))
        runtime.run(boxes.getByName("eve").put("new", 1))
        second = runtime.snapshot(tmp_path / "second")
    one, two = dobook.open_state(first), dobook.open_state(second)
    assert one.diff(one).empty
    assert [tuple(row) for row in one.diff(two).values.tolist()] == [
        ("BOX/ada", "key", "v", "changed", {"n": [1, 2]}, "changed"),
        ("BOX/ada", "schema", "index i", "only there", None, "CREATE INDEX i ON t(x)"),
        ("BOX/ada", "table t", "1", "changed", {"id": 1, "x": "one"}, {"id": 1, "x": "uno"}),
        ("BOX/ada", "table t", "3", "only there", None, {"id": 3, "x": None}),
        ("BOX/eve", "key", "new", "only there", None, 1),
    ]
    assert len(two.diff(dobook.open_state(tmp_path / "one"))) == 0
    assert one.diff(two, "Box/ada")["change"].value_counts()["changed"] == 2


def rows_of(frame):
    return [tuple(row) for row in frame[["object", "key", "change", "here", "there"]].values]


def test_storage_is_compared_with_forks_times_bookmarks_files_and_other_objects(counting, tmp_path):
    counting.cell("%rpc COUNTER/a add 1")
    counting.cell("before = runtime.fork()")
    counting.cell(f"saved = str(runtime.snapshot({str(tmp_path / 'world')!r}))")
    counting.cell("%fast_forward 10m")
    counting.cell("%rpc COUNTER/a add 1")
    counting.cell("%rpc COUNTER/b add 5")
    changed = ("COUNTER/a", "n", "changed", 2, 1)
    assert rows_of(counting.cell("%storage COUNTER/a --diff 5m")) == [changed]
    assert rows_of(counting.cell("%storage COUNTER/a --diff 2026-01-01T00:05")) == [changed]
    assert rows_of(counting.cell("%storage COUNTER/a --diff $before")) == [changed]
    assert rows_of(counting.cell("%storage COUNTER/a --diff $saved")) == [changed]
    assert rows_of(counting.cell(f"%storage COUNTER/a --diff {tmp_path / 'world'}")) == [changed]
    assert rows_of(counting.cell("%storage COUNTER/a --diff COUNTER/b")) == [
        ("COUNTER/a", "n", "changed", 2, 5)
    ]
    assert rows_of(counting.cell("%storage COUNTER/b --diff $before")) == [
        ("COUNTER/b", "n", "only here", 5, None)
    ]
    everything = counting.cell("%storage --diff $before")
    assert rows_of(everything) == [changed, ("COUNTER/b", "n", "only here", 5, None)]
    assert "here: now (2026-01-01 00:10:00), there: $before (2026-01-01 00:00:00)" in repr(
        everything
    )
    counting.cell("from dobook.runtime.access import kernel_of")
    counting.cell("mark = kernel_of(runtime).actor_of('COUNTER/a').store.history.current()")
    counting.cell("%rpc COUNTER/a add 1")
    assert rows_of(counting.cell("%storage COUNTER/a --diff $mark")) == [
        ("COUNTER/a", "n", "changed", 3, 2)
    ]
    assert counting.cell("%storage COUNTER/a")["value"].tolist() == [3]  # looking changed nothing
    counting.cell("before.close()")


def test_the_magic_looks_into_a_directory(shell, kept):
    assert len(shell.cell(f"%storage --state {kept}")) == 2
    assert len(shell.cell(f"%storage --state {kept} Box")) == 2
    assert shell.cell(f"%storage --state {kept} Box/ada --prefix w")["key"].tolist() == ["w"]
    found = shell.cell(f"%sql --state {kept} Box/ada select x from t where id = 1")
    assert found.values.tolist() == [["one"]]
    assert shell.cell(f"%storage --state {kept} --diff {kept}").empty
