"""Live views: what they show is what is, what their buttons do is done, nothing of them is lost."""

import re
import subprocess
from pathlib import Path

import pytest

from dobook.notebook import live
from dobook.notebook.extension import session_of

SCRIPTS = sorted(Path(live.__file__).parent.rglob("*.js"))
COMMON = next(script for script in SCRIPTS if script.name == "common.js")


@pytest.fixture
def looked_at(counting):
    """A shell whose displays carry live views; `view(expression)` makes one that is looked at."""
    session_of(counting).live = "always"
    return counting


def view_of(shell, expression):
    subject = shell.ev(expression)
    which = next(live.VIEWS[kind] for kind in type(subject).__mro__ if kind in live.VIEWS)
    return live.make(session_of(shell), which, subject)


def press(view, what, **fields):
    """Do what a message of the front end asks for; returns the outcome."""
    view._heard(view, {"do": what, **fields}, [])
    return view.outcome


def test_a_display_carries_a_live_view_only_where_a_front_end_is_likely(counting):
    stub = counting.ev("env.COUNTER.getByName('a')")
    data, _ = counting.display_formatter.format(stub)
    assert data.keys() == {"text/plain", "text/html"}
    session_of(counting).live = "always"
    data, _ = counting.display_formatter.format(stub)
    assert data.keys() == {"text/plain", "text/html", live.VIEW}


def test_the_static_display_has_the_facts_of_the_live_one(looked_at):
    looked_at.cell("%rpc COUNTER/a add 41\n%rpc COUNTER/a ring 60000")
    stub = looked_at.ev("env.COUNTER.getByName('a')")
    view = view_of(looked_at, "env.COUNTER.getByName('a')")
    data, _ = looked_at.display_formatter.format(stub)
    assert view.static() == (data["text/plain"], data["text/html"])
    for text in (data["text/plain"], data["text/html"]):
        for fact in ("n = 41", "1 key", "idle", "in 1m", "added 41"):
            assert fact in text
    assert view.facts["rows"][0]["edit"] == "41"
    assert repr(view) == "<ObjectInspector COUNTER/a>"


def test_looking_makes_no_object(looked_at):
    view = view_of(looked_at, "env.COUNTER.getByName('nobody')")
    assert view.facts["state"] == "not used yet"
    assert looked_at.ev("len(runtime.objects())") == 0


def test_an_edit_keeps_the_type_and_goes_through_the_gate_of_the_object(looked_at):
    looked_at.cell("%rpc COUNTER/a add 1")
    view = view_of(looked_at, "env.COUNTER.getByName('a')")
    before = view.facts["requests"]
    assert press(view, "put", row="n", value="41")["problem"] == ""
    assert looked_at.cell("%rpc COUNTER/a add 1") == 42
    assert view.facts["requests"] == before + 1
    assert "no number" in press(view, "put", row="n", value="'x'")["problem"]
    assert looked_at.cell("%rpc COUNTER/a value") == 42


@pytest.mark.parametrize(
    ("stored", "typed", "kept"),
    [
        ("1", "2", 2),
        ("0.5", "2.5", 2.5),
        ("True", "False", False),
        ("'1'", "2", "2"),
        ("b'a'", "ff00", b"\xff\x00"),
        ("[1]", '[1, {"a": null}]', [1, {"a": None}]),
        ("{'a': 1}", "{'b': (2).__class__}", None),
        ("{'a': 1}", "{'b': 2}", {"b": 2}),
    ],
)
def test_each_type_is_edited_as_itself(looked_at, stored, typed, kept):
    looked_at.cell("%%durable_object\nfrom workers import DurableObject\nclass Box(DurableObject):\n"
                   "    async def set(self, value):\n        await self.ctx.storage.put('v', value)\n"
                   "    async def get(self):\n        return await self.ctx.storage.get('v')")  # fmt: skip
    looked_at.cell(f"before = {stored}\n%rpc BOX/a set $before")
    view = view_of(looked_at, "env.BOX.getByName('a')")
    said = press(view, "put", row="v", value=typed)
    after = looked_at.cell("%rpc BOX/a get")
    if kept is None:
        assert "keeps the type" in said["problem"]
        assert after == looked_at.ev("before")
    else:
        assert said["problem"] == ""
        assert after == kept
        assert isinstance(after, type(looked_at.ev("before")))


def test_rows_are_added_and_removed(looked_at):
    looked_at.cell("%rpc COUNTER/a add 1")
    view = view_of(looked_at, "env.COUNTER.getByName('a')")
    press(view, "add", row="more", value='{"a": []}')
    assert [r["key"] for r in view.facts["rows"]] == ["more", "n"]
    assert "already" in press(view, "add", row="n", value="1")["problem"]
    assert "quotes" in press(view, "add", row="x", value="text")["problem"]
    press(view, "remove", row="n")
    assert [r["key"] for r in view.facts["rows"]] == ["more"]


def test_the_buttons_do_what_they_say(looked_at):
    looked_at.cell("%rpc COUNTER/a add 1\n%rpc COUNTER/a ring 60000")
    view = view_of(looked_at, "env.COUNTER.getByName('a')")
    before = looked_at.ev("runtime.clock.now_ms")
    said = press(view, "alarm")
    assert "COUNTER/a  ok" in said["note"]
    assert said["lines"] == "ringing"
    assert looked_at.ev("runtime.clock.now_ms") == before + 60_000
    assert view.facts["alarm"] is None
    press(view, "evict")
    assert view.facts["state"] == "evicted"
    answer = press(view, "request", method="POST", path="/", body='{"by": 2}')["note"]
    assert answer == '200 OK\n{"n": 3}'
    press(view, "crash")
    assert view.facts["state"] == "evicted"
    press(view, "delete")
    assert view.facts["keys"] == 0


def test_an_error_of_the_users_code_is_shown_with_its_line(looked_at):
    view = view_of(looked_at, "env.COUNTER.getByName('a')")
    said = press(view, "request", method="GET", path="/boom")
    assert said["problem"] == "ValueError: boom"
    assert 'raise ValueError("boom")' in said["place"]


def test_a_view_follows_what_cells_do(looked_at):
    view = view_of(looked_at, "env.COUNTER.getByName('a')")
    session_of(looked_at).views._last = 0
    looked_at.cell("%rpc COUNTER/a add 5")
    session_of(looked_at).views.refresh()
    assert view.facts["rows"][0]["edit"] == "5"
    looked_at.cell("%dobook reset")
    session_of(looked_at).views.refresh()
    assert view.facts["state"] == "not used yet"


def test_a_view_that_nobody_looks_at_costs_nothing(looked_at):
    view = view_of(looked_at, "env.COUNTER.getByName('a')")
    session_of(looked_at).views.leave(view)
    looked = []
    view.look = lambda: looked.append(1)
    looked_at.cell("%rpc COUNTER/a add 5")
    assert looked == []


def test_markup_in_what_is_stored_stays_text(looked_at):
    looked_at.cell("%rpc COUNTER/<b>x</b> add 1")
    view = view_of(looked_at, "env.COUNTER.getByName('<b>x</b>')")
    assert "<b>x</b>" not in view.static()[1]
    assert "&lt;b&gt;x" in view.static()[1]


@pytest.mark.slow
@pytest.mark.parametrize("file", SCRIPTS, ids=lambda p: p.name)
def test_scripts_can_be_read(file, tmp_path):
    module = tmp_path / "view.mjs"
    common = "" if file == COMMON else COMMON.read_text("utf-8")
    module.write_text(common + file.read_text("utf-8"), "utf-8")
    try:
        done = subprocess.run(
            ["node", "--check", module], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("node is not installed")
    assert done.returncode == 0, done.stderr


def test_scripts_put_text_into_pages_as_text():
    for file in SCRIPTS:
        inner = re.findall(
            r"\.(?:innerHTML|outerHTML|insertAdjacentHTML)\b", file.read_text("utf-8")
        )
        assert len(inner) == (file == COMMON), file.name  # `picture`, whose text is escaped


def test_a_clock_steps_jumps_and_says_what_ran(looked_at):
    looked_at.cell("%rpc COUNTER/a ring 90000\n%rpc COUNTER/b ring 7200000")
    view = view_of(looked_at, "runtime.clock")
    other = view_of(looked_at, "runtime.clock")
    assert [a["object"] for a in view.facts["alarms"]] == ["COUNTER/a", "COUNTER/b"]
    assert press(view, "step", by="1m")["note"] == "no alarm ran"
    assert "COUNTER/a  ok" in press(view, "next")["note"]
    assert other.facts["now"] == view.facts["now"] == "2026-01-01 00:01:30"
    assert "1 alarm ran" in press(view, "jump", to="2h")["note"]
    press(view, "jump", to="2026-01-02T00:00")
    assert other.facts["now"] == "2026-01-02 00:00:00"
    assert "already" in press(view, "jump", to="2026-01-01")["problem"]
    assert "not a duration" in press(view, "jump", to="soon")["problem"]
    assert press(view, "next")["problem"] == "no alarm is set."
    assert press(view, "play", rate="60")["problem"].startswith("a clock plays in a notebook")
    assert len(view.facts["ran"]) == 2


def test_a_clock_plays_at_its_rate_and_pauses(looked_at):
    class Loop:
        def call_later(self, delay, function, *args):
            self.due = lambda: function(*args)
            return self

        def cancel(self):
            self.due = None

    session = session_of(looked_at)
    player, loop = session.views.player, Loop()
    looked_at.cell("%rpc COUNTER/a ring 30000")
    player.play(600, loop)
    player._last -= 0.1  # a tenth of a second ago
    loop.due()
    now_ms = looked_at.ev("runtime.clock.now_ms") - 1767225600000
    assert now_ms >= 60_000
    assert [str(run) for run in player.ran] == ["2026-01-01 00:00:30  COUNTER/a  ok"]
    player.pause()
    assert loop.due is None


def test_the_alarms_picture_escapes_names_and_is_empty_without_alarms(looked_at):
    from dobook.notebook.clock.alarms_picture import schedule_picture

    assert schedule_picture([]) == ""
    alarm = {"object": "A/<b>", "in_ms": 0}
    picture = schedule_picture([alarm, *({"object": "A/x", "in_ms": ms} for ms in (1, 10**12))])
    assert "<b>" not in picture
    assert picture.count("<circle") == 3


LONG = """%%durable_object
class Long(DurableObject):
    def fetch(self, request):
        if request.url.endswith("/bytes"):
            return Response(bytes(2), headers={"content-type": "image/png"})
        return Response('{"n": [' + ", ".join("1" * 30) + ']}', status=404)"""


def test_a_response_is_shown_laid_out_or_as_it_came_cut_or_whole(looked_at, monkeypatch):
    monkeypatch.setattr("dobook.notebook.requests.responses.MOST_LINES", 4)
    looked_at.cell(LONG)
    looked_at.cell("response = await env.LONG.getByName('a').fetch('http://do/json')")
    view = view_of(looked_at, "response")
    facts = view.facts
    assert (facts["status"], facts["failed"], facts["url"]) == (
        "404 Not Found",
        True,
        "http://do/json",
    )
    assert facts["body"].splitlines()[-1].startswith("… and ")
    press(view, "show", whole="yes")
    assert view.facts["body"].splitlines()[-1] == "}"
    assert len(view.facts["body"]) == facts["more"]
    press(view, "lay_out", raw="yes")
    response = looked_at.ev("response")
    assert view.static() == (looked_at.shown(response), looked_at.shown(response, "text/html"))
    assert view.facts["raw"]
    assert looked_at.cell("await response.text()") == view.facts["body"]  # looking left it unread


def test_bytes_have_nothing_to_lay_out(looked_at):
    looked_at.cell(LONG)
    looked_at.cell("response = await env.LONG.getByName('a').fetch('http://do/bytes')")
    facts = view_of(looked_at, "response").facts
    assert (facts["body"], facts["json"], facts["more"]) == ("(2 bytes)", False, 0)
