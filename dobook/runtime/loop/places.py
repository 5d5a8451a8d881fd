"""Where an exception was, or would be, raised: in the engine's own code or in the user's.

An exception that comes from outside (a signal handler's, another thread's, a lack of memory) is
raised between any two instructions. In the user's code that is what Python promises. In the
engine's code it leaves an object, or the loop, between two states.
"""

import inspect
import sys
from asyncio import CancelledError
from types import FrameType
from typing import Final

from dobook.errors import DobookError

ENGINE: Final = ("dobook.runtime", "dobook.storage", "dobook.gates", "dobook.codec", "dobook.web")
# What SQLite calls: an exception raised there is replaced by an error of SQLite.
SQL_CALLBACKS: Final = ("dobook.storage.sql.rules", "dobook.storage.sql.functions")
LOOP: Final = "asyncio.base_events"
PROGRESS_HANDLER: Final = "dobook.storage.stopping"


def would_swallow(frame: FrameType | None) -> bool:
    """Return whether an exception raised in a frame would only be printed: a weak reference goes."""
    return frame is not None and _module(frame) in ("weakref", "_weakrefset")


def in_sql_callback(frame: FrameType | None) -> bool:
    """Return whether SQLite has called a frame, as one of a statement's functions or rules."""
    while frame is not None:
        if _module(frame) in SQL_CALLBACKS:
            return True
        if _module(frame).partition(".")[0] not in sys.stdlib_module_names:
            return False
        frame = frame.f_back
    return False


def is_users(frame: FrameType | None) -> bool:
    """Return whether an exception may be raised where a thread is at the moment.

    It may in the user's code, in what that has called of Python's own modules, and in the progress
    handler of the user's SQL. It may not in the engine's code or a destructor.
    """
    while frame is not None:
        name = _module(frame)
        if name == PROGRESS_HANDLER:
            stopper = frame.f_locals.get("self")
            return stopper is not None and bool(stopper.may_stop)
        if name.startswith(ENGINE) or would_swallow(frame) or frame.f_code.co_name == "__del__":
            return False
        if name.partition(".")[0] not in sys.stdlib_module_names:
            return True
        frame = frame.f_back
    return False


def is_torn(error: BaseException) -> bool:
    """Return whether an exception has broken the engine's own code off.

    Those that the engine raises on purpose have not, nor those of Python that a wrong argument
    brings about.
    """
    if isinstance(error, DobookError | CancelledError | GeneratorExit | StopIteration):
        return False
    if type(error).__module__.startswith("dobook.") or getattr(error, "remote", False):
        return False  # as of ctx.abort(), or what another object has answered
    ordinary = isinstance(error, Exception) and type(error).__module__ == "builtins"
    if ordinary and not isinstance(error, MemoryError | RecursionError):
        return False
    at = error.__traceback__
    if at is None:
        return False
    while at.tb_next is not None:
        at = at.tb_next
    return _module(at.tb_frame).startswith(ENGINE)


def has_torn_callback(error: BaseException) -> bool:
    """Return whether an exception has left a callback of the loop that is the engine's own.

    The engine's callbacks let nothing of the user's code through. A task does not count as one:
    asyncio keeps its exception, also if it raises that once more.
    """
    at = error.__traceback__
    frames = []
    while at is not None:
        frames.append(at.tb_frame)
        at = at.tb_next
    modules = [_module(frame) for frame in frames]
    if "asyncio.events" not in modules[:-1]:  # in the wait for the next callback, or in none
        inside = modules[modules.index(LOOP) :] if LOOP in modules else []
        return any(name.startswith(ENGINE) for name in inside)
    callback = modules.index("asyncio.events") + 1
    task = frames[callback].f_code.co_flags & (inspect.CO_COROUTINE | inspect.CO_GENERATOR)
    return not task and modules[callback].startswith(ENGINE)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
