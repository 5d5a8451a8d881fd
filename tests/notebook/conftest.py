"""A shell whose cells raise what they raise, and a real kernel."""

import atexit
import math
import os
import queue
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

ROOT = Path(__file__).parents[2]

COUNTER = """%%durable_object
import asyncio
import time

from workers import DurableObject, Response


class Counter(DurableObject):
    async def fetch(self, request):
        if request.url.endswith("/boom"):
            raise ValueError("boom")
        if request.method == "POST":
            return Response.json({"n": await self.add((await request.json())["by"])})
        return Response.json({"n": await self.value(), "who": request.headers.get("x-user")})

    async def value(self):
        return await self.ctx.storage.get("n") or 0

    async def add(self, by=1):
        n = await self.value() + by
        await self.ctx.storage.put("n", n)
        print("added", by)
        return n

    async def ring(self, in_ms):
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + in_ms)

    async def nap(self, seconds):
        await asyncio.sleep(seconds)
        return seconds

    async def alarm(self, info=None):
        print("ringing")
"""


class Shell(InteractiveShell):
    """Runs cells as a notebook does, but raises their errors; has what they displayed."""

    def cell(self, text: str) -> Any:
        """Run a cell; returns its result."""
        self.display_pub.outputs.clear()
        return self.run_cell(text, store_history=True).raise_error() or self.last

    def run_cell(self, *args: Any, **kwargs: Any) -> Any:
        result = super().run_cell(*args, **kwargs)
        self.last = result.result
        return result

    def shown(self, value: Any, kind: str = "text/plain") -> str:
        """Return how a value is displayed."""
        data, _ = self.display_formatter.format(value)
        return data.get(kind, "")


@pytest.fixture
def bare_shell(tmp_path: Path) -> Iterator[Shell]:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.ipython_dir = str(tmp_path)
    Shell.clear_instance()
    shell = Shell.instance(config=config)
    shell.display_pub = CapturingDisplayPublisher()
    yield shell
    if "dobook" in shell.extension_manager.loaded:
        shell.run_line_magic("unload_ext", "dobook")
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()
    Shell.clear_instance()


@pytest.fixture
def shell(bare_shell: Shell) -> Shell:
    """A shell with dobook loaded."""
    bare_shell.cell("%load_ext dobook")
    return bare_shell


@pytest.fixture
def counting(shell: Shell) -> Shell:
    """A shell with dobook loaded and a class Counter."""
    shell.cell(COUNTER)
    return shell


class Kernel:
    """A kernel as a notebook has it; says what each cell has shown."""

    def __init__(self, tmp_path: Path) -> None:
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(
            kernel_name="python3", connection_file=str(tmp_path / "kernel.json")
        )
        self.manager.kernel_spec.argv = [
            sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"
        ]  # fmt: skip
        env = dict(os.environ, PYDEVD_DISABLE_FILE_VALIDATION="1", IPYTHONDIR=str(tmp_path))
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH")]))
        self.manager.start_kernel(env=env)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(
        self, *cells: str, interrupt_on: str | None = None, interrupt_after_s: float | None = None
    ) -> list[list[tuple[str, str]]]:
        """Queue cells, as Run All does; returns each one's outputs, kind and text.

        Args:
            cells: The cells.
            interrupt_on: Press the stop button when this is printed.
            interrupt_after_s: Press it so long after the first cell has begun.

        As a person would, it presses again if nothing has come of it after 5 s: one that comes in
        the instant in which a cell begins can be lost.
        """
        asked = [self.client.execute(cell, stop_on_error=False) for cell in cells]
        outputs: dict[str, list[tuple[str, str]]] = {message: [] for message in asked}
        busy, deadline, press_at = set(asked), time.monotonic() + 60, math.inf
        while busy:
            assert time.monotonic() < deadline, f"cells did not end: {outputs}"
            if time.monotonic() >= press_at:
                press_at = time.monotonic() + 5
                self.manager.interrupt_kernel()
            try:
                message = self.client.get_iopub_msg(timeout=1 if press_at == math.inf else 0.01)
            except queue.Empty:
                continue
            of = message["parent_header"].get("msg_id")
            if of in outputs:
                kind, content = message["msg_type"], message["content"]
                if kind == "stream":
                    outputs[of].append((content["name"], content["text"]))
                    if interrupt_on is not None and interrupt_on in content["text"]:
                        interrupt_on = None
                        self.manager.interrupt_kernel()
                elif kind == "error":
                    outputs[of].append((content["ename"], "\n".join(content["traceback"])))
                elif kind in ("execute_result", "display_data"):
                    outputs[of].append((kind, content["data"]["text/plain"]))
                elif kind == "status" and content["execution_state"] == "idle":
                    busy.discard(of)
                elif kind == "execute_input" and interrupt_after_s is not None:
                    press_at = time.monotonic() + interrupt_after_s
                    interrupt_after_s = None
        return [outputs[message] for message in asked]

    def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture(scope="module")
def _shared_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    try:
        kernel.run("%load_ext dobook")
        yield kernel
    finally:
        kernel.close()


@pytest.fixture
def kernel(_shared_kernel: Kernel) -> Kernel:
    """A kernel with dobook loaded; its state is fresh, its classes are those of earlier tests."""
    _shared_kernel.run("%dobook reset", COUNTER)
    return _shared_kernel
