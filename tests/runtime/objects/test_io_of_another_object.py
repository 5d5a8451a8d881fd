"""What belongs to one object cannot be used in the code of another.

Source: cloudflare/workerd src/workerd/io/io-context.c++ (`throwNotCurrentJsError`)
"""

import asyncio
from typing import ClassVar

import pytest
from js import ReadableStream, WebSocketPair
from js import Response as JsResponse

from dobook import RpcTarget, Runtime
from dobook.errors import PlatformError
from dobook.runtime.access import kernel_of
from dobook.web import Request, Response

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


class One(RpcTarget):
    def one(self):
        return 1

    @property
    def two(self):
        return 2


class Sharing:
    """Keeps one thing of each kind where all objects find it."""

    def __init__(self, ctx, env):
        self.ctx, self.env = ctx, env

    async def alarm(self):
        pass

    async def fetch(self, request):
        if "keep" in request.url:
            SHARED["request"] = request
        return Response("hello")

    def hi(self):
        return "hi"

    def target(self):
        return One()

    def echo(self, value):
        return value

    async def one_of(self, target):
        return await target.one()

    async def called(self, function):
        return await function()

    def take(self, stub, target):
        SHARED["stub as an argument"], SHARED["target as an argument"] = stub, target.dup()

    async def share(self):
        ctx, ns = self.ctx, self.env.SHARING
        server = ns.getByName("server")
        await server.hi()
        SHARED.update(ctx=ctx, ns=ns, id=ctx.id, new_stub=ns.getByName("c"), stub=server)
        SHARED["exported"] = ctx.exports.Sharing.getByName("c")
        SHARED["exported by id"] = ctx.exports.Sharing.get(ctx.id)
        SHARED.update(promise=server.hi(), method=server.hi, target=await server.target())
        SHARED.update(own_target=One(), own_function=lambda: 5)
        SHARED.update({f"response {n}": await server.fetch("http://x/") for n in range(4)})
        SHARED["body"] = SHARED["response 3"].body
        SHARED["own response"] = Response("abc")
        SHARED["own request"] = Request("http://x/", method="POST", body="abc")
        SHARED["own stream"] = ReadableStream.new(
            start=lambda c: (c.enqueue(b"x"), c.close()),
        )
        ctx.storage.kv.put("q", 1)
        SHARED["listing"] = ctx.storage.kv.list()
        SHARED["cursor"] = ctx.storage.sql.exec("SELECT 1 AS x UNION SELECT 2")
        SHARED["sql"] = ctx.storage.sql
        SHARED["pair"] = WebSocketPair.new().object_values()

        async def keep(txn):
            SHARED["txn"] = txn

        await ctx.storage.transaction(keep)

    async def use(self, what):
        result = USES[what](self)
        if hasattr(type(result), "__await__"):
            await result


STUB, CLIENT, BODY = "OutgoingFactory", "Client", "ReadableStreamSource>"
CURSOR, SOCKET, STORAGE = "State", "Native", "ActorCacheInterface"
# What is done with it, and what the engine calls it where it refuses that to another object.
# Recorded with workerd 1.20261117.1 at the compatibility date 2026-04-26.
TABLE = [
    ("a new stub", STUB, lambda o: SHARED["new_stub"].hi()),
    ("its fetch", STUB, lambda o: SHARED["new_stub"].fetch("http://x/")),
    ("a stub of ctx.exports", STUB, lambda o: SHARED["exported"].hi()),
    ("one by its id", STUB, lambda o: SHARED["exported by id"].hi()),
    ("fetch of one of ctx.exports", STUB, lambda o: SHARED["exported"].fetch("http://x/")),
    ("a used stub", STUB, lambda o: SHARED["stub"].hi()),
    ("fetch of a used stub", STUB, lambda o: SHARED["stub"].fetch("http://x/")),
    ("a method of a stub", STUB, lambda o: SHARED["method"]()),
    ("a stub passed on", STUB, lambda o: o.env.SHARING.getByName("e").echo(SHARED["stub"])),
    ("a stub in a dict", STUB, lambda o: o.env.SHARING.getByName("e").echo({"a": [SHARED["stub"]]})),
    ("a stub that was an argument", STUB, lambda o: SHARED["stub as an argument"].hi()),
    ("stub.id", None, lambda o: SHARED["stub"].id.name),
    ("stub.name", None, lambda o: SHARED["stub"].name),
    ("a promise of before", None, lambda o: SHARED["promise"]),
    ("ns.getByName", None, lambda o: SHARED["ns"].getByName("d").hi()),
    ("ns.get", None, lambda o: SHARED["ns"].get(SHARED["id"]).id.name),
    ("ns.idFromName", None, lambda o: SHARED["ns"].idFromName("d").name),
    ("ctx.id", None, lambda o: SHARED["ctx"].id.name),
    ("a target", CLIENT, lambda o: SHARED["target"].one()),
    ("a target's property", CLIENT, lambda o: SHARED["target"].two),
    ("target.dup", CLIENT, lambda o: SHARED["target"].dup()),
    ("a target passed on", CLIENT, lambda o: o.env.SHARING.getByName("e").one_of(SHARED["target"])),
    ("a target that was an argument", CLIENT, lambda o: SHARED["target as an argument"].one()),
    ("one's target itself", None, lambda o: SHARED["own_target"].one()),
    ("it, passed", None, lambda o: o.env.SHARING.getByName("e").one_of(SHARED["own_target"])),
    ("one's function itself", None, lambda o: SHARED["own_function"]()),
    ("it, passed too", None, lambda o: o.env.SHARING.getByName("e").called(SHARED["own_function"])),
    ("response.text", BODY, lambda o: SHARED["response 0"].text()),
    ("response.bytes", BODY, lambda o: SHARED["response 1"].bytes()),
    ("response.clone", BODY, lambda o: SHARED["response 2"].clone()),
    ("response.body.getReader", BODY, lambda o: SHARED["body"].getReader().read()),
    ("response.body", None, lambda o: SHARED["response 2"].body),
    ("body.locked", None, lambda o: SHARED["body"].locked),
    ("response.status", None, lambda o: SHARED["response 2"].status),
    ("response.headers", None, lambda o: SHARED["response 2"].headers["content-type"]),
    ("response.body_used", None, lambda o: SHARED["response 2"].body_used),
    ("a response made here", BODY, lambda o: SHARED["own response"].text()),
    ("a response as an argument", BODY, lambda o: o.env.SHARING.getByName("e").echo(
        SHARED["own response"])),
    ("a request made here", BODY, lambda o: SHARED["own request"].text()),
    ("a request that came", BODY, lambda o: SHARED["request"].text()),
    ("a stream made here", None, lambda o: JsResponse.new(SHARED["own stream"]).text()),
    ("cursor.next", CURSOR, lambda o: SHARED["cursor"].next()),
    ("next(cursor)", CURSOR, lambda o: next(SHARED["cursor"])),
    ("for in cursor", CURSOR, lambda o: list(SHARED["cursor"])),
    ("cursor.rowsRead", CURSOR, lambda o: SHARED["cursor"].rowsRead),
    ("cursor.rowsWritten", CURSOR, lambda o: SHARED["cursor"].rowsWritten),
    ("cursor.toArray", CURSOR, lambda o: SHARED["cursor"].toArray()),
    ("cursor.raw", CURSOR, lambda o: list(SHARED["cursor"].raw())),
    ("cursor.columnNames", None, lambda o: SHARED["cursor"].columnNames),
    ("sql.databaseSize", STORAGE, lambda o: SHARED["sql"].databaseSize),
    ("kv.list()'s rows", "ListCursor", lambda o: list(SHARED["listing"])),
    ("ctx.abort", STORAGE, lambda o: SHARED["ctx"].abort("enough")),
    ("ctx.getTags", SOCKET, lambda o: SHARED["ctx"].getTags(SHARED["pair"][1])),
    ("ws.accept", SOCKET, lambda o: SHARED["pair"][0].accept()),
    ("ws.send", SOCKET, lambda o: SHARED["pair"][0].send("x")),
    ("ws.readyState", SOCKET, lambda o: SHARED["pair"][0].readyState),
    ("ws.close", SOCKET, lambda o: SHARED["pair"][0].close()),
    ("acceptWebSocket(ws)", SOCKET, lambda o: o.ctx.acceptWebSocket(SHARED["pair"][1])),
    ("ws.serializeAttachment", None, lambda o: SHARED["pair"][0].serializeAttachment(1)),
    ("ws.deserializeAttachment", None, lambda o: SHARED["pair"][0].deserializeAttachment()),
    ("repr(ws)", None, lambda o: repr(SHARED["pair"][0])),
]  # fmt: skip
USES = {what: use for what, _, use in TABLE}
REFUSALS = {what: kind for what, kind, _ in TABLE}


@pytest.fixture
def sharing():
    with Runtime() as runtime:
        objects = runtime.register(Sharing)
        a = objects.getByName("a")
        runtime.run(a.share())
        runtime.run(a.fetch("http://x/keep", method="POST", body="abc"))
        runtime.run(objects.getByName("t").target())

        async def pass_stubs():
            await a.take(objects.getByName("server"), One())

        runtime.run(pass_stubs())
        yield runtime, a, objects.getByName("b")


@pytest.mark.filterwarnings("ignore::dobook.errors.PortabilityWarning")
@pytest.mark.parametrize("what", list(USES))
def test_what_the_engine_refuses_to_another_object_is_refused(sharing, what):
    runtime, _, b = sharing
    kind = REFUSALS[what]
    if kind is None:
        runtime.run(b.use(what))
        return
    with pytest.raises(PlatformError) as error:
        runtime.run(b.use(what))
    assert str(error.value).startswith(REFUSED)
    assert str(error.value).endswith(f"(I/O type: {kind})")
    assert any("SHARING/a" in note and "self" in note for note in error.value.__notes__)


OVER_BY_ITSELF = {"ctx.abort", "ctx.getTags", "ws.send", "ws.close", "acceptWebSocket(ws)"}


@pytest.mark.filterwarnings("ignore::dobook.errors.PortabilityWarning")
@pytest.mark.parametrize("what", [what for what in USES if what not in OVER_BY_ITSELF])
def test_the_object_it_belongs_to_may_use_it(sharing, what):
    runtime, a, _ = sharing
    runtime.run(a.use(what))


def test_a_transaction_that_is_over_says_so_first(sharing):
    _, _, _ = sharing
    with pytest.raises(PlatformError, match="has already committed"):
        SHARED["txn"].rollback()


class Borrower:
    def __init__(self, ctx, env):
        self.ctx = ctx
        SHARED.setdefault("ctx", ctx)

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        SHARED["ctx"].acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def block(self):
        return await SHARED["ctx"].blockConcurrencyWhile(lambda: asyncio.sleep(1, "blocked"))

    def sockets(self):
        return [len(self.ctx.getWebSockets()), len(SHARED["ctx"].getWebSockets())]

    def hi(self):
        return "hi"


def test_control_of_ctx_acts_on_the_object_that_runs(monkeypatch):
    with Runtime() as runtime:
        objects = runtime.register(Borrower)
        a, b = objects.getByName("a"), objects.getByName("b")
        assert runtime.run(a.hi()) == "hi"
        runtime.connect(b, "/")
        assert runtime.run(b.sockets()) == [1, 1]
        assert runtime.run(a.sockets()) == [0, 0]

        async def meanwhile():
            began = kernel_of(runtime).loop.time()
            blocked = asyncio.ensure_future(b.block())
            await asyncio.sleep(0.1)
            await a.hi()
            a_after = kernel_of(runtime).loop.time() - began
            await b.hi()
            b_after = kernel_of(runtime).loop.time() - began
            return await blocked, a_after, b_after

        result, a_after, b_after = runtime.run(meanwhile())
        assert result == "blocked"
        assert (a_after < 0.5, b_after >= 1) == (True, True)
