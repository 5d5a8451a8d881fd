"""A chat room that may leave memory while its clients stay connected."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from js import WebSocketPair
from workers import DurableObject, Request, Response


class HibernatingChatRoom(DurableObject):
    """Everyone gets what anyone says. Connect with `Upgrade: websocket` to /websocket?name=Ada.

    The platform holds the connections, so that an idle room costs no memory; the name of each is in
    its attachment. Messages out: history, join, message, leave, error. Messages in:
    `{"type": "message", "text": "…"}`.

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     room = runtime.register(HibernatingChatRoom).getByName("lobby")
        ...     upgrade = {"headers": {"Upgrade": "websocket"}}
        ...     ws = runtime.run(room.fetch("http://room/websocket?name=Ada", upgrade)).web_socket
        ...     ws.onmessage = lambda event: print(event.data)
        ...     ws.accept()
        ...     runtime.settle()
        {"type": "history", "messages": []}
        {"type": "join", "name": "Ada"}
    """

    KEPT = 100  # messages of the history
    SHOWN = 50  # of which a newcomer gets so many

    async def fetch(self, request: Request) -> Response:
        """Answer `/websocket`: 101 for a connection, 400 for another request, 404 elsewhere."""
        url = urlsplit(request.url)
        if url.path != "/websocket":
            return Response("Not Found", status=404)
        if request.headers.get("Upgrade") != "websocket":
            return Response("Expected WebSocket", status=400)
        name = parse_qs(url.query).get("name", ["Anonymous"])[0]
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        server.serializeAttachment(name)
        history = await self.ctx.storage.get("history") or []
        server.send(json.dumps({"type": "history", "messages": history[-self.SHOWN :]}))
        self._broadcast({"type": "join", "name": name})
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: Any) -> None:
        """Keep a message and pass it on; what cannot be read is answered with an error."""
        try:
            data = json.loads(message)
            text = data["text"] if data["type"] == "message" else None
        except (ValueError, TypeError, KeyError):
            ws.send(json.dumps({"type": "error", "text": "expected {type: message, text: ...}"}))
            return
        if text is None:
            return
        line = f"{ws.deserializeAttachment()}: {text}"
        history = await self.ctx.storage.get("history") or []
        await self.ctx.storage.put("history", [*history, line][-self.KEPT :])
        self._broadcast({"type": "message", "text": line})

    async def webSocketClose(self, ws: Any, code: int, reason: str, wasClean: bool) -> None:  # noqa: FBT001
        """Tell the others that somebody has left."""
        del code, reason, wasClean
        self._broadcast({"type": "leave", "name": ws.deserializeAttachment()}, but=ws)

    async def webSocketError(self, ws: Any, error: Any) -> None:
        """Tell the others as well: a connection that breaks never closes."""
        del error
        self._broadcast({"type": "leave", "name": ws.deserializeAttachment()}, but=ws)

    def _broadcast(self, message: dict[str, Any], but: Any = None) -> None:
        text = json.dumps(message)
        for ws in self.ctx.getWebSockets():
            if ws == but:
                continue
            try:
                ws.send(text)
            except Exception:
                continue
