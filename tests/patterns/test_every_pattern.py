"""Each pattern is one file that a Cloudflare project can take as it is."""

import ast
import inspect
import re
import sys
from pathlib import Path

import pytest

from dobook import patterns
from dobook.lint import check_text

FOLDER = Path(patterns.__file__).parent
PLATFORM = {"js", "pyodide", "workers"}


@pytest.mark.parametrize("name", patterns.__all__)
def test_it_imports_only_the_standard_library_and_the_platform(name):
    tree = ast.parse((FOLDER / f"{patterns.module_of(name)}.py").read_text("utf-8"))
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            roots.add(node.module.partition(".")[0])
    assert "workers" in roots
    assert roots - PLATFORM - set(sys.stdlib_module_names) == set()


@pytest.mark.parametrize("name", patterns.__all__)
def test_its_file_defines_one_class_with_documented_methods(name):
    cls = getattr(patterns, name)
    tree = ast.parse((FOLDER / f"{patterns.module_of(name)}.py").read_text("utf-8"))
    assert [node.name for node in tree.body if isinstance(node, ast.ClassDef)] == [name]
    public = [f for n, f in vars(cls).items() if inspect.isfunction(f) and not n.startswith("_")]
    assert public
    assert all(f.__doc__ for f in public)
    assert "Example:" in cls.__doc__


@pytest.mark.parametrize("name", patterns.__all__)
def test_nothing_in_it_would_fail_on_cloudflare(name):
    file = f"{patterns.module_of(name)}.py"
    assert list(check_text((FOLDER / file).read_text("utf-8"), file)) == []


def test_no_file_is_left_out():
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert files == {patterns.module_of(name) for name in patterns.__all__}


def test_importing_the_package_imports_none_of_them():
    assert sorted(patterns.__all__) == patterns.__all__
    assert set(patterns.__all__) <= set(dir(patterns))
    with pytest.raises(AttributeError, match="Nothing"):
        patterns.Nothing  # noqa: B018


def test_two_patterns_in_one_notebook_do_not_change_each_other():
    # All cells share one namespace: a name of the module that two files give different meanings
    # would belong to the one that ran last.
    meanings = {}
    for file in FOLDER.glob("*.py"):
        if file.stem == "__init__":
            continue
        for node in ast.parse(file.read_text("utf-8")).body:
            names = []
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = [node.name]
            elif isinstance(node, ast.Assign):
                names = [target.id for target in node.targets]
            for name in names:
                meanings.setdefault(name, set()).add(ast.unparse(node))
    assert {name for name, found in meanings.items() if len(found) > 1} == set()


def test_every_pattern_is_on_its_page():
    page = (FOLDER.parent.parent / "docs" / "patterns.md").read_text("utf-8")
    assert sorted(re.findall(r"^\| `(\w+)`", page, re.M)) == patterns.__all__
