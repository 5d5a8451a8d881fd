"""The rules that hold for all code of a Worker: imports, calls, names, what runs too early."""

import ast
from collections.abc import Iterator
from typing import Final

from dobook.lint import knowledge
from dobook.lint.sources import Names, Source, chain, runs_at_import, values_in

_LONGEST: Final = 60  # characters of code in a finding

Raw = tuple[ast.AST, str, str, str, str]  # the node, the rule, what, why, what to do


def check_code(source: Source, names: Names) -> Iterator[Raw]:
    """Yield what is wrong in a source, whatever class or function it is in."""
    for statement in source.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from _import(node)
            elif isinstance(node, ast.Call):
                yield from _call(node, names)
                yield from _stored_tuple(node)
            elif isinstance(node, ast.Attribute):
                yield from _spelling(node)
            yield from _unawaited(node)
        if isinstance(statement, ast.If) and "__main__" in ast.unparse(statement.test):
            continue
        for node in runs_at_import(statement):
            if isinstance(node, ast.Call):
                yield from _too_early(node, names)
    yield from _module_state(source, names)


def _import(node: ast.Import | ast.ImportFrom) -> Iterator[Raw]:
    if isinstance(node, ast.ImportFrom):
        modules = [] if node.level else [node.module or ""]
    else:
        modules = [alias.name for alias in node.names]
    for module in modules:
        top = module.partition(".")[0]
        if top in knowledge.MISSING_MODULES:
            why = "Pyodide, the Python of Workers, comes without this module: importing it fails"
            yield node, "import", f"import of {module}", why, "Do without it."
        elif top in knowledge.MISSING_PACKAGES:
            why = "there is no build of it for WebAssembly"
            yield node, "import", f"import of {module}", why, "Use another package, or a service."
        elif top in knowledge.NOTEBOOK_MODULES:
            why = "it belongs to the notebook, and is not on Cloudflare"
            fix = "Keep it out of the cells that classes need."
            yield node, "import", f"import of {module}", why, fix
        elif top == "zoneinfo":
            why = "Pyodide has no time zones unless the package tzdata is sent along"
            fix = 'Add "tzdata" to the dependencies, and "# dobook: ok" to the line.'
            yield node, "import", "import of zoneinfo", why, fix


def _call(node: ast.Call, names: Names) -> Iterator[Raw]:
    name = names.full(node.func)
    if name is not None:
        found = knowledge.CALLS.get(name)
        if found is None:
            into = (m for m in knowledge.CALLS_INTO if name.startswith(f"{m}."))
            module = next(into, None)
            found = None if module is None else knowledge.CALLS_INTO[module]
        if found is not None:
            rule, why, fix = found
            yield node, rule, f"{name}()", why, fix
            return
        if name in knowledge.FILE_CALLS:
            yield _file(node, f"{name}()")
            return
        first = node.args[0] if node.args else None
        if (
            name == "numpy.datetime64"
            and isinstance(first, ast.Constant)
            and first.value in knowledge.NUMPY_PRESENT
        ):
            what = f"numpy.datetime64({first.value!r})"
            yield node, "real-clock", what, knowledge.NUMPY_WHY, knowledge.NUMPY_FIX
            return
    if isinstance(node.func, ast.Attribute):
        attribute = node.func.attr
        if attribute == "run_in_executor":
            why = "threads cannot be started in WebAssembly"
            yield node, "thread", "run_in_executor()", why, "Call the function directly."
        elif attribute in knowledge.FILE_METHODS and "Path" in ast.unparse(node.func.value):
            yield _file(node, f"{attribute}()")


def _file(node: ast.AST, what: str) -> Raw:
    fix = "Keep data in self.ctx.storage, and fixed texts in a module."
    return node, "file", what, knowledge.FILE_WHY, fix


def _spelling(node: ast.Attribute) -> Iterator[Raw]:
    camel = knowledge.NAMES.get(node.attr)
    if camel is not None and knowledge.PLATFORM_BASES.intersection(chain(node.value)):
        why = "the platform's names are JavaScript's, in Python as well"
        written = ast.unparse(node)
        what = written if len(written) <= _LONGEST else f".{node.attr}"
        yield node, "spelling", what, why, f"Write {camel}."


def _unawaited(node: ast.AST) -> Iterator[Raw]:
    """Find `storage.get(...)` whose promise is used as if it were the value."""
    used = values_in(node)
    if isinstance(node, ast.Attribute) and node.attr not in ("then", "catch", "finally_"):
        used = [node.value]
    elif isinstance(node, ast.Dict):
        used = node.values
    elif isinstance(node, ast.List):
        used = node.elts
    for part in used:
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
            names = chain(part.func)
            if len(names) > 1 and names[-2] == "storage" and names[-1] in knowledge.AWAITED:
                why = "it returns a promise, which is not a value and always counts as true"
                call = f"storage.{names[-1]}(...)"
                yield part, "await", f"{call} without await", why, f"Write (await {call})"


def _stored_tuple(node: ast.Call) -> Iterator[Raw]:
    names = chain(node.func) if isinstance(node.func, ast.Attribute) else []
    stored = bool(names) and names[-1] in knowledge.STORING
    sent = any(n in ("getByName", "get") for n in names[1:-1]) and "env" in names
    if not (stored or sent):
        return
    for argument in [*node.args, *(k.value for k in node.keywords)]:
        found = _tuple_in(argument)
        if found is not None:
            what = f"a tuple in {names[-1]}(...)"
            why = "the platform knows lists only: storing or sending a tuple is a TypeError"
            yield found, "tuple", what, why, "Write a list."


def _tuple_in(node: ast.expr) -> ast.Tuple | None:
    if isinstance(node, ast.Tuple):
        return node
    inside: list[ast.expr] = []
    if isinstance(node, ast.List):
        inside = node.elts
    elif isinstance(node, ast.Dict):
        inside = node.values
    return next((found for part in inside if (found := _tuple_in(part)) is not None), None)


def _too_early(node: ast.Call, names: Names) -> Iterator[Raw]:
    name = names.full(node.func)
    if name is None:
        return
    if name in knowledge.CLOCK_CALLS:
        why = (
            "it runs once, when the Worker is uploaded and its memory is kept: every instance sees "
            "that instant"
        )
        yield node, "early-clock", f"{name}() outside of a handler", why, "Call it in the handler."
    elif name in knowledge.CHANCE_CALLS or name.partition(".")[0] in knowledge.CHANCE_MODULES:
        why = "there is no randomness before the first request: OSError, Cannot get entropy"
        fix = "Call it in the handler."
        yield node, "early-chance", f"{name}() outside of a handler", why, fix


_CHANGING = frozenset({
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem",
    "popleft", "remove", "setdefault", "sort", "update",
})  # fmt: skip
_STATE_WHY = (
    "objects on one machine may share a module, and it is gone when they leave memory, without "
    "notice"
)
_STATE_FIX = "Keep it in self.ctx.storage, and what can be worked out again in self."


def _module_state(source: Source, names: Names) -> Iterator[Raw]:
    functions = [
        node
        for statement in source.body
        for node in ast.walk(statement)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for function in functions:
        own = _own_names(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                for name in node.names:
                    what = f"global {name}"
                    yield node, "module-state", what, _STATE_WHY, _STATE_FIX
            name = _changed(node)
            if name and name in names.mutable and name not in own:
                what = f"{name}, of the module, is changed in {function.name}()"
                yield node, "module-state", what, _STATE_WHY, _STATE_FIX


def _changed(node: ast.AST) -> str:
    target: ast.expr | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _CHANGING:
            target = node.func.value
    elif isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
        targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
        found = next((t for t in targets if isinstance(t, ast.Subscript)), None)
        target = None if found is None else found.value
    return target.id if isinstance(target, ast.Name) else ""


def _own_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    own = {a.arg for a in [*named, *filter(None, [arguments.vararg, arguments.kwarg])]}
    shared = {n for g in ast.walk(function) if isinstance(g, ast.Global) for n in g.names}
    stored = {
        n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    return own | (stored - shared)
