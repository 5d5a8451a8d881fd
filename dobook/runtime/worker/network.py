"""What lies outside of a runtime: `fetch` and `WebSocket` to other hosts.

Nothing leaves on its own. A stand-in answers for a host, in virtual time (`network.answer`); or
what runs the runtime gives it a way to the real network (`network.real`, as `dobook run` does).
Source: developers.cloudflare.com/workers/runtime-apis/fetch/
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dobook.errors import NetworkError
from dobook.runtime.calls.aborting import heeding
from dobook.runtime.calls.promise import Promise
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.worker.worker import Worker, error_of
from dobook.web import Request, Response

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel

Transport = Callable[[Request], Awaitable[Response]]

_PLAIN = {"ws": "http", "wss": "https"}


class Network:
    """What code inside a runtime reaches by URL.

    Attributes:
        real: Sends a request to the real network; None where nothing leaves.

    Example:
        >>> import dobook
        >>> from dobook.web import Response
        >>> class Prices:
        ...     def __init__(self, ctx, env): ...
        ...     async def of(self, what):
        ...         from workers import fetch
        ...         return await (await fetch(f"https://prices.example/{what}")).json()
        >>> with dobook.Runtime() as runtime:
        ...     runtime.network.answer("https://prices.example", lambda request: Response("5"))
        ...     runtime.run(runtime.register(Prices).getByName("a").of("tea"))
        5
    """

    def __init__(self, runtime: "Kernel") -> None:
        self._runtime = runtime
        self._stand_ins: dict[str, Worker] = {}
        self.real: Transport | None = None

    def answer(self, origin: str, handler: object) -> None:
        """Register a handler that answers for a host instead of the network.

        Args:
            origin: Scheme and host, with the port unless it is the scheme's: "https://a.example".
                It stands for `wss` too.
            handler: What a Worker may be: a class with `fetch(request)`, or a function
                `(request, env, ctx)`, of which it may take fewer. It answers a WebSocket's
                handshake with status 101 and one end of a pair.
        """
        self._stand_ins[_origin(origin)] = Worker(self._runtime, handler)

    def send(self, request: Request) -> Promise:
        """Send a request; returns a promise of the response.

        It leaves after the writes of the object that sends it are durable, and is given up when
        its signal is given.
        """
        return heeding(request, lambda: self._send(request))

    def _send(self, request: Request) -> Promise:
        frame = current_frame.get()
        runtime = self._runtime
        commit = None if frame is None else frame.instance.output_gate.commit
        if commit is None:
            asked: Promise = runtime.post.promise_of(self.fetch(request))
            return asked
        durable: asyncio.Future[None] = runtime.loop.create_future()
        commit.leaves = True
        commit.waiters.append(lambda: durable.set_result(None))

        async def after() -> Response:
            await durable
            return await self.fetch(request)

        promise: Promise = runtime.post.promise_of(after())
        return promise

    async def fetch(self, request: Request) -> Response:
        """Return the answer to a request, redirects followed.

        Raises:
            NetworkError: If nobody answers for the host.
            PlatformError: If the disk refuses what the request may depend on.
        """
        self._runtime.stores.leave()
        via: tuple[str, ...] = ()
        while True:
            response = await self._ask(request)
            onward = request._next_hop(response, via)
            if onward is None:
                return response
            request, via = onward, (*via, request.url)

    async def _ask(self, request: Request) -> Response:
        stand_in = self._stand_ins.get(_origin(request.url))
        if stand_in is not None:
            response: Response = await stand_in.fetch(request)
            error = error_of(response)
            if error is not None:
                raise error
            return response
        if self.real is None:
            raise NetworkError(request.url)
        return await self.real(request)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{_PLAIN.get(parts.scheme, parts.scheme)}://{parts.netloc.lower()}"
