"""The lessons in JupyterLite: JupyterLab and Python in the browser itself, with no server behind.

The folder that is made has JupyterLab, a wheel of dobook and wheels of the plain Python that it
needs. Python itself, NumPy and pandas are Pyodide's, which a page fetches from Pyodide's own
network address, or which are put beside it. Building needs the network once, for PyPI; it happens
in an environment of its own, because JupyterLite's extension is not meant for a JupyterLab.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
# The newest Pyodide in which every lesson of `docs/browser.md` was seen to run.
PYODIDE = "https://cdn.jsdelivr.net/pyodide/v0.27.7/full/pyodide.js"
BUILDERS = (
    *("jupyterlite-core==0.6.4", "jupyterlite-pyodide-kernel==0.6.1", "jupyter-server"),
    *("jupyterlab-widgets==3.0.17", "anywidget==0.11.0"),  # the front end's half of the views
)
# What is not in Pyodide itself, at Binder's versions.
WHEELS = (
    *("aiosqlite", "anywidget", "comm", "ipywidgets", "json5", "jupyterlab_widgets"),
    *("nest-asyncio2", "psygnal", "widgetsnbextension"),
)
KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
FIRST = "%pip install -q dobook"


def build(target: Path, pyodide: Path | None = None) -> None:
    """Build JupyterLite with the lessons into a folder.

    Args:
        target: The folder; what it had is gone.
        pyodide: A folder with a distribution of Pyodide to put beside it; None to have pages fetch
            it.

    Raises:
        RuntimeError: If a step fails, with what it said.
    """
    target = target.resolve()
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "lessons").mkdir()
        for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
            text = json.dumps(with_install(json.loads(notebook.read_text("utf-8"))))
            (folder / "lessons" / notebook.name).write_text(text, "utf-8")
        if pyodide is not None:
            shutil.copytree(pyodide, folder / "static" / "pyodide")
        (folder / "jupyter-lite.json").write_text(json.dumps(settings(here=pyodide is not None)))
        venv.create(folder / "environment", with_pip=True)
        scripts = folder / "environment" / ("Scripts" if sys.platform == "win32" else "bin")
        pip = [str(scripts / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        run([*pip, "install", *BUILDERS], folder)
        run([*pip, "wheel", "--no-deps", "--wheel-dir", "pypi", str(ROOT)], folder)
        plain = ["--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none"]
        run([*pip, "download", "--no-deps", *plain, "--dest", "pypi", *pinned()], folder)
        options = ["--contents", "lessons", "--apps", "lab", "--no-sourcemaps"]
        lite = [str(scripts / "jupyter"), "lite", "build", *options, "--output-dir", str(target)]
        run(lite, folder)


def with_install(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook for Pyodide's kernel: its first cell installs dobook."""
    cell = {"cell_type": "code", "id": "install", "metadata": {}, "source": FIRST}
    python = {"name": "python", "display_name": "Python (Pyodide)", "language": "python"}
    return {
        **notebook,
        "cells": [{**cell, "outputs": [], "execution_count": None}, *notebook["cells"]],
        "metadata": {**notebook["metadata"], "kernelspec": python},
    }


def settings(*, here: bool) -> dict[str, Any]:
    """Return JupyterLite's settings; with `here`, the build itself finds Pyodide beside it."""
    kernel = {} if here else {"pyodideUrl": PYODIDE}
    config = {
        "appName": "dobook",
        "exposeAppInBrowser": True,  # how the test presses its keys
        "litePluginSettings": {KERNEL: kernel},
    }
    return {"jupyter-lite-schema-version": 0, "jupyter-config-data": config}


def pinned() -> list[str]:
    """Return the wheels that are wanted, at Binder's versions."""
    lines = (ROOT / "binder" / "requirements.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    return [f"{name}=={pins[name]}" for name in WHEELS]


def run(command: list[str], folder: Path) -> None:
    """Run one step."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr)[-2000:]
        raise RuntimeError(f"{' '.join(command)} failed:\n{said}")
