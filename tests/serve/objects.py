"""The objects that the server's tests serve."""

import asyncio
import json

from js import WebSocketPair
from workers import DurableObject

from dobook.web import ReadableStream, Response


class Counter(DurableObject):
    async def fetch(self, request):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return Response(str(n))


class Echo(DurableObject):
    """Answers with what it was asked."""

    async def fetch(self, request):
        told = {
            "method": str(request.method),
            "url": request.url,
            "headers": [list(pair) for pair in request.js_headers],
            "body": (await request.bytes()).hex(),
        }
        return Response(json.dumps(told), headers={"content-type": "application/json"})


class Odd(DurableObject):
    """Does what its path says."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.go_on = asyncio.Event()

    async def fetch(self, request):
        what = request.url.rpartition("/")[2]
        return await getattr(self, what)(request)

    async def raises(self, request):
        raise ValueError("on purpose")

    async def stream(self, request):
        async def pieces():
            for i in range(3):
                yield f"piece {i}\n"

        return Response(ReadableStream(pieces()))

    async def breaks(self, request):
        async def pieces():
            yield "so far"
            raise ValueError("no further")

        return Response(ReadableStream(pieces()))

    async def endless(self, request):
        async def pieces():
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)

        return Response(ReadableStream(pieces()))

    async def pieces(self, request):
        """Answers each piece of the body as it comes."""
        seen = []

        async def echoed():
            async for piece in request.body:
                seen.append(bytes(piece))
                yield b"<" + bytes(piece) + b">"

        return Response(ReadableStream(echoed()))

    async def first(self, request):
        """Reads the first piece of a body, and no more."""
        reader = request.body.getReader()
        return Response((await reader.read()).value)

    async def unread(self, request):
        return Response("not interested")

    async def length(self, request):
        self.length_read = 0
        async for piece in request.body:
            self.length_read += len(piece)
            if "x-slow" in request.headers:
                await self.go_on.wait()
        return Response(str(self.length_read))

    async def passed_on(self, request):
        return await self.env.ODD.getByName("other").fetch(
            "http://x/length", method="POST", body=request.body
        )

    async def redirect(self, request):
        return Response.redirect("http://elsewhere.example/", 302)

    async def cookies(self, request):
        headers = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-text", "grün")]
        return Response("ok", headers=headers)

    async def nothing(self, request):
        return Response(None, status=204)

    async def waits(self, request):
        await self.go_on.wait()
        return Response("at last")

    async def goes(self, request):
        self.go_on.set()
        return Response("go")

    async def naps(self, request):
        await asyncio.sleep(0.05)
        await self.ctx.storage.put("napped", 1)
        return Response("napped")

    async def not_a_response(self, request):
        return "text"


class Room(DurableObject):
    """Sends what anyone says to everyone; survives its memory."""

    async def fetch(self, request):
        client, server = WebSocketPair().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(
            None, status=101, web_socket=client, headers={"sec-websocket-protocol": "chat"}
        )

    async def webSocketMessage(self, ws, message):
        for peer in self.ctx.getWebSockets():
            peer.send(message)

    async def webSocketClose(self, ws, code, reason, wasClean):
        seen = await self.ctx.storage.get("closes") or []
        await self.ctx.storage.put("closes", [*seen, [code, reason, wasClean]])
        if wasClean and code != 1005:
            ws.close(code, reason)
        elif wasClean:
            ws.close()

    async def webSocketError(self, ws, error):
        await self.ctx.storage.put("error", str(error))

    async def closes(self):
        return await self.ctx.storage.get("closes") or []

    async def error(self):
        return await self.ctx.storage.get("error")

    async def count(self):
        return len(self.ctx.getWebSockets())


class Hall(DurableObject):
    """The same, and does not care who leaves."""

    async def fetch(self, request):
        if request.headers["Upgrade"] != "websocket":
            return Response("Expected WebSocket", status=426)
        client, server = WebSocketPair().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    def webSocketMessage(self, ws, message):
        for peer in self.ctx.getWebSockets():
            peer.send(message)


class Classic(DurableObject):
    """The same with listeners, which keep it in memory."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sockets = []
        self.closes_seen = []

    async def fetch(self, request):
        client, server = WebSocketPair().object_values()
        server.accept()
        self.sockets.append(server)
        server.addEventListener("message", lambda e: [s.send(e.data) for s in self.sockets])
        server.addEventListener("close", lambda e: self.gone(server, e))
        return Response(None, status=101, web_socket=client)

    def gone(self, server, event):
        self.sockets.remove(server)
        self.closes_seen.append([event.code, event.reason, event.wasClean])

    async def closes(self):
        return self.closes_seen


class Stuck(DurableObject):
    """Handles one message after the other, when it is let go."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.go_on = asyncio.Event()
        self.heard = []

    async def fetch(self, request):
        client, server = WebSocketPair().object_values()
        if request.url.endswith("classic"):
            server.accept()
            server.addEventListener("message", lambda e: self.webSocketMessage(server, e.data))
        else:
            self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        self.heard.append(len(message))
        await self.ctx.blockConcurrencyWhile(self.go_on.wait)


ALL = (Counter, Echo, Odd, Room, Hall, Classic, Stuck)
