"""One alarm: what is known of it while it is set, its handler's argument, and a run's record.

Source: developers.cloudflare.com/durable-objects/api/alarms/
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dobook.clock import format_duration, format_time
from dobook.runtime.loop_base import Chain

if TYPE_CHECKING:
    from dobook.runtime.protocols import Call, Namespace

logger = logging.getLogger("dobook")


@dataclass(frozen=True, slots=True)
class AlarmInvocationInfo:
    """The argument of `alarm(info)`; the names are the platform's.

    Attributes:
        isRetry: Whether an earlier run of this alarm failed.
        retryCount: How many runs have failed before.
        scheduledTime: When it was set to run, in ms since 1970.
    """

    isRetry: bool
    retryCount: int
    scheduledTime: int


@dataclass(frozen=True, slots=True)
class AlarmRun:
    """One run of an alarm handler.

    Attributes:
        object: `BINDING/name`.
        scheduled_ms: When it was set to run, in ms since 1970.
        ran_ms: When it ran.
        attempt: 0 for the first run, then the number of the retry.
        outcome: "ok", "error" (will be retried), "gave up", "cancelled" or "running".
        error: What the handler raised, as text; empty when it did not.
        retry_ms: When it will be tried again; None when it will not.
    """

    object: str
    scheduled_ms: int
    ran_ms: int
    attempt: int
    outcome: str
    error: str = ""
    retry_ms: int | None = None

    def __str__(self) -> str:
        text = f"{format_time(self.ran_ms)}  {self.object}  {self.outcome}"
        return f"{text}: {self.error}" if self.error else text


class Entry:
    """The alarm of one object."""

    __slots__ = (
        "absorbed",
        "backoff",
        "call",
        "chain",
        "counted",
        "deferred",
        "due_ms",
        "id",
        "limit",
        "namespace",
        "orphaned",
        "queued_ms",
        "ran_ms",
        "retried",
        "retries",
        "running",
        "set_by",
        "timer",
    )

    def __init__(self, namespace: "Namespace", identity: Any) -> None:
        self.namespace = namespace
        self.id = identity
        self.due_ms: int | None = None  # the time that was set
        self.timer: asyncio.TimerHandle | None = None
        self.limit: asyncio.TimerHandle | None = None  # of the run that is under way
        self.call: Call | None = None  # that run
        self.running = False
        self.ran_ms = 0  # when the handler was last called
        self.deferred = False  # the handler runs, and no other time has been set meanwhile
        self.absorbed = False  # its time was set once more just before the run began
        self.queued_ms: int | None = None
        self.orphaned = False  # it is retried although the object has deleted it
        self.retries = 0
        self.retried = True  # whether the run under way is retried if it fails
        self.backoff = 0
        self.counted = True  # the last failure was the handler's own
        self.set_by = 0  # the trace's event that set it
        self.chain: Chain | None = None  # what led to setting it for now


def describe(entry: Entry, now_ms: int) -> str:
    """Return when an alarm is due, as people read it."""
    if entry.due_ms is None:
        return "none"
    return f"{format_time(entry.due_ms)} (in {format_duration(entry.due_ms - now_ms)})"


def no_handler(label: str) -> Callable[[AlarmInvocationInfo], None]:
    """Return what runs in place of the `alarm()` that an object's class does not have."""

    def warn(_info: AlarmInvocationInfo) -> None:
        logger.warning(
            "%s: Attempted to run a scheduled alarm without a handler, did you remember to export "
            "an alarm() function?",
            label,
        )

    return warn
