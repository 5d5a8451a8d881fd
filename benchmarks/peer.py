"""The real engine's side: installs it with npm into a scratch folder, and runs `bench.mjs` there."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent / "peers" / "workerd"
FILES = ("package.json", "bench.mjs", "worker.js")
SYSTEMS = ("workerd", "workerd-tmpfs", "workerd-mem", "miniflare")


class PeerError(Exception):
    """The real engine cannot be run here; the message says what is missing."""


class Peer:
    """The real engine, and the clients from outside.

    Args:
        home: Where npm puts the packages; made if need be, outside what git tracks.

    Raises:
        PeerError: If Node.js or npm is missing, or the packages cannot be installed.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        for tool in ("node", "npm"):
            if shutil.which(tool) is None:
                raise PeerError(f"{tool} is not installed; the real engine needs it")
        home.mkdir(parents=True, exist_ok=True)
        wanted = (SOURCE / "package.json").read_bytes()
        there = home / "package.json"
        fresh = there.exists() and there.read_bytes() == wanted and (home / "node_modules").exists()
        for name in FILES:  # modules are found from the file that imports them: so it lies beside
            shutil.copyfile(SOURCE / name, home / name)
        if not fresh:
            npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
            done = subprocess.run(npm, cwd=home, capture_output=True, text=True, check=False)
            if done.returncode:
                there.unlink()
                raise PeerError(f"npm install failed: {done.stderr.strip()[-300:]}")

    def run(self, system: str, workload: str, directory: Path | None) -> dict[str, Any]:
        """Run a workload once and return its line."""
        command = ["--system", system, "--workloads", workload]
        if directory is not None and system in ("workerd", "miniflare"):
            command += ["--directory", str(directory)]
        return self._bench(command, system, workload)

    def outside(self, system: str, workload: str, port: int, pid: int) -> dict[str, Any]:
        """Be the client of a server on loopback; returns the line."""
        command = ["--system", system, "--workloads", workload]
        return self._bench([*command, "--server", str(port), "--pid", str(pid)], system, workload)

    def versions(self) -> dict[str, str]:
        """Return the versions of what runs."""
        found = {"node": _output(["node", "--version"]).lstrip("v")}
        for name in ("workerd", "miniflare"):
            package = self.home / "node_modules" / name / "package.json"
            if package.exists():
                found[name] = json.loads(package.read_text())["version"]
        return found

    def _bench(self, arguments: list[str], system: str, workload: str) -> dict[str, Any]:
        try:
            done = subprocess.run(
                ["node", "bench.mjs", *arguments],
                cwd=self.home,
                stdout=subprocess.PIPE,
                stderr=None,
                text=True,
                timeout=180,
                check=False,
                env={**os.environ, "NO_COLOR": "1"},
            )
        except subprocess.TimeoutExpired:
            return {"system": system, "workload": workload, "error": "no answer within 180 s"}
        lines = [text for text in done.stdout.splitlines() if text.startswith("{")]
        if not lines:
            error = f"bench.mjs ended with {done.returncode} and no line"
            return {"system": system, "workload": workload, "error": error}
        line: dict[str, Any] = json.loads(lines[-1])
        return line


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
