"""`src/entry.py`: a module made of the cells' own source, imports first."""

import ast
import sys
from collections.abc import Iterable, Sequence

from dobook.export.cells import Statement

WIDTH = 88
_PLATFORM = ("workers", "js", "pyodide", "pyodide_js", "cloudflare")


def module_text(
    docstring: str,
    imports: Iterable[tuple[ast.Import | ast.ImportFrom, frozenset[str]]],
    body: Sequence[Statement],
    extra: Sequence[str] = (),
) -> str:
    """Return a module's text.

    Args:
        docstring: Its first line.
        imports: Import statements, with the names of each that are used.
        body: Its statements, in order.
        extra: Further definitions, as text.
    """
    future, groups = _imports(imports)
    parts = [f'"""{docstring}"""']
    if future:
        parts.append(f"from __future__ import {', '.join(sorted(future))}")
    parts += ["\n".join(group) for group in groups if group]
    text = "\n\n".join(parts) + "\n"
    before: Statement | None = None
    for statement in body:
        text += _space(before, statement) + statement.text + "\n"
        before = statement
    for definition in extra:
        text += f"\n\n{definition.rstrip()}\n"
    return text


def third_party(
    imports: Iterable[tuple[ast.Import | ast.ImportFrom, frozenset[str]]],
) -> list[str]:
    """Return the modules that come from neither Python nor the platform."""
    found = set()
    for node, used in imports:
        for alias in node.names:
            if (alias.asname or alias.name.partition(".")[0]) not in used:
                continue
            name = alias.name if isinstance(node, ast.Import) else node.module or ""
            if name and _group(name) == 1 and not getattr(node, "level", 0):
                found.add(name.partition(".")[0])
    return sorted(found)


def _space(before: Statement | None, statement: Statement) -> str:
    if before is None:
        return "\n\n" if _is_block(statement) else "\n"
    if _is_block(statement) or _is_block(before):
        return "\n\n"
    together = before.place[0] == statement.place[0] and not statement.gap
    return "" if together else "\n"


def _is_block(statement: Statement) -> bool:
    return isinstance(statement.node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)


def _imports(
    imports: Iterable[tuple[ast.Import | ast.ImportFrom, frozenset[str]]],
) -> tuple[set[str], list[list[str]]]:
    """Return the future imports, and the lines of the others by where they come from."""
    whole: set[tuple[str, str | None]] = set()
    parts: dict[str, set[tuple[str, str | None]]] = {}
    future: set[str] = set()
    for node, used in imports:
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            if isinstance(node, ast.Import):
                if bound in used:
                    whole.add((alias.name, alias.asname))
            elif bound in used:
                module = "." * node.level + (node.module or "")
                parts.setdefault(module, set()).add((alias.name, alias.asname))
    if "__future__" in parts:
        future = {name for name, _ in parts.pop("__future__")}
    groups: list[list[str]] = [[], [], []]
    for name, asname in sorted(whole, key=lambda a: (a[0], a[1] or "")):
        line = f"import {name}" if asname is None else f"import {name} as {asname}"
        groups[_group(name)].append(line)
    for module, names in sorted(parts.items()):
        groups[_group(module)].append(_from_import(module, names))
    return future, groups


def _group(module: str) -> int:
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return 0
    return 2 if top in _PLATFORM else 1


def _from_import(module: str, names: Iterable[tuple[str, str | None]]) -> str:
    listed = [
        name if asname is None else f"{name} as {asname}"
        for name, asname in sorted(names, key=lambda a: (a[0].lower(), a[0], a[1] or ""))
    ]
    line = f"from {module} import {', '.join(listed)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {n}," for n in listed), ")"])
