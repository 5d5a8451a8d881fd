"""Whether a project's `pyproject.toml` lists the packages that its modules import."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from dobook.lint import knowledge
from dobook.lint.findings import Finding, silenced
from dobook.lint.sources import Source

# What the platform brings.
PROVIDED: Final = frozenset({
    "_pyodide", "asgi", "cloudflare", "js", "micropip", "pyodide", "pyodide_js", "workers",
})  # fmt: skip

# Packages that are imported by another name.
NAMES: Final = {
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "multipart": "python-multipart",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def check_packages(root: Path, sources: Sequence[Source]) -> Iterator[Finding]:
    """Yield the imports of packages that the project does not depend on.

    Args:
        root: The project's folder; without a `pyproject.toml` nothing is known.
        sources: Its modules, named by their paths in it.
    """
    listed = _dependencies(root / "pyproject.toml")
    if listed is None:
        return
    own = {part for source in sources for part in re.split(r"[/.]", source.name)}
    seen = set()
    for source in sources:
        for node in (n for statement in source.body for n in ast.walk(statement)):
            for module in _modules(node):
                known = module in sys.stdlib_module_names or module in PROVIDED | own
                told = module in knowledge.NOTEBOOK_MODULES | knowledge.MISSING_PACKAGES
                package = NAMES.get(module, module)
                if known or told or module in seen or normal(package) in listed:
                    continue
                seen.add(module)
                line = getattr(node, "lineno", 0)
                if not silenced(source.lines, line):
                    why = "What pyproject.toml does not list is not sent along: importing it fails."
                    fix = f'Add "{package}" to its dependencies.'
                    yield Finding(source.name, line, "package", f"import of {module}", why, fix)


def normal(name: str) -> str:
    """Return a package's name as registries compare it.

    Example:
        >>> normal("Python_DateUtil")
        'python-dateutil'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _dependencies(file: Path) -> frozenset[str] | None:
    try:
        project = tomllib.loads(file.read_text("utf-8")).get("project", {})
    except (OSError, ValueError):
        return None
    texts = [d for d in project.get("dependencies", []) if isinstance(d, str)]
    names = (re.match(r"[A-Za-z0-9._-]+", text.strip()) for text in texts)
    return frozenset(normal(found[0]) for found in names if found)


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        return [node.module.partition(".")[0]]
    return []
