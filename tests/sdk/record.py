"""Records what Cloudflare's Python SDK does with the rows: `python -m tests.sdk.record`.

The SDK comes from PyPI and runs in Pyodide under Node; neither is part of this project. Every
answer is recorded twice and has to be the same. The answers are never edited by hand.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

from tests.npm import CACHE, locked, missing, node_modules
from tests.sdk.rows import rows

HERE: Final = Path(__file__).parent
SDK: Final = "workers-runtime-sdk==1.9.5"
PYODIDE: Final = "pyodide@0.28.3"  # Python 3.13, as Workers have it
VECTORS: Final = HERE / "vectors.json"


def sdk_folder() -> Path:
    """Return a folder with the SDK's modules, downloaded once."""
    tag = hashlib.blake2b(SDK.encode(), digest_size=6).hexdigest()
    folder = CACHE.parent / "pypi" / f"sdk-{tag}"
    with locked(folder):
        if not (folder / "done").exists():
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(folder), SDK]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            if done.returncode:
                missing(f"pip could not download {SDK}: {done.stderr[-800:]}")
            with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
                wheel.extractall(folder / "modules")
            (folder / "done").touch()
    return folder / "modules"


def answers() -> dict[str, Any]:
    """Return what the SDK does with every row, and its public names."""
    pyodide = node_modules(PYODIDE) / "pyodide"
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "rows.json"
        asked.write_text(json.dumps(rows()))
        command = ["node", HERE / "run.mjs", pyodide, sdk_folder(), HERE / "program.py", asked]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-4000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Record twice, compare, and write the vectors."""
    first, second = answers(), answers()
    differing = [name for name, answer in first["rows"].items() if second["rows"][name] != answer]
    if differing:
        raise SystemExit(f"not the same twice: {', '.join(differing)}")
    recorded = {
        "recorded_from": {"sdk": SDK, "pyodide": PYODIDE},
        "rows": [{**row, "answer": first["rows"][row["name"]]} for row in rows()],
        "names": first["names"],
        "signatures": first["signatures"],
    }
    VECTORS.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{len(recorded['rows'])} rows\n")


if __name__ == "__main__":
    main()
