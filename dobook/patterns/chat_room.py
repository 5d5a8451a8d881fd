"""A chat room that holds its connections in memory, and so stays there while anyone is connected."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from js import WebSocketPair
from pyodide.ffi import create_proxy
from workers import DurableObject, Request, Response


class ChatRoom(DurableObject):
    """Everyone gets what anyone says. Connect with `Upgrade: websocket` to /websocket?name=Ada.

    Messages out: history, join, message, leave, error. Messages in:
    `{"type": "message", "text": "…"}`. `HibernatingChatRoom` does the same at a fraction of the cost.

    Example:
        >>> import dobook
        >>> with dobook.Runtime() as runtime:
        ...     room = runtime.register(ChatRoom).getByName("lobby")
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

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.sessions: list[tuple[Any, str]] = []

    async def fetch(self, request: Request) -> Response:
        """Answer `/websocket`: 101 for a connection, 400 for another request, 404 elsewhere."""
        url = urlsplit(request.url)
        if url.path != "/websocket":
            return Response("Not Found", status=404)
        if request.headers.get("Upgrade") != "websocket":
            return Response("Expected WebSocket", status=400)
        name = parse_qs(url.query).get("name", ["Anonymous"])[0]
        client, server = WebSocketPair.new().object_values()
        server.accept()
        self.sessions.append((server, name))
        history = await self.ctx.storage.get("history") or []
        server.send(json.dumps({"type": "history", "messages": history[-self.SHOWN :]}))
        self._broadcast({"type": "join", "name": name})

        async def on_message(event: Any) -> None:
            await self._message(server, name, event.data)

        def on_end(_event: Any) -> None:
            self._leave(server, name)

        server.addEventListener("message", create_proxy(on_message))
        server.addEventListener("close", create_proxy(on_end))
        server.addEventListener("error", create_proxy(on_end))
        return Response(None, status=101, web_socket=client)

    async def _message(self, server: Any, name: str, message: Any) -> None:
        try:
            data = json.loads(message)
            text = data["text"] if data["type"] == "message" else None
        except (ValueError, TypeError, KeyError):
            server.send(
                json.dumps({"type": "error", "text": "expected {type: message, text: ...}"})
            )
            return
        if text is None:
            return
        # Read anew: what this connection read when it began lacks what the others have said since.
        history = await self.ctx.storage.get("history") or []
        await self.ctx.storage.put("history", [*history, f"{name}: {text}"][-self.KEPT :])
        self._broadcast({"type": "message", "text": f"{name}: {text}"})

    def _leave(self, server: Any, name: str) -> None:
        left = [session for session in self.sessions if session[0] != server]
        if len(left) < len(self.sessions):  # an error may be followed by a close
            self.sessions = left
            self._broadcast({"type": "leave", "name": name})

    def _broadcast(self, message: dict[str, Any]) -> None:
        text = json.dumps(message)
        for session in list(self.sessions):
            try:
                session[0].send(text)
            except Exception:
                if session in self.sessions:
                    self.sessions.remove(session)
