"""The rules for the classes themselves: constructors, handlers, what methods return."""

import ast
from collections.abc import Iterator
from typing import Final

from dobook.lint import knowledge
from dobook.lint.promises import Scope, own_nodes
from dobook.lint.rules import Raw
from dobook.lint.sources import Names, Source, chain

_HANDLERS: Final = frozenset({
    "fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError", "on_fetch",
    "scheduled", "on_scheduled",
})  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


def check_classes(source: Source, names: Names) -> Iterator[Raw]:
    """Yield what is wrong with the classes of a source that are objects or Workers."""
    for statement in source.body:
        if isinstance(statement, ast.ClassDef) and (kind := names.kind(statement)):
            methods = [n for n in statement.body if isinstance(n, Function)]
            for method in methods:
                if method.name == "__init__":
                    yield from _constructor(method, ast.unparse(statement))
                elif kind == "DurableObject" and not _mentions(statement, method.name):
                    yield from _handler(method, {m.name for m in methods})
                if not method.name.startswith("_") and method.name not in _HANDLERS:
                    yield from _returns(method)
                if isinstance(method, ast.AsyncFunctionDef):
                    yield from _returned_unawaited(method, methods)
                if method.name in ("fetch", "on_fetch"):
                    yield from _no_response(method)
                if method.name in ("fetch", "alarm") and _yields(method):
                    why = "the platform awaits a handler once"
                    what = f"{method.name}() is a generator"
                    yield method, "handler", what, why, "Return a Response."
            yield from _class_state(statement, methods, names)


def _mentions(node: ast.AST, name: str) -> bool:
    """Return whether a class uses a method of its own, `self.name`."""
    return any(
        isinstance(n, ast.Attribute) and n.attr == name and isinstance(n.value, ast.Name)
        for n in ast.walk(node)
    )


def _constructor(method: Function, whole: str) -> Iterator[Raw]:
    if isinstance(method, ast.AsyncFunctionDef):
        why = "a constructor cannot be awaited"
        fix = "Use self.ctx.blockConcurrencyWhile(self.load) in it, with an async method load."
        yield method, "constructor", "async def __init__", why, fix
        return
    arguments = method.args
    count = len(arguments.posonlyargs) + len(arguments.args)
    needed = count - len(arguments.defaults)
    if arguments.vararg is None and not needed <= 3 <= count:
        why = "the platform makes an object with (ctx, env)"
        fix = "Write: def __init__(self, ctx, env):"
        yield method, "constructor", f"__init__ takes {count} arguments", why, fix
        return
    text = ast.unparse(method)
    uses = "self.ctx" in whole or "self.env" in whole
    called = "super().__init__" in text or ".__init__(self" in text
    if uses and not called and "self.ctx" not in text and "self.env" not in text:
        why = "self.ctx and self.env are set by the base class"
        fix = "Write in it first: super().__init__(ctx, env)"
        yield method, "constructor", "__init__ without super().__init__(ctx, env)", why, fix


def _handler(method: Function, others: set[str]) -> Iterator[Raw]:
    name = knowledge.HANDLERS.get(method.name)
    if name is not None and name not in others:
        why = f"the platform calls {name}, so this would never run"
        yield method, "spelling", f"method {method.name}", why, f"Call it {name}."


def _returns(method: Function) -> Iterator[Raw]:
    """Find tuples that a method gives its callers."""
    waiting: list[ast.AST] = list(method.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            why = (
                "what a method returns is sent to its caller, and tuples cannot be sent: TypeError"
            )
            what = f"{method.name}() returns a tuple"
            yield node, "tuple", what, why, "Return a list or a dict."
        waiting.extend(ast.iter_child_nodes(node))


def _returned_unawaited(method: ast.AsyncFunctionDef, methods: list[Function]) -> Iterator[Raw]:
    """Find what an async method returns without awaiting it: its caller gets a promise."""
    scope = Scope(method)
    asynchronous = {m.name for m in methods if isinstance(m, ast.AsyncFunctionDef)}
    for node in own_nodes(method):
        if not isinstance(node, ast.Return) or node.value is None:
            continue
        value = node.value
        own = (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Attribute)
            and chain(value.func) == ["self", value.func.attr]
            and value.func.attr in asynchronous
        )
        if own or scope.is_promise(value):
            call = f"self.{value.func.attr}(...)" if own else scope.in_words(value)  # type: ignore[attr-defined]
            why = "what an async method returns is not awaited for it: TypeError"
            yield node, "await", f"return {call} without await", why, f"Write return await {call}"


def _no_response(method: Function) -> Iterator[Raw]:
    """Find what a fetch handler returns in place of a response."""
    for node in own_nodes(method):
        if not isinstance(node, ast.Return):
            continue
        value = node.value
        if isinstance(value, ast.Dict | ast.List | ast.DictComp | ast.ListComp):
            fix = "Write return Response.json(...)"
        elif isinstance(value, ast.JoinedStr) or (
            isinstance(value, ast.Constant) and isinstance(value.value, str | bytes)
        ):
            fix = "Write return Response(...)"
        elif value is None or (isinstance(value, ast.Constant) and value.value is None):
            fix = "Write return Response(None, status=204)"
        else:
            continue
        why = "a fetch handler has to return a Response: TypeError"
        yield node, "response", f"{method.name}() returns no Response", why, fix


def _yields(method: Function) -> bool:
    return any(isinstance(n, ast.Yield | ast.YieldFrom) for n in ast.walk(method))


def _class_state(node: ast.ClassDef, methods: list[Function], names: Names) -> Iterator[Raw]:
    """Find lists and dicts of the class that its objects change: they share them."""
    for statement in node.body:
        if not isinstance(statement, ast.Assign) or not names.is_mutable(statement.value):
            continue
        for target in statement.targets:
            if isinstance(target, ast.Name) and _is_changed(target.id, methods):
                what = f"{target.id}, of the class, is changed by its objects"
                why = "objects on one machine share it, and it is gone when they leave memory"
                fix = (
                    f"Make it in __init__: self.{target.id} = ..., or keep it in self.ctx.storage."
                )
                yield statement, "module-state", what, why, fix


def _is_changed(name: str, methods: list[Function]) -> bool:
    stored, used = f"self.{name} =", f"self.{name}"
    text = "\n".join(map(ast.unparse, methods))
    return used in text and stored not in text
