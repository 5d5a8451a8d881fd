"""The real wrangler accepts what is exported."""

import os
import subprocess
from pathlib import Path

import pytest

from dobook.export import export_notebook
from tests.npm import node_modules

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_wrangler_itself_accepts_the_quickstarts_project(tmp_path):
    modules = node_modules("wrangler@4.80.0")
    export_notebook(QUICKSTART, tmp_path / "quickstart")
    done = subprocess.run(
        [
            "node",
            str(modules / "wrangler" / "bin" / "wrangler.js"),
            "deploy",
            "--dry-run",
            "--outdir",
            str(tmp_path / "out"),
        ],
        cwd=tmp_path / "quickstart",
        env={
            **os.environ,
            "WRANGLER_SEND_METRICS": "false",
            "WRANGLER_HIDE_BANNER": "true",  # it would look for a newer version
            "WRANGLER_LOG_PATH": str(tmp_path / "logs"),
            "CI": "true",
            "NO_COLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "env.WORKFLOW (WorkflowObject)" in said
    assert "WARNING" not in said
    uploaded = {p.name for p in (tmp_path / "out").rglob("*.py")}
    assert "entry.py" in uploaded
