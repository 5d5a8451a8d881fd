"""What belongs to one object cannot be used in the code of another.

Source: cloudflare/workerd src/workerd/io/io-context.c++ (`throwNotCurrentJsError`)
"""

import asyncio
from typing import ClassVar

import pytest
from js import WebSocketPair

from dobook import Runtime
from dobook.errors import PlatformError
from dobook.web import Response

SHARED = {}
REFUSED = "Cannot perform I/O on behalf of a different Durable Object. I/O objects (such as streams"


@pytest.fixture(autouse=True)
def _nothing_shared():
    SHARED.clear()
    yield
    SHARED.clear()


class Careless:
    def __init__(self, ctx, env):
        self.ctx = ctx
        SHARED.setdefault("ctx", ctx)
        SHARED.setdefault("storage", ctx.storage)
        SHARED.setdefault("kv", ctx.storage.kv)
        SHARED.setdefault("sql", ctx.storage.sql)

    async def use(self, how):
        storage, kv, sql = SHARED["storage"], SHARED["kv"], SHARED["sql"]
        match how:
            case "get":
                return await storage.get("x")
            case "get many":
                return await storage.get(["x"])
            case "put":
                await storage.put("x", self.ctx.id.name)
            case "put many":
                await storage.put({"x": 1})
            case "delete":
                await storage.delete("x")
            case "list":
                await storage.list()
            case "deleteAll":
                await storage.deleteAll()
            case "setAlarm":
                await storage.setAlarm(4_102_444_800_000)
            case "getAlarm":
                await storage.getAlarm()
            case "deleteAlarm":
                await storage.deleteAlarm()
            case "sync":
                await storage.sync()
            case "transaction":
                await storage.transaction(lambda txn: txn.get("x"))
            case "transactionSync":
                storage.transactionSync(lambda: None)
            case "kv.get":
                kv.get("x")
            case "kv.put":
                kv.put("x", 1)
            case "kv.delete":
                kv.delete("x")
            case "kv.list":
                kv.list()
            case "sql":
                sql.exec("SELECT 1")
            case "ctx":
                SHARED["ctx"].storage.kv.put("x", 1)
            case "later":
                await asyncio.sleep(1)
                await storage.put("x", 1)
            case "task":
                await asyncio.gather(storage.put("x", 1), asyncio.sleep(0))

    async def own(self):
        return dict(await self.ctx.storage.list())

    async def alarm(self):
        pass


WAYS = (
    *("get", "get many", "put", "put many", "delete", "list", "deleteAll", "setAlarm"),
    *("getAlarm", "deleteAlarm", "sync", "transaction", "transactionSync", "kv.get", "kv.put"),
    *("kv.delete", "kv.list", "sql", "ctx", "later", "task"),
)


@pytest.mark.parametrize("how", WAYS)
def test_storage_of_another_object_is_refused(how):
    with Runtime() as runtime:
        careless = runtime.register(Careless)
        a, b = careless.getByName("a"), careless.getByName("b")
        runtime.run(a.use("put"))
        with pytest.raises(PlatformError) as error:
            runtime.run(b.use(how))
        assert str(error.value).startswith(REFUSED)
        assert str(error.value).endswith("(I/O type: ActorCacheInterface)")
        assert "CARELESS/a" in "".join(error.value.__notes__)
        assert (runtime.run(a.own()), runtime.run(b.own())) == ({"x": "a"}, {})


@pytest.mark.parametrize("how", [way for way in WAYS if way != "deleteAll"])
def test_ones_own_is_not(how):
    with Runtime() as runtime:
        a = runtime.register(Careless).getByName("a")
        runtime.run(a.use("put"))
        runtime.run(a.use(how))


def test_code_outside_of_objects_may_look():
    with Runtime() as runtime:
        a = runtime.register(Careless).getByName("a")
        runtime.run(a.use("put"))
        assert SHARED["kv"].get("x") == "a"


class Room:
    sockets: ClassVar[list] = []  # shared by all rooms, by mistake

    def __init__(self, ctx, env):
        self.ctx = ctx

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        if "classic" in request.url:
            server.accept()
        else:
            self.ctx.acceptWebSocket(server)
        self.sockets.append(server)
        return Response(None, status=101, web_socket=client)

    async def say(self, how, text):
        for ws in self.sockets:
            if how == "send":
                ws.send(text)
            else:
                ws.close(1000, text)

    async def webSocketMessage(self, ws, message):
        ws.send(message)


@pytest.mark.parametrize("how", ["send", "close"])
@pytest.mark.parametrize("path", ["/classic", "/hibernating"])
def test_a_socket_of_another_object_is_refused(monkeypatch, how, path):
    monkeypatch.setattr(Room, "sockets", [])
    with Runtime() as runtime:
        rooms = runtime.register(Room)
        a, b = rooms.getByName("a"), rooms.getByName("b")
        client = runtime.connect(a, path)
        with pytest.raises(PlatformError, match=r"different Durable Object.*\(I/O type: Native\)"):
            runtime.run(b.say(how, "hi"))
        runtime.run(a.say("send", "ho"))
        runtime.settle()
        assert client.messages == ["ho"]


def test_a_socket_is_still_ones_own_after_hibernation(monkeypatch):
    monkeypatch.setattr(Room, "sockets", [])
    with Runtime() as runtime:
        a = runtime.register(Room).getByName("a")
        client = runtime.connect(a, "/hibernating")
        runtime.evict(a)
        client.send("again")
        runtime.settle()
        assert client.messages == ["again"]
