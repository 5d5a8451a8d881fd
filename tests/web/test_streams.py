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
