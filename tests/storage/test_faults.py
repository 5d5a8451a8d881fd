"""Disks that are full, files that are damaged, locked or foreign: told plainly, and nothing lost."""

import contextlib
import errno
import itertools
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from dobook import Runtime
from dobook.errors import PlatformError, StateDirectoryError
from dobook.runtime.access import kernel_of
from dobook.storage import files


class Box:
    def __init__(self, ctx, env):
        self.ctx, self.storage = ctx, ctx.storage

    async def put(self, key, value):
        await self.storage.put(key, value)

    async def sql(self, query, *values):
        return [list(row) for row in self.storage.sql.exec(query, *values).raw()]

    async def both(self, value, query):
        await self.storage.put("v", value)
        self.storage.sql.exec("INSERT INTO t VALUES ('before')")
        with contextlib.suppress(PlatformError):
            self.storage.sql.exec(query)
        await self.storage.put("after", value)

    async def delete(self, key):
        await self.storage.delete(key)

    async def delete_all_and_put(self, key, value):
        await self.storage.deleteAll()
        await self.storage.put(key, value)

    async def everything(self):
        return dict(await self.storage.list())

    async def set_alarm(self, at_ms):
        await self.storage.setAlarm(at_ms)

    async def alarm(self):
        await self.storage.put("ran", True)  # noqa: FBT003


@pytest.fixture(params=["power", "process"])
def durability(request):
    return request.param


def reopened(path, **options):
    runtime = Runtime(path, **options)
    runtime.register(Box)
    return runtime


def contents(runtime, name="a"):
    return runtime.run(runtime.stub(f"BOX/{name}").everything())


def file_of(path, runtime, name="a"):
    return path / "dobook-Box" / f"{runtime.env.BOX.idFromName(name)}.sqlite"


class Refusing(files.System):
    """Refuses the next writes, or syncs, of the journal."""

    def __init__(self, code, *, writes=0, syncs=0, written=0):
        self.code, self.writes, self.syncs, self.written = code, writes, syncs, written

    def write(self, fd, data, offset):
        if self.writes:
            self.writes -= 1
            if self.written:
                super().write(fd, data[: self.written], offset)
            raise OSError(self.code, os.strerror(self.code))
        return super().write(fd, data, offset)

    def sync(self, fd):
        if self.syncs:
            self.syncs -= 1
            raise OSError(self.code, os.strerror(self.code))
        super().sync(fd)


@pytest.mark.parametrize("written", [0, 30])
def test_a_full_disk_breaks_the_object_and_loses_nothing(
    tmp_path, monkeypatch, durability, written
):
    with reopened(tmp_path, durability=durability) as runtime:
        box = runtime.stub("BOX/a")
        runtime.run(box.put("v", "kept"))
        monkeypatch.setattr(files, "system", Refusing(errno.ENOSPC, writes=1, written=written))
        with pytest.raises(PlatformError, match=r"could not be written.*No space left"):
            runtime.run(box.put("v", "refused"))
        assert contents(runtime) == {"v": "kept"}
        runtime.run(runtime.stub("BOX/a").put("w", "later"))
    with reopened(tmp_path) as runtime:
        assert contents(runtime) == {"v": "kept", "w": "later"}


def test_a_row_that_was_deleted_and_written_again_survives_a_crash(tmp_path):
    with reopened(tmp_path) as runtime:
        box = runtime.stub("BOX/a")
        runtime.run(box.put("v", 1))
        runtime.run(box.delete("v"))
        runtime.run(box.put("v", 2))
        runtime.run(box.delete_all_and_put("v", 3))
        killed = as_killed(runtime)
    with reopened(killed) as runtime:
        assert contents(runtime) == {"v": 3}


def test_a_refused_write_does_not_come_back_after_a_crash(tmp_path, monkeypatch):
    with reopened(tmp_path) as runtime:
        runtime.run(runtime.stub("BOX/a").put("v", "kept"))
        monkeypatch.setattr(files, "system", Refusing(errno.EIO, syncs=1))
        with pytest.raises(PlatformError, match=r"could not be written.*Input/output error"):
            runtime.run(runtime.stub("BOX/a").put("v", "refused"))
        monkeypatch.undo()
        assert contents(runtime) == {"v": "kept"}
        killed = as_killed(runtime)
    with reopened(killed) as runtime:
        assert contents(runtime) == {"v": "kept"}


def as_killed(runtime):
    """Return a copy of a runtime's directory as a killed process would leave it."""
    path = kernel_of(runtime).path.with_name(f"{kernel_of(runtime).path.name}-killed")
    shutil.copytree(kernel_of(runtime).path, path)
    return path


def test_a_full_database_breaks_the_object_as_on_the_platform(tmp_path, durability):
    with reopened(tmp_path, durability=durability) as runtime:
        box = runtime.stub("BOX/a")
        runtime.run(box.put("v", "kept"))
        runtime.run(box.sql("CREATE TABLE t(x)"))
        connection = kernel_of(runtime).actor_of("BOX/a").store.connection()
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(PlatformError) as caught:
            runtime.run(box.both("lost", "INSERT INTO t VALUES (zeroblob(100000))"))
        assert str(caught.value) == "database or disk is full: SQLITE_FULL"
        assert contents(runtime) == {"v": "kept"}
        connection.execute("PRAGMA max_page_count = 1000000")
        assert runtime.run(runtime.stub("BOX/a").sql("SELECT * FROM t")) == []
    with reopened(tmp_path) as runtime:
        assert contents(runtime) == {"v": "kept"}


@pytest.mark.skipif(not hasattr(os, "seteuid") or os.geteuid() != 0, reason="becomes another user")
def test_a_directory_that_cannot_be_written_is_refused_at_once(tmp_path):
    path = tmp_path / "state"
    with reopened(path) as runtime:
        runtime.run(runtime.stub("BOX/a").put("v", 1))
    beside = Path(tempfile.gettempdir())
    for folder in itertools.takewhile(lambda one: one != beside, tmp_path.parents):
        folder.chmod(0o755)
    tmp_path.chmod(0o700)
    os.seteuid(65534)
    try:
        with pytest.raises(StateDirectoryError, match="cannot be used as a state directory"):
            Runtime(path)  # what is in it cannot be looked for either
    finally:
        os.seteuid(0)
    tmp_path.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(StateDirectoryError, match="cannot be"):
            Runtime(path)
        with pytest.raises(StateDirectoryError, match="cannot be used as a state directory"):
            Runtime(tmp_path / "new")
    finally:
        os.seteuid(0)
    with reopened(path) as runtime:
        assert contents(runtime) == {"v": 1}


@pytest.mark.parametrize("damage", ["foreign", "torn"])
def test_a_damaged_file_is_named_left_alone_and_harms_no_other(tmp_path, damage):
    with reopened(tmp_path) as runtime:
        for name in "ab":
            runtime.run(runtime.stub(f"BOX/{name}").put("v", name))
            runtime.run(runtime.stub(f"BOX/{name}").set_alarm(runtime.clock.now_ms + 60_000))
        file = file_of(tmp_path, runtime)
    data = file.read_bytes()
    bad = b"not SQLite" * 1_000 if damage == "foreign" else data[:100] + b"\xff" * 4_000
    file.write_bytes(bad)
    with reopened(tmp_path) as runtime:
        with pytest.raises(StateDirectoryError, match=f"{file.name} is .*It is left as it is"):
            contents(runtime)
        assert contents(runtime, "b") == {"v": "b"}
        runtime.advance("1m")
        assert contents(runtime, "b") == {"v": "b", "ran": True}
    assert file.read_bytes() == bad
    file.write_bytes(data)
    with reopened(tmp_path) as runtime:
        assert contents(runtime) == {"v": "a"}


def test_a_file_that_another_program_holds_is_usable_once_it_lets_go(tmp_path, monkeypatch):
    monkeypatch.setattr("dobook.storage.connection.BUSY_TIMEOUT_S", 0)
    with reopened(tmp_path) as runtime:
        runtime.run(runtime.stub("BOX/a").put("v", 1))
        file = file_of(tmp_path, runtime)
    with reopened(tmp_path) as runtime:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StateDirectoryError, match="in use by another program"):
                contents(runtime)
        assert contents(runtime) == {"v": 1}


def test_rows_whose_file_cannot_be_written_wait_in_the_journal(tmp_path, monkeypatch, durability):
    monkeypatch.setattr("dobook.storage.connection.BUSY_TIMEOUT_S", 0)
    runtime = reopened(tmp_path, durability=durability)
    runtime.run(runtime.stub("BOX/a").put("v", 1))
    runtime.run(runtime.stub("BOX/b").put("v", 1))
    kernel_of(runtime).stores.committer.checkpoint()
    runtime.run(runtime.stub("BOX/a").put("v", 2))
    runtime.run(runtime.stub("BOX/b").put("v", 2))
    file = file_of(tmp_path, runtime)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.warns(UserWarning, match="1 objects could not be written.*stay in the journal"):
            kernel_of(runtime).stores.committer.checkpoint()
        runtime.run(runtime.stub("BOX/b").put("w", 3))
        with pytest.warns(UserWarning, match="stay in the journal"):
            runtime.close()
        runtime = reopened(tmp_path, durability=durability)
        assert contents(runtime, "b") == {"v": 2, "w": 3}
        runtime.run(runtime.stub("BOX/b").put("x", 4))
        with pytest.warns(UserWarning, match="stay in the journal"):
            runtime.close()
    with reopened(tmp_path) as runtime:
        assert contents(runtime) == {"v": 2}
        assert contents(runtime, "b") == {"v": 2, "w": 3, "x": 4}
        runtime.run(runtime.stub("BOX/a").sql("CREATE TABLE t(x)"))
    with reopened(tmp_path) as runtime:
        assert contents(runtime) == {"v": 2}


def test_a_checkpoint_that_fails_in_the_middle_of_work_does_not_hold_answers_back(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("dobook.storage.connection.BUSY_TIMEOUT_S", 0)
    monkeypatch.setattr("dobook.storage.journal.CHECKPOINT_BYTES", 20_000)
    with reopened(tmp_path) as runtime:
        runtime.run(runtime.stub("BOX/a").put("v", 1))
        kernel_of(runtime).stores.committer.checkpoint()
        file = file_of(tmp_path, runtime)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            with pytest.warns(UserWarning, match="stay in the journal"):
                runtime.run(_put_often(runtime.stub("BOX/a")))
    with reopened(tmp_path) as runtime:
        assert contents(runtime) == {"v": "29 " * 1_000}


async def _put_often(box):
    for n in range(30):
        await box.put("v", f"{n} " * 1_000)


def test_alarms_are_read_from_the_objects_where_the_index_is_damaged(tmp_path):
    with reopened(tmp_path) as runtime:
        runtime.run(runtime.stub("BOX/a").set_alarm(runtime.clock.now_ms + 60_000))
    index = tmp_path / "dobook-Box" / "metadata.sqlite"
    index.write_bytes(b"not SQLite" * 1_000)
    with pytest.warns(UserWarning, match=r"metadata.sqlite.damaged"):
        runtime = reopened(tmp_path)
    with runtime:
        assert [alarm.object for alarm in runtime.scheduled_alarms()] == ["BOX/a"]
    with reopened(tmp_path) as runtime:
        assert len(runtime.advance("1m")) == 1


def test_a_damaged_history_begins_anew(tmp_path):
    with reopened(tmp_path) as runtime:
        runtime.run(runtime.stub("BOX/a").put("v", 1))
    (tmp_path / ".dobook" / "history.sqlite").write_bytes(b"not SQLite" * 1_000)
    with pytest.warns(UserWarning, match="history begins anew"):
        runtime = reopened(tmp_path)
    with runtime:
        assert contents(runtime) == {"v": 1}


def test_an_error_in_keeping_history_is_told_and_holds_nobody_up(tmp_path, monkeypatch):
    with reopened(tmp_path) as runtime:
        box = runtime.stub("BOX/a")
        runtime.run(box.put("v", 1))
        with monkeypatch.context() as patched:
            patched.setattr("dobook.storage.history.history.History.note", lambda *_: 1 / 0)
            with pytest.raises(PlatformError, match="division by zero"):
                runtime.run(box.put("v", 2))
        assert contents(runtime) == {"v": 1}
        runtime.run(runtime.stub("BOX/a").put("v", 3))
    with reopened(tmp_path) as runtime:
        assert contents(runtime) == {"v": 3}


@pytest.mark.parametrize("damage", ["foreign", "torn", "empty", "missing"])
@pytest.mark.parametrize("ended", ["closed", "killed"])
def test_names_clock_and_notes_are_made_again_when_their_file_is_lost(tmp_path, damage, ended):
    with reopened(tmp_path / "state") as runtime:
        runtime.run(runtime.stub("BOX/a").put("v", 1))
        runtime.run(runtime.stub("BOX/a").set_alarm(runtime.clock.now_ms + 3_600_000))
        kernel_of(runtime).stores.keep_note("tag", "v1")
        runtime.advance("30m")
        runtime.run(runtime.stub("BOX/a").put("v", 2))
        now_ms = runtime.clock.now_ms
        path = as_killed(runtime) if ended == "killed" else tmp_path / "state"
    state = path / ".dobook" / "state.sqlite"
    data = state.read_bytes()
    if damage == "missing":
        state.unlink()
    else:
        bad = {"foreign": b"not SQLite" * 1_000, "torn": data[:100] + b"\xff" * 4_000, "empty": b""}
        state.write_bytes(bad[damage])
    (path / ".dobook" / "state.sqlite-wal").unlink(missing_ok=True)
    expected = (
        contextlib.nullcontext()
        if damage in ("missing", "empty")
        else pytest.warns(UserWarning, match=r"state.sqlite is .* names of objects are made again")
    )
    with expected:
        runtime = reopened(path)
    with runtime:
        assert runtime.clock.now_ms == now_ms
        assert kernel_of(runtime).stores.note("tag") == "v1"
        assert [entry.id.name for entry in kernel_of(runtime).alarms.of(runtime.env.BOX)] == ["a"]
        assert contents(runtime) == {"v": 2}
    aside = path / ".dobook" / "state.sqlite.damaged"
    assert aside.exists() == (damage in ("foreign", "torn"))
    reopened(path).close()


def test_state_of_a_newer_dobook_is_refused(tmp_path):
    reopened(tmp_path).close()
    for name in ("state", "history"):
        file = tmp_path / ".dobook" / f"{name}.sqlite"
        data = file.read_bytes()
        with contextlib.closing(sqlite3.connect(file)) as db:
            db.execute("UPDATE meta SET value = 99 WHERE key = 'version'")
            db.commit()
        with pytest.raises(StateDirectoryError, match="newer dobook"):
            Runtime(tmp_path)
        file.write_bytes(data)
