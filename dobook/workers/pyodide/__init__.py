"""What Pyodide offers as `pyodide`, as far as Python Workers use it.

There is no JavaScript here: what the platform's code would have on the other side of the border are
Python objects with JavaScript's names.
Source: pyodide.org/en/stable/usage/api/python-api.html
"""

from dobook.errors import suggest
from dobook.workers.missing import missing
from dobook.workers.pyodide import code, ffi, http

__all__ = ["__version__", "code", "ffi", "http"]

__version__ = "0.28.3"  # of the runtime that compatibility date 2025-08-14 and later give


def __getattr__(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(name)
    raise missing(f"dobook does not offer pyodide.{name}. {suggest(name, __all__)}")
