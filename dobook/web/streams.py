"""`ReadableStream`: bytes that come in pieces.

Owns reading, locking and teeing. It never makes its own data and never buffers more than what one
branch of a `tee()` is ahead of the other.
Source: developers.cloudflare.com/workers/runtime-apis/streams/readablestream/
"""

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, NamedTuple

from dobook.codec.jsbuffer import JsBuffer
from dobook.errors import PlatformTypeError
from dobook.web.text import usv

LOCKED = "This ReadableStream is currently locked to a reader."


def chunk_bytes(chunk: Any) -> bytes:
    """Return a piece of a stream as bytes; texts are UTF-8.

    Raises:
        PlatformTypeError: If the piece is neither text nor bytes.
    """
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, str):
        return usv(chunk).encode()
    if isinstance(chunk, (bytearray, memoryview)):
        return bytes(chunk)
    raise PlatformTypeError("This ReadableStream did not return bytes.")


async def _from_iterable(source: Iterable[Any]) -> AsyncIterator[Any]:
    for chunk in source:
        yield chunk


class ReadableStream:
    """A stream of bytes, read with `async for` or with a reader.

    Args:
        source: Anything that yields texts or bytes, asynchronously or not; None for an empty one.

    Raises:
        PlatformTypeError: If `source` yields nothing.

    Example:
        >>> async def words():
        ...     yield "one "
        ...     yield b"two"
        >>> stream = ReadableStream(words())
        >>> [chunk async for chunk in stream]
        [b'one ', b'two']
    """

    __slots__ = ("_cancelled", "_chunks", "_disturbed", "_locked", "buffered")

    buffered: bytes | None  # all of it, if it was in memory from the start: it can be sent again

    def __init__(self, source: AsyncIterable[Any] | Iterable[Any] | None = None) -> None:
        self._chunks: AsyncIterator[Any]
        if isinstance(source, AsyncIterable):
            self._chunks = aiter(source)
        elif isinstance(source, (str, bytes)):
            raise PlatformTypeError("a stream is made from an iterable of pieces, not one piece")
        else:
            self._chunks = _from_iterable(() if source is None else source)
        self._disturbed = False
        self._locked = False
        self._cancelled = False
        self.buffered = None

    @classmethod
    def of(cls, data: bytes, *, used: bool = False) -> "ReadableStream":
        """Return a stream of bytes in memory; one that `used` says was read already."""
        stream = cls([data] if data and not used else ())
        stream.buffered = data
        stream._disturbed = used
        return stream

    @property
    def locked(self) -> bool:
        """Whether a reader holds the stream."""
        return self._locked

    @property
    def disturbed(self) -> bool:
        """Whether something was read from the stream or it was cancelled."""
        return self._disturbed

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.getReader()

    def getReader(self, options: Any = None) -> "StreamReader":
        """Lock the stream and return its reader.

        Raises:
            PlatformTypeError: If it is locked already.
        """
        del options
        if self._locked:
            raise PlatformTypeError(LOCKED)
        self._locked = True
        return StreamReader(self)

    def tee(self) -> "list[ReadableStream]":
        """Return two streams of the same pieces; this one stays locked.

        Raises:
            PlatformTypeError: If it is locked already.
        """
        if self._locked:
            raise PlatformTypeError(LOCKED)
        from asyncio import Lock

        self._locked = True
        queues: tuple[deque[bytes], deque[bytes]] = (deque(), deque())
        failures: list[Exception] = []
        pulling = Lock()  # a generator must not be asked twice at a time

        async def branch(at: int) -> AsyncIterator[bytes]:
            while True:
                async with pulling:
                    if not queues[at]:
                        if failures:
                            raise failures[0]
                        try:
                            chunk = await self.pull()
                        except Exception as error:
                            failures.append(error)
                            raise
                        if chunk is None:
                            return
                        for queue in queues:
                            queue.append(chunk)
                yield queues[at].popleft()

        return [ReadableStream(branch(0)), ReadableStream(branch(1))]

    async def cancel(self, reason: Any = None) -> None:
        """Give up the stream; its source is closed.

        Raises:
            PlatformTypeError: If a reader holds it.
        """
        del reason
        if self._locked:
            raise PlatformTypeError(LOCKED)
        await self.close_source()

    async def pull(self) -> bytes | None:
        """Return the next piece, or None at the end. Readers use this; it ignores the lock."""
        self._disturbed = True
        if self._cancelled:
            return None
        try:
            return chunk_bytes(await anext(self._chunks))
        except StopAsyncIteration:
            return None

    async def read_all(self) -> bytes:
        """Read the stream to its end and return all of it.

        Raises:
            PlatformTypeError: If a reader holds it.
        """
        if self._locked:
            raise PlatformTypeError(LOCKED)
        self._locked = True
        pieces = []
        while (chunk := await self.pull()) is not None:
            pieces.append(chunk)
        return b"".join(pieces)

    def release(self) -> None:
        """Let go of the lock; only the reader that holds it does so."""
        self._locked = False

    async def close_source(self) -> None:
        """Stop the source, so that its `finally` blocks run."""
        self._disturbed = self._cancelled = True
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            await close()

    def __repr__(self) -> str:
        return f"ReadableStream(locked={self._locked})"


class ReadResult(NamedTuple):
    """What a reader's `read()` gives."""

    done: bool
    value: bytes | None


class StreamReader:
    """The one holder of a stream's lock; also an asynchronous iterator."""

    __slots__ = ("_stream",)

    def __init__(self, stream: ReadableStream) -> None:
        self._stream: ReadableStream | None = stream

    async def read(self) -> ReadResult:
        """Return the next piece, or `done` at the end.

        Raises:
            PlatformTypeError: If the lock was released.
        """
        chunk = await self._held().pull()
        return ReadResult(chunk is None, None if chunk is None else JsBuffer(chunk))

    def releaseLock(self) -> None:
        """Give the stream free for another reader."""
        if self._stream is not None:
            self._stream.release()
            self._stream = None

    async def cancel(self, reason: Any = None) -> None:
        """Give up the stream."""
        del reason
        await self._held().close_source()

    def __aiter__(self) -> "StreamReader":
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._held().pull()
        if chunk is None:
            raise StopAsyncIteration
        return JsBuffer(chunk)

    def _held(self) -> ReadableStream:
        if self._stream is None:
            raise PlatformTypeError("This ReadableStream reader has been released.")
        return self._stream
