"""Writing a project again: the same files, a difference, and nothing of a hand's work lost."""

import pytest

from dobook.cli import main
from dobook.errors import UsageError
from dobook.export import export_notebook

CELL = (
    "%%durable_object\nfrom workers import DurableObject\n\n\nclass A(DurableObject):\n    n = 1\n"
)


def statuses(report):
    return {f.path: f.status for f in report.files}


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_notebook_gives_the_same_files(notebook, tmp_path):
    path = notebook(CELL)
    export_notebook(path, tmp_path / "a")
    export_notebook(path, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert set(statuses(export_notebook(path, tmp_path / "a")).values()) == {"unchanged"}


def test_a_changed_notebook_updates_what_nobody_has_edited_and_shows_how(notebook, tmp_path):
    folder = tmp_path / "a"
    export_notebook(notebook(CELL), folder)
    report = export_notebook(notebook(CELL.replace("n = 1", "n = 2")), folder)
    assert statuses(report)["src/entry.py"] == "updated"
    assert "-    n = 1\n+    n = 2\n" in report.diff
    assert "n = 2" in (folder / "src/entry.py").read_text("utf-8")
    assert report.kept == []


def test_what_was_edited_by_hand_is_left_alone_until_forced(notebook, tmp_path):
    folder = tmp_path / "a"
    export_notebook(notebook(CELL), folder)
    entry = folder / "src/entry.py"
    entry.write_text(entry.read_text("utf-8") + "# mine\n", "utf-8")
    changed = notebook(CELL.replace("n = 1", "n = 2"))
    for _ in range(2):  # also the second time
        report = export_notebook(changed, folder)
        assert statuses(report)["src/entry.py"] == "edited"
        assert report.kept == ["src/entry.py"]
        assert "-# mine\n" in report.diff
        assert "# mine" in entry.read_text("utf-8")
    report = export_notebook(changed, folder, force=True)
    assert statuses(report)["src/entry.py"] == "overwritten"
    assert "# mine" not in entry.read_text("utf-8")


def test_a_folder_that_was_there_before_is_not_taken_over(notebook, tmp_path):
    folder = tmp_path / "a"
    (folder / "src").mkdir(parents=True)
    (folder / "src/entry.py").write_text("precious", "utf-8")
    report = export_notebook(notebook(CELL), folder)
    assert (folder / "src/entry.py").read_text("utf-8") == "precious"
    assert report.kept == ["src/entry.py"]


def test_a_folder_that_is_a_file_is_refused(notebook, tmp_path):
    (tmp_path / "a").write_text("", "utf-8")
    with pytest.raises(UsageError, match="cannot be written"):
        export_notebook(notebook(CELL), tmp_path / "a")


def test_the_command_says_what_it_wrote(notebook, tmp_path, capsys):
    path = notebook(CELL)
    assert main(["export", str(path), str(tmp_path / "a"), "--name", "My Shop"]) == 0
    assert "new         src/entry.py" in capsys.readouterr().out
    assert '"name": "my-shop"' in (tmp_path / "a/wrangler.jsonc").read_text("utf-8")
    assert main(["export", str(tmp_path / "none.ipynb"), str(tmp_path / "a")]) == 1
    assert "cannot be read as a notebook" in capsys.readouterr().err
