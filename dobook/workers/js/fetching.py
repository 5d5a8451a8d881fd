"""`fetch` as JavaScript has it: a request to another host, and its promise.

Source: developers.cloudflare.com/workers/runtime-apis/fetch/
"""

from collections.abc import Generator
from typing import Any

from dobook.errors import PlatformError
from dobook.runtime.calls.promise import Promise, Rejected
from dobook.runtime.sockets.transport import current_wire
from dobook.web import Request
from dobook.web.javascript import JsResponse

_GLOBAL_SCOPE = (
    "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), "
    "setting a timeout, and generating random values are not allowed within global scope. To fix "
    "this error, perform this operation within a handler."
)


def send(resource: Any, options: Any = None) -> Promise:
    """Return a promise of the response to a request, which is on its way then."""
    wire = current_wire()
    if wire is None:
        return Rejected(PlatformError(_GLOBAL_SCOPE))
    try:
        request = Request._from_init(resource, options or None)  # noqa: SLF001 - of this package
    except Exception as error:
        return Rejected(error)
    promise: Promise = wire.runtime.network.send(request)
    return promise


class _AsJavaScript(Promise):
    """A promise of a response, which comes as JavaScript sees it."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Promise) -> None:
        self._answer = answer

    def __await__(self) -> Generator[Any, None, JsResponse]:
        response = yield from self._answer.__await__()
        return JsResponse.showing(response)


def fetch(resource: Any, init: Any = None, **options: Any) -> Promise:
    """Send a request, by JavaScript's rules: `fetch(url, {"method": "POST"})`.

    Returns:
        A promise of the response; the request is on its way.
    """
    given = {**(init or {}), **options} if not isinstance(init, Request) else init
    return _AsJavaScript(send(resource, given))
