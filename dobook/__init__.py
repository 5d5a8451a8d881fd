"""dobook: Durable Objects in a Jupyter notebook.

A lightweight, faithful runtime for classes written for Cloudflare's Durable Objects, with a
virtual clock, and a notebook surface on top of it. Names resolve lazily: importing `dobook` loads
neither IPython nor pandas nor a server.

Example:
    >>> import dobook
    >>> runtime = dobook.Runtime()
    >>> runtime.close()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dobook.workers_hook import install as _install

if TYPE_CHECKING:
    from dobook.errors import DobookError
    from dobook.events import TraceEvent
    from dobook.explorer.client import retry
    from dobook.explorer.invariants import invariant
    from dobook.explorer.replay import replay
    from dobook.explorer.search import explore
    from dobook.notebook.exercises import check
    from dobook.notebook.exercises.handing_in import collect, hand_in
    from dobook.notebook.limits.limiter_comparison import compare_limiters
    from dobook.notebook.storage.open_state import open_state
    from dobook.runtime.calls.rpc import RpcTarget
    from dobook.runtime.calls.stub import DurableObjectStub
    from dobook.runtime.client import Client
    from dobook.runtime.objects.alarm import AlarmRun
    from dobook.runtime.objects.context import DurableObjectState
    from dobook.runtime.objects.namespace import DurableObjectNamespace
    from dobook.runtime.runtime import Runtime
    from dobook.runtime.storage.storage import DurableObjectStorage
    from dobook.storage.sql.storage import SqlStorage

__version__ = "0.1.0"

__all__ = [
    "AlarmRun",
    "Client",
    "DobookError",
    "DurableObjectNamespace",
    "DurableObjectState",
    "DurableObjectStorage",
    "DurableObjectStub",
    "RpcTarget",
    "Runtime",
    "SqlStorage",
    "TraceEvent",
    "check",
    "collect",
    "compare_limiters",
    "explore",
    "hand_in",
    "invariant",
    "open_state",
    "replay",
    "retry",
]

pytest_plugins = ("dobook.testing.plugin",)  # `pytest -p dobook`; nothing is imported by it here

_HOME = {
    "check": "dobook.notebook.exercises",
    "collect": "dobook.notebook.exercises.handing_in",
    "compare_limiters": "dobook.notebook.limits.limiter_comparison",
    "hand_in": "dobook.notebook.exercises.handing_in",
    "AlarmRun": "dobook.runtime.objects.alarms",
    "Client": "dobook.runtime.client",
    "DobookError": "dobook.errors",
    "DurableObjectNamespace": "dobook.runtime.objects.namespace",
    "DurableObjectState": "dobook.runtime.objects.context",
    "DurableObjectStorage": "dobook.runtime.storage.storage",
    "DurableObjectStub": "dobook.runtime.calls.stub",
    "RpcTarget": "dobook.runtime.calls.rpc",
    "Runtime": "dobook.runtime.runtime",
    "SqlStorage": "dobook.storage.sql.storage",
    "TraceEvent": "dobook.events",
    "explore": "dobook.explorer.search",
    "invariant": "dobook.explorer.invariants",
    "load_ipython_extension": "dobook.notebook.extension",
    "open_state": "dobook.notebook.storage.open_state",
    "replay": "dobook.explorer.replay",
    "retry": "dobook.explorer.client",
    "unload_ipython_extension": "dobook.notebook.extension",
}


_install()


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    hint = (
        "" if name.startswith("_") else f". {import_module('dobook.errors').suggest(name, __all__)}"
    )
    raise AttributeError(f"module 'dobook' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return __all__
