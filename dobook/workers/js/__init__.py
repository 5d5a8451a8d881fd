"""What Pyodide calls `js`: the JavaScript globals that Workers and Durable Objects in Python use.

Everything is Python here; the names and the rules are JavaScript's. What dobook does not offer is
refused by name.
Source: pyodide.org/en/stable/usage/api/js-globals.html,
developers.cloudflare.com/workers/runtime-apis/web-standards/
"""

import sys
from typing import Any

from dobook.runtime.sockets.values import CloseEvent, Event, EventTarget, MessageEvent
from dobook.runtime.sockets.websocket import WebSocket, WebSocketPair, WebSocketRequestResponsePair
from dobook.web import URL, Headers, URLSearchParams
from dobook.web.javascript import JsRequest as Request
from dobook.web.javascript import JsResponse as Response
from dobook.workers.js.buffers import (
    ArrayBuffer,
    BigInt64Array,
    BigUint64Array,
    DataView,
    Float32Array,
    Float64Array,
    Int8Array,
    Int16Array,
    Int32Array,
    Uint8Array,
    Uint8ClampedArray,
    Uint16Array,
    Uint32Array,
)
from dobook.workers.js.caches import CacheStorage
from dobook.workers.js.dates import Date
from dobook.workers.js.fetching import fetch
from dobook.workers.js.platform import (
    AbortController,
    AbortSignal,
    Console,
    Crypto,
    Navigator,
    Performance,
    Refused,
    unknown,
)
from dobook.workers.js.promises import Promise
from dobook.workers.js.streams import WritableStream
from dobook.workers.js.text import TextDecoder, TextEncoder, atob, btoa
from dobook.workers.js.timers import (
    Scheduler,
    clearInterval,
    clearTimeout,
    queueMicrotask,
    setInterval,
    setTimeout,
)
from dobook.workers.js.transforms import (
    CompressionStream,
    DecompressionStream,
    FixedLengthStream,
    IdentityTransformStream,
    TextDecoderStream,
    TextEncoderStream,
    TransformStream,
)
from dobook.workers.js.values import (
    Array,
    BigInt,
    Boolean,
    Error,
    Json,
    Map,
    Math,
    Number,
    Object,
    RangeError,
    Set,
    String,
    SyntaxError_,
    TypeError_,
    decodeURIComponent,
    encodeURI,
    encodeURIComponent,
    isNaN,
    parseFloat,
    parseInt,
    structuredClone,
)
from dobook.workers.js.web import Blob, File, FormData, ReadableStream
from dobook.workers.missing import missing

__all__ = [
    "JSON",
    "URL",
    "AbortController",
    "AbortSignal",
    "Array",
    "ArrayBuffer",
    "BigInt",
    "BigInt64Array",
    "BigUint64Array",
    "Blob",
    "Boolean",
    "CloseEvent",
    "CompressionStream",
    "DataView",
    "Date",
    "DecompressionStream",
    "Error",
    "Event",
    "EventTarget",
    "File",
    "FixedLengthStream",
    "Float32Array",
    "Float64Array",
    "FormData",
    "Headers",
    "IdentityTransformStream",
    "Int8Array",
    "Int16Array",
    "Int32Array",
    "Map",
    "Math",
    "MessageEvent",
    "Number",
    "Object",
    "Promise",
    "RangeError",
    "ReadableStream",
    "Request",
    "Response",
    "Set",
    "String",
    "SyntaxError",
    "TextDecoder",
    "TextDecoderStream",
    "TextEncoder",
    "TextEncoderStream",
    "TransformStream",
    "TypeError",
    "URLSearchParams",
    "Uint8Array",
    "Uint8ClampedArray",
    "Uint16Array",
    "Uint32Array",
    "WebSocket",
    "WebSocketPair",
    "WebSocketRequestResponsePair",
    "WritableStream",
    "atob",
    "btoa",
    "caches",
    "clearInterval",
    "clearTimeout",
    "console",
    "crypto",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "fetch",
    "isNaN",
    "navigator",
    "parseFloat",
    "parseInt",
    "performance",
    "queueMicrotask",
    "scheduler",
    "setInterval",
    "setTimeout",
    "structuredClone",
    "undefined",
]

JSON = Json()
SyntaxError = SyntaxError_  # noqa: A001 - JavaScript's names
TypeError = TypeError_  # noqa: A001
caches = CacheStorage()
console = Console()
crypto = Crypto()
navigator = Navigator()
performance = Performance()
scheduler = Scheduler()
undefined = None

_NOT_OFFERED = {
    "HTMLRewriter": "Build the page in Python, with string.Template for instance.",
    "EventSource": "Read a stream: (await fetch(url)).body.",
    "WebAssembly": "Use a Python package.",
    "eval": "Write it in Python.",
}


def __getattr__(name: str) -> Any:
    if name.startswith("_"):  # introspection asks for such names, and is content without
        raise AttributeError(name)
    if name in ("globalThis", "self"):
        return sys.modules[__name__]
    if name in _NOT_OFFERED:
        return Refused(name, _NOT_OFFERED[name])
    raise missing(unknown(name, __all__))
