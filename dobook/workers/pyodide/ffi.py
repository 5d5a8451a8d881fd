"""`pyodide.ffi`: the border between Python and JavaScript, which does not exist here.

`to_js` gives containers with JavaScript's methods, `create_proxy` an object that stands for a Python
one until it is destroyed. Null and undefined are None.
Source: pyodide.org/en/stable/usage/api/python-api/ffi.html
"""

import inspect
from abc import ABCMeta
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dobook import web
from dobook.errors import DataCloneError, JsException, suggest
from dobook.ids import DurableObjectId
from dobook.runtime.calls.promise import Promise
from dobook.runtime.calls.reentry import run_sync
from dobook.runtime.sockets.values import Event, EventTarget, WebSocketRequestResponsePair
from dobook.runtime.sockets.websocket import WebSocketPair
from dobook.web.javascript import JsRequest, JsResponse
from dobook.workers.js.buffers import ArrayBuffer, DataView, TypedArray, Uint8Array
from dobook.workers.js.dates import Date
from dobook.workers.js.objects import (
    JsArray,
    JsIterator,
    JsMap,
    JsObject,
    JsSet,
    relaxed,
)
from dobook.workers.missing import missing

__all__ = [
    "ConversionError",
    "InternalError",
    "JsArray",
    "JsAsyncGenerator",
    "JsAsyncIterable",
    "JsAsyncIterator",
    "JsBigInt",
    "JsBuffer",
    "JsCallable",
    "JsCallableDoubleProxy",
    "JsDoubleProxy",
    "JsException",
    "JsFetchResponse",
    "JsGenerator",
    "JsIterable",
    "JsIterator",
    "JsMap",
    "JsMutableMap",
    "JsNull",
    "JsOnceCallable",
    "JsPromise",
    "JsProxy",
    "JsTypedArray",
    "JsWeakRef",
    "can_run_sync",
    "create_once_callable",
    "create_proxy",
    "destroy_proxies",
    "jsnull",
    "register_js_module",
    "run_sync",
    "to_js",
    "unregister_js_module",
]

__path__: list[str] = []  # `pyodide.ffi.wrappers` is inside

jsnull = None
JsNull = type(None)
JsMutableMap = JsMap
JsPromise = Promise
JsTypedArray = TypedArray
JsFetchResponse = JsResponse

ConversionError = DataCloneError


class InternalError(Exception):
    """Pyodide itself has failed, which cannot happen here."""


class JsBigInt(int):
    """A whole number that is a BigInt in JavaScript."""


class JsProxy(metaclass=ABCMeta):  # noqa: B024 - nothing is to be implemented
    """Everything that would be a JavaScript object there: the base for `isinstance`.

    Example:
        >>> isinstance(to_js({"a": 1}), JsProxy), isinstance({"a": 1}, JsProxy)
        (True, False)
    """


class JsBuffer(JsProxy):
    """A buffer of bytes."""


class JsCallable(JsProxy):
    """A function."""


class JsDoubleProxy(JsCallable):
    """Stands for a Python object in JavaScript: call it, or use its attributes.

    After `destroy()` neither is possible.
    """

    def __init__(self, value: Any, *, roundtrip: bool = True) -> None:
        self._value = value
        self._destroyed = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object with as many of the arguments as it takes."""
        value = self.unwrap()
        if kwargs:
            return value(*args, **kwargs)
        return relaxed(value, *args)

    def unwrap(self) -> Any:
        """Return the Python object.

        Raises:
            JsException: If the proxy has been destroyed.
        """
        if self._destroyed:
            raise JsException("Object has already been destroyed")
        return self._value

    def destroy(self) -> None:
        """Destroy the proxy. Calling this twice is fine."""
        self._destroyed = True

    def copy(self) -> "JsDoubleProxy":
        """Return a second proxy of the same object."""
        return type(self)(self.unwrap())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.unwrap(), name)

    def __repr__(self) -> str:
        return f"<proxy of {self._value!r}{', destroyed' if self._destroyed else ''}>"


class _AwaitableProxy(JsDoubleProxy):
    """Stands for a coroutine, a task or a future."""

    def __await__(self) -> Any:
        value = self.unwrap()
        if inspect.iscoroutine(value) or hasattr(type(value), "__await__"):
            return value.__await__()
        raise TypeError(f"{value!r:.80} cannot be awaited")


class JsOnceCallable(JsCallable):
    """A function that can be called a single time."""


class JsCallableDoubleProxy(JsCallable):
    """What stands for a function of Python in JavaScript."""


class JsIterable(JsProxy):
    """What can be iterated."""


class JsGenerator(JsIterable):
    """A generator."""


class JsAsyncIterable(JsProxy):
    """What can be iterated with `async for`."""


class JsAsyncIterator(JsAsyncIterable):
    """What gives its next value when that is awaited."""


class JsAsyncGenerator(JsAsyncIterator):
    """A generator whose values are awaited."""


class JsWeakRef(JsProxy):
    """A reference that does not keep its object."""


for _iterable in (JsArray, JsIterator, JsMap, JsSet, web.Headers, web.URLSearchParams):
    JsIterable.register(_iterable)
JsAsyncIterable.register(web.ReadableStream)
JsCallableDoubleProxy.register(JsDoubleProxy)

for _kind in (
    *(JsObject, JsArray, JsMap, JsSet, JsIterator, Date, Promise, JsRequest, JsResponse),
    *(web.Headers, web.URL, web.URLSearchParams, web.ReadableStream, Event, EventTarget),
    *(WebSocketPair, WebSocketRequestResponsePair, DurableObjectId),
):
    JsProxy.register(_kind)
for _buffer in (ArrayBuffer, TypedArray, DataView, web.JsBuffer):
    JsBuffer.register(_buffer)


def to_js(
    obj: Any,
    /,
    *,
    depth: int = -1,
    pyproxies: Any = None,
    create_pyproxies: bool = True,
    dict_converter: Callable[[Iterable[Any]], Any] | None = None,
    default_converter: Callable[..., Any] | None = None,
    eager_converter: Callable[..., Any] | None = None,
) -> Any:
    """Return a Python value as JavaScript's.

    Args:
        obj: The value.
        depth: How many levels are converted; -1 for all.
        pyproxies: A list that the proxies made on the way are added to.
        create_pyproxies: Whether what has no counterpart becomes a proxy rather than an error.
        dict_converter: What makes something of a dict's (key, value) pairs, such as
            `Object.fromEntries`; by default a Map.
        default_converter: Called as `f(value, convert, cache)` for what has no counterpart.
        eager_converter: The same, but asked first for everything.

    Raises:
        ConversionError: If there is no counterpart, and no proxy is to be made.

    Example:
        >>> from dobook.workers.js import Object
        >>> to_js({"a": [1, 2]}, dict_converter=Object.fromEntries).a.length
        2

    Source: pyodide.org/en/stable/usage/api/python-api/ffi.html#pyodide.ffi.to_js
    """
    seen: dict[int, Any] = {}
    kept: list[Any] = []  # so that no address in `seen` is used again

    def cache(value: Any, converted: Any) -> None:
        seen[id(value)] = converted
        kept.append(value)

    def convert(value: Any, left: int = -1) -> Any:
        if isinstance(value, bool | str | int | float | type(None) | JsProxy):
            return value
        if id(value) in seen:
            return seen[id(value)]
        if eager_converter is not None:
            return eager_converter(value, lambda v: _builtin(v, left), cache)
        return _builtin(value, left)

    def _builtin(value: Any, left: int) -> Any:
        if left == 0:
            return _proxy(value)
        if isinstance(value, list | tuple):
            items = JsArray()
            cache(value, items)
            items.extend(convert(member, left - 1) for member in value)
            return items
        if isinstance(value, Mapping):
            pairs = JsArray(JsArray([key, convert(v, left - 1)]) for key, v in value.items())
            made = (
                JsMap((k, v) for k, v in pairs) if dict_converter is None else dict_converter(pairs)
            )
            cache(value, made)
            return made
        if isinstance(value, set | frozenset):
            return JsSet(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return Uint8Array.new(web.JsBuffer(bytes(value)))
        if default_converter is not None:
            return default_converter(value, lambda v: convert(v, left - 1), cache)
        return _proxy(value)

    def _proxy(value: Any) -> Any:
        if _is_of_the_platform(value):
            return value
        if not create_pyproxies:
            raise ConversionError(f"No conversion known for {value!r:.80}.")
        proxy = create_proxy(value)
        if pyproxies is not None:
            pyproxies.append(proxy)
        return proxy

    return convert(obj, depth)


def _is_of_the_platform(value: Any) -> bool:
    """Return whether JavaScript would have this object already: a response, a stub, an error."""
    if isinstance(value, BaseException) or hasattr(type(value), "_carried_"):
        return True
    return type(value).__module__.startswith("dobook.")


def create_proxy(obj: Any, /, *, capture_this: bool = False, roundtrip: bool = True) -> Any:
    """Return an object that stands for `obj` in JavaScript, until it is destroyed.

    Args:
        obj: Usually a function that is called later.
        capture_this: Not offered.
        roundtrip: Accepted, without effect.

    Example:
        >>> proxy = create_proxy(lambda event: event.upper())
        >>> proxy("x")
        'X'
        >>> proxy.destroy()
    """
    if inspect.isawaitable(obj):
        return _AwaitableProxy(obj)
    return JsDoubleProxy(obj)


def create_once_callable(obj: Callable[..., Any], /) -> JsDoubleProxy:
    """Return a proxy of a function that can be called a single time.

    Example:
        >>> once = create_once_callable(lambda: "done")
        >>> once()
        'done'
        >>> once()
        Traceback (most recent call last):
        dobook.errors.JsException: OnceProxy can only be called once
    """
    called = False

    def once(*args: Any) -> Any:
        nonlocal called
        if called:
            raise JsException("OnceProxy can only be called once")
        called = True
        return relaxed(obj, *args)

    return JsDoubleProxy(once)


def destroy_proxies(pyproxies: Iterable[Any], /) -> None:
    """Destroy several proxies."""
    for proxy in pyproxies:
        proxy.destroy()


def can_run_sync() -> bool:
    """Return whether `run_sync` works: inside an object or a Worker."""
    from dobook.runtime.loop.loop import RuntimeLoop, running_loop

    return isinstance(running_loop(), RuntimeLoop)


def register_js_module(name: str, jsproxy: Any) -> None:
    """Make an object importable as a module.

    Raises:
        ValueError: If there is a module of that name.
    """
    import sys

    if name in sys.modules:
        raise ValueError(f"there is a module {name!r} already")
    sys.modules[name] = jsproxy


def unregister_js_module(name: str) -> None:
    """Take back what `register_js_module` did."""
    import sys

    del sys.modules[name]


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    raise missing(f"dobook does not offer pyodide.ffi.{name}. {suggest(name, __all__)}")
