"""Snapshots, what is restored from them, and forks."""

import sqlite3

import pytest

from dobook import Runtime
from dobook.errors import PlatformError, StateDirectoryError, UsageError
from dobook.runtime.access import kernel_of


class Box:
    def __init__(self, ctx, env):
        self.ctx, self.storage = ctx, ctx.storage

    async def put(self, key, value):
        await self.storage.put(key, value)

    async def sql(self, query, *values):
        return [list(row) for row in self.storage.sql.exec(query, *values).raw()]

    async def set_alarm(self, at_ms):
        await self.storage.setAlarm(at_ms)

    async def everything(self):
        return [dict(await self.storage.list()), await self.storage.getAlarm()]

    async def alarm(self, info):
        await self.storage.put("retry", info.retryCount)
        if await self.storage.get("fails"):
            raise ValueError("on purpose")

    async def wait_inside(self):
        async def closure(txn):
            await txn.put("inside", 1)
            await self.ctx.storage.sync()
            await wait()

        await self.storage.transaction(closure)

    async def bookmark(self):
        return await self.storage.getCurrentBookmark()


async def wait():
    import asyncio

    await asyncio.sleep(10)


class Plain(Box):
    pass


VALUE = {"n": [1, None, 2.5, b"\x00", {"x"}, 2**70], "é": "日"}


def fill(runtime):
    boxes, plain = runtime.register(Box), runtime.register(Plain, "PLAIN", sqlite=False)
    run = runtime.run
    run(boxes.getByName("a").put("v", VALUE))
    run(boxes.getByName("a").sql("CREATE TABLE t(id INTEGER PRIMARY KEY, x)"))
    run(boxes.getByName("a").sql("INSERT INTO t VALUES (1, ?), (2, x'00ff')", "one"))
    run(plain.getByName("p").put("v", 1))
    run(plain.getByName("p").set_alarm(runtime.clock.now_ms + 60_000))
    unique = boxes.newUniqueId()
    run(boxes.get(unique).put("v", "unnamed"))
    runtime.advance("20s")  # everybody is evicted
    return unique.toString()


def check(runtime, unique):
    run, boxes, plain = runtime.run, runtime.namespace("BOX"), runtime.namespace("PLAIN")
    assert run(boxes.getByName("a").everything()) == [{"v": VALUE}, None]
    assert run(boxes.getByName("a").sql("SELECT * FROM t")) == [[1, "one"], [2, b"\x00\xff"]]
    assert run(plain.getByName("p").everything()) == [{"v": 1}, runtime.clock.now_ms + 40_000]
    assert run(boxes.get(boxes.idFromString(unique)).everything()) == [{"v": "unnamed"}, None]


@pytest.mark.parametrize("into", ["memory", "disk"])
def test_a_restored_world_is_the_one_that_was_saved(runtime, tmp_path, into):
    unique = fill(runtime)
    now_ms = runtime.clock.now_ms
    file = runtime.snapshot(tmp_path / "world.dobook")
    folder = None if into == "memory" else tmp_path / "restored"
    with Runtime.restore(file, classes=[Box, Plain], into=folder) as other:
        assert other.clock.now_ms == now_ms
        assert other.objects() == [
            o for o in other.objects() if o.state == "evicted" and o.class_name in ("Box", "Plain")
        ]
        assert {o.name for o in other.objects()} == {"a", "p", None}
        assert [a.object for a in other.scheduled_alarms()] == ["PLAIN/p"]
        check(other, unique)
        assert other.namespace("BOX").newUniqueId().toString() != unique
        assert [run.outcome for run in other.advance("1m")] == ["ok"]
    if folder is not None:  # and it is a state directory like any other
        with Runtime(folder) as again:
            again.register(Box)
            assert again.run(again.stub("BOX/a").everything()) == [{"v": VALUE}, None]


def test_forks_go_their_own_ways(runtime):
    unique = fill(runtime)
    with runtime.fork() as fork, runtime.fork(seed=7) as other:
        check(fork, unique)
        fork.run(fork.stub("BOX/a").put("w", 2))
        fork.run(fork.stub("BOX/a").sql("DROP TABLE t"))
        fork.advance("1h")
        assert kernel_of(other).seed == 7
        for world in (runtime, other):
            check(world, unique)
            assert [a.object for a in world.scheduled_alarms()] == ["PLAIN/p"]
        runtime.run(runtime.stub("BOX/a").put("w", 3))
        assert fork.run(fork.stub("BOX/a").everything())[0]["w"] == 2
        ids = {r.namespace("BOX").newUniqueId().toString() for r in (runtime, fork)}
        with fork.fork() as third:
            ids.add(third.namespace("BOX").newUniqueId().toString())
        assert len(ids) == 3


def test_a_pending_retry_goes_on_where_it_was(runtime, tmp_path):
    box = runtime.register(Box).getByName("a")
    runtime.run(box.put("fails", True))  # noqa: FBT003
    runtime.run(box.set_alarm(runtime.clock.now_ms + 1_000))
    runtime.advance("4s")  # the first run, and the first retry after 2 to 2.5 s
    (alarm,) = runtime.scheduled_alarms()
    assert alarm.attempt == 2
    with runtime.fork() as fork:
        assert fork.scheduled_alarms() == [alarm]
        fork.advance("10s")
        assert fork.run(fork.stub("BOX/a").everything())[0]["retry"] == 2


def test_what_is_not_committed_is_not_in_it(runtime):
    box = runtime.register(Box).getByName("a")
    runtime.run(box.put("before", 1))
    waiting = box.wait_inside()
    with runtime.fork() as fork:
        assert fork.run(fork.stub("BOX/a").everything())[0] == {"before": 1}
    runtime.run(waiting)
    with runtime.fork() as fork:
        assert fork.run(fork.stub("BOX/a").everything())[0] == {"before": 1, "inside": 1}


def test_the_entry_worker_and_variables_come_along():
    class Entry:
        def __init__(self, ctx, env):
            self.env = env

        async def fetch(self, request):
            from workers import Response

            await self.env.BOX.getByName("a").put("seen", self.env.MODE)
            return Response("done")

    with Runtime() as runtime:
        runtime.register(Box)
        runtime.env.bind("MODE", "test")
        runtime.serve_worker(Entry)
        with runtime.fork() as fork:
            fork.run(fork.fetch("/"))
            assert fork.run(fork.stub("BOX/a").everything())[0] == {"seen": "test"}
        assert runtime.run(runtime.stub("BOX/a").everything())[0] == {}


def test_classes_that_are_not_registered_stay_in_a_snapshot(tmp_path):
    path, file = tmp_path / "state", tmp_path / "world"
    with Runtime(path) as runtime:
        fill(runtime)
    with Runtime(path) as runtime:
        runtime.register(Box)
        runtime.snapshot(file)
    with Runtime.restore(file, classes=[Box]) as runtime:
        again = runtime.snapshot(tmp_path / "again")
    with Runtime.restore(again) as runtime:
        plain = runtime.register(Plain, sqlite=False).getByName("p")
        assert runtime.run(plain.everything())[0] == {"v": 1}


def test_unique_ids_do_not_come_again_when_a_directory_is_opened_again(tmp_path):
    ids = []
    for _ in range(3):
        with Runtime(tmp_path, seed=5) as runtime:
            ids.append(runtime.register(Box).newUniqueId().toString())
    assert len(set(ids)) == 3


def test_a_snapshot_that_cannot_be_written_leaves_the_old_one(tmp_path):
    with Runtime() as runtime:
        runtime.register(Box)
        with pytest.raises(StateDirectoryError, match="cannot be written"):
            runtime.snapshot(tmp_path / "nowhere" / "world")
        (tmp_path / "folder").mkdir()
        with pytest.raises(StateDirectoryError, match="cannot be written"):
            runtime.snapshot(tmp_path / "folder")
        assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_what_is_no_snapshot_is_refused(tmp_path):
    for name, data in {"empty": b"", "text": b"hello" * 100}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(StateDirectoryError, match="is not a snapshot"):
            Runtime.restore(tmp_path / name)
    with pytest.raises(StateDirectoryError, match="cannot be read"):
        Runtime.restore(tmp_path / "missing")
    with Runtime() as runtime:
        fill(runtime)
        file = runtime.snapshot(tmp_path / "world")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(StateDirectoryError):
        Runtime.restore(file)
    file.write_bytes(data)
    with sqlite3.connect(file) as db:
        db.execute("UPDATE meta SET value = 99 WHERE key = 'format'")
    db.close()
    with pytest.raises(StateDirectoryError, match="newer dobook"):
        Runtime.restore(file)


def test_restoring_does_not_mix_two_states(tmp_path):
    with Runtime(tmp_path / "state") as runtime:
        fill(runtime)
        file = runtime.snapshot(tmp_path / "world")
    with pytest.raises(StateDirectoryError, match="not empty"):
        Runtime.restore(file, into=tmp_path / "state")
    with pytest.raises(UsageError, match="not one of the snapshot's classes"):
        Runtime.restore(file, classes=[dict])


def test_a_fork_of_what_went_back_in_time_has_what_was_restored(runtime):
    box = runtime.register(Box).getByName("a")
    runtime.run(box.put("n", 1))
    runtime.run(box.sql("CREATE TABLE t(x)"))
    bookmark = runtime.run(box.bookmark())
    runtime.run(box.put("n", 2))
    with runtime.fork() as fork:
        with pytest.raises(PlatformError, match="not kept any more"):
            fork.run(_restore(fork, bookmark))
        assert fork.run(fork.stub("BOX/a").everything())[0] == {"n": 2}


async def _restore(runtime, bookmark):
    actor = kernel_of(runtime).actor_of("BOX/a")
    return actor.store.history.restore_next(bookmark)
