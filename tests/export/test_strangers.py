"""Notebooks and folders from strangers: an export writes its own files, inside its folder."""

import json
import os

import pytest

from dobook.errors import UsageError
from dobook.export import export_notebook

CODE = (
    "%%durable_object\nfrom workers import DurableObject\n\nclass Counter(DurableObject):\n    pass"
)
CELL = {"cell_type": "code", "source": CODE, "metadata": {}, "outputs": []}


def notebook(tmp_path, document):
    file = tmp_path / "notebook.ipynb"
    text = document if isinstance(document, (str, bytes)) else json.dumps(document)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.fixture
def good(tmp_path):
    return notebook(tmp_path, {"cells": [CELL], "metadata": {}})


FILES = ["src/entry.py", "wrangler.jsonc", "README.md", ".gitignore", ".dobook-export.json"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_in_the_folder_is_not_written_through(good, tmp_path, name, exists):
    folder, victim = tmp_path / "out", tmp_path / "victim"
    (folder / name).parent.mkdir(parents=True)
    if exists:
        victim.write_text("precious")
    (folder / name).symlink_to(victim)
    for force in (False, True):
        if name == ".dobook-export.json":
            export_notebook(good, folder, force=force)  # it is replaced
        else:
            with pytest.raises(UsageError, match="is a symbolic link"):
                export_notebook(good, folder, force=force)
        assert victim.exists() == exists
        if exists:
            assert victim.read_text() == "precious"


def test_a_linked_folder_is_not_written_into(good, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "src").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is a symbolic link"):
        export_notebook(good, tmp_path / "out", force=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has none")
def test_a_pipe_in_the_folder_is_not_waited_for(good, tmp_path):
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "wrangler.jsonc")
    with pytest.raises(UsageError, match="is a pipe"):
        export_notebook(good, tmp_path / "out", force=True)


ODD = [None, 5, 1.5, True, "text", [], {}, [5], {"tags": 5}, {"tags": None}, {"tags": {}}, [None]]


@pytest.mark.parametrize("metadata", ODD, ids=repr)
def test_odd_metadata_is_not_looked_at(tmp_path, metadata):
    file = notebook(tmp_path, {"cells": [{**CELL, "metadata": metadata}], "metadata": metadata})
    assert export_notebook(file, tmp_path / "out").files


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff\xfe",
        "null",
        "5",
        "[]",
        "{}",
        "[" * 100_000,
        '{"cells": ' + "[" * 100_000,
        *({"cells": value} for value in (None, 5, "text", [], {}, [5], [None], [[]], [{}])),
        *(
            {"cells": [CELL, {**CELL, key: value}]}
            for key, values in {
                "source": [None, 5, [5], [None], [[]], "\ud800"],
            }.items()
            for value in values
        ),
        *({"cells": [{**CELL, "cell_type": value}]} for value in (None, 5, [], "markdown")),
        {"cells": [{**CELL, "source": "("*10_000}]},
        {"cells": [{**CELL, "source": CODE.replace("\n", " --name ../../x\n", 1)}]},
        {"cells": [{**CELL, "source": CODE.replace("\n", " --name class\n", 1)}]},
        {"cells": [{**CELL, "source": CODE.replace("\n", ' --binding "x\'); import os; (\'"\n', 1)}]},
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_an_odd_notebook_is_refused_and_nothing_written(tmp_path, document):
    file = notebook(tmp_path, document)
    with pytest.raises(UsageError):
        export_notebook(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cell_nested_beyond_reason_is_left_out(tmp_path):
    deep = {**CELL, "source": "x = " + "-" * 200_000 + "1"}
    deeper = {**CELL, "source": "x = " + "(" * 50_000 + ")" * 50_000}
    file = notebook(tmp_path, {"cells": [deep, deeper, CELL]})
    assert export_notebook(file, tmp_path / "out").files


def test_a_name_never_becomes_a_path(good, tmp_path):
    report = export_notebook(good, tmp_path / "out", name="../../x\0/..")
    found = {p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("*")}
    assert found == {"notebook.ipynb", "out"}
    assert json.loads((report.folder / "package.json").read_text())["name"] == "x"
