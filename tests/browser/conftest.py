"""One JupyterLab and one Chromium for the tests of a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import QUIET, Lab, Notebook, chromium

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

VIEWPORT = {"width": 1100, "height": 2000}


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> None:
    """The runtimes are in kernels here, and Playwright's threads are its own."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    chromium()
    made = Lab(tmp_path_factory.mktemp("lab"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        yield made
        made.close()


@pytest.fixture
def notebook(browser: Any, tmp_path: Path) -> Iterator[Notebook]:
    page = browser.new_page(viewport=VIEWPORT)
    page.set_default_timeout(15_000)
    yield Notebook(page)
    page.close()
