"""Types for a user's class: the stubs in the wheel, seen by mypy as a user runs it."""

import re
import subprocess
import sys

import pytest

from docs import stubs

CLASS = """
from typing import Any

import js
from pyodide.ffi import to_js
from workers import DurableObject, Response, WorkerEntrypoint


class Counter(DurableObject):
    async def increment(self) -> int:
        n: int = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        self.ctx.storage.sql.exec("SELECT ?", n).toArray()
        reveal_type(self.ctx.storage)
        return n

    async def alarm(self) -> None:
        await self.ctx.storage.setalarm(5)
        self.ctx.waituntil(self.increment())
        self.ctx.storage.sql.execute("SELECT 1")


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        js.console.log(to_js({"a": 1}))
        return Response("hello", status=200)
"""


@pytest.mark.parametrize("name", stubs.MODULES)
def test_a_stub_names_what_its_module_offers(name):
    """Run `python -m docs.stubs` after a public name has changed."""
    assert stubs.file_of(name).read_text("utf-8") == stubs.text_of(name)


def test_there_is_no_stub_of_anything_else():
    written = set(stubs.STUBS.rglob("*.pyi"))
    assert written == {stubs.file_of(name) for name in stubs.MODULES}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_mypy_knows_a_users_class_and_finds_each_misspelt_name(tmp_path):
    file = tmp_path / "counter.py"
    file.write_text(CLASS, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-pretty", file.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.findall(r": (?:note|error): (.*?)(?:  \[[\w-]+\])?$", done.stdout, re.MULTILINE) == [
        'Revealed type is "dobook.runtime.storage.storage.DurableObjectStorage"',
        '"DurableObjectStorage" has no attribute "setalarm"',
        '"DurableObjectState" has no attribute "waituntil"; maybe "waitUntil"?',
        '"SqlStorage" has no attribute "execute"',
    ]
