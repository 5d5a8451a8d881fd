"""Statuses: the reason phrase of each, as the engine fills it in on delivery, and their range.

Source: cloudflare/workerd src/workerd/api/http.c++ (defaultStatusText)
"""

import functools
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from dobook.errors import PlatformRangeError

# Where Python's table has another name, none, or an invention of its own, by version.
_DIFFERENT: Final = {
    208: "Already Reported",
    226: "IM Used",
    302: "Found",
    306: "Redirection",
    413: "Payload Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    418: "I'm a teapot",
    422: "Unprocessable Entity",
    425: "Client Error",
    505: "HTTP Version Not Supported",
}
_CLASSES: Final = {2: "Successful", 3: "Redirection", 4: "Client Error", 5: "Server Error"}


@functools.cache
def status_text_of(status: int) -> str:
    """Return the reason phrase of a status; for an unknown one that of its class, or "".

    Example:
        >>> status_text_of(404), status_text_of(299), status_text_of(999)
        ('Not Found', 'Successful', '')
    """
    text = _DIFFERENT.get(status)
    if text is None:
        try:
            text = HTTPStatus(status).phrase
        except ValueError:
            text = _CLASSES.get(status // 100, "")
    return text


_SPELLING: Final = {"statusText": "status_text", "webSocket": "web_socket"}


def out_of_range(status: object) -> PlatformRangeError:
    """Return the error of a response with a status that there is not.

    Args:
        status: What was given as one; a dict is taken for JavaScript's options.
    """
    error = PlatformRangeError(
        "Responses may only be constructed with status codes in the range 200 to 599, inclusive."
    )
    if isinstance(status, Mapping):
        options = ", ".join(f"{_SPELLING.get(k, k)}={v!r:.40}" for k, v in status.items())
        error.add_note(f"Options are keywords in Python. Write: {options or 'status=…'}")
    return error
