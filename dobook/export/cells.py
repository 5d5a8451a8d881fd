"""A notebook's cells as Python: magics taken off, statements found, names resolved.

Reads, never runs: everything is worked out from the text.
"""

import ast
import re
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_CELL_MAGIC = re.compile(r"^\s*%%(\w+)[^\S\n]*([^\n]*)\n?")
_LINE_MAGIC = re.compile(r"^(\s*)(?:%{1,2}\w|!|\?)|^(\s*)[\w.%]+\?{1,2}\s*$")
_MAGIC_VALUE = re.compile(r"^(\s*[\w.,\s]+=\s*)[%!].*$")

_FLAGS = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

# Stands for the value of a magic or a shell command, which no project has.
MAGIC_VALUE: Final = "__the_value_of_a_magic__"


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell.

    Attributes:
        number: Its place in the notebook, or the number of its execution.
        magic: The cell magic's name, "" for plain code.
        options: What stands behind it.
        text: The cell without the magic's line.
        label: What people call it.
    """

    number: int
    magic: str
    options: str
    text: str
    label: str = ""

    @property
    def holds_code(self) -> bool:
        """Whether the text is Python that defines things in the notebook."""
        return self.magic in ("", "durable_object", "worker", "time", "capture")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement at the top level of a cell.

    Attributes:
        place: The cell's number and the statement's index in it.
        node: The statement.
        text: Its source, with the comments directly above it.
        binds: The names it gives a value.
        uses: The names of the notebook it needs at any time.
        eager: Those it needs when it is executed, not only when what it defines is called.
        gap: Whether a blank line or another statement's end stands above it in its cell.
    """

    place: tuple[int, int]
    node: ast.stmt
    text: str
    binds: frozenset[str]
    uses: frozenset[str]
    eager: frozenset[str]
    gap: bool


def read_cell(number: int, text: str, label: str = "") -> Cell:
    r"""Return a cell by its text; it is called by its number unless a label says otherwise.

    Example:
        >>> read_cell(3, "%%durable_object --binding ROOM\nclass Room: ...").options
        '--binding ROOM'
    """
    text = text.replace("\r\n", "\n")
    found = _CELL_MAGIC.match(text)
    label = label or f"cell {number}"
    if found is None:
        return Cell(number, "", "", text, label)
    return Cell(number, found[1], found[2].strip(), text[found.end() :], label)


def python_of(text: str) -> str:
    r"""Return a cell's text with its line magics replaced, each line in its place.

    Example:
        >>> python_of("%load_ext dobook\nn = 1")
        '\nn = 1'
    """
    lines = text.split("\n")
    for _ in range(len(lines)):
        wrong = _wrong_line("\n".join(lines))
        if wrong is None or not 0 < wrong <= len(lines):
            break
        line = lines[wrong - 1]  # a line that only looks like a magic, in a text, is never wrong
        magic, value = _LINE_MAGIC.match(line), _MAGIC_VALUE.match(line)
        if magic:
            indent = magic[1] or magic[2] or ""
            lines[wrong - 1] = f"{indent}pass" if indent else ""
        elif value:
            lines[wrong - 1] = value[1] + MAGIC_VALUE
        else:
            break
    return "\n".join(lines)


def statements(cells: Iterable[Cell]) -> Iterator[Statement]:
    """Yield the statements of the cells that hold code, in order, except what is not Python."""
    for cell in cells:
        if not cell.holds_code:
            continue
        text = python_of(cell.text)
        tree = parse(text)
        if tree is None:
            continue
        lines = text.split("\n")
        end = 0
        for index, node in enumerate(tree.body):
            source, first = _source(text, lines, tree.body, index, end)
            gap = first > end + 1 or (index == 0)
            end = node.end_lineno or node.lineno
            binds, uses, eager = _names(node, source)
            yield Statement((cell.number, index), node, source, binds, uses, eager, gap)


def parse(text: str) -> ast.Module | None:
    """Return a cell's tree, with `await` allowed at the top level; None if it is not Python."""
    try:
        tree = compile(text, "<cell>", "exec", _FLAGS)
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # the last two: nested too deep
        return None
    assert isinstance(tree, ast.Module)
    return tree


def _wrong_line(text: str) -> int | None:
    try:
        compile(text, "<cell>", "exec", _FLAGS)
    except SyntaxError as error:
        return error.lineno
    except (ValueError, MemoryError, RecursionError):
        pass
    return None


def _source(
    text: str, lines: list[str], body: list[ast.stmt], index: int, end: int
) -> tuple[str, int]:
    """Return a statement's source with the comments above it, and its first line."""
    node = body[index]
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(d.lineno for d in decorators)])
    last = node.end_lineno or node.lineno
    shared = first == end or (index + 1 < len(body) and body[index + 1].lineno == last)
    if shared:  # a = 1; b = 2
        return ast.get_source_segment(text, node) or "", first
    while first - 1 > end and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return "\n".join(line.rstrip() for line in lines[first - 1 : last]), first


def _names(node: ast.stmt, source: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        bound = (a.asname or a.name.partition(".")[0] for a in node.names)
        return frozenset(bound), frozenset(), frozenset()
    try:
        table = symtable.symtable(source, "<statement>", "exec")
    except SyntaxError:  # `await` at the top level
        found = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
        bound = (n.id for n in found if isinstance(n.ctx, ast.Store))
        used = frozenset(n.id for n in found if isinstance(n.ctx, ast.Load))
        return frozenset(bound), used, used
    top = table.get_symbols()
    binds = {s.get_name() for s in top if s.is_assigned() or s.is_imported() or s.is_namespace()}
    eager = {s.get_name() for s in top if s.is_referenced()}
    uses = set(eager)
    for child in table.get_children():
        _add_uses(child, uses, eager, at_once=True)
    named = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    own = {node.name} if isinstance(node, named) else set()
    return frozenset(binds), frozenset(uses - own), frozenset(eager - own)


def _add_uses(
    table: symtable.SymbolTable, uses: set[str], eager: set[str], *, at_once: bool
) -> None:
    # A generic class has its type parameters round it.
    at_once = at_once and table.get_type() in ("class", "type parameters")
    for symbol in table.get_symbols():
        if symbol.is_global() and symbol.is_referenced():
            uses.add(symbol.get_name())
            if at_once:
                eager.add(symbol.get_name())
    for child in table.get_children():
        _add_uses(child, uses, eager, at_once=at_once)
