"""The engine runs in a browser: under Pyodide, without threads, sockets or compiled packages."""

import subprocess
from pathlib import Path

import pytest

from tests.npm import node_modules

HERE = Path(__file__).parent
DOBOOK = HERE.parent.parent / "dobook"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_objects_alarms_sql_urls_and_sockets_work_under_pyodide():
    pyodide = node_modules("pyodide@314.0.7") / "pyodide"
    done = subprocess.run(
        ["node", HERE / "run.mjs", pyodide, DOBOOK, HERE / "program.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [
        "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
        "12",
        "5",
        "2026-01-01 01:01:00  COUNTER/a  ok",
        "http://example.com/b?c",
        "['HEARD']",
        "state cannot be used: its files are written by threads, which Python in a browser has "
        "not. Leave the directory out; state in memory works.",
    ]
