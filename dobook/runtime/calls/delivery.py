"""What a fetch handler returned, as the caller receives it.

Source: cloudflare/workerd src/workerd/api/http.c++ (`handleHttpRedirectResponse`)
"""

from typing import TYPE_CHECKING

from dobook.codec.refusal import instead_of
from dobook.errors import PlatformTypeError
from dobook.runtime.calls.remote_stream import conveyed
from dobook.web import ReadableStream, Response

if TYPE_CHECKING:
    from dobook.runtime.protocols import Call


def deliver_response(call: "Call", value: object) -> Response | None:
    """Return a fetch handler's result as the caller receives it.

    Returns:
        The response; None if it is a redirect, which is followed to the same object.

    Raises:
        PlatformTypeError: If it is not a response.
    """
    if not isinstance(value, Response):
        error = PlatformTypeError(
            "Incorrect type for Promise: the Promise did not resolve to 'Response'."
        )
        error.add_note(instead_of(value))
        error.handlers_fault = True  # type: ignore[attr-defined]
        raise error
    assert call.args is not None
    request = call.args[0]
    onward = request._next_hop(value, call.via) if 300 < value._status < 400 else None
    if onward is None:
        delivered = value._delivered(
            request._url, head=request._method == "HEAD", redirected=bool(call.via)
        )
        delivered._owner = owner = None if call.home is None else call.home.actor
        if type(delivered._body) is ReadableStream:
            delivered._body = conveyed(delivered._body, call.instance, call.actor.runtime)
            delivered._body.owner = owner
        if delivered._web_socket is not None:
            delivered._web_socket = delivered._web_socket._coupled(request)
            delivered._web_socket._end.owner = owner
        return delivered
    call.follow(onward)
    return None
