"""ReadableStream: pieces, readers, locks, two from one."""

import asyncio

import pytest

from dobook.errors import PlatformTypeError
from dobook.web import ReadableStream


async def pieces(*chunks):
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


async def test_pieces_come_as_bytes_in_order():
    stream = ReadableStream(pieces("\u00e9", b"b", bytearray(b"c"), memoryview(b"d")))
    assert [chunk async for chunk in stream] == ["\u00e9".encode(), b"b", b"c", b"d"]
    assert [chunk async for chunk in ReadableStream(["a", b"b"])] == [b"a", b"b"]
    assert [chunk async for chunk in ReadableStream()] == []


async def test_other_pieces_are_refused_with_the_platforms_text():
    with pytest.raises(PlatformTypeError, match=r"^This ReadableStream did not return bytes.$"):
        await ReadableStream([5]).read_all()


def test_one_piece_is_no_stream():
    with pytest.raises(PlatformTypeError):
        ReadableStream("text")


async def test_a_reader_locks_the_stream_until_released():
    stream = ReadableStream(["a", "b"])
    reader = stream.getReader()
    assert stream.locked
    for use in (stream.getReader, stream.tee):
        with pytest.raises(PlatformTypeError, match="currently locked to a reader"):
            use()
    for use in (stream.read_all, stream.cancel):
        with pytest.raises(PlatformTypeError, match="currently locked to a reader"):
            await use()
    assert await reader.read() == (False, b"a")
    reader.releaseLock()
    with pytest.raises(PlatformTypeError, match="reader has been released"):
        await reader.read()
    other = stream.getReader()
    assert (await other.read()).value == b"b"
    assert (await other.read()).done
    assert repr(stream) == "ReadableStream(locked=True)"


async def test_cancelling_closes_the_source():
    closed = []

    async def source():
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(True)

    stream = ReadableStream(source())
    reader = stream.getReader()
    await reader.read()
    await reader.cancel()
    assert closed == [True]
    assert (await reader.read()).done


@pytest.mark.parametrize("together", [True, False])
async def test_both_branches_of_a_tee_give_everything(together):
    first, second = ReadableStream(pieces("a", "b", "c")).tee()
    if together:
        got = await asyncio.gather(first.read_all(), second.read_all())
    else:
        got = [await first.read_all(), await second.read_all()]
    assert got == [b"abc", b"abc"]


async def test_both_branches_of_a_tee_see_the_sources_error():
    async def source():
        yield "a"
        raise ValueError("broken")

    for branch in ReadableStream(source()).tee():
        with pytest.raises(ValueError, match="broken"):
            await branch.read_all()


async def test_a_stream_that_has_failed_fails_again_instead_of_ending():
    async def source():
        yield b"a"
        raise ValueError("broken")

    reader = ReadableStream(source()).getReader()
    assert (await reader.read()).value == b"a"
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await reader.read()


async def test_closed_says_how_the_stream_has_ended():
    reader = ReadableStream(["a"]).getReader()
    closed = reader.closed
    await reader.read()
    assert not closed.done()
    await reader.read()
    assert closed.done()

    async def source():
        raise ValueError("broken")
        yield

    reader = ReadableStream(source()).getReader()
    closed = reader.closed
    with pytest.raises(ValueError, match="broken"):
        await reader.read()
    with pytest.raises(ValueError, match="broken"):
        await closed
    reader = ReadableStream(["a"]).getReader()
    closed = reader.closed
    reader.releaseLock()
    with pytest.raises(PlatformTypeError, match="reader has been released"):
        await closed


async def test_a_stream_of_values_gives_them_and_is_no_body_unless_they_are_bytes():
    stream = ReadableStream.of_values([5, {"a": 1}, "text", None])
    assert [value async for value in stream.values()] == [5, {"a": 1}, "text", None]
    assert await ReadableStream.of_values([b"a", bytearray(b"b")]).read_all() == b"ab"
    with pytest.raises(PlatformTypeError, match="did not return bytes") as caught:
        await ReadableStream.of_values(["text"]).read_all()
    assert "Encode it" in caught.value.__notes__[0]


class View:
    """Stands for a typed array of the module js."""

    BYTES_PER_ELEMENT = 1

    def __init__(self, data):
        self.data = data
        self.byteLength = len(data)

    @classmethod
    def new(cls, data):
        return cls(data)


async def test_a_byob_reader_gives_at_most_what_the_buffer_has_and_loses_nothing():
    reader = ReadableStream(["abcde", "fg"]).getReader({"mode": "byob"})
    got = []
    while not (result := await reader.read(View(bytes(4)))).done:
        got.append(result.value.data)
    assert got == [b"abcd", b"e", b"fg"]
    reader = ReadableStream(["abc", "defgh"]).getReader(mode="byob")
    assert (await reader.readAtLeast(5, View(bytes(6)))).value.data == b"abcdef"
    for least, view in [(0, View(b"ab")), (3, View(b"ab")), (1, View(b"")), (1, None)]:
        with pytest.raises(PlatformTypeError):
            await reader.readAtLeast(least, view)
    with pytest.raises(PlatformTypeError, match="mode must be undefined or 'byob'"):
        ReadableStream().getReader(mode="other")
    with pytest.raises(PlatformTypeError, match="does not support BYOB reads"):
        ReadableStream.of_values([b"a"]).getReader(mode="byob")


@pytest.mark.parametrize("by", ["stream", "reader"])
async def test_a_cancellation_that_nobody_awaits_closes_the_source_all_the_same(by):
    closed = []

    async def source():
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    stream = ReadableStream(source())
    reader = stream.getReader()
    await reader.read()
    if by == "stream":
        reader.releaseLock()
        stream.cancel()
    else:
        reader.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert closed == [True]
