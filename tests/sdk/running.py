"""Runs a row of the SDK's vectors in dobook."""

import inspect
import json
import types
from typing import Any

from workers import DurableObject, WorkerEntrypoint

import dobook
from dobook.errors import js_name


def outcome(code: str) -> dict[str, Any]:
    """Return what a row's code gives here, in the form of the recorded answers."""
    module = types.ModuleType("entry")
    exec(compile(code, "entry.py", "exec"), module.__dict__)
    found: list[Any] = []
    with dobook.Runtime() as runtime:
        runtime.env.bind("GREETING", "hello")
        for name, kind in _derived(module, DurableObject).items():
            runtime.register(_telling(kind, found) if name == "A" else kind, binding=name)
        entrypoints = _derived(module, WorkerEntrypoint)
        if entrypoints:
            runtime.serve_worker(WorkerEntrypoint, entrypoints=entrypoints.values())
        try:
            runtime.run(runtime.env.A.getByName("a")._invoke(("run",), (), {}))
        except BaseException as error:
            if not found:
                found.append(error)
        runtime.settle(alarms=False)
    value = found[0]
    if isinstance(value, BaseException):
        lines = str(value).strip().splitlines() or [""]
        kinds = [kind.__name__ for kind in type(value).__mro__]
        return {"error": lines[0], "kinds": [*kinds, js_name(value)]}
    return {"ok": json.loads(json.dumps(value))}


def _derived(module: types.ModuleType, base: type) -> dict[str, type]:
    kinds = {n: v for n, v in vars(module).items() if inspect.isclass(v) and issubclass(v, base)}
    return {name: kind for name, kind in kinds.items() if kind is not base}


def _telling(kind: type, found: list[Any]) -> type:
    """Return the class with a `run` that keeps its outcome before anything crosses a border."""
    run = kind.run  # type: ignore[attr-defined]

    async def told(self: Any) -> None:
        try:
            found.append(await run(self))
        except BaseException as error:
            found.append(error)
            raise

    kind.run = told  # type: ignore[attr-defined]
    return kind
