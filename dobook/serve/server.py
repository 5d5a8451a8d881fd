"""`Server`: a runtime behind HTTP and WebSockets, in real time, in the background.

It listens on the runtime's own loop, so that no request crosses a thread on its way to an object.
A handler's answer leaves when the writes before it are durable, as everywhere; so stopping a
server, gracefully or not, loses nothing that a client has an answer for.
"""

import asyncio
import email.utils
import functools
import logging
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import UsageError
from dobook.runtime.access import kernel_of
from dobook.runtime.worker.inbound import Answered
from dobook.serve.access import TOKEN_PARAMETER
from dobook.serve.answer import upgrade_bytes
from dobook.serve.channel import Channel
from dobook.serve.connection import Connection
from dobook.serve.frames import message_frame
from dobook.serve.head import Head, Pairs
from dobook.serve.limits import CACHE_BYTES, CACHED_BYTES, open_files
from dobook.serve.routing import Router
from dobook.serve.settings import Settings
from dobook.web import Response
from dobook.web.body import Content

if TYPE_CHECKING:
    from dobook.runtime.runtime import Runtime

SWEEP_S: Final = 1.0
BACKLOG: Final = 1_024

_log = logging.getLogger("dobook.serve")


class Server:
    """A runtime behind HTTP and WebSockets.

    Args:
        runtime: The runtime; its time becomes real while the server runs.
        settings: Where to listen and which clients to answer.
        **options: Fields of `Settings`, instead or in addition.

    Raises:
        UsageError: If others than this machine could connect and no token is given.

    Example:
        >>> import dobook, urllib.request
        >>> from dobook.web import Response
        >>> class Greeter:
        ...     def __init__(self, ctx, env): ...
        ...     async def fetch(self, request):
        ...         return Response("hello " + request.url.rpartition("/")[2])
        >>> with dobook.Runtime() as runtime:
        ...     greeters = runtime.register(Greeter, "GREETER")
        ...     with Server(runtime, port=0) as server:
        ...         urllib.request.urlopen(f"{server.url}/GREETER/a/ada").read()
        b'hello ada'
    """

    def __init__(
        self, runtime: "Runtime", settings: Settings | None = None, **options: Any
    ) -> None:
        settings = replace(settings or Settings(), **options)
        if not settings.loopback and not settings.token:
            raise UsageError(
                f"{settings.host} can be reached from other machines, so the server needs a token "
                "that its clients have to show: token=secrets.token_urlsafe()."
            )
        self.runtime = runtime
        self._kernel = kernel_of(runtime)
        self.settings = settings
        self.port = settings.port
        self.now_s = 0.0
        self.stopping = False
        self.served = 0  # requests
        self._listening: asyncio.Server | None = None
        self._emptied: asyncio.Event | None = None  # set when the last client is gone
        self._made_real = False
        self._router = Router(runtime, pages=settings.pages)
        self._connections: set[Connection] = set()
        self._channels: set[Channel] = set()
        self._flushing: list[Channel] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._most = settings.limits.connections
        self.heads: dict[tuple[str, bytes], Head] = {}  # by address and bytes
        self._heads_bytes = 0
        self._sweeping: asyncio.TimerHandle | None = None
        self._date = b""
        self._frame: tuple[Any, bytes] = ("", message_frame(""))
        self._said = _log.isEnabledFor(logging.INFO)

    # ------------------------------------------------------------------ life

    def start(self) -> "Server":
        """Start listening.

        Raises:
            UsageError: If the port is taken, or the address is not one of this machine's.
        """
        runtime = self.runtime
        self._kernel.check_open()
        if self._listening is not None:
            return self
        self.stopping = False
        self._made_real = runtime.clock.virtual
        runtime.start_real_time()
        try:
            runtime.run(self._listen())
        except OSError as error:
            if self._made_real:
                runtime.stop_real_time()
            raise UsageError(
                f"cannot listen at {self.settings.host} port {self.settings.port}: "
                f"{error.strerror or error}. Choose another one; port 0 takes any that is free."
            ) from error
        self._kernel.on_close.append(self.stop)
        return self

    async def _listen(self) -> None:
        loop = self._kernel.loop
        self._listening = await loop.create_server(
            functools.partial(Connection, self),
            self.settings.host.strip("[]"),
            self.settings.port,
            backlog=BACKLOG,
        )
        self.port = self._listening.sockets[0].getsockname()[1]
        self._most = min(self.settings.limits.connections, open_files())
        self._sweep()

    def stop(self, grace_ms: int = 5_000) -> None:
        """Stop: no new connections, answers under way are given a while, then everything closes.

        Time is virtual again afterwards if it was before. Twice is fine.

        Args:
            grace_ms: How long requests under way may take to be answered.
        """
        if self._listening is None or self._kernel.closed:
            return
        if self.stop in self._kernel.on_close:
            self._kernel.on_close.remove(self.stop)
        self.runtime.run(self._close(grace_ms / 1000))
        if self._made_real:
            self.runtime.stop_real_time()

    async def _close(self, grace_s: float) -> None:
        listening, self._listening = self._listening, None
        assert listening is not None
        self.stopping = True
        listening.close()
        for connection in list(self._connections):
            if not connection.busy:
                connection.close()
        for channel in list(self._channels):
            channel.go_away()
        if self._connections or self._channels:
            self._emptied = asyncio.Event()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), grace_s)
        for connection in list(self._connections):
            connection.abort()
        for channel in list(self._channels):
            channel.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.sleep(0)  # for the sockets to be closed
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._forget_heads()

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._listening is not None

    @property
    def clients(self) -> int:
        """How many connections are open, WebSockets included."""
        return len(self._connections) + len(self._channels)

    @property
    def url(self) -> str:
        """Where it can be reached on this machine, without a slash at the end."""
        host = self.settings.host
        if host in ("0.0.0.0", "::", ""):
            host = "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{self.port}"

    @property
    def url_with_token(self) -> str:
        """The URL to open first: with the token, where there is one."""
        token = self.settings.token
        return f"{self.url}/?{TOKEN_PARAMETER}={token}" if token else f"{self.url}/"

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<dobook.serve.Server at {self.url}, {'running' if self.running else 'stopped'}>"

    # ------------------------------------------------------------------ what connections call

    def opened(self, connection: Connection) -> bool:
        """Count a connection; returns whether there is room for it."""
        self._connections.add(connection)
        return self.clients <= self._most

    def gone(self, connection: Connection) -> None:
        """Forget a connection that is over or has become a WebSocket."""
        self._connections.discard(connection)
        self._note_empty()

    def keep_head(self, peer: str, head: Head, target: bytes, pairs: Pairs) -> None:
        """Keep a head for when the same bytes come again from that address."""
        lines = [b"%b %b HTTP/1.1" % (head.method.encode(), target)]
        lines += [b"%b: %b" % pair for pair in pairs]
        data = b"\r\n".join(lines) + b"\r\n\r\n"
        if len(data) <= CACHED_BYTES and head.chunks:
            size = 3 * len(data) + 1_024  # bytes, texts, and the objects around them
            if self._heads_bytes + size > CACHE_BYTES:
                self._forget_heads()
            if (peer, data) not in self.heads:
                self._heads_bytes += size
                self.heads[peer, data] = head

    def _forget_heads(self) -> None:
        self.heads.clear()
        self._heads_bytes = 0

    def route(self, head: Head, body: Content, answered: Answered) -> None:
        """Pass a request on."""
        self._router.send(head, body, answered)

    def upgrade(self, transport: asyncio.Transport, head: Head, response: Response) -> None:
        """Make a connection a WebSocket."""
        old = transport.get_protocol()
        assert isinstance(old, Connection)
        end = response._web_socket._end
        if not head.key:  # the handler has answered 101 to a request that was not a handshake
            transport.close()
            return
        self.gone(old)
        transport.write(upgrade_bytes(head, response))
        channel = Channel(self, transport, end)
        self._channels.add(channel)
        transport.resume_reading()
        if old.reader.rest:
            channel.data_received(bytes(old.reader.rest))

    def failed(self, head: Head, error: BaseException | None) -> Response:
        """Return the answer to a request whose object raised."""
        text = f"{type(error).__name__}: {error}"
        _log.error("%s %s: %s", head.method, head.target, text)
        body = "" if head.method == "HEAD" else f"The Durable Object threw an exception: {text}\n"
        return Response(body, status=500)._delivered(head.url)

    def report(self, head: Head, error: BaseException) -> None:
        """Record an error after which no answer can be sent."""
        _log.error("%s %s broke off: %s: %s", head.method, head.target, type(error).__name__, error)

    def log(self, head: Head, response: Response) -> None:
        """Count an answer, and log it if anybody reads that."""
        self.served += 1
        if self._said:
            _log.info("%s %s %d", head.method, head.target, response._status)

    def keep_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that a connection has to wait for."""
        task = self._kernel.loop.create_task(work, context=self._kernel.context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def date(self) -> bytes:
        """Return the line of the Date header."""
        return self._date

    # ------------------------------------------------------------------ what channels call

    def channel_gone(self, channel: Channel) -> None:
        """Forget a WebSocket that is over."""
        self._channels.discard(channel)
        self._note_empty()

    def _note_empty(self) -> None:
        if self._emptied is not None and not self._connections and not self._channels:
            self._emptied.set()

    def frame_of(self, message: str | bytes) -> bytes:
        """Return a message's frame; what goes to many is made once."""
        last, frame = self._frame
        if message is not last:
            frame = message_frame(message)
            self._frame = (message, frame)
        return frame

    def to_flush(self, channel: Channel) -> None:
        """Write what a channel has to say at the end of this tick."""
        if not self._flushing:
            self._kernel.loop.call_soon(self._flush)
        self._flushing.append(channel)

    def _flush(self) -> None:
        flushing, self._flushing = self._flushing, []
        for channel in flushing:
            channel.flush()

    # ------------------------------------------------------------------ from time to time

    def _sweep(self) -> None:
        self.sweep()
        self._sweeping = self._kernel.loop.call_later(SWEEP_S, self._sweep)

    def sweep(self) -> None:
        """Check all clients for silent, slow or lost ones."""
        now_s = self.now_s = self._kernel.loop.time()
        self._date = f"Date: {email.utils.formatdate(time.time(), usegmt=True)}\r\n".encode()
        self._said = _log.isEnabledFor(logging.INFO)
        for connection in list(self._connections):
            connection.check(now_s)
        for channel in list(self._channels):
            channel.check(now_s)


def serve(
    runtime: "Runtime",
    *,
    ready: Callable[[Server], None] | None = None,
    settings: Settings | None = None,
    **options: Any,
) -> None:
    """Serve a runtime until the process is interrupted or told to end; then stop gracefully.

    Args:
        runtime: The runtime; it stays open.
        ready: Called with the server once it listens, to say where.
        settings: Where to listen and which clients to answer.
        **options: Fields of `Settings`, instead or in addition.

    Raises:
        UsageError: As `Server`.
    """
    over = threading.Event()

    def told(_signum: int, _frame: FrameType | None) -> None:
        over.set()

    before = {which: signal.signal(which, told) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Server(runtime, settings, **options) as server:
            if ready is not None:
                ready(server)
            over.wait()
    finally:
        for which, handler in before.items():
            with suppress(ValueError):
                signal.signal(which, handler)
