"""The files of a project: the module, its configuration, a test, and the next steps.

The same notebook gives the same files: no dates, no paths, no chance.
"""

import ast
import dataclasses
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dobook.errors import UsageError
from dobook.export.cells import statements
from dobook.export.entry import WIDTH, module_text, third_party
from dobook.export.material import Material
from dobook.export.selection import Selection, select
from dobook.wrangler import Configuration
from dobook.wrangler.writing import as_values, json_text

# What dobook behaves like: ctx.id.name is set, deleteAll deletes the alarm as well.
COMPATIBILITY_DATE: Final = "2026-03-15"
COMPATIBILITY_FLAGS: Final = ("python_workers",)
MAIN: Final = "src/entry.py"
_UNSUPPORTED: Final = "add its binding to wrangler.jsonc by hand"


@dataclass(frozen=True, slots=True)
class Project:
    """A project to be written.

    Attributes:
        files: Paths, relative to its folder, with their texts.
        warnings: What has to be looked after by hand.
    """

    files: dict[str, str]
    warnings: tuple[str, ...] = ()


def make_project(material: Material, name: str | None = None) -> Project:
    """Return a deployable project.

    Args:
        material: The notebook.
        name: What the Worker is called; by default what its configuration says, else the
            notebook's name.

    Raises:
        UsageError: If there is no class to deploy.
    """
    configuration = complete(material, name)
    objects = {b.class_name for b in configuration.own_bindings}
    gone = _gone(configuration)
    written = {c: code for c, code in material.objects.items() if c not in gone}
    missing = sorted(objects - written.keys())
    if missing:
        raise UsageError(
            f"the configuration binds {', '.join(missing)}, which no %%durable_object cell defines."
        )
    if not written:
        raise UsageError("there is no class of Durable Objects to export yet.")
    material = dataclasses.replace(material, objects=written)
    found = select(statements(material.cells), material.roots)
    entry = _entry(material, configuration, found)
    title = str(configuration.name)
    files = {
        MAIN: entry,
        "wrangler.jsonc": _wrangler(configuration),
        "pyproject.toml": _pyproject(title, third_party(found.imports)),
        "package.json": _package(title),
        "tests/test_entry.py": _test(configuration, material.objects),
        "README.md": _readme(title, configuration),
        ".gitignore": ".venv/\n.venv-workers/\n.wrangler/\nnode_modules/\npython_modules/\n"
        "__pycache__/\nstate/\n",
    }
    warnings = list(found.warnings)
    packages = third_party(found.imports)
    if packages:
        warnings.append(
            f"pyproject.toml depends on {', '.join(packages)}, named as they are imported. Check the "
            "names, and that Pyodide has them; put files of your own beside src/entry.py instead."
        )
    warnings += [f"env.{b.name} is {b.kind}: {_UNSUPPORTED}." for b in configuration.unsupported]
    return Project(files, tuple(dict.fromkeys(warnings)))


def complete(material: Material, name: str | None) -> Configuration:
    """Return the configuration with everything that a deployment needs."""
    given = material.configuration
    flags = dict.fromkeys([*given.compatibility_flags, *COMPATIBILITY_FLAGS])
    title = name or given.name
    if title is None or title == "dobook":  # the name of a notebook's Worker without one
        title = material.name
    return dataclasses.replace(
        given,
        name=worker_name(title),
        main=MAIN,
        compatibility_date=given.compatibility_date or COMPATIBILITY_DATE,
        compatibility_flags=tuple(flags),
    )


def _gone(configuration: Configuration) -> set[str]:
    """Return the classes that the migrations have renamed or deleted."""
    gone: set[str] = set()
    for migration in configuration.migrations:
        gone.update(migration.deleted_classes, (r.source for r in migration.renamed_classes))
        gone -= {r.target for r in migration.renamed_classes}
        gone -= {*migration.new_classes, *migration.new_sqlite_classes}
        gone -= {t.target for t in migration.transferred_classes}
    return gone


def worker_name(text: str) -> str:
    """Return a text as a name that Cloudflare takes for a Worker.

    Example:
        >>> worker_name("My Chat_Room.2")
        'my-chat-room-2'
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")
    return name or "notebook"


def snake_case(name: str) -> str:
    """Return a class's name as a test's name has it.

    Example:
        >>> snake_case("RateLimiter")
        'rate_limiter'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


# ---------------------------------------------------------------------- the files

_ROUTER = '''class Default(WorkerEntrypoint):
    """Sends a request to the object that its path names: /BINDING/name/path."""

    async def fetch(self, request):
        parts = urlsplit(request.url).path.split("/", 3)
        if len(parts) < 3 or parts[1] not in ({bindings}) or not parts[2]:
            return Response("Not found. Try /{first}/name", status=404)
        stub = getattr(self.env, parts[1]).getByName(parts[2])
        return await stub.fetch(request)
'''


def _entry(material: Material, configuration: Configuration, found: Selection) -> str:
    extra, imports = [], list(found.imports)
    for deployed, written in material.objects.items():
        if deployed != written:
            extra.append(f'class {deployed}({written}):\n    """{written}, as it is deployed."""\n')
    if material.worker is None:
        bindings = [b.name for b in configuration.own_bindings]
        shown = ", ".join(f'"{name}"' for name in bindings) + ("," if len(bindings) == 1 else "")
        extra.append(_ROUTER.format(bindings=shown, first=bindings[0] if bindings else "BINDING"))
        needed = (
            "from urllib.parse import urlsplit",
            "from workers import Response, WorkerEntrypoint",
        )
        for line in needed:
            node = ast.parse(line).body[0]
            assert isinstance(node, ast.ImportFrom)
            imports.append((node, frozenset(a.name for a in node.names)))
    elif material.worker != "Default":
        extra.append(
            f'class Default({material.worker}):\n    """Answers requests from outside."""\n'
        )
    title = f"{configuration.name}: Durable Objects, exported from a notebook by dobook."
    return module_text(title, imports, found.body, extra)


def _wrangler(configuration: Configuration) -> str:
    values = {"$schema": "node_modules/wrangler/config-schema.json", **as_values(configuration)}
    return json_text(values)


def _pyproject(name: str, packages: list[str]) -> str:
    listed = ", ".join(f'"{p}"' for p in packages)
    return f'''[project]
name = "{name}"
version = "0.1.0"
description = "Durable Objects, exported from a notebook by dobook"
requires-python = ">=3.12"
dependencies = [{listed}] # what Pyodide has or pure Python wheels; they are sent along

[dependency-groups]
dev = ["dobook", "pytest", "workers-py"]

[tool.pytest.ini_options]
pythonpath = ["src"]
testpaths = ["tests"]
'''


def _package(name: str) -> str:
    values = {
        "name": name,
        "version": "0.1.0",
        "private": True,
        "scripts": {
            "dev": "uv run pywrangler dev",
            "deploy": "uv run pywrangler deploy",
            "check": "wrangler deploy --dry-run",
        },
        "devDependencies": {"wrangler": "^4.71.0"},
    }
    return json.dumps(values, indent=2) + "\n"


def _test(configuration: Configuration, classes: Iterable[str]) -> str:
    bound = {b.class_name for b in configuration.own_bindings}
    unbound = [name for name in classes if name not in bound]  # ctx.exports reaches them
    tests = [
        f'''
def test_{snake_case(name)}_starts(project):
    assert project.starts("{name}/example")
'''
        for name in [*(b.name for b in configuration.own_bindings), *unbound]
    ]
    return f'''"""The exported classes under dobook, in virtual time: no server, no waiting.

Fixtures of dobook: `durable_objects`, `clock` (clock.advance("1h")) and `stub`.
"""

from pathlib import Path

import entry
import pytest


@pytest.fixture
def project(durable_objects):
    """The Worker as wrangler.jsonc deploys it."""
    durable_objects.deploy(Path(__file__).parent.parent, entry)
    return durable_objects


def test_the_configuration_deploys(project):
    assert {_names(configuration)} <= {{*project.env.names()}}

{chr(10).join(tests)}'''


def _names(configuration: Configuration) -> str:
    names = sorted({b.class_name: b.name for b in reversed(configuration.own_bindings)}.values())
    if not names:
        return "set()"
    line = "{" + ", ".join(f'"{n}"' for n in names) + "}"
    if len(line) < WIDTH - 71:
        return line
    return "\n".join(["{", *(f'        "{n}",' for n in names), "    }"])


def _readme(name: str, configuration: Configuration) -> str:
    rows = "\n".join(f"| `env.{b.name}` | `{b.class_name}` |" for b in configuration.own_bindings)
    return f"""# {name}

Durable Objects written in a notebook with dobook, as a project for Cloudflare Workers.

| Binding | Class |
| --- | --- |
{rows}

## Try it here

```sh
pip install dobook pytest
pytest                                # the classes under dobook, in virtual time
dobook run . --request "GET /"        # a request, answered in virtual time
dobook check .                        # what would not run on Cloudflare
```

## Deploy it

With [uv](https://docs.astral.sh/uv/) and [Node.js](https://nodejs.org/):

```sh
npm install
npm run check                         # what would be uploaded
uv run pywrangler dev                 # Cloudflare's own engine on this machine
uv run pywrangler deploy
```

`migrations` in `wrangler.jsonc` are applied once each, in order. Never change one that has been deployed; add another.
"""
