"""Running a cell that defines classes, and what is remembered of each class.

The cell runs in the notebook's own namespace, under the cell's own file name and line numbers, so
that a traceback of a handler points at the line the user wrote.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass

from IPython.core.interactiveshell import InteractiveShell

from dobook.errors import UsageError
from dobook.lint.classes import check_classes
from dobook.lint.rules import check_code
from dobook.lint.sdk import check_sdk
from dobook.lint.sources import Names, Source
from dobook.runtime.calls.rpc import RESERVED
from dobook.workers import DurableObject, WorkerEntrypoint

_ON_THE_CARD = frozenset({
    "await", "await-twice", "fetch-not-awaited", "pipelining", "response", "rpc-keywords",
    "transaction-async",
})  # fmt: skip
_WHOLE_BODY = "the class body"


@dataclass(frozen=True, slots=True)
class Definition:
    """A class as a cell defined it.

    Attributes:
        cls: The class itself.
        class_name: The name it is deployed under.
        source: The whole cell, without the magic's line.
        class_source: The class statement alone.
        handlers: Its `fetch`, `alarm` and WebSocket handlers.
        methods: Its other public methods, which can be called over RPC.
        members: Each member's name and its code in a normal form, to tell what has changed.
        binding: The name in `env`; empty for a Worker.
        storage: "sqlite" or "kv"; empty for a Worker.
        warnings: Promises that are used as their values, each with its line of the cell.
    """

    cls: type
    class_name: str
    source: str
    class_source: str
    handlers: tuple[str, ...]
    methods: tuple[str, ...]
    members: dict[str, str]
    binding: str = ""
    storage: str = ""
    warnings: tuple[str, ...] = ()

    def changes_since(self, old: "Definition") -> str:
        """Return what differs from an earlier definition, as people read it."""
        changes = []
        for verb, names in (
            ("added", [n for n in self.members if n not in old.members]),
            ("removed", [n for n in old.members if n not in self.members]),
            (
                "changed",
                [n for n, code in self.members.items() if old.members.get(n, code) != code],
            ),
        ):
            if names:
                changes.append(f"{verb} {', '.join(names)}")
        return "; ".join(changes) or "nothing"


def run_cell(shell: InteractiveShell, magic_line: str, cell: str) -> list[Definition]:
    """Run a cell's code; returns the objects' classes and Workers it defines, in order.

    Args:
        shell: The notebook's shell; the code runs in its namespace.
        magic_line: The cell's first line, which keeps line numbers right.
        cell: The rest of it.

    Raises:
        SyntaxError: If the code is not Python.
        BaseException: What the code raised; then nothing has been registered.
    """
    try:
        code = shell.transform_cell(f"#{magic_line}\n{cell}")
        # The raw text gives the file its name: breakpoints set in this cell then hold.
        name = shell.compile.cache(code, cell_number(shell), f"{magic_line}\n{cell}")
        tree = ast.parse(code, name)
        compiled = compile(tree, name, "exec")
    except SyntaxError as error:
        # It is shown without the way to it.
        error.of_a_cell = True  # type: ignore[attr-defined]
        raise
    exec(compiled, shell.user_ns)
    return [
        _describe(shell.user_ns[node.name], node, code, cell)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and _of_ours(shell.user_ns.get(node.name))
    ]


def cell_number(shell: InteractiveShell) -> int:
    """Return the number of the cell that is running, as tracebacks of that cell say it.

    IPython 9 counts a cell before it runs, earlier versions after; its own frame is sure.
    """
    frame = inspect.currentframe()
    while frame is not None:
        name = shell.compile.format_code_name(frame.f_code.co_filename)
        found = re.search(r"\d+", name[1]) if name is not None else None
        if found:
            return int(found[0])
        frame = frame.f_back
    return shell.execution_count


def _of_ours(value: object) -> bool:
    return isinstance(value, type) and (is_object(value) or is_worker(value))


def is_object(cls: type) -> bool:
    """Return whether a class is one of Durable Objects, whichever `workers` it comes from."""
    return issubclass(cls, DurableObject) or _has_base(cls, "DurableObject")


def is_worker(cls: type) -> bool:
    """Return whether a class is a Worker, whichever `workers` it comes from."""
    return issubclass(cls, WorkerEntrypoint) or _has_base(cls, "WorkerEntrypoint")


def _has_base(cls: type, name: str) -> bool:
    return any(base.__name__ == name and base.__module__ == "workers" for base in cls.__mro__)


def _describe(cls: type, node: ast.ClassDef, code: str, cell: str) -> Definition:
    members: dict[str, str] = {}
    body = []
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            members[statement.name] = ast.unparse(statement)
        else:
            body.append(ast.unparse(statement))
    members[_WHOLE_BODY] = "\n".join(ast.unparse(b) for b in node.bases) + "\n".join(body)
    found = [
        name
        for owner in reversed(cls.__mro__)
        if owner is not object and owner not in (DurableObject, WorkerEntrypoint)
        for name, value in vars(owner).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property))
    ]
    public = list(dict.fromkeys(found))
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return Definition(
        cls=cls,
        class_name=cls.__name__,
        source=cell,
        class_source="\n".join(code.splitlines()[first - 1 : node.end_lineno]),
        handlers=tuple(n for n in public if n in RESERVED or n == "on_fetch"),
        methods=tuple(n for n in public if n not in RESERVED and n != "on_fetch"),
        members=members,
        warnings=tuple(_forgotten(node)),
    )


def _forgotten(node: ast.ClassDef) -> Iterator[str]:
    source = Source("", [node])
    names = Names([source])
    found = [*check_code(source, names), *check_sdk(source, names), *check_classes(source, names)]
    for at, rule, what, _, fix in sorted(found, key=lambda f: getattr(f[0], "lineno", 0)):
        if rule in _ON_THE_CARD:
            yield f"line {getattr(at, 'lineno', 0)}: {what}. {fix}"


def require(found: list[Definition], what: str, example: str, cell: str = "") -> None:
    """Complain if a cell defined none of what its magic is for.

    Args:
        found: What it has defined.
        what: What it should have.
        example: One of them.
        cell: Its code, for the name of a class that lacks the base.

    Raises:
        UsageError: If so.
    """
    if not found:
        name = re.search(r"^class (\w+)", cell, re.MULTILINE)
        if name is not None and "base " in what:
            base = what.rpartition(" ")[2]
            raise UsageError(
                f"this cell defines no {what}. Write: from workers import {base}, and "
                f"class {name[1]}({base}):"
            )
        raise UsageError(f"this cell defines no {what}. Write one like: {example}")
