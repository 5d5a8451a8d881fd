"""Streams that code of the user fills: `ReadableStream.new(pull=…)`, `WritableStream.new(write=…)`.

Source: developers.cloudflare.com/workers/runtime-apis/streams/, streams.spec.whatwg.org
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Self

from dobook.errors import PlatformError, PlatformTypeError
from dobook.runtime.calls.promise import NOTHING, Pending, Promise, Rejected
from dobook.web import ReadableStream
from dobook.workers.js.objects import relaxed


def functions_of(source: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the functions of a source, sink or transformer, whether it is an object or keywords."""
    if source is not None and not isinstance(source, Mapping):
        names = ("start", "pull", "cancel", "write", "close", "abort", "transform", "flush", "type")
        source = {n: getattr(source, n) for n in names if hasattr(source, n)}
    return {**(source or {}), **given}


class Controller:
    """What a source puts its pieces into: `enqueue`, `close`, `error`."""

    def __init__(self) -> None:
        self.pieces: deque[Any] = deque()
        self.closed = False
        self.failure: BaseException | None = None
        self._news = asyncio.Event()

    @property
    def desiredSize(self) -> int | None:
        """How many pieces there is room for; below one a source had better wait."""
        if self.failure is not None:
            return None
        return 0 if self.closed else 1 - len(self.pieces)

    def enqueue(self, piece: Any = None) -> None:
        """Put a piece in.

        Raises:
            PlatformTypeError: If the stream has been closed.
        """
        if self.closed:
            raise PlatformTypeError("This ReadableStream is closed.")
        self.pieces.append(bytes(piece) if hasattr(type(piece), "_as_value_") else piece)
        self._news.set()

    def close(self) -> None:
        """Close the stream: nothing more will follow."""
        self.closed = True
        self._news.set()

    def error(self, reason: Any = None) -> None:
        """Fail the stream."""
        if self.failure is None:
            self.failure = as_error(reason)
        self._news.set()

    terminate = close

    async def news(self) -> None:
        """Wait until there is a piece, an end or an error."""
        while not (self.pieces or self.closed or self.failure):
            self._news.clear()
            await self._news.wait()


class Source:
    """What is read from a stream whose pieces functions of the user provide.

    `start` is called at once, `pull` whenever a reader waits and there is nothing for it.
    """

    def __init__(self, functions: Mapping[str, Any]) -> None:
        self.controller = Controller()
        self._pull = functions.get("pull")
        self._cancel = functions.get("cancel")
        self._starting: asyncio.Future[Any] | None = None
        start = functions.get("start")
        if start is not None:
            begun = relaxed(start, self.controller)
            if hasattr(type(begun), "__await__"):
                self._starting = asyncio.ensure_future(begun)
                self._starting.add_done_callback(self._started)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        controller = self.controller
        while not controller.pieces:
            if controller.failure is not None:
                raise controller.failure
            if controller.closed:
                raise StopAsyncIteration
            if self._pull is not None and (self._starting is None or self._starting.done()):
                pulled = relaxed(self._pull, controller)
                if hasattr(type(pulled), "__await__"):
                    await pulled
            await controller.news()
        return controller.pieces.popleft()

    async def cancel(self, reason: Any = None) -> None:
        """Tell the user's code that nobody reads any more."""
        self.controller.pieces.clear()
        self.controller.close()
        if self._cancel is not None:
            cancelled = relaxed(self._cancel, reason)
            if hasattr(type(cancelled), "__await__"):
                await cancelled

    def _started(self, starting: "asyncio.Future[Any]") -> None:
        if not starting.cancelled() and (error := starting.exception()) is not None:
            self.controller.error(error)
        elif self._pull is not None:
            self.controller._news.set()  # noqa: SLF001 - a waiting reader can pull now


def from_source(source: Any, given: Mapping[str, Any]) -> ReadableStream:
    """Return a stream that a source's `start`, `pull` and `cancel` drive.

    Args:
        source: An object with these functions, or anything a stream can be made of.
        given: The same functions by name.
    """
    if hasattr(type(source), "__aiter__") or isinstance(source, list | tuple):
        return ReadableStream.of_values(source)
    return ReadableStream.of_values(Source(functions_of(source, given)))


class Writer:
    """The one holder of a writable side: `write`, `close`, `abort`.

    What a method does begins when it is called; awaiting `write` waits until the piece was taken.
    """

    def __init__(self, stream: "WritableStream") -> None:
        self._stream: WritableStream | None = stream

    @property
    def desiredSize(self) -> int | None:
        """How many pieces there is room for; None once the stream has failed."""
        return self._held().desired_size

    @property
    def ready(self) -> Promise:
        """A promise that there is room for a piece."""
        return self._held().ready()

    @property
    def closed(self) -> Promise:
        """A promise of the end; it fails if the stream does."""
        return Pending(self._held().over)

    def write(self, piece: Any = None) -> Promise:
        """Put a piece in; returns a promise that it was taken."""
        try:
            return self._held().put(piece)
        except PlatformTypeError as error:
            return Rejected(error)

    def close(self) -> Promise:
        """Close the stream: nothing more will follow; returns a promise that all was taken."""
        return self._held().finish()

    def abort(self, reason: Any = None) -> Promise:
        """Abort the stream: what was not taken yet is dropped, the other side fails."""
        return self._held().give_up(reason)

    def releaseLock(self) -> None:
        """Release the writable side."""
        if self._stream is not None:
            self._stream.locked = False
            self._stream = None

    def _held(self) -> "WritableStream":
        if self._stream is None:
            raise PlatformTypeError("This WritableStream writer has been released.")
        return self._stream


_CLOSE = object()


class WritableStream:
    """A stream that is written to: a sink's functions get the pieces one after the other.

    Example:
        >>> got = []
        >>> stream = WritableStream.new(write=got.append)
        >>> await stream.getWriter().write(b"hi")
        >>> got
        [b'hi']
    """

    def __init__(self, sink: Any = None, **functions: Any) -> None:
        self.locked = False
        self.failure: BaseException | None = None
        self._functions = functions_of(sink, functions)
        self._queue: deque[tuple[Any, asyncio.Future[None]]] = deque()
        self._work: asyncio.Future[None] | None = None
        self._closing = False
        self._room = asyncio.Event()
        self._over: asyncio.Future[None] | None = None
        self._start: Any = self._functions.get("start")

    @classmethod
    def new(cls, sink: Any = None, strategy: Any = None, **functions: Any) -> Self:
        """Return a stream for a sink's `start`, `write`, `close` and `abort`."""
        del strategy
        return cls(sink, **functions)

    def getWriter(self) -> Writer:
        """Lock the stream and return its writer.

        Raises:
            PlatformTypeError: If it is locked already.
        """
        if self.locked:
            raise PlatformTypeError("This WritableStream is currently locked to a writer.")
        self.locked = True
        return Writer(self)

    def close(self) -> Promise:
        """Close the stream: nothing more will follow."""
        return self._unlocked() or self.finish()

    def abort(self, reason: Any = None) -> Promise:
        """Abort the stream."""
        return self._unlocked() or self.give_up(reason)

    def _carried_(self, home: Any, receiver: Any) -> "WritableStream":
        """Return what the other side of a call gets: what is written there arrives in this one.

        Raises:
            PlatformTypeError: If somebody writes to this one already.
        """
        from dobook.workers.js.remote_streams import lent

        return lent(self.getWriter(), home, receiver)

    # ------------------------------------------------------------------ what writers use

    @property
    def over(self) -> "asyncio.Future[None]":
        """The end, as a future."""
        if self._over is None:
            self._over = _future()
        return self._over

    @property
    def desired_size(self) -> int | None:
        """How many pieces there is room for."""
        if self.failure is not None:
            return None
        return 0 if self._closing else 1 - len(self._queue)

    def ready(self) -> Promise:
        """Return a promise that there is room."""
        return Pending(asyncio.ensure_future(self._wait_for_room())) if self._queue else NOTHING

    def put(self, piece: Any) -> Promise:
        """Take a piece; returns a promise that the sink has it."""
        if self.failure is not None:
            return Rejected(self.failure)
        if self._closing:
            return Rejected(PlatformTypeError("This WritableStream has been closed."))
        return self._enqueue(bytes(piece) if hasattr(type(piece), "_as_value_") else piece)

    def finish(self) -> Promise:
        """Take note that nothing more will follow."""
        if self.failure is not None:
            return Rejected(self.failure)
        if self._closing:
            return Rejected(PlatformTypeError("This WritableStream has been closed."))
        self._closing = True
        return self._enqueue(_CLOSE)

    def give_up(self, reason: Any = None) -> Promise:
        """Drop what was not taken yet and tell the sink."""
        if self.failure is not None or self.over.done():
            return NOTHING
        self.fail(as_error(reason))
        abort = self._functions.get("abort")
        result: Any = None if abort is None else relaxed(abort, reason)
        if not hasattr(type(result), "__await__"):
            return NOTHING
        return Pending(asyncio.ensure_future(result))

    def fail(self, error: BaseException) -> None:
        """Fail all writes from now on."""
        if self.failure is not None:
            return
        self.failure = error
        self._room.set()
        queue, self._queue = self._queue, deque()
        for _, future in queue:
            _settle(future, error)
        _settle(self.over, error)

    def _enqueue(self, piece: Any) -> Promise:
        future = _future()
        self._queue.append((piece, future))
        if self._work is None or self._work.done():
            self._work = asyncio.ensure_future(self._run())
        return Pending(future)

    async def _run(self) -> None:
        try:
            if self._start is not None:
                start, self._start = self._start, None
                await _called(start, self)
            while self._queue:
                piece, future = self._queue[0]
                if piece is _CLOSE:
                    await _called(self._functions.get("close"))
                else:
                    await _called(self._functions.get("write"), piece, self)
                if not self._queue:
                    return  # it failed meanwhile
                self._queue.popleft()
                self._room.set()
                _settle(future)
                if piece is _CLOSE:
                    _settle(self.over)
        except Exception as error:
            self.fail(error)

    async def _wait_for_room(self) -> None:
        while self._queue and self.failure is None:
            self._room.clear()
            await self._room.wait()
        if self.failure is not None:
            raise self.failure

    def error(self, reason: Any = None) -> None:
        """Fail the stream; a sink's functions call this on their controller."""
        self.fail(as_error(reason))

    def _unlocked(self) -> Promise | None:
        if not self.locked:
            return None
        return Rejected(PlatformTypeError("This WritableStream is currently locked to a writer."))


def as_error(reason: Any) -> BaseException:
    """Return what was given as a reason as an error."""
    if isinstance(reason, BaseException):
        return reason
    return PlatformError("The stream was aborted." if reason is None else str(reason))


async def _called(function: Any, *args: Any) -> None:
    result: Any = None if function is None else relaxed(function, *args)
    if hasattr(type(result), "__await__"):
        await result


def _future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


def _settle(future: "asyncio.Future[None]", error: BaseException | None = None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
        future.exception()  # nobody has to look
