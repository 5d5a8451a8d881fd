"""What Cloudflare's Python SDK calls `workers`, for classes that run here and there.

Importing dobook makes `from workers import DurableObject, Response` work, unless a real `workers`
module is installed (see `dobook.workers_hook`).
Source: PyPI workers-runtime-sdk, cloudflare/workers-py packages/runtime-sdk
"""

from typing import TYPE_CHECKING, Any, TypeAlias

from dobook.errors import suggest
from dobook.web import Blob, BlobEnding, FetchResponse, File, FormData, Headers, Request, Response
from dobook.web.blob import BlobValue
from dobook.web.formdata import FormDataValue
from dobook.workers.entrypoints import (
    Context,
    DurableObject,
    WorkerEntrypoint,
    WorkflowEntrypoint,
    handler,
)
from dobook.workers.missing import missing

if TYPE_CHECKING:
    from dobook.runtime.calls.rpc import RpcTarget as RpcTarget
    from dobook.workers.ambient import env, import_from_javascript, patch_env, wait_until
    from dobook.workers.fetching import fetch
    from dobook.workers.rpc import python_from_rpc, python_to_rpc

    waitUntil = wait_until

__all__ = [
    "Blob",
    "BlobEnding",
    "BlobValue",
    "Body",
    "Context",
    "DurableObject",
    "FetchKwargs",
    "FetchResponse",
    "File",
    "FormData",
    "FormDataValue",
    "Headers",
    "JSBody",
    "Request",
    "RequestInitCfProperties",
    "Response",
    "WorkerEntrypoint",
    "WorkflowEntrypoint",
    "env",
    "fetch",
    "handler",
    "import_from_javascript",
    "patch_env",
    "python_from_rpc",
    "python_to_rpc",
    "waitUntil",
    "wait_until",
]

# For annotations.
JSBody: TypeAlias = Any
Body: TypeAlias = "str | FormData | JSBody"
FetchKwargs: TypeAlias = dict[str, Any]
RequestInitCfProperties: TypeAlias = dict[str, Any]

# What most classes never use is imported when it is.
_HOME = {
    "env": "ambient",
    "fetch": "fetching",
    "import_from_javascript": "ambient",
    "patch_env": "ambient",
    "python_from_rpc": "rpc",
    "python_to_rpc": "rpc",
    "waitUntil": "ambient",
    "wait_until": "ambient",
}
_SPELLING = {"waitUntil": "wait_until"}


_RPC_TARGET = (
    "Cloudflare's Python SDK has no RpcTarget (ImportError). Hand over a function, or the name of an "
    "object that the other side can call."
)


def __getattr__(name: str) -> Any:
    if name == "RpcTarget":
        from dobook.runtime.calls.rpc import RpcTarget
        from dobook.runtime.reports.portable import remark

        remark(_RPC_TARGET, anywhere=True)
        return RpcTarget
    if name in _HOME:
        from importlib import import_module

        module = import_module(f"dobook.workers.{_HOME[name]}")
        value = globals()[name] = getattr(module, _SPELLING.get(name, name))
        return value
    if name.startswith("_"):  # introspection asks for such names, and is content without
        raise AttributeError(name)
    raise missing(f"Cloudflare's SDK has no workers.{name}. {_instead(name)}")


_OF_JAVASCRIPT = {  # of its module "cloudflare:workers", by the names that people would try here
    "exports": "exports", "RpcStub": "RpcStub",
    "with_env": "withEnv", "withEnv": "withEnv",
    "with_exports": "withExports", "withExports": "withExports",
    "with_env_and_exports": "withEnvAndExports", "withEnvAndExports": "withEnvAndExports",
}  # fmt: skip


def _instead(name: str) -> str:
    from importlib import import_module  # `from dobook.workers import js` would ask this module

    if name in _OF_JAVASCRIPT:
        module = f'import_from_javascript("cloudflare:workers").{_OF_JAVASCRIPT[name]}'
        besides = "self.ctx.exports, or " if name == "exports" else ""
        return f"JavaScript's module has it: {besides}{module}"
    js, asgi = (import_module(f"dobook.workers.{each}") for each in ("js", "asgi"))
    if name in js.__all__:
        return f"It is JavaScript's: from js import {name}"
    if name in asgi.__all__:
        return f"Write: import asgi, and asgi.{name}(…)."
    return suggest(name, __all__)
