"""`workers.wsgi`: a Flask or Django application as a Worker.

Source: developers.cloudflare.com/workers/languages/python/packages/flask/, peps.python.org/pep-3333
"""

import io
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from dobook.web import ReadableStream, Request, Response
from dobook.web.javascript import JsResponse

__all__ = ["build_environ", "fetch"]

_NO_BODY = frozenset({101, 103, 204, 205, 304})


async def fetch(app: Any, req: Request, env: Any, ctx: Any = None) -> JsResponse:
    """Answer a request with a WSGI application.

    Args:
        app: The application.
        req: The request.
        env: The bindings; the application finds them as `environ["workers.env"]`.
        ctx: Not needed.

    Raises:
        RuntimeError: If the application did not call `start_response`.
    """
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if exc_info is not None and begun:
            raise exc_info[1].with_traceback(exc_info[2])
        if begun:
            raise AssertionError("start_response() called more than once")
        begun.append((status, headers))
        return written.append

    result = app(build_environ(req, env, await req.bytes()), start_response)
    pieces = iter(result)
    first = next((piece for piece in pieces if piece), b"")
    if not begun:
        raise RuntimeError("The WSGI application did not call start_response()")
    status, headers = begun[0]
    code, _, reason = status.partition(" ")

    def body() -> Iterator[bytes]:
        yield from written
        if first:
            yield first
        yield from (piece for piece in pieces if piece)
        if hasattr(result, "close"):
            result.close()

    content = None if int(code) in _NO_BODY else ReadableStream(body())
    return JsResponse.showing(
        Response(content, status=int(code), status_text=reason, headers=headers)
    )


def build_environ(req: Request, env: Any, body: bytes) -> dict[str, Any]:
    """Return a request as WSGI has it, with the bindings as `workers.env`."""
    url = urlsplit(req.url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": str(req.method),
        "SCRIPT_NAME": "",
        "PATH_INFO": _native(unquote(url.path or "/")),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname or "localhost",
        "SERVER_PORT": str(url.port or (443 if url.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "workers.env": env,
    }
    for name, value in req.js_headers:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    if body:
        environ.setdefault("CONTENT_LENGTH", str(len(body)))
    return environ


def _native(text: str) -> str:
    """Return a text as WSGI has it: a character for each byte of its UTF-8."""
    return text.encode().decode("latin-1")
