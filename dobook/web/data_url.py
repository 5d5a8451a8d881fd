"""`data:` URLs: an answer that stands in the URL itself.

Source: fetch.spec.whatwg.org/#data-urls
"""

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from dobook.web.request import Request
from dobook.web.response import Response
from dobook.web.text import js_string
from dobook.web.url import normalise

PARTS: Final = re.compile(r"data:([^,]*?)(;\s*base64)?\s*,([^#]*)", re.IGNORECASE).match
DEFAULT_TYPE: Final = "text/plain;charset=US-ASCII"


def data_response(input: object) -> Response | None:  # noqa: A002
    """Return what fetching a `data:` URL answers; None if it is not a valid `data:` URL.

    Args:
        input: What `fetch` was given.

    Example:
        >>> data_response("data:text/html;base64,PGI+")
        Response(status=200, status_text='OK', content_type='text/html')
    """
    url = normalise(input.url if isinstance(input, Request) else js_string(input))
    found = None if url is None else PARTS(url)
    if found is None:
        return None
    kind, encoded, content = found.groups()
    data = unquote_to_bytes(content)
    if encoded:
        try:
            data = base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
        except binascii.Error:
            return None
    if not kind.strip() or kind.startswith(";"):
        kind = f"text/plain{kind.strip()}" if kind.strip() else DEFAULT_TYPE
    return Response(data, 200, "OK", {"content-type": kind.strip()})
