"""What the notebook says to the slips of somebody who comes from JavaScript, or is new."""

import re

import pytest

SDK = "from workers import DurableObject, Response\n"


def said(shell, capsys, cell):
    """Run a cell that fails; returns what is written below it, without colours."""
    capsys.readouterr()
    shell.run_cell(cell)
    return "".join(re.sub(r"\x1b\[[0-9;]*m", "", text) for text in capsys.readouterr())


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("DurableObject", "Write first: from workers import DurableObject"),
        ("Response('x')", "Write first: from workers import Response"),
        ("WebSocketPair.new()", "It is JavaScript's. Write first: from js import WebSocketPair"),
        ("null", "In Python that is None."),
        ("x = true", "In Python that is True."),
        (
            f"{SDK}Response(None, status=101, webSocket=None)",
            "Cloudflare's Python SDK calls it web_socket.",
        ),
        (f"{SDK}Response('x', statusText='Nope')", "calls it status_text."),
        (f"{SDK}Response.json([1], {{'status': 404}})", "Options are keywords in Python. Write: status=404"),
    ],
)  # fmt: skip
def test_an_error_of_a_cell_says_what_was_meant(shell, capsys, cell, hint):
    out = said(shell, capsys, cell)
    assert out.count(hint) == 1


def test_a_name_of_nobodys_has_no_hint(shell, capsys):
    out = said(shell, capsys, "nobodys_name")
    assert "Write first" not in out
    assert "In Python" not in out


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%fast_forward 5000", "Of what? Write 5000s for seconds, 5000ms for milliseconds."),
        ("%fast_forward 2026-02-01", "For a time there is --to: %fast_forward --to 2026-02-01"),
        ("%fast_forward 1:30:00", "Write a duration as 1h30m; for a time there is --to"),
        ("%fast_forward all", "For that there is %fast_forward --until-idle."),
        ("%fast_forward until idle", "For that there is %fast_forward --until-idle."),
        ("%fast_forward next", "For that there is %fast_forward --next."),
        ("%fast_forward 5 parsecs", "Write a number and a unit"),
        ('%request POST COUNTER/a /p {"a": 1}', "for a body there is --json: --json '"),
        (
            "%%durable_object\nclass Room:\n    pass",
            "Write: from workers import DurableObject, and class Room(DurableObject):",
        ),
        (
            "%%worker\nclass Door:\n    pass",
            "Write: from workers import WorkerEntrypoint, and class Door(WorkerEntrypoint):",
        ),
    ],
)
def test_a_magic_that_is_used_wrongly_says_the_right_way(counting, capsys, cell, message):
    assert message in said(counting, capsys, cell)


@pytest.mark.parametrize("duration", ["1 hour", "60 minutes", "3600 sec", "0.5 hours 30 min"])
def test_durations_may_be_written_out(counting, duration):
    before = counting.cell("runtime.clock.now_ms")
    counting.cell(f"%fast_forward {duration}")
    assert counting.cell("runtime.clock.now_ms") - before == 3_600_000


HANDLER = """%%durable_object
from workers import DurableObject, Response

class Slip(DurableObject):
    async def status(self):
        return Response("x")

    async def fetch(self, request):
        return self.status()

    async def forward(self):
        return self.env.SLIP.getByName("b").status()
"""


def test_a_handler_without_a_response_is_the_handlers_fault(shell, capsys):
    shell.cell(HANDLER)
    out = said(shell, capsys, "%request GET SLIP/a /")
    assert "UsageError" not in out
    assert "PlatformTypeError" in out
    assert "Write: return await self.status()" in out
    assert "0x" not in out


def test_the_card_of_a_class_shows_what_it_returns_without_awaiting_it(shell):
    text = str(shell.cell(HANDLER))
    assert "return self.status(...) without await" in text
    assert "return status(...) without await" in text


def test_a_class_defined_again_in_a_plain_cell_is_told_once(shell, capsys):
    shell.cell(HANDLER)
    again = "class Slip(DurableObject):\n    pass"
    assert said(shell, capsys, again).count("the old code still runs") == 1
    assert "the old code" not in said(shell, capsys, "1")
    assert "the old code" not in said(shell, capsys, HANDLER)


def test_an_empty_body_shows_no_lines_of_json(shell, capsys):
    shell.cell(HANDLER.replace("return self.status()", "return await request.json()"))
    out = said(shell, capsys, "%request POST SLIP/a /")
    assert "There is no body." in out
    assert "decoder.py" not in out


def test_a_refusal_that_nobody_awaits_is_told_below_the_cell(shell, capsys):
    shell.cell(
        HANDLER.replace(
            "return self.status()", 'self.ctx.storage.put("k", (1,)); return Response("x")'
        )
    )
    out = said(shell, capsys, "%request GET SLIP/a /")
    assert out.count("SLIP/a: put() has failed, and nothing awaits it") == 1


def test_a_coroutine_that_a_cell_shows_says_what_is_missing(shell, capsys):
    shell.cell(f"{SDK}answer = Response.json([1])")
    out = said(shell, capsys, "unread = answer.json()\nunread")
    assert "<Body.json() is not awaited: write `await` before it>" in out
    shell.cell("unread.close()")


def test_the_error_of_an_alarm_is_shown_to_its_end(shell):
    shell.cell(ALARM)
    shell.cell("%rpc RINGS/a start")
    frame = shell.cell("%fast_forward 2s")
    assert "write `await` before it" in frame._repr_html_()


ALARM = """%%durable_object
import time
from workers import DurableObject

class Rings(DurableObject):
    async def start(self):
        await self.ctx.storage.setAlarm(time.time() * 1000 + 1000)

    async def alarm(self):
        return self.ctx.storage.get("a rather long key, so that the text of it is long") + 1
"""
