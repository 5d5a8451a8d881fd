"""Each name of Cloudflare's SDK can be the first thing that a program imports."""

import os
import subprocess
import sys

import pytest

EACH_ALONE = """
import os, sys
import dobook

def child(line):
    exec(line)

from dobook.workers import __all__ as names
lines = [f"from workers import {name}" for name in names]
for line in [*lines, "import js", "import pyodide.ffi", "import pyodide.http", "import asgi"]:
    pid = os.fork()
    if not pid:
        try:
            child(line)
        except BaseException:
            print(line, flush=True)
            raise
        os._exit(0)
    os.waitpid(pid, 0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process for each name")
def test_each_name_can_be_imported_first():
    done = subprocess.run(
        [sys.executable, "-c", EACH_ALONE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
