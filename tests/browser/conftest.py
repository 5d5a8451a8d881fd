"""One JupyterLab, one Chromium, and one page a theme with every view."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.lab import QUIET, Lab, Notebook, chromium, write_notebook

COUNTER = """%%durable_object
import time
from workers import DurableObject, Response


class Counter(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.cache = {"warm": True}
        ctx.storage.sql.exec("create table if not exists visit (who text, n integer)")

    async def fetch(self, request):
        print("asked for", request.url)
        if request.url.endswith("/boom"):
            raise ValueError("boom")
        return Response.json({"n": await self.add()})

    async def add(self, by=1):
        n = (await self.ctx.storage.get("n") or 0) + by
        await self.ctx.storage.put({"n": n, "name": "Ada", "on": True})
        await self.ctx.storage.setAlarm(time.time() * 1000 + 3_600_000)
        self.ctx.storage.sql.exec("insert into visit values (?, ?)", "ada", n)
        return n

    async def alarm(self):
        print("ringing")
        await self.ctx.storage.put("rang", True)
"""

CELLS = (
    "%load_ext dobook",
    COUNTER,
    "%trace on\nstub = env.COUNTER.getByName('a')\nawait stub.add()\n%trace off\nstub",
    "typed = env.COUNTER.getByName('typed')\nawait typed.add()\ntyped",
    "runtime.clock",
    "runtime.clock",
    "%request --console COUNTER/asked",
    """%%durable_object
class Atlas(DurableObject):
    def fetch(self, request):
        return Response.json([{"place": n, "name": f"somewhere {n}"} for n in range(40)])""",
    "%request GET ATLAS/all",
    "%trace --diagram",
    "kept = env.COUNTER.getByName('kept')\nawait kept.add()\n%storage COUNTER/kept --history",
    "for i in range(3):\n    await env.COUNTER.getByName(f'other {i}').add()\nenv.COUNTER",
    "%dobook",
    "%pattern TokenBucket",
    "%pattern Saga",
    "%rate_limit TOKEN_BUCKET/ada --limit 4 --window 20s",
    '%rpc SAGA/trip start ["flight", "hotel"]\n%workflow SAGA/trip',
    "%pattern HibernatingChatRoom --binding CHAT",
    "%chat CHAT/lobby ada bob",
)
VIEWPORT = {"width": 1100, "height": 2000}


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> None:
    """The runtimes are in kernels here, and Playwright's threads are its own."""


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    chromium()
    made = Lab(tmp_path_factory.mktemp("lab"))
    yield made
    made.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        yield made
        made.close()


@pytest.fixture(scope="package", params=["light", "dark"])
def instruments(request: Any, lab: Lab, browser: Any) -> Iterator[Notebook]:
    """A notebook with every view, open for all tests: each has objects of its own."""
    page = browser.new_page(viewport=VIEWPORT)
    page.set_default_timeout(15_000)
    notebook, name = Notebook(page), f"instruments-{request.param}.ipynb"
    write_notebook(lab.root / name, CELLS)
    notebook.open(lab, name, request.param)
    notebook.run_all()
    yield notebook
    page.close()


@pytest.fixture
def notebook(instruments: Notebook) -> Iterator[Notebook]:
    """The notebook with every view; a complaint of the browser fails the test."""
    instruments.complaints.clear()
    yield instruments
    assert instruments.complaints == []
