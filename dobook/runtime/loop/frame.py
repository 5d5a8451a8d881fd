"""On whose behalf code runs: an object's or a Worker's. Tasks inherit it with their context."""

from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Final

from dobook.gates import InputGate

if TYPE_CHECKING:
    from dobook.runtime.protocols import Execution, Instance

EXTERNAL: Final = "_dobook_external"  # set on futures that timers, threads and answers resolve


class Frame:
    """On whose behalf code runs: an instance, and the gate that admits its turns."""

    __slots__ = ("event", "gate", "instance")

    def __init__(self, instance: "Instance", gate: InputGate, event: object = None) -> None:
        self.instance = instance
        self.gate = gate
        self.event = event


current_frame: ContextVar[Frame | None] = ContextVar("dobook_frame", default=None)


def frame_of(context: Context | None) -> Frame | None:
    """Return on whose behalf code runs in a context, None for outside; no context is the current."""
    return current_frame.get() if context is None else context.get(current_frame)


# The Worker whose code runs outside of objects; None in an object and outside of the program.
current_execution: ContextVar["Execution | None"] = ContextVar("dobook_worker", default=None)
