"""Loading, displays, help, completion: what surrounds the magics."""

import json
import re
import signal
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError

from dobook.runtime.access import kernel_of

ROOT = Path(__file__).parents[3]
MAGICS = [
    "durable_object",
    "worker",
    "wrangler",
    "export",
    "request",
    "rpc",
    "requests",
    "storage",
    "sql",
    "objects",
    "rate_limit",
    "fast_forward",
    "alarms",
    "evict",
    "crash",
    "trace",
    "websocket",
    "chat",
    "serve",
    "dobook",
]


def test_loading_shows_one_card_and_unloading_takes_everything_back(bare_shell):
    bare_shell.cell("%load_ext dobook")
    cards = [o["data"]["text/plain"] for o in bare_shell.display_pub.outputs]
    assert len(cards) == 1
    for word in ("in memory", "2026-01-01 00:00:00", "seed", "virtual"):
        assert word in cards[0]
    runtime = bare_shell.user_ns["runtime"]
    bare_shell.cell("%unload_ext dobook")
    assert kernel_of(runtime).closed
    assert not set(MAGICS) & set(bare_shell.magics_manager.magics["line"])
    assert not bare_shell.Completer.custom_matchers
    bare_shell.cell("%load_ext dobook")
    assert not kernel_of(bare_shell.user_ns["runtime"]).closed


def test_every_magic_is_tested_here_by_name(shell):
    session = shell._dobook_session
    assert set(MAGICS) <= {n for f in session.families for k in f.magics.values() for n in k}


@pytest.mark.parametrize("name", MAGICS)
def test_help_has_arguments_and_an_example(shell, name):
    kind = "cell" if name in ("durable_object", "worker") else "line"
    text = shell.find_magic(name, kind).__doc__
    assert f"%{name}" in text.partition("Example::")[2]
    for action in shell.find_magic(name, kind).parser._actions:
        assert action.help


@pytest.mark.parametrize("name", MAGICS)
def test_every_magic_appears_in_a_notebook(name):
    notebooks = [json.loads(p.read_text("utf-8")) for p in (ROOT / "notebooks").glob("*.ipynb")]
    cells = [cell for notebook in notebooks for cell in notebook["cells"]]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    assert re.search(rf"%{name}\b", code)


def test_the_help_card_lists_every_magic(shell):
    text = repr(shell.cell("%dobook help"))
    for name in MAGICS:
        assert f"%{name}" in text


EXPRESSIONS = [
    "runtime",
    "runtime.clock",
    "env",
    "env.COUNTER",
    "env.COUNTER.getByName('<b>')",
    "env.COUNTER.idFromName('a')",
    "runtime.advance('1h')",
    "runtime.advance('1h')[0]",
    "runtime.serve_worker(Default)",
    "%dobook",
    "%request COUNTER/a /value",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_displays_are_stable_escaped_and_without_addresses(counting, expression):
    counting.cell(
        "%%worker\nfrom workers import WorkerEntrypoint\n"
        "class Default(WorkerEntrypoint):\n    async def fetch(self, request): ...\n"
    )

    def shown():
        counting.cell("%dobook reset")
        counting.cell("%rpc COUNTER/a ring 1000")
        value = counting.cell(expression)
        return counting.shown(value), counting.shown(value, "text/html")

    text, html = shown()
    assert (text, html) == shown()
    assert text
    assert " at 0x" not in text + html
    if "getByName" in expression:
        assert "COUNTER/&lt;b&gt;" in html


def test_a_promise_says_that_it_has_to_be_awaited(counting):
    counting.cell("promise = env.COUNTER.getByName('a').value()")
    assert counting.shown(counting.user_ns["promise"]).endswith("pending: write `await` before it>")
    assert counting.cell("await promise") == 0


def completions(shell, text):
    with provisionalcompleter():
        return [c.text for c in shell.Completer.completions(text, len(text))]


def test_completion_knows_bindings_objects_methods_options_and_paths(counting):
    counting.cell("%rpc COUNTER/ada add 1")
    assert "COUNTER/" in completions(counting, "%storage COU")
    assert "COUNTER/ada" in completions(counting, "%storage COUNTER/a")
    assert completions(counting, "%rpc COUNTER/ada ad") == ["add"]
    assert completions(counting, "%rate_limit COUNTER/ada --wi") == ["--window"]
    assert completions(counting, "%%durable_object --storage s") == ["sqlite"]
    assert "POST" in completions(counting, "%request P")
    assert "reset" in completions(counting, "%dobook re")
    assert completions(counting, "%request GET COUNTER/ada /b") == ["/boom"]


def test_completion_leaves_other_lines_alone(counting):
    counting.cell("some_name = 1")
    assert "some_name" in completions(counting, "print(some_n")


def test_large_and_binary_bodies_are_shown_short(counting):
    counting.cell("from workers import Response")
    text = counting.shown(counting.cell("Response('x' * 100_000)"))
    assert len(text) < 5_000
    assert "characters more" in text
    binary = "Response(b'\\x00\\xff', headers={'content-type': 'image/png'})"
    assert "(2 bytes)" in counting.shown(counting.cell(binary))
    assert counting.cell(f"await {binary}.bytes()") == b"\x00\xff"


def test_html_in_a_body_is_text(counting):
    counting.cell("from workers import Response")
    html = counting.shown(counting.cell("Response('<script>alert(1)</script>')"), "text/html")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_an_engine_error_of_our_own_keeps_its_frames():
    from dobook.notebook.core.tracebacks import users_traceback

    def run(name, error):
        scope = {"__name__": name, "error": error}
        exec("def f(g):\n    g()\ndef fail(g):\n    raise error", scope)
        return scope["f"], scope["fail"]

    for error, kept in ((ValueError("x"), False), (AssertionError("x"), True)):
        _, fail = run("dobook.runtime.somewhere", error)
        try:
            fail(None)
        except Exception as caught:
            entries, at = [], users_traceback(caught, caught.__traceback__)
            while at is not None:
                entries.append(at.tb_frame.f_globals["__name__"])
                at = at.tb_next
            assert ("dobook.runtime.somewhere" in entries) is kept


def test_completion_knows_keys_tables_verbs_and_objects_behind_options(counting):
    counting.cell("%rpc COUNTER/ada add 1")
    assert completions(counting, "%storage COUNTER/ada --prefix ") == ["n"]
    assert completions(counting, "%rate_limit COUNTER/ada --key n") == ["n"]
    assert completions(counting, "%trace cl") == ["clear"]
    assert completions(counting, "%trace --object COUNTER/a") == ["COUNTER/ada"]
    assert "COUNTER/ada" in completions(counting, "%storage COUNTER/b --diff COUNTER/a")
    counting.cell("%%durable_object\nfrom workers import DurableObject\nclass Log(DurableObject):\n"
                  "    def __init__(self, ctx, env):\n        super().__init__(ctx, env)\n"
                  "        ctx.storage.sql.exec('create table visit (who, at)')\n"
                  "    def touch(self): ...")  # fmt: skip
    counting.cell("%rpc LOG/a touch")
    assert "visit" in completions(counting, "%sql LOG/a select * from v")
    assert "who" in completions(counting, "%sql LOG/a select w")


def test_braces_stand_for_variables_except_in_json(counting):
    counting.cell("user, minutes, by = 'ada', 5, 2")
    counting.cell("%rpc COUNTER/{user} add {by}")
    assert counting.cell("%rpc COUNTER/ada value") == 2
    counting.cell("%fast_forward {minutes}m")
    assert counting.ev("runtime.clock.now_ms") == 1767225600000 + 5 * 60_000
    response = counting.cell('%request POST COUNTER/{user} / --json {"by": 3}')
    assert response.status == 200
    assert list(counting.cell("%storage COUNTER/{user}")["value"]) == [5]
    with pytest.raises(UsageError, match="nobody"):
        counting.cell("%storage {nobody}/a")


def test_a_semicolon_silences_and_the_value_is_still_there(counting, capsys):
    counting.cell("%rpc COUNTER/ada add 1")
    capsys.readouterr()
    counting.cell("%storage COUNTER/ada;")
    assert "COUNTER/ada: 1 key" not in capsys.readouterr().out
    counting.cell("rows = %storage COUNTER/ada;\nlen(rows)")
    assert capsys.readouterr().out.endswith("1\n")
    counting.cell("%storage COUNTER/ada")
    assert "COUNTER/ada: 1 key" in capsys.readouterr().out


def test_config_says_what_there_is_and_sets_it(counting, capsys):
    counting.cell("%config DoMagics")
    said = capsys.readouterr().out
    for name in ("views", "rows", "hints"):
        assert f"DoMagics.{name}=" in said
    counting.cell("%config DoMagics.rows = 4")
    counting.cell(
        "for i in range(9):\n    get_ipython().run_line_magic('rpc', f'COUNTER/{i} add 1')"
    )
    assert repr(counting.cell("%objects")).count("COUNTER/") == 4
    counting.cell("%config DoMagics.views = 'always'")
    data, _ = counting.display_formatter.format(counting.ev("env.COUNTER.getByName('a')"))
    assert "application/vnd.jupyter.widget-view+json" in data
    counting.cell("%config DoMagics.hints = False")
    counting.cell("%config DoMagics.views = 'sometimes'")  # IPython logs what is wrong with it
    assert counting.ev("get_ipython()._dobook_session.live") == "always"
    counting.cell("%unload_ext dobook\n%load_ext dobook")
    capsys.readouterr()
    counting.cell("%config DoMagics.rows")
    assert "20" in capsys.readouterr().out


def test_an_error_that_nobody_awaits_is_told_below_the_cell(shell, capsys):
    shell.cell("""%%durable_object
import asyncio
from workers import DurableObject

class Careless(DurableObject):
    async def go(self, times=1):
        for _ in range(times):
            self.ctx.waitUntil(self.fail())

    async def fail(self):
        await asyncio.sleep(1)
        raise LookupError("nobody looks")
""")
    shell.cell("await env.CARELESS.getByName('a').go()\n%fast_forward 2s")
    once = (
        "CARELESS/a: waitUntil has failed. LookupError: nobody looks\n"
        "  raised in Careless.fail, line 12 of its cell:\n"
        '      raise LookupError("nobody looks")\n'
    )
    assert capsys.readouterr().err == once
    shell.cell("await env.CARELESS.getByName('a').go(10)\n%fast_forward 2s")
    again = "CARELESS/a: waitUntil has failed again, and so on.\n"
    assert capsys.readouterr().err == once * 3 + again


def test_a_cell_that_unloads_dobook_leaves_interrupts_as_they_were(shell):
    before = signal.getsignal(signal.SIGINT)
    shell.cell("%unload_ext dobook")
    assert signal.getsignal(signal.SIGINT) == before
    shell.cell("%load_ext dobook")
    shell.cell("%reload_ext dobook")
    assert signal.getsignal(signal.SIGINT) == before
