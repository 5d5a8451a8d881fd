"""A real kernel: queued cells, where output lands, nested loops, tracebacks."""

import re

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


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


def test_cells_pasted_into_one_say_so_and_end(kernel):
    (shown,) = kernel.run(
        "x = 1\n\n%%durable_object --binding A\nclass A:\n    pass\n\nawait env.A.getByName('a').get()"
    )
    text = plain("".join(text for _, text in shown))
    assert "%%durable_object is not the first line of its cell" in text
    assert "into a cell of its own" in text
