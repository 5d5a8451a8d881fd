"""The readers of a stream: piece by piece, or into buffers of the caller's.

Source: developers.cloudflare.com/workers/runtime-apis/streams/readablestreamdefaultreader/,
…/readablestreambyobreader/
"""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, NamedTuple

from dobook.codec.jsbuffer import JsBuffer
from dobook.errors import PlatformTypeError
from dobook.web.pipes import begun

if TYPE_CHECKING:
    from dobook.web.streams import ReadableStream

_SMALL_VIEW = 'You must call read() on a "byob" reader with a positive-sized TypedArray object.'


class Piece(JsBuffer):
    """A piece of a stream: bytes that answer to a Uint8Array's names."""

    __slots__ = ()

    @property
    def length(self) -> int:
        """The number of bytes."""
        return len(self)


class ReadResult(NamedTuple):
    """What a reader's `read()` gives."""

    done: bool
    value: Any


class StreamReader:
    """The one holder of a stream's lock; also an asynchronous iterator."""

    __slots__ = ("_closed", "_stream")

    def __init__(self, stream: "ReadableStream") -> None:
        self._stream: ReadableStream | None = stream
        self._closed: asyncio.Future[None] | None = None

    async def read(self) -> ReadResult:
        """Return the next piece, or `done` at the end.

        Raises:
            PlatformTypeError: If the lock was released.
        """
        done, chunk = await self._next()
        return ReadResult(done, chunk)

    def releaseLock(self) -> None:
        """Release the stream for another reader."""
        if self._stream is not None:
            self._stream.release()
            self._stream = None
            if self._closed is not None and not self._closed.done():
                self.ended(_released())

    def cancel(self, reason: object = None) -> Awaitable[None]:
        """Cancel the stream, also if nobody awaits this."""
        return begun(self._held().close_source(reason))

    @property
    def closed(self) -> "asyncio.Future[None]":
        """A promise of the stream's end; it fails if the stream does or the lock is released."""
        if self._closed is None:
            self._closed = asyncio.get_running_loop().create_future()
            if self._stream is None:
                self.ended(_released())
            else:
                self._stream.watch(self)
        return self._closed

    def ended(self, failure: BaseException | None) -> None:
        """Take note of the stream's end."""
        future = self._closed
        if future is None or future.done():
            return
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
            future.exception()  # nobody has to look

    def __aiter__(self) -> "StreamReader":
        return self

    async def __anext__(self) -> Any:
        done, chunk = await self._next()
        if done:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Stop iterating: the stream is given up."""
        if self._stream is not None:
            await self._stream.close_source()

    async def _next(self) -> tuple[bool, Any]:
        from dobook.web.streams import END

        chunk = await self._held().pull()
        if chunk is END:
            return True, None
        return False, Piece(chunk) if isinstance(chunk, bytes) else chunk

    def _held(self) -> "ReadableStream":
        if self._stream is None:
            raise _released()
        return self._stream


class ByobReader(StreamReader):
    """A reader that fills buffers: `await reader.read(Uint8Array.new(1024))`.

    The result's value is a view of the same kind with what was read; the buffer that was given
    belongs to the stream from then on.
    """

    __slots__ = ()

    async def read(self, view: object = None) -> ReadResult:
        """Return the next bytes, at most as many as the buffer has; see `StreamReader.read`."""
        return await self.readAtLeast(1, view)

    async def readAtLeast(self, least: int, view: object) -> ReadResult:
        """Return the next bytes, at least so many elements unless the stream ends before."""
        from dobook.web.streams import END

        stream = self._held()
        room = getattr(view, "byteLength", 0)
        if not room:
            raise PlatformTypeError(_SMALL_VIEW)
        if least <= 0:
            raise PlatformTypeError(f"Requested invalid minimum number of bytes to read ({least}).")
        least *= getattr(view, "BYTES_PER_ELEMENT", 1)
        if least > room:
            raise PlatformTypeError(
                f"Minimum bytes to read ({least}) exceeds size of buffer ({room})."
            )
        data = b""
        over = False
        while len(data) < least and not over:
            chunk = await stream.pull()
            over = chunk is END
            data += b"" if over else chunk
        stream.unread(data[room:])
        made = getattr(view, "new", Piece)
        return ReadResult(over and not data, made(Piece(data[:room])))


def _released() -> PlatformTypeError:
    return PlatformTypeError("This ReadableStream reader has been released.")
