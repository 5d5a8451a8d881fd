"""Each exercise is checked with a wrong, a half-right and the lesson's own solution."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from dobook.errors import UnknownNameError, UsageError
from dobook.notebook.exercises.registry import exercises
from dobook.notebook.exercises.verdict import Point, Verdict

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
HEAD = """%%durable_object
import asyncio
import json
import time
from js import WebSocketPair
from workers import DurableObject, Response


"""


def indented(body):
    return "\n".join(f"    {line}" if line else "" for line in body.strip("\n").splitlines())


def cls(name, body, base="DurableObject"):
    return f"{HEAD}class {name}({base}):\n{indented(body)}\n"


@dataclass
class Tried:
    """Solutions that are not right, and a piece of what is said about each.

    Attributes:
        wrong: A cell of which little or nothing holds.
        says: What the verdict says of it.
        half: A cell of which most holds.
        still: What the verdict says of that.
        before: Cells that the lesson has run before.
    """

    wrong: str
    says: str
    half: str
    still: str
    before: tuple[str, ...] = ()


TRIED = {
    "quickstart-1": Tried(
        wrong=cls(
            "Visits",
            """
async def visit(self, page):
    await self.ctx.storage.put(page, 1)

async def total(self):
    return 0
""",
        ),
        says="Return the page's new count",
        half=cls(
            "Visits",
            """
def __init__(self, ctx, env):
    self.counts = {}

async def visit(self, page):
    self.counts[page] = self.counts.get(page, 0) + 1
    return self.counts[page]

async def total(self):
    return sum(self.counts.values())
""",
        ),
        still="attributes are lost",
    ),
    "anti-1": Tried(
        wrong=cls(
            "Album",
            """
async def save(self, name, data):
    await self.ctx.storage.put(name, data)

async def load(self, name):
    return await self.ctx.storage.get(name)

async def remove(self, name):
    await self.ctx.storage.delete(name)
""",
        ),
        says="Values cannot be larger than",
        half=cls(
            "Album",
            """
async def save(self, name, data):
    for n, at in enumerate(range(0, len(data), 100_000)):
        await self.ctx.storage.put(f"{name}:{n:04}", data[at : at + 100_000])

async def load(self, name):
    chunks = await self.ctx.storage.list(prefix=f"{name}:")
    return b"".join(chunks.values()) if chunks else None

async def remove(self, name):
    await self.ctx.storage.delete(list(await self.ctx.storage.list(prefix=f"{name}:")))
""",
        ),
        still="remove the old chunks before writing the new ones",
    ),
    "identity-1": Tried(
        wrong=cls(
            "Seat",
            """
async def book(self, who):
    await self.ctx.storage.put("who", who)
    return True

async def holder(self):
    return await self.ctx.storage.get("who")
""",
        ),
        says="The first gets True, everyone after her False",
        half=cls(
            "Seat",
            """
async def book(self, who):
    holder = await self.ctx.storage.get("who")
    await asyncio.sleep(0.01)
    if holder is None:
        await self.ctx.storage.put("who", who)
    return holder in (None, who)

async def holder(self):
    return await self.ctx.storage.get("who")
""",
        ),
        still="of twenty who booked seat 12B at once, 20 got True",
    ),
    "chat-1": Tried(
        wrong=cls("Poll", 'async def fetch(self, request):\n    return Response("hello")'),
        says="no WebSocket",
        half=cls(
            "Poll",
            """
def __init__(self, ctx, env):
    self.votes, self.sockets = {}, []

async def fetch(self, request):
    name = request.url.rpartition("=")[2]
    client, server = WebSocketPair.new().object_values()
    server.accept()
    self.sockets.append(server)
    server.send(json.dumps(self.counts()))

    def heard(event):
        try:
            self.votes[name] = json.loads(event.data)["vote"]
        except Exception:
            server.send(json.dumps({"error": "?"}))
            return
        for socket in self.sockets:
            socket.send(json.dumps(self.counts()))

    server.addEventListener("message", heard)
    return Response(None, status=101, web_socket=client)

def counts(self):
    found = {}
    for vote in self.votes.values():
        found[vote] = found.get(vote, 0) + 1
    return found
""",
        ),
        still="it never leaves memory",
    ),
    "gates-1": Tried(
        wrong=cls(
            "Till",
            """
async def fill(self, n):
    await self.ctx.storage.put("stock", n)

async def left(self):
    return await self.ctx.storage.get("stock")

async def buy(self):
    return True
""",
        ),
        says="three buyers one after the other got [True, True, True]",
        half=cls(
            "Till",
            """
async def fill(self, n):
    await self.ctx.storage.put("stock", n)

async def left(self):
    return await self.ctx.storage.get("stock")

async def buy(self):
    return await self.ctx.blockConcurrencyWhile(self._buy)

async def _buy(self):
    stock = await self.left()
    await asyncio.sleep(0.05)
    if stock < 1:
        return False
    await self.ctx.storage.put("stock", stock - 1)
    return True
""",
        ),
        still="blockConcurrencyWhile round the wait makes everybody queue",
    ),
    "limits-1": Tried(
        wrong=cls("DailyQuota", "async def spend(self, amount, quota):\n    return True"),
        says="on a fresh day gave True",
        half=cls(
            "DailyQuota",
            """
async def spend(self, amount, quota):
    now = time.time()
    began, spent = await self.ctx.storage.get("day") or [now, 0]
    if now - began >= 24 * 3600:
        began, spent = now, 0
    ok = spent + amount <= quota
    await self.ctx.storage.put("day", [began, spent + amount if ok else spent])
    return {"allowed": ok, "left": quota - spent - (amount if ok else 0)}
""",
        ),
        still="at midnight spend(100, 100) gave (False, 0)",
    ),
    "alarms-1": Tried(
        wrong=cls(
            "Reminders",
            """
async def remind(self, text, in_ms):
    await asyncio.sleep(in_ms / 1000)
    await self.ctx.storage.put("sent", [*await self.sent(), text])

async def sent(self):
    return await self.ctx.storage.get("sent") or []

async def alarm(self): ...
""",
        ),
        says="a reminder in 60,000 ms",
        half=cls(
            "Reminders",
            """
async def remind(self, text, in_ms):
    at = int(time.time() * 1000) + in_ms
    await self.ctx.storage.put(f"due:{at:015}", text)
    if await self.ctx.storage.getAlarm() is None:
        await self.ctx.storage.setAlarm(at)

async def alarm(self):
    now = int(time.time() * 1000)
    left = None
    for key, text in (await self.ctx.storage.list(prefix="due:")).items():
        if int(key[4:]) <= now:
            await self.ctx.storage.put("sent", [*await self.sent(), text])
            await self.ctx.storage.delete(key)
        elif left is None:
            left = int(key[4:])
    if left:
        await self.ctx.storage.setAlarm(left)

async def sent(self):
    return await self.ctx.storage.get("sent") or []
""",
        ),
        still="the alarm has to be set for the earliest reminder",
    ),
    "migrations-1": Tried(
        wrong="configuration = {'name': 'game'}",
        says="not the text of a wrangler.toml yet",
        half="""configuration = '''
[[durable_objects.bindings]]
name = "SCORES"
class_name = "Score"
[[durable_objects.bindings]]
name = "BOARD"
class_name = "Board"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Counter"]
[[migrations]]
tag = "v2"
deleted_classes = ["Counter"]
new_sqlite_classes = ["Score"]
new_classes = ["Board"]
'''
""",
        still="a new class has no data",
    ),
    "production-1": Tried(
        wrong="def test_seat(durable_objects, clock):\n    assert False, 'not written'",
        says="it fails for a class that is right: AssertionError not written",
        half="""def test_seat(durable_objects, clock):
    seat = durable_objects.stub("SEAT/12A")
    assert durable_objects.run(seat.hold("ada")) is True
    clock.advance("5m")
    assert durable_objects.run(seat.hold("ken")) is True
""",
        still="it passes for a class that forgets the seat with its instance",
    ),
    "queues-1": Tried(
        wrong=cls("Workshop", "async def enter(self, who): ...\n\nasync def leave(self, who): ..."),
        says="returned [None, None, None, None]",
        half=cls(
            "Workshop",
            """
async def enter(self, who):
    inside = await self.ctx.storage.get("inside") or []
    if who in inside:
        return True
    if len(inside) == 3:
        return False
    await self.ctx.storage.put("inside", [*inside, who])
    return True

async def leave(self, who):
    inside = await self.ctx.storage.get("inside") or []
    await self.ctx.storage.put("inside", [name for name in inside if name != who])
""",
        ),
        still="Keep the end of each lease",
    ),
    "sql-1": Tried(
        wrong=cls("Wallets", "def deposit(self, name, cents): ..."),
        says="Wallets has no method balance yet",
        half=cls(
            "Wallets",
            """
async def deposit(self, name, cents):
    await self.ctx.storage.put(name, await self.balance(name) + cents)

async def balance(self, name):
    return await self.ctx.storage.get(name) or 0

async def transfer(self, source, target, cents):
    if await self.balance(source) < cents:
        raise ValueError("not enough")
    await self.deposit(source, -cents)
    await self.deposit(target, cents)

async def rewind(self, at_ms):
    await self.ctx.storage.getBookmarkForTime(at_ms)
""",
        ),
        still="getBookmarkForTime, then onNextSessionRestoreBookmark",
    ),
    "workflow-1": Tried(
        before=("%pattern Saga",),
        wrong=cls("Checkout", "async def run_step(self, name, data, key): ..."),
        says="Checkout has no method undo_step yet",
        half=cls(
            "Checkout",
            """
async def run_step(self, name, data, key):
    if name == "reserve":
        data["stock"] -= 1
    elif name == "charge" and data["card"] == "declined":
        raise ValueError("declined")
    elif name == "ship":
        data["shipped"] = True
    return {"receipt": key}
""",
            base="Saga",
        ),
        still="undo_step puts back what reserve took",
    ),
}


def solution(name):
    """Return the solution cell of an exercise, from its lesson, and the check cells round it."""
    found = []
    for file in sorted(NOTEBOOKS.glob("*.ipynb")):
        for cell in json.loads(file.read_text("utf-8"))["cells"]:
            if f"solution-{name}" in cell["metadata"].get("tags", []):
                assert cell["metadata"]["jupyter"]["source_hidden"] is True  # in JupyterLab
                assert "hide-input" in cell["metadata"]["tags"]  # on the site
                found.append("".join(cell["source"]))
    assert len(found) == 1, f"{name}: {len(found)} solution cells"
    return found[0]


@pytest.fixture
def tried(shell):
    def check(name, cell):
        for before in TRIED[name].before:
            shell.cell(before)
        shell.cell(cell)
        return shell.cell(f"import dobook\ndobook.check({name!r})")

    return check


def test_every_exercise_is_tried_here_and_stands_in_a_lesson():
    assert list(exercises()) == sorted(TRIED)
    text = "".join(file.read_text("utf-8") for file in NOTEBOOKS.glob("*.ipynb"))
    assert [name for name in TRIED if text.count(f'dobook.check(\\"{name}\\")') < 2] == []


@pytest.mark.parametrize("name", TRIED)
def test_a_wrong_solution_is_told_what_is_wrong(tried, name):
    verdict = tried(name, TRIED[name].wrong)
    assert not verdict.passed
    assert TRIED[name].says in repr(verdict)


@pytest.mark.parametrize("name", TRIED)
def test_a_half_right_solution_is_told_what_holds_and_what_is_missing(tried, name):
    verdict = tried(name, TRIED[name].half)
    assert {point.holds for point in verdict.points} == {True, False}
    assert TRIED[name].still in repr(verdict)


@pytest.mark.parametrize("name", TRIED)
def test_the_lessons_solution_is_right(tried, name):
    verdict = tried(name, solution(name))
    assert verdict.passed, repr(verdict)
    assert "solved" in repr(verdict)


@pytest.mark.parametrize("name", TRIED)
def test_before_anything_is_written_the_first_step_is_named(shell, name):
    verdict = shell.cell(f"import dobook\ndobook.check({name!r})")
    (point,) = verdict.points
    assert not point.holds
    assert "efine a class" in point.text or "there is no variable" in point.text


def test_what_a_learners_code_raises_is_told_with_the_call(tried):
    verdict = tried(
        "identity-1",
        cls("Seat", "async def book(self, who):\n    return 1 / 0\n\ndef holder(self): ..."),
    )
    assert "book('ada') raised ZeroDivisionError: division by zero" in repr(verdict)


def test_what_never_answers_is_told(tried):
    body = "async def book(self, who):\n    await asyncio.Event().wait()\n\ndef holder(self): ..."
    assert "never answers" in repr(tried("identity-1", cls("Seat", body)))


def test_a_check_leaves_the_notebook_alone_and_prints_nothing(shell, capsys):
    body = (
        "async def book(self, who):\n    print('booked')\n    return True\n\ndef holder(self): ..."
    )
    shell.cell(cls("Seat", body))
    shell.cell("import dobook")
    capsys.readouterr()
    before = shell.cell("runtime.clock.now_ms, len(runtime.objects())")
    shell.cell("verdict = dobook.check('identity-1')")
    assert shell.cell("runtime.clock.now_ms, len(runtime.objects())") == before
    assert "booked" not in capsys.readouterr().out


def test_a_misspelt_exercise_is_answered_with_the_right_one(shell):
    shell.cell("import dobook")
    with pytest.raises(UnknownNameError, match=r"no exercise named 'identty-1'\. Did you mean"):
        shell.cell("dobook.check('identty-1')")


def test_without_a_name_all_are_listed(shell):
    card = shell.cell("import dobook\ndobook.check()")
    assert [name for name, _ in card.rows] == sorted(TRIED)


def test_outside_a_notebook_it_says_what_it_needs(bare_shell):
    with pytest.raises(UsageError, match="run %load_ext dobook first"):
        bare_shell.cell("import dobook\ndobook.check('identity-1')")


def test_a_verdict_says_the_same_in_text_and_html():
    verdict = Verdict("a-1", (Point(holds=True, text="x < y"), Point(holds=False, text="no z")))
    assert repr(verdict) == ("a-1  not solved yet: 1 done, 1 to do\n  ✓ x < y\n  ✗ no z")
    html = verdict._repr_html_()
    assert "x &lt; y" in html
    assert "to do" in html
