"""Where dobook differs from Cloudflare's SDK on purpose: every row that does, and why.

`here` is what dobook gives; `says` a part of the warning at run time, and `rule` the rule of
`dobook check` that finds it, where dobook is kinder. What has neither is written down in
docs/differences.md, or is an error on both sides.
"""

from typing import Any, Final, NamedTuple


class Difference(NamedTuple):
    """One row that gives something else here."""

    here: dict[str, Any]
    why: str
    says: str = ""
    rule: str = ""


def _error(kind: str) -> dict[str, Any]:
    return {"error": kind}


_PROMISE: Final = "an error on both sides; this one says what to do"
_FRAME: Final = "the same refusal; its class here is the one the platform's own error has"

_OURS: Final = "the exports convert as bindings do, which the SDK has not done yet"

DIFFERENCES: Final = {
    "rpc/keywords": Difference({"ok": [1, 2]}, "Python's meaning", "one dict", "rpc-keywords"),
    "rpc/keyword-after-positional": Difference(
        {"ok": [1, 2]}, "Python's meaning", "one dict", "rpc-keywords"
    ),
    "rpc/pipelining": Difference(
        _error("PlatformTypeError"), "the engine has pipelining", "no attributes", "pipelining"
    ),
    "rpc/pipelined-call": Difference(
        _error("PlatformTypeError"), "the engine has pipelining", "no attributes", "pipelining"
    ),
    "rpc/await-twice": Difference(
        {"ok": [5, 5]}, "a promise keeps its value", "awaited a second time", "await-twice"
    ),
    "rpc/property": Difference(
        {"ok": 5}, "the engine reads properties", "property", "rpc-property"
    ),
    "rpc/fetch-not-awaited": Difference(
        {"ok": "GET"}, "the engine sends at once", "never sends", "fetch-not-awaited"
    ),
    "rpc/private": Difference(_error("AttributeError"), "introspection stays local"),
    "rpc/format": Difference(
        {"ok": False}, "the text of a promise, not of a coroutine", "in a text", "await"
    ),
    "value/bytes": Difference({"ok": "bytes"}, "a memoryview lacks most of what bytes have"),
    "value/memoryview": Difference({"ok": "bytes"}, "as for bytes"),
    "value/bytes-decode": Difference({"ok": "ab"}, "as for bytes"),
    "value/frozenset": Difference({"ok": "set"}, "it is stored as a set"),
    "value/exception": Difference({"ok": "PlatformRangeError"}, "an error keeps its class"),
    "value/function": Difference({"ok": "RpcStub"}, "what one calls, both of them"),
    "value/naive-date": Difference({"ok": False}, "a date that knows its time zone cannot be misread"),
    "value/date-difference": Difference(_error("TypeError"), "as for naive dates"),
    "value/aware-difference": Difference({"ok": 1}, "as for naive dates"),
    "storage/put-tuple-not-awaited": Difference(
        {"ok": "later"}, "a refusal is a promise's; not awaited, it is told in a line"
    ),
    "storage/get-twice": Difference(
        {"ok": [None, None]}, "a promise keeps its value", rule="await-twice"
    ),
    "storage/transaction-dict": Difference(
        {"ok": {"a": 1}}, "one storage interface", "to_js", "transaction"
    ),
    "storage/transaction-list": Difference(
        {"ok": [1]}, "one storage interface", "to_js", "transaction"
    ),
    "storage/transaction-get": Difference({"ok": 1}, "one storage interface", "", "transaction"),
    "ctx/abort-options": Difference(
        _error("DurableObjectAbort"), "the engine has the option", "retryAlarm", "abort-options"
    ),
    "ctx/abort-keyword": Difference(
        _error("DurableObjectAbort"), "the engine has the option", "retryAlarm", "abort-options"
    ),
    "ctx/tags": Difference({"ok": None}, "lists are arrays", "to_js", "socket-tags"),
    "env/item": Difference({"ok": "hello"}, "the engine's env is an object", "env.", "env-item"),
    "env/contains": Difference({"ok": True}, "the engine's env is an object", "hasattr", "env-item"),
    "stub/id-str": Difference({"ok": True}, "an id is its text"),
    "fetch/options-dict": Difference(
        {"ok": "POST hi"}, "the engine takes a dict", "keywords", "fetch-options"
    ),
    "request/unknown-method": Difference({"ok": "PURGE"}, "HTTP has more methods than Python names"),
    "request/js-object": Difference({"ok": True}, "one object stands for both"),
    "request/spelling": Difference({"ok": False}, "one object stands for both", rule="spelling"),
    "response/js-object": Difference({"ok": True}, "one object stands for both"),
    "import/entrypoints": Difference({"ok": "DurableObjectState"}, "the engine's name for it"),
    "exports/dict": Difference({"ok": "JsDict"}, _OURS, "converts nothing", "exports-raw"),
    "exports/list": Difference({"ok": "list"}, _OURS, "converts nothing", "exports-raw"),
    "exports/bytes": Difference({"ok": "bytes"}, _OURS, "converts nothing", "exports-raw"),
    "exports/date": Difference({"ok": "datetime"}, _OURS, "converts nothing"),
    "exports/result": Difference({"ok": True}, _OURS),
    "exports/none-result": Difference({"ok": True}, _OURS),
    "exports/result-dict-item": Difference({"ok": 1}, _OURS, rule="exports-raw"),
    "exports/response-js": Difference({"ok": True}, _OURS),
    "exports/fetch-headers": Difference(
        {"ok": "PUT hi"}, _OURS, "converts nothing", "exports-raw"
    ),
    "exports/fetch-bytes": Difference({"ok": "PUT hi"}, _OURS, "converts nothing", "exports-raw"),
    "exports/props-dict": Difference({"ok": "cs: a"}, _OURS, "converts nothing", "exports-raw"),
    "exports/props-item": Difference({"ok": "cs"}, _OURS, rule="exports-raw"),
    "exports/props-get": Difference({"ok": "cs"}, _OURS, rule="exports-raw"),
    "exports/options-dict": Difference({"ok": "cs: a"}, _OURS, "converts nothing", "exports-raw"),
    "import/rpc-target": Difference(
        {"ok": None}, "the engine has it", "RpcTarget", "rpc-target"
    ),
}  # fmt: skip
