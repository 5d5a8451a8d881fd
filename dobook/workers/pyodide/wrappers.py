"""`pyodide.ffi.wrappers`: listeners and timers without proxies of one's own.

Source: pyodide.org/en/stable/usage/api/python-api/ffi.html#module-pyodide.ffi.wrappers
"""

from collections.abc import Callable
from typing import Any

from dobook.workers.js.timers import (
    clearInterval,
    clearTimeout,
    setInterval,
    setTimeout,
)

__all__ = [
    "add_event_listener",
    "clear_interval",
    "clear_timeout",
    "remove_event_listener",
    "set_interval",
    "set_timeout",
]


def add_event_listener(elt: Any, event: str, listener: Callable[[Any], Any]) -> None:
    """Call a function with each event of a kind."""
    elt.addEventListener(event, listener)


def remove_event_listener(elt: Any, event: str, listener: Callable[[Any], Any]) -> None:
    """Stop calling it."""
    elt.removeEventListener(event, listener)


set_timeout, clear_timeout = setTimeout, clearTimeout
set_interval, clear_interval = setInterval, clearInterval
