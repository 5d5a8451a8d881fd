"""Details of the engine that are easy to miss: ids, nested blocks, flags, texts."""

import asyncio
import gc

import pytest

import dobook
from dobook import RpcTarget, Runtime
from dobook.errors import DataCloneError, InvalidAccessError, PlatformError, PlatformTypeError
from dobook.web import Response


class Tally(RpcTarget):
    def increment(self):
        return 1


class Box:
    def __init__(self, ctx, env):
        self.ctx = ctx
        self.env = env
        self.closed = []

    def my_name(self):
        return self.ctx.id.name

    def my_jurisdiction(self):
        return self.ctx.id.jurisdiction

    async def nested(self, depth, kind="block"):
        async def inner(left, *_txn):
            if left:
                if kind == "block":
                    return await self.ctx.blockConcurrencyWhile(lambda: inner(left - 1))
                return await self.ctx.storage.transaction(lambda txn: inner(left - 1, txn))
            try:
                return await self.ctx.blockConcurrencyWhile(lambda: "ok")
            except PlatformError as error:
                return str(error)

        return await inner(depth)

    async def slow(self):
        await asyncio.sleep(10)

    async def fetch(self, request):
        if request.url.endswith("/ws"):
            from js import WebSocketPair

            client, server = WebSocketPair.new().object_values()
            self.ctx.acceptWebSocket(server)
            return Response(None, status=101, web_socket=client)
        await asyncio.sleep(1)
        self.ctx.abort("stopped")

    async def webSocketClose(self, ws, code, reason, was_clean):
        self.closed.append([code, reason, was_clean])
        ws.close(code, reason)

    def closes(self):
        return self.closed

    def upgrade(self):
        from js import WebSocketPair

        client, _ = WebSocketPair.new().object_values()
        return Response(None, status=101, web_socket=client)

    def bag(self):
        return {"label": "bag", "n": 5, "tally": Tally(), "deep": {"text": "x"}}

    async def violate(self, how):
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY)")
        sql.exec("CREATE TABLE IF NOT EXISTS l (k REFERENCES t(k) DEFERRABLE INITIALLY DEFERRED)")

        async def write(*_):
            sql.exec("INSERT INTO l VALUES (5)")

        await (self.ctx.storage.transaction(write) if how == "transaction" else write())


@pytest.fixture
def boxes():
    with Runtime() as runtime:
        yield runtime.register(Box), runtime


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("x" * 1024, "x" * 1024),
        ("x" * 1025, None),
        ("é" * 512, "é" * 512),
        ("é" * 513, None),
        ("😀" * 256, "😀" * 256),
        ("😀" * 256 + "x", None),
        ("", ""),
    ],
)
def test_an_object_does_not_know_a_name_of_more_than_1024_bytes(boxes, name, inside):
    namespace, runtime = boxes
    assert runtime.run(namespace.getByName(name).my_name()) == inside
    assert namespace.idFromName(name).name == name


def test_an_id_has_no_jurisdiction(boxes):
    namespace, runtime = boxes
    stub = namespace.getByName("a")
    assert runtime.run(stub.my_jurisdiction()) is None
    assert (stub.id.jurisdiction, namespace.newUniqueId().jurisdiction) == (None, None)


@pytest.mark.parametrize("kind", ["block", "transaction"])
@pytest.mark.parametrize(
    ("depth", "outcome"),
    [
        (62, "ok"),
        (63, "ok"),
        (64, "blockConcurrencyWhile() calls are nested too deeply."),
    ],
)
def test_blocks_nest_64_deep(boxes, kind, depth, outcome):
    namespace, runtime = boxes
    assert runtime.run(namespace.getByName("a").nested(depth, kind)) == outcome


def test_when_a_fetch_aborts_only_the_fetch_is_remote(boxes):
    namespace, runtime = boxes
    stub = namespace.getByName("a")

    async def main():
        calls = stub.fetch("http://x/"), stub.slow(), stub.slow()
        first = await asyncio.gather(*calls, return_exceptions=True)
        later = await asyncio.gather(stub.slow(), return_exceptions=True)
        return [getattr(error, "remote", False) for error in [*first, *later]]

    assert runtime.run(main()) == [True, False, False, False]


@pytest.mark.parametrize(
    ("path", "named"),
    [("label.x", "label"), ("n.x", "n"), ("deep.text.y", "text"), ("missing.x", "missing")],
)
def test_a_path_through_a_plain_value_names_that_value(boxes, path, named):
    namespace, runtime = boxes

    async def main():
        at = namespace.getByName("a").bag()
        for name in path.split("."):
            at = getattr(at, name)
        await at

    with pytest.raises(PlatformTypeError, match=f'does not implement the method "{named}"'):
        runtime.run(main())


def test_a_response_with_a_websocket_does_not_travel_over_rpc(boxes):
    namespace, runtime = boxes
    with pytest.raises(DataCloneError) as error:
        runtime.run(namespace.getByName("a").upgrade())
    assert str(error.value).startswith('Could not serialize object of type "WebSocket".')
    assert error.value.remote
    assert "fetch()" in "".join(error.value.__notes__)


def test_a_client_that_closes_without_a_code_is_seen_as_1005(boxes):
    namespace, runtime = boxes
    stub = namespace.getByName("a")
    client = runtime.connect(stub, "/ws")
    client.close()
    runtime.settle()
    assert runtime.run(stub.closes()) == [[1005, "", True]]


def test_with_a_code_it_is_that_code(boxes):
    namespace, runtime = boxes
    stub = namespace.getByName("a")
    client = runtime.connect(stub, "/ws")
    client.close(3001, "bye")
    runtime.settle()
    assert runtime.run(stub.closes()) == [[3001, "bye", True]]
    with pytest.raises(InvalidAccessError):
        runtime.connect(stub, "/ws").close(None, "why")


@pytest.mark.parametrize(("how", "flag"), [("transaction", True), ("event", False)])
def test_a_violated_foreign_key_marks_what_a_transaction_could_not_commit(boxes, how, flag):
    namespace, runtime = boxes
    with pytest.raises(PlatformError, match="FOREIGN KEY constraint failed") as error:
        runtime.run(namespace.getByName("a").violate(how))
    assert getattr(error.value, "durableObjectReset", False) is flag
    assert dobook.__version__


class Quits:
    """Aborts in one of several things that it does at once."""

    def __init__(self, ctx, env):
        self.ctx = ctx

    async def abort_after(self, wait):
        if wait is not None:
            await asyncio.sleep(wait)
        self.ctx.abort("enough")

    async def write(self, wait):
        if wait is not None:
            await asyncio.sleep(wait)
        WRITTEN.append("a sibling has run")
        await self.ctx.storage.put("sibling", 1)

    async def gather(self, wait):
        await asyncio.gather(self.abort_after(wait), self.write(wait))

    async def group(self, wait):
        async with asyncio.TaskGroup() as group:
            group.create_task(self.abort_after(wait))
            group.create_task(self.write(wait))

    async def wait(self, wait):
        works = [self.abort_after(wait), self.write(wait)]
        await asyncio.wait([asyncio.create_task(work) for work in works])

    async def look(self):
        return await self.ctx.storage.get("sibling")


WRITTEN = []


def quit_and_look(how, wait):
    with Runtime() as runtime:
        objects = runtime.register(Quits)
        with pytest.raises(PlatformError, match="enough"):
            runtime.run(getattr(objects.getByName("a"), how)(wait))
        return runtime.run(objects.getByName("a").look())


@pytest.mark.parametrize("how", ["gather", "group", "wait"])
@pytest.mark.parametrize("wait", [None, 0, 0.1])
def test_nothing_runs_beside_an_abort_and_nothing_is_left_unheard(caplog, how, wait):
    WRITTEN.clear()
    assert quit_and_look(how, wait) is None
    gc.collect()  # asyncio tells of a future's unseen error when it is collected
    assert WRITTEN == []
    assert [record.message for record in caplog.records] == []
