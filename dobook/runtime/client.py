"""A WebSocket client of an object, for people: says, listens, and remembers what was said.

A `Client` stands outside of every object, as a browser does, inside the runtime: virtual time
holds for it too. In a script or a cell `send` also lets the answers arrive; what has arrived is in
`transcript`, and `receive()` awaits the next message.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Generator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

from dobook.clock import format_time
from dobook.errors import ConnectionClosedError, DeadlockError, UsageError, suggest
from dobook.runtime.access import kernel_of
from dobook.runtime.calls.promise import Promise
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.loop.loop import running_loop
from dobook.runtime.sockets.transport import AWAITING
from dobook.runtime.sockets.values import CloseEvent, MessageEvent
from dobook.runtime.sockets.websocket import WebSocket, drop

if TYPE_CHECKING:
    from dobook.runtime.runtime import Runtime

What = Literal["open", "sent", "received", "closed", "closing", "dropped"]
DEFAULT_PATH = "/websocket"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that happened on a client's connection.

    Attributes:
        at_ms: When, in ms since 1970 on the runtime's clock.
        what: "open", "sent", "received", "closing" (this side has closed), "closed" (the other
            side has), "dropped" (this side hung up without a word).
        data: The message; the code and reason of a close; the path of the beginning.
    """

    at_ms: int
    what: What
    data: str | bytes

    @property
    def text(self) -> str:
        """The message as text; of bytes how many and how they begin."""
        if isinstance(self.data, str):
            return self.data
        return f"{len(self.data)} bytes: {self.data[:16].hex(' ')}{'…' * (len(self.data) > 16)}"

    def __str__(self) -> str:
        arrow = {"sent": "→", "received": "←"}.get(self.what, "·")
        word = "" if self.what in ("sent", "received") else f"{self.what} "
        return f"{format_time(self.at_ms)}  {arrow} {word}{self.text}"


class Transcript(tuple[Said, ...]):
    """What was said on a connection so far, oldest first; its text is a line for each."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "nothing yet"


class Client:
    """A WebSocket client of an object or of the Worker. Made by `runtime.connect(...)`.

    Attributes:
        label: The object, or "worker".
        name: What it is called.
        path: What it has connected to.

    Example:
        >>> import dobook
        >>> from dobook.runtime.sockets.websocket import WebSocketPair
        >>> from dobook.web import Response
        >>> class Echo:
        ...     def __init__(self, ctx, env):
        ...         self.ctx = ctx
        ...     async def fetch(self, request):
        ...         client, server = WebSocketPair().object_values()
        ...         self.ctx.acceptWebSocket(server)
        ...         return Response(None, status=101, web_socket=client)
        ...     def webSocketMessage(self, ws, message):
        ...         ws.send(message.upper())
        >>> with dobook.Runtime() as runtime:
        ...     echo = runtime.register(Echo).getByName("a")
        ...     ada = runtime.connect(echo, name="ada")
        ...     ada.send("hello")
        ...     runtime.run(ada.receive())
        'HELLO'
    """

    def __init__(
        self, runtime: "Runtime", socket: WebSocket, label: str, name: str, path: str
    ) -> None:
        self.runtime = runtime
        self.label = label
        self.name = name
        self.path = path
        self._socket = socket
        self._said: list[Said] = []
        self._unread: deque[str | bytes] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed: tuple[int, str] | None = None
        socket.addEventListener("message", self._arrived)
        socket.addEventListener("close", self._over)
        self._note("open", path)
        socket.accept()

    # ------------------------------------------------------------------ saying

    def send(self, message: str | bytes) -> None:
        """Send a message. Outside of the runtime's loop what follows from it happens at once.

        Raises:
            ConnectionClosedError: If the connection is over.
        """
        if self._closed is not None or self._socket.readyState != WebSocket.OPEN:
            raise ConnectionClosedError(*(self._closed or (1005, "")))
        self._note("sent", message)
        self._socket.send(message)
        self._settle()

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection as a well-behaved client does. Calling this twice is fine.

        Args:
            code: 1000 or 3000 to 4999. None sends none, as a browser's `close()` does: the
                object's `webSocketClose` is called with 1005, which no side may send itself.
            reason: At most 123 bytes; only with a code.
        """
        if self.state == "open":
            self._note("closing", _close_text(code, reason or ""))
            self._socket.close(code, reason)
        self._settle()

    def drop(self) -> None:
        """Drop the connection without a close frame, as a client with an empty battery does."""
        if self.state != "closed":
            self._note("dropped", "without a close frame")
            self._closed = (1006, "")
            drop(self._socket)
            self._wake()
        self._settle()

    # ------------------------------------------------------------------ listening

    def receive(self, timeout_ms: int | None = None) -> Promise:
        """Return a promise of the next message that has not been received yet.

        Time passes as far as it needs, in virtual time.

        Args:
            timeout_ms: How long to wait at most; None for as long as it takes.

        Raises:
            Awaiting raises ConnectionClosedError when the connection is over and everything has
            been received, TimeoutError when there was nothing in time, DeadlockError when nothing
            is under way that could send one. Then the message that comes next is for the next who
            asks.
        """
        return Receiving(self, timeout_ms)

    def take(self) -> Any:
        """Return the next message, or None, and count it as received.

        Raises:
            ConnectionClosedError: If there never will be one.
        """
        if self._unread:
            return self._unread.popleft()
        if self._closed is not None:
            raise ConnectionClosedError(*self._closed)
        return None

    async def news(self, timeout_ms: int | None) -> None:
        """Wait until there is a message, or the connection is over.

        Raises:
            TimeoutError: If neither came in time.
        """
        try:
            async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000):
                while not self._unread and self._closed is None:
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError:
            raise TimeoutError(f"no message came within {timeout_ms} ms.") from None

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while True:
            try:
                message = await self.receive()
            except ConnectionClosedError:
                return
            yield message

    def unread(self) -> list[str | bytes]:
        """Return the messages that have arrived and not been received, and count them as received."""
        self._settle()
        messages = list(self._unread)
        self._unread.clear()
        return messages

    # ------------------------------------------------------------------ looking

    @property
    def state(self) -> str:
        """Whether it is "open", "closing" (this side has closed) or "closed"."""
        if self._closed is not None or self._socket.readyState == WebSocket.CLOSED:
            return "closed"
        return "open" if self._socket.readyState == WebSocket.OPEN else "closing"

    @property
    def unaccepted(self) -> bool:
        """Whether the other side has never accepted its end: then nobody hears what is said."""
        return self.state == "open" and self._socket._end.peer.state == AWAITING

    @property
    def closed(self) -> tuple[int, str] | None:
        """The code and reason that the connection ended with; None while it has not."""
        return self._closed

    @property
    def transcript(self) -> Transcript:
        """What has been said so far, oldest first."""
        return Transcript(self._said)

    @property
    def messages(self) -> list[str | bytes]:
        """The messages that have come from the other side so far, oldest first."""
        return [said.data for said in self._said if said.what == "received"]

    def __getattr__(self, name: str) -> Any:
        known = [n for n in dir(type(self)) if not n.startswith("_")]
        near = {"say": "send", "next": "receive", "recv": "receive"}.get(name)
        hint = f"Did you mean {near!r}?" if near else suggest(name, known)
        raise AttributeError(f"a WebSocket client has no {name!r}. {hint}")

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not kernel_of(self.runtime).closed:
            self.close(1000)

    def __repr__(self) -> str:
        came = len(self.messages)
        return (
            f"<{self.name or 'client'} at {self.label}{self.path}: {self.state}, "
            f"{came} {'message' if came == 1 else 'messages'} received>"
        )

    # ------------------------------------------------------------------ what the socket tells

    def _arrived(self, event: MessageEvent) -> None:
        self._note("received", event.data)
        self._unread.append(event.data)
        self._wake()

    def _over(self, event: CloseEvent) -> None:
        if self._closed is None:
            self._note("closed", _close_text(event.code, event.reason))
            self._closed = (event.code, event.reason)
        self._wake()

    def _note(self, what: What, data: str | bytes) -> None:
        self._said.append(Said(self.runtime.clock.now_ms, what, data))

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, deque()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _settle(self) -> None:
        if running_loop() is not kernel_of(self.runtime).loop:
            self.runtime.settle()


class Receiving(Promise):
    """A promise of a client's next message.

    A message goes to the code that awaits one at that moment. Code that has stopped waiting takes
    nothing.
    """

    __slots__ = ("_client", "_message", "_timeout_ms")

    def __init__(self, client: "Client", timeout_ms: int | None) -> None:
        self._client = client
        self._timeout_ms = timeout_ms
        self._message: Any = None

    def __await__(self) -> Generator[Any, None, Any]:
        client = self._client
        runtime = client.runtime
        until_ms = None if self._timeout_ms is None else runtime.clock.now_ms + self._timeout_ms
        while self._message is None:
            self._message = client.take()
            if self._message is not None:
                break
            left_ms = None if until_ms is None else max(0, until_ms - runtime.clock.now_ms)
            try:
                yield from kernel_of(runtime).post.promise_of(client.news(left_ms)).__await__()
            except DeadlockError:
                raise DeadlockError(
                    f"{client!r} waits for a message, and nothing is under way that would send "
                    "one. receive(timeout_ms=…) waits no longer than that."
                ) from None
        return self._message

    def __repr__(self) -> str:
        return f"<promise of the next message to {self._client!r}>"


ClientT = TypeVar("ClientT", bound=Client)


async def open_client(
    runtime: "Runtime",
    target: DurableObjectStub | str,
    path: str = DEFAULT_PATH,
    *,
    name: str = "",
    headers: Mapping[str, str] | None = None,
    kind: "type[ClientT]" = Client,  # type: ignore[assignment]
) -> "ClientT":
    """Connect to an object or the Worker, from code that runs on the runtime's loop.

    Args:
        runtime: The runtime.
        target: A stub, `BINDING/name`, or "" for the Worker.
        path: The path and query to ask for.
        name: Who connects; sent along as the parameter `name`.
        headers: Further headers.
        kind: What is made of the connection.

    Raises:
        UsageError: If the answer opens no WebSocket.
    """
    if name:
        path += ("&" if "?" in path else "?") + "name=" + quote(name, safe="")
    if isinstance(target, str) and target:
        target = runtime.stub(target)
    label = repr(target)[1:-1] if isinstance(target, DurableObjectStub) else "worker"
    init = {"headers": {"Upgrade": "websocket", **(headers or {})}}
    url = f"http://localhost{path}"
    fetch = runtime.fetch if isinstance(target, str) else target.fetch
    response = await fetch(url, init)
    if response.web_socket is None:
        text = await response.text()
        raise UsageError(
            f"{label} answered {response.status} to {path}, which opens no WebSocket"
            + (f": {text[:200]}" if text else ".")
        )
    return kind(runtime, response.web_socket, label, name, path)


def _close_text(code: int | None, reason: str) -> str:
    if code is None:
        return "without a code"
    return f"{code} {reason}".rstrip()
