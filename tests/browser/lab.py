"""A real JupyterLab, a real Chromium, and a notebook in them, to be used as people use it."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from tests.npm import missing

ROOT = Path(__file__).parents[2]
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars", "--force-prefers-reduced-motion")  # fmt: skip
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
NEWS = "@jupyterlab/apputils-extension:announcements"
ALL_RAN = """() => {
    const { content, sessionContext } = window.jupyterapp.shell.currentWidget;
    const cells = content.widgets.filter((c) => c.model.type === 'code' && c.model.sharedModel.source.trim());
    return cells.every((c) => c.model.executionCount !== null)
        && sessionContext.session.kernel.status === 'idle';
}"""
IDLE = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
ASK = """async (code) => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const future = kernel.requestExecute({ code: '', silent: true, user_expressions: { it: code } });
    return (await future.done).content.user_expressions.it;
}"""
TURN_TO = """async (path) => {
    const old = window.jupyterapp.shell.currentWidget;
    await old.sessionContext.shutdown();
    old.dispose();
    const widget = await window.jupyterapp.commands.execute('docmanager:open', { path });
    await widget.sessionContext.ready;
}"""
RUN = """async (code) => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const reply = await kernel.requestExecute({ code, store_history: false }).done;
    return reply.content.status + ' ' + (reply.content.evalue ?? '');
}"""


def chromium() -> str:
    """Return where Chromium is; skips the test where it is not."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found is not None:
            return found
    missing("Chromium is not installed")
    raise AssertionError


class Lab:
    """A JupyterLab server of its own, with an empty folder.

    Args:
        folder: Where its notebooks, its settings and its log go.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "notebooks"
        self.root.mkdir(parents=True)
        config = folder / "config"
        (config / "labconfig").mkdir(parents=True)
        quiet = {"disabledExtensions": {NEWS: True}}
        (config / "labconfig" / "page_config.json").write_text(json.dumps(quiet))
        # Cells that are out of sight are kept, so that all views can be found.
        tracker = folder / "settings" / "@jupyterlab" / "notebook-extension"
        tracker.mkdir(parents=True)
        (tracker / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        options = (
            *("--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"),
            *("--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.port_retries=0"),
            *("--LabApp.expose_app_in_browser=True", f"--ServerApp.root_dir={self.root}"),
        )
        env = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(config),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }
        self._log = (folder / "lab.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=env, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def ready(self, page: Any) -> bool:
        """Wait until the server answers; `page` is what waits."""
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{self.url}/api", timeout=1):
                    return True
            except (OSError, http.client.HTTPException):
                assert self._process.poll() is None, "JupyterLab has ended"
                page.wait_for_timeout(100)
        raise AssertionError("JupyterLab does not answer")

    def stop(self) -> None:
        """End the server and its kernels."""
        self._process.terminate()
        self._process.wait(timeout=15)
        self._log.close()


class Notebook:
    """A notebook that is open in a page.

    Attributes:
        page: Playwright's page.
        name: The notebook's file.
        complaints: Errors in the browser's console.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        self.name = ""
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )

    def open(self, lab: Lab, name: str, theme: str = "light") -> None:
        """Open a notebook of the server's folder, with a kernel."""
        lab.ready(self.page)
        self.name = name
        self.page.goto(f"{lab.url}/lab/tree/{name}?reset")
        self.page.wait_for_function(IDLE, timeout=60_000)
        self.theme(theme)
        self.page.evaluate("window.jupyterapp.shell.collapseLeft()")

    def turn_to(self, lab: Lab, name: str) -> None:
        """Open another notebook in the same page, and end the kernel of the one before."""
        if self.page.url == "about:blank":
            self.open(lab, name)
            return
        self.complaints.clear()
        self.name = name
        self.page.evaluate(TURN_TO, name)
        self.page.wait_for_function(IDLE, timeout=60_000)

    def theme(self, name: str) -> None:
        """Change the theme."""
        change = "window.jupyterapp.commands.execute('apputils:change-theme', { theme: %s })"
        self.page.evaluate(change % json.dumps(THEMES[name]))
        self.page.wait_for_function(f"document.body.dataset.jpThemeName === {THEMES[name]!r}")
        self.page.wait_for_timeout(300)

    def run_all(self, timeout_s: float = 60) -> None:
        """Run all cells, and let what they show be drawn."""
        # What is committed has its outputs and counts already.
        self.page.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
        self.page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.page.wait_for_function(ALL_RAN, timeout=timeout_s * 1000)
        self.page.wait_for_timeout(400)

    def ask(self, expression: str) -> Any:
        """Return the value of an expression in the kernel, by way of JSON."""
        found = self.page.evaluate(ASK, f"__import__('json').dumps({expression})")
        assert found["status"] == "ok", found
        import ast

        return json.loads(ast.literal_eval(found["data"]["text/plain"]))

    def run(self, code: str) -> None:
        """Run code in the kernel without a cell."""
        assert self.page.evaluate(RUN, code).startswith("ok"), code

    def views(self, kind: str = "") -> Any:
        """Return the live views; those whose label begins with `kind`."""
        only = f"[aria-label^={json.dumps(kind)}]" if kind else ""
        return self.page.locator(f".dobook-view{only}")

    def press(self, view: Any, name: str) -> None:
        """Press a button of a view and wait for what comes of it."""
        view.get_by_role("button", name=name, exact=True).click()
        self.settle()

    def said(self, view: Any) -> str:
        """Return what a view says below itself."""
        return str(view.locator(":scope > .dobook-said").inner_text())

    def settle(self) -> None:
        """Wait until no view waits for an answer, and what followed is drawn."""
        self.page.wait_for_function("!document.querySelector('.dobook-view[aria-busy]')")
        self.page.wait_for_timeout(120)


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook of code cells."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python"
    }  # fmt: skip
    nbformat.write(book, path)
