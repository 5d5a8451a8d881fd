"""What Binder shows is what was tested: the notebooks run strictly in an environment of its pins."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.npm import missing

ROOT = Path(__file__).parent.parent
BINDER = ROOT / "binder"


def interpreter(version):
    """Return a Python of that version, "3.13" for instance."""
    names = [shutil.which(f"python{version}")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    names += sorted(pyenv.glob(f"{version}.*/bin/python3"))
    for name in filter(None, names):
        done = subprocess.run([name, "-c", ""], capture_output=True, check=False)
        if done.returncode == 0:  # a shim of pyenv may be there and refuse
            return name
    return None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_notebook_gives_its_outputs_in_binders_environment(tmp_path):
    version = (BINDER / "runtime.txt").read_text("utf-8").strip().removeprefix("python-")
    python = interpreter(version)
    if python is None:
        missing(f"there is no Python {version} here, which Binder uses")
    if not os.environ.get("CI"):
        pytest.skip("takes minutes; CI=true runs it")
    subprocess.run([python, "-m", "venv", tmp_path], check=True)
    pip = [tmp_path / "bin" / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "-r", BINDER / "requirements.txt"], cwd=ROOT, check=True)
    # Nothing is added to it: nbval asks its kernel from here.
    kernel = tmp_path / "asked" / "kernels" / "binder"
    kernel.mkdir(parents=True)
    start = [
        str(tmp_path / "bin" / "python"),
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
    ]
    spec = {"argv": start, "display_name": "Binder", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), "utf-8")
    options = ["--nbval-sanitize-with=tests/nbval.cfg", "--nbval-kernel-name=binder"]
    plain = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={ROOT}"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["JUPYTER_PATH"] = str(kernel.parent.parent)
    environment["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plain, "--nbval", *options, "notebooks"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
