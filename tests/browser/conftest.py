"""One JupyterLab and one Chromium for the tests of a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import QUIET, Lab, Notebook, chromium

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
def browser(lab: Lab) -> Iterator[Any]:
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
