"""Layers that are put over a name while a runtime's loop turns: over `sys.stdout`."""

import threading
from collections.abc import Callable
from typing import Any, Protocol


class Layer(Protocol):
    """What stands in for a value, and passes on to it.

    Attributes:
        beneath: The value, or a layer of another runtime.
    """

    beneath: Any

    def taken_out(self) -> None:
        """Clean up after removal."""


Swap = tuple[dict[str, Any], str, Layer]  # namespace, name, what is put over what is there
_lock = threading.Lock()  # loops turn on several threads


class Swaps:
    """A context manager that puts layers in place; nested, only the outermost one counts.

    Attributes:
        wanted: Returns the layers; None for nothing.
    """

    def __init__(self) -> None:
        self.wanted: Callable[[], list[Swap]] | None = None
        self._depth = 0
        self._swaps: list[Swap] = []

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > 1 or self.wanted is None:
            return
        with _lock:
            self._swaps = self.wanted()
            for names, name, layer in self._swaps:
                names[name] = layer

    def __exit__(self, *exc: object) -> None:
        self._depth -= 1
        if self._depth or not self._swaps:
            return
        with _lock:
            for names, name, layer in self._swaps:
                _take_out(names, name, layer)
            self._swaps = []


def _take_out(names: dict[str, Any], name: str, layer: Layer) -> None:
    """Remove a layer, also from beneath one that another thread has put over it since."""
    above = names.get(name)
    if above is layer:
        names[name] = layer.beneath
        layer.taken_out()
        return
    while above is not None:
        beneath = getattr(above, "beneath", None)
        if beneath is layer:
            above.beneath = layer.beneath
            layer.taken_out()
            return
        above = beneath
