"""The trace: what happened, in order, with virtual time, object and cause, in bounded memory.

A `Recorder` listens to the runtime's observers and keeps the last events as `TraceEvent`s, whose
details are numbers and short texts: nothing of the program is kept alive, nothing depends on
addresses or the order of a set, so two runs of the same program with the same seed give equal
traces. While nobody records, the engine does not build these events at all.

Kinds of events, by `object`, the one they happen at:

- sent; fetch, rpc, alarm, socket message, socket close, socket error (delivered); waiting,
  admitted (at the input gate); held (at the output gate); answer
- gate closed, gate opened (the input gate, and why); output gate closed, output gate opened
- storage (one operation, its keys), commit, alarm set, alarm retry, waitUntil, log (a print)
- socket open, socket sent, socket answered; started, evicted, reset; error, fault,
  deadlock (a circle of objects that wait for each other)
- escaped: threads, real sockets and real time, which no seed can repeat
"""

import contextlib
import io
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dobook.clock import format_time
from dobook.observer import Event
from dobook.runtime.calls.turns import current_frame
from dobook.runtime.loop.swaps import Swap
from dobook.runtime.storage.watched import set_watched
from dobook.web import Request, Response

if TYPE_CHECKING:
    from dobook.runtime.runtime import Runtime

MOST_EVENTS: Final = 10_000
MOST_TEXT: Final = 80  # characters of a value
_MOST_ITEMS: Final = 6
_MOST_DEPTH: Final = 3

Detail = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One thing that happened.

    Attributes:
        seq: Its number; later ones are higher.
        t_ms: Virtual time, in ms since 1970.
        object: `BINDING/name`, "worker", or the name of a caller outside of objects.
        kind: What happened; see this module for the kinds.
        detail: Name and value of whatever else there is to say, in a fixed order.
        cause: The number of the event that led to it, 0 for none.
    """

    seq: int
    t_ms: int
    object: str
    kind: str
    detail: tuple[tuple[str, Detail], ...]
    cause: int

    def get(self, name: str, default: Detail = None) -> Detail:
        """Return a detail by its name."""
        for known, value in self.detail:
            if known == name:
                return value
        return default

    @property
    def text(self) -> str:
        """The details in a line, those without a value left out."""
        return " ".join(
            f"{name}={value}" for name, value in self.detail if value is not None and value != ""
        )

    def __str__(self) -> str:
        return f"{format_time(self.t_ms)}  {self.object}  {self.kind}  {self.text}".rstrip()


class Recorder:
    """Keeps the last events of a runtime while it is switched on.

    Args:
        runtime: Whose events.
        most: How many are kept.
    """

    def __init__(self, runtime: "Runtime", most: int = MOST_EVENTS) -> None:
        self._runtime = runtime
        self._events: deque[TraceEvent] = deque(maxlen=most)
        self._forgotten = 0
        self._on = False
        self._tapped = False

    @property
    def forgotten(self) -> int:
        """How many events have made room for newer ones."""
        return self._forgotten

    @property
    def on(self) -> bool:
        """Whether events are kept at the moment."""
        return self._on

    def switch(self, *, on: bool) -> None:
        """Begin or stop to keep events; those that are kept stay."""
        if on == self._on:
            return
        self._on = on
        runtime = self._runtime
        if on:
            runtime.observers.add(self.take, detailed=True)
            runtime.driver.swaps.wanted = self._swaps
            runtime.loop.on_escape = self._escaped
        else:
            runtime.observers.remove(self.take)
            runtime.driver.swaps.wanted = self._swaps if self._tapped else None
            runtime.loop.on_escape = None
        for instance in runtime.residency.instances():
            set_watched(instance)

    def tap_output(self) -> None:
        """Report what handlers print as events from now on, also while nothing is recorded."""
        self._tapped = True
        self._runtime.driver.swaps.wanted = self._swaps

    def take(self, event: Event) -> None:
        """Keep an event."""
        if len(self._events) == self._events.maxlen:
            self._forgotten += 1
        seq, t_ms, obj, kind, detail, cause = event
        fixed = tuple([(name, plain(value)) for name, value in detail.items()])
        self._events.append(TraceEvent(seq, t_ms, obj, kind, fixed, cause))

    def events(self) -> list[TraceEvent]:
        """Return what is kept, oldest first."""
        return list(self._events)

    def clear(self) -> None:
        """Forget what is kept."""
        self._events.clear()
        self._forgotten = 0

    def _escaped(self, what: str) -> None:
        self._runtime.observers.emit("", "escaped", to=what)

    def _swaps(self) -> list[Swap]:
        names = vars(sys)
        return [(names, "stdout", _tap(self._runtime, sys.stdout))]


# Before Python 3.14 `print` borrows its reference to sys.stdout (python/cpython#130163). A layer
# that is freed while another thread prints through it crashes the interpreter. So layers that were
# taken out stay here, and serve again once nobody else holds them.
_PRINT_BORROWS: Final = sys.version_info < (3, 14)
_MOST_SPARE: Final = 1_000  # those that somebody keeps, as a StreamHandler does
_TRIED: Final = 8
_HELD_BY_NOBODY: Final = 2  # the variable's reference and the call's own
_spare: "deque[_LogTap]" = deque(maxlen=_MOST_SPARE)


def _tap(runtime: "Runtime", beneath: Any) -> "_LogTap":
    """Return a layer for standard output; the caller holds the lock of `swaps`."""
    for _ in range(min(_TRIED, len(_spare))):
        layer = _spare.pop()
        if sys.getrefcount(layer) <= _HELD_BY_NOBODY:
            layer._runtime, layer.beneath = runtime, beneath
            return layer
        _spare.appendleft(layer)
    return _LogTap(runtime, beneath)


class _LogTap(io.TextIOBase):
    """Standard output while the loop turns: what a handler prints is an event too."""

    def __init__(self, runtime: "Runtime", beneath: Any) -> None:
        self._runtime: Runtime | None = runtime
        self.beneath = beneath
        self._parts: dict[str, str] = {}
        self._reporting = False  # what a listener prints is no log line

    def write(self, text: str) -> int:
        """Pass a text on, and report the lines that an object has finished."""
        frame = current_frame.get()
        mine = frame is not None and frame.instance.runtime is self._runtime
        if frame is not None and mine and not self._reporting:
            observers = frame.instance.runtime.observers
            label = frame.instance.actor.label
            *lines, rest = (self._parts.pop(label, "") + text).split("\n")
            self._reporting = True
            try:
                for line in lines:
                    observers.emit(label, "log", line=line)
            finally:
                self._reporting = False
            if rest:
                self._parts[label] = rest
        self.beneath.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass it on."""
        self.beneath.flush()

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def __del__(self) -> None:
        pass  # not TextIOBase's, which closes: what is beneath may be closed by then

    def taken_out(self) -> None:
        """Let go of the runtime; what still prints through this layer is passed on."""
        self._runtime = None
        self._parts.clear()
        if _PRINT_BORROWS:
            _spare.append(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


@contextlib.contextmanager
def recording(runtime: "Runtime") -> Iterator[Recorder]:
    """Record for a while; gives the recorder.

    Example:
        >>> import dobook
        >>> from dobook.runtime.insight.trace import recording
        >>> with dobook.Runtime() as runtime, recording(runtime) as recorder:
        ...     recorder.events()
        []
    """
    before = runtime.recorder.on
    runtime.recorder.switch(on=True)
    try:
        yield runtime.recorder
    finally:
        runtime.recorder.switch(on=before)


def plain(value: Any) -> Detail:
    """Return a detail as the trace keeps it: a number, a short text, True, False or None."""
    if value is None or type(value) in (bool, int, float):
        return value  # type: ignore[no-any-return]
    text = str(value) if isinstance(value, str) else shown(value)
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"


def shown(value: Any, depth: int = 0) -> str:
    """Return a value as text that is the same in every process: no address, sets in order."""
    kind = type(value)
    if kind in (str, bytes):
        return repr(value[:MOST_TEXT])
    if value is None or kind in (bool, int, float):
        return repr(value)
    if kind is Request:
        return f"{value.method} {value.url}"
    if kind is Response:
        return f"<Response {value.status}>"
    if depth >= _MOST_DEPTH:
        return "…"
    if isinstance(value, dict):
        items = [
            f"{shown(k, depth + 1)}: {shown(v, depth + 1)}"
            for k, v in list(value.items())[:_MOST_ITEMS]
        ]
        return "{" + _joined(items, len(value)) + "}"
    if isinstance(value, list | tuple):
        items = [shown(v, depth + 1) for v in value[:_MOST_ITEMS]]
        brackets = "[]" if isinstance(value, list) else "()"
        return brackets[0] + _joined(items, len(value)) + brackets[1]
    if isinstance(value, set | frozenset):
        items = sorted(shown(v, depth + 1) for v in value)[:_MOST_ITEMS]
        return "{" + _joined(items, len(value)) + "}"
    if isinstance(value, BaseException):
        return f"{kind.__name__}: {value}"
    return f"<{kind.__name__}>"


def _joined(items: list[str], count: int) -> str:
    return ", ".join(items) + (", …" if count > len(items) else "")
