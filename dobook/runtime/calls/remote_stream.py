"""Streams from one side to another: a body, or an argument of a call.

A stream stays where it was made. What the other side gets is one that asks for its pieces: a task
of the side it comes from, which passes that object's gates and keeps it in memory, fetches them
one by one as they are wanted. Reading works on any loop, as awaiting a call does.

Source: cloudflare/workerd src/workerd/api/streams/internal.c++ (`waitForOutputLocks`),
src/workerd/api/streams/standard.c++ (`PumpToReader`)
"""

import asyncio
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Self

from dobook.errors import PlatformError, PlatformTypeError
from dobook.runtime.calls.rpc import carry_error
from dobook.runtime.loop.frame import EXTERNAL, current_frame
from dobook.runtime.loop.loop import running_loop
from dobook.web import ReadableStream, Request
from dobook.web.streams import END

if TYPE_CHECKING:
    from dobook.runtime.protocols import Instance, Kernel

LOST: Final = "Network connection lost."


def conveyed(stream: ReadableStream, home: "Instance | None", runtime: "Kernel") -> ReadableStream:
    """Return a stream as the other side gets it; nobody else can read it from then on.

    Args:
        stream: The stream.
        home: The object it comes from, None from outside.
        runtime: Theirs.

    Raises:
        PlatformTypeError: If it is being read already.
    """
    if stream.buffered is not None or isinstance(stream.source, Conveyor):
        return stream  # buffered bytes need no sender, and a received stream may be passed on
    if stream.locked:
        raise PlatformTypeError("The ReadableStream has been locked to a reader.")
    conveyor = Conveyor(stream, home, runtime)
    stream.getReader()
    far = ReadableStream(conveyor)
    far.expected = stream.expected
    return far


def send_body(request: Request, runtime: "Kernel") -> None:
    """Convey the body of a request that the running code sends.

    Raises:
        PlatformTypeError: If it is being read already.
    """
    body = request._body
    if type(body) is ReadableStream:
        frame = current_frame.get()
        request._body = conveyed(body, None if frame is None else frame.instance, runtime)


class Conveyor:
    """The source of a stream that has come from elsewhere.

    Args:
        stream: The stream there.
        home: The object there, None for outside.
        runtime: Theirs.
    """

    def __init__(self, stream: ReadableStream, home: "Instance | None", runtime: "Kernel") -> None:
        self._runtime = runtime
        self._pump = _Pump(stream, home, runtime)
        self._given_up = weakref.finalize(self, _give_up, runtime, self._pump)
        self._given_up.atexit = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._here(self._pump.next)
        if piece is END:
            raise StopAsyncIteration
        return piece  # type: ignore[no-any-return]

    async def cancel(self, reason: object = None) -> None:
        """Tell the other side that nobody reads any more."""
        await self._here(self._pump.cancel, reason)

    async def _here(self, work: Any, *args: Any) -> Any:
        """Run something on the runtime's loop, from any loop."""
        if running_loop() is self._runtime.loop:
            return await work(*args)
        return await self._runtime.post.promise_of(work(*args))


class _Pump:
    """The reader of a stream, on the side it comes from."""

    def __init__(self, stream: ReadableStream, home: "Instance | None", runtime: "Kernel") -> None:
        self.task: asyncio.Task[Any] | None = None
        self._stream = stream
        self._home = home
        self._runtime = runtime
        self._readers: deque[asyncio.Future[Any]] = deque()
        self._untaken: deque[bytes] = deque()  # the reader that asked for them was cancelled
        self._wanted = asyncio.Event()
        self._over = False
        self._failure: BaseException | None = None

    async def next(self) -> Any:
        """Return the next piece, or END."""
        if self._untaken:
            return self._untaken.popleft()
        if self._failure is not None:
            raise self._failure
        if self._over:
            return END
        reader: asyncio.Future[Any] = self._runtime.loop.create_future()
        if current_frame.get() is not None:
            setattr(reader, EXTERNAL, True)
        self._readers.append(reader)
        self._wanted.set()
        if self.task is None:
            self._begin(self._run())
        return await reader

    async def cancel(self, reason: object = None) -> None:
        """Close the source, where it is."""
        self._over = True
        closing = self._start(self._close(reason))
        if closing is not None:
            await closing

    def drop(self) -> None:
        """Stop the source: nobody can read any more."""
        if not self._over:
            self._over = True
            self._start(self._close(None))

    async def _close(self, reason: object) -> None:
        if self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait({self.task})
        await self._stream.close_source(reason)

    def _begin(self, work: object) -> None:
        self.task = self._start(work)
        if self.task is None:
            assert self._home is not None
            self._end(carry_error(self._home.dead or PlatformError(LOST), remote=False))
        else:
            self.task.add_done_callback(self._stopped)

    def _start(self, work: Any) -> "asyncio.Task[Any] | None":
        """Start a task of the side that the stream comes from; None if it is gone."""
        home, runtime = self._home, self._runtime
        if home is not None and home.dead is not None:
            work.close()
            return None
        context = (runtime.context if home is None else home.context()).copy()
        task: asyncio.Task[Any] = runtime.loop.create_task(work, context=context)
        runtime.post.keep(task)
        return task

    async def _run(self) -> None:
        stream = self._stream
        while True:
            await self._wanted.wait()
            try:
                piece = await stream.pull_bytes()
                if self._home is not None:
                    await self._durable(self._home)
            except Exception as error:
                self._end(carry_error(error, remote=self._home is not None))
                return
            if piece is END:
                self._end(None)
                return
            if piece:
                self._hand_over(piece)

    async def _durable(self, home: "Instance") -> None:
        """Wait until the object's writes are durable: a piece may depend on them."""
        if home.output_gate.commit is not None:
            done = asyncio.Event()
            home.output_gate.pass_through(done.set, leaves=True)
            await done.wait()
        self._runtime.stores.leave()

    def _hand_over(self, piece: bytes) -> None:
        while self._readers:
            reader = self._readers.popleft()
            if not reader.done():
                reader.set_result(piece)
                break
        else:
            self._untaken.append(piece)
        if not self._readers:
            self._wanted.clear()

    def _end(self, failure: BaseException | None) -> None:
        self._over = True
        self._failure = failure
        for reader in self._readers:
            if reader.done():
                continue
            if failure is None:
                reader.set_result(END)
            else:
                reader.set_exception(failure)
        self._readers.clear()

    def _stopped(self, task: "asyncio.Task[Any]") -> None:
        """End the stream after its task; if nobody ended the stream, its object is gone."""
        if self._over:
            return
        dead = None if self._home is None else self._home.dead
        error = dead or (None if task.cancelled() else task.exception()) or PlatformError(LOST)
        self._end(carry_error(error, remote=False))


def _give_up(runtime: "Kernel", pump: _Pump) -> None:
    if pump.task is None or pump.task.done() or runtime.closed:
        return
    runtime.loop.call_soon(pump.drop, context=runtime.context)
