"""Which statements of a notebook its classes need, and in which order a module has them."""

import ast
import builtins
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from dobook.export.cells import MAGIC_VALUE, Statement

NOTEBOOK_NAMES: Final = frozenset(
    {"In", "Out", "_", "__", "display", "env", "get_ipython", "runtime", MAGIC_VALUE}
)
_ALWAYS: Final = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__", "__annotations__"}


@dataclass
class Selection:
    """What is taken along.

    Attributes:
        imports: Import statements, with the names of each that are used.
        body: The other statements, in an order that runs.
        warnings: What could not be found or taken along.
    """

    imports: list[tuple[ast.Import | ast.ImportFrom, frozenset[str]]] = field(default_factory=list)
    body: list[Statement] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def select(statements: Iterable[Statement], roots: Sequence[str]) -> Selection:
    """Return the statements that some names need, directly or through others.

    Of a name that was given a value several times the last one counts, as in the notebook.

    Args:
        statements: The notebook's statements, in the order they ran.
        roots: The names to begin with.
    """
    return _Search(list(statements)).run(roots)


class _Search:
    def __init__(self, statements: list[Statement]) -> None:
        self.statements = statements
        self.last: dict[str, list[Statement]] = {}
        self.stars: list[Statement] = []
        for statement in statements:
            if isinstance(statement.node, ast.ImportFrom) and statement.binds == {"*"}:
                self.stars.append(statement)
            for name in statement.binds:
                if isinstance(statement.node, ast.AugAssign):
                    self.last.setdefault(name, []).append(statement)
                else:
                    self.last[name] = [statement]
        self.chosen: dict[tuple[int, int], Statement] = {}
        self.imported: dict[tuple[int, int], tuple[Statement, set[str]]] = {}
        self.found = Selection()
        self.seen: set[str] = set()

    def run(self, roots: Sequence[str]) -> Selection:
        for name in roots:
            self._need(name, "the project")
        while self._take_changes():
            pass
        for statement, names in sorted(self.imported.values(), key=lambda pair: pair[0].place):
            node = statement.node
            assert isinstance(node, ast.Import | ast.ImportFrom)
            self.found.imports.append((node, frozenset(names)))
        self.found.body = self._in_order()
        return self.found

    def _need(self, name: str, by: str) -> None:
        if name in self.seen:
            return
        self.seen.add(name)
        if name not in self.last:
            if name in NOTEBOOK_NAMES:
                self._warn_of_notebook(name, by)
            elif name not in _ALWAYS:
                if self.stars:
                    star = self.stars[-1]
                    self.imported.setdefault(star.place, (star, set()))[1].add("*")
                else:
                    self.found.warnings.append(f"{by} uses {name}, which no cell defines.")
            return
        for statement in self.last[name]:
            self._take(statement, name, by)

    def _warn_of_notebook(self, name: str, by: str) -> None:
        hint = " In a class it is self.env." if name == "env" else ""
        self.found.warnings.append(f"{by} uses {name}, which only a notebook has.{hint}")

    def _take(self, statement: Statement, name: str, by: str) -> None:
        if isinstance(statement.node, ast.Import | ast.ImportFrom):
            self.imported.setdefault(statement.place, (statement, set()))[1].add(name)
            return
        if statement.place in self.chosen:
            return
        tied = statement.eager & NOTEBOOK_NAMES - self.last.keys()
        if tied or _awaits(statement.node):
            why = "awaits something" if not tied else "needs the notebook to be computed"
            self.found.warnings.append(
                f"{by} uses {name}, whose value {why} in cell {statement.place[0]}. Write the "
                "value itself there."
            )
            return
        self.chosen[statement.place] = statement
        for needed in sorted(statement.uses):
            self._need(needed, name)

    def _take_changes(self) -> bool:
        """Take along what changes a constant that was taken, such as `ROUTES["/"] = …`."""
        values = {
            name
            for s in self.chosen.values()
            if isinstance(s.node, ast.Assign | ast.AnnAssign)
            for name in s.binds
        }
        before = len(self.chosen)
        for statement in self.statements:
            changed = _changed(statement.node)
            if changed in values and statement.place > self.last[changed][-1].place:
                self._take(statement, changed, changed)
        return len(self.chosen) > before

    def _in_order(self) -> list[Statement]:
        """Return what was chosen, each after what it needs when it is executed."""
        rest = sorted(self.chosen.values(), key=lambda s: s.place)
        maker = {name: s for s in rest for name in s.binds}
        done: dict[tuple[int, int], Statement] = {}

        def put(statement: Statement, above: frozenset[tuple[int, int]]) -> None:
            if statement.place in done or statement.place in above:
                return
            for name in sorted(statement.eager):
                if name in maker and maker[name] is not statement:
                    put(maker[name], above | {statement.place})
            done[statement.place] = statement

        for statement in rest:
            put(statement, frozenset())
        return list(done.values())


def _awaits(node: ast.stmt) -> bool:
    """Return whether a statement awaits outside of any function."""
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(part, ast.Await | ast.AsyncFor | ast.AsyncWith):
            return True
        waiting.extend(ast.iter_child_nodes(part))
    return False


def _changed(node: ast.stmt) -> str:
    """Return the name whose value a statement changes in place, "" if it does not."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target: ast.expr = node.targets[0]
        if isinstance(target, ast.Subscript | ast.Attribute):
            while isinstance(target, ast.Subscript | ast.Attribute):
                target = target.value
            return target.id if isinstance(target, ast.Name) else ""
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and isinstance(node.value.func.value, ast.Name)
    ):
        return node.value.func.value.id
    return ""
