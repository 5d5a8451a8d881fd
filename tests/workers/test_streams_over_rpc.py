"""A `WritableStream` as an argument and a result of a call, and signals, which cannot be either.

Recorded with workerd 1.20261117.1 at the compatibility date 2026-04-26.
"""

import asyncio

import js
import pytest

from dobook import Runtime
from dobook.errors import DataCloneError, PlatformError, PlatformTypeError
from dobook.web import Request, Response

DISCONNECTED = (
    "WritableStream received over RPC was disconnected because the remote execution context has "
    "ended."
)
BYTES_ONLY = "This TransformStream is being used as a byte stream"
pytestmark = pytest.mark.filterwarnings("ignore::dobook.errors.PortabilityWarning")


class Sink:
    """A WritableStream and what came out of it."""

    def __init__(self, *, fails=False):
        self.got = []
        self.fails = fails
        self.stream = js.WritableStream.new(
            write=self.write, close=lambda: self.got.append("closed"), abort=self.aborted
        )

    def write(self, piece):
        self.got.append(piece)
        if self.fails:
            raise ValueError("full")

    def aborted(self, reason):
        self.got.append(str(reason))


class Writing:
    def __init__(self, ctx, env):
        self.ctx, self.env = ctx, env

    async def write(self, stream):
        writer = stream.getWriter()
        await writer.write(b"hello ")
        await writer.write("world")
        await writer.close()
        return "written"

    async def write_in(self, options):
        return await self.write(options["to"][0])

    async def write_no_close(self, stream):
        await stream.getWriter().write(b"hello")

    async def write_number(self, stream):
        await stream.getWriter().write(5)

    async def pipe(self, stream):
        await Response("piped").js_object.body.pipeTo(stream)

    async def give_up(self, stream):
        await stream.abort(ValueError("gone"))

    async def fail(self, stream):
        await stream.getWriter().write(b"he")
        raise ValueError("boom")

    async def keep(self, stream):
        self.kept = stream

    async def write_kept(self):
        return await self.write(self.kept)

    async def pass_on(self, stream):
        return await self.env.WRITING.getByName("third").write(stream)

    def give(self):
        self.sink = Sink()
        return self.sink.stream

    def got(self):
        return self.sink.got

    async def lend(self, method):
        """Do the same between two objects."""
        sink = Sink()
        try:
            await getattr(self.env.WRITING.getByName("b"), method)(sink.stream)
        except Exception as error:
            return [sink.got, str(error)]
        return [sink.got, None]

    def echo(self, value):
        return value

    def signal(self):
        return js.AbortController.new().signal

    async def signal_of(self, request):
        return request.signal.aborted


@pytest.fixture
def world():
    with Runtime() as runtime:
        yield runtime, runtime.register(Writing).getByName("a")


WAYS = {
    "write": ([b"hello ", b"world", "closed"], None),
    "write_no_close": ([b"hello"], None),
    "write_number": ([], BYTES_ONLY),
    "pipe": ([b"piped", "closed"], None),
    "give_up": ([DISCONNECTED], None),
    "fail": ([b"he"], "boom"),
    "pass_on": ([b"hello ", b"world", "closed"], None),
}


@pytest.mark.parametrize("method", list(WAYS))
@pytest.mark.parametrize("where", ["outside", "an object"])
def test_what_the_other_side_writes_arrives(world, method, where):
    runtime, a = world
    expected, message = WAYS[method]

    async def outside():
        sink = Sink()
        try:
            await getattr(a, method)(sink.stream)
        except Exception as error:
            return sink.got, str(error)
        return sink.got, None

    got, error = runtime.run(outside() if where == "outside" else a.lend(method))
    assert got == expected
    assert (error is None) == (message is None)
    assert message is None or error.startswith(message)


def test_it_may_lie_deep_in_the_argument_and_outlive_the_call(world):
    runtime, a = world

    async def scenario():
        deep, kept = Sink(), Sink()
        await a.write_in({"to": [deep.stream]})
        await a.keep(kept.stream)
        assert kept.got == []
        assert await a.write_kept() == "written"
        return deep.got, kept.got

    deep, kept = runtime.run(scenario())
    assert deep == kept == [b"hello ", b"world", "closed"]


def test_a_sink_that_fails_fails_the_writer(world):
    runtime, a = world

    async def scenario():
        sink = Sink(fails=True)
        with pytest.raises(ValueError, match="full") as error:
            await a.write(sink.stream)
        assert error.value.remote is True
        return sink.got

    assert runtime.run(scenario()) == [b"hello "]


def test_the_stream_that_was_given_is_locked(world):
    runtime, a = world

    async def scenario():
        sink = Sink()
        await a.keep(sink.stream)
        assert sink.stream.locked
        with pytest.raises(PlatformTypeError, match="is currently locked to a writer"):
            sink.stream.getWriter()
        with pytest.raises(PlatformTypeError, match="is currently locked to a writer"):
            await a.keep(sink.stream)

    runtime.run(scenario())


def test_one_that_is_closed_is_closed_for_the_other_side(world):
    runtime, a = world

    async def scenario():
        sink = Sink()
        await sink.stream.close()
        with pytest.raises(PlatformTypeError, match="This WritableStream has been closed"):
            await a.write(sink.stream)

    runtime.run(scenario())


def test_one_that_is_returned(world):
    runtime, a = world

    async def scenario():
        writer = (await a.give()).getWriter()
        await writer.write(b"abc")
        await writer.close()
        return await a.got()

    assert runtime.run(scenario()) == [b"abc", "closed"]


def test_a_transform_between_two_objects(world):
    runtime, a = world

    async def scenario():
        through = js.IdentityTransformStream.new()
        reading = asyncio.ensure_future(Response(through.readable).text())
        await a.write(through.writable)
        return await reading

    assert runtime.run(scenario()) == "hello world"


SIGNALS = {
    "bare": lambda: js.AbortController.new().signal,
    "aborted": lambda: js.AbortSignal.abort("why"),
    "timeout": lambda: js.AbortSignal.timeout(5),
    "any": lambda: js.AbortSignal.any([js.AbortSignal.timeout(5)]),
    "in a dict": lambda: {"signal": [js.AbortController.new().signal]},
    "of a request": lambda: Request("http://x/", signal=js.AbortController.new().signal),
}


@pytest.mark.parametrize("which", list(SIGNALS))
def test_a_signal_is_refused_by_name(world, which):
    runtime, a = world

    async def scenario():
        await a.echo(SIGNALS[which]())

    with pytest.raises(DataCloneError, match=r"^AbortSignal serialization is not enabled\."):
        runtime.run(scenario())


def test_a_signal_that_is_returned_is_refused_there(world):
    runtime, a = world
    with pytest.raises(DataCloneError, match="AbortSignal serialization") as error:
        runtime.run(a.signal())
    assert error.value.remote is True


def test_every_request_has_a_signal(world):
    runtime, a = world
    assert runtime.run(a.signal_of(Request("http://x/"))) is False


def test_nobody_makes_a_signal_as_such():
    with pytest.raises(PlatformTypeError, match="Illegal constructor"):
        js.AbortSignal.new()


class Storing:
    def __init__(self, ctx, env):
        self.ctx, self.env = ctx, env

    def target(self):
        from dobook import RpcTarget

        return RpcTarget()

    async def what(self, kind):
        from dobook import RpcTarget

        match kind:
            case "a stub":
                return self.env.STORING.getByName("b")
            case "a target":
                return RpcTarget()
            case "a target's stub":
                return await self.env.STORING.getByName("b").target()
            case "a readable stream":
                return Response("x").js_object.body
            case "a writable stream":
                return js.WritableStream.new()
            case "a signal":
                return js.AbortController.new().signal
            case "a cursor":
                return self.ctx.storage.sql.exec("SELECT 1")
            case "a listing":
                self.ctx.storage.kv.put("q", 1)
                return self.ctx.storage.kv.list()
            case "a controller":
                return js.AbortController.new()
            case _:
                return js.TransformStream.new()

    async def put(self, kind, how):
        value = await self.what(kind)
        if how == "deep":
            value = {"a": [value]}
        if how == "kv":
            self.ctx.storage.kv.put("k", value)
        else:
            await self.ctx.storage.put("k", value)


NOT_OF_TYPE = 'Could not serialize object of type "{}". This type does not support serialization.'
TEXTS = {
    "a stub": "ServiceStub cannot be serialized in this context.",
    "a target": "Remote RPC references can only be serialized for RPC.",
    "a target's stub": "RpcStub cannot be serialized in this context.",
    "a readable stream": "ReadableStream can only be serialized for RPC.",
    "a writable stream": "WritableStream can only be serialized for RPC.",
    "a signal": "AbortSignal serialization is not enabled.",
    "a cursor": NOT_OF_TYPE.format("Cursor"),
    "a listing": NOT_OF_TYPE.format("ListIterator"),
    "a controller": NOT_OF_TYPE.format("AbortController"),
    "a transform": NOT_OF_TYPE.format("TransformStream"),
}


@pytest.mark.parametrize("how", ["put", "deep", "kv"])
@pytest.mark.parametrize("kind", list(TEXTS))
def test_what_cannot_be_stored_is_refused_in_the_engines_words(kind, how):
    with Runtime() as runtime:
        storing = runtime.register(Storing).getByName("a")
        with pytest.raises((DataCloneError, PlatformError)) as error:
            runtime.run(storing.put(kind, how))
        assert str(error.value).split("\n")[0] == TEXTS[kind]
        assert len(str(error.value).split("\n")) == 2, "what to do instead"
