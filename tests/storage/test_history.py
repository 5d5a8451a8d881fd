"""Point-in-time recovery: bookmarks, going back, undoing it, and the bounds of history.

Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api/#pitr-point-in-time-recovery-api
"""

import contextlib
import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dobook import Runtime
from dobook.errors import PlatformError
from dobook.runtime.access import kernel_of
from dobook.storage.history import history
from dobook.storage.history.file import HistoryFile
from dobook.storage.history.memory import MemoryLog
from dobook.storage.history.points import Point, superfluous
from dobook.storage.kv import MISSING, Encoded

START = "00000000-00000000-00000000-" + "0" * 32
UNSUPPORTED = "This Durable Object's storage back-end does not implement point-in-time recovery."


class Box:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.storage = ctx.storage

    async def put(self, key, value):
        await self.storage.put(key, value)

    async def delete(self, key):
        await self.storage.delete(key)

    async def alarm(self):
        pass

    async def set_alarm(self, at_ms):
        await self.storage.setAlarm(at_ms)

    async def sql(self, query, *values):
        self.storage.sql.exec(query, *values)

    async def bookmark(self):
        return await self.storage.getCurrentBookmark()

    async def at(self, time):
        return await self.storage.getBookmarkForTime(time)

    async def restore(self, bookmark):
        return await self.storage.onNextSessionRestoreBookmark(bookmark)

    async def abort(self):
        self.ctx.abort("restart")

    async def everything(self):
        tables = {}
        for (name,) in self.storage.sql.exec(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf_*'"
        ).raw():
            tables[name] = [
                list(row) for row in self.storage.sql.exec(f"SELECT * FROM {name}").raw()
            ]
        return [dict(await self.storage.list()), await self.storage.getAlarm(), tables]


class World:
    """A runtime with one object, which may be closed and opened again."""

    def __init__(self, path=None, **options):
        self.path, self.options = path, options
        self.open()

    def open(self):
        self.runtime = Runtime(self.path, **self.options)
        self.boxes = self.runtime.register(Box)

    def reopen(self):
        if self.path is not None:
            self.runtime.close()
            self.open()

    def __getattr__(self, name):
        return lambda *args: self.runtime.run(getattr(self.boxes.getByName("a"), name)(*args))

    def go_back(self, bookmark):
        undo = self.restore(bookmark)
        with contextlib.suppress(PlatformError):
            self.abort()
        return undo


@pytest.fixture(params=["memory", "process", "power"])
def world(request, tmp_path):
    if request.param == "memory":
        made = World()
    else:
        made = World(tmp_path / "state", durability=request.param)
    yield made
    made.runtime.close()


def test_an_object_without_writes_has_the_first_bookmark(world):
    assert world.bookmark() == START


def test_rows_tables_and_alarm_go_back_together_and_forth_again(world):
    world.put("a", 1)
    before = world.bookmark()
    world.put("a", [2])
    world.put("b", None)
    world.sql("CREATE TABLE t(x)")
    world.sql("INSERT INTO t VALUES (1)")
    world.set_alarm(world.runtime.clock.now_ms + 86_400_000)
    after, state = world.bookmark(), world.everything()
    undo = world.go_back(before)
    assert world.everything() == [{"a": 1}, None, {}]
    assert before < after < undo < world.bookmark()
    world.reopen()
    world.go_back(undo)
    assert world.everything() == state


def test_history_survives_restarts(world):
    world.put("a", 1)
    world.sql("CREATE TABLE t(x)")
    bookmark = world.bookmark()
    world.runtime.advance("1h")
    world.reopen()
    world.put("a", 2)
    world.sql("INSERT INTO t VALUES (1)")
    world.reopen()
    world.go_back(bookmark)
    assert world.everything() == [{"a": 1}, None, {"t": []}]


def test_what_is_to_be_restored_is_remembered_over_a_restart(world):
    world.put("a", 1)
    bookmark = world.bookmark()
    world.put("a", 2)
    world.restore(bookmark)
    assert world.everything()[0] == {"a": 2}
    if world.path is None:
        with contextlib.suppress(PlatformError):
            world.abort()
    else:
        world.reopen()
    assert world.everything()[0] == {"a": 1}


def test_a_bookmark_for_a_time_is_of_the_last_write_before_it(world):
    start = world.runtime.clock.now_ms
    for n in range(4):
        world.put("n", n)
        world.sql("CREATE TABLE IF NOT EXISTS t(x)")
        world.sql("INSERT INTO t VALUES (?)", n)
        world.runtime.advance("1m")
    world.go_back(world.at(start + 2 * 60_000 + 59_999))
    assert world.everything() == [{"n": 2}, None, {"t": [[0], [1], [2]]}]
    world.go_back(world.at(start - 1))
    assert world.everything() == [{}, None, {}]


def test_time_must_be_past_and_within_thirty_days(world):
    world.put("a", 1)
    now = world.runtime.clock.now_ms
    with pytest.raises(PlatformError, match="future"):
        world.at(now + 1)
    with pytest.raises(PlatformError, match="does not reach so far back"):
        world.at(now - history.TIDY_EVERY - 30 * 86_400_000)


def test_what_is_no_bookmark_of_the_object_is_refused(world):
    world.put("a", 1)
    bookmark = world.bookmark()
    for text in ("", "x", bookmark[:-1], bookmark.upper().replace("0", "O"), None, 7):
        with pytest.raises(PlatformError, match="Invalid bookmark"):
            world.restore(text)
    other = world.runtime.run(_written(world.boxes.getByName("b")))
    with pytest.raises(PlatformError, match="another Durable Object"):
        world.restore(other)
    with pytest.raises(PlatformError, match="not kept any more, or never was"):
        world.restore(bookmark.replace("-00000001-", "-000000ff-"))
    assert world.everything()[0] == {"a": 1}


async def _written(stub):
    await stub.put("a", 1)
    return await stub.bookmark()


def test_a_restored_alarm_runs():
    class Waker(Box):
        async def alarm(self):
            await self.storage.put("ran", value=True)

    with Runtime() as runtime:
        stub = runtime.register(Waker, name="Waker").getByName("a")
        runtime.run(stub.set_alarm(runtime.clock.now_ms + 60_000))
        bookmark = runtime.run(stub.bookmark())
        runtime.advance("2m")
        runtime.run(stub.restore(bookmark))
        with contextlib.suppress(PlatformError):
            runtime.run(stub.abort())
        stub = runtime.namespace("Waker").getByName("a")
        assert runtime.run(stub.everything())[0] == {}
        assert len(runtime.advance(1)) == 1
        assert runtime.run(stub.everything())[0] == {"ran": True}


def test_classes_declared_with_new_classes_have_none():
    with Runtime() as runtime:
        stub = runtime.register(Box, sqlite=False).getByName("a")
        for call in (stub.bookmark(), stub.at(0), stub.restore("x")):
            with pytest.raises(PlatformError) as caught:
                runtime.run(call)
            assert str(caught.value) == UNSUPPORTED


def test_without_history_there_are_no_bookmarks_and_no_file(tmp_path):
    world = World(tmp_path / "state", history=0)
    world.put("a", 1)
    with pytest.raises(PlatformError, match="does not implement"):
        world.bookmark()
    world.runtime.close()
    assert not (tmp_path / "state" / ".dobook" / "history.sqlite").exists()


def test_history_begins_anew_where_another_program_has_written(tmp_path):
    import sqlite3

    world = World(tmp_path / "state")
    world.put("a", 1)
    bookmark = world.bookmark()
    world.put("a", 2)
    world.runtime.close()
    (file,) = (tmp_path / "state" / "dobook-Box").glob(f"{'?' * 64}.sqlite")
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("DELETE FROM _cf_KV")
        db.commit()
    world.open()
    with pytest.raises(PlatformError, match="not kept any more"):
        world.restore(bookmark)
    world.runtime.close()


def test_large_objects_that_are_read_row_by_row_go_back(tmp_path, monkeypatch):
    monkeypatch.setattr("dobook.storage.store.WHOLE_LOAD_BYTES", 1)
    world = World(tmp_path / "state")
    world.put("a", 1)
    world.put("b", 2)
    world.reopen()
    bookmark = world.bookmark()
    world.put("a", 10)  # never read before
    world.delete("b")
    world.go_back(bookmark)
    assert world.everything()[0] == {"a": 1, "b": 2}
    world.runtime.close()


def test_history_is_bounded_and_gets_coarser_the_longer_ago(monkeypatch, world):
    monkeypatch.setattr(history, "MAX_POINTS", 40)
    monkeypatch.setattr(history, "TIDY_EVERY", 10)
    world.sql("CREATE TABLE t(x)")
    start = world.runtime.clock.now_ms
    marks = {}
    for n in range(200):
        world.put("n", n)
        if n % 3 == 0:
            world.sql("INSERT INTO t VALUES (?)", n)
        if n % 50 == 20:
            marks[n] = world.bookmark()
        world.runtime.advance("1m")
    actor = kernel_of(world.runtime).actor_of(world.boxes.getByName("a"))
    assert len(actor.store.history._log.points()) <= 60
    for n, mark in marks.items():
        world.go_back(mark)
        assert world.everything() == [{"n": n}, None, {"t": [[i] for i in range(0, n + 1, 3)]}]
    world.go_back(world.at(start + 100 * 60_000))
    (n,) = world.everything()[0].values()
    assert 80 <= n <= 100


def test_points_of_a_time_that_is_still_to_come_are_joined_too():
    points = [Point(number, 1_000 + number, pinned=False) for number in range(20)]
    for now_ms in (990, 1_001, 1_010, 1_050):
        assert len(superfluous(points, 10, now_ms)) == 10


def test_what_is_older_than_the_window_is_forgotten(monkeypatch, tmp_path):
    monkeypatch.setattr(history, "TIDY_EVERY", 5)
    world = World(tmp_path / "state", history="1h")
    world.put("n", -1)
    first = world.bookmark()
    for n in range(120):
        world.put("n", n)
        world.runtime.advance("1m")
    with pytest.raises(PlatformError, match="not kept any more"):
        world.restore(first)
    world.go_back(world.at(world.runtime.clock.now_ms - 3_600_000))
    assert world.everything()[0] == {"n": 60}
    world.runtime.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "put",
                "put",
                "delete",
                "sql",
                "sql",
                "wait",
                "mark",
                "mark",
                "back",
                "reopen",
                "evict",
            ]
        ),
        st.integers(0, 3),
        st.integers(0, 9),
    ),
    max_size=30,
)


@pytest.mark.parametrize("store_kind", ["memory", "file"])
@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_every_bookmark_leads_back_to_what_was_there(store_kind, steps, tmp_path_factory):
    path = None if store_kind == "memory" else tmp_path_factory.mktemp("state")
    world = World(path)
    marks = [(START, [{}, None, {}])]
    try:
        for step, which, value in steps:
            if step == "put":
                world.put(f"k{which}", [value] * which)
            elif step == "delete":
                world.delete(f"k{which}")
            elif step == "sql":
                world.sql(f"CREATE TABLE IF NOT EXISTS t{which}(x)")
                world.sql(f"INSERT INTO t{which} VALUES (?)", value)
            elif step == "wait":
                world.runtime.advance(value)
            elif step == "mark":
                marks.append((world.bookmark(), world.everything()))
            elif step == "reopen":
                world.reopen()
            elif step == "evict":
                with contextlib.suppress(PlatformError):
                    world.runtime.run(world.runtime.evict("BOX/a"))
            else:
                bookmark, state = marks[value % len(marks)]
                now = world.everything()
                undo = world.go_back(bookmark)
                assert world.everything() == state
                marks.append((undo, now))
        for bookmark, state in reversed(marks):
            world.go_back(bookmark)
            assert world.everything() == state
        texts = [bookmark for bookmark, _ in marks]
        assert texts == sorted(texts)
    finally:
        world.runtime.close()


PAGE = 4_096
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["point", "replace", "image", "join", "cut"]),
        st.integers(0, 30),
        st.integers(0, 4),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(operations=OPERATIONS)
def test_both_logs_remember_the_same(operations, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("log")
    file = HistoryFile(folder / "history.sqlite")
    logs = [MemoryLog(), file.log("key", "id", folder)]
    numbers = itertools.count(1)
    last = 0
    try:
        for log in logs:
            log.append(Point(0, 0, pinned=True))
        for kind, a, b in operations:
            points = [p.number for p in logs[0].points()]
            if kind == "point":
                last = next(numbers)
            for log in logs:
                if kind == "point":
                    log.append(Point(last, last, pinned=False))
                elif kind == "replace" and len(points) > 1:
                    known = log.undo(points[-2])
                    key = f"k{b}"
                    if key not in known:
                        log.replaced(last, {key: MISSING if a % 2 else Encoded(b"\xff\x0fI\x02")})
                elif kind == "image":
                    log.add_image(last, bytes([a % 3]) * PAGE * b + bytes([b]) * PAGE)
                elif kind == "join":
                    log.join([n for n in points[1:-1] if n % 2 == a % 2])
                elif kind == "cut":
                    log.cut(points[min(a, len(points) - 1)])
            assert logs[0].points() == logs[1].points()
            for point in logs[0].points():
                assert logs[0].undo(point.number) == logs[1].undo(point.number)
                assert logs[0].image(point.number) == logs[1].image(point.number)
    finally:
        file.close()
