"""Errors that nobody awaits, reported where people look for them.

What fails in `waitUntil`, in a socket's handler or in a task that nothing awaits would be seen by
nobody; the platform writes such errors to the Worker's log. Here they go to `logging`, which
writes them to stderr unless configured otherwise; a notebook shows them below the cell.
An alarm's errors are in what `advance` returns.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from dobook.events import Error
from dobook.runtime.loop.places import has_torn_callback
from dobook.runtime.loop.turns import ObjectTask
from dobook.runtime.reports.users_code import users_part

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel

logger = logging.getLogger("dobook")

_SAID: Final = {"webSocket": "a listener of a WebSocket"}
_SEEN_ELSEWHERE: Final = frozenset({"alarm", "commit"})


def report(runtime: "Kernel", label: str, where: str, error: BaseException, cause: int = 0) -> None:
    """Record an error that nobody awaits, and report it.

    Args:
        runtime: Where it happened.
        label: Whose code has raised it.
        where: In which handler, or what for.
        error: The error.
        cause: The event of the trace that led to it.
    """
    text = f"{type(error).__name__}: {error}"
    runtime.observers.emit(Error, label, cause, where, text)
    if where not in _SEEN_ELSEWHERE:
        runtime.loop.call_exception_handler(
            {"message": f"{label}: {_SAID.get(where, where)} has failed", "exception": error}
        )


def uncaught(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that nobody awaits; the runtime's loop calls this."""
    if "unheard" in context:
        logger.error("%s", context["message"])
        return
    error = context.get("exception")
    if error is None:
        loop.default_exception_handler(context)
        return
    if "handle" in context and has_torn_callback(error):
        loop.torn = error  # type: ignore[attr-defined]  # the driver mends what it has left undone
        loop.stop()
    shown = error.with_traceback(users_part(error.__traceback__))
    logger.error("%s", headline(context), exc_info=(type(error), shown, shown.__traceback__))


def headline(context: dict[str, Any]) -> str:
    """Return what has failed, in words."""
    task = context.get("future")
    if type(task) is ObjectTask:
        owner = task.owner or "the Worker"
        return f"{owner}: a task that nothing awaits has failed"
    return str(context["message"])
