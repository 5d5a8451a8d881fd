"""`asgi`: a FastAPI, Starlette or Django application as a Worker.

Source: developers.cloudflare.com/workers/languages/python/packages/fastapi/,
cloudflare/workers-py packages/runtime-sdk/src/workers/asgi.py, asgi.readthedocs.io
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from dobook.runtime.loop.loop import RuntimeLoop, running_loop
from dobook.runtime.sockets.websocket import WebSocketPair
from dobook.web import Request, Response
from dobook.web.javascript import JsResponse
from dobook.workers.ambient import wait_until
from dobook.workers.js.streams import Writer
from dobook.workers.js.transforms import TransformStream
from dobook.workers.missing import missing

__all__ = ["fetch", "request_to_scope", "websocket"]

Message = dict[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Any]], Any]

logger = logging.getLogger("asgi")

_VERSION = {"spec_version": "2.0", "version": "3.0"}
_NO_BODY = frozenset({101, 103, 204, 205, 304})


async def fetch(app: App, req: Request, env: Any, ctx: Any = None) -> JsResponse:
    """Answer a request with an ASGI application.

    Args:
        app: The application.
        req: The request, as Python or as JavaScript has it.
        env: The bindings; the application finds them as `request.scope["env"]`.
        ctx: Not needed.

    Raises:
        BaseException: What the application raised before it began to answer.
    """
    _run_threads_inline()
    lifespan = _Lifespan(app)
    await lifespan.startup()
    exchange = _Exchange(await req.bytes())
    scope = request_to_scope(req, env, state=lifespan.state)
    work = asyncio.ensure_future(exchange.run(app, scope))
    wait_until(work)
    response = await exchange.response
    await lifespan.shutdown()
    return JsResponse.showing(response)


async def websocket(app: App, req: Request, env: Any = None) -> JsResponse:
    """Answer a WebSocket's handshake with an ASGI application."""
    _run_threads_inline()
    client, server = WebSocketPair().object_values()
    server.accept()
    arrived: asyncio.Queue[Message] = asyncio.Queue()
    arrived.put_nowait({"type": "websocket.connect"})

    def on_message(event: Any) -> None:
        kind = "text" if isinstance(event.data, str) else "bytes"
        arrived.put_nowait({"type": "websocket.receive", kind: event.data})

    def on_close(event: Any) -> None:
        arrived.put_nowait(
            {"type": "websocket.disconnect", "code": event.code, "reason": event.reason}
        )

    server.addEventListener("message", on_message)
    server.addEventListener("close", on_close)

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            data = message.get("bytes")
            server.send(message["text"] if data is None else data)
        elif message["type"] == "websocket.close":
            server.close(message.get("code", 1000), message.get("reason") or "")

    work = asyncio.ensure_future(
        app(request_to_scope(req, {} if env is None else env, ws=True), arrived.get, send)
    )
    wait_until(work)
    return JsResponse.showing(Response(None, status=101, web_socket=client))


def request_to_scope(req: Request, env: Any, ws: bool = False, state: Any = None) -> Message:  # noqa: FBT001, FBT002 - the SDK's
    """Return a request as ASGI has it, with the bindings as `env`."""
    kind = "websocket" if ws else "http"
    url = urlsplit(req.url)
    scope = {
        "type": kind,
        "asgi": _VERSION,
        "http_version": "1.1",
        "method": str(req.method),
        "scheme": url.scheme if kind == "http" else url.scheme.replace("http", "ws"),
        "path": unquote(url.path),
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in req.js_headers],
        "env": env,
    }
    return scope if state is None else scope | {"state": dict(state)}


class _Exchange:
    """One request and what an application answers to it."""

    def __init__(self, body: bytes) -> None:
        self.response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._body: bytes | None = body
        self._over = asyncio.Event()
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._writer: Writer | None = None  # of a body that comes in pieces

    async def run(self, app: App, scope: Message) -> None:
        try:
            await app(scope, self._receive, self._send)
            if not self.response.done():
                raise RuntimeError("The application did not generate a response")
        except Exception as error:
            if self.response.done():
                if self._writer is None or self._writer.desiredSize is not None:
                    logger.exception("Exception in ASGI application after response started")
                if self._writer is not None:  # else nobody reads any more, and it ended for that
                    self._writer.close()
            else:
                logger.exception("ASGI request failed")
                self.response.set_exception(error)
        finally:
            self._over.set()

    async def _receive(self) -> Message:
        if self._body is None:
            await self._over.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                (name.decode(), value.decode("latin-1"))
                for name, value in message.get("headers", ())
            ]
        elif message["type"] == "http.response.body":
            await self._add(bytes(message.get("body", b"")), more=message.get("more_body", False))

    async def _add(self, piece: bytes, *, more: bool) -> None:
        """Take a piece of the body; one of several waits until somebody reads it."""
        if self._writer is None and not more:
            self._begin(None if self._status in _NO_BODY else piece)
            self._over.set()
            return
        if self._writer is None:
            stream = TransformStream.new()
            self._writer = stream.writable.getWriter()
            self._begin(stream.readable)
        if piece:
            await self._writer.write(piece)
        if not more:
            await self._writer.close()
            self._over.set()

    def _begin(self, body: Any) -> None:
        response = Response(body, status=self._status, headers=self._headers)
        self.response.set_result(response)


class _Lifespan:
    """The startup and the shutdown of an application, which the platform runs for each request."""

    def __init__(self, app: App) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._asked: asyncio.Queue[Message] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._started: asyncio.Future[bool] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()

    async def startup(self) -> None:
        self._asked.put_nowait({"type": "lifespan.startup"})
        self._work = asyncio.ensure_future(self._run())
        await self._started

    async def shutdown(self) -> None:
        if self._started.result():
            self._asked.put_nowait({"type": "lifespan.shutdown"})
            await self._ended

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": _VERSION, "state": self.state}
        try:
            await self._app(scope, self._asked.get, self._send)
        except Exception:
            if self._started.done():
                logger.exception("Exception in ASGI lifespan application")
        if not self._started.done():
            self._started.set_result(False)  # it knows of no lifespan
        if not self._ended.done():
            self._ended.set_result(None)

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self._started.set_result(True)
        elif kind == "lifespan.startup.failed":
            text = message.get("message", "ASGI lifespan startup failed")
            self._started.set_exception(RuntimeError(text))
        elif kind == "lifespan.shutdown.failed":
            text = message.get("message", "ASGI lifespan shutdown failed")
            self._ended.set_exception(RuntimeError(text))
        elif kind == "lifespan.shutdown.complete" and not self._ended.done():
            self._ended.set_result(None)


def _run_threads_inline() -> None:
    """Make anyio call blocking functions in place inside a runtime, where there are no threads.

    The platform does the same. Elsewhere anyio works as before.
    """
    to_thread: Any = sys.modules.get("anyio.to_thread")
    if to_thread is None or hasattr(to_thread.run_sync, "of_dobook"):
        return
    threaded = to_thread.run_sync

    async def run_sync(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if isinstance(running_loop(), RuntimeLoop):
            return function(*args)
        return await threaded(function, *args, **options)

    run_sync.of_dobook = True  # type: ignore[attr-defined]
    to_thread.run_sync = run_sync


def __getattr__(name: str) -> Any:
    if name == "env":  # a dependency of FastAPI: `async def root(env=asgi.env)`
        from fastapi import Depends
        from fastapi import Request as FastAPIRequest

        async def env(request: FastAPIRequest) -> Any:
            return request.scope["env"]

        return Depends(env)
    if name.startswith("_"):
        raise AttributeError(name)
    raise missing(f"there is no asgi.{name}. There is fetch, websocket and env.")
