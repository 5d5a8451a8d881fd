"""The user's code: which frames are its, where it is in words, and warnings at its lines."""

import linecache
import sys
import warnings
from types import FrameType, TracebackType
from typing import Any, Final

from dobook.errors import PortabilityWarning

_MACHINERY: Final = ("dobook", "asyncio", "contextlib", "importlib")
_USERS: Final = "dobook.patterns."  # classes that are written as users write theirs


def users_frame() -> FrameType | None:
    """Return the innermost frame of the user's code, or None."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_users(frame):
            return frame
        frame = frame.f_back
    return None


def is_users(frame: FrameType) -> bool:
    """Return whether a frame is of the user's code."""
    module = frame.f_globals.get("__name__", "")
    return module.startswith(_USERS) or module.partition(".")[0] not in _MACHINERY


def place_of(frame: FrameType | None) -> str:
    """Return a line of code as editors take it, with its text; empty for None."""
    if frame is None:
        return ""
    return place_at(frame.f_code.co_filename, frame.f_lineno)


def place_at(file: str, line: int) -> str:
    """Return a line of a file in words, with its text."""
    text = linecache.getline(file, line).strip()
    return f"line {line}{f', `{text}`' if text else ''}"


def place_of_error(error: BaseException) -> str:
    """Return the innermost line of the user's code at which an error was raised."""
    found = ""
    at = error.__traceback__
    while at is not None:
        if not at.tb_frame.f_globals.get("__name__", "").startswith("dobook."):
            found = place_at(at.tb_frame.f_code.co_filename, at.tb_lineno)
        at = at.tb_next
    return found


def users_part(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of dobook it begins with."""
    at = traceback
    while at is not None and at.tb_frame.f_globals.get("__name__", "").startswith("dobook."):
        at = at.tb_next
    return at or traceback


def warn_at(text: str, file: str, line: int, names: dict[str, Any]) -> None:
    """Warn at a line of a module with these names, once for each line."""
    module, registry = names.get("__name__", file), names.setdefault("__warningregistry__", {})
    warnings.warn_explicit(text, PortabilityWarning, file, line, module=module, registry=registry)
