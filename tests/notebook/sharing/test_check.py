"""`%dobook check`: the notebook's classes, and what they need from other cells."""

import pytest
from IPython.core.error import UsageError

HELPER = """import time

started = time.time()
other = time.time()


def since():
    return time.time() - started
"""
WRONG = """%%durable_object
from workers import DurableObject


class Clocked(DurableObject):
    async def pair(self):
        await self.ctx.storage.put("at", since())
        return 1, 2
"""


def test_findings_name_cells_and_lines_of_what_is_exported_only(shell):
    shell.cell("try:\n    import tkinter\nexcept ImportError:\n    tkinter = None")
    shell.cell(HELPER)
    shell.cell(WRONG)
    found = shell.cell("%dobook check")
    rules = [(f.rule, f.line) for f in found]
    assert rules == [("early-clock", 3), ("tuple", 8)]
    assert shell.shown(found).startswith("cell ")
    html = shell.shown(found, "text/html")
    assert "2 things that would not run as meant" in html
    assert "pair() returns a tuple" in html


def test_good_classes_are_said_to_be_good(counting):
    shown = counting.shown(counting.cell("%dobook check"))
    assert shown == "dobook check  nothing found: these classes would run on Cloudflare"


def test_a_given_configuration_is_checked_with_the_classes(counting):
    found = counting.cell("%dobook check")
    assert len(found) == 0
    counting.cell(
        "%%durable_object\nfrom workers import DurableObject\n"
        "class B(DurableObject):\n    def x(self): return env\n"
    )
    (finding,) = counting.cell("%dobook check")
    assert finding.rule == "notebook"
    assert finding.what == "B uses env, which only a notebook has"


def test_without_a_class_there_is_nothing_to_check(shell):
    with pytest.raises(UsageError, match="no cell has defined a class yet"):
        shell.cell("%dobook check")
