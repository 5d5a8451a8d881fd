"""What Cloudflare's Python SDK calls `workers`, for classes that run here and there.

Importing dobook makes `from workers import DurableObject, Response` work, unless a real `workers`
module is installed (see `dobook.workers_hook`).
Source: PyPI workers-runtime-sdk, cloudflare/workers-py packages/runtime-sdk
"""

from dobook.runtime.rpc import RpcTarget
from dobook.web import Blob, FetchResponse, File, FormData, Request, Response
from dobook.workers.entrypoints import DurableObject, WorkerEntrypoint, handler

__all__ = [
    "Blob",
    "DurableObject",
    "FetchResponse",
    "File",
    "FormData",
    "Request",
    "Response",
    "RpcTarget",
    "WorkerEntrypoint",
    "handler",
]
