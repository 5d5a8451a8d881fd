"""The trace: what happened, in order, with virtual time, object and cause, in bounded memory.

A `Recorder` listens to the runtime's observers and keeps the last events (see `dobook.events`), each
text cut to 80 characters. While nobody records, the engine does not build most of them at all.
"""

import contextlib
import io
import sys
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dobook.events import AnyEvent, Escaped, Log
from dobook.runtime.debug.watched import set_watched
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.patching.swaps import Swap

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel

MOST_EVENTS: Final = 10_000


class Recorder:
    """Keeps the last events of a runtime while it is switched on.

    Args:
        runtime: Whose events.
        most: How many are kept.
    """

    def __init__(self, runtime: "Kernel", most: int = MOST_EVENTS) -> None:
        self._runtime = runtime
        self._events: deque[AnyEvent] = deque(maxlen=most)
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
        """Start or stop keeping events; those already kept stay."""
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

    def take(self, event: AnyEvent) -> None:
        """Keep an event."""
        if len(self._events) == self._events.maxlen:
            self._forgotten += 1
        self._events.append(event.shortened())

    def events(self) -> list[AnyEvent]:
        """Return what is kept, oldest first."""
        return list(self._events)

    def clear(self) -> None:
        """Forget what is kept."""
        self._events.clear()
        self._forgotten = 0

    def _escaped(self, what: str) -> None:
        self._runtime.observers.emit(Escaped, "", 0, what)

    def _swaps(self) -> list[Swap]:
        names = vars(sys)
        return [(names, "stdout", _tap(self._runtime, sys.stdout))]


# Before Python 3.14 `print` borrows its reference to sys.stdout (python/cpython#130163). A layer
# that is freed while another thread prints through it crashes the interpreter. So layers that were
# taken out stay here, and serve again once nobody else holds them.
_PRINT_BORROWS: Final = sys.version_info < (3, 14)
_MOST_SPARE: Final = 1_000  # some stay in use, for instance in a StreamHandler
_TRIED: Final = 8
_HELD_BY_NOBODY: Final = 2  # references: the variable and the call of `sys.getrefcount`
_spare: "deque[_LogTap]" = deque(maxlen=_MOST_SPARE)


def _tap(runtime: "Kernel", beneath: object) -> "_LogTap":
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

    def __init__(self, runtime: "Kernel", beneath: Any) -> None:
        self._runtime: Kernel | None = runtime
        self.beneath = beneath
        self._parts: dict[str, str] = {}
        self._reporting = False  # what a listener prints is not a log line

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
                    observers.emit(Log, label, 0, line)
            finally:
                self._reporting = False
            if rest:
                self._parts[label] = rest
        self.beneath.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream beneath."""
        self.beneath.flush()

    def writable(self) -> bool:
        """Return True: the stream can be written to."""
        return True

    def __del__(self) -> None:
        # TextIOBase's own method would close the stream beneath, which may be closed already.
        pass

    def taken_out(self) -> None:
        """Let go of the runtime; what still prints through this layer is passed on."""
        self._runtime = None
        self._parts.clear()
        if _PRINT_BORROWS:
            _spare.append(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


@contextlib.contextmanager
def recording(runtime: "Kernel") -> Iterator[Recorder]:
    """Record for a while; gives the recorder.

    Example:
        >>> import dobook
        >>> from dobook.runtime.access import kernel_of
        >>> from dobook.runtime.debug.trace import recording
        >>> with dobook.Runtime() as runtime, recording(kernel_of(runtime)) as recorder:
        ...     recorder.events()
        []
    """
    before = runtime.recorder.on
    runtime.recorder.switch(on=True)
    try:
        yield runtime.recorder
    finally:
        runtime.recorder.switch(on=before)
