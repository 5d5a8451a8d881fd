"""Runs rows of code with Cloudflare's SDK, in Pyodide; its value is what each has given, as JSON."""

import inspect
import json
import warnings

import js
import workers
from pyodide.code import relaxed_call
from pyodide.ffi import JsException, create_proxy
from workers import DurableObject, WorkerEntrypoint, python_from_rpc, python_to_rpc

kinds = {}


def make_instance(kind, state, env):
    return create_proxy(kinds[kind](state, env))


async def call_method(relaxed, made, name, *args):  # as workerd's introspection.wrapper_func does
    method = getattr(made, name)
    values = [python_from_rpc(arg) for arg in args]
    result = relaxed_call(method, *values) if relaxed else method(*values)
    return python_to_rpc(await result if inspect.isawaitable(result) else result)


js.makeInstance = create_proxy(make_instance)
js.callMethod = create_proxy(call_method)


def derived(names, base):
    kinds = {n: v for n, v in names.items() if isinstance(v, type) and issubclass(v, base)}
    return {name: kind for name, kind in kinds.items() if kind is not base}


async def outcome(code):
    names = {}
    try:
        exec(compile(code, "entry.py", "exec"), names)
        kinds.clear()
        objects = derived(names, DurableObject)
        entrypoints = derived(names, WorkerEntrypoint)
        kinds.update({**objects, **entrypoints})
        js.begin(list(objects), list(entrypoints))
        value = await (await js.firstOf("A")).run()
        return {"ok": json.loads(json.dumps(value))}
    except BaseException as error:
        if isinstance(error, JsException):
            kind, text = f"JsException {error.name}", error.message
        else:
            kind, text = type(error).__name__, str(error)
        lines = text.strip().splitlines() or [""]
        return {"error": [kind, lines[-1 if "PythonError" in kind else 0]]}


def public(kind):
    return sorted(n for n in dir(kind) if not n.startswith("_"))


def defined(module, *others):
    """Return the public names that a module itself defines."""
    homes = {module.__name__, *others}
    return [n for n in public(module) if getattr(getattr(module, n), "__module__", "") in homes]


def parameters(function):
    try:
        return [
            str(p).partition(":")[0].partition("=")[0].strip()
            for p in inspect.signature(function).parameters.values()
        ]
    except (TypeError, ValueError):
        return None


def names():
    import asgi
    import pyodide.ffi
    from workers import entrypoints, rpc

    classes = {
        "workers.Request": workers.Request,
        "workers.Response": workers.Response,
        "workers.FetchResponse": workers.FetchResponse,
        "workers.Blob": workers.Blob,
        "workers.File": workers.File,
        "workers.FormData": workers.FormData,
        "workers.DurableObject": workers.DurableObject,
        "workers.WorkerEntrypoint": workers.WorkerEntrypoint,
        "ctx": entrypoints.DurableObjectContext,
        "namespace": rpc._DurableObjectNamespaceWrapper,
        "stub": rpc._FetcherWrapper,
    }
    found = {
        "workers": sorted(workers.__all__),
        "workers.entrypoints": defined(entrypoints),
        "workers.workflows": defined(__import__("workers.workflows").workflows),
        "asgi": defined(asgi, "workers.asgi"),
        "pyodide.ffi": sorted(pyodide.ffi.__all__),
    }
    found |= {name: public(kind) for name, kind in classes.items()}
    functions = {
        "workers.Request()": workers.Request.__init__,
        "workers.Response()": workers.Response.__init__,
        "workers.Response.from_json()": workers.Response.from_json,
        "workers.Response.redirect()": workers.Response.redirect,
        "workers.fetch()": workers.fetch,
        "workers.patch_env()": workers.patch_env,
        "workers.import_from_javascript()": workers.import_from_javascript,
        "ctx.abort()": entrypoints.DurableObjectContext.abort,
        "stub.fetch()": rpc._FetcherWrapper.fetch,
    }
    return found, {name: parameters(function) for name, function in functions.items()}


async def main():
    warnings.simplefilter("ignore")
    rows = {row["name"]: await outcome(row["code"]) for row in json.loads(ROWS)}  # noqa: F821
    found, signatures = names()
    return json.dumps({"rows": rows, "names": found, "signatures": signatures})


await main()  # noqa: F704 - Pyodide runs it with top-level await
