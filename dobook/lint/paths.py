"""What to check: a project, a module, a notebook; and whether its configuration deploys."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dobook.errors import DeploymentError, UsageError
from dobook.export import Material, read_notebook
from dobook.export.cells import statements
from dobook.export.project import COMPATIBILITY_DATE
from dobook.export.selection import select
from dobook.lint.checking import check_sources, check_text
from dobook.lint.exports import check_exports, used_exports
from dobook.lint.findings import Finding, Findings, gather, silenced
from dobook.lint.packages import check_packages
from dobook.lint.sources import Names, Source
from dobook.wrangler import Configuration, load
from dobook.wrangler.migrations import plan

_SKIPPED = frozenset({".venv", ".venv-workers", "node_modules", "python_modules", "__pycache__"})


def check_path(path: str | Path) -> Findings:
    """Return what is wrong in a project's folder, a module or a notebook.

    Args:
        path: A folder with a wrangler configuration, the configuration itself, a `.py` or an
            `.ipynb` file.

    Raises:
        UsageError: If there is nothing of the kind, or the configuration cannot be read.
    """
    path = Path(path)
    if path.suffix == ".ipynb":
        return check_material(read_notebook(path))
    if path.suffix == ".py":
        try:
            return check_text(path.read_text("utf-8"), path.name)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read ({error}).") from error
    return _check_project(load(path))


def check_material(material: Material) -> Findings:
    """Return what is wrong with a notebook's classes, and with what they use from other cells."""
    found = list(statements(material.cells))
    chosen = select(found, material.roots)
    nodes: dict[int, list[ast.stmt]] = {}
    wanted = {s.place for s in chosen.body}
    imported = {id(node) for node, _ in chosen.imports}
    for statement in found:
        if statement.place in wanted or id(statement.node) in imported:
            nodes.setdefault(statement.place[0], []).append(statement.node)
    sources = [
        Source(
            cell.label,
            nodes[cell.number],
            cell.text.splitlines(),
            shift=1 if cell.magic else 0,
        )
        for cell in material.cells
        if cell.number in nodes
    ]
    notebook = [
        Finding(
            "notebook",
            None,
            "notebook",
            text.partition(". ")[0].rstrip("."),
            "The project would not have it.",
            text.partition(". ")[2] or "Define it in a cell of its own, or write its value.",
        )
        for text in chosen.warnings
    ]
    configuration = _check_configuration(material.configuration, [*material.objects])
    exports = check_exports(material.configuration, sources, Names(sources), [*material.objects])
    everything = [*check_sources(sources), *notebook, *configuration, *exports]
    return gather(everything, [*(s.name for s in sources), "notebook"])


def _check_project(configuration: Configuration) -> Findings:
    assert configuration.path is not None
    root, config = configuration.path.parent, configuration.path.name
    main = root / (configuration.main or "src/entry.py")
    if not main.is_file():
        what = f"main is {configuration.main!r}, which does not exist"
        why = "There is nothing to deploy."
        finding = Finding(config, None, "entry", what, why, "Name the entry module.")
        return gather([finding], [config])
    if main.suffix != ".py":
        raise UsageError(f"{main.name} is not a Python module: dobook checks Workers in Python.")
    sources, broken = [], []
    for file in _modules(root, main):
        name = file.relative_to(root).as_posix()
        text = file.read_text("utf-8")
        try:
            body = ast.parse(text).body
        except SyntaxError:
            broken += list(check_text(text, name))
            continue
        sources.append(Source(name, body, text.splitlines()))
    names = Names(sources)
    objects = [name for name, kind in names.kinds.items() if kind == "DurableObject"]
    findings = [
        *check_sources(sources),
        *broken,
        *check_packages(root, sources),
        *_check_configuration(configuration, objects),
        *_check_entry(configuration, names, config),
        *_unbound(configuration, objects, sources, config),
        *check_exports(configuration, sources, names, objects),
        *_uncalled(configuration, names, sources),
    ]
    return gather(findings, [*(s.name for s in sources), config])


def _modules(root: Path, main: Path) -> list[Path]:
    """Return the modules that are sent along: those beside the entry, which comes first."""
    files = sorted(main.parent.rglob("*.py"))
    inside = [f for f in files if not _SKIPPED.intersection(f.relative_to(main.parent).parts)]
    if main.parent == root:
        inside = [f for f in inside if f.relative_to(main.parent).parts[0] != "tests"]
    return [main, *(f for f in inside if f != main)]


def _check_configuration(configuration: Configuration, objects: Sequence[str]) -> Iterator[Finding]:
    file = "configuration" if configuration.path is None else configuration.path.name
    for warning in configuration.warnings:
        place, _, text = warning.partition(": ")
        line = int(place.rpartition(":")[2]) if place.rpartition(":")[2].isdigit() else None
        yield Finding(file, line, "configuration", text, "wrangler warns of it.", "See above.")
    own = {b.class_name for b in configuration.own_bindings}
    try:
        plan(configuration, configuration.name or "worker", {}, [*objects, *_moved(configuration)])
    except DeploymentError as error:
        notes = getattr(error, "__notes__", [])
        rule = "migration" if error.code != 10061 or own <= {*objects} else "binding"
        why = "Cloudflare would refuse the deployment."
        yield Finding(file, None, rule, str(error), why, " ".join(notes) or "Correct it.")


def _moved(configuration: Configuration) -> Iterable[str]:
    """Return classes that come from another Worker, of which nothing is known here."""
    return [t.target for m in configuration.migrations for t in m.transferred_classes]


def _check_entry(configuration: Configuration, names: Names, file: str) -> Iterator[Finding]:
    if "python_workers" not in configuration.compatibility_flags:
        what = "compatibility_flags lacks python_workers"
        fix = 'Write: compatibility_flags = ["python_workers"]'
        yield Finding(file, None, "configuration", what, "The Worker would be JavaScript.", fix)
    if configuration.compatibility_date is None:
        what = "there is no compatibility_date"
        fix = f'Write: compatibility_date = "{COMPATIBILITY_DATE}"'
        yield Finding(file, None, "configuration", what, "wrangler asks for one.", fix)
    if "WorkerEntrypoint" not in names.kinds.values() and "on_fetch" not in names.defined:
        what = "there is no class Default(WorkerEntrypoint)"
        why = "Nobody could send the Worker a request."
        fix = "Define it in the entry module; its fetch passes requests on to objects."
        yield Finding(file, None, "entry", what, why, fix)


def _uncalled(
    configuration: Configuration, names: Names, sources: Sequence[Source]
) -> Iterator[Finding]:
    """Find handlers that the platform does not call at this compatibility date.

    Source: cloudflare/workerd src/pyodide/python-entrypoint-helper.ts
    """
    legacy = configuration.has_global_handlers
    for source in sources:
        for node in source.body:
            named = {node.name: node} if isinstance(node, _FUNCTION) else {}
            of_class = isinstance(node, ast.ClassDef) and bool(names.kind(node))
            if isinstance(node, ast.ClassDef) and of_class:
                named = {n.name: n for n in node.body if isinstance(n, _FUNCTION)}
            for kind in _HANDLERS:
                asked, other = (f"on_{kind}", kind) if legacy else (kind, f"on_{kind}")
                if other in named and asked not in named and (of_class or not legacy):
                    what = f"{other}, which is not called"
                    since = "before" if legacy else "from"
                    why = f"With a compatibility_date {since} 2025-08-14 Cloudflare calls {asked}."
                    fix = (
                        f"Call it {asked}."
                        if of_class
                        else "Write a class Default(WorkerEntrypoint)."
                    )
                    line = named[other].lineno + source.shift
                    if not silenced(source.lines, named[other].lineno):
                        yield Finding(source.name, line, "handler", what, why, fix)


_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_HANDLERS = ("fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError")


def _unbound(
    configuration: Configuration, objects: Sequence[str], sources: Sequence[Source], file: str
) -> Iterator[Finding]:
    bases = {
        base.id
        for source in sources
        for node in source.body
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    }
    bound = {b.class_name for b in configuration.own_bindings}
    declared = {
        n for m in configuration.migrations for n in (*m.new_classes, *m.new_sqlite_classes)
    }
    used = used_exports(sources)  # without storage, that is a finding of its own
    for name in objects:
        if name not in bound | bases | declared | used:
            what = f"class {name} has no binding"
            fix = f'Add to durable_objects.bindings: name = "…", class_name = "{name}"'
            yield Finding(file, None, "binding", what, "Nobody could reach its objects.", fix)
