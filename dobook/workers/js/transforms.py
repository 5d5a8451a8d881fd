"""Streams that change what is written to them on its way: `TransformStream` and its relatives.

A write waits until somebody reads, as on the platform: `await writer.write(…)` before the response
with the readable side was returned waits for ever.
Source: developers.cloudflare.com/workers/runtime-apis/streams/transformstream/,
cloudflare/workerd src/workerd/api/streams/
"""

import asyncio
import codecs
import zlib
from collections.abc import Callable
from typing import Any, Self

from dobook.errors import PlatformTypeError
from dobook.web import ReadableStream
from dobook.web.text import usv
from dobook.workers.js.objects import JsArray, relaxed
from dobook.workers.js.streams import Controller, Source, WritableStream, functions_of

_NOT_BYTES = (
    "This TransformStream is being used as a byte stream, but received an object of "
    "non-ArrayBuffer/ArrayBufferView type on its writable side."
)
_NO_SOURCE = (
    "This TransformStream is being used as a byte stream, but received a value that is not a "
    "BufferSource."
)


class TransformStream:
    """Two streams: what is written to `writable` is read from `readable`, transformed or not.

    Example:
        >>> async def shouted(texts):
        ...     louder = TransformStream.new(transform=lambda text, out: out.enqueue(text.upper()))
        ...     return [text async for text in ReadableStream.of_values(texts).pipeThrough(louder)]
        >>> await shouted(["hi"])
        ['HI']
    """

    def __init__(self, transformer: Any = None, **functions: Any) -> None:
        self._functions = functions_of(transformer, functions)
        self._wanted = asyncio.Event()
        self._source = Source({"pull": self._wanted.set, "cancel": self._cancelled})
        controller: Any = self._source.controller
        controller.terminate = self._terminate
        self.readable = ReadableStream.of_values(self._source)
        self.writable = WritableStream(write=self._write, close=self._close, abort=self._abort)
        start = self._functions.get("start")
        begun: Any = None if start is None else relaxed(start, controller)
        self._starting = asyncio.ensure_future(begun) if hasattr(type(begun), "__await__") else None

    @classmethod
    def new(cls, transformer: Any = None, *strategies: Any, **functions: Any) -> Self:
        """Return a pair of streams.

        Args:
            transformer: An object with `start`, `transform` and `flush`; None passes all on.
            *strategies: Mean nothing here.
            **functions: The same functions by name.
        """
        del strategies
        return cls(transformer, **functions)

    def object_values(self) -> JsArray:
        """Return both sides, the readable one first."""
        return JsArray([self.readable, self.writable])

    async def _write(self, piece: Any) -> None:
        await self._started()
        await self._wanted.wait()
        controller = self._source.controller
        transform = self._functions.get("transform")
        try:
            if transform is None:
                controller.enqueue(piece)
            else:
                await _done(relaxed(transform, piece, controller))
        except Exception as error:
            controller.error(error)
            raise
        if controller.failure is not None:
            raise controller.failure
        if controller.pieces:
            self._wanted.clear()

    async def _close(self) -> None:
        await self._started()
        controller = self._source.controller
        flush = self._functions.get("flush")
        try:
            await _done(None if flush is None else relaxed(flush, controller))
        except Exception as error:
            controller.error(error)
            raise
        controller.close()

    async def _started(self) -> None:
        if self._starting is not None:
            await self._starting

    def _abort(self, reason: Any = None) -> None:
        self._source.controller.error(self.writable.failure or reason)

    def _cancelled(self, reason: Any = None) -> None:
        self.writable.fail(
            reason
            if isinstance(reason, BaseException)
            else PlatformTypeError("This TransformStream's readable side has been cancelled.")
        )

    def _terminate(self) -> None:
        Controller.close(self._source.controller)
        self.writable.fail(PlatformTypeError("The transform stream has been terminated"))


class IdentityTransformStream(TransformStream):
    """A pair of streams of bytes; texts that are written are encoded."""

    def __init__(self) -> None:
        super().__init__(transform=self._passed)

    @classmethod
    def new(cls, *options: Any) -> Self:
        """Return a pair of streams."""
        del options
        return cls()

    def _passed(self, piece: Any, controller: Controller) -> None:
        if data := _encoded(piece):
            controller.enqueue(data)


class FixedLengthStream(TransformStream):
    """A pair of streams of so many bytes: a response with it has a Content-Length."""

    def __init__(self, length: int) -> None:
        super().__init__(transform=self._passed, flush=self._over)
        self._left = self.readable.expected = int(length)

    @classmethod
    def new(cls, length: int, *options: Any) -> Self:  # type: ignore[override]
        """Return a pair of streams."""
        del options
        return cls(length)

    def _passed(self, piece: Any, controller: Controller) -> None:
        data = _encoded(piece)
        self._left -= len(data)
        if self._left < 0:
            raise PlatformTypeError("Attempt to write too many bytes through a FixedLengthStream.")
        if data:
            controller.enqueue(data)

    def _over(self) -> None:
        if self._left:
            raise PlatformTypeError(
                "FixedLengthStream did not see all expected bytes before close()."
            )


class TextEncoderStream(TransformStream):
    """Texts to bytes."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__(transform=lambda text, out: out.enqueue(usv(str(text)).encode()))

    @classmethod
    def new(cls) -> Self:  # type: ignore[override]
        """Return a pair of streams."""
        return cls()


class TextDecoderStream(TransformStream):
    """Bytes to texts; a character may come in two pieces."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.encoding = encoding.lower()
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._fresh = True
        super().__init__(
            transform=lambda piece, out: self._decode(out, decoder.decode(_source(piece))),
            flush=lambda out: self._decode(out, decoder.decode(b"", final=True)),
        )

    @classmethod
    def new(  # type: ignore[override]
        cls, encoding: str = "utf-8", *options: Any, **keywords: Any
    ) -> Self:
        """Return a pair of streams."""
        del options, keywords
        return cls(encoding)

    def _decode(self, out: Controller, text: str) -> None:
        if self._fresh:
            text = text.removeprefix("\ufeff")
        if text:
            self._fresh = False
            out.enqueue(text)


_WINDOW = {"gzip": 31, "deflate": 15, "deflate-raw": -15}


class CompressionStream(TransformStream):
    """Bytes to compressed bytes: "gzip", "deflate" or "deflate-raw"."""

    def __init__(self, kind: str) -> None:
        packer = zlib.compressobj(wbits=_window(kind))
        _through(super().__init__, packer.compress, packer.flush)

    @classmethod
    def new(cls, kind: str) -> Self:  # type: ignore[override]
        """Return a pair of streams."""
        return cls(kind)


class DecompressionStream(TransformStream):
    """Compressed bytes to bytes."""

    def __init__(self, kind: str) -> None:
        unpacker = zlib.decompressobj(wbits=_window(kind))

        def unpack(data: bytes) -> bytes:
            try:
                unpacked = unpacker.decompress(data)
            except zlib.error:
                raise PlatformTypeError("Decompression failed.") from None
            if unpacker.unused_data:
                raise PlatformTypeError("Trailing bytes after end of compressed data")
            return unpacked

        def flush() -> bytes:
            if not unpacker.eof:
                raise PlatformTypeError(
                    "Called close() on a decompression stream with incomplete data"
                )
            return b""

        _through(super().__init__, unpack, flush)

    @classmethod
    def new(cls, kind: str) -> Self:  # type: ignore[override]
        """Return a pair of streams."""
        return cls(kind)


def _through(
    begin: Callable[..., None], change: Callable[[bytes], bytes], end: Callable[[], bytes]
) -> None:
    def put(out: Controller, data: bytes) -> None:
        if data:
            out.enqueue(data)

    begin(
        transform=lambda piece, out: put(out, change(_source(piece))),
        flush=lambda out: put(out, end()),
    )


def _window(kind: str) -> int:
    if kind not in _WINDOW:
        raise PlatformTypeError(
            "The compression format must be either 'deflate', 'deflate-raw' or 'gzip'."
        )
    return _WINDOW[kind]


def _source(piece: Any) -> bytes:
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise PlatformTypeError(_NO_SOURCE)
    return bytes(piece)


def _encoded(piece: Any) -> bytes:
    if isinstance(piece, str):
        return usv(piece).encode()
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise PlatformTypeError(_NOT_BYTES)
    return bytes(piece)


async def _done(result: Any) -> None:
    if hasattr(type(result), "__await__"):
        await result
