"""What a check looks at: statements with their file, and what the names in them stand for."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

_MUTABLE_CALLS: Final = frozenset({
    "dict", "list", "set", "bytearray", "collections.Counter", "collections.OrderedDict",
    "collections.defaultdict", "collections.deque",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """A file or a cell, as far as it is to be checked.

    Attributes:
        name: What findings call it.
        body: Its statements at the top level.
        lines: Its text, for comments that silence a finding.
        shift: What to add to the statements' line numbers.
    """

    name: str
    body: Sequence[ast.stmt]
    lines: list[str] = field(default_factory=list)
    shift: int = 0


class Names:
    """What the names at the top level of some sources stand for.

    Args:
        sources: The sources, which see each other's names as a notebook's cells do.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.aliases: dict[str, str] = {}
        self.defined: set[str] = set()
        self.mutable: set[str] = set()
        self.kinds: dict[str, str] = {}
        for source in sources:
            for node in source.body:
                self._note(node)
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Import | ast.ImportFrom):
                        self._note_import(inner)

    def _note_import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                self.aliases[alias.asname or name] = name
            elif not node.level:
                self.aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def _note(self, node: ast.stmt) -> None:
        if isinstance(node, ast.ClassDef):
            self.defined.add(node.name)
            self.kinds[node.name] = self.kind(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self.defined.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    self.defined.add(target.id)
                    if node.value is not None and self.is_mutable(node.value):
                        self.mutable.add(target.id)

    def is_mutable(self, value: ast.expr) -> bool:
        """Return whether an expression makes a list, a dict or another value that can change."""
        if isinstance(value, ast.Call):
            return self.full(value.func) in _MUTABLE_CALLS
        made = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
        return isinstance(value, made)

    def kind(self, node: ast.ClassDef) -> str:
        """Return "DurableObject", "WorkerEntrypoint" or "" for a class."""
        for base in node.bases:
            name = (self.full(base) or "").rpartition(".")[2]
            if name in ("DurableObject", "WorkerEntrypoint"):
                return name
            if isinstance(base, ast.Name) and self.kinds.get(base.id):
                return self.kinds[base.id]
        return ""

    def full(self, node: ast.expr) -> str | None:
        """Return the full name of what an expression stands for, `time.sleep` for instance."""
        if isinstance(node, ast.Name):
            if node.id in self.aliases:
                return self.aliases[node.id]
            return None if node.id in self.defined else node.id
        if isinstance(node, ast.Attribute):
            base = self.full(node.value)
            return None if base is None else f"{base}.{node.attr}"
        return None


def chain(node: ast.expr) -> list[str]:
    """Return the names along an expression: `self.ctx.storage.get("n")` has four, calls passed.

    Example:
        >>> chain(ast.parse("self.env.ROOM.getByName('a').say", mode="eval").body)
        ['self', 'env', 'ROOM', 'getByName', 'say']
    """
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Await | ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Name):
            parts.append(node.id)
            return parts[::-1]
        else:
            return parts[::-1]


def runs_at_import(node: ast.stmt) -> Iterator[ast.AST]:
    """Yield the parts of a statement that run when its module is loaded, no function's inside."""
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, ast.Lambda):
            waiting.extend([*part.args.defaults, *filter(None, part.args.kw_defaults)])
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            defaults = [*part.args.defaults, *filter(None, part.args.kw_defaults)]
            waiting.extend([*part.decorator_list, *defaults])
        else:
            waiting.extend(ast.iter_child_nodes(part))


def values_in(node: ast.AST) -> list[ast.expr]:
    """Return the expressions whose values a node computes or decides with."""
    match node:
        case ast.BinOp():
            return [node.left, node.right]
        case ast.BoolOp():
            return node.values
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.Subscript() | ast.FormattedValue():
            return [node.value]
        case ast.UnaryOp():
            return [node.operand]
        case ast.If() | ast.While() | ast.IfExp():
            return [node.test]
        case ast.For():
            return [node.iter]
    return []
