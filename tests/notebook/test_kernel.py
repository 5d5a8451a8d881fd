"""A real kernel: interrupts, queued cells, where output lands, nested loops, tracebacks."""

import re

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

RUNAWAY = """%%durable_object
import asyncio
from workers import DurableObject

class Runaway(DurableObject):
    async def busy(self):
        print("going", flush=True)
        while True:
            pass

    async def sleepy(self):
        await asyncio.sleep(1)  # so that `fine`, gathered with this, has been answered before
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
        import time
        return int(time.time() * 1000) + 1

    async def alarm(self):
        if not await self.ctx.storage.get("said"):
            await self.ctx.storage.put("said", True)
            print("going", flush=True)
        await self.again()

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


def test_queued_cells_all_run_in_order(kernel):
    cells = [
        "stub = env.COUNTER.getByName('q')",
        "await stub.add(1)",
        "%rpc COUNTER/q add 1",
        "import asyncio\nawait asyncio.gather(*(stub.add(1) for _ in range(3)))",
        "runtime.run(stub.add(1))",
        "await stub.nap(3600)",
        "%rpc COUNTER/q value",
    ]
    shown = kernel.run(*cells)
    assert shown[1][-1] == ("execute_result", "1")
    assert shown[3][-1] == ("execute_result", "[3, 4, 5]")
    assert shown[4][-1] == ("execute_result", "6")
    assert shown[5] == [("execute_result", "3600")]
    assert shown[6] == [("execute_result", "6")]


def test_output_lands_in_the_cell_that_caused_it(kernel):
    shown = kernel.run(
        "await env.COUNTER.getByName('a').add(1)",
        "%rpc COUNTER/a ring 1000",
        "1",
        "runs = %fast_forward 1s",
        "promise = env.COUNTER.getByName('a').add(2)",
        "await promise",
    )
    printed = ["".join(text for kind, text in cell if kind == "stdout") for cell in shown]
    assert printed == ["added 1\n", "", "", "ringing\n", "", "added 2\n"]


def test_code_of_a_cell_may_run_a_loop_of_its_own(kernel):
    shown = kernel.run(
        "import asyncio, sys\nstub = env.COUNTER.getByName('n')\n'nest_asyncio2' in sys.modules",
        "async def main():\n    await asyncio.sleep(0.01)\n    return await stub.add(1)\n"
        "asyncio.run(main())",
        "await stub.add(1)",
        "asyncio.get_event_loop().run_until_complete(main())",
        "%rpc COUNTER/n value",
        "async def both():\n    return await asyncio.gather(stub.value(), main())\n"
        "asyncio.run(both())",
    )
    assert shown[0] == [("execute_result", "False")], "applied before anybody asked for it"
    # A nested loop may let a result overtake what was printed before it.
    assert ("execute_result", "1") in shown[1]
    assert ("execute_result", "2") in shown[2]
    assert ("execute_result", "3") in shown[3]
    assert ("execute_result", "3") in shown[4]
    assert ("execute_result", "[3, 4]") in shown[5]


def test_a_traceback_shows_the_users_lines_and_none_of_ours(kernel):
    for cell in (
        "%request GET COUNTER/a /boom",
        "await env.COUNTER.getByName('a').fetch('http://x/boom')",
        "runtime.run(env.COUNTER.getByName('a').fetch('http://x/boom'))",
    ):
        (((kind, text),),) = kernel.run(cell)
        text = plain(text)
        assert kind == "ValueError"
        assert '---> 11             raise ValueError("boom")' in text
        assert "dobook" not in text
        assert text.count("Cell In") == 2


def test_wrong_use_has_no_traceback(kernel):
    ((only,),) = kernel.run("%storage COUTNER/a")
    assert only == ("stderr", "UsageError: no binding named 'COUTNER'. Did you mean 'COUNTER'?\n")


def test_tab_in_a_front_end_completes_magics(kernel):
    kernel.run("%rpc COUNTER/tab add 1")
    for line, wanted in (
        ("%storage COUNTER/t", "COUNTER/tab"),
        ("%storage COUNTER/tab --prefix ", "n"),
        ("%request COUNTER/tab --con", "--console"),
    ):
        asked = kernel.client.complete(line, len(line))
        reply = kernel.client.get_shell_msg(timeout=10)
        while reply["parent_header"].get("msg_id") != asked:
            reply = kernel.client.get_shell_msg(timeout=10)
        content = reply["content"]
        completed = [line[: content["cursor_start"]] + match for match in content["matches"]]
        assert any(text.endswith(wanted) for text in completed), completed
