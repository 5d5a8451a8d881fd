"""The rules of the house: what every file of the project keeps to, whatever it does."""

import ast
import contextlib
import doctest
import importlib
import inspect
import io
import json
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
import traceback
from pathlib import Path

import pytest

import dobook
from docs.site.surface import MODULES
from tests import public_api

ROOT = Path(__file__).parent.parent
MAX_LINES = 400
MAX_WIDGET_LINES = 150


def tracked(*suffixes):
    """Return the project's own files: what git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        files = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:  # an unpacked archive
        files = [p for p in ROOT.rglob("*") if ".venv" not in p.parts]
    return sorted(
        p for p in files if p.is_file() and (not suffixes or p.suffix in suffixes) and p.exists()
    )


def relative(path):
    return path.relative_to(ROOT).as_posix()


def modules():
    """Return the names of dobook's modules, without the one that runs a command on import."""
    found = pkgutil.walk_packages(dobook.__path__, "dobook.")
    return ["dobook", *(m.name for m in found if m.name != "dobook.__main__")]


def run_tool(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------------- tools that can fail


def test_ruff_finds_nothing():
    run_tool("-m", "ruff", "check", "--no-fix", ".")


def test_everything_is_formatted():
    run_tool("-m", "ruff", "format", "--check", ".")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_types_hold():
    run_tool("-m", "mypy")


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_imports_point_downwards():
    run_tool("-c", "from importlinter.cli import lint_imports_command as run; run()")


# ---------------------------------------------------------------------- modules


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_there_and_in_order(name):
    module = importlib.import_module(name)
    assert [n for n in module.__all__ if not hasattr(module, n)] == []


def test_the_public_surface_is_the_one_agreed_on():
    """Run `python -m tests.public_api > tests/public_api.txt` after a change that is meant."""
    agreed = (ROOT / "tests" / "public_api.txt").read_text("utf-8").splitlines()
    assert [*public_api.lines()] == agreed


def test_what_tab_shows_is_what_is_public():
    assert dir(dobook) == sorted(dobook.__all__)
    with dobook.Runtime() as runtime:
        members = [name for name in dir(runtime) if not name.startswith("_")]
    assert len(members) <= 32
    assert [m for m in members if not inspect.getdoc(inspect.getattr_static(runtime, m))] == []


def test_every_public_module_is_pinned():
    public = {name for name in modules() if "__all__" in vars(importlib.import_module(name))}
    inner = {"codec", "explorer", "notebook", "runtime", "storage", "web", "workers"}
    outer = {n for n in public if n.count(".") < 2 and n.removeprefix("dobook.") not in inner}
    assert outer <= MODULES.keys()


def test_the_package_ships_its_types():
    assert (ROOT / "dobook" / "py.typed").exists()


# One class is one file, also where it takes more than MAX_LINES.
LONGER = {
    "dobook/errors.py": 600,
    "dobook/events.py": 600,
    "dobook/limits.py": 600,
    "dobook/runtime/calls/call.py": 600,
    "dobook/runtime/driving/runner.py": 600,
    "dobook/runtime/loop/loop.py": 600,
    "dobook/runtime/objects/instance.py": 600,
    "dobook/runtime/protocols.py": 600,
    "dobook/runtime/runtime.py": 700,
    "dobook/runtime/storage/operations.py": 600,
    "dobook/runtime/storage/stores.py": 600,
    "dobook/storage/connection.py": 600,
    "dobook/storage/directory.py": 600,
    "dobook/storage/own_state.py": 600,
    "dobook/storage/sql/session.py": 600,
    "dobook/storage/store.py": 600,
}


def test_no_module_is_longer_than_400_lines_but_for_a_short_list():
    long = {
        relative(p): lines
        for p in tracked(".py")
        if relative(p).startswith("dobook/")
        if (lines := len(p.read_text("utf-8").splitlines())) > LONGER.get(relative(p), MAX_LINES)
    }
    assert long == {}


def test_every_module_says_what_it_is():
    mute = [
        relative(p)
        for p in tracked(".py")
        if p.stat().st_size and not ast.get_docstring(ast.parse(p.read_text("utf-8")))
    ]
    assert mute == []


class Shell:
    """Runs the examples of a docstring as a shell does: `await` works at the top level.

    `sql` is there for the modules that have an object's database as their subject.
    """

    def __init__(self, runtime, names):
        self.runtime = runtime
        self.names = dict(names)

    def run(self, example):
        """Return what an example prints, or the last line of what it raises."""
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        said = io.StringIO()
        shown = sys.displayhook
        sys.displayhook = lambda value: None if value is None else print(repr(value))
        try:
            with contextlib.redirect_stdout(said):
                code = compile(example.source, "<example>", "single", flags)
                waiting = eval(code, self.names)
                if code.co_flags & inspect.CO_COROUTINE:
                    self.runtime.run(waiting)
        except Exception as error:
            if example.exc_msg is None:
                raise
            return "".join(traceback.format_exception_only(error))
        finally:
            sys.displayhook = shown
        return said.getvalue()


@pytest.fixture
def sql():
    """The SQL interface of an object, to be used from outside it."""

    class Subject:
        def __init__(self, ctx, env):
            self.ctx = ctx

        def touch(self):
            held.append(self.ctx.storage.sql)

    held = []
    with dobook.Runtime() as runtime:
        runtime.run(runtime.register(Subject).getByName("a").touch())
        yield held[0]


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_run(name, sql):
    module = importlib.import_module(name)
    checker = doctest.OutputChecker()
    with dobook.Runtime() as runtime:
        for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
            shell = Shell(runtime, {**vars(module), "sql": sql})
            for example in test.examples:
                got = shell.run(example)
                want = example.want if example.exc_msg is None else example.exc_msg
                if not checker.check_output(want, got, doctest.ELLIPSIS):
                    said = checker.output_difference(example, got, doctest.ELLIPSIS)
                    pytest.fail(f"{test.name}:\n{example.source}{said}", pytrace=False)


def test_every_limit_has_a_source():
    text = (ROOT / "dobook" / "limits.py").read_text("utf-8")
    without = []
    for block in text.split("\n\n"):
        source = re.search(r"#.*?(developers\.cloudflare\.com|cloudflare/workerd|\bsrc/)", block)
        without += [n for n in re.findall(r"^([A-Z_]+): Final", block, re.M) if not source]
    assert re.findall(r"^[A-Z_]+: Final", text, re.M)
    assert without == []


def test_importing_dobook_is_quick_and_brings_neither_jupyter_nor_pandas():
    code = (
        "import sys, time; began = time.perf_counter(); import dobook; "
        "print(time.perf_counter() - began); "
        "print(*sorted({'IPython', 'pandas', 'ipywidgets', 'anywidget', 'aiosqlite', 'uvicorn'}"
        " & sys.modules.keys()))"
    )
    best = 9.0
    for _ in range(5):
        seconds, loaded = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        assert loaded == ""
        best = min(best, float(seconds))
        if best < 0.15:
            break
    assert best < 0.15


def test_the_engine_runs_without_jupyter_and_pandas():
    code = (
        "import sys\n"
        "for name in ('IPython', 'pandas', 'ipywidgets', 'anywidget', 'traitlets'):\n"
        "    sys.modules[name] = None\n"
        "import dobook\n"
        "class A:\n"
        "    def __init__(self, ctx, env): ...\n"
        "    def one(self): return 1\n"
        "with dobook.Runtime() as runtime:\n"
        "    assert runtime.run(runtime.register(A).getByName('a').one()) == 1\n"
    )
    run_tool("-c", code)


# ---------------------------------------------------------------------- tests


def test_every_promise_names_its_source():
    files = sorted((ROOT / "tests" / "behaviour").glob("test_*.py"))
    assert len(files) >= 8
    for file in files:
        doc = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
        assert doc.startswith("Promise:"), file.name
        assert "Source:" in doc, file.name


def test_no_test_waits_for_real_time():
    waiting = re.compile(r"\btime\.sleep\(")
    found = [
        relative(p)
        for p in tracked(".py")
        if relative(p).startswith("tests/") and p != Path(__file__)
        if waiting.search(p.read_text("utf-8"))
    ]
    assert found == []


SQL = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE|EXPLAIN)\b")
NUMBERED_OR_NAMED = re.compile(r"\?\d|(?<![:\w])[:@$][A-Za-z_]")


def test_dobooks_own_sql_has_nameless_parameters_only():
    """Python 3.12.0 to 3.12.3 warn of numbered ones; of names without a mapping all later do."""
    found, seen = [], 0
    for file in tracked(".py"):
        if not relative(file).startswith("dobook/"):
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and SQL.match(text):
                seen += 1
                if NUMBERED_OR_NAMED.search(text):
                    found.append(f"{relative(file)}:{node.lineno}: {text}")
    assert found == []
    assert seen > 50


# ---------------------------------------------------------------------- what is committed

# Put together here so that this file does not find itself.
MACHINE = re.compile(
    r"(?<![\w:/.~-])/(?:home|root|work|tmp|Users|private|var)/[\w.-]+"
    r"|[A-Z]:\\\\?Users"
    r"|--(?:extra-)?index-url|PIP_INDEX_URL|registry\.npmjs|artifactory",
)


def test_no_file_mentions_a_machine_or_a_registry():
    found = []
    for file in tracked():
        if file == Path(__file__) or file.suffix in {".png", ".ico", ".woff2", ".sqlite"}:
            continue
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{relative(file)}: {hit[0]}" for hit in MACHINE.finditer(text)]
    assert found == []


def test_widgets_bring_everything_themselves():
    for file in tracked(".js"):
        if not relative(file).startswith("dobook/notebook/"):
            continue
        text = file.read_text("utf-8")
        assert not re.search(r"^\s*import\b|\bimport\s*\(|https?://", text, re.M), relative(file)
        assert len(text.splitlines()) <= MAX_WIDGET_LINES, relative(file)


def notebooks():
    return [p for p in tracked(".ipynb") if relative(p).startswith("notebooks/")]


@pytest.mark.parametrize("file", notebooks(), ids=relative)
def test_notebooks_are_committed_as_executed_from_top_to_bottom(file):
    document = json.loads(file.read_text("utf-8"))
    code = [c for c in document["cells"] if c["cell_type"] == "code" and c["source"]]
    assert [c["execution_count"] for c in code] == list(range(1, len(code) + 1))
    assert sum(bool(c["outputs"]) for c in code) >= len(code) / 2
    for cell in code:
        assert "execution" not in cell["metadata"], "nbstripout takes the timestamps away"
        # A UsageError has no traceback: IPython writes it as one line.
        errors = [
            o
            for o in cell["outputs"]
            if o["output_type"] == "error" or "".join(o.get("text", "")).startswith("UsageError")
        ]
        wanted = "raises-exception" in cell["metadata"].get("tags", [])
        assert bool(errors) == wanted, "".join(cell["source"])


def test_the_first_notebook_is_the_quickstart():
    from dobook.cli.quickstart import QUICKSTART

    assert (ROOT / QUICKSTART).exists()


@pytest.fixture(scope="module")
def magics(tmp_path_factory):
    """Every magic that `%load_ext dobook` brings, by how it is written."""
    code = (
        "import json, sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell()\n"
        "shell.run_line_magic('load_ext', 'dobook')\n"
        "found = {}\n"
        "for kind, sign in (('line', '%'), ('cell', '%%')):\n"
        "    for name, function in shell.magics_manager.magics[kind].items():\n"
        "        if (getattr(function, '__module__', None) or '').startswith('dobook'):\n"
        "            found[sign + name] = function.__doc__ or ''\n"
        "shell.run_line_magic('unload_ext', 'dobook')\n"
        "print('\\n' + json.dumps(found))\n"
    )
    home = tmp_path_factory.mktemp("ipython")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "IPYTHONDIR": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) >= 10
    return found


def test_every_magic_has_help_with_an_example(magics):
    poor = [
        written
        for written, doc in magics.items()
        if "Example" not in doc or written.lstrip("%") not in doc.partition("Example")[2]
    ]
    assert poor == []


def test_every_magic_appears_in_a_notebook(magics):
    sources = [
        "".join(cell["source"])
        for file in notebooks()
        for cell in json.loads(file.read_text("utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    text = "\n".join(sources)
    unseen = [
        written
        for written in magics
        if not re.search(rf"(?<!%){re.escape(written)}(?![\w%])", text, re.M)
    ]
    assert unseen == []


# ---------------------------------------------------------------------- the project's papers


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## (\d+\.\d+\.\d+\S*)", changelog, re.M)
    assert newest is not None
    assert project["version"] == dobook.__version__ == newest[1]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    date = re.search(rf"^## {re.escape(newest[1])} - (\S+)", changelog, re.M)
    assert date is not None
    assert f"\nversion: {newest[1]}\ndate-released: {date[1]}\n" in citation


def readme_commands():
    readme = (ROOT / "README.md").read_text("utf-8")
    return re.findall(r"^```sh\n(.*?)\n```$", readme, re.M | re.S)


def test_the_readme_has_two_commands_of_one_line():
    install, test = readme_commands()
    assert "\n" not in install + test
    assert install.endswith("dobook quickstart")
    assert test.endswith("-m pytest")


def test_ci_runs_the_test_command_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    (pattern,) = re.findall(r"sed -n '/(.*?)/p' README.md", script)
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert [line for line in lines if re.search(pattern, line)] == [readme_commands()[1]]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_script_in_the_readme_prints_what_it_says(capsys):
    readme = (ROOT / "README.md").read_text("utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```$", readme, re.M | re.S)
    exec(compile(script, "README.md", "exec"), {"__name__": "readme"})
    promised = re.findall(r"print\(.*\)  # (.*)", script)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(promised) == 2
    for line, promise in zip(printed, promised, strict=True):
        assert promise.startswith(line)


def test_links_between_documents_lead_somewhere():
    link = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")
    broken = [
        f"{relative(file)}: {target}"
        for file in tracked(".md")
        for target in link.findall(file.read_text("utf-8"))
        if "://" not in target and not (file.parent / target).exists()
    ]
    assert broken == []


def test_binder_pins_exactly_what_it_installs():
    lines = (ROOT / "binder" / "requirements.txt").read_text("utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert packages[-1] == "-e ."
    assert [p for p in packages[:-1] if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", p)] == []
    assert (ROOT / "binder" / "runtime.txt").read_text("utf-8") == "python-3.13\n"


def test_the_top_level_is_what_the_design_says():
    allowed = {
        *(".ci", ".gitattributes", ".github", ".gitignore", ".pre-commit-config.yaml"),
        *("CHANGELOG.md", "CITATION.cff", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE"),
        *("README.md", "SECURITY.md", "pyproject.toml"),
        *("benchmarks", "binder", "dobook", "docs", "notebooks", "tests"),
    }
    assert {relative(p).partition("/")[0] for p in tracked()} - allowed == set()
