"""The trace: which events there are, in which order and why, in bounded memory, and at no cost."""

import asyncio
import datetime
import io
import os
import random
import secrets
import subprocess
import sys
import threading
import time
import uuid
import weakref
from pathlib import Path

import pytest

from dobook import Runtime
from dobook.runtime.access import kernel_of
from dobook.runtime.debug.trace import Recorder, recording
from dobook.runtime.debug.watched import WatchedStorage
from dobook.runtime.reports.shown import shown

ROOT = Path(__file__).parents[3]
RECORDED = Path(__file__).with_name("recorded_trace.txt")  # what PROGRAM has printed


class Base:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env


class Counter(Base):
    async def increment(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

    async def across_a_timer(self):
        n = await self.ctx.storage.get("n") or 0
        await asyncio.sleep(1)
        await self.ctx.storage.put("n", n + 1)

    async def blocked(self, seconds):
        await self.ctx.blockConcurrencyWhile(lambda: asyncio.sleep(seconds))

    async def ask(self, name):
        return await self.env.COUNTER.getByName(name).increment()

    async def write_then_ask(self, name):
        await self.ctx.storage.put("asked", name)
        return await self.env.COUNTER.getByName(name).increment()

    def say(self, text):
        print(text)

    def fail(self):
        raise ValueError("no")

    async def ring(self, in_ms):
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + in_ms)

    async def alarm(self):
        if not await self.ctx.storage.get("tried"):
            await self.ctx.storage.put("tried", 1)
            raise ValueError("once")

    def everything(self):
        storage = self.ctx.storage
        storage.kv.put("a", 1)
        storage.kv.get("a")
        list(storage.kv.list(prefix="a"))
        storage.kv.delete("a")
        storage.sql.exec("CREATE TABLE t(x)")
        storage.sql.exec("INSERT  INTO t\nVALUES (?)", 1)

    async def threaded(self):
        await asyncio.to_thread(int)


@pytest.fixture
def counter(runtime):
    runtime.tracing = True
    return runtime.register(Counter).getByName("a")


def kinds(runtime, *left_out):
    return [e.kind for e in runtime.trace() if e.kind not in left_out]


def test_nothing_is_recorded_until_somebody_asks(runtime):
    stub = runtime.register(Counter).getByName("a")
    runtime.run(stub.increment())
    assert not runtime.tracing
    assert runtime.trace() == []
    runtime.tracing = True
    runtime.run(stub.increment())
    recorded = runtime.trace()
    assert recorded
    runtime.tracing = False
    runtime.run(stub.increment())
    assert runtime.trace() == recorded


def test_a_call_is_told_from_sending_to_answer_in_order(runtime, counter):
    runtime.run(counter.increment())
    assert kinds(runtime) == [
        *("sent", "rpc", "started", "storage", "storage", "output gate closed"),
        *("held", "commit", "output gate opened", "answer"),
    ]
    told = {event.kind: event for event in runtime.trace()}
    assert told["sent"].object == "outside"
    assert told["sent"].get("to") == "COUNTER/a"
    assert told["rpc"].cause == told["sent"].seq
    assert told["commit"].get("keys") == "n"
    assert {told[k].cause for k in ("started", "storage", "held", "answer")} == {told["rpc"].seq}
    assert told["answer"].get("value") == 1


def test_storage_operations_say_keys_and_values(runtime, counter):
    runtime.run(counter.increment())
    runtime.run(counter.increment())
    texts = [event.text for event in runtime.trace() if event.kind == "storage"]
    assert texts == [
        *("op=get keys=n", "op=put keys=n value=1"),
        *("op=get keys=n value=1", "op=put keys=n value=2"),
    ]


def test_synchronous_storage_is_told_too(runtime, counter):
    runtime.run(counter.everything())
    texts = [event.text for event in runtime.trace() if event.kind == "storage"]
    assert texts == [
        *("op=kv.put keys=a value=1", "op=kv.get keys=a value=1"),
        *("op=kv.list keys=prefix=a", "op=kv.delete keys=a"),
        *("op=sql keys=CREATE TABLE t(x)", "op=sql keys=INSERT INTO t VALUES (?)"),
    ]


def test_events_have_virtual_time(runtime, counter):
    start = runtime.clock.now_ms
    runtime.run(counter.across_a_timer())
    stored = [event for event in runtime.trace() if event.kind == "storage"]
    assert [event.t_ms - start for event in stored] == [0, 1000]


def test_a_closed_gate_says_why_and_who_waits(runtime, counter):
    async def both():
        await asyncio.gather(counter.blocked(2), counter.increment())

    runtime.run(both())
    events = runtime.trace()
    closed = next(e for e in events if e.kind == "gate closed")
    opened = next(e for e in events if e.kind == "gate opened")
    waiting = next(e for e in events if e.kind == "waiting")
    admitted = next(e for e in events if e.kind == "admitted")
    assert closed.get("why") == "critical section"
    assert opened.t_ms - closed.t_ms == 2000
    assert waiting.cause == admitted.cause  # the delivery of the call that had to wait
    assert waiting.seq < opened.seq < admitted.seq


def test_a_turn_that_wakes_at_a_shut_gate_is_told_as_waiting(runtime, counter):
    async def both():
        waking = counter.across_a_timer()
        await asyncio.gather(waking, counter.blocked(2))

    runtime.run(both())
    later = next(e for e in runtime.trace() if e.get("turn") == "later")
    admitted = next(e for e in runtime.trace() if e.kind == "admitted")
    assert admitted.cause == later.seq
    assert admitted.t_ms - later.t_ms == 1000


def test_a_call_between_objects_names_its_sender(runtime, counter):
    runtime.run(counter.ask("b"))
    sent = [e for e in runtime.trace() if e.kind == "sent"]
    assert [(e.object, e.get("to")) for e in sent] == [
        ("outside", "COUNTER/a"),
        ("COUNTER/a", "COUNTER/b"),
    ]


def test_a_call_held_by_the_output_gate_is_told(runtime, counter):
    runtime.run(counter.write_then_ask("b"))
    held = next(e for e in runtime.trace() if e.kind == "held")
    assert (held.object, held.get("to")) == ("COUNTER/a", "COUNTER/b")
    assert held.seq < next(e.seq for e in runtime.trace() if e.kind == "commit")


def test_errors_lives_and_prints_are_told(runtime, counter, capsys):
    runtime.run(counter.say("hello\nworld"))
    with pytest.raises(ValueError, match="no"):
        runtime.run(counter.fail())
    runtime.run(runtime.evict(counter))
    runtime.run(counter.increment())
    runtime.crash(counter)
    told = [(e.kind, e.text) for e in runtime.trace()]
    assert ("log", "line=hello") in told
    assert ("log", "line=world") in told
    assert capsys.readouterr().out == "hello\nworld\n"
    assert ("answer", "error=ValueError: no") in told
    assert ("evicted", "why=asked") in told
    assert ("fault", "what=crash: now") in told
    assert told[-1][0] == "reset"


def test_an_alarm_is_caused_by_what_set_it(runtime, counter):
    runtime.run(counter.ring(1000))
    runtime.advance("10s")
    events = runtime.trace()
    by_seq = {e.seq: e for e in events}
    first, second = (e for e in events if e.kind == "alarm")
    assert by_seq[first.cause].kind == "alarm set"
    assert by_seq[second.cause].kind == "alarm retry"
    assert (first.get("attempt"), second.get("attempt")) == (0, 1)
    over = [e.get("outcome") for e in events if e.kind == "alarm over"]
    assert over == ["error", "ok"]
    assert next(e for e in events if e.kind == "error").cause == first.seq


def test_a_thread_is_told_as_an_escape(runtime, counter):
    runtime.run(counter.threaded())
    assert "a thread" in [e.get("to") for e in runtime.trace() if e.kind == "escaped"]


def test_real_time_is_told_as_an_escape(runtime, counter):
    kernel_of(runtime).loop.set_virtual(False)
    kernel_of(runtime).loop.set_virtual(True)
    assert [e.get("to") for e in runtime.trace() if e.kind == "escaped"] == ["real time"]


def test_another_thread_is_told_as_an_escape(runtime, counter):
    async def wait():
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        other = threading.Thread(target=lambda: loop.call_soon_threadsafe(event.set))
        with loop.real_work():
            other.start()
            await event.wait()
        other.join()

    async def not_awaited():
        loop = asyncio.get_running_loop()
        done = []
        other = threading.Thread(target=lambda: loop.call_soon_threadsafe(done.append, 1))
        other.start()
        other.join()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return done

    assert runtime.run(not_awaited()) == [1]
    runtime.run(wait())
    assert "another thread" in [e.get("to") for e in runtime.trace() if e.kind == "escaped"]


def test_callers_outside_have_names_of_their_own(runtime, counter):
    async def main():
        async def call():
            await counter.increment()

        named = asyncio.create_task(call(), name="ada")
        await asyncio.gather(call(), call(), named)

    runtime.run(main())
    assert [e.object for e in runtime.trace() if e.kind == "sent"] == [
        *("ada", "caller 1", "caller 2")
    ]


def test_the_trace_can_be_narrowed_to_an_object_and_a_time(runtime, counter):
    runtime.run(counter.ask("b"))
    runtime.advance(5)
    later = runtime.clock.now_ms
    runtime.run(counter.increment())
    of_b = runtime.trace("COUNTER/b")
    assert {e.object for e in of_b} == {"COUNTER/a", "COUNTER/b"}
    assert of_b[0].kind == "sent"
    assert all(e.t_ms == later for e in runtime.trace(since_ms=later))
    assert runtime.trace(counter, since_ms=later)[-1].get("value") == 1


def test_memory_is_bounded_and_what_is_forgotten_is_counted(runtime):
    stub = runtime.register(Counter).getByName("a")
    recorder = Recorder(kernel_of(runtime), most=10)
    recorder.switch(on=True)
    for _ in range(5):
        runtime.run(stub.increment())
    recorder.switch(on=False)
    assert len(recorder.events()) == 10
    assert recorder.forgotten > 10
    numbers = [e.seq for e in recorder.events()]
    assert numbers == list(range(numbers[0], numbers[0] + 10))


def test_a_trace_keeps_nothing_of_the_program_alive(runtime, counter):
    runtime.run(counter.increment())
    for event in runtime.trace():
        for _, value in event.detail:
            assert value is None or type(value) in (str, int, float, bool)
            assert len(str(value)) <= 80


def test_recording_for_a_while_leaves_it_as_it_was(runtime):
    stub = runtime.register(Counter).getByName("a")
    with recording(kernel_of(runtime)) as recorder:
        runtime.run(stub.increment())
    assert not runtime.tracing
    assert recorder.events()[-1].kind == "answer"


def test_off_nothing_is_swapped_and_nobody_listens(runtime, counter):
    runtime.run(counter.increment())
    instance = kernel_of(runtime).actor_of(counter).instance
    assert type(instance.ctx.storage) is WatchedStorage
    runtime.tracing = False
    assert type(instance.ctx.storage) is not WatchedStorage
    assert not runtime.observers.active
    assert kernel_of(runtime).stores.committer.after is None
    assert kernel_of(runtime).driver.swaps.wanted is None


def test_shown_values_have_no_addresses_and_sets_an_order():
    class Thing:
        pass

    assert shown({"b", "a"}) == "{'a', 'b'}"
    assert shown([Thing(), {"k": (1, None)}]) == "[<Thing>, {'k': (1, None)}]"
    assert shown(list(range(9))) == "[0, 1, 2, 3, 4, 5, …]"
    assert shown(ValueError("x")) == "ValueError: x"


PROGRAM = """
import asyncio, random, uuid, time, dobook

class Racer:
    def __init__(self, ctx, env):
        self.ctx, self.env = ctx, env

    async def race(self, depth):
        await asyncio.sleep(random.random())
        n = await self.ctx.storage.get("n") or 0
        await asyncio.gather(*(asyncio.sleep(random.random()) for _ in range(3)))
        await self.ctx.storage.put("n", {"n": n, "u": str(uuid.uuid4()), "s": {"x", "y", "z"}})
        print("wrote", type(n), uuid.uuid1())
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 100)
        if depth:
            other = self.env.RACER.get(self.env.RACER.newUniqueId())
            async with asyncio.TaskGroup() as group:
                for _ in range(2):
                    group.create_task(self.child(other, depth))
        return id(self) and {1, 2, "a", "b"}

    async def child(self, other, depth):
        await other.race(depth - 1)

    async def alarm(self):
        if random.random() < 0.5:
            raise ValueError(hash("never shown") and "bad luck")

with dobook.Runtime(seed=SEED) as runtime:
    runtime.tracing = True
    racers = [runtime.register(Racer).getByName(name) for name in "abc"]
    async def main():
        await asyncio.gather(*(racer.race(2) for racer in racers))
    runtime.run(main())
    runtime.advance("5m")
    for event in runtime.trace():
        print(event.seq, event, event.cause)
"""


@pytest.mark.slow
def test_the_trace_is_the_recorded_one_on_every_version_of_python():
    program = PROGRAM.replace("SEED", "7").replace("race(2)", "race(1)")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == RECORDED.read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 7])
def test_same_program_and_seed_give_the_same_trace_in_every_process(seed):
    program = PROGRAM.replace("SEED", str(seed))
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1")
    ]
    assert len(outputs[0].splitlines()) > 200
    assert outputs[0] == outputs[1]


@pytest.mark.slow
def test_other_seeds_give_other_orders(open_runtime):
    def trace(seed):
        runtime = open_runtime(seed=seed)
        runtime.tracing = True
        stubs = [runtime.register(Counter).getByName(name) for name in "abcd"]

        async def main():
            await asyncio.gather(*(stub.increment() for stub in stubs))

        runtime.run(main())
        return [str(event) for event in runtime.trace()]

    assert trace(1) == trace(1)
    assert len({tuple(trace(seed)) for seed in range(5)}) > 2


def test_a_runtime_is_open_to_recording_on_disk_as_in_memory(tmp_path):
    def trace(path):
        with Runtime(path, seed=3) as runtime:
            runtime.tracing = True
            stub = runtime.register(Counter).getByName("a")
            runtime.run(stub.ask("b"))
            return [str(event) for event in runtime.trace()]

    assert trace(None) == trace(tmp_path / "state")


def test_what_a_listener_prints_is_no_log_line(runtime, counter, capsys):
    listener = lambda event: print("seen", event.kind)  # noqa: E731
    runtime.observers.add(listener)
    runtime.run(counter.say("hello"))
    runtime.observers.remove(listener)
    assert [e.get("line") for e in runtime.trace() if e.kind == "log"] == ["hello"]
    assert "seen log" in capsys.readouterr().out


def test_gathering_what_is_done_takes_no_tick_on_any_version(runtime):
    async def main():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        done.set_result(1)
        failed = loop.create_future()
        failed.set_exception(ValueError("no"))
        ticks = []
        loop.call_soon(ticks.append, 1)
        assert await asyncio.gather(done, done) == [1, 1]
        assert await asyncio.gather(done, failed, return_exceptions=True) == [1, failed.exception()]
        with pytest.raises(ValueError, match="no"):
            await asyncio.gather(done, failed)
        return list(ticks)

    assert runtime.run(main()) == []


@pytest.mark.parametrize("first_out", [0, 1])
def test_turns_of_two_runtimes_that_overlap_leave_the_output_as_it_was(open_runtime, first_out):
    """As on two threads, of which the one that began first may end first."""
    runtimes = [open_runtime(), open_runtime()]
    for runtime in runtimes:
        kernel_of(runtime).recorder.tap_output()
    before = sys.stdout
    for _ in range(2):
        for runtime in runtimes:
            kernel_of(runtime).driver.swaps.__enter__()
        assert sys.stdout is not before
        for number in (first_out, 1 - first_out):
            kernel_of(runtimes[number]).driver.swaps.__exit__()
        assert sys.stdout is before


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="print holds what it prints to")
def test_what_another_thread_may_be_printing_through_outlives_the_turn(runtime):
    """`print` does not hold sys.stdout: if it were freed meanwhile, the interpreter would crash."""
    kernel_of(runtime).recorder.tap_output()
    swaps = kernel_of(runtime).driver.swaps

    def turn():
        with swaps:
            return weakref.ref(sys.stdout)

    first = turn()
    assert first() is not None
    assert turn() is first  # used again, so that they do not grow in number
    held = first()
    assert turn() is not first  # what somebody keeps may lead to itself, so it is not used again
    assert held.beneath is sys.stdout


def test_a_turn_that_ends_while_one_prints_takes_nothing_from_it(runtime, monkeypatch):
    class Slow(io.StringIO):
        def write(self, text):
            if text == "x":
                swaps.__exit__()
            return super().write(text)

    out = Slow()
    monkeypatch.setattr(sys, "stdout", out)
    kernel_of(runtime).recorder.tap_output()
    swaps = kernel_of(runtime).driver.swaps
    swaps.__enter__()
    print("x")
    assert sys.stdout is out
    assert out.getvalue() == "x\n"


class Everything:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env

    async def go(self, steps):
        sql = self.ctx.storage.sql
        sql.exec(
            "CREATE TABLE IF NOT EXISTS t (at DEFAULT CURRENT_TIMESTAMP, n DEFAULT (random()))"
        )
        for _ in range(steps):
            await asyncio.sleep(random.random())
            sql.exec("INSERT INTO t DEFAULT VALUES")
            self.ctx.storage.put("k", [time.monotonic(), uuid.uuid4().hex, uuid.uuid1().hex])
            print(time.strftime("%T"), secrets.token_hex(4), os.urandom(2).hex())
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + random.randrange(1_000))
        return [str(row) for row in sql.exec("SELECT at, n FROM t").raw()]

    async def alarm(self):
        print("alarm", datetime.datetime.now(datetime.UTC), random.Random().random())


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_program_and_seed_leave_the_same_trace_on_two_threads_at_once(open_runtime, seed):
    def traced(runtime, found):
        with recording(kernel_of(runtime)) as recorder:
            namespace = runtime.register(Everything)

            async def main():
                calls = [namespace.getByName(name).go(20) for name in "abc"]
                return await asyncio.gather(*calls)

            found.append(runtime.run(main()))
            runtime.advance_until_idle()
            found.append("\n".join(str(event) for event in recorder.events()))

    alone = []
    traced(open_runtime(seed=seed), alone)
    found = [[], []]
    threads = [
        threading.Thread(target=traced, args=(open_runtime(seed=seed), out)) for out in found
    ]
    before = sys.stdout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone, alone]
    assert "alarm 2026" in alone[1]
    assert sys.stdout is before
