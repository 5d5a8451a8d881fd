"""Conversions to and from JavaScript, by the names of Cloudflare's Python SDK.

Values cross between objects as copies anyway; these two say what a copy would be.
Source: cloudflare/workers-py packages/runtime-sdk/src/workers/rpc.py
"""

import inspect
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dobook.codec import JsDict
from dobook.web import Request, Response
from dobook.web.javascript import JsRequest, JsResponse
from dobook.workers.js.buffers import ArrayBuffer, DataView, TypedArray
from dobook.workers.js.dates import Date
from dobook.workers.js.objects import JsArray, JsMap, JsSet
from dobook.workers.js.values import Error, Number, Object
from dobook.workers.pyodide.ffi import JsDoubleProxy, to_js


def python_to_rpc(value: Any) -> Any:
    """Return a Python value as JavaScript would have it.

    Raises:
        TypeError: For a tuple, a bytearray or something that is still to be awaited, at any depth.

    Example:
        >>> python_to_rpc({"tags": ["a"]}).tags.length
        1

    Source: developers.cloudflare.com/workers/languages/python/ffi/
    """
    _refuse(value)
    return to_js(value, default_converter=_convert, dict_converter=Object.fromEntries)


def python_from_rpc(obj: Any) -> Any:
    """Return a JavaScript value as Python has it: dicts with attributes, lists, datetimes.

    Example:
        >>> from dobook.workers.js import Object
        >>> python_from_rpc(Object.new(n=1)).n
        1
    """
    if isinstance(obj, JsResponse | JsRequest):
        return obj._of  # noqa: SLF001 - of this package
    if isinstance(obj, ArrayBuffer | DataView | TypedArray | Number):
        return obj.to_py()
    if isinstance(obj, Date):
        return obj.to_py()
    if isinstance(obj, JsMap):
        return {key: python_from_rpc(value) for key, value in obj.items()}
    if isinstance(obj, JsSet):
        return set(obj)
    if isinstance(obj, Mapping):
        return JsDict((key, python_from_rpc(value)) for key, value in obj.items())
    if isinstance(obj, list):
        return [python_from_rpc(value) for value in obj]
    return obj


def _convert(value: Any, _convert: Any, _cache: Any) -> Any:
    if isinstance(value, Response | Request):
        return value.js_object
    if isinstance(value, datetime):
        return Date.new(value)
    if isinstance(value, Exception):
        return Error.new(str(value))
    if callable(value) and not isinstance(value, type | JsDoubleProxy):
        return JsDoubleProxy(value)
    return value


def _refuse(value: Any) -> None:
    if isinstance(value, tuple | bytearray):
        raise TypeError(f"{type(value)} cannot be sent over RPC.")
    if inspect.isawaitable(value) and not hasattr(type(value), "_carried_"):
        if inspect.iscoroutine(value):
            value.close()
        raise TypeError(f"Awaitable {type(value)} cannot be sent over RPC.")
    if isinstance(value, Mapping):
        for member in value.values():
            _refuse(member)
    elif isinstance(value, list | set) and not isinstance(value, JsArray):
        for member in value:
            _refuse(member)
