"""The rules for what Cloudflare's Python SDK does otherwise: calls, promises, transactions.

Source: PyPI workers-runtime-sdk; what it does in each case is recorded in tests/sdk.
"""

import ast
from collections.abc import Iterator
from typing import Final

from dobook.lint.promises import FOLLOWING, LOCAL, Function, Scope, functions_of, own_nodes
from dobook.lint.rules import Raw
from dobook.lint.sources import Names, Source, chain, values_in

_DISPLAYS: Final = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Tuple)
_PROMISE: Final = "it returns a promise, which is not a value and always counts as true"
_TAKING_VALUES: Final = frozenset({
    "bool", "dict", "float", "int", "len", "list", "max", "min", "print", "sorted", "str", "sum",
})  # fmt: skip
_SPELLING: Final = {"bodyUsed": "body_used", "formData": "form_data", "arrayBuffer": "buffer"}


def check_sdk(source: Source, names: Names) -> Iterator[Raw]:
    """Yield what a source does that means something else, or nothing, with Cloudflare's SDK."""
    for statement in source.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.ImportFrom):
                yield from _import(node)
            elif isinstance(node, ast.Call):
                yield from _context_call(node, names)
            yield from _env_as_dict(node)
            yield from _props_as_dict(node)
    functions = list(functions_of(list(source.body)))
    for function in functions:
        scope = Scope(function)
        for node in own_nodes(function):
            yield from _remote_call(node, scope)
            yield from _of_exports(node, scope)
            yield from _used_unawaited(node, scope)
        yield from _awaited_twice(scope)
        yield from _fetch_dropped(scope)
        yield from _transactions(function, functions)


def _import(node: ast.ImportFrom) -> Iterator[Raw]:
    if node.module in ("workers", "cloudflare.workers"):
        for alias in node.names:
            if alias.name == "RpcTarget":
                why = "Cloudflare's Python SDK has no RpcTarget: ImportError"
                fix = "Hand over a function, or the name of an object that the other side can call."
                yield node, "rpc-target", "from workers import RpcTarget", why, fix


def _context_call(node: ast.Call, names: Names) -> Iterator[Raw]:
    if not isinstance(node.func, ast.Attribute):
        if names.full(node.func) in ("workers.fetch", "fetch") and len(node.args) > 1:
            yield _options(node, "fetch")
        return
    names_along = chain(node.func)
    name = node.func.attr
    on_context = len(names_along) > 1 and names_along[-2] in ("ctx", "state")
    if name == "abort" and on_context:
        named = [k.arg for k in node.keywords if k.arg not in (None, "reason")]
        if len(node.args) > 1 or named:
            why = "abort() of Cloudflare's Python SDK takes a reason and nothing else: TypeError"
            fix = "Leave the options out; deleteAlarm() before it keeps an alarm from coming back."
            yield node, "abort-options", "ctx.abort(...) with options", why, fix
    elif (
        name == "acceptWebSocket"
        and on_context
        and len(node.args) > 1
        and isinstance(node.args[1], ast.List | ast.Tuple | ast.ListComp)
    ):
        why = "ctx passes it on as it is, and a list of Python is not an array: TypeError"
        fix = "Write to_js([...]): from pyodide.ffi import to_js"
        yield node, "socket-tags", "a list of tags", why, fix


def _options(node: ast.AST, name: str) -> Raw:
    why = f"{name}() of Cloudflare's Python SDK takes options as keywords only: TypeError"
    what = f"{name}(url, {{...}})"
    return node, "fetch-options", what, why, f'Write {name}(url, method="POST", body=...).'


def _env_as_dict(node: ast.AST) -> Iterator[Raw]:
    used: ast.expr | None = None
    if isinstance(node, ast.Subscript):
        used = node.value
        fix = "Write env.NAME, or getattr(env, name)."
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        used = node.comparators[0]
        fix = "Write hasattr(env, name)."
    if isinstance(used, ast.Attribute) and chain(used) == ["self", "env"]:
        why = "env of Cloudflare's Python SDK is not a dict: TypeError"
        yield node, "env-item", "env as a dict", why, fix


def _props_as_dict(node: ast.AST) -> Iterator[Raw]:
    if isinstance(node, ast.Subscript):
        used, name = node.value, "[...]"
    elif isinstance(node, ast.Attribute) and node.attr in ("get", "items", "keys", "values"):
        used, name = node.value, f".{node.attr}"
    else:
        return
    if isinstance(used, ast.Attribute) and chain(used)[-2:] == ["ctx", "props"]:
        why = "ctx.props is JavaScript's own object, and no dict"
        fix = "Write ctx.props.NAME, or getattr(ctx.props, name, None)."
        yield node, "exports-raw", f"ctx.props{name}", why, fix


def _remote_call(node: ast.AST, scope: Scope) -> Iterator[Raw]:
    member = scope.remote(node)
    if member is not None:
        assert isinstance(node, ast.Call)
        if member.attr == "fetch":
            if len(node.args) > 1 and not scope.is_loopback(member.value):
                yield _options(node, "fetch")
        elif node.keywords:
            why = (
                "Cloudflare's Python SDK sends keywords over RPC as one dict after the other "
                "arguments, so the method gets something else, without an error"
            )
            what = f"{member.attr}(...) with keywords"
            yield node, "rpc-keywords", what, why, "Pass the arguments by position."
    elif isinstance(node, ast.Await) and isinstance(node.value, ast.Attribute):
        read = node.value
        if read.attr not in LOCAL and scope.is_stub(read.value) and not scope.is_stub(read):
            why = "members of a stub are functions in Cloudflare's Python SDK: TypeError"
            fix = f"Write a method that returns it: await stub.get_{read.attr}()"
            yield node, "rpc-property", f"the property {read.attr} of a stub", why, fix
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call):
        called = scope.remote(node.value)
        if called is not None and node.attr not in FOLLOWING:
            why = "a call gives a coroutine there, which has no attributes: AttributeError"
            fix = f"Await each step: (await stub.{called.attr}(...)).{node.attr}"
            yield node, "pipelining", f"{called.attr}(...).{node.attr} without await", why, fix
    if isinstance(node, ast.Attribute) and node.attr in _SPELLING:
        base = chain(node.value)[-1:]
        if base in (["request"], ["Request"], ["req"]):
            fix = f"Write {_SPELLING[node.attr]}."
            yield node, "spelling", f".{node.attr}", "the SDK's Request spells it otherwise", fix


def _of_exports(node: ast.AST, scope: Scope) -> Iterator[Raw]:
    """Find values of Python where `ctx.exports` wants those of JavaScript."""
    why = "ctx.exports is JavaScript's own, and nothing is converted on the way: {}"
    member = scope.remote(node)
    if member is not None and scope.is_loopback(member.value):
        assert isinstance(node, ast.Call)
        given: list[ast.expr] = [*node.args, *(k.value for k in node.keywords)]
        if member.attr == "fetch":
            given += [v for a in node.args if isinstance(a, ast.Dict) for v in a.values]
            given = [a for a in given if a not in node.args]
        if any(_is_container(a) for a in given):
            fetching = member.attr == "fetch"
            error = "TypeError, or bytes sent as their text" if fetching else "DataCloneError"
            fix = f"Write {member.attr}({'url, ' * fetching}python_to_rpc(...))."
            what = f"a container in {member.attr}(...) of ctx.exports"
            yield node, "exports-raw", what, why.format(error), fix
    elif isinstance(node, ast.Call) and scope.is_exported(node.func):
        if any(_is_container(a) for a in (*node.args, *(k.value for k in node.keywords))):
            assert isinstance(node.func, ast.Attribute)
            what = f"props of {node.func.attr} in a dict"
            fix = f"Write {node.func.attr}(props=python_to_rpc({{...}}))."
            yield node, "exports-raw", what, why.format("DataCloneError"), fix
    elif (
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
        and isinstance(node.value, ast.Await)
    ):
        called = scope.remote(node.value.value)
        if called is not None and scope.is_loopback(called.value):
            what = f"a key of what {called.attr}(...) of ctx.exports gives"
            fix = f"Write python_from_rpc(await ...{called.attr}(...))[{node.slice.value!r}]."
            yield node, "exports-raw", what, why.format("TypeError"), fix


def _is_container(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bytes)
    return isinstance(node, _DISPLAYS)


def _used_unawaited(node: ast.AST, scope: Scope) -> Iterator[Raw]:
    """Find promises that are used as if they were values."""
    used = values_in(node)
    if isinstance(node, ast.Starred):
        used = [node.value]
    elif isinstance(node, ast.Assert):
        used = [node.test]
    elif isinstance(node, ast.comprehension):
        used = [node.iter]
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _TAKING_VALUES
    ):
        used = node.args
    for part in used:
        if scope.is_promise(part) and not (scope.is_stored(part) and _is_known(node, part)):
            what = f"{scope.in_words(part)} without await"
            yield part, "await", what, _PROMISE, f"Write (await {scope.in_words(part)})"


def _is_known(node: ast.AST, part: ast.expr) -> bool:
    """Return whether the rule for `storage.get(...)` finds it already."""
    if not isinstance(part, ast.Call):
        return False
    names = chain(part.func)
    known = (
        *(ast.BinOp, ast.BoolOp, ast.Compare, ast.Subscript, ast.FormattedValue, ast.UnaryOp),
        *(ast.If, ast.While, ast.IfExp, ast.For),
    )
    awaited = ("get", "list", "getAlarm", "delete", "transaction")
    return names[-2:-1] == ["storage"] and names[-1] in awaited and isinstance(node, known)


# ---------------------------------------------------------------------- promises with names


def _awaited_twice(scope: Scope) -> Iterator[Raw]:
    seen: dict[str, list[dict[int, str]]] = {}
    for node, branches in _with_branches(scope.function):
        if not isinstance(node, ast.Await) or not isinstance(node.value, ast.Name):
            continue
        name = node.value.id
        if name not in scope.promises:
            continue
        before = seen.setdefault(name, [])
        if any(all(branches.get(at, way) == way for at, way in b.items()) for b in before):
            why = "a call gives a coroutine there, which can be awaited once: RuntimeError"
            fix = f"Keep the value: value = await {name}"
            yield node, "await-twice", f"{name} is awaited a second time", why, fix
        before.append(branches)


def _fetch_dropped(scope: Scope) -> Iterator[Raw]:
    """Find requests that nothing awaits."""
    why = "fetch() of Cloudflare's Python SDK sends nothing before it is awaited"
    fix = "Write `await`, or self.ctx.waitUntil(create_proxy(asyncio.create_task(...)))."
    for node in own_nodes(scope.function):
        if isinstance(node, ast.Expr) and _is_fetch(node.value, scope):
            yield node, "fetch-not-awaited", "fetch(...) that nothing awaits", why, fix
    for name, call in scope.promises.items():
        if _is_fetch(call, scope) and not _is_handed_on(name, scope.function):
            yield call, "fetch-not-awaited", "fetch(...) that nothing awaits", why, fix


def _is_fetch(node: ast.expr, scope: Scope) -> bool:
    member = scope.remote(node)
    if member is None or member.attr != "fetch":
        return False
    return not scope.is_loopback(member.value)  # whose fetch is JavaScript's, and sends at once


def _is_handed_on(name: str, function: Function) -> bool:
    """Return whether a name is used other than for a method of what it stands for."""
    uses = sum(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
        for n in ast.walk(function)
    )
    members = sum(
        isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == name
        for n in ast.walk(function)
    )
    return uses > members


def _with_branches(function: Function) -> Iterator[tuple[ast.AST, dict[int, str]]]:
    """Yield a function's nodes in order, each with the branches it is in."""
    waiting: list[tuple[ast.AST, dict[int, str]]] = [(n, {}) for n in reversed(function.body)]
    while waiting:
        node, branches = waiting.pop()
        yield node, branches
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        inside: list[tuple[ast.AST, dict[int, str]]] = []
        for field, value in ast.iter_fields(node):
            children = value if isinstance(value, list) else [value]
            forks = isinstance(node, ast.If | ast.IfExp | ast.Try | ast.Match) and field in (
                "body", "orelse", "handlers", "cases",
            )  # fmt: skip
            way = {**branches, id(node): field} if forks else branches
            inside.extend((child, way) for child in children if isinstance(child, ast.AST))
        waiting.extend(reversed(inside))


# ---------------------------------------------------------------------- transactions


def _transactions(function: Function, functions: list[Function]) -> Iterator[Raw]:
    for node in own_nodes(function):
        if (
            not isinstance(node, ast.Call)
            or not isinstance(node.func, ast.Attribute)
            or not node.args
        ):
            continue
        closure = _closure(node.args[0], functions)
        if closure is None:
            continue
        if node.func.attr == "transactionSync" and isinstance(closure, ast.AsyncFunctionDef):
            why = (
                "an async function has not run when it returns: nothing of it is in the transaction"
            )
            fix = "Write def instead of async def, or use await storage.transaction(...)."
            what = f"transactionSync({closure.name}), which is async"
            yield node, "transaction-async", what, why, fix
        elif node.func.attr == "transaction" and (len(chain(node.func)) > 1):
            yield from _in_transaction(closure)


def _closure(node: ast.expr, functions: list[Function]) -> Function | None:
    name = node.id if isinstance(node, ast.Name) else ""
    if isinstance(node, ast.Attribute) and chain(node)[:-1] == ["self"]:
        name = node.attr
    return next((f for f in functions if f.name == name), None)


def _in_transaction(closure: Function) -> Iterator[Raw]:
    """Find Python's containers at the `txn` of a transaction, which is JavaScript's own."""
    arguments = [a.arg for a in closure.args.args if a.arg != "self"]
    if not arguments:
        return
    txn = arguments[0]
    for node in own_nodes(closure):
        call = node.value if isinstance(node, ast.Subscript | ast.For) and not isinstance(
            node, ast.For
        ) else node.iter if isinstance(node, ast.For) else None  # fmt: skip
        if isinstance(call, ast.Await) and _calls(call.value, txn, ("get", "list")):
            why = "the txn is JavaScript's own, and what it reads is not a dict or list of Python"
            fix = f"Write (await {txn}.get(...)).to_py()."
            yield node, "transaction", f"{txn}.get(...) as a value of Python", why, fix
        if not isinstance(node, ast.Call) or not _calls(node, txn, ("put",)):
            continue
        for value in node.args:
            if isinstance(value, _DISPLAYS):
                why = "the txn is JavaScript's own, and cannot keep a dict or list of Python: DataCloneError"
                fix = "Write to_js(value, dict_converter=Object.fromEntries)."
                yield node, "transaction", f"a container in {txn}.put(...)", why, fix
                break


def _calls(node: ast.AST, base: str, methods: tuple[str, ...]) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == base
        and node.func.attr in methods
    )
