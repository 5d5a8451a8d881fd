"""Connections that code opens itself: `js.WebSocket.new("wss://…")`.

As in a browser, the socket is there at once and connecting; "open", or "error" and "close", tell how
it went. In an object each of them is an event of it.
Source: developers.cloudflare.com/workers/runtime-apis/websockets/
"""

import asyncio
from typing import TYPE_CHECKING, Any

from dobook.errors import NetworkError, PlatformError, PlatformSyntaxError
from dobook.events import Error
from dobook.runtime.aborts import DurableObjectAbort
from dobook.runtime.reports.uncaught import report
from dobook.runtime.sockets.transport import End, current_wire
from dobook.runtime.sockets.values import CloseEvent, ErrorEvent, Event, awaiting
from dobook.web import Headers, Request
from dobook.web.url import normalise

if TYPE_CHECKING:
    from dobook.runtime.sockets.websocket import WebSocket

_kept: set[asyncio.Task[None]] = set()


def connect(socket: "WebSocket", url: str, protocols: Any = None) -> None:
    """Begin to connect a socket that has just been made.

    Raises:
        PlatformSyntaxError: If the URL is not a WebSocket's.
        PlatformError: If no runtime's code is running.
    """
    normal = normalise(str(url))
    if normal is None or normal.partition(":")[0] not in ("ws", "wss", "http", "https"):
        raise PlatformSyntaxError(f"Invalid WebSocket URL: {url}")
    wire = current_wire()
    if wire is None:
        raise PlatformError(
            "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or "
            "connect()), setting a timeout, and generating random values are not allowed within "
            "global scope. To fix this error, perform this operation within a handler."
        )
    socket.url = normal
    socket._end = End(wire)
    socket._connecting = True
    headers = Headers({"Upgrade": "websocket", "Connection": "Upgrade"})
    if protocols:
        names = [protocols] if isinstance(protocols, str) else list(protocols)
        headers.set("Sec-WebSocket-Protocol", ", ".join(names))
    request = Request("http" + normal.removeprefix("ws").removeprefix("http"), headers=headers)
    task = wire.runtime.loop.create_task(_connected(socket, wire.runtime.network.send(request)))
    _kept.add(task)
    task.add_done_callback(_kept.discard)


async def _connected(socket: "WebSocket", answer: Any) -> None:
    try:
        response = await answer
        remote = response.web_socket
        if remote is None:
            raise NetworkError(
                socket.url or "", f"the handshake was answered with status {response.status}"
            )
    except Exception as error:
        await _failed(socket, error)
        return
    if not socket._connecting:  # closed in the meantime
        remote.accept()
        remote.close()
        return
    socket._connecting = False
    socket._end = remote._end
    socket.protocol = response.js_headers.get("sec-websocket-protocol") or ""
    socket.accept()
    await _dispatched(socket, Event("open", socket))


async def _failed(socket: "WebSocket", error: Exception) -> None:
    await asyncio.sleep(0.1)  # an attempt takes a while: what runs meanwhile sees it connecting
    if not socket._connecting:
        return
    socket._connecting = False
    socket._error = error
    wire = socket._end.wire
    wire.observers.emit(Error, socket._end.label or "worker", 0, "WebSocket", str(error))
    await _dispatched(socket, ErrorEvent(error, socket))
    await _dispatched(socket, CloseEvent(1006, "", False, socket))  # noqa: FBT003


async def _dispatched(socket: "WebSocket", event: Event) -> None:
    try:
        for left in socket._dispatch(event):
            await awaiting(left)
    except DurableObjectAbort:
        raise asyncio.CancelledError from None  # a listener has reset its object, as it may
    except Exception as error:
        end = socket._end
        report(end.wire.runtime, end.label or "worker", f"on{event.type}", error)


def give_up(socket: "WebSocket") -> None:
    """Stop connecting, because the socket was closed."""
    socket._connecting = False
    socket._end.closed_in = socket._end.closed_out = True
