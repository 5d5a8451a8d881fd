"""The figures of the code's structure, which `docs/architecture.md` states.

    python -m tests.figures          # print the table
    python -m tests.figures --write  # put it into the page

A figure that gets worse is a change to look at, not to write down without a word.
"""

import ast
import io
import re
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import dobook
from tests.test_house import relative, tracked
from tests.test_prose import MAXIMA

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = Path(dobook.__file__).parent
SMALL = 70  # lines
INTERNALS = ("dobook.runtime.", "dobook.storage.")
BEGIN, END = "<!-- figures: python -m tests.figures --write -->", "<!-- end of the figures -->"


def files(folder: str) -> list[Path]:
    """Return the Python files of a folder that git knows."""
    return [path for path in tracked(".py") if relative(path).startswith(f"{folder}/")]


def module_of(path: Path) -> str:
    """Return a file's name as a module."""
    name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


@cache
def trees(folder: str) -> dict[str, ast.Module]:
    """Return the syntax of a folder's modules, by name."""
    return {module_of(path): ast.parse(path.read_text("utf-8")) for path in files(folder)}


def imports_of(tree: ast.Module, known: "set[str] | None" = None) -> Iterator[str]:
    """Yield the modules that a module imports, those for types only included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if known is not None and inner in known else node.module


def knots() -> list[int]:
    """Return the sizes of the groups of modules that import each other in circles, largest first."""
    modules = trees("dobook")
    known = set(modules)
    graph = {
        name: {found for found in imports_of(tree, known) if found in known} - {name}
        for name, tree in modules.items()
    }
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    sizes: list[int] = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in graph[name]:
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                sizes.append(len(stack) - at)
            del stack[at:]

    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        for name in graph:
            if name not in number:
                visit(name)
    finally:
        sys.setrecursionlimit(before)
    return sorted(sizes, reverse=True)


def lines() -> int:
    """Return how many lines the package has."""
    return sum(path.read_text("utf-8").count("\n") for path in files("dobook"))


def per_hundred(count: int) -> float:
    """Return a count per 100 lines of the package."""
    return round(100 * count / lines(), 1)


def anys() -> int:
    """Return how often the type `Any` is written."""
    return sum(
        isinstance(node, ast.Name) and node.id == "Any"
        for tree in trees("dobook").values()
        for node in ast.walk(tree)
    )


def comments() -> int:
    """Return how many lines have a comment."""
    return sum(
        token.type == tokenize.COMMENT
        for path in files("dobook")
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
    )


def small_modules() -> int:
    """Return how many modules have fewer than 70 lines, packages' own files left out."""
    paths = [path for path in files("dobook") if not path.name.startswith("__")]
    return sum(path.read_text("utf-8").count("\n") < SMALL for path in paths)


def shared_names() -> int:
    """Return how many names belong to more than one module."""
    names = Counter(p.stem for p in files("dobook") if not p.name.startswith("__"))
    return sum(count > 1 for count in names.values())


def tests_of_internals() -> int:
    """Return how many test files import a module of the runtime or of storage."""
    return sum(
        any(name.startswith(INTERNALS) for name in imports_of(tree))
        for tree in trees("tests").values()
    )


def public_members() -> int:
    """Return how many names Tab shows on a runtime."""
    with dobook.Runtime() as runtime:
        return sum(not name.startswith("_") for name in dir(runtime))


class Counting:
    """The object that is called: it reads a number and writes the next one."""

    def __init__(self, ctx, env):
        self.ctx = ctx

    async def increment(self):
        """Add one."""
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n


def path_of_a_call(path: "str | None") -> tuple[int, int]:
    """Return how many files one `stub.increment()` runs code of, and how often it comes back.

    Args:
        path: The state directory; None for memory.

    Returns:
        The files, and how often a function of one of them is entered from another file after the
        first time.
    """
    with dobook.Runtime(path) as runtime:
        stub = runtime.register(Counting).getByName("a")
        for _ in range(3):
            runtime.run(stub.increment())
        seen: list[str] = []

        def note(frame, event, _arg):
            file, name = frame.f_code.co_filename, frame.f_code.co_name
            if event != "call" or name.startswith("<"):
                return  # before Python 3.12 a comprehension is a function of its own
            if file.startswith(str(PACKAGE)) and seen[-1:] != [file]:
                seen.append(file)

        async def call():
            before = sys.getprofile()
            sys.setprofile(note)
            try:
                await stub.increment()
            finally:
                sys.setprofile(before)

        runtime.run(call())
    return len(set(seen)), len(seen) - len(set(seen))


def table() -> str:
    """Return the figures as a table of Markdown."""
    sizes = knots()
    in_memory = path_of_a_call(None)
    with tempfile.TemporaryDirectory() as folder:
        on_disk = path_of_a_call(folder)
    rows = {
        "modules that import each other in circles, type imports counted: the largest groups": (
            ", ".join(map(str, sizes[:3]))
        ),
        "`Any` per 100 lines": per_hundred(anys()),
        "comments per 100 lines": per_hundred(comments()),
        "files that one `stub.increment()` runs code of, in memory; returns to one of them": (
            "{} / {}".format(*in_memory)
        ),
        "the same on disk": "{} / {}".format(*on_disk),
        "public names on a `Runtime`": public_members(),
        "module names that occur more than once": shared_names(),
        f"modules of fewer than {SMALL} lines": small_modules(),
        "test files that import modules of `runtime` or `storage`": tests_of_internals(),
        "coined phrases that are left (`tests/test_prose.py`)": sum(MAXIMA.values()),
    }
    return "\n".join(["| | |", "| --- | --: |", *(f"| {k} | {v} |" for k, v in rows.items())])


def stated() -> str:
    """Return the table that the page has."""
    found = re.search(f"{re.escape(BEGIN)}\n(.*?)\n{re.escape(END)}", PAGE.read_text("utf-8"), re.S)
    return "" if found is None else found[1].strip()


def write() -> None:
    """Put the figures into the page."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        write()
    print(table())
