"""One hint, once a session, where a cell itself waits with `asyncio.sleep`: that wait is real."""

import ast
import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import InteractiveShell

if TYPE_CHECKING:
    from dobook.notebook.core.session import Session

HINT = (
    "asyncio.sleep in a cell waits for real; the runtime's clock stands still meanwhile. To let "
    "virtual time pass: await runtime.sleep(...), or %fast_forward.\n"
)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def install(shell: InteractiveShell, session: "Session") -> Callable[[], None]:
    """Check each cell until the hint has been given; returns what undoes it."""

    def look(info: Any) -> None:
        text = info.raw_cell
        if "sleep" not in text or not session.runtime.clock.virtual:
            return
        if sleeps(shell.transform_cell(text), shell.user_ns):
            undo()
            sys.stderr.write(HINT)

    def undo() -> None:
        if look in shell.events.callbacks["pre_run_cell"]:
            shell.events.unregister("pre_run_cell", look)

    shell.events.register("pre_run_cell", look)
    return undo


def sleeps(code: str, names: dict[str, Any]) -> bool:
    r"""Return whether a cell awaits `asyncio.sleep` itself, not in a function that it defines.

    Args:
        code: The cell's code, as Python.
        names: What its names stand for before it runs.

    Example:
        >>> sleeps("import asyncio\nawait asyncio.sleep(1)", {})
        True
        >>> sleeps("async def f():\n    await asyncio.sleep(1)", {})
        False
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    imported = {"asyncio": asyncio, **names}
    left: list[ast.AST] = [*reversed(tree.body)]
    while left:
        node = left.pop()
        if isinstance(node, _SCOPES):
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "asyncio":
            imported |= {a.asname or a.name: getattr(asyncio, a.name, None) for a in node.names}
        elif isinstance(node, ast.Import):
            imported |= {a.asname: asyncio for a in node.names if a.name == "asyncio" and a.asname}
        elif isinstance(node, ast.Await) and _is_sleep(node.value, imported):
            return True
        left += reversed(list(ast.iter_child_nodes(node)))
    return False


def _is_sleep(node: ast.expr, names: dict[str, Any]) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        found = function.attr == "sleep" and names.get(function.value.id) is asyncio
    else:
        found = isinstance(function, ast.Name) and names.get(function.id) is asyncio.sleep
    instant = [a for a in node.args[:1] if isinstance(a, ast.Constant) and a.value == 0]
    return found and not instant
