"""`pyodide.http`: requests to elsewhere.

Source: pyodide.org/en/stable/usage/api/python-api/http.html
"""

from io import StringIO
from typing import Any

from dobook.errors import suggest
from dobook.runtime.calls.reentry import run_sync
from dobook.web import BodyUsedError, FetchResponse, HttpStatusError
from dobook.workers.fetching import fetch
from dobook.workers.missing import missing

__all__ = ["BodyUsedError", "FetchResponse", "HttpStatusError", "open_url", "pyfetch"]

BodyUsedError = BodyUsedError  # offered by this name there too
HttpStatusError = HttpStatusError


async def pyfetch(request: Any, /, *, fetcher: Any = None, **kwargs: Any) -> FetchResponse:
    """Send a request.

    Args:
        request: A URL or a Request.
        fetcher: What sends it, if not the runtime's network: a stub's `fetch`.
        **kwargs: `method`, `headers`, `body`, `redirect`.

    Raises:
        OSError: If nobody answers.
    """
    response: FetchResponse = await fetch(request, fetcher=fetcher, **kwargs)
    return response


def open_url(url: str) -> StringIO:
    """Return what a URL leads to, as a text file; waits for it."""

    async def read() -> str:
        response = await fetch(url)
        return await response.text()

    return StringIO(run_sync(read()))


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    raise missing(f"dobook does not offer pyodide.http.{name}. {suggest(name, __all__)}")
