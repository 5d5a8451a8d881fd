"""Remarks on what works here and not, or not so, with Cloudflare's Python SDK.

dobook accepts more than the SDK in a few places on purpose. Code that relies on one of them causes
a `PortabilityWarning` at the line of the user's code, once for each line, as Python's warnings
are. Code outside of objects and Workers, in a notebook's cell or a test, is never deployed, so
nothing is remarked there.

Source: PyPI workers-runtime-sdk; what it does with each of these is recorded in tests/sdk.
"""

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import FrameType
from typing import Any

from dobook.codec import JsDict, JsList
from dobook.runtime.loop.frame import current_execution, current_frame
from dobook.runtime.reports.users_code import is_users, users_frame, warn_at


def remark(text: str, *, anywhere: bool = False) -> None:
    """Warn at the line of the user's code that runs, if it is code of an object or a Worker.

    Args:
        text: What to say.
        anywhere: Whether to warn code outside of objects and Workers too.
    """
    if anywhere or _is_deployed():
        _warn(text, users_frame())


def remark_if_called(text: str, *, anywhere: bool = False, depth: int = 2) -> None:
    """Warn like `remark`, if the user's code itself calls the function that calls this one.

    Args:
        text: What to say.
        anywhere: Whether to warn code outside of objects and Workers too.
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


def remark_on_property(name: str) -> None:
    """Remark that a property of a stub cannot be read with the SDK, if the user's code awaits one."""
    remark_if_called(
        f"the property {name} of a stub: members of a stub are functions in Cloudflare's Python "
        f"SDK (TypeError). Write a method that returns it: await stub.get_{name}().",
        depth=3,
    )


_RAW = (
    "what ctx.exports has is JavaScript's own in Cloudflare's Python SDK, which converts nothing for "
    "it ({error}). Write {instead}: from workers import python_from_rpc, python_to_rpc"
)
_CONTAINERS = frozenset(
    {bytearray, bytes, datetime, dict, list, memoryview, set, frozenset, tuple, JsDict, JsList}
)


def remark_on_raw_values(path: tuple[str, ...], args: Iterable[Any]) -> None:
    """Remark that a stub of `ctx.exports` takes values of JavaScript, if some are Python's."""
    kind = _container(args)
    if kind:
        name = path[-1] if path else "the function"
        instead = f"{name}(python_to_rpc(…)), and python_from_rpc(await …) for what comes back"
        remark(f"{name}(…) with a {kind}: {_RAW.format(error='DataCloneError', instead=instead)}")


def remark_on_raw_fetch(init: object, options: Mapping[str, Any]) -> None:
    """Remark that `fetch` of a stub of `ctx.exports` takes headers and bodies of JavaScript."""
    given = init if isinstance(init, Mapping) else {}
    kind = _container([*given.values(), *options.values()])
    if kind:
        error = "TypeError, or bytes sent as their text"
        instead = "fetch(url, python_to_rpc({…}))"
        remark(f"fetch(…) with a {kind}: {_RAW.format(error=error, instead=instead)}")


def remark_on_raw_props(given: Iterable[Any]) -> None:
    """Remark that props have to be JavaScript's, if they are Python's."""
    kind = _container(given)
    if kind:
        instead = "props=python_to_rpc({…})"
        remark(f"props in a {kind}: {_RAW.format(error='DataCloneError', instead=instead)}")


def _container(values: Iterable[Any]) -> str:
    """Return the type's name of the first Python container among some values, or ""."""
    return next((type(value).__name__ for value in values if type(value) in _CONTAINERS), "")


def _is_deployed() -> bool:
    return current_frame.get() is not None or current_execution.get() is not None


def _warn(text: str, frame: FrameType | None) -> None:
    if frame is not None:
        warn_at(text, frame.f_code.co_filename, frame.f_lineno, frame.f_globals)
