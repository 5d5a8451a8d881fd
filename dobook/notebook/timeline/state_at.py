"""What a trace says of each object at one of its events: memory, handlers, gates, storage, alarm.

A view of `dobook.trace_model`. Storage is what was seen to be written since recording began, so it
says what changed, not all there is; what was not yet durable is marked.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final

from dobook.clock import format_time
from dobook.events import AnyEvent, Fetch, Rpc
from dobook.trace_model import ObjectState, TraceModel

MOST_KEYS: Final = 12
_MEMORY: Final = {None: "", True: "in memory", False: "not in memory"}


def moment(events: Sequence[AnyEvent], seq: int) -> dict[str, ObjectState]:
    """Return the state of each object right after an event, in order of first appearance.

    Args:
        events: A trace, oldest first.
        seq: The event's number; later events are not looked at.

    Example:
        >>> from dobook.events import Answer
        >>> got = Rpc(1, 0, "A/a", 0, method="hi", args=())
        >>> before = moment([got, Answer(2, 0, "A/a", 1, None, "ho", "")], 1)
        >>> facts("A/a", before["A/a"])["running"]
        'hi'
    """
    return TraceModel(takewhile(lambda event: event.seq <= seq, events)).objects


def facts(name: str, state: ObjectState) -> dict[str, Any]:
    """Return an object's state as plain JSON."""
    stored = []
    for key, value in list(state.stored.items())[-MOST_KEYS:]:
        mark = " (not durable yet)" if key in state.pending else ""
        stored.append(f"{key} = {'…' if value is None else value}{mark}")
    running = [
        event.method if isinstance(event, Fetch | Rpc) else event.kind
        for event in state.running.values()
    ]
    return {
        "object": name,
        "memory": _MEMORY[state.in_memory],
        "running": ", ".join(running),
        "waiting": len(state.waiting),
        "input_gate": "shut" if state.input_locks else "open",
        "output_gate": "shut" if state.output_closed else "open",
        "stored": stored,
        "alarm": "" if state.alarm_ms is None else format_time(state.alarm_ms),
    }
