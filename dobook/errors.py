"""Every exception of dobook, in one file.

    Exception
     └─ DobookError                  everything dobook raises on its own
         ├─ JsException              what the platform's JavaScript would throw
         │   ├─ PlatformError        the platform's plain `Error`        (RuntimeError)
         │   ├─ PlatformTypeError    the platform's `TypeError`          (TypeError)
         │   ├─ PlatformRangeError   the platform's `RangeError`         (ValueError)
         │   ├─ PlatformSyntaxError  the platform's `SyntaxError`        (ValueError)
         │   ├─ InvalidAccessError   the DOMException of that name       (ValueError)
         │   ├─ InvalidStateError    the DOMException of that name       (RuntimeError)
         │   ├─ DataCloneError       a value that cannot be stored or sent (TypeError)
         │   └─ NetworkError         a host outside of the runtime        (OSError)
         ├─ CodecError               stored bytes that are not a value   (ValueError)
         ├─ UsageError               dobook itself was used wrongly      (RuntimeError)
         │   ├─ UnknownNameError     a binding, class or method that does not exist (LookupError)
         │   ├─ ConfigurationError   a wrangler configuration that cannot be used (ValueError)
         │   └─ DurationError        a duration or time that cannot be read (ValueError)
         ├─ DeploymentError          what Cloudflare's API rejects at deployment (RuntimeError)
         ├─ ConnectionClosedError    a client's WebSocket is over        (ConnectionError)
         ├─ DeadlockError            nothing is left that could wake the caller
         ├─ LivelockError            code keeps itself busy while virtual time stands still
         └─ StateDirectoryError      a state directory that cannot be used (OSError)
    UserWarning
     └─ PortabilityWarning           works here and not, or not so, on Cloudflare

Errors that stand for the platform's carry its text word for word, so that a search for the
message leads to Cloudflare's documentation. The flags the platform puts on errors (`remote`,
`retryable`, `overloaded`, `durableObjectReset`) are plain attributes; one that is absent is false.
Source: developers.cloudflare.com/durable-objects/best-practices/error-handling/
"""

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = [
    "FLAGS",
    "CodecError",
    "ConfigurationError",
    "ConnectionClosedError",
    "DataCloneError",
    "DeadlockError",
    "DeploymentError",
    "DobookError",
    "DurationError",
    "InvalidAccessError",
    "InvalidStateError",
    "JsException",
    "LivelockError",
    "NetworkError",
    "PlatformError",
    "PlatformRangeError",
    "PlatformSyntaxError",
    "PlatformTypeError",
    "PortabilityWarning",
    "StateDirectoryError",
    "UnknownNameError",
    "UsageError",
    "js_name",
    "misspelt",
    "suggest",
]

FLAGS = ("remote", "retryable", "overloaded", "durableObjectReset")


class DobookError(Exception):
    """Base class of every exception that dobook raises on its own."""

    js_name = "Error"


class JsException(DobookError):
    """What the platform's JavaScript would throw; `pyodide.ffi.JsException` is this class.

    Attributes:
        stack: Where it was thrown, "" if that is not known.

    Example:
        >>> error = PlatformTypeError("no such thing")
        >>> error.name, error.message, isinstance(error, JsException)
        ('TypeError', 'no such thing', True)

    Source: pyodide.org/en/stable/usage/api/python-api/ffi.html#pyodide.ffi.JsException
    """

    stack = ""

    @property
    def name(self) -> str:
        """The name of JavaScript's class: "TypeError", "RangeError", "Error", …."""
        return js_name(self)

    @property
    def message(self) -> str:
        """The text."""
        return str(self)


class PlatformError(JsException, RuntimeError):
    """The platform's plain `Error`."""


class PlatformTypeError(JsException, TypeError):
    """The platform's `TypeError`."""

    js_name = "TypeError"


class PlatformRangeError(JsException, ValueError):
    """The platform's `RangeError`."""

    js_name = "RangeError"


class PlatformSyntaxError(JsException, ValueError):
    """The platform's `SyntaxError`, as HTTP and WebSocket interfaces raise it."""

    js_name = "SyntaxError"


class InvalidAccessError(JsException, ValueError):
    """The DOMException of that name, for instance for a bad WebSocket close code."""

    js_name = "InvalidAccessError"


class InvalidStateError(JsException, RuntimeError):
    """The DOMException of that name."""

    js_name = "InvalidStateError"


class DataCloneError(JsException, TypeError):
    """A value that structured clone cannot store or send."""

    js_name = "DataCloneError"


class NetworkError(JsException, OSError):
    """A host outside of the runtime that does not answer.

    Args:
        url: What was to be reached.
        reason: Why it was not; by default that nothing leaves a runtime on its own.
    """

    def __init__(self, url: str, reason: str = "") -> None:
        self.url = url
        self.reason = reason
        super().__init__(
            f"Network connection lost: {url}\n"
            + (f"  {reason}." if reason else "  Nothing leaves the runtime by itself.")
            + "\n  A stand-in answers for a host: runtime.network.answer(origin, handler). "
            "`dobook run --network` reaches it."
        )

    def __reduce__(self) -> Any:
        return NetworkError, (self.url, self.reason)


class CodecError(DobookError, ValueError):
    """Bytes that are not a value in V8's serialisation format."""


class UsageError(DobookError, RuntimeError):
    """dobook itself was used in a way that cannot work; the message says what to do instead."""


class UnknownNameError(UsageError, LookupError):
    """A binding, class, object or method that does not exist.

    Example:
        >>> print(UnknownNameError("binding", "COUTNER", ["COUNTER", "CHAT"]))
        no binding named 'COUTNER'. Did you mean 'COUNTER'?
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = sorted(known)
        super().__init__(f"no {kind} named {name!r}. {suggest(name, self.known)}")


class ConfigurationError(UsageError, ValueError):
    """A wrangler configuration that cannot be read or does not say what it has to.

    Attributes:
        file: The name of the file.
        line: The line, None where no line is at fault.

    Example:
        >>> print(ConfigurationError("a migration needs a tag.", "wrangler.toml", 7))
        wrangler.toml:7: a migration needs a tag.
    """

    def __init__(self, message: str, file: str = "wrangler.toml", line: int | None = None) -> None:
        self.file = file
        self.line = line
        super().__init__(f"{file}: {message}" if line is None else f"{file}:{line}: {message}")


class DurationError(UsageError, ValueError):
    """A duration or point in time that cannot be read."""


class DeploymentError(DobookError, RuntimeError):
    """What Cloudflare's API rejects when a Worker is deployed, in its words; a note says what to do.

    Attributes:
        code: The API's number of the error, None where the words are dobook's.

    Example:
        >>> print(DeploymentError("Cannot do that.", 10061))
        Cannot do that. [code: 10061]
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        self.code = code
        super().__init__(message if code is None else f"{message} [code: {code}]")


class ConnectionClosedError(DobookError, ConnectionError):
    """A client's WebSocket is over.

    Attributes:
        code: The code it was closed with; 1005 for none, 1006 for a connection that was lost.
        reason: What the other side said.
    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        said = "was lost" if code == 1006 else f"is closed (code {code})"
        super().__init__(f"the connection {said}" + (f": {reason}" if reason else ""))


class DeadlockError(DobookError, RuntimeError):
    """Nothing is ready and nothing is scheduled, so what is awaited can never happen."""


class LivelockError(DobookError, RuntimeError):
    """Code is ready again and again without virtual time passing, so the run would never end."""


class PortabilityWarning(UserWarning):
    """Code of an object or a Worker works here and not, or not so, with Cloudflare's Python SDK."""


class StateDirectoryError(DobookError, OSError):
    """A state directory that is in use, unreadable, full or not one of ours."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the nearest of the known names, or with all of them.

    Example:
        >>> suggest("COUTNER", ["COUNTER", "CHAT"])
        "Did you mean 'COUNTER'?"
    """
    known = list(known)
    by_lower = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {by_lower[near[0]]!r}?"
    if not known:
        return "There are none yet."
    return "There is " + ", ".join(map(repr, known[:8])) + ("…" if len(known) > 8 else ".")


# What other databases call it, and what the platform does.
_ELSEWHERE = {
    "execute": "exec",
    "executemany": "exec",
    "fetchall": "toArray",
    "fetchmany": "toArray",
    "fetchone": "one",
}

_LEFT_OUT = {
    "facets": "Keep each part in an object of its own.",
    "container": "Run the program elsewhere, and reach it with fetch().",
}


def misspelt(owner: Any, name: str) -> AttributeError:
    """Return the error for a name that does not exist, with the platform's spelling if it is near.

    Example:
        >>> print(misspelt(frozenset(), "is_disjoint"))
        'frozenset' object has no attribute 'is_disjoint'. The platform's name is 'isdisjoint'.
    """
    kind = owner if isinstance(owner, type) else type(owner)
    named = (vars(k)["_NAME"] for k in kind.__mro__ if "_NAME" in vars(k))
    called = next(named, kind.__name__)  # the platform's name for it, if that is another
    what = f"js.{kind.__name__}" if isinstance(owner, type) else f"{called!r} object"
    text = f"{what} has no attribute {name!r}"
    if name in _LEFT_OUT:
        text += f", which dobook does not offer. {_LEFT_OUT[name]}"
    elif not name.startswith("_"):
        known = [n for n in dir(kind) if not n.startswith("_")]
        same = {n.lower(): n for n in known}.get(name.replace("_", "").lower())
        found = same or _ELSEWHERE.get(name)
        if found in known:
            text += f". The platform's name is {found!r}."
        elif near := difflib.get_close_matches(name, known, n=1, cutoff=0.7):
            text += f". Did you mean {near[0]!r}?"
    return AttributeError(text)


def js_name(error: BaseException) -> str:
    """Return the name the platform would give an error: 'TypeError', 'RangeError', 'Error', …."""
    own = getattr(error, "js_name", None)
    if isinstance(own, str):
        return own
    if isinstance(error, TypeError):
        return "TypeError"
    if isinstance(error, ValueError):
        return "RangeError"
    if isinstance(error, SyntaxError):
        return "SyntaxError"
    return "Error"
