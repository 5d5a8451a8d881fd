"""Packages from the npm registry that tests need: the real engine, its tools, Pyodide.

Each is installed once into a cache folder outside of the clone. Where there is no npm the tests
that need one are skipped, except in CI, where that is a failure.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dobook-tests" / "npm"


def node_modules(*packages: str) -> Path:
    """Return a `node_modules` folder that holds these packages.

    Args:
        packages: As npm takes them, with a version: `"pyodide@314.0.7"`.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            missing(f"{program} is not installed: no {packages[0]}")
    tag = hashlib.blake2b(" ".join(packages).encode(), digest_size=6).hexdigest()
    folder = CACHE / f"{packages[0].strip('@').replace('/', '-')}-{tag}"
    with locked(folder):
        if not (folder / "done").exists():
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
            command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *packages]
            (folder / "package.json").write_text('{"private": true, "type": "module"}')
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                missing(f"npm could not install {' '.join(packages)}: {done.stderr[-800:]}")
            (folder / "done").touch()
    return folder / "node_modules"


def missing(reason: str) -> None:
    """Skip a test, or fail it in CI, where everything must be there."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process, so that two runs do not install into it at once."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
