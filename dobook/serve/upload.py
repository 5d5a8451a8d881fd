"""The body of a request that is still coming, as the handler reads it piece by piece.

A client that sends faster than it is read is made to wait.
Source: developers.cloudflare.com/workers/runtime-apis/streams/
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Self

from dobook.runtime.calls.turns import EXTERNAL
from dobook.web import ReadableStream

MOST_HELD: Final = 262_144  # bytes that wait to be read, before the client has to


class Upload:
    """What a connection puts a body's pieces into, and the source of the stream the handler reads.

    Args:
        loop: The runtime's.
        transport: The connection's; it is read no further while enough is waiting.
        patience: Called with whether the client is expected to send more.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        patience: Callable[[bool], None],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._patience = patience
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._over = False
        self._dropped = False  # nobody reads on
        self._failure: Exception | None = None
        self._reader: asyncio.Future[None] | None = None

    # ------------------------------------------------------------------ the connection's side

    def stream(self, length: str) -> ReadableStream:
        """Return the body for a request.

        Args:
            length: What the header says of its length, which may be nothing.
        """
        stream = ReadableStream(self)
        stream.expected = int(length) if length.isdigit() else None
        return stream

    def feed(self, piece: bytes) -> None:
        """Take a piece that has come."""
        if self._dropped:
            return
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > MOST_HELD:
            self._hold_back(True)  # noqa: FBT003
        self._wake()

    def end(self) -> None:
        """The body is complete."""
        self._over = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """The rest of the body will not come."""
        if not self._over:
            self._failure = error
            self._wake()

    def drop(self) -> None:
        """Nobody reads on: what comes is thrown away."""
        self._dropped = self._over = True
        self._pieces.clear()
        self._hold_back(False)  # noqa: FBT003
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
        piece = self._pieces.popleft()
        before, self._held = self._held, self._held - len(piece)
        if self._held <= MOST_HELD < before and not self._over:
            self._hold_back(False)  # noqa: FBT003
        return piece

    def _hold_back(self, hold: bool) -> None:  # noqa: FBT001
        if hold:
            self._transport.pause_reading()
        elif not self._transport.is_closing():
            self._transport.resume_reading()
        self._patience(not hold)

    async def cancel(self, reason: Any = None) -> None:
        """Throw the rest away."""
        del reason
        self.drop()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)
