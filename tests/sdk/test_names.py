"""Promise: the names that users can write are those of Cloudflare's SDK, in both directions."""

import importlib
import inspect
import json
from typing import Any, Final

import pytest
import workers

from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.objects.context import DurableObjectState
from dobook.runtime.objects.namespace import DurableObjectNamespace
from tests.sdk.record import VECTORS

RECORDED: Final = json.loads(VECTORS.read_text())
MODULES: Final = ("workers", "workers.entrypoints", "workers.workflows", "asgi", "pyodide.ffi")
CLASSES: Final[dict[str, Any]] = {
    "workers.Request": workers.Request,
    "workers.Response": workers.Response,
    "workers.FetchResponse": workers.FetchResponse,
    "workers.Blob": workers.Blob,
    "workers.File": workers.File,
    "workers.FormData": workers.FormData,
    "workers.DurableObject": workers.DurableObject,
    "workers.WorkerEntrypoint": workers.WorkerEntrypoint,
    "ctx": DurableObjectState,
    "namespace": DurableObjectNamespace,
    "stub": DurableObjectStub,
}
FUNCTIONS: Final[dict[str, Any]] = {
    "workers.Request()": workers.Request.__init__,
    "workers.Response()": workers.Response.__init__,
    "workers.Response.from_json()": workers.Response.from_json,
    "workers.Response.redirect()": workers.Response.redirect,
    "workers.fetch()": workers.fetch,
    "workers.patch_env()": workers.patch_env,
    "workers.import_from_javascript()": workers.import_from_javascript,
    "ctx.abort()": DurableObjectState.abort,
    "stub.fetch()": DurableObjectStub.fetch,
}

# What the SDK has and dobook has not, with the reason.
MISSING: Final[dict[str, dict[str, str]]] = {
    "asgi": dict.fromkeys(
        [
            "DEFAULT_OPTIONS", "Options", "acquire_js_buffer", "close_stream_quietly",
            "process_request", "process_websocket", "run_in_background", "start_application",
        ],
        "its own parts, not documented",
    )
    | {"entrypoint": "newer than the SDK that Cloudflare documents"},
    "pyodide.ffi": {
        "IN_BROWSER": "it says how Pyodide was built",
        "JsDomElement": "a Worker has no DOM",
        "ToJsConverter": "for annotations of to_js alone",
    },
    "workers.Request": dict.fromkeys(
        ["credentials", "destination", "is_history_navigation", "mode", "referrer",
         "referrer_policy"],
        "the engine's Request has none of them: AttributeError there too",
    ),
    "workers.Response": {
        "abort": "Pyodide's, of its own fetch",
        "unpack_archive": "Pyodide's, for packages",
    },
}  # fmt: skip
MISSING["workers.FetchResponse"] = MISSING["workers.Response"]

_JAVASCRIPT: Final = "JavaScript's spelling: one object stands for the SDK's and for JavaScript's"
_ENGINE: Final = "the SDK hands it on to the engine's object"
# What dobook has and the SDK does not name.
FURTHER: Final[dict[str, dict[str, str]]] = {
    "workers.entrypoints": {"Context": "in workers.types there"},
    "pyodide.ffi": {
        "InternalError": "public in later Pyodides",
        "JsBigInt": "public in later Pyodides",
        "can_run_sync": "public in later Pyodides",
    },
    "workers.Request": dict.fromkeys(
        ["arrayBuffer", "bodyUsed", "formData", "js_headers", "signal"], _JAVASCRIPT
    ),
    "workers.Response": dict.fromkeys(
        ["arrayBuffer", "bodyUsed", "js_headers", "js_response", "statusText", "webSocket",
         "web_socket"],
        _JAVASCRIPT,
    ),
    "workers.Blob": dict.fromkeys(["arrayBuffer", "stream", "type"], _JAVASCRIPT),
    "workers.File": dict.fromkeys(["arrayBuffer", "lastModified", "stream", "type"], _JAVASCRIPT),
    "workers.FormData": dict.fromkeys(["has", "set"], _JAVASCRIPT)
    | {"items_list": "its pairs, for the multipart writer"},
    "ctx": dict.fromkeys(
        [
            "acceptWebSocket", "blockConcurrencyWhile", "exports", "getHibernatableWebSocketEventTimeout",
            "getTags", "getWebSocketAutoResponse", "getWebSocketAutoResponseTimestamp",
            "getWebSockets", "id", "props", "setHibernatableWebSocketEventTimeout",
            "setWebSocketAutoResponse", "storage", "waitUntil",
        ],
        _ENGINE,
    ),
    "namespace": dict.fromkeys(["idFromName", "idFromString", "newUniqueId"], _ENGINE)
    | dict.fromkeys(["actor", "construct", "release"], "the runtime's side of it"),
}  # fmt: skip
FURTHER["workers.FetchResponse"] = FURTHER["workers.Response"]

# Parameters that are named otherwise, or that there are more of.
OTHER_PARAMETERS: Final = {
    "ctx.abort()": ["self", "reason", "options", "**keywords"],  # remarked on when it is used
    "stub.fetch()": ["self", "input", "init", "**options"],
}


def _names(where: str) -> set[str]:
    if where in MODULES:
        module = importlib.import_module(where)
        listed = getattr(module, "__all__", None)
        return set(listed if listed is not None else (n for n in vars(module) if n[0] not in "_@"))
    return {name for name in dir(CLASSES[where]) if not name.startswith("_")}


@pytest.mark.parametrize("where", [*MODULES, *CLASSES])
def test_the_names_are_the_sdks_but_for_those_listed(where):
    there, here = set(RECORDED["names"][where]), _names(where)
    assert there - here == set(MISSING.get(where, ())), "missing here"
    assert here - there == set(FURTHER.get(where, ())), "missing there"


def test_everything_recorded_is_compared():
    assert set(RECORDED["names"]) == {*MODULES, *CLASSES}
    assert set(RECORDED["signatures"]) == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_parameters_are_the_sdks(name):
    found = inspect.signature(FUNCTIONS[name]).parameters.values()
    here = [str(p).partition(":")[0].partition("=")[0].strip() for p in found]
    assert here == OTHER_PARAMETERS.get(name, RECORDED["signatures"][name])
