"""%export, and the way back: the exported project gives the notebook's answers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.error import UsageError

from dobook.cli import main

ROOT = Path(__file__).parents[3]

HELPER = "STEP = 2\n\n\ndef double(n):\n    # Twice.\n    return n * STEP\n"
COUNTER = """%%durable_object --binding COUNTER
from workers import DurableObject, Response


class Counter(DurableObject):
    async def fetch(self, request):
        n = double(await self.ctx.storage.get("n") or 1)
        await self.ctx.storage.put("n", n)
        return Response.json({"n": n, "method": str(request.method)})
"""
WORKER = """%%worker
from urllib.parse import urlsplit

from workers import WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        name = urlsplit(request.url).path.strip("/") or "default"
        return await self.env.COUNTER.getByName(name).fetch(request)
"""


def bodies(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.fixture
def asked(shell, tmp_path):
    """A notebook whose Worker was asked three times, exported; its answers and the project."""
    for cell in (HELPER, COUNTER, WORKER):
        shell.cell(cell)
    answers = [
        shell.cell(f"(await (await runtime.fetch('{p}')).json())") for p in ("/a", "/a", "/b")
    ]
    exported = shell.cell(f"%export {tmp_path / 'doubling'}")
    return answers, exported.path


def test_the_exported_project_gives_the_notebooks_answers(asked, capsys):
    answers, folder = asked
    requests = [w for path in ("/a", "/a", "/b") for w in ("--request", f"GET {path}")]
    capsys.readouterr()
    assert main(["run", str(folder), *requests]) == 0
    assert bodies(capsys.readouterr().out) == answers


@pytest.mark.slow
def test_the_exported_test_passes(asked):
    _, folder = asked
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "dobook", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_an_export_shows_what_differs_and_leaves_edited_files_alone(asked, shell):
    _, folder = asked
    (folder / "README.md").write_text("mine", "utf-8")
    shell.cell(COUNTER.replace("or 1", "or 3"))
    shown = repr(shell.cell(f"%export {folder}"))
    assert re.search(r"updated +src/entry\.py", shown)
    assert re.search(r"left alone +README\.md", shown)
    assert '+        n = double(await self.ctx.storage.get("n") or 3)' in shown
    assert (folder / "README.md").read_text("utf-8") == "mine"
    shell.cell(f"%export {folder} --force")
    assert (folder / "README.md").read_text("utf-8") != "mine"


def test_a_definition_that_failed_is_not_exported(asked, shell):
    _, folder = asked
    with pytest.raises(Exception, match="10074"):
        shell.cell(COUNTER.replace("%%durable_object", "%%durable_object --storage kv"))
    with pytest.raises(ZeroDivisionError):
        shell.cell(COUNTER.replace("class Counter", "1 / 0\n\n\nclass Counter"))
    assert "unchanged" in repr(shell.cell(f"%export {folder}"))


def test_without_a_class_there_is_nothing_to_export(shell, tmp_path):
    with pytest.raises(UsageError, match="no cell has defined a class yet"):
        shell.cell(f"%export {tmp_path}")
