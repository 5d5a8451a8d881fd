"""Each rule, with a sample that breaks it and one that keeps to it."""

import textwrap

import pytest

from dobook.lint import check_text

OBJECT = "from workers import DurableObject, WorkerEntrypoint\n\n\nclass A(DurableObject):\n"


def found(text):
    return [(f.rule, f.line) for f in check_text(text, "entry.py")]


def module(text):
    return textwrap.dedent(text).lstrip("\n")


def method(body, signature="async def run(self, ws=None, env=None):"):
    """Return a module whose class has one method; its body begins on line 6."""
    return f"{OBJECT}    {signature}\n" + textwrap.indent(textwrap.dedent(body).strip(), " " * 8)


RULES = [
    # rule, wrong, the line, right
    ("import", "import tkinter\n", 1, "import json\n"),
    ("import", "from termios import TCSADRAIN\n", 1, "from math import pi\n"),
    ("import", "import torch.nn as nn\n", 1, "import numpy as np\n"),
    ("import", "from IPython.display import HTML\n", 1, "from html import escape\n"),
    ("import", "import zoneinfo\n", 1, "import zoneinfo  # dobook: ok\n"),
    (
        "thread",
        method("import threading\nthreading.Thread(target=print).start()"),
        7,
        method("import asyncio\nawait asyncio.gather(self.a(), self.b())"),
    ),
    (
        "thread",
        method("from asyncio import to_thread\nawait to_thread(print)"),
        7,
        method("from asyncio import sleep\nawait sleep(1)"),
    ),
    (
        "thread",
        method("import asyncio\nawait asyncio.get_running_loop().run_in_executor(None, print)"),
        7,
        method("print()"),
    ),
    (
        "subprocess",
        method("import subprocess as sp\nsp.run(['ls'])"),
        7,
        method("import os\nos.path.join('a', 'b')"),
    ),
    (
        "real-clock",
        method("import numpy as np\nreturn np.datetime64('now')"),
        7,
        method("import numpy as np\nreturn np.datetime64('2026-01-01')"),
    ),
    ("subprocess", method("import os\nos.system('ls')"), 7, method("import os\nos.getpid()")),
    (
        "socket",
        method("from urllib.request import urlopen\nurlopen('http://x')"),
        7,
        method("from workers import fetch\nawait fetch('http://x')"),
    ),
    (
        "socket",
        method("import requests\nrequests.get('http://x')"),
        7,
        method("import httpx\nawait httpx.AsyncClient().get('http://x')"),
    ),
    (
        "file",
        method("with open('log.txt', 'a') as f:\n    f.write('x')"),
        6,
        method("await self.ctx.storage.put('log', 'x')"),
    ),
    (
        "file",
        method("from pathlib import Path\nPath('log').write_text('x')"),
        7,
        method("from pathlib import PurePath\nPurePath('a') / 'b'"),
    ),
    (
        "blocking-sleep",
        method("from time import sleep\nsleep(1)"),
        7,
        method("import asyncio\nawait asyncio.sleep(1)"),
    ),
    ("own-loop", method("import asyncio\nasyncio.run(self.x())"), 7, method("await self.x()")),
    ("input", method("input('name?')"), 6, method("input = 1\nreturn input")),
    (
        "spelling",
        method("await self.ctx.storage.set_alarm(1)"),
        6,
        method("await self.ctx.storage.setAlarm(1)"),
    ),
    (
        "spelling",
        method("return self.env.ROOM.get_by_name('a')"),
        6,
        method("return self.env.ROOM.getByName('a')"),
    ),
    ("spelling", method("ws.serialize_attachment({})"), 6, method("ws.serializeAttachment({})")),
    ("spelling", method("self.ctx.wait_until(x())"), 6, method("self.mine.wait_until(x())")),
    (
        "spelling",
        method("pass", "async def websocket_message(self, ws, message):"),
        5,
        method("pass", "async def webSocketMessage(self, ws, message):"),
    ),
    (
        "spelling",
        method("pass", "async def on_message(self, message):"),
        5,
        method("ws.onmessage = self.on_message")
        + "\n\n    async def on_message(self, message): pass\n",
    ),
    (
        "await",
        method("n = self.ctx.storage.get('n') or 0"),
        6,
        method("n = (await self.ctx.storage.get('n')) or 0"),
    ),
    (
        "await",
        method("if self.ctx.storage.getAlarm() is None: pass"),
        6,
        method("n = self.ctx.storage.kv.get('n') or 0\nx = self.ctx.storage.get('n')\nawait x"),
    ),
    (
        "tuple",
        method("await self.ctx.storage.put('k', {'a': [(1, 2)]})"),
        6,
        method("await self.ctx.storage.put('k', {'a': [[1, 2]]})\na, b = (1, 2)"),
    ),
    (
        "tuple",
        method("await self.env.B.getByName('x').say((1, 2))"),
        6,
        method("await self.env.B.getByName('x').say([1, 2])"),
    ),
    ("tuple", method("return 1, 2"), 6, method("return [1, 2]")),
    ("tuple", method("return 1, 2"), 6, method("return 1, 2", "def _private(self):")),
    ("tuple", method("return 1, 2"), 6, method("def f():\n    return 1, 2\nreturn f()[0]")),
    (
        "early-clock",
        "import time\nSTARTED = time.time()\n",
        2,
        "import time\ndef started(): return time.time()\n",
    ),
    (
        "early-clock",
        "from datetime import datetime\nclass B:\n    at = datetime.now()\n",
        3,
        "from datetime import datetime\nclass B:\n    def at(self): return datetime.now()\n",
    ),
    (
        "early-clock",
        "import time\ndef f(at=time.time()): ...\n",
        2,
        "import time\nf = lambda: time.time()\n",
    ),
    (
        "early-chance",
        "import uuid\nID = uuid.uuid4()\n",
        2,
        "import uuid\ndef new(): return uuid.uuid4()\n",
    ),
    (
        "module-state",
        "SEEN = []\n" + method("SEEN.append(1)"),
        7,
        "SEEN = []\n" + method("SEEN = []\nSEEN.append(1)"),
    ),
    (
        "module-state",
        "SEEN = {}\n" + method("SEEN['a'] = 1"),
        7,
        "SEEN = {}\n" + method("return SEEN['a']"),
    ),
    ("module-state", "n = 0\n" + method("global n\nn += 1"), 7, "n = 0\n" + method("m = n + 1")),
    (
        "module-state",
        f"{OBJECT}    members = []\n\n    def add(self, m): self.members.append(m)\n",
        5,
        f"{OBJECT}    members = []\n\n    def __init__(self, ctx, env):\n"
        "        super().__init__(ctx, env)\n        self.members = []\n\n"
        "    def add(self, m): self.members.append(m)\n",
    ),
    (
        "constructor",
        method("pass", "async def __init__(self, ctx, env):"),
        5,
        method("super().__init__(ctx, env)", "def __init__(self, ctx, env):"),
    ),
    (
        "constructor",
        method("super().__init__()", "def __init__(self):"),
        5,
        method("self.ctx, self.env = ctx, env", "def __init__(self, ctx, env):"),
    ),
    (
        "constructor",
        method("self.n = 0", "def __init__(self, ctx, env):")
        + "\n\n    def x(self): return self.ctx.id\n",
        5,
        method("super().__init__(*args)", "def __init__(self, *args):"),
    ),
    (
        "handler",
        method("yield 1", "async def fetch(self, request):"),
        5,
        method("return 1", "async def fetch(self, request):"),
    ),
    ("syntax", "class A:\n  def\n", 2, "class A: ...\n"),
]


@pytest.mark.parametrize(
    ("rule", "wrong", "line", "right"), RULES, ids=[f"{i}-{r[0]}" for i, r in enumerate(RULES)]
)
def test_the_wrong_sample_is_found_and_the_right_one_is_not(rule, wrong, line, right):
    assert (rule, line) in found(wrong)
    assert found(right) == []


def test_a_finding_says_where_what_why_and_what_to_do():
    (finding,) = check_text(method("from time import sleep\nsleep(1)"), "src/entry.py")
    assert str(finding) == (
        f"src/entry.py:7: {'time.sleep'}()  [blocking-sleep]\n"
        "    It stops the whole instance, other requests included, and costs CPU time.\n"
        "    Use `await asyncio.sleep(seconds)`, or an alarm for longer waits."
    )


def test_a_comment_silences_its_line():
    text = "import time\nSTARTED = time.time()  # dobook: ok, when it was deployed\n"
    assert found(text) == []


def test_what_is_only_run_as_a_script_may_do_as_it_likes():
    text = 'import time\nif __name__ == "__main__":\n    print(time.time())\n'
    assert found(text) == []


def test_a_class_below_another_ones_base_is_checked_as_well():
    text = f"{OBJECT}    pass\n\n\nclass B(A):\n    def pair(self):\n        return 1, 2\n"
    assert found(text) == [("tuple", 10)]


def test_every_rule_of_the_tables_is_tested_here():
    from dobook.lint import knowledge

    rules = {rule for rule, _, _ in knowledge.CALLS.values()}
    rules |= {rule for rule, _, _ in knowledge.CALLS_INTO.values()}
    assert rules - {"exit"} <= {rule for rule, *_ in RULES}
