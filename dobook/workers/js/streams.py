"""Streams that code of the user fills: `ReadableStream.new(pull=…)`, `TransformStream.new()`.

Source: developers.cloudflare.com/workers/runtime-apis/streams/
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from dobook.errors import PlatformError, PlatformTypeError
from dobook.web import ReadableStream
from dobook.workers.js.objects import JsArray, relaxed


class Controller:
    """What a source puts its pieces into: `enqueue`, `close`, `error`."""

    desiredSize = 1

    def __init__(self) -> None:
        self.pieces: deque[Any] = deque()
        self.closed = False
        self.failure: BaseException | None = None
        self._news = asyncio.Event()

    def enqueue(self, piece: Any) -> None:
        """Put a piece in: bytes or a text.

        Raises:
            PlatformTypeError: If the stream has been closed.
        """
        if self.closed:
            raise PlatformTypeError("This ReadableStream is closed.")
        self.pieces.append(bytes(piece) if hasattr(type(piece), "_as_value_") else piece)
        self._news.set()

    def close(self) -> None:
        """Say that nothing more will follow."""
        self.closed = True
        self._news.set()

    def error(self, reason: Any = None) -> None:
        """Have the stream fail."""
        self.failure = reason if isinstance(reason, BaseException) else PlatformError(str(reason))
        self._news.set()

    terminate = close

    async def news(self) -> None:
        """Wait until there is a piece, an end or an error."""
        while not (self.pieces or self.closed or self.failure):
            self._news.clear()
            await self._news.wait()


def from_source(source: Any, given: Mapping[str, Any]) -> ReadableStream:
    """Return a stream that a source's `start`, `pull` and `cancel` drive.

    Args:
        source: An object with these functions, or anything a stream can be made of.
        given: The same functions by name.
    """
    if source is not None and not isinstance(source, Mapping):
        return ReadableStream(source)
    functions = {**(source or {}), **given}
    return ReadableStream(_pieces(functions))


async def _pieces(functions: Mapping[str, Any]) -> AsyncIterator[Any]:
    controller = Controller()
    over = False
    try:
        start = functions.get("start")
        starting = None if start is None else _begun(relaxed(start, controller))
        pull = functions.get("pull")
        while True:
            while controller.pieces:
                yield controller.pieces.popleft()
            if controller.failure is not None:
                raise controller.failure
            if controller.closed:
                over = True
                return
            if starting is not None and not starting.done():
                news = asyncio.ensure_future(controller.news())
                await asyncio.wait({starting, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                continue
            if starting is not None:
                starting.result()
            if pull is not None:
                pulled = relaxed(pull, controller)
                if hasattr(type(pulled), "__await__"):
                    await pulled
            await controller.news()
    finally:
        cancel = functions.get("cancel")
        if not over and controller.failure is None and cancel is not None:
            cancelled = relaxed(cancel, None)
            if hasattr(type(cancelled), "__await__"):
                await cancelled


def _begun(result: Any) -> "asyncio.Future[Any] | None":
    return asyncio.ensure_future(result) if hasattr(type(result), "__await__") else None


class Writer:
    """The one holder of a writable side: `write`, `close`, `abort`."""

    desiredSize = 1

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def write(self, piece: Any) -> None:
        """Put a piece in."""
        self._controller.enqueue(piece)

    async def close(self) -> None:
        """Say that nothing more will follow."""
        self._controller.close()

    async def abort(self, reason: Any = None) -> None:
        """Have the other side fail."""
        self._controller.error(reason or "aborted")

    def releaseLock(self) -> None:
        """Give the writable side free."""


class WritableStream:
    """The side of a TransformStream that is written to."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def getWriter(self) -> Writer:
        """Return a writer."""
        return Writer(self._controller)


class TransformStream:
    """Two streams: what is written to `writable` is read from `readable`.

    Example:
        >>> stream = TransformStream.new()
        >>> writer = stream.writable.getWriter()
        >>> await writer.write("hi")
        >>> await writer.close()
        >>> [piece async for piece in stream.readable]
        [b'hi']
    """

    def __init__(self, transformer: Any = None) -> None:
        if transformer:
            raise PlatformError(
                "dobook's TransformStream passes on what is written to it; for a transformation, "
                "transform the pieces in Python: ReadableStream.new(generator)."
            )
        controller = Controller()
        self.writable = WritableStream(controller)
        self.readable = ReadableStream(_passed(controller))

    @classmethod
    def new(cls, transformer: Any = None) -> Self:
        """Return a pair of streams."""
        return cls(transformer)

    def object_values(self) -> JsArray:
        """Return both sides, the readable one first."""
        return JsArray([self.readable, self.writable])


IdentityTransformStream = TransformStream


async def _passed(controller: Controller) -> AsyncIterator[Any]:
    while True:
        await controller.news()
        while controller.pieces:
            yield controller.pieces.popleft()
        if controller.failure is not None:
            raise controller.failure
        if controller.closed:
            return
