"""Who sees which clock and which chance: every function that tells, from every place that asks.

Runtimes start in 2040, so their clock and the real one are never taken for one another.
"""

import asyncio
import calendar
import datetime
import gc
import os
import pickle
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from datetime import datetime as imported_datetime
from random import choice as imported_choice
from time import monotonic as imported_monotonic
from types import ModuleType

import pytest

import dobook
from dobook import Runtime
from dobook.runtime.access import kernel_of
from dobook.runtime.objects.inside import run_inside
from dobook.runtime.patching.patches import patches

START = datetime.datetime(2040, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)
START_S = START.timestamp()
DAY_S = 86_400.0

# ruff: noqa: DTZ001, DTZ002, DTZ003, DTZ005, DTZ011 - what users write


def with_default(clock=time.monotonic, *, other=time.time):
    return clock(), other()


class Keeps:
    clock = time.perf_counter
    wrapped = staticmethod(time.time)
    now = datetime.datetime.now


KEPT = {"clock": time.monotonic}


def local(struct):
    return time.mktime(struct)


# Each tells the time in seconds since 1970.
TELLERS = {
    "time": lambda: time.time(),
    "time_ns": lambda: time.time_ns() / 1e9,
    "monotonic": lambda: time.monotonic(),
    "monotonic_ns": lambda: time.monotonic_ns() / 1e9,
    "perf_counter": lambda: time.perf_counter(),
    "perf_counter_ns": lambda: time.perf_counter_ns() / 1e9,
    "process_time": lambda: time.process_time(),
    "process_time_ns": lambda: time.process_time_ns() / 1e9,
    "gmtime": lambda: calendar.timegm(time.gmtime()),
    "gmtime of None": lambda: calendar.timegm(time.gmtime(None)),
    "localtime": lambda: local(time.localtime()),
    "ctime": lambda: local(time.strptime(time.ctime())),
    "asctime": lambda: local(time.strptime(time.asctime())),
    "strftime": lambda: local(
        time.strptime(time.strftime("%Y-%m-%d %H:%M:%S"), "%Y-%m-%d %H:%M:%S")
    ),
    "datetime.now": lambda: datetime.datetime.now().timestamp(),
    "datetime.now of a zone": lambda: datetime.datetime.now(datetime.UTC).timestamp(),
    "datetime.now by keyword": lambda: datetime.datetime.now(tz=datetime.UTC).timestamp(),
    "datetime.utcnow": lambda: utcnow(),
    "datetime.today": lambda: datetime.datetime.today().timestamp(),
    "imported monotonic": lambda: imported_monotonic(),
    "imported datetime": lambda: imported_datetime.now().timestamp(),
    "a default": lambda: with_default()[0],
    "a keyword's default": lambda: with_default()[1],
    "kept by a class": lambda: Keeps().clock(),
    "kept in a dict": lambda: KEPT["clock"](),
    "kept by a class, wrapped": lambda: Keeps.wrapped(),
    "kept by a class, a method of datetime": lambda: Keeps.now().timestamp(),
}
if hasattr(time, "clock_gettime"):
    TELLERS["clock_gettime"] = lambda: time.clock_gettime(time.CLOCK_REALTIME)
    TELLERS["clock_gettime_ns"] = lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1e9
WHOLE_SECONDS = {"gmtime", "gmtime of None", "localtime", "ctime", "asctime", "strftime"}
# Real ones that do not count from 1970.
STEADY = {name for name in TELLERS if "monotonic" in name or "perf" in name or "process" in name} | {
    "clock_gettime_ns", "a default", "kept by a class", "kept in a dict",
}  # fmt: skip

CHANCES = {
    "random.random": lambda: random.random(),
    "random.randint": lambda: random.randint(0, 2**62),
    "random.gauss": lambda: random.gauss(0, 1),
    "random.shuffle": lambda: tuple(random.sample(range(10**9), 3)),
    "random.randbytes": lambda: random.randbytes(8),
    "random.getrandbits": lambda: random.getrandbits(62),
    "random.Random()": lambda: random.Random().random(),
    "random.SystemRandom()": lambda: random.SystemRandom().random(),
    "imported choice": lambda: imported_choice(range(2**62)),
    "uuid1": lambda: uuid.uuid1(),
    "uuid4": lambda: uuid.uuid4(),
    "secrets.token_hex": lambda: secrets.token_hex(8),
    "secrets.randbelow": lambda: secrets.randbelow(2**62),
    "os.urandom": lambda: os.urandom(8),
}
for _name in ("uuid6", "uuid7"):
    if hasattr(uuid, _name):
        CHANCES[_name] = lambda name=_name: getattr(uuid, name)()
if hasattr(os, "getrandom"):
    CHANCES["os.getrandom"] = lambda: os.getrandom(8)


def utcnow():
    if sys.version_info < (3, 12):
        return datetime.datetime.utcnow().replace(tzinfo=datetime.UTC).timestamp()
    with pytest.warns(DeprecationWarning, match="utcnow"):
        return datetime.datetime.utcnow().replace(tzinfo=datetime.UTC).timestamp()


def told():
    return {name: tell() for name, tell in TELLERS.items()}


def drawn():
    return {name: repr(draw()) for name, draw in CHANCES.items()}


class Asker:
    """Asks from each place there is in an object."""

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.in_constructor = self.ask()
        self.asked = asyncio.Event()

    ask = staticmethod(told)

    async def handler(self):
        return self.ask()

    async def when_made(self):
        return self.in_constructor

    async def alarm(self):
        self.seen = self.ask()
        self.asked.set()

    async def at_alarm(self):
        await self.ctx.storage.setAlarm(int(time.time() * 1000))
        await self.asked.wait()
        return self.seen

    async def wait_until(self):
        found = asyncio.get_running_loop().create_future()

        async def later():
            found.set_result(self.ask())

        self.ctx.waitUntil(later())
        return await found

    async def task(self):
        return await asyncio.create_task(self.handler())

    async def callback(self):
        loop = asyncio.get_running_loop()
        found = loop.create_future()
        loop.call_soon(lambda: found.set_result(self.ask()))
        return await found

    async def thread(self):
        return await asyncio.to_thread(self.ask)

    async def executor(self):
        return await asyncio.get_running_loop().run_in_executor(None, self.ask)

    async def other_object(self):
        return await self.env.ASKER.getByName("other").handler()

    async def fail(self):
        raise ValueError("told to")


class Drawer(Asker):
    ask = staticmethod(drawn)


PLACES = [
    *("handler", "when_made", "at_alarm", "wait_until", "task", "callback", "thread"),
    *("executor", "other_object"),
]


def in_an_event(runtime, stub):
    return runtime.run(run_inside(kernel_of(runtime), stub, lambda _ctx: told()))


def of_the_time(seen, at=START_S, within=0.0):
    """Say which functions did not tell a time."""
    wrong = {}
    for name, seconds in seen.items():
        earliest = at - 1 if name in WHOLE_SECONDS and within else at
        if not earliest <= seconds <= at + within:
            wrong[name] = seconds
    return wrong


def is_real(seen):
    return all(seconds < START_S - DAY_S for seconds in seen.values())


@pytest.mark.parametrize("place", PLACES)
def test_in_virtual_time_every_function_tells_the_runtimes(open_runtime, place):
    runtime = open_runtime(start=START)
    asker = runtime.register(Asker).getByName("a")
    seen = runtime.run(getattr(asker, place)())
    assert of_the_time(seen) == {}
    assert is_real(told())


@pytest.mark.parametrize("place", PLACES)
def test_in_real_time_every_function_tells_the_runtimes(open_runtime, place):
    runtime = open_runtime(start=START)
    asker = runtime.register(Asker).getByName("a")
    with runtime.start_real_time():
        seen = runtime.run(getattr(asker, place)())
        assert is_real(told())
    assert of_the_time(seen, within=60.0) == {}


def test_dates_too(open_runtime):
    runtime = open_runtime(start=START)

    class Dates:
        def __init__(self, ctx, env): ...

        async def ask(self):
            class Mine(datetime.datetime):
                pass

            mine = Mine.now()
            return [
                datetime.date.today().isoformat(),
                time.strftime("%F"),
                type(mine) is Mine,
                type(Mine.utcnow() if sys.version_info < (3, 12) else mine) is Mine,
                mine.isoformat()[:10],
            ]

    assert runtime.run(runtime.register(Dates).getByName("a").ask()) == [
        "2040-05-06", "2040-05-06", True, True, "2040-05-06",
    ]  # fmt: skip


def test_what_is_given_a_time_is_left_alone(open_runtime):
    runtime = open_runtime(start=START)

    def ask():
        return [
            time.gmtime(0).tm_year,
            time.localtime(86_400 * 365.0).tm_year,
            time.ctime(0)[-4:],
            time.strftime("%Y", (1999, 1, 1, 0, 0, 0, 0, 1, 0)),
            time.asctime((1999, 1, 1, 0, 0, 0, 0, 1, 0))[-4:],
            datetime.datetime.fromtimestamp(0, datetime.UTC).year,
            datetime.datetime(1999, 1, 1).year,
            random.Random(5).random(),
            uuid.uuid5(uuid.NAMESPACE_DNS, "x"),
        ]

    class Given:
        def __init__(self, ctx, env): ...

        async def ask(self):
            return [str(value) for value in ask()]

    outside = [str(value) for value in ask()]
    assert runtime.run(runtime.register(Given).getByName("a").ask()) == outside


@pytest.mark.parametrize(
    "call",
    [
        lambda: time.time(1),
        lambda: time.gmtime("x"),
        lambda: time.strftime(),
        lambda: time.strftime(b"%F"),
        lambda: time.asctime("x"),
        lambda: time.localtime(1, 2),
        lambda: time.monotonic(x=1),
        lambda: time.clock_gettime(123_456),
        lambda: time.clock_gettime("x"),
        lambda: datetime.datetime.now("x"),
        lambda: os.urandom(-1),
        lambda: random.choice([]),
        lambda: random.randint("x"),
    ],
)
def test_errors_are_pythons_own(open_runtime, call):
    def outcome():
        try:
            call()
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    outside = outcome()
    assert outside is not None

    class Wrong:
        def __init__(self, ctx, env): ...

        async def ask(self):
            return outcome()

    runtime = open_runtime(start=START)
    assert runtime.run(runtime.register(Wrong).getByName("a").ask()) == outside


@pytest.mark.parametrize("place", PLACES)
def test_in_virtual_time_all_chance_is_the_seeds(open_runtime, place):
    def draw(seed):
        runtime = open_runtime(start=START, seed=seed)
        namespace = runtime.register(Drawer, "ASKER", name="Asker")
        return runtime.run(getattr(namespace.getByName("a"), place)())

    first = draw(1)
    assert draw(1) == first
    other = draw(2)
    assert [name for name in first if first[name] == other[name]] == []
    outside = drawn()
    assert [name for name in first if first[name] == outside[name]] == []


def test_in_real_time_no_chance_is_the_seeds(open_runtime):
    def draw():
        runtime = open_runtime(start=START, seed=1)
        drawer = runtime.register(Drawer, "ASKER", name="Asker").getByName("a")
        with runtime.start_real_time():
            return runtime.run(drawer.handler())

    first, second = draw(), draw()
    assert [name for name in first if first[name] == second[name]] == []


def test_what_is_made_once_for_the_process_draws_nothing_from_the_runtime_that_comes_first(
    open_runtime, monkeypatch
):
    class Files:
        def __init__(self, ctx, env): ...

        async def draw(self):
            with tempfile.TemporaryDirectory():
                return random.random()

    def draw():
        monkeypatch.setattr(tempfile, "_name_sequence", None)
        runtime = open_runtime(seed=3)
        stub = runtime.register(Files).getByName("a")
        first = runtime.run(stub.draw())
        return [first, runtime.run(stub.draw())]

    monkeypatch.setattr(tempfile, "_name_sequence", None)
    first = draw()
    again = open_runtime(seed=3)
    stub = again.register(Files).getByName("a")
    assert [again.run(stub.draw()), again.run(stub.draw())] == first


def test_a_thread_draws_nothing_from_the_handlers(open_runtime):
    class Both:
        def __init__(self, ctx, env): ...

        async def beside(self, draws):
            async def thread():
                return await asyncio.to_thread(lambda: [random.random() for _ in range(draws)])

            running = asyncio.create_task(thread())
            mine = []
            for _ in range(5):
                mine.append(random.random())
                await asyncio.sleep(0)
            await running
            return [*mine, random.random()]

    def draw(draws):
        runtime = open_runtime(seed=3)
        return runtime.run(runtime.register(Both).getByName("a").beside(draws))

    assert draw(0) == draw(1_000)


def test_a_runtime_inside_another_has_its_own(open_runtime):
    inner = open_runtime(start="2050-01-01", seed=7)
    asker = inner.register(Asker).getByName("a")
    drawer = inner.register(Drawer).getByName("a")

    class Outer:
        def __init__(self, ctx, env): ...

        async def nest(self):
            before = random.getstate()
            seen = inner.run(asker.handler())
            first = inner.run(drawer.handler())
            return [seen["time"], first["uuid4"], before == random.getstate(), time.time()]

    outer = open_runtime(start=START, seed=8)
    inside, first, undisturbed, after = outer.run(outer.register(Outer).getByName("o").nest())
    assert inside == datetime.datetime(2050, 1, 1, tzinfo=datetime.UTC).timestamp()
    assert (undisturbed, after) == (True, START_S)
    alone = open_runtime(start="2050-01-01", seed=7)
    alone.register(Asker)
    assert alone.run(alone.register(Drawer).getByName("a").handler())["uuid4"] == first


def test_two_runtimes_in_two_threads_disturb_neither_each_other_nor_a_third(open_runtime):
    class Mixed:
        def __init__(self, ctx, env):
            self.kv = ctx.storage.kv

        async def step(self):
            await asyncio.sleep(0.001)
            return [
                time.time(),
                datetime.datetime.now().timestamp(),
                random.random(),
                uuid.uuid1().hex,
            ]

    def program(runtime, out):
        stub = runtime.register(Mixed).getByName("a")
        for _ in range(300):
            out.append(runtime.run(stub.step()))

    alone = []
    program(open_runtime(start=START, seed=4), alone)
    runtimes = [open_runtime(start=START, seed=4) for _ in range(2)]
    outs = [[], []]
    threads = [
        threading.Thread(target=program, args=pair) for pair in zip(runtimes, outs, strict=True)
    ]
    for thread in threads:
        thread.start()
    outside = []
    while any(thread.is_alive() for thread in threads):
        outside.append(time.time())
        outside.append(datetime.datetime.now().timestamp())
    for thread in threads:
        thread.join()
    assert outs == [alone, alone]
    assert all(seconds < START_S - DAY_S for seconds in outside)


def test_a_virtual_runtime_beside_one_in_real_time(open_runtime):
    served = open_runtime(start="2050-01-01")
    asker = served.register(Asker).getByName("a")
    runtime = open_runtime(start=START, seed=5)
    alone = runtime.run(runtime.register(Drawer).getByName("a").handler())
    with served.start_real_time():
        beside = open_runtime(start=START, seed=5)
        assert beside.run(beside.register(Drawer).getByName("a").handler()) == alone
        assert of_the_time(runtime.run(runtime.register(Asker).getByName("b").handler())) == {}
        later = served.run(asker.handler())
    at = datetime.datetime(2050, 1, 1, tzinfo=datetime.UTC).timestamp()
    assert of_the_time(later, at, within=60.0) == {}


async def race(env):
    """Chance and the clock decide; alone, in every schedule, as they do here."""
    drawn = await asyncio.gather(*(env.RACER.getByName(name).go() for name in "ab"))
    assert all(at == 1_767_225_600 for at, _ in drawn), drawn


class Racer:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def go(self):
        await asyncio.sleep(0)
        seen = [time.time(), random.random()]
        self.ctx.storage.put("seen", seen)
        return seen


def test_exploring_beside_a_server_and_other_threads_finds_what_it_finds_alone(open_runtime):
    def explore():
        report = dobook.explore(race, Racer, runs=30, faults="none", jobs=1, progress=False)
        return report.failed, report.distinct

    alone = explore()
    assert alone[0] == 0
    served = open_runtime(start="2050-01-01")
    asker = served.register(Asker).getByName("a")
    stop = threading.Event()

    def draw():
        while not stop.is_set():
            random.random()
            time.time()

    thread = threading.Thread(target=draw)
    thread.start()
    with served.start_real_time():
        try:
            assert explore() == alone
        finally:
            stop.set()
            thread.join()
        assert served.run(asker.handler())["time"] > START_S


def test_a_fork_goes_its_own_way(open_runtime):
    runtime = open_runtime(start=START, seed=5)
    asker = runtime.register(Asker).getByName("a")
    with runtime.fork() as other:
        other.advance("1h")
        seen = other.run(other.stub("ASKER/a").handler())
        assert of_the_time(seen, START_S + 3600) == {}
        assert of_the_time(runtime.run(asker.handler())) == {}


def test_after_an_error_an_eviction_and_a_crash_it_is_as_before(open_runtime):
    runtime = open_runtime(start=START)
    asker = runtime.register(Asker).getByName("a")
    with pytest.raises(ValueError, match="told to"):
        runtime.run(asker.fail())
    assert is_real(told())
    runtime.run(runtime.evict(asker))
    assert is_real(told())
    runtime.crash(asker)
    assert is_real(told())
    assert of_the_time(runtime.run(asker.handler())) == {}


def snapshot():
    names = [
        (module.__name__, name, value)
        for module in (time, datetime, random, os, uuid, secrets, asyncio, asyncio.tasks)
        for name, value in vars(module).items()
        if callable(value)  # not what comes and goes, as asyncio's set of tasks
    ]
    kinds = (datetime.datetime, datetime.date, random.Random, Keeps)
    names += [(kind.__name__, n, v) for kind in kinds for n, v in vars(kind).items()]
    names += [(__name__, n, v) for n, v in globals().items()]
    names += [
        ("default", 0, with_default.__defaults__),
        ("keywords", 0, dict(with_default.__kwdefaults__)),
    ]
    names.append(("dict", 0, dict(KEPT)))
    names.append(("finders", 0, list(sys.meta_path)))
    return names


def test_once_every_runtime_is_closed_everything_is_what_it_was():
    before = snapshot()
    for _ in range(2):
        with Runtime(start=START) as runtime:
            asker = runtime.register(Asker).getByName("a")
            with Runtime(start=START):
                runtime.run(asker.handler())
            assert of_the_time(runtime.run(asker.handler())) == {}
            with pytest.raises(ValueError, match="told to"):
                runtime.run(asker.fail())
    after = snapshot()
    changed = [
        (old[0], old[1]) for old, new in zip(before, after, strict=True)
        if old[2] is not new[2] and old[2] != new[2]
    ]  # fmt: skip
    assert changed == []


@pytest.mark.parametrize("line", range(1, 400, 13))
def test_an_interrupt_while_it_is_put_in_place_leaves_nothing(line):
    before = snapshot()
    reached = 0

    def trace(frame, event, _argument):
        nonlocal reached
        if event == "line" and frame.f_code.co_filename.endswith("patches.py"):
            reached += 1
            if reached == line:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    outer = sys.gettrace()
    patches._searched.clear()  # as in a new process
    patches._modules = 0
    sys.settrace(trace)
    try:
        patches.acquire()
    except KeyboardInterrupt:
        pass
    else:
        patches.release()
    finally:
        sys.settrace(outer)
    assert [(o[0], o[1]) for o, n in zip(before, snapshot(), strict=True) if o[2] != n[2]] == []
    with Runtime(start=START) as runtime:
        assert of_the_time(runtime.run(runtime.register(Asker).getByName("a").handler())) == {}


def test_an_owner_that_never_releases_does_so_when_it_is_collected():
    class Owner:
        pass

    real, owner = time.time, Owner()
    patches.hold(owner)
    assert time.time is not real
    del owner
    gc.collect()
    assert time.time is real


def test_a_module_imported_meanwhile_is_put_right_and_follows_again(monkeypatch):
    code = "from time import monotonic, time\nfrom datetime import datetime\nclass A:\n    now = time\ndef f(clock=monotonic): return clock()\n"
    module = ModuleType("imported_meanwhile")

    class User:
        def __init__(self, ctx, env): ...

        async def ask(self):
            return [module.monotonic(), module.A().now(), module.f()]

    with Runtime(start=START) as runtime:
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(code, vars(module))
        assert runtime.run(runtime.register(User).getByName("a").ask()) == [START_S] * 3
    assert module.time is time.time
    assert module.monotonic is time.monotonic
    assert vars(module.A)["now"] is time.time
    assert module.f.__defaults__ == (time.monotonic,)
    with Runtime(start=START) as runtime:
        assert runtime.run(runtime.register(User).getByName("a").ask()) == [START_S] * 3
    assert module.time is time.time


def test_classes_stay_what_they_are(open_runtime):
    class Kinds:
        def __init__(self, ctx, env): ...

        async def ask(self):
            now = datetime.datetime.now()

            class Mine(datetime.datetime):
                pass

            mine = Mine(2026, 1, 2)
            return {
                "a datetime": type(now) is datetime.datetime,
                "the class": datetime.datetime is imported_datetime is REAL_DATETIME,
                "a subclass": type(mine) is Mine and isinstance(mine, Mine),
                "no instance of it": not isinstance(now, Mine),
                "random": type(random.Random()) is REAL_RANDOM,
                "no metaclass": type(datetime.datetime) is type,
                "loads": pickle.loads(pickle.dumps(now)) == now,
                "functions": pickle.loads(pickle.dumps(time.time)) is time.time,
                "routine": callable(time.time) and time.time.__name__ == "time",
            }

    runtime = open_runtime(start=START)
    seen = runtime.run(runtime.register(Kinds).getByName("a").ask())
    assert [name for name, holds in seen.items() if not holds] == []


REAL_DATETIME, REAL_RANDOM = datetime.datetime, random.Random


def test_a_datetime_pickled_in_a_handler_loads_elsewhere(open_runtime):
    class Pickles:
        def __init__(self, ctx, env): ...

        async def dump(self):
            return pickle.dumps([datetime.datetime.now(datetime.UTC), datetime.date.today()])

    runtime = open_runtime(start=START)
    data = runtime.run(runtime.register(Pickles).getByName("a").dump())
    program = "import pickle, sys; print(*pickle.loads(sys.stdin.buffer.read()))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], input=data, capture_output=True, check=True
    )
    assert loaded.stdout.decode().split() == ["2040-05-06", "07:08:09+00:00", "2040-05-06"]


LIBRARIES = """
import dobook
class Lazy:
    def __init__(self, ctx, env): ...
    async def go(self):
        %s
with dobook.Runtime(start="2040-05-06T07:08:09") as runtime:
    print(runtime.run(runtime.register(Lazy).getByName("a").go()))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("import pandas as pd; return str([str(pd.Timestamp.now()), str(pd.Timestamp('now'))])",
         "['2040-05-06 07:08:09', '2040-05-06 07:08:09']"),
        ("import pydantic; from datetime import datetime\n"
         "        class M(pydantic.BaseModel):\n            at: datetime\n"
         "        return str(M(at=datetime.now()).at)", "2040-05-06 07:08:09"),
        ("import pydantic.v1; from datetime import datetime\n"
         "        class M(pydantic.v1.BaseModel):\n            at: datetime\n"
         "        return str(M(at=datetime.now()).at)", "2040-05-06 07:08:09"),
        ("import fastapi; return fastapi.FastAPI().title", "FastAPI"),
        ("import numpy as np; return str([np.random.rand(), np.random.randint(1000), "
         "np.random.default_rng().random(), np.random.sample(), np.random.normal()])", None),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_libraries_that_a_handler_is_the_first_to_import(code, printed):
    """In a process of its own: here they may have been imported already."""
    outputs = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", prelude + LIBRARIES % code],
            capture_output=True, check=True, text=True, env={**os.environ, "TZ": "UTC"},
        ).stdout.strip()
        for prelude in ("", "import numpy, pandas, pydantic, fastapi\n")
    }  # fmt: skip
    assert len(outputs) == 1
    if printed is not None:
        assert outputs == {printed}


def test_what_waits_for_real_time_has_the_real_clock(open_runtime):
    class Waits:
        def __init__(self, ctx, env): ...

        async def go(self):
            async def inner():
                await asyncio.sleep(0.001)  # for ever, by a clock that stands still
                return time.time()

            return await asyncio.to_thread(asyncio.run, inner())

    runtime = open_runtime(start=START)
    assert runtime.run(runtime.register(Waits).getByName("a").go()) == START_S
