"""A real kernel whose stop button is pressed: at a moment that is known, and at many that are not."""

import os
import random
import re
import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MOMENTS = int(os.environ.get("DOBOOK_INTERRUPTS", "1"))  # for each cell
RUNAWAY = """%%durable_object
import asyncio
import time
from workers import DurableObject, Response

class Runaway(DurableObject):
    async def busy(self):
        print("going", flush=True)
        while True:
            pass

    async def sleepy(self):
        print("going", flush=True)
        while True:
            await asyncio.sleep(1)

    async def stubborn(self):
        print("going", flush=True)
        while True:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                pass

    async def deaf(self):
        class Deaf:
            def __del__(self):
                for _ in range(100_000_000):
                    pass

        print("going", flush=True)
        Deaf()  # the interrupt comes in its destructor, and goes no further
        while True:
            pass

    async def again(self):
        await self.ctx.storage.setAlarm(await self.later())

    async def later(self):
        return int(time.time() * 1000) + 1

    async def alarm(self):
        if not await self.ctx.storage.get("said"):
            await self.ctx.storage.put("said", True)
            print("going", flush=True)
        await self.again()

    async def asks(self):
        await self.env.RUNAWAY.getByName("asked").sleepy()

    async def threaded(self):
        await asyncio.to_thread(time.sleep, 2)

    async def half(self):
        await self.ctx.storage.put("half", 1)
        while True:
            pass

    async def quick(self):
        await asyncio.sleep(0.01)

    async def fetch(self, request):
        await asyncio.sleep(0.01)
        return Response("ok")

    async def fine(self):
        return "fine"
"""
ASKED = {
    "sync": "%rpc RUNAWAY/a {}",
    "async": "await env.RUNAWAY.getByName('a').{}()",
    "gathered": (
        "import asyncio\nstub = env.RUNAWAY.getByName\n"
        "await asyncio.gather(stub('a').{0}(), stub('b').{0}(), stub('c').fine())"
    ),
}


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("how", ASKED)
@pytest.mark.parametrize("what", ["busy", "sleepy"])
def test_an_interrupt_stops_a_runaway_handler_and_the_runtime_goes_on(kernel, how, what):
    kernel.run(RUNAWAY)
    (stopped,) = kernel.run(ASKED[how].format(what), interrupt_on="going")
    assert stopped[-1][0] == "KeyboardInterrupt", stopped
    after = kernel.run(
        "await env.RUNAWAY.getByName('a').fine()",
        "%rpc RUNAWAY/b fine",
        "%objects RUNAWAY",
        "%fast_forward 1h",
        "6 * 7",
    )
    assert after[0] == [("execute_result", "'fine'")]
    assert after[1] == [("execute_result", "'fine'")]
    assert "running" not in after[2][0][1]
    assert after[4] == [("execute_result", "42")]


def test_a_handler_that_swallows_its_cancellation_does_not_hold_the_kernel(kernel):
    kernel.run(RUNAWAY)
    (stopped,) = kernel.run("%rpc RUNAWAY/a stubborn", interrupt_on="going")
    assert stopped[-1][0] == "KeyboardInterrupt", stopped
    assert kernel.run("6 * 7") == [[("execute_result", "42")]]


def test_an_interrupt_that_a_destructor_swallows_is_sent_again(kernel):
    kernel.run(RUNAWAY)
    (stopped,) = kernel.run("%rpc RUNAWAY/a deaf", interrupt_on="going")
    assert stopped[-1][0] == "KeyboardInterrupt", stopped
    assert kernel.run("6 * 7") == [[("execute_result", "42")]]


def test_an_interrupt_stops_time(kernel):
    kernel.run(RUNAWAY, "%rpc RUNAWAY/a again")
    (stopped,) = kernel.run("week = %fast_forward 365d", interrupt_on="going")
    assert stopped[-1][0] == "KeyboardInterrupt", stopped
    after = kernel.run("runs = %fast_forward 10ms", "len(runs)")
    assert after[1] == [("execute_result", "10")]


# Python only prints what is raised there; the cell would run on.
SWALLOWED = {
    "a weak reference's callback": (
        "reference = weakref.ref(gone := Gone(), eval('lambda _: busy()', {'__name__': 'weakref',"
        " 'busy': lambda: eval(SOURCE, {'__name__': 'weakref', **NAMES})}))"
    ),
    "a finalizer": "weakref.finalize(gone := Gone(), lambda: eval(SOURCE, NAMES))",
    "a destructor": "gone = Gone()\nGone.__del__ = lambda self: eval(SOURCE, NAMES)",
}


@pytest.mark.parametrize("seconds", [0.2, 1])
@pytest.mark.parametrize("where", SWALLOWED)
def test_an_interrupt_where_it_would_be_swallowed_ends_the_cell_all_the_same(
    kernel, where, seconds
):
    prepared = f"""
import itertools
import time
import weakref

class Gone:
    pass

SOURCE = "print('going', flush=True) or all(clock() < began + {seconds} for _ in forever)"
NAMES = dict(clock=time.monotonic, forever=itertools.repeat(0), began=time.monotonic())
{SWALLOWED[where]}
NAMES["began"] = time.monotonic()
del gone
while True:
    pass
"""
    (stopped,) = kernel.run(prepared, interrupt_on="going")
    assert [kind for kind, _ in stopped if kind != "stdout"] == ["KeyboardInterrupt"], stopped
    assert kernel.run("6 * 7") == [[("execute_result", "42")]]


# Interrupted at some moment, never mind which: each is made of many that differ.
CELLS = {
    "a busy handler": "await env.RUNAWAY.getByName('a').busy()",
    "a sleeping handler": "%rpc RUNAWAY/a sleepy",
    "one that asks another": "await env.RUNAWAY.getByName('a').asks()",
    "one that waits for a thread": "await env.RUNAWAY.getByName('a').threaded()",
    "time that passes": "runs = %fast_forward 365d",
    "a crowd": "answers = %request RUNAWAY/a /x --repeat 5000 --concurrency 20",
    "calls one by one": (
        "stub = env.RUNAWAY.getByName('a')\nfor _ in range(10**6):\n    await stub.quick()"
    ),
    "calls that are gathered": (
        "import asyncio\nstub = env.RUNAWAY.getByName\nfor _ in range(10**6):\n"
        "    await asyncio.gather(*(stub(name).quick() for name in 'abc'))"
    ),
    "tasks that call": (
        "import asyncio\nstub = env.RUNAWAY.getByName\nasync def call(name):\n"
        "    for _ in range(10**6):\n        await stub(name).quick()\n"
        "await asyncio.gather(*(call(name) for name in 'abc'))"
    ),
    "calls of a sync cell": (
        "stub = env.RUNAWAY.getByName('a')\nfor _ in range(10**6):\n    runtime.run(stub.quick())"
    ),
    "magics in an async cell": (
        "import asyncio\nawait asyncio.sleep(0)\nfor _ in range(10**6):\n"
        "    get_ipython().run_line_magic('rpc', 'RUNAWAY/a quick')"
    ),
    "a cell that has begun a call": (
        "promise = env.RUNAWAY.getByName('a').sleepy()\nruntime.settle()\nwhile True:\n    pass"
    ),
    "a cell inside a cell": (
        "get_ipython().run_cell('stub = env.RUNAWAY.getByName(\\'a\\')\\n'\n"
        "    'for _ in range(10**6): runtime.run(stub.quick())');"
    ),
    "a search": (
        "%%explore RUNAWAY --runs 100000 --jobs 1\nimport asyncio\n"
        "async def scenario(env):\n    stub = env.RUNAWAY.getByName('a')\n"
        "    await asyncio.gather(stub.quick(), stub.quick(), stub.quick())"
    ),
}
IN_REAL_TIME = [name for name in CELLS if name not in ("time that passes", "a search", "a crowd")]
LEFT = """
runtime.settle()
session = get_ipython()._dobook_session
(
    [o.name for o in runtime.objects() if o.state == "running"],
    [asked.path for asked in session.log.entries() if asked.answered_ms is None],
)
"""


def interrupted(kernel, cell, after_s):
    """Run a cell, interrupt it, and check that nothing of it is left."""
    (shown,) = kernel.run(cell, interrupt_after_s=after_s)
    errors = [(kind, plain(text)) for kind, text in shown if "Traceback" in text]
    assert [kind for kind, _ in errors] == ["KeyboardInterrupt"], shown
    assert "Cell In" in errors[0][1]
    assert "dobook" not in errors[0][1]
    noise = [text for kind, text in shown if kind == "stderr" and "%|" not in text]
    assert not noise
    began = time.monotonic()
    left, first, second = kernel.run(
        LEFT, "await env.RUNAWAY.getByName('a').fine()", "%rpc RUNAWAY/b fine"
    )
    assert time.monotonic() - began < 2
    assert left == [("execute_result", "([], [])")]
    assert first == second == [("execute_result", "'fine'")]


@pytest.mark.parametrize("what", CELLS)
def test_whenever_a_cell_is_interrupted_all_that_it_has_begun_ends(kernel, what):
    kernel.run(RUNAWAY, "%rpc RUNAWAY/clock again")
    moments = random.Random(what)
    for _ in range(MOMENTS):
        interrupted(kernel, CELLS[what], moments.uniform(0.02, 0.3))


@pytest.mark.parametrize("what", IN_REAL_TIME)
def test_so_it_does_while_the_runtime_is_served(kernel, what):
    kernel.run(RUNAWAY, "%serve")
    moments = random.Random(what)
    try:
        for _ in range(MOMENTS):
            interrupted(kernel, CELLS[what], moments.uniform(0.02, 0.3))
    finally:
        kernel.run("%serve --stop")


def test_a_turn_that_is_broken_off_leaves_nothing_in_storage(kernel):
    kernel.run(RUNAWAY)
    (stopped,) = kernel.run("%rpc RUNAWAY/a half", interrupt_after_s=0.05)
    assert stopped[-1][0] == "KeyboardInterrupt"
    assert "while True" in plain(stopped[-1][1])
    _, (shown,) = kernel.run("rows = %storage RUNAWAY/a", "len(rows)")
    assert shown == ("execute_result", "0")


def test_an_interrupt_frees_the_loop_from_a_served_handler_that_never_ends(kernel):
    kernel.run(RUNAWAY, "server = %serve", "import threading")
    for cell in ("%objects", "await env.RUNAWAY.getByName('b').fine()"):
        # As a browser would, nobody here has begun it.
        kernel.run("threading.Thread(target=env.RUNAWAY.getByName('a').busy).start()")
        (stopped,) = kernel.run(cell, interrupt_after_s=0.1)
        assert stopped[-1][0] == "KeyboardInterrupt", stopped
        assert kernel.run("await env.RUNAWAY.getByName('a').fine()") == [
            [("execute_result", "'fine'")]
        ]
    kernel.run("%serve --stop")
