"""Records the logs of programs with Cloudflare's Python SDK: `python -m tests.turns.record`.

The SDK comes from PyPI and runs in Pyodide under Node; neither is part of this project. What the SDK
talks to are stand-ins (`run.mjs`) whose promises resolve after as many microtasks as workerd's, which
were counted there. Every log is recorded twice and has to be the same, and is never edited by hand.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.npm import node_modules
from tests.sdk.record import PYODIDE, SDK, sdk_folder
from tests.turns.programs import Program, programs

HERE: Final = Path(__file__).parent
VECTORS: Final = HERE / "python.json"


def logs(asked: list[Program]) -> list[list[str]]:
    """Return the log of each program."""
    pyodide = node_modules(PYODIDE) / "pyodide"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "programs.json"
        file.write_text(json.dumps(asked))
        command = ["node", HERE / "run.mjs", pyodide, sdk_folder(), HERE / "program.py", file]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-4000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    """Record twice, compare, and write the vectors."""
    known = programs()
    asked = [program for kind in known.values() for program in kind]
    first, second = logs(asked), logs(asked)
    if first != second:
        raise SystemExit("not the same twice")
    answers = iter(first)
    recorded: dict[str, Any] = {"recorded_from": {"sdk": SDK, "pyodide": PYODIDE}}
    for name, kind in known.items():
        recorded[name] = [{"calls": [program], "log": next(answers)} for program in kind]
    VECTORS.write_text(_lines(recorded))
    sys.stdout.write(f"{len(first)} programs\n")


def _lines(recorded: dict[str, Any]) -> str:
    """Return JSON with one program a line."""
    parts = []
    for name, value in recorded.items():
        one = ",\n".join(map(json.dumps, value)) if isinstance(value, list) else json.dumps(value)
        parts.append(f"{json.dumps(name)}: " + (f"[\n{one}\n]" if isinstance(value, list) else one))
    return "{" + ",\n".join(parts) + "}\n"


if __name__ == "__main__":
    main()
