"""The body of a request that is still coming, as the handler reads it.

What has come since the handler last read is one piece: many small chunks cost no more memory than
their bytes. A client that sends faster than it is read is made to wait by its connection.
Source: developers.cloudflare.com/workers/runtime-apis/streams/
"""

import asyncio
from collections.abc import Callable
from typing import Self

from dobook.runtime.loop.frame import EXTERNAL
from dobook.web import ReadableStream


class Upload:
    """What a connection puts a body's pieces into, and the source of the stream the handler reads.

    Args:
        loop: The runtime's.
        read: Called when the handler has taken what was held.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, read: Callable[[], None]) -> None:
        self._loop = loop
        self._read = read
        self._pieces = bytearray()
        self._over = False
        self._dropped = False  # nobody reads on
        self._failure: Exception | None = None
        self._reader: asyncio.Future[None] | None = None

    @property
    def held(self) -> int:
        """How many bytes wait to be read."""
        return len(self._pieces)

    # ------------------------------------------------------------------ the connection's side

    def stream(self, length: str) -> ReadableStream:
        """Return the body for a request.

        Args:
            length: What the header says of its length, which may be nothing.
        """
        stream = ReadableStream(self)
        stream.expected = int(length) if length.isdigit() else None
        return stream

    def feed(self, piece: bytes | bytearray) -> None:
        """Take a piece that has come."""
        if self._dropped:
            return
        self._pieces += piece
        self._wake()

    def end(self) -> None:
        """End the body, which is complete."""
        self._over = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """Fail the body: the rest of it will not come."""
        if not self._over:
            self._failure = error
            self._wake()

    def drop(self) -> None:
        """Drop what comes from now on: nobody reads any more."""
        self._dropped = self._over = True
        self._pieces.clear()
        self._read()
        self._wake()

    # ------------------------------------------------------------------ the reader's side

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self._over:
                raise StopAsyncIteration
            self._reader = self._loop.create_future()
            setattr(self._reader, EXTERNAL, True)
            await self._reader
        piece = bytes(self._pieces)
        self._pieces.clear()
        self._read()
        return piece

    async def cancel(self, reason: object = None) -> None:
        """Throw the rest away."""
        del reason
        self.drop()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)
