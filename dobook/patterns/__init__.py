"""Durable Object classes for the usual jobs, each a file that deploys as it is.

A file here imports nothing but what Cloudflare's Python Workers have (`workers`, for sockets also
`js` and `pyodide.ffi`) and nothing of its neighbours: copied into a project's `src/`, it runs there.
In a notebook `%pattern NAME` defines one. What a class is meant to be extended by is a method of
its own with a name like `process` or `run_step`.
"""

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dobook.patterns.batcher import Batcher
    from dobook.patterns.chat_room import ChatRoom
    from dobook.patterns.fenced_store import FencedStore
    from dobook.patterns.fixed_window import FixedWindow
    from dobook.patterns.hibernating_chat_room import HibernatingChatRoom
    from dobook.patterns.leader import Leader
    from dobook.patterns.lock import Lock
    from dobook.patterns.once import Once
    from dobook.patterns.saga import Saga
    from dobook.patterns.schedule import Schedule
    from dobook.patterns.sliding_counter import SlidingCounter
    from dobook.patterns.sliding_log import SlidingLog
    from dobook.patterns.stateful_workflow import StatefulWorkflow
    from dobook.patterns.task_queue import TaskQueue
    from dobook.patterns.token_bucket import TokenBucket
    from dobook.patterns.work_queue import WorkQueue

__all__ = [
    "Batcher",
    "ChatRoom",
    "FencedStore",
    "FixedWindow",
    "HibernatingChatRoom",
    "Leader",
    "Lock",
    "Once",
    "Saga",
    "Schedule",
    "SlidingCounter",
    "SlidingLog",
    "StatefulWorkflow",
    "TaskQueue",
    "TokenBucket",
    "WorkQueue",
]


def module_of(name: str) -> str:
    """Return the name of the module that a pattern's class is in.

    Example:
        >>> module_of("TokenBucket")
        'token_bucket'
    """
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def source_of(name: str) -> str:
    """Return a pattern's file, as a project or a cell can have it.

    Example:
        >>> "class Lock(DurableObject)" in source_of("Lock")
        True
    """
    return inspect.getsource(import_module(f"{__name__}.{module_of(name)}"))


def __getattr__(name: str) -> Any:
    if name in __all__:
        value = getattr(import_module(f"{__name__}.{module_of(name)}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
