"""What projects for Cloudflare's Python SDK lean on: handlers by date, imports, bindings of texts."""

import json

import pytest

from dobook.errors import ConfigurationError
from dobook.lint import check_path
from dobook.project import open_projects
from dobook.project.requests import Asked, answer

NEW = """
from workers import DurableObject, Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("new")
"""
OLD = NEW.replace("def fetch(self, request)", "def on_fetch(self, request, env)")
MODULE = """
from workers import Response

def on_fetch(request, env):
    return Response("module")
"""


def write(folder, code, files=(), **configuration):
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src" / "entry.py").write_text(code)
    for name, text in dict(files).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    given = {
        "name": "shapes",
        "main": "src/entry.py",
        "compatibility_date": "2026-04-01",
        "compatibility_flags": ["python_workers"],
        **configuration,
    }
    (folder / "wrangler.jsonc").write_text(json.dumps(given))
    (folder / "pyproject.toml").write_text('[project]\nname = "shapes"\nversion = "0.1"\n')


def body(folder, path="/"):
    with open_projects([folder]) as opened:
        return answer(opened.runtime, Asked.parse(path)).body


def warnings_of(folder):
    with open_projects([folder]) as opened:
        return " ".join(opened.projects[0].warnings)


@pytest.mark.parametrize("code", [NEW, OLD, MODULE])
def test_a_worker_answers_behind_its_files_whichever_way_it_is_written(tmp_path, code):
    public = {"public/page.txt": "a file"}
    write(tmp_path, code, public, assets={"directory": "./public"})
    assert body(tmp_path, "/page.txt") == "a file"
    assert body(tmp_path, "/") in ("new", "module")


@pytest.mark.parametrize(
    ("code", "date", "flags", "uncalled"),
    [
        (NEW, "2025-08-14", [], ""),
        (NEW, "2025-08-13", [], "fetch"),
        (NEW, "2025-08-13", ["python_no_global_handlers"], ""),
        (OLD, "2025-08-14", [], "on_fetch"),
        (OLD, "2025-08-13", [], ""),
        (OLD, "2026-01-01", ["disable_python_no_global_handlers"], ""),
        (MODULE, "2025-08-14", [], "on_fetch"),
        (MODULE, "2025-08-13", [], ""),
    ],
)
def test_a_handler_that_is_not_called_at_that_date_is_told_and_found(
    tmp_path, code, date, flags, uncalled
):
    write(tmp_path, code, compatibility_date=date, compatibility_flags=["python_workers", *flags])
    assert body(tmp_path) in ("new", "module")
    assert ("2025-08-14" in warnings_of(tmp_path)) == bool(uncalled)
    found = [f.what for f in check_path(tmp_path) if f.rule == "handler"]
    assert found == ([f"{uncalled}, which is not called"] if uncalled else [])


def test_a_package_that_is_missing_inside_a_module_is_named(tmp_path):
    helpers = {"src/common/helpers.py": "import not_installed_pkg\n"}
    write(tmp_path, f"from common import helpers\n{NEW}", helpers)
    with pytest.raises(ModuleNotFoundError, match="not_installed_pkg") as caught:
        body(tmp_path)
    assert caught.value.name == "not_installed_pkg"


def test_a_module_that_is_missing_is_still_an_import_error_of_its_name(tmp_path):
    write(tmp_path, f"from common import nothing\n{NEW}", {"src/common/__init__.py": ""})
    with pytest.raises(ImportError, match="nothing"):
        body(tmp_path)


def test_the_version_is_three_texts(tmp_path):
    code = NEW.replace(
        'Response("new")',
        "Response.json([self.env.V.id, self.env.V.tag, self.env.V.timestamp])",
    )
    write(tmp_path, code, version_metadata={"binding": "V"})
    assert json.loads(body(tmp_path)) == [
        "00000000-0000-0000-0000-000000000000",
        "",
        "2026-01-01T00:00:00Z",
    ]


def test_headers_are_read_by_the_sdks_idiom_from_either_request(tmp_path):
    code = NEW.replace(
        'return Response("new")',
        "both = [request, request.js_object]\n"
        "        return Response.json([[list(p) for p in r.headers.items()] for r in both])",
    )
    write(tmp_path, code)
    ours, js = json.loads(body(tmp_path))
    assert sorted(ours) == sorted(js)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [(">=3.99", True), (">= 3.99, <4", True), (">=3.8", False), ("==3.*", False)],
)
def test_a_project_for_a_newer_python_says_so_where_it_fails(tmp_path, wanted, told):
    write(tmp_path, "def broken(:\n")
    text = f'[project]\nname = "x"\nversion = "0.1"\nrequires-python = "{wanted}"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(SyntaxError) as caught:
        body(tmp_path)
    notes = getattr(caught.value, "__notes__", [])
    assert any("The project wants Python" in note for note in notes) == told


@pytest.mark.parametrize(
    ("files", "build", "said"),
    [
        ({}, {"command": "make site"}, "Its build makes it: make site"),
        ({"package.json": '{"scripts": {"build": "vite build"}}'}, {}, "npm run build"),
        ({"package.json": '{"scripts": {}}'}, {}, None),
        ({"package.json": "not json"}, {}, None),
        ({}, {}, None),
    ],
)
def test_assets_that_a_build_has_to_make_are_refused_with_its_command(tmp_path, files, build, said):
    write(tmp_path, NEW, files, assets={"directory": "./public"}, build=build)
    with pytest.raises(ConfigurationError, match="there is no such folder") as caught:
        body(tmp_path)
    assert (said or "").strip() in str(caught.value)
    assert ("Its build" in str(caught.value)) == (said is not None)
