"""A short hash of the code that is explored: the same on every machine and Python version.

A schedule only fits the code it was found with. The hash covers the scenario, the classes and what
they use from their own modules; it is taken from the syntax tree, so comments, docstrings, white
space and where the code stands do not count.
"""

import ast
import hashlib
import inspect
import textwrap
import types
from collections.abc import Iterable
from typing import Any

UNKNOWN = "unknown"  # where the source cannot be found


def code_hash(scenario: object, classes: Iterable[Any]) -> str:
    """Return eight hexadecimal digits for a scenario, its classes and Worker, or "unknown".

    Example:
        >>> async def scenario(env): ...
        >>> code_hash(scenario, []) == code_hash(scenario, [])
        True
    """
    parts: dict[str, str] = {}
    waiting: list[Any] = [scenario, *classes]
    while waiting:
        thing = waiting.pop()
        name = f"{type(thing).__name__} {getattr(thing, '__qualname__', '?')}"
        if name in parts:
            continue
        try:
            parts[name] = _class_text(thing) if isinstance(thing, type) else _text(thing)
        except (OSError, TypeError, SyntaxError):
            return UNKNOWN
        waiting += _used(thing)
    text = "\n".join(f"{name}\n{parts[name]}" for name in sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _functions(cls: type) -> list[tuple[str, Any]]:
    found = []
    for name, member in vars(cls).items():
        member = getattr(member, "__func__", getattr(member, "fget", member))
        if isinstance(member, types.FunctionType):
            found.append((name, member))
    return sorted(found, key=lambda item: item[0])


def _class_text(cls: type) -> str:
    lines = [" ".join(base.__name__ for base in cls.__bases__)]
    for name, value in sorted(vars(cls).items()):
        if isinstance(value, str | int | float | bytes) and not name.startswith("__"):
            lines.append(f"{name} = {value!r}")
    lines += [f"{name}: {_text(function)}" for name, function in _functions(cls)]
    return "\n".join(lines)


def _text(function: Any) -> str:
    given = getattr(function, "__dobook_source__", None)  # of a cell
    function = inspect.unwrap(function)
    tree = ast.parse(given or textwrap.dedent(inspect.getsource(function)))
    name = getattr(getattr(function, "__code__", None), "co_name", "<lambda>")
    if not given and name not in ("<lambda>", getattr(tree.body[0], "name", None)):
        # Code of `exec` has the file "<string>", whose text may be another's: of `python -c` since 3.13.
        raise OSError(f"the source of {name} is not there")
    out: list[str] = []
    _write(tree, out)
    return " ".join(out)


def _used(thing: Any) -> list[Any]:
    """Return the functions and classes of the same module that something uses by name."""
    functions = [f for _, f in _functions(thing)] if isinstance(thing, type) else [thing]
    found: list[Any] = []
    if isinstance(thing, type):
        found += [base for base in thing.__bases__ if base.__module__ == thing.__module__]
    for function in functions:
        function = inspect.unwrap(function)
        names = getattr(function, "__globals__", {})
        for name in sorted(_names(getattr(function, "__code__", None))):
            value = names.get(name)
            named = isinstance(value, types.FunctionType | type)
            if named and value.__module__ == function.__module__:
                found.append(value)
    return found


def _names(code: types.CodeType | None) -> set[str]:
    if code is None:
        return set()
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


# Fields that say nothing of what a program does, or that only some versions of Python have.
_SILENT = frozenset({"ctx", "type_ignores", "type_comment", "kind", "type_params"})


def _write(node: object, out: list[str]) -> None:
    if isinstance(node, ast.AST):
        out.append(f"({type(node).__name__}")
        for field in node._fields:
            value = getattr(node, field, None)
            if field in _SILENT or value is None or value == []:
                continue
            if field == "body" and isinstance(value, list):
                value = _without_docstring(value)
            elif isinstance(node, ast.JoinedStr):  # Python 3.12 puts empty texts in between
                value = [v for v in value if not (isinstance(v, ast.Constant) and v.value == "")]
            out.append(field)
            _write(value, out)
        out.append(")")
    elif isinstance(node, list):
        out.append("[")
        for item in node:
            _write(item, out)
        out.append("]")
    else:
        out.append(repr(node))


def _without_docstring(body: list[Any]) -> list[Any]:
    first = body[0] if body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return body[1:]
    return body
