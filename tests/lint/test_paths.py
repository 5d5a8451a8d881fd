"""Projects, modules and notebooks: what is looked at, and whether the configuration deploys."""

import json
from pathlib import Path

import pytest

from dobook.cli import main
from dobook.errors import UsageError
from dobook.lint import check_path
from dobook.wrangler import FILES

ENTRY = """\
from helpers import now
from workers import DurableObject, Response, WorkerEntrypoint


class Counter(DurableObject):
    async def fetch(self, request):
        return Response(str(now()))


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.COUNTER.getByName("a").fetch(request)
"""
CONFIGURATION = """\
name = "counter"
main = "src/entry.py"
compatibility_date = "2026-03-15"
compatibility_flags = ["python_workers"]

[[durable_objects.bindings]]
name = "COUNTER"
class_name = "Counter"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Counter"]
"""


@pytest.fixture
def project(tmp_path):
    """Writes a project; returns what a check of it finds, as (rule, place)."""

    def check(entry=ENTRY, configuration=CONFIGURATION, helpers="def now(): return 1\n"):
        (tmp_path / "src").mkdir(exist_ok=True)
        (tmp_path / "src/entry.py").write_text(entry, "utf-8")
        (tmp_path / "src/helpers.py").write_text(helpers, "utf-8")
        (tmp_path / "wrangler.toml").write_text(configuration, "utf-8")
        return [(f.rule, f.place) for f in check_path(tmp_path)]

    return check


def test_the_tests_of_a_project_whose_entry_lies_in_its_root_are_not_sent_along(project, tmp_path):
    assert project(configuration=CONFIGURATION.replace("src/entry.py", "entry.py"))
    (tmp_path / "entry.py").write_text(ENTRY, "utf-8")
    (tmp_path / "helpers.py").write_text("def now(): return 1\n", "utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_entry.py").write_text("import tkinter\n", "utf-8")
    assert check_path(tmp_path).items == ()
    (tmp_path / "more").mkdir()
    (tmp_path / "more/window.py").write_text("import tkinter\n", "utf-8")
    assert [f.place for f in check_path(tmp_path)] == ["more/window.py:1"]


def test_a_good_project_has_nothing_to_find(project):
    assert project() == []


def test_all_modules_of_a_project_are_looked_at(project):
    helpers = "import time\nSTARTED = time.time()\ndef now(): return STARTED\n"
    assert project(helpers=helpers) == [("early-clock", "src/helpers.py:2")]


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ('[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Counter"]\n', "", "migration"),
        ('class_name = "Counter"', 'class_name = "Cuonter"', "binding"),
        ('new_sqlite_classes = ["Counter"]', 'new_sqlite_classes = ["Counter", "B"]', "migration"),
        ('compatibility_flags = ["python_workers"]\n', "", "configuration"),
        ('compatibility_date = "2026-03-15"\n', "", "configuration"),
        ('main = "src/entry.py"', 'main = "src/main.py"', "entry"),
        ('tag = "v1"', 'tag = "v1"\nzebra = 1', "configuration"),
    ],
)
def test_a_configuration_that_would_not_deploy_is_found(project, old, new, finding):
    assert old in CONFIGURATION
    assert [rule for rule, _ in project(configuration=CONFIGURATION.replace(old, new))] == [finding]


def test_the_missing_migration_is_told_in_the_platforms_words(project, tmp_path):
    project(configuration=CONFIGURATION.partition("[[migrations]]")[0])
    (finding,) = check_path(tmp_path)
    assert finding.place == "wrangler.toml"
    assert finding.what.startswith("Cannot create binding for class 'Counter' because it is not")
    assert 'new_sqlite_classes = ["Counter"]' in finding.fix


def test_a_class_nobody_can_reach_and_a_worker_without_entry_are_found(project):
    entry = ENTRY + "\n\nclass Lonely(DurableObject): ...\n"
    assert project(entry=entry) == [("binding", "wrangler.toml")]
    assert project(entry=ENTRY.partition("class Default")[0]) == [("entry", "wrangler.toml")]


def test_a_notebooks_findings_name_cells_and_count_the_magics_line(tmp_path):
    cells = [
        "import time\nLIMIT = 1\nstarted = time.time()",
        "%%durable_object\nfrom time import sleep\nfrom workers import DurableObject\n\n\n"
        "class A(DurableObject):\n    def x(self):\n        sleep(LIMIT)\n"
        "        return runtime\n",
    ]
    document = {
        "cells": [{"cell_type": "code", "source": c, "metadata": {}} for c in cells],
    }
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps(document), "utf-8")
    findings = [(f.rule, f.place) for f in check_path(path)]
    assert findings == [("blocking-sleep", "cell 2:8"), ("notebook", "notebook")]


def test_the_command_prints_findings_and_fails_if_there_are_any(project, tmp_path, capsys):
    project()
    assert main(["check", str(tmp_path)]) == 0
    assert "nothing found in src/entry.py, src/helpers.py" in capsys.readouterr().out
    project(helpers="import tkinter\ndef now(): return 1\n")
    assert main(["check", str(tmp_path)]) == 1
    assert "src/helpers.py:1: import of tkinter  [import]" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "nowhere")]) == 2


def test_packages_that_are_not_listed_are_found(project, tmp_path):
    helpers = (
        "import yaml\nfrom httpx import AsyncClient\nimport json, entry\ndef now(): return 1\n"
    )
    assert project(helpers=helpers) == []  # without a pyproject.toml nothing is known
    listed = '[project]\nname = "x"\ndependencies = ["HTTPX[http2]>=0.27"]\n'
    (tmp_path / "pyproject.toml").write_text(listed, "utf-8")
    assert project(helpers=helpers) == [("package", "src/helpers.py:1")]
    (finding,) = check_path(tmp_path)
    assert finding.fix == 'Add "pyyaml" to its dependencies.'


def test_code_is_read_and_never_run(project):
    assert project(helpers="raise SystemExit\ndef now(): return 1\n") == []


def test_a_module_alone_can_be_checked_and_a_missing_one_cannot(tmp_path):
    (tmp_path / "m.py").write_text("import tkinter\n", "utf-8")
    assert [f.place for f in check_path(tmp_path / "m.py")] == ["m.py:1"]
    with pytest.raises(UsageError, match="cannot be read"):
        check_path(tmp_path / "none.py")


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "project", sorted((ROOT / "tests" / "projects").glob("*/")), ids=lambda p: p.name
)
def test_projects_in_the_style_of_cloudflares_examples_have_nothing_to_find(project):
    if any((project / name).exists() for name in FILES):
        assert str(check_path(project)).startswith("nothing found in ")


@pytest.mark.parametrize("name", ["01_quickstart", "05_chatroom", "06_migrations", "08_workflow"])
def test_notebooks_that_teach_good_classes_have_nothing_to_find(name):
    assert str(check_path(ROOT / "notebooks" / f"{name}.ipynb")).startswith("nothing found in ")
