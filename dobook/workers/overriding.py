"""`exports` of `cloudflare:workers`, and running a function with another `env` or other exports.

Cloudflare's Python SDK has no names of its own for these; they are those of JavaScript's module:
`import_from_javascript("cloudflare:workers").withEnv(…)`.

Source: developers.cloudflare.com/workers/runtime-apis/bindings/#overriding-env-values,
cloudflare/workerd src/cloudflare/workers.ts
"""

import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from dobook.errors import PlatformTypeError, UsageError, suggest
from dobook.runtime.calls import rpc
from dobook.runtime.calls.post import giver
from dobook.runtime.loop.frame import current_execution, current_frame
from dobook.runtime.objects.context import exports_of
from dobook.runtime.worker.exports import Exports
from dobook.workers.ambient import replaced_env

_replaced_exports: ContextVar[Mapping[str, Any] | None] = ContextVar("dobook_exports", default=None)


class AmbientExports:
    """The exports of whichever code runs; `ctx.exports` is the same, but cannot be overridden."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        replaced = _replaced_exports.get()
        if replaced is None:
            return getattr(_current(), name)
        if name not in replaced:
            raise AttributeError(f"exports has no {name!r} here. {suggest(name, replaced)}")
        return replaced[name]

    def __dir__(self) -> list[str]:
        replaced = _replaced_exports.get()
        return dir(_current()) if replaced is None else [*replaced]

    def object_keys(self) -> list[str]:
        """Return the names, as `Object.keys` does."""
        return dir(self)

    def __repr__(self) -> str:
        try:
            return f"<exports: {', '.join(dir(self))}>"
        except UsageError:
            return "<exports, of no Worker>"


exports = AmbientExports()


class RpcStub(rpc.RpcStub):
    """A stub of a target or function of one's own: `RpcStub.new(target)`."""

    @classmethod
    def new(cls, target: Any = None) -> rpc.RpcStub:
        """Return a stub, which is used as one that has come over RPC is.

        Raises:
            PlatformTypeError: If the target is neither an RpcTarget nor a function.
        """
        if not isinstance(target, rpc.RpcTarget) and not callable(target):
            raise PlatformTypeError(
                "Failed to construct 'JsRpcStub': constructor parameter 1 is not of type 'Object'."
            )
        return rpc.RpcStub(_home(), target)


def with_env(new_env: Any, function: Callable[[], Any]) -> Any:
    """Return what a function gives while `env` of `cloudflare:workers` is another object."""
    return _during(function, env=new_env)


def with_exports(new_exports: Any, function: Callable[[], Any]) -> Any:
    """Return what a function gives while `exports` of `cloudflare:workers` is another object."""
    return _during(function, exports=new_exports)


def with_env_and_exports(new_env: Any, new_exports: Any, function: Callable[[], Any]) -> Any:
    """Return what a function gives while both are other objects."""
    return _during(function, env=new_env, exports=new_exports)


_VARIABLES: Mapping[str, ContextVar[Any]] = {"env": replaced_env, "exports": _replaced_exports}


def _during(function: Callable[[], Any], **given: Any) -> Any:
    # None hides everything; a text or number changes nothing.
    chosen = {
        _VARIABLES[name]: {} if value is None else value
        for name, value in given.items()
        if not isinstance(value, str | int | float)
    }
    with _set(chosen):
        result = function()
    if not inspect.iscoroutine(result):
        return result

    async def awaited() -> Any:
        with _set(chosen):
            return await result

    return awaited()


@contextmanager
def _set(values: Mapping[ContextVar[Any], Any]) -> Any:
    with ExitStack() as undoing:
        for variable, value in values.items():
            undoing.callback(variable.reset, variable.set(value))
        yield


def _current() -> Exports:
    frame = current_frame.get()
    if frame is not None:
        return exports_of(frame.instance)
    execution = current_execution.get()
    if execution is not None:
        exports: Exports = execution.exports
        return exports
    raise UsageError("exports has names inside an object or a Worker.")


def _home() -> Any:
    frame = current_frame.get()
    if frame is not None:
        return frame.instance
    execution = current_execution.get()
    if execution is None:
        raise UsageError("RpcStub.new(…) is for code of an object or a Worker.")
    return giver(execution._runtime)  # noqa: SLF001 - of this package
