"""The `dobook` command."""

import json
import subprocess
import sys

import pytest

import dobook
from dobook.cli import main


def test_version_is_the_packages(capsys):
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"dobook {dobook.__version__}\n"


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "dobook", "version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"dobook {dobook.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["nonsense"]])
def test_without_a_command_it_says_how_it_is_used(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: dobook" in capsys.readouterr().err


def test_a_missing_notebook_is_named(capsys, tmp_path):
    assert main(["quickstart", "--notebook", str(tmp_path / "none.ipynb")]) == 1
    assert "none.ipynb does not exist" in capsys.readouterr().err


def test_without_a_clone_the_lessons_are_said_to_be_in_one(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dobook, "__file__", str(tmp_path / "site-packages/dobook/__init__.py"))
    assert main(["quickstart"]) == 1
    assert "the lessons come with a clone of dobook" in capsys.readouterr().err


def test_a_refused_deployment_says_what_to_do(capsys, tmp_path):
    bindings = {"bindings": [{"name": "ROOM", "class_name": "Room"}]}
    values = {"name": "chat", "main": "entry.py", "durable_objects": bindings}
    (tmp_path / "wrangler.json").write_text(json.dumps(values), "utf-8")
    (tmp_path / "entry.py").write_text("from workers import DurableObject\n", "utf-8")
    assert main(["run", str(tmp_path), "--request", "GET /"]) == 1
    said = capsys.readouterr().err
    assert "class 'Room' that is not exported by script" in said
    assert "Define the class Room in the entry module" in said


def notebook(path, *sources):
    cells = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for n, source in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    document = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4}
    path.write_text(json.dumps({**document, "nbformat_minor": 5}))
    return path


@pytest.fixture
def needs_nbconvert():
    pytest.importorskip("nbconvert", reason="an extra: dobook[notebook]")


@pytest.mark.slow
@pytest.mark.usefixtures("needs_nbconvert")
@pytest.mark.filterwarnings("default")
def test_a_notebook_is_executed_and_left_as_a_page(capsys, tmp_path):
    file = notebook(tmp_path / "03_small.ipynb", "6 * 7")
    assert main(["quickstart", "--notebook", str(file), "--output", str(tmp_path / "out")]) == 0
    page = tmp_path / "out" / "small.html"
    assert str(page) in capsys.readouterr().out
    assert ">42<" in page.read_text("utf-8").replace("\n", "")
    assert json.loads(file.read_text())["cells"][0]["outputs"] == [], "the notebook stays as it is"


@pytest.mark.slow
@pytest.mark.usefixtures("needs_nbconvert")
@pytest.mark.filterwarnings("default")
def test_a_cell_that_raises_ends_it_with_the_traceback(capsys, tmp_path):
    file = notebook(tmp_path / "small.ipynb", "1 / 0")
    assert main(["quickstart", "--notebook", str(file), "--output", str(tmp_path / "out")]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------------- dobook state check


@pytest.fixture
def state(tmp_path):
    """A state directory with one object."""

    class Box:
        def __init__(self, ctx, env):
            self.storage = ctx.storage

        async def put(self):
            await self.storage.put("k", 1)

    with dobook.Runtime(tmp_path / "state") as runtime:
        runtime.run(runtime.register(Box).getByName("a").put())
    return tmp_path / "state"


def test_a_good_state_directory_ends_with_0(capsys, state):
    assert main(["state", "check", str(state)]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"{state}: 1 object of 1 class, all right."


def test_damage_ends_with_1_and_says_what_happens(capsys, state):
    (state / ".dobook" / "state.sqlite").write_bytes(b"not what it was\n" * 400)
    assert main(["state", "check", str(state)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{state}: 1 object of 1 class, 1 finding of damage."
    assert said[1].startswith("damage .dobook/state.sqlite: it is not a SQLite database")
    assert said[1].endswith("It is set aside, and the names are made again from the ledger.")


def test_a_report_for_programs_is_json(capsys, state):
    assert main(["state", "check", "--json", str(state)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["objects"], report["classes"], report["damage"], report["in_use"]) == (
        *(1, 1, 0),
        False,
    )
    assert {finding["level"] for finding in report["findings"]} == {"ok"}


@pytest.mark.parametrize("what", ["missing", "a file"])
def test_what_cannot_be_looked_at_ends_with_2(capsys, tmp_path, what):
    if what == "a file":
        (tmp_path / "state").write_text("x", "utf-8")
    assert main(["state", "check", str(tmp_path / "state")]) == 2
    captured = capsys.readouterr()
    assert "is not a directory" in captured.err
    assert "Traceback" not in captured.err
