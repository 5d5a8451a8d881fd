"""Remarks on what works here and not, or not so, with Cloudflare's Python SDK.

dobook is kinder than the SDK in a few places on purpose. Code that relies on one of them is told
so: a `PortabilityWarning` at the line of the user's code, once for each line, as Python's warnings
are. Code outside of objects and Workers, in a notebook's cell or a test, is never deployed, so
nothing is remarked there.

Source: PyPI workers-runtime-sdk; what it does with each of these is recorded in tests/sdk.
"""

import sys
import warnings
from types import FrameType
from typing import Any

from dobook.errors import PortabilityWarning
from dobook.runtime.calls.turns import current_frame
from dobook.runtime.insight.unheard import is_users, users_frame


def remark(text: str, *, anywhere: bool = False) -> None:
    """Warn at the line of the user's code that runs, if it is code of an object or a Worker.

    Args:
        text: What to say.
        anywhere: Whether code outside of objects and Workers is told too.
    """
    if anywhere or _is_deployed():
        _warn(text, users_frame())


def remark_if_called(text: str, *, anywhere: bool = False, depth: int = 2) -> None:
    """As `remark`, if the user's code itself calls the function that calls this one.

    Args:
        text: What to say.
        anywhere: Whether code outside of objects and Workers is told too.
        depth: How many frames away the user's code has to be.
    """
    caller = sys._getframe(depth)
    if is_users(caller) and (anywhere or _is_deployed()):
        _warn(text, caller)


def remark_on_keywords(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Remark that keywords over RPC mean something else with the SDK."""
    there = ", ".join([*("…" for _ in args), "{" + ", ".join(f"{k!r}: …" for k in kwargs) + "}"])
    remark(
        f"{name}({', '.join(f'{k}=…' for k in kwargs)}): Cloudflare's Python SDK sends keywords over "
        f"RPC as one dict after the other arguments, so there this is {name}({there}), without an "
        "error. Pass them by position."
    )


def _is_deployed() -> bool:
    if current_frame.get() is not None:
        return True
    from dobook.runtime.worker.worker import current_execution

    return current_execution.get() is not None


def _warn(text: str, frame: FrameType | None) -> None:
    if frame is not None:
        warn_at(text, frame.f_code.co_filename, frame.f_lineno, frame.f_globals)


def warn_at(text: str, file: str, line: int, names: dict[str, Any]) -> None:
    """Warn at a line of a module with these names, once for each line."""
    module, registry = names.get("__name__", file), names.setdefault("__warningregistry__", {})
    warnings.warn_explicit(text, PortabilityWarning, file, line, module=module, registry=registry)
