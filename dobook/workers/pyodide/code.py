"""`pyodide.code`: running code; of it what needs no JavaScript.

Source: pyodide.org/en/stable/usage/api/python-api/code.html
"""

import functools
from collections.abc import Callable
from typing import Any, NoReturn

from dobook.errors import UsageError, suggest
from dobook.runtime.calls.arity import relaxed_call
from dobook.workers.missing import missing

__all__ = ["relaxed_call", "relaxed_wrap", "run_js"]


def relaxed_wrap(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that drops the arguments it has no parameters for."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return relaxed_call(func, *args, **kwargs)

    return wrapper


def run_js(code: str, /) -> NoReturn:
    """Refuse: there is no JavaScript in dobook.

    Raises:
        UsageError: Always.
    """
    raise UsageError(
        "pyodide.code.run_js() runs JavaScript, which dobook does not have (and neither does "
        f"Cloudflare, where evaluating code is forbidden): {code[:60]!r}. Write it in Python; the "
        "globals of JavaScript that Durable Objects use are in the module js."
    )


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    raise missing(f"dobook does not offer pyodide.code.{name}. {suggest(name, __all__)}")
