"""Livelocks: code that keeps itself busy for ever while virtual time stands still.

In virtual time the clock moves when nothing is ready. An alarm handler that sets its alarm for
now, or a task that starts another one, is ready for ever, so the loop would never end. On the
platform the clock on the wall would move, and a CPU limit would end it.

What code of an object sets in motion is one **link** longer than what that code was set in motion
by: a task, a timer without a delay, an alarm that is due, a call, a message. A chain of more than
`limits.MAX_LINKS_AT_AN_INSTANT` links at one instant is a livelock. An event from outside begins a
new chain, and so does each move of the clock. A loop in one handler makes no chain, however many
calls or storage operations it awaits: each of them is the first link after the same handler.

Three more bounds complete this. Calls between objects have the platform's depth limit. A task that
only awaits `asyncio.sleep(0)` has `MAX_YIELDS_AT_AN_INSTANT`. Everything else, for instance two
tasks that wake each other by a queue, is found by `MAX_TICKS_AT_AN_INSTANT` turns of the loop; see
`standstill`.
"""

import linecache
import sys
from asyncio import tasks
from types import CoroutineType, FrameType, GeneratorType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from dobook import limits
from dobook.clock import format_time
from dobook.errors import LivelockError, PlatformError
from dobook.runtime.loop_base import Chain, Loop

if TYPE_CHECKING:
    from dobook.runtime.protocols import Instance

MACHINERY: Final = ("dobook", "asyncio")
# The hosted service's own words.
TOO_DEEP: Final = (
    "Subrequest depth limit exceeded. This request recursed through Workers too many times. This "
    "can happen e.g. if you have a Worker or Durable Object that calls other Workers or objects "
    "recursively."
)


START: Final = Chain(1, 0, -1.0)


def current(loop: Loop) -> Chain:
    """Return what led to the code that runs now."""
    task: Any = tasks.current_task(loop)
    chain: Chain | None = loop.chain if task is None else getattr(task, "chain", None)
    return START if chain is None else chain


def link(loop: Loop, instance: "Instance | None", what: str, *, deeper: int = 0) -> Chain:
    """Return what leads to something that the current code sets in motion.

    Args:
        loop: The runtime's loop.
        instance: The object whose code does so; None for code outside of objects.
        what: What it does, for the message.
        deeper: 1 for a call from one object to another.

    Raises:
        DurableObjectAbort: If the chain is too long: the object is reset.
    """
    chain = current(loop)
    now = loop.time()
    links = chain.links + 1 if chain.at == now else 1
    if links > limits.MAX_LINKS_AT_AN_INSTANT:
        end(loop, instance, f"{what} {limits.MAX_LINKS_AT_AN_INSTANT:,} times in a row")
    return Chain(chain.depth + deeper, links, now)


def too_deep(chain: Chain) -> PlatformError | None:
    """Return the error of a call at the end of too long a chain of calls; None if it may go."""
    if chain.depth <= limits.MAX_SUBREQUEST_DEPTH:
        return None
    error = PlatformError(TOO_DEEP)
    error.add_note(f"Workers and objects can recurse up to {limits.MAX_SUBREQUEST_DEPTH} times.")
    return error


def end(loop: Loop, instance: "Instance | None", what: str, coro: object = None) -> NoReturn:
    """End a livelock: reset the object and stop the turn of the loop with an error.

    Args:
        loop: The runtime's loop.
        instance: The object to blame.
        what: What it does.
        coro: Its code, if that is not what runs now.

    Raises:
        DurableObjectAbort: To end the object's code, if an object is to blame.
        LivelockError: If none is.
    """
    label = "code outside of objects" if instance is None else instance.actor.label
    error = LivelockError(
        f"{label} keeps itself busy while time stands still at {format_time(loop.now_ms)}: it "
        f"{what}{_where_it_runs() if coro is None else where_it_waits(coro)}. "
        + ("" if instance is None else "The object was reset. ")
        + "Let time pass in between: set the alarm for later, await asyncio.sleep(1), or stop "
        "when there is nothing left to do."
    )
    loop.failure = error
    loop.stop()
    if instance is None:
        raise error
    instance.stop_with(error)


def line_of(frame: FrameType) -> str | None:
    """Return a line of the user's code in words; None if the frame is of the machinery."""
    if frame.f_globals.get("__name__", "").partition(".")[0] in MACHINERY:
        return None
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f" at line {frame.f_lineno}{f', `{line}`' if line else ''}"


def where_it_waits(coro: object) -> str:
    """Return the line of the user's code at which a coroutine waits, in words; empty if unknown."""
    found = ""
    while coro is not None:
        frame = coro.cr_frame if isinstance(coro, CoroutineType) else None
        found = (line_of(frame) if frame is not None else None) or found
        coro = awaited_by(coro)
    return found


def awaited_by(coro: object) -> Any:
    """Return what a coroutine or generator waits for; None for anything else."""
    if isinstance(coro, CoroutineType):
        return coro.cr_await
    return coro.gi_yieldfrom if isinstance(coro, GeneratorType) else None


def _where_it_runs() -> str:
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_name != "_run_once":  # what turns the loop
        found = line_of(frame)
        if found is not None:
            return found
        frame = frame.f_back
    return ""
