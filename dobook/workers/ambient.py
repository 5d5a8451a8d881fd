"""What code finds without being given it: the bindings and background work of the running code.

`from workers import env` is written at the top of a module, before there is any request; what it
gives looks up the bindings each time it is used.
Source: developers.cloudflare.com/workers/runtime-apis/bindings/#importing-env-as-a-global
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType, SimpleNamespace
from typing import Any

from dobook.errors import PlatformError, UsageError, suggest
from dobook.runtime.loop.frame import current_execution, current_frame
from dobook.runtime.sockets.transport import current_wire

loading_env: ContextVar[Any] = ContextVar("dobook_loading_env", default=None)
_NONE: Mapping[str, Any] = MappingProxyType({})
_patches: ContextVar[Mapping[str, Any]] = ContextVar("dobook_env_patches", default=_NONE)
replaced_env: ContextVar[Any] = ContextVar("dobook_env", default=None)  # what withEnv() is given


def current_env() -> Any:
    """Return the bindings of the code that runs.

    Raises:
        UsageError: If none of a runtime's is.
    """
    frame = current_frame.get()
    if frame is not None:
        namespace = frame.instance.actor.namespace
        return namespace.runtime.env if namespace.env is None else namespace.env
    execution = current_execution.get()
    if execution is not None:
        return execution._env  # noqa: SLF001 - of this package
    env = loading_env.get()
    if env is not None:
        return env
    wire = current_wire()
    if wire is not None:
        return wire.runtime.env
    raise UsageError(
        "workers.env has bindings inside an object or a Worker. From outside they are at "
        "runtime.env."
    )


class AmbientEnv:
    """The bindings of whichever code runs."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        patched = _patches.get()
        if name in patched:
            return patched[name]
        found = _shown()
        if not isinstance(found, Mapping):
            return getattr(found, name)
        if name not in found:
            raise AttributeError(f"env has no {name!r} here. {suggest(name, found)}")
        return found[name]

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        return name in _patches.get() or name in _shown()

    def __dir__(self) -> list[str]:
        found = _shown()
        return [*_patches.get(), *(found if isinstance(found, Mapping) else found.names())]

    def __repr__(self) -> str:
        try:
            return repr(_shown())
        except UsageError:
            return "<env, of no Worker>"


def _shown() -> Any:
    """Return what `env` is at the moment: the bindings, or what withEnv() was given."""
    replaced = replaced_env.get()
    return current_env() if replaced is None else replaced


env = AmbientEnv()


@contextmanager
def patch_env(
    d: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None, **kwds: Any
) -> Iterator[None]:
    """Replace the values of `workers.env` for a while.

    Example:
        >>> with patch_env(GREETING="hi"):
        ...     env.GREETING
        'hi'
    """
    token = _patches.set({**_patches.get(), **dict(d or {}), **kwds})
    try:
        yield
    finally:
        _patches.reset(token)


def wait_until(promise: Any) -> None:
    """Continue a piece of work after the answer.

    Raises:
        PlatformError: Outside of handlers.
    """
    frame = current_frame.get()
    if frame is not None:
        frame.instance.wait_until(promise)
        return
    execution = current_execution.get()
    if execution is None:
        raise PlatformError("waitUntil() can be called in a handler only.")
    execution.waitUntil(promise)


def import_from_javascript(module_name: str) -> Any:
    """Return a module of the platform's JavaScript.

    Args:
        module_name: "cloudflare:workers", which has `env`, `exports`, `withEnv`, `withExports`,
            `withEnvAndExports`, `RpcStub` and `waitUntil`; there is no other here.

    Raises:
        ImportError: For any other.
    """
    if module_name == "cloudflare:workers":
        from dobook.runtime.calls.rpc import RpcTarget
        from dobook.workers import entrypoints, overriding

        return SimpleNamespace(
            env=env,
            exports=overriding.exports,
            waitUntil=wait_until,
            withEnv=overriding.with_env,
            withEnvAndExports=overriding.with_env_and_exports,
            withExports=overriding.with_exports,
            DurableObject=entrypoints.DurableObject,
            WorkerEntrypoint=entrypoints.WorkerEntrypoint,
            RpcStub=overriding.RpcStub,
            RpcTarget=RpcTarget,
        )
    raise ImportError(
        f"Failed to import {module_name!r}: dobook has no JavaScript modules but "
        "'cloudflare:workers'."
    )
