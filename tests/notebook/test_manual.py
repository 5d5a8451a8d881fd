"""The notebooks are the manual: every option and every live view is in one; every frame says what it is."""

import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import pytest

import dobook.notebook
from dobook.notebook.core.view import View
from dobook.notebook.extension import session_of

ROOT = Path(__file__).parents[2]
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def sources():
    for book in BOOKS:
        for cell in json.loads(book.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                yield book.name, "".join(cell["source"])


def lines_of(name):
    """Every line of the notebooks that uses a magic."""
    used = re.compile(
        rf"(?:^|=\s*|['\"])%{{1,2}}{name}\b(.*)$|run_line_magic\(['\"]{name}['\"](.*)$"
    )
    for _, source in sources():
        for line in source.splitlines():
            if found := used.search(line.strip()):
                yield found[1] or found[2] or ""


def test_every_option_of_every_magic_is_in_a_notebook(shell):
    missing = []
    for family in session_of(shell).families:
        for methods in family.magics.values():
            for name, method in methods.items():
                text = "\n".join(lines_of(name))
                for action in method.parser._actions:
                    options = [o for o in action.option_strings if o != "--help"]
                    used = any(re.search(rf"(?<![\w-]){o}(?![\w-])", text) for o in options)
                    if options and not used:
                        missing.append(f"%{name} {options[-1]}")
    assert sorted(set(missing)) == []


def views():
    for module in pkgutil.walk_packages(dobook.notebook.__path__, "dobook.notebook."):
        if module.name.endswith("_view"):
            importlib.import_module(module.name)
    pending = [View]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if kind.__module__.startswith("dobook.") and kind.look is not View.look and kind.file:
            yield kind


def test_every_live_view_is_in_a_notebook():
    text = "\n".join(source for _, source in sources())
    shown = {kind.__name__: kind.shown_by for kind in views() if not kind.__subclasses__()}
    assert len(shown) >= 8
    absent = [n for n, by in shown.items() if not by or not re.search(by, text, re.MULTILINE)]
    assert absent == []


def frames():
    for module in pkgutil.walk_packages(dobook.notebook.__path__, "dobook.notebook."):
        if ".exercises." in module.name:
            continue
        for name, function in inspect.getmembers(importlib.import_module(module.name)):
            made_here = getattr(function, "__module__", "") == module.name
            if name.endswith("_frame") and inspect.isfunction(function) and made_here:
                yield f"{module.name}.{name}", function


@pytest.mark.parametrize(
    ("name", "function"), [*frames()], ids=lambda v: v if type(v) is str else ""
)
def test_every_frame_states_its_columns_the_empty_case_and_its_attributes(name, function):
    if name.endswith((".make_frame", "._frame")):
        return
    doc = " ".join((inspect.getdoc(function) or "").split())
    for word in ("Index: ", "Columns", "same columns", "`.attrs`"):
        assert word in doc, word
