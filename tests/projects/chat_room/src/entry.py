"""A chat room whose connections hibernate, and the page to use it with."""

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlparse

from js import WebSocketPair, WebSocketRequestResponsePair
from pyodide.ffi import to_js
from workers import DurableObject, Response, WorkerEntrypoint

PAGE = Path(__file__).parent / "page.html"


class Room(DurableObject):
    def __init__(self, state, env):
        super().__init__(state, env)
        self.state = state
        self.names = {}
        for ws in state.getWebSockets():
            attachment = ws.deserializeAttachment()
            if attachment:
                self.names[ws] = attachment.name
        state.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))

    async def fetch(self, request):
        if (request.headers.get("Upgrade") or "").lower() != "websocket":
            return Response("Expected a WebSocket", status=426)
        name = parse_qs(urlparse(request.url).query).get("name", ["somebody"])[0]
        client, server = WebSocketPair.new().object_values()
        self.state.acceptWebSocket(server, to_js([f"name:{name}"]))
        server.serializeAttachment({"name": name, "since": datetime.now(UTC).isoformat()})
        self.names[server] = name
        server.send(json.dumps({"type": "history", "lines": await self.history()}))
        self.tell({"type": "joined", "name": name})
        return Response(None, status=101, web_socket=client)

    async def history(self):
        rows = self.state.storage.sql
        rows.exec("CREATE TABLE IF NOT EXISTS said (at TEXT, name TEXT, text TEXT)")
        return [f"{row.name}: {row.text}" for row in rows.exec("SELECT * FROM said ORDER BY rowid")]

    async def webSocketMessage(self, ws, message):
        text = json.loads(message)["text"]
        name = self.names[ws]
        at = datetime.now(UTC).isoformat()
        self.state.storage.sql.exec("INSERT INTO said VALUES (?, ?, ?)", at, name, text)
        self.tell({"type": "said", "name": name, "text": text, "at": at})

    async def webSocketClose(self, ws, code, reason, wasClean):
        name = self.names.pop(ws, "somebody")
        ws.close(code, "goodbye")
        self.tell({"type": "left", "name": name, "there": len(self.state.getWebSockets())})

    def tell(self, message):
        for ws in self.state.getWebSockets():
            try:
                ws.send(json.dumps(message))
            except Exception as error:
                print(f"could not tell: {error}")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = urlparse(request.url).path
        if path == "/":
            return Response(PAGE.read_text(), headers={"Content-Type": "text/html"})
        if path.startswith("/room/"):
            stub = self.env.ROOMS.getByName(path.removeprefix("/room/"))
            return await stub.fetch(request)
        return Response("Not found", status=404)
