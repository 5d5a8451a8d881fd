"""The state directory of an exported project is the real engine's as well."""

import pytest

from dobook.cli import main
from dobook.export import export_notebook
from tests.exchange.engine import engine

CELL = """%%durable_object --binding BOX
from workers import DurableObject, Response


class SqliteBox(DurableObject):
    async def fetch(self, request):
        self.ctx.storage.sql.exec("create table if not exists t (x)")
        self.ctx.storage.sql.exec("insert into t values (?)", request.url)
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return Response(str(n))
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_what_dobook_run_keeps_miniflare_opens(notebook, tmp_path, capsys):
    export_notebook(notebook(CELL), tmp_path / "project", name="exchange")
    state = tmp_path / "state"
    asking = ["--request", "GET /BOX/a/x", "--request", "GET /BOX/a/y"]
    assert main(["run", str(tmp_path / "project"), "--state", str(state), *asking]) == 0
    assert "2" in capsys.readouterr().out.splitlines()
    ops = [["list"], ["sql", "select count(*) from t"], ["put", "n", 7]]
    ((rows, counted, _),) = engine([{"class": "SqliteBox", "name": "a", "ops": ops}], persist=state)
    assert rows == [["n", 2]]
    assert counted == [[2]]
    assert main(["run", str(tmp_path / "project"), "--state", str(state), *asking[:2]]) == 0
    assert "8" in capsys.readouterr().out.splitlines()
