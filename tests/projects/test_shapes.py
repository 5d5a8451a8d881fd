"""What an object reads back has JavaScript's shapes too: maps, arrays and buffers."""

import pytest
from pyodide.ffi import to_js

from dobook.errors import PlatformError, UsageError
from dobook.workers.js import Uint8Array, WebSocketPair, scheduler

WORK = []


class Worker:
    """An object that does what the test has put in `WORK`; RPC carries no functions of tests."""

    def __init__(self, ctx, env):
        self.ctx = ctx

    async def do(self):
        return await WORK.pop()(self.ctx)


@pytest.fixture
def do(open_runtime):
    runtime = open_runtime()
    stub = runtime.register(Worker).getByName("a")

    def run(work):
        WORK.append(work)
        return runtime.run(stub.do())

    return run


def test_a_listing_is_a_map(do):
    async def work(ctx):
        await ctx.storage.put({"a/1": 1, "a/2": {"deep": [1, 2]}, "b": 3})
        found = await ctx.storage.list(prefix="a/")
        seen = []
        found.forEach(lambda value, key, this: seen.append([key, this is found]))
        return [
            found.size,
            found.has("a/1"),
            found.has("b"),
            next(iter(found.entries())),
            found.to_py(),
            seen,
            (await ctx.storage.get(["a/1", "none"])).to_py(),
        ]

    assert do(work) == [
        2,
        True,
        False,
        ["a/1", 1],
        {"a/1": 1, "a/2": {"deep": [1, 2]}},
        [["a/1", True], ["a/2", True]],
        {"a/1": 1},
    ]


def test_a_stored_list_is_an_array(do):
    async def work(ctx):
        shared = ["x"]
        await ctx.storage.put({"flat": [1, 2], "deep": [{"a": [1]}], "graph": [shared, shared]})
        flat, deep, graph = [await ctx.storage.get(key) for key in ("flat", "deep", "graph")]
        first = (flat.length, flat.to_py(), deep[0].a.length, deep.to_py(), graph[0] is graph[1])
        return [*first, graph.length, type(deep.to_py()[0]["a"]) is list]

    assert do(work) == [2, [1, 2], 1, [{"a": [1]}], True, 2, True]


def test_stored_bytes_are_a_buffer(do):
    async def work(ctx):
        await ctx.storage.put("bytes", Uint8Array.new([104, 105]))
        ctx.storage.sql.exec("CREATE TABLE t (x)")
        ctx.storage.sql.exec("INSERT INTO t VALUES (?)", Uint8Array.new([104, 111]))
        stored, selected = (
            await ctx.storage.get("bytes"),
            ctx.storage.sql.exec("SELECT x FROM t").one().x,
        )
        listed = (await ctx.storage.list())["bytes"]
        views = [bytes(value.to_py()) for value in (stored, selected, listed)]
        return [*views, stored.byteLength, stored == b"hi", selected.to_string()]

    assert do(work) == [b"hi", b"ho", b"hi", 2, True, "ho"]


def test_sockets_and_tags_are_arrays(do):
    async def work(ctx):
        empty = ctx.getWebSockets().length
        _, server = WebSocketPair.new().object_values()
        ctx.acceptWebSocket(server, to_js(["a", "b"]))
        return [empty, ctx.getWebSockets().length, ctx.getTags(server).length]

    assert do(work) == [0, 1, 2]


def test_the_scheduler_waits(do):
    async def work(ctx):
        from dobook.workers.js import Date

        before = Date.now()
        await scheduler.wait(250)
        return Date.now() - before

    assert do(work) == 250
    with pytest.raises(PlatformError, match="global scope"):
        scheduler.wait(1)


@pytest.mark.filterwarnings("ignore::dobook.errors.PortabilityWarning")
@pytest.mark.parametrize(("again", "runs"), [(True, 7), (None, 7), (False, 1)])
def test_an_abort_says_whether_the_alarm_runs_again(open_runtime, again, runs):
    runtime = open_runtime()
    alarmed = runtime.register(Alarmed)
    runtime.run(alarmed.getByName("a").start(again))
    runtime.advance("1d")
    assert runtime.run(alarmed.getByName("a").runs()) == runs


class Alarmed:
    def __init__(self, ctx, env):
        self.ctx = ctx

    async def start(self, again):
        self.ctx.storage.kv.put("again", again)
        await self.ctx.storage.setAlarm(1)

    def runs(self):
        return self.ctx.storage.kv.get("runs")

    async def alarm(self):
        kv = self.ctx.storage.kv
        kv.put("runs", (kv.get("runs") or 0) + 1)
        await self.ctx.storage.sync()
        self.ctx.abort("enough", {"retryAlarm": kv.get("again")})


def test_what_ctx_lacks_is_said(do):
    async def work(ctx):
        return ctx.facets

    with pytest.raises(AttributeError, match="'facets', which dobook does not offer"):
        do(work)


def test_tables_call_what_is_read_back_by_pythons_names_and_an_edit_keeps_the_type():
    from dobook.codec import JsBuffer, JsDict, JsList
    from dobook.notebook.inspector.editing import edited
    from dobook.notebook.inspector.object_frames import type_name

    values = JsDict(), JsList(), JsBuffer(b"x")
    assert [type_name(value) for value in values] == ["dict", "list", "bytes"]
    assert [edited(t, v) for t, v in zip(("{}", "[1]", "6869"), values, strict=True)] == [
        {},
        [1],
        b"hi",
    ]
    with pytest.raises(UsageError, match="is no bytes, like 6869"):
        edited("zz", JsBuffer(b"x"))
