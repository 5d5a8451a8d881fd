"""Exceptions of others' signal handlers: where they are raised, and what they leave behind."""

import asyncio
import signal

import pytest

from dobook import Runtime

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGVTALRM"), reason="there are no interval timers"
)


class Timeout(BaseException):
    """As a test's timeout is one."""


class Clumsy(Exception):
    """What a program's own handler may raise."""


class Loops:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def put(self, key, value):
        await self.ctx.storage.put(key, value)

    async def get(self, key):
        return await self.ctx.storage.get(key)

    async def own_code(self):
        await self.ctx.storage.put("half", 1)
        soon()
        while True:
            pass

    async def engine_code(self):
        soon()
        while True:
            self.ctx.storage.kv.get("half")

    async def later_turns(self):
        soon()
        while True:  # noqa: ASYNC110 - it is to have no end
            await asyncio.sleep(0)

    async def timers(self):
        soon()
        while True:  # noqa: ASYNC110 - it is to have no end
            await asyncio.sleep(1)

    async def catches(self):
        soon()
        try:
            while True:
                pass
        except (Timeout, Clumsy):
            return "caught"

    async def looks(self):
        return signal.getsignal(signal.SIGVTALRM) == expired

    async def replaces(self):
        return signal.signal(signal.SIGVTALRM, replaced) == expired


def soon():
    """Have the signal come when this process has run for some more milliseconds."""
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.004)


raises = Timeout


def expired(_signum, _frame):
    raise raises("too slow")


def replaced(_signum, _frame):
    """Do nothing."""


@pytest.fixture(params=[Timeout, Clumsy])
def kind(request):
    global raises  # the handler is one function for all
    raises = request.param
    before = signal.signal(signal.SIGVTALRM, expired)
    yield request.param
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize("method", ["own_code", "engine_code", "later_turns", "timers"])
def test_what_a_handler_raises_ends_a_turn_that_would_not(runtime, kind, method):
    stub = runtime.register(Loops).getByName("a")
    runtime.run(stub.put("kept", 1))
    with pytest.raises(kind, match="too slow"):
        runtime.run(getattr(stub, method)())
    assert signal.getsignal(signal.SIGVTALRM) is expired
    assert runtime.run(stub.get("half")) is None
    assert runtime.run(stub.get("kept")) == 1
    runtime.run(stub.put("after", 2))
    assert runtime.run(stub.get("after")) == 2


def test_code_may_catch_what_a_handler_raises_in_it(runtime, kind):
    assert runtime.run(runtime.register(Loops).getByName("a").catches()) == "caught"


def test_handlers_look_as_ever_and_may_be_replaced_meanwhile(runtime, kind):
    stub = runtime.register(Loops).getByName("a")
    assert runtime.run(stub.looks())
    assert runtime.run(stub.replaces())
    assert signal.getsignal(signal.SIGVTALRM) is replaced


def test_nothing_that_was_acknowledged_is_lost_whenever_the_signal_comes(state_path, kind):
    acknowledged = {}
    stopped = 0
    with Runtime(state_path) as runtime:
        stub = runtime.register(Loops).getByName("a")
        runtime.run(stub.put("first", 0))
        for number in range(150):
            key = f"k{number}"
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.000_02 + number % 10 * 0.000_05)
            try:
                runtime.run(stub.put(key, number))
                acknowledged[key] = number
            except kind:
                stopped += 1
            finally:
                try:
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                except kind:  # at the last moment
                    stopped += 1
        stored = {key: runtime.run(stub.get(key)) for key in acknowledged}
        assert stored == acknowledged
    if state_path is not None:
        with Runtime(state_path) as runtime:
            stub = runtime.register(Loops).getByName("a")
            assert {key: runtime.run(stub.get(key)) for key in acknowledged} == acknowledged
