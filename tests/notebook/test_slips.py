"""The slips of somebody new: what a cell says to them, and which lines of whose code it shows."""

import re

import pytest

from dobook.errors import PortabilityWarning

from .conftest import COUNTER

FORGOTTEN = """%%durable_object
import time
from workers import DurableObject

class Hasty(DurableObject):
    async def add(self):
        return self.ctx.storage.get("n") + 1

    async def append(self):
        (self.ctx.storage.get("list") or []).append(1)

    async def each(self):
        for key in self.ctx.storage.list():
            pass

    async def other(self):
        return self.env.HASTY.getByName("b").add() + 1

    async def seconds(self):
        await self.ctx.storage.setAlarm(time.time() + 60)

    async def words(self):
        await self.ctx.storage.setAlarm("in an hour")

    async def alarm(self): ...
"""


def said(shell, capsys, cell):
    """Run a cell that fails; returns what is written below it."""
    capsys.readouterr()
    shell.run_cell(cell)
    return "".join(re.sub(r"\x1b\[[0-9;]*m", "", text) for text in capsys.readouterr())


@pytest.mark.parametrize(
    ("code", "line", "text"),
    [
        ("class Bad(DurableObject)\n    pass", "line 3", "SyntaxError: expected ':'"),
        ("return 5", "line 3", "SyntaxError: 'return' outside function"),
        ("def f():\n    x\n  y", "", "IndentationError: unindent does not match"),
    ],
)
def test_a_syntax_error_shows_the_line_and_nothing_of_the_way_to_it(
    shell, capsys, code, line, text
):
    out = said(shell, capsys, f"%%durable_object\nfrom workers import DurableObject\n{code}")
    assert text in out
    assert line in out
    for word in ("run_cell", "ast.py", "dobook/", "interactiveshell"):
        assert word not in out


@pytest.mark.parametrize("method", ["add", "each", "other"])
def test_a_promise_that_is_used_as_its_value_says_that_an_await_is_missing(shell, method):
    shell.cell(FORGOTTEN)
    with pytest.raises(TypeError, match=r"^this is a promise, not its value yet: write `await`"):
        shell.cell(f"await env.HASTY.getByName('a').{method}()")


def test_an_attribute_of_a_promise_says_so_too(shell):
    shell.cell(FORGOTTEN)
    with (
        pytest.warns(PortabilityWarning, match="as a truth value"),
        pytest.raises(AttributeError, match=r"write `await` first: \(await …\).append"),
    ):
        shell.cell("await env.HASTY.getByName('a').append()")


def test_an_alarm_in_seconds_is_warned_of_at_the_users_line(shell):
    shell.cell(FORGOTTEN)
    with pytest.warns(UserWarning, match="this looks like seconds") as caught:
        shell.cell("await env.HASTY.getByName('a').seconds()")
    assert "setAlarm(time.time() + 60)" in FORGOTTEN.splitlines()[caught[0].lineno - 1]
    with pytest.raises(TypeError, match="is not of type 'date'") as refused:
        shell.cell("await env.HASTY.getByName('a').words()")
    assert "60_000" in refused.value.__notes__[0]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("%rpc COUNTER/$nobody add", "there is no variable 'nobody'"),
        ("%request COUNTER/{nobody} /", "there is no variable 'nobody'"),
        ("%storage COUNTER/$nobody", "there is no variable 'nobody'"),
        ("%request COUNTER /", "COUNTER is a class; name one of its objects: COUNTER/name"),
        ("%rpc COUNTER/a", "which method? COUNTER/a has add, nap, ring, value."),
    ],
)
def test_a_line_that_names_nothing_says_what_is_missing(counting, capsys, line, text):
    assert text in said(counting, capsys, line)
    assert len(counting.cell("%objects")) == 0


def test_arguments_of_a_call_may_have_names(counting):
    assert counting.cell("%rpc COUNTER/a add by=2") == 2
    assert counting.cell("n = 3\n%rpc COUNTER/a add by=$n") == 5
    assert counting.cell("%rpc COUNTER/a add 1") == 6


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        ("def __init__(self, ctx): ...", TypeError, "An object is made with (ctx, env)"),
        ("def __init__(self, ctx, env): ...", AttributeError, "call super().__init__(ctx, env)"),
    ],
)
def test_a_constructor_that_cannot_work_says_how_it_is_written(shell, code, error, text):
    shell.cell(f"""%%durable_object
from workers import DurableObject

class Made(DurableObject):
    {code}

    async def go(self):
        return self.ctx.id
""")
    with pytest.raises(error) as caught:
        shell.cell("await env.MADE.getByName('a').go()")
    assert text in " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def test_a_request_to_a_class_without_fetch_names_its_methods(shell, capsys):
    shell.cell(FORGOTTEN)
    out = said(shell, capsys, "%request HASTY/a /")
    assert "Handler does not export a fetch() function. Hasty is called by its methods: add" in out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("WebSocketPair", "It is JavaScript's: from js import WebSocketPair"),
        ("fetch_", "Did you mean 'fetch'?"),
        ("websocket", "Write: import asgi, and asgi.websocket(…)."),
    ],
)
def test_what_is_imported_from_the_wrong_module_is_found(shell, capsys, name, text):
    out = said(shell, capsys, f"from workers import {name}")
    assert text in out
    assert "__getattr__" not in out


def test_a_clients_methods_are_suggested(counting):
    from dobook import Client

    client = Client.__new__(Client)
    for name, near in [("say", "send"), ("next", "receive"), ("transcipt", "transcript")]:
        with pytest.raises(AttributeError, match=f"Did you mean '{near}'"):
            getattr(client, name)


def test_a_state_directory_tells_of_classes_that_no_cell_has_defined_yet(shell, tmp_path):
    shell.cell(f"%dobook --state {tmp_path / 'state'}")
    shell.cell(COUNTER)
    shell.cell("%rpc COUNTER/a add")
    shell.cell("%reload_ext dobook")
    card = shell.shown(shell.cell(f"%dobook --state {tmp_path / 'state'}"))
    assert "0, 0 in memory; 1 more of Counter, which no cell has defined yet" in card
    shell.cell(COUNTER)
    assert "more of" not in shell.shown(shell.cell("%dobook"))


def test_bytes_are_sent_as_they_are_and_a_dict_as_json(shell, capsys):
    shell.cell("""%%durable_object
from workers import DurableObject, Response

class Echo(DurableObject):
    async def fetch(self, request):
        return Response(repr(await request.bytes()))
""")
    shell.cell("data, things = b'\\x00\\xff', {'a': 1}")
    shell.cell("r = %request POST ECHO/a / --body $data")
    assert shell.cell("await r.text()") == repr(b"\x00\xff")
    out = said(shell, capsys, "%request POST ECHO/a / --body $things")
    assert "$things is a dict. Send it as JSON: --json $things" in out


def test_a_class_that_the_configuration_leaves_out_says_where_to_add_it(shell, capsys):
    shell.cell('%%wrangler\nname = "x"')
    shell.cell(COUNTER)
    out = said(shell, capsys, "%rpc COUNTER/a add")
    assert "the last %%wrangler cell has no binding for Counter" in out
    shell.cell("%wrangler --keep")
    assert shell.cell("%rpc COUNTER/a add") == 1


def test_a_socket_whose_other_end_is_never_accepted_is_pointed_out(shell, capsys):
    shell.cell("""%%durable_object
from js import WebSocketPair
from workers import DurableObject, Response

class Deaf(DurableObject):
    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        if request.url.endswith("/heard"):
            self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)
""")
    shell.cell("%websocket DEAF/a")
    (hint,) = shell.display_pub.outputs
    assert "DEAF/a has not accepted its end" in hint["data"]["text/plain"]
    shell.cell("%websocket DEAF/a /heard")
    assert shell.display_pub.outputs == []


def test_a_misspelt_name_of_the_package_is_suggested():
    import dobook

    with pytest.raises(AttributeError, match="Did you mean 'Runtime'"):
        dobook.Runtme  # noqa: B018


def test_the_card_of_a_class_warns_of_a_forgotten_await_at_its_line(shell):
    card = shell.shown(
        shell.cell("""%%durable_object
from workers import DurableObject, Response

class Hasty(DurableObject):
    async def fetch(self, request):
        n = self.ctx.storage.get("n") or 0
        return Response.json({"n": n, "m": self.ctx.storage.get("m")})

    async def right(self):
        return await self.ctx.storage.get("n") or 0
""")
    )
    warned = "storage.get(...) without await. Write (await storage.get(...))"
    assert f"warning    line 6: {warned}" in card
    assert f"line 7: {warned}" in card
    assert card.count("without await") == 2
    with (
        pytest.warns(PortabilityWarning, match="as a truth value"),
        pytest.raises(TypeError, match="is not JSON serializable") as caught,
    ):
        shell.cell("await env.HASTY.getByName('a').fetch('http://x/')")
    assert "write `await` before it" in caught.value.__notes__[0]


def test_a_class_that_has_lost_its_alarm_handler_is_warned_of_alarms_that_are_set(counting):
    without = COUNTER.replace("async def alarm", "async def rang")
    assert "there is no alarm() any more" not in counting.shown(counting.cell(without))
    counting.cell(COUNTER)
    counting.cell("%rpc COUNTER/a ring 1000")
    assert "there is no alarm() any more" in counting.shown(counting.cell(without))
    assert "there is no alarm() any more" not in counting.shown(counting.cell(COUNTER))
