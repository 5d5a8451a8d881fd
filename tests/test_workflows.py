"""What the workflows and CONTRIBUTING.md tell people and machines to run is there."""

import functools
import importlib.util
import itertools
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from dobook.cli import parser
from docs.release import notes, release_notes

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(p for p in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if p.stem != "config")
PINNED = re.compile(r"[\w.-]+/[\w.-]+@(?:release/)?(?:v\d+(?:\.\d+)*|[0-9a-f]{40})")
INSTALLED_BY_THE_JOB = {"uv"}  # not one of dobook's dependencies
OPERATORS = set("();<>|&")
LONGEST_MINUTES = 180


def names(files):
    return [file.name for file in files]


def load(file):
    return yaml.safe_load(file.read_text("utf-8"))


# ---------------------------------------------------------------------- commands of a workflow


def combinations(job):
    """Return what `matrix` is in each run of a job."""
    matrix = dict(job.get("strategy", {}).get("matrix", {}))
    added = matrix.pop("include", [])
    products = [
        dict(zip(matrix, each, strict=True)) for each in itertools.product(*matrix.values())
    ]
    return [each for each in [*products, *added] if each] or [{}]


def scripts(workflow):
    """Yield every shell script of a workflow, with the values it gets filled in."""
    for name, job in workflow["jobs"].items():
        for matrix in combinations(job):
            for step in job["steps"]:
                if "run" not in step:
                    continue
                text = re.sub(
                    r"\$\{\{ matrix\.(\w+) \}\}", lambda m, of=matrix: str(of[m[1]]), step["run"]
                )
                for scope in (step, job, workflow):
                    for variable, value in scope.get("env", {}).items():
                        text = text.replace(f"${{{{ env.{variable} }}}}", str(value))
                yield name, text


def commands(script):
    """Yield the commands of a shell script, each as a list of words."""
    for line in script.replace("\\\n", " ").splitlines():
        words = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for word in lexer:
            if set(word) <= OPERATORS:
                yield words
                words = []
            else:
                words.append(word)
        yield words


# ---------------------------------------------------------------------- whether a command can run


def faults(words, config):
    """Return what a command names that does not exist; nothing for commands of others."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if not words:
        return []
    program, *arguments = words
    name = Path(program).name
    if re.fullmatch(r"python3?", name) and arguments[:1] == ["-m"]:
        return module_faults(arguments[1], arguments[2:], config)
    if name == "pytest":
        return pytest_faults(arguments, config)
    if name == "dobook":
        return dobook_faults(arguments)
    if program.startswith(".ci/") and not os.access(ROOT / program, os.X_OK):
        return [f"{program} is not a program"]
    return []


def module_faults(module, arguments, config):
    if module in INSTALLED_BY_THE_JOB:
        return []
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        return [f"there is no module {module}"]
    if module == "pytest":
        return pytest_faults(arguments, config)
    if module == "coverage" and arguments[:2] == ["run", "-m"]:
        return module_faults(arguments[2], arguments[3:], config)
    if module.partition(".")[0] not in {"benchmarks", "docs", "dobook", "tests"}:
        return []
    if not arguments:
        return []
    text = usage(module)
    listed = re.findall(r"(--[\w-]+\s+)?\{([\w,-]+)\}", text)
    choices = [set(each.split(",")) for option, each in listed if not option]
    wrong = [w for w in arguments if w.startswith("-") and not re.search(rf"{w}\b", text)]
    if choices and not any(set(arguments) & each for each in choices):
        wrong.append(f"none of {choices}")
    return [f"{module} has no {each}" for each in wrong]


@functools.cache
def usage(module):
    """Return what a module of this project prints for `--help`, and nothing if it takes none."""
    spec = importlib.util.find_spec(module)
    file = Path(spec.origin)
    if file.name == "__init__.py":
        file = file.with_name("__main__.py")
    if "argparse" not in file.read_text("utf-8"):
        return ""
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def pytest_faults(arguments, config):
    known, unknown = config._parser.parse_known_and_unknown_args(arguments)
    of_folders = "".join(p.read_text("utf-8") for p in (ROOT / "tests").rglob("conftest.py"))
    wrong = [
        f"pytest has no {each}"
        for each in unknown
        if each.startswith("-") and f'"{each}"' not in of_folders
    ]
    paths = [str(each).partition("::")[0] for each in [*known.file_or_dir, *(known.ignore or [])]]
    return wrong + [
        f"{p} does not exist" for p in paths if not p.isupper() and not (ROOT / p).exists()
    ]


def dobook_faults(arguments):
    try:
        parser().parse_args(arguments)
    except SystemExit as end:
        return [f"dobook does not take {arguments}"] if end.code else []
    return []


# ---------------------------------------------------------------------- the workflows


@pytest.mark.parametrize("file", WORKFLOWS, ids=names(WORKFLOWS))
def test_every_job_ends_and_has_no_more_rights_than_it_needs(file):
    workflow = load(file)
    assert {"name", "permissions", "concurrency", "jobs"} <= workflow.keys()
    assert workflow["permissions"] == {"contents": "read"}
    assert "group" in workflow["concurrency"]
    for name, job in workflow["jobs"].items():
        assert 0 < job["timeout-minutes"] <= LONGEST_MINUTES, name
        assert (
            set(job.get("needs", [])) <= workflow["jobs"].keys() or job["needs"] in workflow["jobs"]
        )


@pytest.mark.parametrize("file", WORKFLOWS, ids=names(WORKFLOWS))
def test_every_action_is_pinned_to_a_version(file):
    used = [
        step["uses"]
        for job in load(file)["jobs"].values()
        for step in job["steps"]
        if "uses" in step
    ]
    assert [each for each in used if not PINNED.fullmatch(each)] == []


@pytest.mark.slow
@pytest.mark.parametrize("file", WORKFLOWS, ids=names(WORKFLOWS))
def test_every_command_of_a_workflow_names_what_exists(file, pytestconfig):
    seen, wrong = 0, []
    for job, script in scripts(load(file)):
        for words in commands(script):
            seen += 1
            wrong += [f"{job}: {fault}" for fault in faults(words, pytestconfig)]
    assert wrong == []
    assert seen


def test_what_the_engines_jobs_leave_out_is_run_by_another_job(pytestconfig):
    workflow = load(GITHUB / "workflows" / "ci.yml")
    left_out = {each.removeprefix("--ignore=") for each in workflow["env"]["ELSEWHERE"].split()}
    run = set()
    for _, script in scripts(workflow):
        for words in commands(script):
            if "pytest" in words and "tests" not in words:
                run |= {word for word in words if word.startswith("tests/")}
    assert left_out <= run


def test_the_last_job_of_ci_waits_for_all_others():
    jobs = load(GITHUB / "workflows" / "ci.yml")["jobs"]
    assert set(jobs["passed"]["needs"]) == jobs.keys() - {"passed"}


def test_ci_runs_every_python_that_the_project_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    promised = {
        each.rpartition(" ")[2] for each in project["classifiers"] if "Python :: 3." in each
    }
    jobs = load(GITHUB / "workflows" / "ci.yml")["jobs"]
    assert set(jobs["engine"]["strategy"]["matrix"]["python"]) == promised


@pytest.mark.parametrize("file", FORMS, ids=names(FORMS))
def test_every_issue_form_can_be_filled_in(file):
    form = load(file)
    assert {"name", "description", "body"} <= form.keys()
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert asked
    assert len({part["id"] for part in asked}) == len(asked)
    assert all(part["attributes"]["label"] for part in asked)


# ---------------------------------------------------------------------- CONTRIBUTING.md


def told():
    """Return what CONTRIBUTING.md says to run: lines of shell, and code in tables."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S))
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return "\n".join(line.partition("#")[0] for line in blocks.splitlines()), re.findall(
        r"`([^`\n]+)`", rest
    )


@pytest.mark.slow
def test_every_command_of_the_contributors_page_names_what_exists(pytestconfig):
    blocks, spans = told()
    found = [*commands(blocks), *itertools.chain.from_iterable(map(commands, spans))]
    assert [fault for words in found for fault in faults(words, pytestconfig)] == []
    assert sum("pytest" in words for words in found) > 5


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("python -m docs.nothing", "there is no module docs.nothing"),
        ("python -m docs.site --fast", "docs.site has no --fast"),
        ("python -m pytest tests/nothing", "tests/nothing does not exist"),
        ("A=1 .venv/bin/python -m pytest tests --quick", "pytest has no --quick"),
        ("python -m coverage run -m pytest --ignore=x tests", "x does not exist"),
        ("dobook fly", "dobook does not take ['fly']"),
        (".ci/nothing", ".ci/nothing is not a program"),
    ],
)
def test_a_command_that_names_what_does_not_exist_is_found(command, fault, pytestconfig, capsys):
    (words,) = commands(command)
    assert faults(words, pytestconfig) == [fault]
    capsys.readouterr()


# ---------------------------------------------------------------------- a release

CHANGELOG = (
    "# Changelog\n\n## Unreleased\n\n- later\n\n## 0.2.0 - 2027-01-05\n\n- new\n\n## 0.1.0\n"
)


def test_the_notes_of_a_release_are_its_part_of_the_changelog():
    assert notes(CHANGELOG, "0.2.0") == "- new"


@pytest.mark.parametrize(
    ("changelog", "version", "text"),
    [
        (CHANGELOG, "0.3.0", "is 0.2.0, not 0.3.0"),
        ("# Changelog\n", "0.1.0", "is none, not 0.1.0"),
        ("## 0.1.0\n", "0.1.0", "says nothing about 0.1.0"),
    ],
)
def test_a_version_without_a_part_of_its_own_is_refused(changelog, version, text):
    with pytest.raises(ValueError, match=text):
        notes(changelog, version)


def test_a_tag_is_the_version_of_the_project():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert release_notes(ROOT, f"v{version}")
    with pytest.raises(ValueError, match="so the tag is"):
        release_notes(ROOT, "v99.0.0")
