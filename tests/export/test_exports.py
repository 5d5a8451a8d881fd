"""Promise: an exported project has what `ctx.exports` reaches in the notebook."""

import subprocess
import sys

import pytest

from dobook.cli import main
from dobook.export import export_notebook
from dobook.lint import check_path

OBJECT = """%%durable_object
from workers import DurableObject


class Room(DurableObject):
    async def enter(self, who):
        return await self.ctx.exports.Greeter.greet(who)
"""
WORKER = """%%worker
from workers import Response, WorkerEntrypoint

WORD = "hello"


class Greeter(WorkerEntrypoint):
    async def greet(self, who):
        return f"{WORD} {who}"


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(await self.ctx.exports.Room.getByName("a").enter("ada"))
"""
WITHOUT_BINDING = """%%wrangler
name = "rooms"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Room"]
"""
ASKING = """
from pathlib import Path

import entry


def test_the_entrypoint_is_reached(durable_objects):
    durable_objects.deploy(Path(__file__).parent.parent, entry)
    answer = durable_objects.run(durable_objects.fetch("/"))
    assert durable_objects.run(answer.text()) == "hello ada"
"""


@pytest.mark.parametrize("more", [(), (WITHOUT_BINDING,)])
def test_a_project_has_the_entrypoints_and_runs_without_a_binding(notebook, tmp_path, capsys, more):
    folder = tmp_path / "project"
    export_notebook(notebook(OBJECT, WORKER, *more), folder, name="rooms")
    written = (folder / "wrangler.jsonc").read_text("utf-8")
    assert ("durable_objects" in written) is not bool(more)
    assert "class Greeter(WorkerEntrypoint)" in (folder / "src/entry.py").read_text("utf-8")
    assert main(["run", str(folder), "--request", "GET /"]) == 0
    assert "hello ada" in capsys.readouterr().out
    assert list(check_path(folder)) == []


def test_the_tests_of_a_project_without_bindings_pass(notebook, tmp_path):
    folder = tmp_path / "project"
    export_notebook(notebook(OBJECT, WORKER, WITHOUT_BINDING), folder, name="rooms")
    (folder / "tests" / "test_more.py").write_text(ASKING, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout + done.stderr
