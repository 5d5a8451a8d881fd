"""What the objects of the scenarios reach by `ctx.exports` besides their own classes."""

import asyncio
from collections.abc import Callable
from typing import Any

from dobook.workers import Response, WorkerEntrypoint

from .ops_calls import KINDS, exported
from .values import make_error

NAMES = ("SqliteObject", "Stateless", "Greeter", "default", "Nope")


class Entrypoint(WorkerEntrypoint):
    """The methods that scenarios call."""

    async def fetch(self, request: Any) -> Response:
        told = {"url": request.url, "method": request.method, "body": await request.text()}
        return Response.json({**told, "props": self.ctx.props})

    def greet(self, *args: Any) -> list[Any]:
        return [*args, self.ctx.props]

    def echo(self, value: Any) -> Any:
        return value

    def kinds(self) -> dict[str, str]:
        return {n: KINDS[type(exported(self.ctx.exports, n)).__name__] for n in NAMES}

    def fail(self, name: str, message: str) -> None:
        raise make_error(name, message)

    @property
    def five(self) -> int:
        return 5

    async def relay(self, method: str, *args: Any) -> Any:
        service = self.ctx.exports.Greeter(props={"relayed": True})
        return await getattr(service, method)(*args)

    async def object(self, kind: str, name: str, method: str, *args: Any) -> Any:
        stub = getattr(self.ctx.exports, kind).getByName(name)
        return await getattr(stub, method)(*args)

    async def greetVia(self, stub: Any, *args: Any) -> Any:
        return await stub.greet(*args)

    def make(self, props: Any) -> Any:
        return self.ctx.exports.Greeter(props=props)

    def adder(self, n: Any) -> Callable[[Any], Any]:
        return lambda x: x + n

    async def slow(self, ms: int, value: Any) -> Any:
        await asyncio.sleep(ms / 1000)
        return value


class Greeter(Entrypoint):
    """An entrypoint with a name."""


class Default(Entrypoint):
    """The one that answers requests from outside."""
