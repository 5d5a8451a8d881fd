"""What an error of the user's code probably means, where its own words do not say it.

Only Python's errors about names are looked at: a name of the platform that was not imported, a
keyword in JavaScript's spelling. The hint becomes a note of the error, once.
"""

import re
from typing import Final

_SDK: Final = frozenset({
    "Blob", "DurableObject", "File", "FormData", "Request", "Response", "WorkerEntrypoint", "fetch",
    "handler",
})  # fmt: skip
_JAVASCRIPT: Final = {
    "console": "print(...)",
    "undefined": "None",
    "null": "None",
    "true": "True",
    "false": "False",
}
_KEYWORDS: Final = {"webSocket": "web_socket", "statusText": "status_text"}
_UNEXPECTED: Final = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")


def add_hint(error: BaseException) -> None:
    """Add a note to an error that says what was probably meant, if there is something to say."""
    hint = _hint(error)
    if hint and hint not in getattr(error, "__notes__", ()):
        error.add_note(hint)


def _hint(error: BaseException) -> str:
    if isinstance(error, NameError) and error.name:
        if error.name in _SDK:
            return f"Write first: from workers import {error.name}"
        if error.name in _JAVASCRIPT:
            return f"In Python that is {_JAVASCRIPT[error.name]}."
        from dobook.workers import js

        if error.name in js.__all__:
            return f"It is JavaScript's. Write first: from js import {error.name}"
    if isinstance(error, TypeError):
        found = _UNEXPECTED.search(str(error))
        if found and found[1] in ("Response", "FetchResponse") and found[2] in _KEYWORDS:
            return f"Cloudflare's Python SDK calls it {_KEYWORDS[found[2]]}."
    return ""
