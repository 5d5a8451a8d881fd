"""`%worker --project`: a project's folder beside the notebook's own classes."""

import json
from pathlib import Path

import pytest
from IPython.core.error import UsageError

PROJECTS = Path(__file__).parents[2] / "projects"


def asked(shell, line):
    response = shell.cell(f"%request {line}")
    return shell.user_ns["runtime"].run(response.text())


def test_a_project_answers_the_requests_of_a_notebook(shell):
    card = repr(shell.cell(f"%worker --project {PROJECTS / 'notes'}"))
    assert card.startswith("notes  project")
    assert "env.NOTES: Notes" in card
    assert "fetch, scheduled" in card
    assert "main, storing, storing.mixins" in card
    assert asked(shell, "GET /notes") == "none"
    shell.cell('%request POST /notes --json {"text": "tea"}')
    assert asked(shell, "GET /notes") == "1 tea"
    assert shell.cell("%sql NOTES/mine SELECT text FROM notes").text.tolist() == ["tea"]
    shell.cell("%fast_forward 2d")
    assert asked(shell, "GET /notes") == "none"


def test_a_cell_with_the_option_may_have_comments_only(shell):
    path = PROJECTS / "legacy"
    card = repr(shell.cell(f"%%worker --project {path} --env staging\n# The staging environment."))
    assert card.startswith("legacy-staging  project")
    assert asked(shell, "GET /").startswith("Hi, 30 of 0")
    with pytest.raises(UsageError, match="leave the rest of the cell empty"):
        shell.cell(f"%%worker --project {path}\nx = 1")
    with pytest.raises(UsageError, match="or name one: %worker --project PATH"):
        shell.cell("%worker")


def test_classes_of_cells_and_of_a_project_live_side_by_side(counting):
    counting.cell(f"%worker --project {PROJECTS / 'shopping_lists'}")
    assert asked(counting, "GET /a/add/tea") == "1 on the list"
    assert counting.cell("%rpc COUNTER/a add 2") == 2
    counting.cell("%dobook reset")
    assert asked(counting, "GET /a/show") == "nothing"
    assert counting.cell("%rpc COUNTER/a value") == 0
    counting.cell(
        "%%worker\nfrom workers import Response, WorkerEntrypoint\n"
        "class Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request): return Response('a cell')\n"
    )
    assert asked(counting, "GET /") == "a cell"


def test_a_project_opened_again_has_the_code_its_files_have_now(shell, tmp_path):
    def write(answer):
        (tmp_path / "entry.py").write_text(
            "from workers import Response, WorkerEntrypoint\n"
            "class Default(WorkerEntrypoint):\n"
            f"    async def fetch(self, request): return Response('{answer}')\n"
            "    async def scheduled(self, *args): print('due', flush=True)\n"
        )

    configuration = {"name": "p", "main": "entry.py", "triggers": {"crons": ["* * * * *"]}}
    (tmp_path / "wrangler.json").write_text(json.dumps(configuration))
    write("before")
    shell.cell(f"%worker --project {tmp_path}")
    assert asked(shell, "GET /") == "before"
    write("after")
    shell.cell(f"%worker --project {tmp_path}")
    assert asked(shell, "GET /") == "after"


def test_what_is_wrong_with_a_project_is_one_line(shell, tmp_path):
    with pytest.raises(UsageError, match=r"A project has wrangler\.json"):
        shell.cell(f"%worker --project {tmp_path}")
    (tmp_path / "wrangler.toml").write_text('main = "gone.py"')
    with pytest.raises(UsageError, match="there is no such file"):
        shell.cell(f"%worker --project {tmp_path}")
