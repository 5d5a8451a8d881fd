"""Streams of the module `js`: sources, sinks, transformations and pipes between them."""

import asyncio
import gzip

import pytest
from js import (
    CompressionStream,
    DecompressionStream,
    FixedLengthStream,
    IdentityTransformStream,
    Object,
    ReadableStream,
    Response,
    TextDecoderStream,
    TextEncoder,
    TextEncoderStream,
    TransformStream,
    Uint8Array,
    WritableStream,
)
from pyodide.ffi import create_proxy, to_js

from dobook.codec import clone
from dobook.errors import PlatformError, PlatformTypeError


async def pieces(stream):
    return [piece async for piece in stream]


async def soon():
    """Let everything happen that is ready."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_start_is_called_when_the_stream_is_made_and_pull_when_somebody_reads():
    seen = []

    def pull(controller):
        seen.append("pull")
        controller.enqueue(b"b")
        controller.close()

    stream = ReadableStream.new(
        start=lambda controller: (seen.append("start"), controller.enqueue(b"a")), pull=pull
    )
    assert seen == ["start"]
    assert await pieces(stream) == [b"a", b"b"]
    assert seen == ["start", "pull"]


async def test_a_source_may_be_an_object_of_proxies():
    encoder = TextEncoder.new()

    async def start(controller):
        for number in range(2):
            await asyncio.sleep(0)
            controller.enqueue(encoder.encode(f"{number} "))
        controller.close()

    source = to_js({"start": create_proxy(start)}, dict_converter=Object.fromEntries)
    assert await Response.new(ReadableStream.new(source)).text() == "0 1 "


@pytest.mark.parametrize("where", ["start", "pull"])
async def test_what_a_source_raises_its_reader_gets_again_and_again(where):
    async def fail(controller):
        controller.enqueue(b"x")
        await asyncio.sleep(0)
        raise ValueError("broken")

    reader = ReadableStream.new(**{where: fail}).getReader()
    if where == "start":
        assert (await reader.read()).value == b"x"
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await reader.read()


async def test_a_source_learns_why_it_was_cancelled_and_how_much_room_there_is():
    seen = []
    stream = ReadableStream.new(
        start=lambda controller: seen.append(controller.desiredSize), cancel=seen.append
    )
    await stream.cancel("enough")
    await stream.cancel("again")
    assert seen == [1, "enough"]


async def test_a_stream_is_made_from_an_iterable():
    assert await pieces(ReadableStream.from_([b"a", 5])) == [b"a", 5]
    assert await pieces(getattr(ReadableStream, "from")([b"a"])) == [b"a"]


async def test_a_write_begins_when_it_is_called_and_is_over_when_somebody_has_read():
    stream = TransformStream.new()
    writer = stream.writable.getWriter()
    assert writer.desiredSize == 1
    first, second = writer.write(b"a"), writer.write(b"b")
    waiting = asyncio.ensure_future(first)
    await soon()
    assert not waiting.done()
    assert writer.desiredSize == -1
    reader = stream.readable.getReader()
    assert (await reader.read()).value == b"a"
    await waiting
    closing = writer.close()
    assert (await reader.read()).value == b"b"
    await second
    await closing
    assert (await reader.read()).done
    await writer.closed
    with pytest.raises(PlatformTypeError, match="This WritableStream has been closed"):
        await writer.write(b"c")


async def test_a_writer_finds_out_that_nobody_reads_any_more():
    stream = TransformStream.new()
    writer = stream.writable.getWriter()
    writing = writer.write(b"a")
    await stream.readable.cancel(PlatformError("gone"))
    for _ in range(2):
        with pytest.raises(PlatformError, match="gone"):
            await writing
        writing = writer.write(b"b")
    assert writer.desiredSize is None


async def test_a_reader_finds_out_that_the_writer_has_given_up():
    stream = TransformStream.new()
    await stream.writable.getWriter().abort(ValueError("no more"))
    with pytest.raises(ValueError, match="no more"):
        await stream.readable.getReader().read()


async def test_a_writable_side_has_one_writer_at_a_time():
    stream = WritableStream.new()
    writer = stream.getWriter()
    with pytest.raises(PlatformTypeError, match="currently locked to a writer"):
        stream.getWriter()
    with pytest.raises(PlatformTypeError, match="currently locked to a writer"):
        await stream.close()
    writer.releaseLock()
    with pytest.raises(PlatformTypeError, match="writer has been released"):
        await writer.write(b"x")
    await stream.getWriter().close()


async def test_a_sink_gets_one_piece_after_the_other():
    seen = []

    async def write(piece, controller):
        seen.append(("begin", piece))
        await asyncio.sleep(0)
        seen.append(("end", piece))

    writer = WritableStream.new(
        start=lambda controller: seen.append("start"),
        write=write,
        close=lambda: seen.append("over"),
    ).getWriter()
    writer.write("a")
    writer.write("b")
    await writer.ready
    await writer.close()
    assert seen == ["start", ("begin", "a"), ("end", "a"), ("begin", "b"), ("end", "b"), "over"]


async def test_what_a_sink_raises_all_later_writes_get():
    def write(piece):
        raise ValueError("full")

    writer = WritableStream.new(write=write).getWriter()
    for _ in range(2):
        with pytest.raises(ValueError, match="full"):
            await writer.write(b"x")


async def test_a_pipe_begins_at_once_and_closes_the_other_end():
    got = []
    sink = WritableStream.new(write=got.append, close=lambda: got.append("closed"))
    source = ReadableStream.from_([b"a", b"b"])
    piping = source.pipeTo(sink)
    assert source.locked
    assert sink.locked
    await soon()
    assert got == [b"a", b"b", "closed"]
    assert piping.done()
    got.clear()
    sink = WritableStream.new(write=got.append, close=lambda: got.append("closed"))
    await ReadableStream.from_([b"a"]).pipeTo(sink, preventClose=True)
    await sink.getWriter().write(b"b")
    assert got == [b"a", b"b"]


async def test_an_error_goes_through_a_pipe_in_both_directions():
    async def broken():
        yield b"a"
        raise ValueError("broken")

    aborted = []
    with pytest.raises(ValueError, match="broken"):
        await ReadableStream.from_(broken()).pipeTo(WritableStream.new(abort=aborted.append))
    assert str(aborted[0]) == "broken"
    cancelled = []

    def full(piece):
        raise ValueError("full")

    source = ReadableStream.new(start=lambda c: c.enqueue(b"a"), cancel=cancelled.append)
    with pytest.raises(ValueError, match="full"):
        await source.pipeTo(WritableStream.new(write=full))
    assert str(cancelled[0]) == "full"
    with pytest.raises(PlatformTypeError, match="is piped to a WritableStream"):
        ReadableStream.from_([]).pipeTo(5)


async def test_pieces_are_transformed_and_something_may_follow_them():
    def transform(piece, controller):
        for word in piece.split():
            controller.enqueue(word)

    stream = ReadableStream.from_(["a b", "", "c"]).pipeThrough(
        TransformStream.new(
            to_js({"transform": create_proxy(transform)}, dict_converter=Object.fromEntries),
            flush=lambda controller: controller.enqueue("!"),
        )
    )
    assert await pieces(stream) == ["a", "b", "c", "!"]


async def test_what_a_transformation_raises_both_sides_get():
    def transform(piece, controller):
        raise ValueError("cannot")

    stream = TransformStream.new(transform=transform)
    writing = stream.writable.getWriter().write("x")
    with pytest.raises(ValueError, match="cannot"):
        await stream.readable.getReader().read()
    with pytest.raises(ValueError, match="cannot"):
        await writing


async def test_texts_are_encoded_and_decoded_on_their_way():
    stream = ReadableStream.from_(["h\u00e9", "\U0001f600"]).pipeThrough(TextEncoderStream.new())
    data = b"".join(await pieces(stream))
    assert data == "h\u00e9\U0001f600".encode()
    halves = ReadableStream.from_([data[:2], data[2:5], data[5:]])
    assert "".join(await pieces(halves.pipeThrough(TextDecoderStream.new()))) == "h\u00e9\U0001f600"
    with pytest.raises(PlatformTypeError, match="not a BufferSource"):
        await pieces(ReadableStream.from_(["text"]).pipeThrough(TextDecoderStream.new()))


@pytest.mark.parametrize("kind", ["gzip", "deflate", "deflate-raw"])
async def test_bytes_are_packed_and_unpacked_on_their_way(kind):
    packed = ReadableStream.from_([b"a" * 1000, b"b"]).pipeThrough(CompressionStream.new(kind))
    data = b"".join(await pieces(packed))
    assert len(data) < 100
    if kind == "gzip":
        assert gzip.decompress(data) == b"a" * 1000 + b"b"
    for given, text in [
        (data[:-3], "incomplete data"),
        (data + b"x", "Trailing bytes"),
        (b"\x07nonsense", "Decompression failed"),
    ]:
        with pytest.raises(PlatformTypeError, match=text):
            await pieces(ReadableStream.from_([given]).pipeThrough(DecompressionStream.new(kind)))
    back = ReadableStream.from_([data]).pipeThrough(DecompressionStream.new(kind))
    assert b"".join(await pieces(back)) == b"a" * 1000 + b"b"
    with pytest.raises(PlatformTypeError, match="'deflate', 'deflate-raw' or 'gzip'"):
        CompressionStream.new("zip")


async def test_a_stream_of_fixed_length_has_exactly_that():
    stream = FixedLengthStream.new(3)
    response = Response.new(stream.readable)
    writer = stream.writable.getWriter()
    writer.write(Uint8Array.new([97, 98]))
    writer.write("c")
    writer.close()
    assert await response.text() == "abc"
    stream = FixedLengthStream.new(3)
    stream.writable.getWriter().write("abcd")
    with pytest.raises(PlatformTypeError, match="too many bytes"):
        await stream.readable.getReader().read()
    stream = FixedLengthStream.new(3)
    stream.writable.getWriter().close()
    with pytest.raises(PlatformTypeError, match="did not see all expected bytes"):
        await stream.readable.getReader().read()


async def test_a_stream_of_bytes_takes_texts_and_nothing_else():
    stream = IdentityTransformStream.new()
    writer = stream.writable.getWriter()
    writing = writer.write("h\u00e9")
    reader = stream.readable.getReader()
    assert (await reader.read()).value == "h\u00e9".encode()
    await writing
    writing = writer.write({"a": 1})
    with pytest.raises(PlatformTypeError, match="non-ArrayBuffer"):
        await reader.read()
    with pytest.raises(PlatformTypeError, match="non-ArrayBuffer"):
        await writing


async def test_texts_in_a_stream_are_no_body():
    with pytest.raises(PlatformTypeError, match="did not return bytes"):
        await Response.new(ReadableStream.from_(["text"])).text()


async def test_what_is_left_out_says_so():
    with pytest.raises(TypeError, match="can only be serialized for RPC"):
        clone(WritableStream.new())
    pulled = []
    ReadableStream.new(pull=pulled.append)
    await soon()
    assert pulled == []  # not before somebody reads
