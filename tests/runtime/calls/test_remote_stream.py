"""Streams that go from one side to another: whose code makes the pieces, when, and what ends it."""

import asyncio
import gc

import pytest
from js import ReadableStream, TransformStream
from workers import DurableObject, Request, Response, WorkerEntrypoint

import dobook
from dobook.errors import PlatformError, PlatformTypeError


class Teller(DurableObject):
    """Answers with streams, and reads those of others."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.said = []

    async def fetch(self, request):
        what = request.url.rpartition("/")[2]
        return await getattr(self, what)(request)

    async def slow(self, request=None):
        return Response(ReadableStream.from_(self._numbers()))

    async def _numbers(self):
        try:
            for number in range(3):
                await asyncio.sleep(60)
                await self.ctx.storage.put("n", number)
                yield f"{number} ".encode()
        finally:
            self.said.append("closed")

    async def written(self, request):
        stream = TransformStream.new()
        writer = stream.writable.getWriter()

        async def write():
            try:
                for number in range(3):
                    await writer.write(f"{number} ".encode())
                    self.said.append(number)
                await writer.close()
            except Exception as error:
                self.said.append(str(error))

        self.ctx.waitUntil(write())
        return Response(stream.readable)

    async def failing(self, request):
        async def pieces():
            yield b"so far"
            raise LookupError("no more")

        return Response(ReadableStream.from_(pieces()))

    async def length(self, request):
        return Response(str(len(await request.bytes())))

    async def onward(self, request):
        """Send another object a stream that this one makes."""
        answer = await self.env.TELLER.getByName("b").fetch(
            Request("http://x/length", method="POST", body=ReadableStream.from_(self._numbers()))
        )
        return Response(f"{await answer.text()} {await self.ctx.storage.get('n')}")

    async def stream(self):
        return ReadableStream.from_(self._numbers())

    async def read(self, stream):
        return (await Response(stream).text()).upper()

    async def value(self):
        return [self.said, await self.ctx.storage.get("n")]

    async def what_was_said(self):
        return self.said


@pytest.fixture
def runtime():
    with dobook.Runtime() as runtime:
        runtime.register(Teller)
        yield runtime


@pytest.fixture
def teller(runtime):
    return runtime.env.TELLER.getByName("a")


def test_a_cells_loop_reads_a_stream_in_virtual_time(runtime, teller):
    async def cell():
        began = runtime.clock.now_ms
        response = await teller.fetch("http://x/slow")
        assert runtime.clock.now_ms == began
        return [(bytes(piece), runtime.clock.now_ms - began) async for piece in response.body]

    assert asyncio.run(cell()) == [(b"0 ", 60_000), (b"1 ", 120_000), (b"2 ", 180_000)]
    assert runtime.run(teller.what_was_said()) == ["closed"]


def test_the_pieces_are_made_by_the_object_that_answers(runtime, teller):
    async def main():
        return await (await teller.fetch("http://x/onward")).text()

    assert runtime.run(main()) == "6 2"  # what it wrote while it was read is its own


def test_a_writer_waits_for_its_reader(runtime, teller):
    response = runtime.run(teller.fetch("http://x/written"))
    runtime.settle()
    assert runtime.run(teller.what_was_said()) == []
    reader = response.body.getReader()
    assert runtime.run(reader.read()).value == b"0 "
    runtime.settle()
    assert runtime.run(teller.what_was_said()) == [0]
    runtime.run(reader.cancel())
    runtime.settle()
    said = runtime.run(teller.what_was_said())
    assert said == [0, "This TransformStream's readable side has been cancelled."]


def test_a_streams_error_reaches_the_reader_with_its_class(runtime, teller):
    async def main():
        reader = (await teller.fetch("http://x/failing")).body.getReader()
        assert (await reader.read()).value == b"so far"
        for _ in range(2):
            with pytest.raises(LookupError, match="no more") as caught:
                await reader.read()
            assert caught.value.remote
        return await reader.closed

    with pytest.raises(LookupError):
        runtime.run(main())


def test_a_piece_waits_until_what_was_written_before_is_durable(runtime, teller):
    runtime.faults.fail_writes(teller)
    response = runtime.run(teller.fetch("http://x/slow"))
    with pytest.raises(PlatformError):
        runtime.run(response.text())
    other = runtime.env.TELLER.getByName("a")
    assert runtime.run(other.value())[1] is None


def test_an_object_stays_while_it_is_read_and_goes_when_nobody_can_read_on(runtime, teller):
    response = runtime.run(teller.fetch("http://x/slow"))
    reader = response.body.getReader()
    runtime.run(reader.read())
    runtime.advance("1h")
    assert [found.state for found in runtime.objects()] == ["running"]
    del response, reader
    gc.collect()
    runtime.settle()
    assert runtime.run(teller.what_was_said()) == ["closed"]
    runtime.advance("1m")
    assert [found.state for found in runtime.objects()] == ["evicted"]


@pytest.mark.parametrize("begun", [False, True])
def test_a_crash_ends_the_stream_with_an_error(runtime, teller, begun):
    response = runtime.run(teller.fetch("http://x/slow"))
    reader = response.body.getReader()
    if begun:
        runtime.run(reader.read())
    runtime.crash(teller)
    for _ in range(2):
        with pytest.raises(PlatformError):
            runtime.run(reader.read())


def test_who_stops_waiting_loses_no_piece(runtime, teller):
    async def main():
        reader = (await teller.fetch("http://x/slow")).body.getReader()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 30)
        await asyncio.sleep(300)
        return [bytes(piece) async for piece in reader]

    assert runtime.run(main()) == [b"0 ", b"1 ", b"2 "]


def test_a_callers_stream_is_made_outside_as_it_is_read(runtime, teller):
    seen = []

    async def pieces():
        for piece in (b"ab", b"c"):
            await asyncio.sleep(60)
            seen.append((piece, runtime.clock.now_ms))
            yield piece

    async def cell():
        answer = await teller.fetch("http://x/length", method="POST", body=pieces())
        return await answer.text()

    began = runtime.clock.now_ms
    assert asyncio.run(cell()) == "3"
    assert seen == [(b"ab", began + 60_000), (b"c", began + 120_000)]


def test_streams_are_arguments_and_results_of_methods(runtime, teller):
    async def main():
        stream = await teller.stream()
        return await runtime.env.TELLER.getByName("b").read(stream)

    assert runtime.run(main()) == "0 1 2 "
    assert runtime.run(teller.value()) == [["closed"], 2]

    async def locked():
        stream = ReadableStream.from_([b"x"])
        stream.getReader()
        await teller.read(stream)

    with pytest.raises(PlatformTypeError, match="has been locked to a reader"):
        runtime.run(locked())


def test_a_worker_passes_an_objects_stream_on(runtime):
    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            return await self.env.TELLER.getByName("a").fetch(request)

    runtime.serve_worker(Default)

    async def cell():
        response = await runtime.fetch("http://x/slow")
        return await response.text()

    assert asyncio.run(cell()) == "0 1 2 "


def test_what_nobody_reads_is_never_made(runtime, teller):
    runtime.run(teller.fetch("http://x/slow"))
    runtime.advance("1h")
    assert [found.state for found in runtime.objects()] == ["evicted"]
