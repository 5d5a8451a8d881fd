"""The lessons run in the browser alone: JupyterLite is built, and tried where there is a Pyodide.

Pyodide's NumPy and pandas are in no package registry. `DOBOOK_PYODIDE=FOLDER` names an unpacked
distribution of version 0.27.7, with which each lesson is run in Chromium and compared with what is
committed.
"""

import functools
import http.server
import json
import os
import re
import threading
from pathlib import Path

import pytest

from docs.site import lite
from tests.browser.lab import IDLE, QUIET, chromium

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
PYODIDE = os.environ.get("DOBOOK_PYODIDE")
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
ELSEWHERE = {
    "12_production": "starts processes",
    "13_find_the_race": "pandas 2 writes its times with fewer digits",
    "14_projects": "reads files beside it and starts processes",
    "15_instruments": "keeps a state directory, and serves",
}
NO_SOCKETS = ("%serve", "from urllib.request import urlopen")  # what such cells begin with
RUN_CELL = """async (index) => {
    const { content } = window.jupyterapp.shell.currentWidget;
    content.activeCellIndex = index;
    await window.jupyterapp.commands.execute('notebook:run-cell');
}"""
CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .map((cell) => cell.model.outputs?.toJSON() ?? [])"""
CLEAR = "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "lite"
    lite.build(folder, Path(PYODIDE) if PYODIDE else None)
    return folder


def test_it_has_every_lesson_and_all_that_is_not_pyodides(built):
    for name in LESSONS:
        notebook = json.loads((built / "files" / f"{name}.ipynb").read_text("utf-8"))
        assert notebook["cells"][0]["source"] == lite.FIRST
        assert notebook["metadata"]["kernelspec"]["name"] == "python"
    offered = set(json.loads((built / "pypi" / "all.json").read_text("utf-8")))
    assert offered == {"dobook", *(name.replace("_", "-") for name in lite.WHEELS)}
    settings = json.loads((built / "jupyter-lite.json").read_text("utf-8"))
    kernel = settings["jupyter-config-data"]["litePluginSettings"][lite.KERNEL]
    assert kernel["pyodideUrl"] == ("./static/pyodide/pyodide.js" if PYODIDE else lite.PYODIDE)


@pytest.fixture(scope="module")
def served(built):
    handler = functools.partial(Quiet, directory=str(built))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def _nothing_is_left_behind():
    """The server's threads live as long as the module, and Playwright's are its own."""


@pytest.mark.skipif(not PYODIDE, reason="DOBOOK_PYODIDE names no distribution of Pyodide")
@pytest.mark.parametrize("name", [name for name in LESSONS if name not in ELSEWHERE])
def test_a_lesson_gives_its_outputs_in_the_browser_alone(served, name):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        page = browser.new_page()
        page.set_default_timeout(120_000)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{served}/lab/index.html?path={name}.ipynb")
        page.wait_for_function(IDLE)
        page.evaluate(CLEAR)
        for index in range(len(page.evaluate(CELLS))):
            page.evaluate(RUN_CELL, index)
        page.wait_for_timeout(500)
        ran = page.evaluate(CELLS)[1:]
        browser.close()
    committed = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text("utf-8"))["cells"]
    for outputs, cell in zip(ran, committed, strict=True):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and not source.startswith(NO_SOCKETS):
            assert said(outputs) == said(cell["outputs"]), source
    assert [at for at in asked if not at.startswith((served, "blob:", "data:"))] == []


def said(outputs):
    """Return outputs as text: streams may arrive in pieces of any size."""
    printed, shown = "", []
    for output in outputs:
        if output["output_type"] == "stream":
            printed += "".join(output["text"])
        elif output["output_type"] == "error":
            shown.append(re.findall(r"\w+", output["ename"])[-1])
        else:
            shown.append("".join(output["data"]["text/plain"]))
    return re.sub("0x[0-9a-f]{6,}", "ADDRESS", printed), shown
