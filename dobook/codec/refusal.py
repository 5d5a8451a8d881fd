"""What cannot be stored or sent, and the texts of the errors.

Owns the texts of the refusals and the decision which of the supported types a subclass is taken
for. The first line of a message is the platform's; the lines after it say what to do instead.
Implements developer.mozilla.org/docs/Web/API/Web_Workers_API/Structured_clone_algorithm and the
checks of Cloudflare's Python SDK (github.com/cloudflare/workers-py).
"""

import dataclasses
import enum
import inspect
import re
import types
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta

from dobook.errors import DataCloneError, PlatformTypeError

MAX_DEPTH = 500
"""Containers inside one another, at most. Half of Python's default recursion limit (1,000)."""

_LONGEST_REPR = 200
_BASES: tuple[type, ...] = (
    int,
    str,
    float,
    bytes,
    list,
    dict,
    set,
    frozenset,
    datetime,
    BaseException,
)


PLATFORM = ("dobook.ids", "dobook.runtime.", "dobook.storage.", "dobook.web.", "dobook.workers.js.")
"""Where the platform's own classes are: it names them in its refusals."""
STREAMS = ("ReadableStream", "WritableStream")
JAVASCRIPTS = {"SqlStorageCursor": "Cursor", "Rows": "ListIterator"}
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def base_of(value: object) -> type:
    """Return the supported type that a value of another type is taken for.

    Raises:
        PlatformTypeError: For a tuple or a bytearray.
        DataCloneError: For everything else that is not a value.

    Example:
        >>> from collections import OrderedDict
        >>> base_of(OrderedDict())
        <class 'dict'>
    """
    for base in _BASES:
        if isinstance(value, base):
            return base
    if isinstance(value, tuple | bytearray):
        instead = "bytes: bytes(…)" if isinstance(value, bytearray) else "a list: list(…)"
        raise PlatformTypeError(
            f"{type(value)} cannot be sent over RPC.\n  Keep or send it as {instead}."
        )
    if inspect.isawaitable(value):
        raise _awaitable(value)
    hint = _hint(value)
    first_line = f"{_shown(value)} could not be cloned."
    said = getattr(type(value), "_uncloneable_", None)
    if said is not None:
        first_line, hint = said
    elif type(value).__module__.startswith(PLATFORM):
        kind, hint = type(value).__name__, "Keep its text, str(…), or the data in it."
        if kind in STREAMS:
            first_line = f"{kind} can only be serialized for RPC."
        elif kind == "ServiceStub":
            first_line = f"{kind} cannot be serialized in this context."
        else:
            kind = JAVASCRIPTS.get(kind, kind)
            first_line = (
                f'Could not serialize object of type "{kind}". This type does not support '
                "serialization."
            )
    raise DataCloneError(f"{first_line}\n  {hint}" if hint else first_line)


def too_deep() -> DataCloneError:
    """Return the error for a value nested deeper than `MAX_DEPTH`."""
    return DataCloneError(
        f"The value is nested too deep.\n"
        f"  At most {MAX_DEPTH} containers may be inside one another; keep a flat list of parts "
        f"that name each other."
    )


def _awaitable(value: object) -> DataCloneError:
    text = f"Awaitable {type(value)} cannot be sent over RPC."
    return DataCloneError(f"{text}\n  It was not awaited. Write:  await {call_of(value)}")


def returned(value: object, method: str) -> DataCloneError:
    """Return the error of a method that returns what it should have awaited."""
    text = f"Awaitable {type(value)} cannot be sent over RPC."
    return DataCloneError(
        f"{text}\n  {method}() returned it without awaiting it. Write:  return await {call_of(value)}"
    )


def instead_of(value: object) -> str:
    """Describe what a fetch handler has returned in place of a response, and what to write."""
    if hasattr(type(value), "__await__"):
        return f"fetch() returned what it did not await. Write: return await {call_of(value)}"
    if value is None:
        return "fetch() returned nothing. Every way through it has to return a Response."
    said = f"fetch() returned {type(value).__name__}: {value!r:.80}"
    if isinstance(value, str | bytes):
        return f"{said}. Write: return Response(…)"
    if isinstance(value, dict | list | tuple | int | float):
        return f"{said}. Write: return Response.json(…)"
    return said


def call_of(value: object) -> str:
    """Return the call that has given an awaitable, as it may have been written; "…" if unknown.

    A coroutine is closed, else Python warns on top of the lesson.
    """
    call = str(getattr(type(value), "_call_in_words_", lambda _: "…")(value))
    for prefix in ("cr", "gi"):
        code = getattr(value, f"{prefix}_code", None)
        if code is not None:
            own = code.co_varnames[:1] == ("self",) and code.co_argcount > 0
            takes = code.co_argcount > own or code.co_flags & inspect.CO_VARARGS
            call = f"{'self.' * own}{code.co_name}({'…' * bool(takes)})"
    if inspect.iscoroutine(value):
        value.close()
    return call


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        text = object.__repr__(value)
    text = ADDRESS.sub("", text)  # it says nothing, and would differ in every notebook
    return text if len(text) <= _LONGEST_REPR else text[: _LONGEST_REPR - 1] + "…"


def _hint(value: object) -> str:
    """Return what to do instead, or the empty string when nothing sensible can be said."""
    kind = type(value).__name__
    if isinstance(value, type):
        return "A class is not a value: keep its name or its data."
    if isinstance(
        value, types.FunctionType | types.BuiltinFunctionType | types.MethodType | types.LambdaType
    ):
        return "A function is not a value: keep the data it works on, or call it first."
    if isinstance(value, enum.Enum):
        return "Keep its .value, or derive the class from enum.StrEnum or enum.IntEnum."
    if isinstance(value, timedelta):
        return "Keep its .total_seconds()."
    if isinstance(value, date | time):
        return "Keep its .isoformat(), or a datetime."
    if isinstance(value, re.Pattern):
        return "A pattern of bytes has no counterpart in JavaScript; use a pattern of text."
    if dataclasses.is_dataclass(value):
        return f"Turn the {kind} into a dict: dataclasses.asdict(…)."
    if hasattr(type(value), "to_dict"):
        return f"Turn the {kind} into plain values first: .to_dict()."
    if hasattr(type(value), "tolist"):
        return f"Turn the {kind} into plain values first: .tolist()."
    if isinstance(value, Mapping):
        return f"Turn the {kind} into a dict: dict(…)."
    if isinstance(value, Iterable):
        return f"Turn the {kind} into a list: list(…)."
    if kind in ("Decimal", "Fraction", "UUID") or hasattr(type(value), "__fspath__"):
        return f"Keep the {kind} as text: str(…)."
    return "Keep its data as a dict of plain values."
