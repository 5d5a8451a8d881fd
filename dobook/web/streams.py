"""`ReadableStream`: what comes in pieces.

Owns locking, teeing and what its readers share. It never makes its own data and never buffers more
than what one branch of a `tee()` is ahead of the other, or what a `byob` reader had no room for.
Source: developers.cloudflare.com/workers/runtime-apis/streams/readablestream/
"""

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Mapping
from typing import Any, Final

from dobook.errors import PlatformTypeError
from dobook.ownership import BODY, Owner, check_owner
from dobook.web import pipes
from dobook.web.readers import ByobReader, StreamReader
from dobook.web.text import usv

LOCKED = "This ReadableStream is currently locked to a reader."
NOT_BYTES = "This ReadableStream did not return bytes."
END: Final = object()  # what `pull` returns at the end


def chunk_bytes(chunk: object) -> bytes:
    """Return a piece of a stream as bytes; texts are UTF-8.

    Raises:
        PlatformTypeError: If the piece is neither text nor bytes.
    """
    if isinstance(chunk, str):
        return usv(chunk).encode()
    return _strict_bytes(chunk)


def _strict_bytes(chunk: object) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, (bytearray, memoryview)):
        return bytes(chunk)
    stands_for = getattr(type(chunk), "_as_value_", None)  # a JavaScript buffer
    value = None if stands_for is None else stands_for(chunk)
    if isinstance(value, bytes):
        return value
    error = PlatformTypeError(NOT_BYTES)
    if isinstance(chunk, str):
        error.add_note(f"It returned a text: {chunk!r:.40}. Encode it: TextEncoder.new().encode(…)")
    raise error


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

    __slots__ = (
        "__weakref__",
        "_cancelled",
        "_chunks",
        "_disturbed",
        "_failure",
        "_locked",
        "_over",
        "_readers",
        "_rest",
        "_values",
        "buffered",
        "expected",
        "owner",
    )

    buffered: bytes | None  # all of it, if it was in memory from the start: it can be sent again
    expected: int | None  # how many bytes it will have, if that is known
    owner: Owner | None  # the object whose it is, if it comes from a body

    def __init__(self, source: AsyncIterable[Any] | Iterable[Any] | None = None) -> None:
        self._chunks: AsyncIterator[Any]
        if isinstance(source, AsyncIterable):
            self._chunks = aiter(source)
        elif isinstance(source, (str, bytes)):
            raise PlatformTypeError("a stream is made from an iterable of pieces, not one piece")
        else:
            self._chunks = _from_iterable(() if source is None else source)
        self._disturbed = self._locked = self._cancelled = self._over = self._values = False
        self._failure: BaseException | None = None
        self._readers: tuple[StreamReader, ...] = ()
        self._rest = b""
        self.buffered = self.expected = self.owner = None

    @classmethod
    def of(cls, data: bytes, *, used: bool = False) -> "ReadableStream":
        """Return a stream of bytes in memory; one that `used` says was read already."""
        stream = cls([data] if data and not used else ())
        stream.buffered = data
        stream.expected = len(data)
        stream._disturbed = used
        return stream

    @classmethod
    def of_values(cls, source: AsyncIterable[Any] | Iterable[Any]) -> "ReadableStream":
        """Return a stream of any values; as a body it fails unless they are bytes."""
        stream = cls(source)
        stream._values = True
        return stream

    @property
    def source(self) -> AsyncIterator[Any]:
        """Where the pieces come from."""
        return self._chunks

    @property
    def locked(self) -> bool:
        """Whether a reader holds the stream."""
        return self._locked

    @property
    def disturbed(self) -> bool:
        """Whether something was read from the stream or it was cancelled."""
        return self._disturbed

    def __aiter__(self) -> AsyncIterator[Any]:
        return self.getReader()

    def values(self, options: object = None) -> AsyncIterator[Any]:
        """Return what `async for` goes through."""
        del options
        return self.getReader()

    def getReader(self, options: object = None, *, mode: object = None) -> "StreamReader":
        """Lock the stream and return its reader.

        Args:
            options: A mapping with `mode`; also as a keyword.
            mode: "byob" for a reader that fills buffers.

        Raises:
            PlatformTypeError: If it is locked already, or has no bytes for buffers.
        """
        mode = mode or (options.get("mode") if isinstance(options, Mapping) else None)
        self._check_unlocked()
        if mode not in (None, "byob"):
            raise PlatformTypeError("mode must be undefined or 'byob' in call to getReader().")
        if mode == "byob" and self._values:
            raise PlatformTypeError("This ReadableStream does not support BYOB reads.")
        self._locked = True
        return (StreamReader if mode is None else ByobReader)(self)

    def pipeTo(self, destination: Any, options: Any = None, **keywords: Any) -> Any:
        """Write everything to a WritableStream; this begins at once, also if nobody awaits it.

        Args:
            destination: The WritableStream.
            options: A mapping with `preventClose`, `preventAbort`, `preventCancel`; also as
                keywords.
            **keywords: The same.

        Returns:
            A promise of the end.

        Raises:
            PlatformTypeError: If either side is locked already.
        """
        return pipes.pipe(self, destination, {**(options or {}), **keywords})

    def pipeThrough(self, transform: Any, options: Any = None, **keywords: Any) -> Any:
        """Write everything to a TransformStream and return what comes out of it.

        Raises:
            PlatformTypeError: If either side is locked already.
        """
        is_mapping = isinstance(transform, Mapping)
        side = transform["writable"] if is_mapping else transform.writable
        self.pipeTo(side, options, **keywords)
        return transform["readable"] if is_mapping else transform.readable

    def tee(self) -> "list[ReadableStream]":
        """Return two streams of the same pieces; this one stays locked.

        Raises:
            PlatformTypeError: If it is locked already.
        """
        self._check_unlocked()
        from asyncio import Lock

        self._locked = True
        queues: tuple[deque[Any], deque[Any]] = (deque(), deque())
        pulling = Lock()  # a generator must not be asked twice at a time

        async def branch(at: int) -> AsyncIterator[Any]:
            while True:
                async with pulling:
                    if not queues[at]:
                        chunk = await self.pull()
                        if chunk is END:
                            return
                        for queue in queues:
                            queue.append(chunk)
                yield queues[at].popleft()

        made = ReadableStream.of_values if self._values else ReadableStream
        return [made(branch(0)), made(branch(1))]

    def cancel(self, reason: object = None) -> Awaitable[None]:
        """Cancel the stream and close its source, also if nobody awaits this.

        Raises:
            PlatformTypeError: If a reader holds it; awaiting raises this.
        """
        return pipes.begun(self._cancel(reason))

    async def _cancel(self, reason: object) -> None:
        self._check_unlocked()
        await self.close_source(reason)

    async def pull(self) -> Any:
        """Return the next piece, or END. Readers use this; it ignores the lock."""
        check_owner(self.owner, BODY)
        self._disturbed = True
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        if self._failure is not None:
            raise self._failure
        if self._cancelled or self._over:
            return END
        try:
            chunk = await anext(self._chunks)
            return chunk if self._values else chunk_bytes(chunk)
        except StopAsyncIteration:
            self._finish()
            return END
        except Exception as error:
            self._finish(error)
            raise

    def unread(self, rest: bytes) -> None:
        """Take back what a reader had no room for."""
        self._rest = rest

    async def pull_bytes(self) -> Any:
        """Return the next piece as bytes, as bodies need it, or END.

        Raises:
            PlatformTypeError: If the piece is something else; the source is closed then.
        """
        chunk = await self.pull()
        if chunk is END or not self._values:
            return chunk
        try:
            return _strict_bytes(chunk)
        except PlatformTypeError as error:
            await self.close_source(error)
            self._finish(error)
            raise

    async def read_all(self) -> bytes:
        """Read the stream to its end and return all of it.

        Raises:
            PlatformTypeError: If a reader holds it.
        """
        self._check_unlocked()
        self._locked = True
        pieces: list[bytes] = []
        while (chunk := await self.pull_bytes()) is not END:
            pieces.append(chunk)
        return b"".join(pieces)

    def watch(self, reader: "StreamReader") -> None:
        """Tell a reader of the stream's end."""
        if self._over:
            reader.ended(self._failure)
        else:
            self._readers = (*self._readers, reader)

    def release(self) -> None:
        """Release the lock; only the reader that holds it does so."""
        self._locked = False

    async def close_source(self, reason: object = None) -> None:
        """Stop the source, so that its `finally` blocks run."""
        already = self._cancelled or self._over
        self._disturbed = self._cancelled = True
        if already:
            return
        cancel = getattr(self._chunks, "cancel", None)
        if cancel is not None:
            await cancel(reason)
        else:
            close = getattr(self._chunks, "aclose", None)
            if close is not None:
                await close()
        self._finish()

    def _finish(self, failure: BaseException | None = None) -> None:
        self._over = True
        self._failure = failure
        readers, self._readers = self._readers, ()
        for reader in readers:
            reader.ended(failure)

    def _check_unlocked(self) -> None:
        if self._locked:
            raise PlatformTypeError(LOCKED)

    def __repr__(self) -> str:
        return f"ReadableStream(locked={self._locked})"
