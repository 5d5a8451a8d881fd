"""Values as the trace contains them: numbers and short texts that are the same in every process."""

from typing import Any, Final

from dobook.events import MOST_TEXT, Detail, cut
from dobook.web import Request, Response

_MOST_ITEMS: Final = 6
_MOST_DEPTH: Final = 3


def plain(value: Any) -> Detail:
    """Return a detail as the trace keeps it: a number, a short text, True, False or None."""
    if value is None or type(value) in (bool, int, float):
        return value  # type: ignore[no-any-return]
    return cut(str(value) if isinstance(value, str) else shown(value))


def shown(value: Any, depth: int = 0) -> str:
    """Return a value as text that is the same in every process: no address, sets in order."""
    kind = type(value)
    if kind in (str, bytes):
        return repr(value[:MOST_TEXT])
    if value is None or kind in (bool, int, float):
        return repr(value)
    if kind is Request:
        return f"{value.method} {value.url}"
    if kind is Response:
        return f"<Response {value.status}>"
    if depth >= _MOST_DEPTH:
        return "…"
    if isinstance(value, dict):
        items = [
            f"{shown(k, depth + 1)}: {shown(v, depth + 1)}"
            for k, v in list(value.items())[:_MOST_ITEMS]
        ]
        return "{" + _joined(items, len(value)) + "}"
    if isinstance(value, list | tuple):
        items = [shown(v, depth + 1) for v in value[:_MOST_ITEMS]]
        brackets = "[]" if isinstance(value, list) else "()"
        return brackets[0] + _joined(items, len(value)) + brackets[1]
    if isinstance(value, set | frozenset):
        items = sorted(shown(v, depth + 1) for v in value)[:_MOST_ITEMS]
        return "{" + _joined(items, len(value)) + "}"
    if isinstance(value, BaseException):
        try:
            return f"{kind.__name__}: {value}"
        except Exception:  # of the class's own `__str__`
            return f"<{kind.__name__}>"
    return f"<{kind.__name__}>"


def _joined(items: list[str], count: int) -> str:
    return ", ".join(items) + (", …" if count > len(items) else "")
