"""What crosses from one object to another: copies, stubs for what cannot be copied, and errors.

Arguments and results are structured clones. Functions and `RpcTarget`s stay where they are and
travel as stubs; calling a stub is an event of the object that lives there.

Source: developers.cloudflare.com/workers/runtime-apis/rpc/,
cloudflare/workerd src/workerd/api/worker-rpc.c++
"""

import copy
import inspect
from typing import TYPE_CHECKING, Any

from dobook.codec import JsDict, clone
from dobook.errors import DataCloneError, PlatformError, PlatformTypeError, suggest
from dobook.ownership import RPC_STUB, Owner, check_owner
from dobook.runtime.calls.promise import Promise
from dobook.runtime.reports.portable import remark_on_keywords, remark_on_property
from dobook.runtime.reports.users_code import users_part
from dobook.web import Blob, Headers, ReadableStream, Request, Response

if TYPE_CHECKING:
    from dobook.runtime.protocols import Home

RESERVED = frozenset(
    {
        "alarm",
        "connect",
        "constructor",
        "fetch",
        "queue",
        "scheduled",
        "tail",
        "tailStream",
        "test",
        "trace",
        "webSocketClose",
        "webSocketError",
        "webSocketMessage",
    }
)
# Refused whether or not the class has them; the others are what a class need not have.
NEVER_CALLED = frozenset({"alarm", "dup", "webSocketClose", "webSocketError", "webSocketMessage"})
SMALL = frozenset({int, bool, float, type(None)})
_ASKED_OF_COROUTINES = frozenset({"cr_code", "cr_running", "gi_code", "gi_running"})  # by asyncio
PLAIN = frozenset({int, str, bool, type(None), bytes})


class RpcTarget:
    """Base class of objects that are passed over RPC by reference.

    Methods and properties of the class can be reached through the stub that the other side gets;
    instance attributes cannot.

    Example:
        >>> class Counter(RpcTarget):
        ...     n = 0
        ...     def increment(self):
        ...         self.n += 1
        ...         return self.n

    Source: developers.cloudflare.com/workers/runtime-apis/rpc/#class-instances
    """

    _uncloneable_ = (
        "Remote RPC references can only be serialized for RPC.",
        "Keep the data that it works on.",
    )


class Member(Promise):
    """A method or property of something remote: call it, await it, or reach its members."""

    __slots__ = ("_path", "_target")

    def __init__(self, target: Any, path: tuple[str, ...]) -> None:
        self._target = target
        self._path = path

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method; the call is on its way when this returns its promise."""
        if kwargs:
            remark_on_keywords(self._path[-1], args, kwargs)
        return self._target._invoke(self._path, args, kwargs)

    def __await__(self) -> Any:
        remark_on_property(self._path[-1])
        return self._target._invoke(self._path, None, None).__await__()

    def __getattr__(self, name: str) -> "Member":
        return member(self._target, (*self._path, name))

    def __repr__(self) -> str:
        return f"<remote {'.'.join(self._path)} of {self._target!r}>"


def member(target: object, path: tuple[str, ...]) -> Member:
    """Return a member by its path; names with a leading underscore are never remote.

    Raises:
        AttributeError: For names with a leading underscore, so that introspection stays local.
    """
    if path[-1] in _ASKED_OF_COROUTINES:
        raise AttributeError(path[-1])
    if path[-1].startswith("_"):
        raise AttributeError(
            f"{path[-1]!r} cannot be reached over RPC: names with a leading underscore are private."
        )
    return Member(target, path)


class RpcStub:
    """A function or `RpcTarget` of another object.

    Calling it, or a method of it, is an event of the object it came from. `dup()` makes a second
    stub of the same target; `dispose()` gives this one up.

    A stub that is an argument is disposed of when the call ends, and a stub that a method returns
    belongs to the caller from then on. To keep a stub for later, keep a `dup()` of it.

    Source: developers.cloudflare.com/workers/runtime-apis/rpc/lifecycle/
    """

    _uncloneable_ = (
        "RpcStub cannot be serialized in this context.",
        "It lives as long as the other side does: keep what its target can be found by again.",
    )

    def __init__(
        self, home: "Home", target: Any, owner: Owner | None = None, disposed: str = ""
    ) -> None:
        self._home = home
        self._owner = owner  # the object that received it; None outside of objects
        self._target = target
        self._disposed = disposed  # how it was disposed of, and the remedy; "" while it is in use

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; the call is on its way when this returns its promise."""
        if kwargs:
            remark_on_keywords("the function", args, kwargs)
        return self._invoke((), args, kwargs)

    def __getattr__(self, name: str) -> Member:
        return member(self, (name,))

    def dup(self) -> "RpcStub":
        """Return a second stub of the same target, which outlives this one.

        That of a stub which has been disposed of cannot be used either.
        """
        check_owner(self._owner, RPC_STUB)
        return RpcStub(self._home, self._target, self._owner, self._disposed)

    def dispose(self) -> None:
        """Release the stub; using it afterwards is an error, disposing of it again is not."""
        self._give_up("dispose() was called on it. Its target can be kept with a stub.dup().")

    def _give_up(self, how: str) -> None:
        self._disposed = self._disposed or how

    def __enter__(self) -> "RpcStub":
        return self

    def __exit__(self, *exc: object) -> None:
        self.dispose()

    def _invoke(
        self, path: tuple[str, ...], args: tuple[Any, ...] | None, kwargs: dict[str, Any] | None
    ) -> Any:
        try:
            check_owner(self._owner, RPC_STUB)
        except PlatformError as foreign:
            return self._home.refuse(foreign)
        if self._disposed:
            error = PlatformError("RPC stub used after being disposed.")
            error.add_note(self._disposed)
            return self._home.refuse(error)
        return self._home.invoke_on(self._target, path, args, kwargs)

    def __repr__(self) -> str:
        name = getattr(self._target, "__name__", type(self._target).__name__)
        return f"<RpcStub of {name}{', disposed' if self._disposed else ''}>"


class Crossing:
    """The stubs that go from one side to the other with the values of one call.

    Args:
        receiver: The object that gets them; None outside of objects.

    Attributes:
        made: Those that the receiving side gets.
        passed: Those of the sending side that they were made of.
    """

    def __init__(self, receiver: Owner | None = None) -> None:
        self.receiver = receiver

    made: "tuple[RpcStub, ...]" = ()
    passed: "tuple[RpcStub, ...]" = ()

    def add(self, stub: RpcStub, made_of: RpcStub | None = None) -> RpcStub:
        """Note a stub that the receiving side gets; returns it."""
        stub._owner = self.receiver
        self.made = (*self.made, stub)
        if made_of is not None:
            self.passed = (*self.passed, made_of)
        return stub

    def end_of_call(self) -> None:
        """Dispose of what was an argument."""
        for stub in self.made:
            stub._give_up(
                "An argument of a call is disposed of when the call ends. "
                "To use it later, keep a duplicate: self.callback = callback.dup()"
            )

    def returned(self) -> None:
        """Dispose of what was a result, on the side that returned it."""
        for stub in self.passed:
            stub._give_up(
                "It was returned from a method, and so given to the caller. "
                "To keep it as well, return a duplicate: return self.callback.dup()"
            )


def carry(value: object, home: "Home", crossing: Crossing | None = None) -> Any:
    """Return what the other side receives for a value that comes from `home`.

    Args:
        value: The value.
        home: Where its functions and targets live.
        crossing: Notes the stubs in it; None where nobody disposes of them.

    Raises:
        DataCloneError: If there is something in it that can be neither copied nor referred to.
    """
    if type(value) in PLAIN:
        return value
    try:
        return clone(value)
    except DataCloneError as refused:
        try:
            return _carry_deep(value, home, {}, crossing or Crossing())
        except RecursionError:
            raise refused from None
        except Exception as error:
            raise error from None  # the failure of the plain copy above is of no interest


def _carry_deep(value: Any, home: "Home", seen: dict[int, Any], crossing: Crossing) -> Any:
    if isinstance(value, RpcStub):
        if id(value) not in seen:
            seen[id(value)] = crossing.add(value.dup(), value)
        return seen[id(value)]
    is_target = isinstance(value, RpcTarget)
    if isinstance(value, Response) and value.web_socket is not None:
        error = DataCloneError(
            'Could not serialize object of type "WebSocket". This type does not support '
            "serialization."
        )
        error.add_note("A WebSocket is handed over by fetch() only: return the response there.")
        raise error
    if isinstance(value, Response | Request):
        if isinstance(value, Request) and value._signal is not None:
            return clone(value._signal)  # which is refused
        copied = getattr(value, "_of", value).clone()  # as Python has it
        if type(copied._body) is ReadableStream:
            copied._body = home.convey(copied._body)
        copied._owner = crossing.receiver
        return copied
    if isinstance(value, Blob):
        return value  # it never changes
    if isinstance(value, ReadableStream):
        stream = home.convey(value)
        stream.owner = crossing.receiver
        return stream
    if isinstance(value, Headers):
        return value.copy()
    if hasattr(type(value), "_carried_"):
        return value._carried_(
            home, crossing.receiver
        )  # ids, stubs and sockets know how they travel
    if is_target or inspect.isroutine(value) or (callable(value) and not isinstance(value, type)):
        if id(value) not in seen:
            seen[id(value)] = crossing.add(RpcStub(home, value))
        return seen[id(value)]
    if isinstance(value, list | dict | set) and id(value) in seen:
        return seen[id(value)]
    if isinstance(value, list):
        items: list[Any] = []
        seen[id(value)] = items
        items.extend(_carry_deep(v, home, seen, crossing) for v in value)
        return items
    if isinstance(value, dict):
        entries = JsDict()
        seen[id(value)] = entries
        for key, v in value.items():
            entries[key] = _carry_deep(v, home, seen, crossing)
        return entries
    return clone(value)


def find(target: object, path: tuple[str, ...], *, root: bool, of: str = "") -> Any:
    """Return what a path leads to, as the receiving side resolves it.

    Args:
        target: Where the path begins.
        path: Names, one after the other.
        of: The name that led to `target`, if one did.
        root: Whether `target` is a Durable Object, where handlers cannot be called.

    Raises:
        PlatformTypeError: If there is nothing there, or nothing that may be reached.
    """
    at = target
    for depth, name in enumerate(path):
        if (
            root
            and depth == 0
            and (name in NEVER_CALLED or (name in RESERVED and hasattr(type(at), name)))
        ):
            raise PlatformTypeError(f"'{name}' is a reserved method and cannot be called over RPC.")
        if isinstance(at, dict):
            if name not in at:
                raise _missing(name, at)
            at = at[name]
        elif not isinstance(at, RpcTarget) and not (root and depth == 0):
            # What has no members itself is what the platform names.
            raise _missing(path[depth - 1] if depth else of or name, ())
        else:
            kind = type(at)
            if name.startswith("_") or not hasattr(kind, name):
                error = _missing(
                    name, [n for n in dir(kind) if not n.startswith("_") and n not in RESERVED]
                )
                if name in getattr(at, "__dict__", {}):
                    error.add_note(
                        f"{name!r} is an attribute of the instance; only methods and properties of "
                        "the class can be reached from outside."
                    )
                raise error
            at = getattr(at, name)
    return at


def not_callable(path: tuple[str, ...]) -> PlatformTypeError:
    """Return the error of calling a member that exists but is not a method."""
    return PlatformTypeError(f'"{".".join(path) or "(this)"}" is not a function.')


def _missing(name: str, known: Any) -> PlatformTypeError:
    error = PlatformTypeError(f'The RPC receiver does not implement the method "{name}".')
    known = list(known)
    if known:
        error.add_note(suggest(name, known))
    return error


def carry_error(error: BaseException, *, remote: bool) -> BaseException:
    """Return the error as the caller gets it: class, message and flags, and the user's traceback.

    Args:
        error: What was raised on the other side.
        remote: Whether the other side's code raised it; sets the flag of that name.
    """
    copied = _like(error) or PlatformError(f"{type(error).__name__}: {error}")
    for attribute in ("__notes__", "js_name"):
        if hasattr(error, attribute) and attribute not in copied.__dict__:
            copied.__dict__[attribute] = getattr(error, attribute)
    if remote:
        copied.remote = True  # type: ignore[attr-defined]
    copied.__cause__ = error.__cause__
    copied.__context__ = error.__context__
    copied.__suppress_context__ = error.__suppress_context__
    if isinstance(copied, BaseExceptionGroup):
        for each in copied.exceptions:  # what the tasks of a group have raised
            each.with_traceback(users_part(each.__traceback__))
    return copied.with_traceback(users_part(error.__traceback__))


def _like(error: BaseException) -> BaseException | None:
    """Return a copy of an error, None if it cannot be copied."""
    kind = type(error)
    for make in (copy.copy, _uninitialised):  # a class may take other arguments than its `args`
        try:
            copied: BaseException = make(error)
            if type(copied) is kind and str(copied) == str(error):
                return copied
        except Exception:
            continue
    return None


def _uninitialised(error: BaseException) -> BaseException:
    kind = type(error)
    copied: BaseException = kind.__new__(kind, *error.args)
    copied.args = error.args
    copied.__dict__.update(error.__dict__)
    return copied
