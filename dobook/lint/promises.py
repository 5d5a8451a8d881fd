"""What an expression gives, as far as the code shows it: stubs of objects, and promises.

A stub comes from `env.ROOM.getByName(...)` or `get(id)`; a promise from a call on a stub or on
storage that is not awaited. Names that are bound to one inside a function are followed.
"""

import ast
from collections.abc import Iterator
from typing import Final

from dobook.lint.sources import chain

Function = ast.FunctionDef | ast.AsyncFunctionDef

_ID_MAKERS: Final = frozenset({"idFromName", "idFromString", "newUniqueId"})
_STORAGE_CALLS: Final = frozenset({
    "get", "put", "delete", "list", "getAlarm", "setAlarm", "deleteAlarm", "deleteAll", "sync",
    "transaction", "getCurrentBookmark", "getBookmarkForTime", "onNextSessionRestoreBookmark",
})  # fmt: skip
LOCAL: Final = frozenset({"id", "name", "dup", "dispose"})  # what a stub itself has
FOLLOWING: Final = frozenset({"then", "catch", "finally_", "close", "send", "throw"})


class Scope:
    """What the names of one function are bound to.

    Args:
        function: The function.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self._stubs: set[str] = set()
        self._exports: set[str] = set()
        self._loopbacks: set[str] = set()
        self._storages: set[str] = set()
        self.promises: dict[str, ast.Call] = {}
        bound: dict[str, int] = {}
        for node in own_nodes(function):
            for name, value in _bindings(node):
                bound[name] = bound.get(name, 0) + 1
                if self.is_exports(value):
                    self._exports.add(name)
                elif self.is_stub(value):
                    self._stubs.add(name)
                    if self.is_loopback(value):
                        self._loopbacks.add(name)
                elif isinstance(value, ast.Attribute) and value.attr == "storage":
                    self._storages.add(name)
                elif isinstance(value, ast.Call) and self.is_promise(value):
                    self.promises[name] = value
        for name, count in bound.items():
            if count > 1:  # it may be anything by now
                self.promises.pop(name, None)

    def is_stub(self, node: ast.expr) -> bool:
        """Return whether an expression gives a stub."""
        if isinstance(node, ast.Name):
            return node.id in self._stubs
        if isinstance(node, ast.Attribute):
            names = chain(node)  # a service: env.MAIL
            bound = len(names) > 1 and names[-2] == "env" and _is_plain(node)
            return bound or self.is_exported(node)
        if isinstance(node, ast.Call) and self.is_loopback(node):
            return True
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        if node.func.attr == "getByName":
            return True
        if node.func.attr != "get":
            return False
        names = chain(node.func)
        by_id = any(
            isinstance(a, ast.Call)
            and isinstance(a.func, ast.Attribute)
            and a.func.attr in _ID_MAKERS
            for a in node.args
        )
        return by_id or (len(names) > 2 and names[-3] == "env" and names[-2].isupper())

    def is_exports(self, node: ast.expr) -> bool:
        """Return whether an expression is `ctx.exports`."""
        if isinstance(node, ast.Name):
            return node.id in self._exports
        return isinstance(node, ast.Attribute) and chain(node)[-2:] == ["ctx", "exports"]

    def is_exported(self, node: ast.expr) -> bool:
        """Return whether an expression is something that `ctx.exports` has."""
        return isinstance(node, ast.Attribute) and self.is_exports(node.value)

    def is_loopback(self, node: ast.expr) -> bool:
        """Return whether an expression gives a stub that comes from `ctx.exports`."""
        if isinstance(node, ast.Name):
            return node.id in self._loopbacks
        if not isinstance(node, ast.Call):
            return self.is_exported(node)
        made = node.func
        if isinstance(made, ast.Attribute) and made.attr in ("get", "getByName"):
            return self.is_exported(made.value)
        return self.is_exported(made)  # with props

    def remote(self, node: ast.AST) -> ast.Attribute | None:
        """Return the member of a stub that an expression calls; None for any other expression."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return None
        member = node.func
        if isinstance(member.value, ast.Attribute) and member.attr in (
            *_ID_MAKERS, "get", "getByName", "jurisdiction",
        ):  # fmt: skip
            return None  # a namespace's method
        return member if member.attr not in LOCAL and self.is_stub(member.value) else None

    def is_stored(self, node: ast.AST) -> bool:
        """Return whether an expression calls a method of storage that gives a promise."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        base, name = node.func.value, node.func.attr
        if name not in _STORAGE_CALLS:
            return False
        if isinstance(base, ast.Name):
            return base.id in self._storages or base.id == "storage"
        return isinstance(base, ast.Attribute) and base.attr == "storage"

    def is_promise(self, node: ast.expr) -> bool:
        """Return whether an expression gives a promise that has not been awaited."""
        if isinstance(node, ast.Name):
            return node.id in self.promises
        return self.remote(node) is not None or self.is_stored(node)

    def in_words(self, node: ast.expr) -> str:
        """Return a promise as findings name it."""
        call = self.promises[node.id] if isinstance(node, ast.Name) else node
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        base = "storage." if self.is_stored(call) else ""
        return f"{base}{call.func.attr}(...)"


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of functions and classes inside of it."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def functions_of(body: list[ast.stmt]) -> Iterator[Function]:
    """Yield every function in some statements."""
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, Function):
                yield node


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and isinstance(node.target, ast.Name):
        if node.value is not None:
            yield node.target.id, node.value
    elif isinstance(node, ast.For | ast.AsyncFor | ast.AugAssign) and isinstance(
        node.target, ast.Name
    ):
        yield node.target.id, ast.Constant(None)


def _is_plain(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)
