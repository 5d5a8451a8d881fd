"""A cell that waits by itself: one hint, and a way to let virtual time pass."""

import pytest

from dobook.notebook.core.sleeping import HINT


@pytest.mark.parametrize(
    ("cell", "hinted"),
    [
        ("import asyncio\nawait asyncio.sleep(0.001)", True),
        ("from asyncio import sleep as nap\nawait nap(0.001)", True),
        ("import asyncio\nfor _ in range(2):\n    await asyncio.sleep(0.001)", True),
        ("import asyncio as a\nif True:\n    await a.sleep(0.001)", True),
        ("import asyncio\nawait asyncio.sleep(0)", False),
        ("import asyncio\nasync def f():\n    await asyncio.sleep(1)", False),
        ("async def sleep(s): ...\nawait sleep(1)", False),
        ("await runtime.sleep('1h')", False),
        ("'asyncio.sleep(1)'", False),
        ("import asyncio\nawait asyncio.sleep(", False),
    ],
)
def test_a_cell_that_sleeps_for_real_gets_a_hint(shell, capsys, cell, hinted):
    shell.cell("runtime = get_ipython()._dobook_session.runtime")
    capsys.readouterr()
    shell.run_cell(cell)
    assert (HINT in capsys.readouterr().err) is hinted


def test_the_hint_is_given_once_a_session(shell, capsys):
    shell.cell("import asyncio")
    for times in (1, 0):
        shell.cell("await asyncio.sleep(0.001)")
        assert capsys.readouterr().err.count(HINT) == times


def test_in_real_time_there_is_none(shell, capsys):
    shell.cell("import asyncio\nruntime = get_ipython()._dobook_session.runtime")
    shell.cell("runtime.start_real_time()")
    shell.cell("await asyncio.sleep(0.001)")
    shell.cell("runtime.stop_real_time()")
    assert HINT not in capsys.readouterr().err


def test_a_cell_lets_virtual_time_pass(shell):
    shell.cell("runtime = get_ipython()._dobook_session.runtime\nbefore = runtime.clock.now_ms")
    assert shell.cell("await runtime.sleep('1h')\nruntime.clock.now_ms - before") == 3_600_000
