"""A process that is forked beside an open runtime cannot use it, and does it no harm."""

import gc
import multiprocessing
import os
import subprocess
import sys
import traceback

import pytest

import dobook
from dobook import Runtime
from dobook.errors import UsageError
from dobook.runtime.access import kernel_of

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    # Python 3.12 and later warn of a fork beside threads, which aiosqlite has.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning"),
]


class Counter:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def increment(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        self.ctx.storage.sql.exec("create table if not exists t (n)")
        self.ctx.storage.sql.exec("insert into t values (?)", n)
        return n

    def fork_inside(self):
        return os.fork()


def in_child(work):
    """Run something in a forked child; returns what it returned, as text, or its traceback."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = str(work())
        except BaseException:
            said = traceback.format_exc()
        os.write(writing, said.encode()[-4000:])
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123 - a descriptor
        said = pipe.read().decode()
    assert os.waitpid(child, 0)[1] == 0
    return said


@pytest.fixture
def stub(runtime):
    stub = runtime.register(Counter).getByName("a")
    assert runtime.run(stub.increment()) == 1
    return stub


USES = {
    "run": lambda runtime, stub: runtime.run(stub.increment()),
    "call": lambda runtime, stub: dobook.Runtime().run(stub.increment()),
    "new stub": lambda runtime, stub: Runtime().run(runtime.stub("COUNTER/b").increment()),
    "advance": lambda runtime, stub: runtime.advance("1h"),
    "settle": lambda runtime, stub: runtime.settle(),
    "register": lambda runtime, stub: runtime.register(Counter),
    "real time": lambda runtime, stub: runtime.start_real_time(),
    "snapshot": lambda runtime, stub: runtime.snapshot("never"),
    "branch": lambda runtime, stub: runtime.fork(),
}


@pytest.mark.parametrize("use", USES)
def test_a_child_that_uses_the_runtime_is_told_whose_it_is(runtime, stub, use):
    def work():
        try:
            return f"was allowed: {USES[use](runtime, stub)}"
        except UsageError as error:
            return error

    said = in_child(work)
    assert f"belongs to the process {os.getpid()}, which has forked this one" in said
    assert runtime.run(stub.increment()) == 2


@pytest.mark.parametrize(
    "end",
    [
        lambda runtime: runtime.close(),
        lambda runtime: runtime.__exit__(None, None, None),
        lambda runtime: gc.collect(),
        lambda runtime: kernel_of(runtime).loop.close(),
        lambda runtime: None,
    ],
)
def test_the_end_of_a_child_harms_nothing(runtime, stub, end):
    in_child(lambda: end(runtime))
    assert runtime.run(stub.increment()) == 2
    runtime.start_real_time()  # its thread is woken by what the child has closed too
    assert runtime.run(stub.increment()) == 3
    runtime.stop_real_time()


def test_a_child_may_have_a_runtime_of_its_own(runtime, stub):
    def work():
        with Runtime() as own:
            return own.run(own.register(Counter).getByName("a").increment())

    assert in_child(work) == "1"
    assert runtime.run(stub.increment()) == 2


def test_a_child_that_has_exited_as_an_interpreter_does_harms_nothing(tmp_path):
    program = f"""
import os, sys
sys.path[:0] = {sys.path!r}
import dobook
from tests.runtime.test_processes import Counter
runtime = dobook.Runtime({str(tmp_path / "state")!r})
stub = runtime.register(Counter).getByName("a")
runtime.run(stub.increment())
child = os.fork()
if child == 0:
    raise SystemExit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert runtime.run(stub.increment()) == 2
runtime.close()
with dobook.Runtime({str(tmp_path / "state")!r}) as again:
    print(again.run(again.register(Counter).getByName("a").increment()))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("3\n", "")


def test_a_child_that_lives_on_does_not_keep_the_directory_locked(tmp_path):
    state = tmp_path / "state"
    held, release = os.pipe()
    ready, say_ready = os.pipe()
    program = f"""
import os, sys
sys.path[:0] = {sys.path!r}
import dobook
from tests.runtime.test_processes import Counter
runtime = dobook.Runtime({str(state)!r})
assert runtime.run(runtime.register(Counter).getByName("a").increment()) == 1
if os.fork() == 0:
    os.close({release})
    os.write({say_ready}, b"!")
    os.read({held}, 1)  # until the test ends
    os._exit(0)
os.read({ready}, 1)
os.kill(os.getpid(), 9)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        pass_fds=(held, release, ready, say_ready),
        stderr=subprocess.DEVNULL,
    )
    try:
        parent.wait()
        with Runtime(state) as runtime:
            assert runtime.run(runtime.register(Counter).getByName("a").increment()) == 2
    finally:
        for descriptor in (release, held, ready, say_ready):
            os.close(descriptor)


def test_a_handler_that_forks_ends_in_the_child_with_the_sentence(runtime, stub):
    reading, writing = os.pipe()
    outer = os.getpid()
    try:
        child = runtime.run(stub.fork_inside())
    except BaseException as error:
        if os.getpid() == outer:
            raise
        os.write(writing, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    if os.getpid() != outer:
        os._exit(1)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123
        said = pipe.read().decode()
    os.waitpid(child, 0)
    assert said.startswith("UsageError: this runtime belongs to the process")
    assert runtime.run(stub.increment()) == 2


def double(n):
    return 2 * n


def test_multiprocessing_and_subprocess_work_beside_a_runtime(runtime, stub):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(double, [1, 2, 3]) == [2, 4, 6]
    assert subprocess.run([sys.executable, "-S", "-c", "print(1)"], capture_output=True, check=True)
    assert runtime.run(stub.increment()) == 2
