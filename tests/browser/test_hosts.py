"""Our displays in front ends that cannot be run here: legible in each of their themes, light and dark.

See `hosts` for what is known of them. The live views are drawn by their own scripts, the static
displays are those of the committed notebooks.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from dobook.runtime.driving.runner import _no_running_loop
from tests.browser.conftest import COUNTER
from tests.browser.hosts import HOSTS, mount

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
CONTRAST = (Path(__file__).parent / "contrast.js").read_text("utf-8").partition("\n")[2]
CELLS = (
    "%load_ext dobook",
    COUNTER,
    "%trace on\nstub = env.COUNTER.getByName('a')\nawait stub.add()\n%trace off",
    "await env.COUNTER.getByName('b').add()\n%slow COUNTER/b 200ms",
    "console = %request --console COUNTER/a\nconsole.send('GET', '/one', repeat=20, rate='10/s')",
    "answer = %request GET COUNTER/a /one",
    "diagram = %trace --diagram",
    "past = %storage COUNTER/a --history",
    "%pattern TokenBucket\ngauge = %rate_limit TOKEN_BUCKET/ada --limit 4 --window 20s",
    '%pattern Saga\n%rpc SAGA/trip start ["flight", "hotel"]\nsaga = %workflow SAGA/trip',
    "%pattern HibernatingChatRoom --binding CHAT",
)
SUBJECTS = ("stub", "runtime.clock", "env.COUNTER", "runtime", "console", "answer", "diagram", "past", "gauge", "saga")  # fmt: skip
# What is pressed, so that each view shows what it can show.
PRESSED = {
    "stub": [("request", {"method": "GET", "path": "/boom"})],
    "env.COUNTER": [("choose_all", {}), ("open", {"which": "a"})],
    "runtime": [("reach", {"path": "COUNTER/b"})],
    "diagram": [("go", {"to": "last"})],
    "runtime.clock": [("jump", {"to": "yesterday"})],
}


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """Every live view as a front end gets it: its script, its styles, its state."""
    from dobook.notebook import live
    from dobook.notebook.chat.chat_view import ChatRoom
    from dobook.notebook.extension import session_of

    with _no_running_loop():  # Playwright's: in it asyncio would be patched to nest
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.ipython_dir = str(tmp_path_factory.mktemp("ipython"))
        shell = InteractiveShell.instance(config=config)
        for cell in CELLS:
            shell.run_cell(cell).raise_error()
        session = session_of(shell)
        session.live = "always"
        made = []
        for text in SUBJECTS:
            subject = shell.ev(text)
            which = next(live.VIEWS[kind] for kind in type(subject).__mro__ if kind in live.VIEWS)
            view = live.make(session, which, subject)
            for what, fields in PRESSED.get(text, ()):
                view.act(what, **fields)
            made.append(view)
        room = ChatRoom(session, "CHAT/lobby", ["ada", "bob"])
        room.act("say", who="ada", text="hello")
        room.act("drop", who="bob")
        made[-1].following = False  # so that what is said then is seen
    yield [
        {
            "esm": v._esm,
            "css": v._css,
            "state": {n: v.get_state()[n] for n in ("facts", "outcome", "following")},
        }
        for v in [*made, room]
    ]
    shell.run_line_magic("unload_ext", "dobook")
    InteractiveShell.clear_instance()


@pytest.fixture(scope="module")
def displays() -> list[str]:
    """The HTML outputs of the committed notebooks, one of each build."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", ()):
                html = output.get("data", {}).get("text/html", "")
                found.setdefault(re.sub(r">[^<]+<", "><", html)[:600], html)
    return [html for html in found.values() if html]


@pytest.mark.parametrize("name", list(HOSTS))
def test_everything_can_be_read(views, displays, browser, name):
    page = browser.new_page(viewport={"width": 1000, "height": 1400})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    mount(page, HOSTS[name], views, displays)
    assert page.locator(".dobook-view").count() == len(views)
    if folder := os.environ.get("DOBOOK_SCREENSHOTS"):
        for number, view in enumerate(page.locator(".dobook-view").all()):
            Path(folder, f"{name}-{number}.png").write_bytes(view.screenshot())
    assert page.evaluate(CONTRAST) == []
    assert complaints == []
    page.close()
