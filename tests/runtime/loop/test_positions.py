"""An exception at any line of the engine's own code: what was acknowledged stays, nothing hangs.

A small program runs again and again, and each time an exception is raised one line further in the
engine, until a run passes. By default a sample of the lines is tried; `DOBOOK_POSITIONS=1` tries
each of them, about 10,000 for each kind of exception, in some minutes.
"""

import asyncio
import contextlib
import functools
import gc
import logging
import os
import shutil
import sys
from pathlib import Path

import pytest

import dobook
from dobook import Runtime
from dobook.runtime.access import kernel_of

STEP = int(os.environ.get("DOBOOK_POSITIONS", "0"))
ROOT = Path(dobook.__file__).parent
BELOW = tuple(f"{ROOT}{os.sep}{part}" for part in ("runtime", "storage", "gates.py"))
# SQLite's progress handler hands on what is raised in it; test_sql_interrupts looks at that.
EXCEPT = ("storage/stopping.py",)
MINUTE_MS = 60_000


class Odd(BaseException):
    """What only a signal handler raises."""


class Custom(Exception):
    """What a program raises."""


class Small:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.sql = ctx.storage.sql

    async def put(self, key, value):
        await self.ctx.storage.put(key, value)

    async def get(self, key):
        return await self.ctx.storage.get(key)

    async def put_elsewhere(self, key, value):
        await self.env.SMALL.getByName("other").put(key, value)
        await self.ctx.storage.put(key, value)

    async def put_later(self, key, value):
        await asyncio.sleep(0.01)
        await self.ctx.storage.put(key, value)
        await asyncio.sleep(0.01)

    async def insert(self, value):
        self.sql.exec("CREATE TABLE IF NOT EXISTS t(x)")
        self.sql.exec("INSERT INTO t VALUES (?)", value)

    async def inserted(self):
        return [row.x for row in self.sql.exec("SELECT x FROM t")]

    async def wake_at(self, at_ms):
        await self.ctx.storage.setAlarm(at_ms)

    async def alarm(self):
        await self.ctx.storage.put("rang", 1)


# The innermost frame of a traceback says where an exception comes from. What stands for memory
# that runs out, or for another thread, must have none of its own: its frame counts as the engine's.
_SPACE = {"__name__": "dobook.runtime.injected", "sys": sys}
exec(
    """
def on_line(self, frame, event, arg):
    if event == "line":
        self.lines += 1
        if self.lines == self.number:
            self.reached = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            sys.settrace(None)
            raise self.kind("injected")
    return self.on_line
""",
    _SPACE,
)


def contained(test):
    """Run a test within a generator.

    An exception that a trace function raises where an `except` clause ends is handled for ever:
    each later one of the thread has it as its context. A generator takes it away as it ends.
    """

    @functools.wraps(test)
    def run(**arguments):
        def inside():
            test(**arguments)
            yield

        for _ in inside():
            pass

    return run


class Injected:
    """Raises an exception at a line of the engine, counted while it is entered."""

    on_line = _SPACE["on_line"]

    def __init__(self, number, kind):
        self.number = number
        self.kind = kind
        self.lines = 0
        self.reached = None  # the file and line, once it is

    def on_call(self, frame, _event, _arg):
        inside = frame.f_code.co_filename.startswith(BELOW)
        inside = inside and not frame.f_code.co_filename.endswith(EXCEPT)
        return self.on_line if inside else None

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.on_call)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before)


class Program:
    """A runtime that is used, and what it has acknowledged."""

    def __init__(self, path, injected):
        self.path = path
        with Runtime(path, durability="process") as runtime:
            stub = runtime.register(Small).getByName
            for name in "abc":
                runtime.run(stub(name).put("first", name))
            runtime.run(stub("c").insert(0))
            self.acknowledged = set()
            steps = self.steps(runtime, stub)
            with injected:
                for number, step in enumerate(steps):
                    try:
                        step()
                        self.acknowledged.add(number)
                    except BaseException as error:
                        if injected.reached is None:
                            raise AssertionError(f"step {number}") from error
            if injected.reached is not None:
                self.check(runtime)
                for name in "abc":
                    runtime.run(stub(name).put("last", name))
                runtime.advance("10m")
                if 1 in self.acknowledged:
                    assert runtime.run(stub("a").get("rang"))
                runtime.advance("1m")
                assert kernel_of(runtime).residency.instances() == []
        if injected.reached is not None and path is not None:
            with Runtime(path, durability="process") as runtime:
                stub = runtime.register(Small).getByName
                self.check(runtime)
                for name in "abc":
                    assert runtime.run(stub(name).get("last")) == name
                if 1 in self.acknowledged:
                    assert runtime.run(stub("a").get("rang"))

    def steps(self, runtime, stub):
        at_ms = runtime.clock.now_ms + MINUTE_MS
        return [
            lambda: runtime.run(stub("a").put("k0", 0)),
            lambda: runtime.run(stub("a").wake_at(at_ms)),
            lambda: runtime.run(stub("b").put_elsewhere("k2", 2)),
            lambda: runtime.run(stub("c").insert(3)),
            lambda: runtime.run(stub("b").put_later("k4", 4)),
            lambda: runtime.run(runtime.evict(stub("a"))),
            lambda: runtime.run(stub("a").put("k6", 6)),
            lambda: runtime.advance("20s"),
            lambda: runtime.run(stub("b").put("k8", 8)),
        ]

    def check(self, runtime):
        stub = runtime.namespace(Small).getByName
        for name in "abc":
            assert runtime.run(stub(name).get("first")) == name
        keys = [("a", 0), ("b", 2), ("other", 2), ("b", 4), ("a", 6), ("b", 8)]
        for name, number in keys:
            found = runtime.run(stub(name).get(f"k{number}"))
            assert found == number or (found is None and number not in self.acknowledged)
        rows = runtime.run(stub("c").inserted())
        assert rows == [0, 3] or (rows == [0] and 3 not in self.acknowledged)


@pytest.fixture(autouse=True)
def _quiet():
    """Errors of callbacks are logged; here there are as many as positions."""
    logging.disable(logging.CRITICAL)
    gc.disable()
    yield
    gc.enable()
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.timeout(20 if not STEP else 3_600)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, Odd, MemoryError, Custom])
@contained
def test_an_exception_at_any_line_loses_nothing_and_leaves_nothing_hanging(tmp_path, store, kind):
    def path():
        return None if store == "memory" else tmp_path / str(number)

    number = 0
    Program(path(), Injected(-1, kind))  # caches are filled
    tried = 0
    step = STEP or (389 if store == "memory" else 1_051)
    number = 1 + [KeyboardInterrupt, Odd, MemoryError, Custom].index(kind) * 97 % step
    while True:
        injected = Injected(number, kind)
        try:
            Program(path(), injected)
        except BaseException as error:
            raise AssertionError(f"line {number}: {kind.__name__} at {injected.reached}") from error
        if injected.reached is None:
            break
        tried += 1
        number += step
    assert tried >= 9


@pytest.mark.slow
@pytest.mark.timeout(20 if not STEP else 3_600)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, Custom])
@contained
def test_an_object_whose_opening_is_broken_off_can_be_opened(tmp_path, kind):
    with Runtime(tmp_path, durability="process") as runtime:
        stub = runtime.register(Small).getByName("c")
        runtime.run(stub.put("first", "c"))
        runtime.run(stub.insert(0))
        tried = 0
        for number in range(1, 100_000, STEP or 13):
            runtime.advance("1m")  # evicted
            kept = None
            with Injected(number, kind) as injected:
                try:
                    runtime.run(stub.inserted())
                except BaseException as error:
                    kept = error  # as a notebook does, and with it all that its frames hold
            if injected.reached is None:
                break
            tried += 1
            try:
                stub = runtime.namespace(Small).getByName("c")
                assert runtime.run(stub.inserted()) == [0]
                assert runtime.run(stub.get("first")) == "c"
            except BaseException as error:
                raise AssertionError(f"line {number}: at {injected.reached}") from error
            del kept
        assert tried > 30


@pytest.mark.slow
@pytest.mark.timeout(20 if not STEP else 3_600)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, Odd, Custom])
@contained
def test_an_object_whose_eviction_is_broken_off_goes_on(tmp_path, kind):
    with Runtime(tmp_path, durability="process") as runtime:
        objects = runtime.register(Small)
        used = objects.getByName("c")
        runtime.run(used.put("first", "c"))
        runtime.run(used.insert(0))
        tried = 0
        for number in range(1, 100_000):
            runtime.run(objects.getByName("c").get("first"))  # it is in memory
            kept = None
            with Injected(number, kind) as injected:
                try:
                    runtime.run(runtime.evict("SMALL/c"))
                except BaseException as error:
                    kept = error
            if injected.reached is None:
                break
            tried += 1
            try:
                for stub in (objects.getByName("c"), used):
                    with contextlib.suppress(kind):  # one that came late, of the callback before
                        runtime.settle()
                    assert runtime.run(stub.get("first")) == "c"
                    assert runtime.run(stub.inserted()) == [0]
            except BaseException as error:
                raise AssertionError(f"line {number}: at {injected.reached}") from error
            del kept
        assert tried > 30


@pytest.mark.slow
@pytest.mark.timeout(20 if not STEP else 3_600)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("clean", [True, False], ids=["closed", "killed"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, Custom])
@contained
def test_a_directory_whose_opening_is_broken_off_can_be_opened(tmp_path, kind, clean):
    image = tmp_path / "image"
    with Runtime(image, durability="process") as runtime:
        stub = runtime.register(Small).getByName("c")
        runtime.run(stub.put("first", "c"))
        runtime.run(stub.insert(0))
        if not clean:
            shutil.copytree(image, tmp_path / "killed")
    image = image if clean else tmp_path / "killed"
    tried = 0
    for number in range(1, 100_000, STEP or 211):
        path = tmp_path / str(number)
        shutil.copytree(image, path)
        kept = runtime = None
        with Injected(number, kind) as injected:
            try:
                runtime = Runtime(path, durability="process")
                runtime.register(Small)
            except BaseException as error:
                kept = error
        if runtime is not None:
            runtime.close()
        if injected.reached is None:
            break
        tried += 1
        try:
            with Runtime(path, durability="process") as runtime:
                stub = runtime.register(Small).getByName("c")
                assert runtime.run(stub.inserted()) == [0]
                assert runtime.run(stub.get("first")) == "c"
        except BaseException as error:
            raise AssertionError(f"line {number}: at {injected.reached}") from error
        del kept
        shutil.rmtree(path)
    assert tried > 5


@pytest.mark.slow
@pytest.mark.timeout(20 if not STEP else 3_600)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, Custom])
@contained
def test_a_directory_whose_closing_is_broken_off_can_be_opened(tmp_path, kind):
    tried = 0
    for number in range(1, 100_000, STEP or 211):
        path = tmp_path / str(number)
        runtime = Runtime(path, durability="process")
        stub = runtime.register(Small).getByName
        for name in "abc":
            runtime.run(stub(name).put("first", name))
        runtime.run(stub("b").insert(0))
        runtime.run(stub("c").insert(0))
        runtime.run(stub("c").wake_at(runtime.clock.now_ms + MINUTE_MS))
        kept = None
        with Injected(number, kind) as injected:
            try:
                runtime.close()
            except BaseException as error:
                kept = error
        if injected.reached is None:
            break
        tried += 1
        try:
            runtime.close()
            with Runtime(path, durability="process") as runtime:
                stub = runtime.register(Small).getByName
                for name in "abc":
                    assert runtime.run(stub(name).get("first")) == name
                assert runtime.run(stub("c").inserted()) == [0]
                runtime.advance("5m")
                assert runtime.run(stub("c").get("rang"))
        except BaseException as error:
            raise AssertionError(f"line {number}: at {injected.reached}") from error
        del kept
        shutil.rmtree(path)
    assert tried > 5
