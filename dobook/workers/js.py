"""What Pyodide calls `js`: the JavaScript globals that Durable Objects written in Python use.

Only what a class needs to run in dobook as it does on Cloudflare; anything else is refused by name.
Source: pyodide.org/en/stable/usage/api/js-globals.html,
developers.cloudflare.com/workers/languages/python/ffi/
"""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from dobook.runtime.websockets import WebSocket, WebSocketPair, WebSocketRequestResponsePair
from dobook.web import URL, Headers, URLSearchParams

__all__ = [
    "JSON",
    "URL",
    "Date",
    "Headers",
    "Object",
    "URLSearchParams",
    "WebSocket",
    "WebSocketPair",
    "WebSocketRequestResponsePair",
    "console",
]


class Object:
    """JavaScript's `Object`, the static methods that Python code calls."""

    @staticmethod
    def fromEntries(entries: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        """Return a dict of (key, value) pairs."""
        return dict(entries)

    @staticmethod
    def keys(value: Any) -> list[str]:
        """Return the names of a value's members."""
        return list(value.object_keys() if hasattr(value, "object_keys") else value)

    @staticmethod
    def values(value: Any) -> list[Any]:
        """Return a value's members."""
        if hasattr(value, "object_values"):
            return list(value.object_values())
        return list(value.values() if isinstance(value, Mapping) else value)

    @staticmethod
    def entries(value: Any) -> list[tuple[str, Any]]:
        """Return a value's members with their names."""
        return list(zip(Object.keys(value), Object.values(value), strict=True))


class Date:
    """JavaScript's `Date`, of which Python code uses the present instant."""

    @staticmethod
    def now() -> int:
        """Return the time in ms since 1970, on the runtime's clock."""
        return int(time.time() * 1000)


class _Json:
    """JavaScript's `JSON`."""

    @staticmethod
    def stringify(value: Any, *_: Any) -> str:
        """Return a value as JSON text."""
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    @staticmethod
    def parse(text: str) -> Any:
        """Return what a JSON text stands for."""
        return json.loads(text)


class _Console:
    """JavaScript's `console`: what is logged lands where `print` does."""

    def log(self, *values: Any) -> None:
        """Print the values."""
        print(*values)  # noqa: T201 - that is what it is for

    debug = info = warn = error = log


JSON = _Json()
console = _Console()


def __getattr__(name: str) -> Any:
    if name.startswith("_"):  # introspection asks for such names, and is content without
        raise AttributeError(name)
    raise ImportError(
        f"dobook does not offer js.{name} yet. There is " + ", ".join(__all__) + "; requests and "
        "responses are in `workers`."
    )
