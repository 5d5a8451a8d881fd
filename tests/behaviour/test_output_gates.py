"""Promise: nothing that depends on a write leaves an object before that write is durable. An
answer that a caller has seen survives any crash.

Source: developers.cloudflare.com/durable-objects/reference/in-memory-state/,
blog.cloudflare.com/durable-objects-easy-fast-correct-choose-three/
"""

import asyncio
import errno
import os
from typing import ClassVar

import pytest

import dobook
from dobook.errors import DobookError
from dobook.runtime.access import kernel_of


class Ledger:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env

    async def put(self, value, options=None):
        await self.ctx.storage.put("k", value, options)
        return value

    async def put_twice(self, value):
        await self.ctx.storage.put("k", 0, {"allowUnconfirmed": True})
        await self.ctx.storage.put("k", value)
        await self.ctx.storage.put("k", value)
        return value

    async def put_then_fail(self, value):
        await self.ctx.storage.put("k", value)
        raise ValueError("after the write")

    async def put_then_tell(self, value, whom):
        await self.ctx.storage.put("k", value)
        return await self.env.LEDGER.getByName(whom).put(value)

    async def put_then_abort(self, value, *, synced=False, slept=False):
        await self.ctx.storage.put("k", value)
        if synced:
            await self.ctx.storage.sync()
        if slept:
            await asyncio.sleep(0.01)
        self.ctx.abort("enough")

    async def put_sql(self, value):
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(v)")
        self.ctx.storage.sql.exec("INSERT INTO t VALUES (?)", value)
        return value

    def rows(self):
        return self.ctx.storage.sql.exec("SELECT v FROM t").toArray()

    async def read(self):
        return await self.ctx.storage.get("k")

    async def tell_and_abort(self, value, whom):
        """Writes, calls another object without waiting for it, and aborts in the same turn."""
        await self.ctx.storage.put("k", value)
        self.env.LEDGER.getByName(whom).put(value)
        self.ctx.abort("enough")


@pytest.fixture
def ledgers(runtime):
    return runtime.register(Ledger)


class Durable:
    """Commits and answers of a runtime in the order in which they happen."""

    def __init__(self, runtime, monkeypatch):
        self.order = []
        committed = kernel_of(runtime).stores.committer._on_commit

        def note(store, log):
            self.order += [f"durable {key}" for key in log if key == "k"]
            committed(store, log)

        monkeypatch.setattr(kernel_of(runtime).stores.committer, "_on_commit", note)

    async def answer(self, promise):
        try:
            value = await promise
        except ValueError:
            value = "error"
        self.order.append(f"answer {value}")


@pytest.fixture
def durable(runtime, monkeypatch):
    return Durable(runtime, monkeypatch)


def test_an_answer_follows_the_write_before_it(runtime, ledgers, durable):
    runtime.run(durable.answer(ledgers.getByName("a").put(1)))
    assert durable.order == ["durable k", "answer 1"]


def test_an_error_too_follows_the_write_before_it(runtime, ledgers, durable):
    runtime.run(durable.answer(ledgers.getByName("a").put_then_fail(1)))
    assert durable.order == ["durable k", "answer error"]


def test_an_answer_that_depends_on_no_write_waits_for_none(runtime, ledgers, durable):
    async def main():
        stub = ledgers.getByName("a")
        await asyncio.gather(durable.answer(stub.read()), durable.answer(stub.put(1)))

    runtime.run(main())
    assert durable.order == ["answer None", "durable k", "answer 1"]


def test_a_read_after_a_write_of_another_call_waits_for_that_write(runtime, ledgers, durable):
    async def main():
        stub = ledgers.getByName("a")
        await asyncio.gather(stub.put(1), durable.answer(stub.read()))

    runtime.run(main())
    assert durable.order == ["durable k", "answer 1"]


def test_a_call_to_another_object_leaves_after_the_write(runtime, ledgers, durable):
    runtime.run(durable.answer(ledgers.getByName("a").put_then_tell(1, "b")))
    assert durable.order == ["durable k", "durable k", "answer 1"]


def test_a_call_to_another_object_never_leaves_if_its_write_is_lost(runtime, ledgers):
    with pytest.raises(DobookError, match="enough"):
        runtime.run(ledgers.getByName("a").tell_and_abort(1, "b"))
    runtime.settle()
    assert runtime.run(ledgers.getByName("a").read()) is None
    assert runtime.run(ledgers.getByName("b").read()) is None


def test_an_unconfirmed_write_holds_nothing_back(runtime, ledgers, durable):
    runtime.run(durable.answer(ledgers.getByName("a").put(1, {"allowUnconfirmed": True})))
    runtime.settle()
    assert sorted(durable.order) == ["answer 1", "durable k"]
    assert durable.order[0] == "answer 1"


@pytest.mark.parametrize("events", [1, 2])
def test_a_confirmed_write_after_an_unconfirmed_one_of_its_tick_holds_back(
    runtime, ledgers, durable, events
):
    async def main():
        stub = ledgers.getByName("a")
        if events == 1:
            return await durable.answer(stub.put_twice(1))
        unsure = durable.answer(stub.put(0, {"allowUnconfirmed": True}))
        await asyncio.gather(unsure, durable.answer(stub.put(1)), durable.answer(stub.put(2)))

    runtime.run(main())
    before, after = durable.order[: events - 1], durable.order[events - 1 :]
    assert before == ["answer 0"][: events - 1]
    assert after == ["durable k", "answer 1", "answer 2"][: events + 1]


def test_writes_of_the_turn_that_aborts_are_lost(runtime, ledgers):
    stub = ledgers.getByName("a")
    runtime.run(stub.put(1))
    with pytest.raises(DobookError, match="enough"):
        runtime.run(stub.put_then_abort(2))
    assert runtime.run(ledgers.getByName("a").read()) == 1


@pytest.mark.parametrize("how", ["synced", "slept"])
def test_writes_before_a_wait_survive_the_abort_after_it(runtime, ledgers, how):
    with pytest.raises(DobookError, match="enough"):
        runtime.run(ledgers.getByName("a").put_then_abort(2, **{how: True}))
    assert runtime.run(ledgers.getByName("a").read()) == 2


def test_an_answer_that_was_seen_survives_a_crash(runtime, ledgers):
    for value in range(5):
        assert runtime.run(ledgers.getByName("a").put(value)) == value
        assert runtime.run(ledgers.getByName("a").put_sql(value)) == value
        runtime.crash("LEDGER/a")
        assert runtime.run(ledgers.getByName("a").read()) == value
    rows = runtime.run(ledgers.getByName("a").rows())
    assert [row["v"] for row in rows] == list(range(5))


@pytest.mark.parametrize("durability", ["power", "process"])
def test_an_answer_that_was_seen_is_in_the_files_while_the_runtime_is_open(
    open_runtime, tmp_path, durability
):
    runtime = open_runtime(tmp_path / "state", durability=durability)
    ledgers = runtime.register(Ledger)
    runtime.run(ledgers.getByName("a").put(7))
    # A second look at the files, as after a crash: a copy of all of them, opened afresh.
    copied = tmp_path / "copy"
    for file in (tmp_path / "state").rglob("*"):
        if file.is_file():
            target = copied / file.relative_to(tmp_path / "state")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    second = open_runtime(copied)
    assert second.run(second.register(Ledger).getByName("a").read()) == 7


@pytest.fixture
def disk(monkeypatch):
    """What is asked of the disk, as a list; `full` makes it refuse."""

    class Disk:
        asked: ClassVar[list[str]] = []
        full = False

    Disk.asked = []

    def wait(_fd):
        if Disk.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        Disk.asked.append("disk")

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, wait, raising=False)
    return Disk


def test_power_durability_asks_the_disk_before_it_answers(open_runtime, tmp_path, disk):
    runtime = open_runtime(tmp_path / "state", durability="power")
    ledgers = runtime.register(Ledger)
    for put in ("put", "put_sql"):
        disk.asked.clear()
        runtime.run(getattr(ledgers.getByName("a"), put)(1))
        asked_before_the_answer = list(disk.asked)
        assert asked_before_the_answer


def test_process_durability_answers_without_asking_the_disk(open_runtime, tmp_path, disk):
    runtime = open_runtime(tmp_path / "state", durability="process")
    ledgers = runtime.register(Ledger)
    disk.asked.clear()
    for put in ("put", "put_sql"):
        runtime.run(getattr(ledgers.getByName("a"), put)(1))
    assert disk.asked == []


def test_a_write_that_the_disk_refuses_is_never_answered_as_done(open_runtime, tmp_path, disk):
    runtime = open_runtime(tmp_path / "state", durability="power")
    ledgers = runtime.register(Ledger)
    runtime.run(ledgers.getByName("a").put(1))
    disk.full = True
    with pytest.raises(DobookError, match="could not be written"):
        runtime.run(ledgers.getByName("a").put(2))
    disk.full = False
    assert runtime.run(ledgers.getByName("a").read()) == 1
    assert runtime.run(ledgers.getByName("a").put(3)) == 3


def test_rows_that_no_file_takes_are_never_answered_as_stored(open_runtime, tmp_path, monkeypatch):
    runtime = open_runtime(tmp_path / "state", durability="process")
    ledgers = runtime.register(Ledger)
    runtime.run(ledgers.getByName("a").put(1))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(DobookError, match="could not be written"):
            runtime.run(ledgers.getByName("a").put(2))
    assert runtime.run(ledgers.getByName("a").read()) == 1
    assert runtime.run(ledgers.getByName("a").put(3)) == 3


def test_sql_whose_commit_is_refused_is_never_answered_as_stored(
    open_runtime, tmp_path, monkeypatch
):
    runtime = open_runtime(tmp_path / "state", durability="process")
    ledgers = runtime.register(Ledger)
    runtime.run(ledgers.getByName("a").put_sql(1))

    def full(_connection):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(dobook.storage.connection.Connection, "commit", full)
        with pytest.raises(DobookError, match="could not be written"):
            runtime.run(ledgers.getByName("a").put_sql(2))
    assert [row["v"] for row in runtime.run(ledgers.getByName("a").rows())] == [1]
    assert runtime.run(ledgers.getByName("a").put_sql(3)) == 3
