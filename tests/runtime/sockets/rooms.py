"""Objects with WebSockets and clients for them, for the tests of this folder."""

from js import WebSocketPair
from pyodide.ffi import to_js

from dobook.errors import DobookError
from dobook.web import Response

UPGRADE = {"Upgrade": "websocket"}
LOST = ("close", 1006, "WebSocket disconnected without sending Close frame.", False)


class Client:
    """A client outside of any object, and what it has seen."""

    def __init__(self, runtime, stub, path="/", *, accept=True):
        self.runtime = runtime
        self.seen = []
        response = runtime.run(stub.fetch(f"http://object{path}", headers=UPGRADE))
        assert response.status == 101
        self.ws = response.web_socket
        self.ws.addEventListener("message", lambda event: self.seen.append(event.data))
        self.ws.addEventListener(
            "close",
            lambda event: self.seen.append(("close", event.code, event.reason, event.wasClean)),
        )
        if accept:
            self.ws.accept()
            runtime.settle()

    def say(self, *messages):
        for message in messages:
            self.ws.send(message)
        self.runtime.settle()
        return self.take()

    def close(self, *args):
        self.ws.close(*args)
        self.runtime.settle()
        return self.take()

    def take(self):
        seen, self.seen = self.seen, []
        return seen


class Base:
    """An object that notes what happens to it; a test's subclass says what it does."""

    log: list = []  # noqa: RUF012 - outlives the instances; `log_` empties it for each test

    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.log.append("constructed")

    async def fetch(self, request):
        client, server = WebSocketPair().object_values()
        self.open(server, request)
        return Response(None, status=101, web_socket=client)

    def open(self, server, request):
        tags = [tag for tag in request.url.partition("?")[2].split("&") if tag]
        self.ctx.acceptWebSocket(server, to_js(tags))

    async def tell(self, text, tag=None):
        for ws in self.ctx.getWebSockets(tag):
            ws.send(text)

    async def count(self, tag=None):
        return len(self.ctx.getWebSockets(tag))

    async def abort(self):
        self.ctx.abort("enough")

    async def run(self, name):
        """Calls a function that a test has put on the class, with this object."""
        return getattr(type(self), name)(self)


class Hibernating(Base):
    def webSocketMessage(self, ws, message):
        self.log.append(("message", message))
        ws.send(message)

    def webSocketClose(self, ws, code, reason, wasClean):
        self.log.append(("close", code, reason, wasClean))
        if wasClean and code != 1005:
            ws.close(code, reason)

    def webSocketError(self, ws, error):
        self.log.append(("error", str(error)))


class Classic(Base):
    def open(self, server, request):
        def on_message(event):
            self.log.append(("message", event.data))
            server.send(event.data)

        server.addEventListener("message", on_message)
        server.addEventListener(
            "close", lambda e: self.log.append(("close", e.code, e.reason, e.wasClean))
        )
        server.addEventListener("error", lambda e: self.log.append(("error", e.message)))
        server.accept()
        self.server = server


def with_method(runtime, base, **methods):
    """Registers a class like `base` with other methods; returns a stub."""
    return runtime.register(type("Special", (base,), methods), "SPECIAL").getByName("a")


def refused(function, *args, **keywords):
    """Returns the class and the first line of what a call raises."""
    try:
        function(*args, **keywords)
    except DobookError as error:
        return type(error), str(error).partition("\n")[0]
    raise AssertionError("nothing was raised")
