"""Calling a handler with as many arguments as it takes.

JavaScript drops the arguments that a function has no parameters for. Pyodide offers the same for
Python functions, and the platform calls handlers so: `async def fetch(self)` is enough for one that
does not look at the request.
Source: pyodide.org/en/stable/usage/api/python-api/code.html#pyodide.code.relaxed_call
"""

import inspect
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

_UNLIMITED = 1_000
_known: "WeakKeyDictionary[Any, int]" = WeakKeyDictionary()


def relaxed_call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function with the arguments it takes; those too many are dropped.

    Example:
        >>> relaxed_call(lambda a, b: a + b, 1, 2, 3)
        3
    """
    return function(*args[: positions(function)], **kwargs)


def positions(function: Callable[..., Any]) -> int:
    """Return how many positional arguments a function takes, at most.

    Example:
        >>> positions(lambda a, b=1: a), positions(print) > 100
        (2, True)
    """
    plain = getattr(function, "__func__", None)
    bound = plain is not None
    key = plain if plain is not None else function
    try:
        count = _known.get(key)
    except TypeError:  # it can be neither hashed nor referred to
        return _count(function)
    if count is None:
        count = _count(key)
        try:
            _known[key] = count
        except TypeError:
            return max(count - bound, 0)
    return max(count - bound, 0)


def _count(function: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return _UNLIMITED
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return _UNLIMITED
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
