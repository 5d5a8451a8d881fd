"""The way to the real network, for projects that are run like a server.

Requests are made on threads, by the standard library; WebSockets by the package `websockets`. The
virtual clock stands still while an answer is waited for.
"""

import asyncio
import http.client
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dobook.errors import NetworkError
from dobook.runtime.access import kernel_of
from dobook.runtime.sockets.websocket import WebSocketPair
from dobook.web import Headers, Request, Response

if TYPE_CHECKING:
    from dobook.runtime.runtime import Runtime

TIMEOUT_S = 30.0
_OURS = ("connection", "upgrade", "host", "transfer-encoding", "sec-websocket-protocol")


class Transport:
    """Sends requests to the network; `runtime.network.real` takes it.

    Args:
        runtime: The runtime whose requests it sends.
    """

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime

    async def __call__(self, request: Request) -> Response:
        """Return the answer to a request.

        Raises:
            NetworkError: If there is no network.
        """
        loop = kernel_of(self._runtime).loop
        upgrade = (request.js_headers.get("upgrade") or "").lower() == "websocket"
        if upgrade:
            return await self._connect(request)
        body = await request.bytes()
        return await loop.run_in_executor(None, _send, request, body)  # type: ignore[no-any-return]

    async def _connect(self, request: Request) -> Response:
        try:
            from websockets.sync.client import connect
        except ModuleNotFoundError:
            raise NetworkError(
                request.url,
                "WebSockets to the network need a package. Run: pip install 'dobook[projects]'",
            ) from None
        url = "ws" + request.url.removeprefix("http")
        headers = [(name, value) for name, value in request.js_headers if name not in _OURS]
        offered = request.js_headers.get("sec-websocket-protocol")
        protocols: Any = [name.strip() for name in offered.split(",")] if offered else None

        def dial() -> Any:
            try:
                opening = connect(
                    url,
                    additional_headers=headers,
                    subprotocols=protocols,
                    open_timeout=TIMEOUT_S,
                    max_size=None,
                )
                return opening.__enter__()  # it is closed by the runtime, not by a block
            except Exception as error:
                raise NetworkError(request.url, str(error) or type(error).__name__) from error

        connection = await kernel_of(self._runtime).loop.run_in_executor(None, dial)
        client, server = WebSocketPair().object_values()
        _Bridge(self._runtime, server, connection)
        chosen = (
            {"Sec-WebSocket-Protocol": connection.subprotocol} if connection.subprotocol else {}
        )
        response = Response(None, status=101, headers=chosen, web_socket=client)
        response._web_socket = client._coupled(request)  # noqa: SLF001 - as a delivery does
        return response


class _Bridge:
    """Passes messages on between a connection of the network and one end of a pair."""

    def __init__(self, runtime: "Runtime", socket: Any, connection: Any) -> None:
        self._runtime = runtime
        self._socket = socket
        self._connection = connection
        socket.accept()
        socket.addEventListener("message", lambda event: self._out(event.data))
        socket.addEventListener("close", lambda event: self._end(event.code, event.reason))
        kernel_of(runtime).on_close.append(connection.close_socket)
        threading.Thread(target=self._read, daemon=True).start()

    def _out(self, data: Any) -> None:
        self._later(self._connection.send, data)

    def _end(self, code: int, reason: str) -> None:
        self._later(
            self._connection.close, code if 1000 <= code < 5000 and code != 1005 else 1000, reason
        )

    def _later(self, send: Any, *args: Any) -> None:
        work = asyncio.get_running_loop().run_in_executor(None, send, *args)
        work.add_done_callback(lambda done: done.exception())

    def _read(self) -> None:
        from websockets.exceptions import ConnectionClosed

        loop = kernel_of(self._runtime).loop
        code, reason = 1006, ""
        try:
            for message in self._connection:
                loop.call_soon_threadsafe(self._socket.send, message)
        except ConnectionClosed as closed:
            received = closed.rcvd
            code, reason = (received.code, received.reason) if received else (1006, "")
        except Exception as error:
            reason = str(error)[:100]
        else:
            code, reason = self._connection.close_code or 1000, self._connection.close_reason or ""
        if not kernel_of(self._runtime).closed:
            known = code if code not in (1005, 1006) else None
            loop.call_soon_threadsafe(self._socket.close, known, reason if known else None)


def _send(request: Request, body: bytes) -> Response:
    parts = urlsplit(request.url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {name: value for name, value in request.js_headers if name not in _OURS}
    headers.setdefault("user-agent", "dobook")
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        connection.request(str(request.method), path, body or None, headers)
        answer = connection.getresponse()
        data = answer.read()
    except Exception as error:
        raise NetworkError(request.url, str(error) or type(error).__name__) from error
    finally:
        connection.close()
    received = Headers([(n, v) for n, v in answer.getheaders() if n.lower() not in _OURS])
    empty = request.method == "HEAD" or answer.status in (101, 204, 205, 304)
    response = Response(None if empty else data, answer.status, answer.reason, received)
    return response._delivered(request.url)  # noqa: SLF001 - as a delivery does
