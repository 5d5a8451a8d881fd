"""The Durable Object classes of the scenarios: all they do is run programs.

`Full` has every handler, and the methods that `rpc` ops call; `Bare` has none of them. Names with a
leading underscore cannot be reached over RPC.
"""

import asyncio
import datetime as dt
import json
import re
from typing import Any

from dobook import RpcTarget
from dobook.codec import JsRegExp
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.web import Response

from . import ops_calls, ops_sockets, ops_storage  # noqa: F401 - importing registers their ops
from .interpreter import Frame, Program, closure, start_all
from .values import encode, make_error


class Bare:
    """A class without handlers; `run` is the one method that steps use."""

    _world: Any  # the running scenario; set on the subclass that a runtime gets

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx
        self.env = env
        self.memory: dict[str, Any] = {}
        self.kept: Any = None
        self.label: str | None = self._world.labels.get(ctx.id.toString())
        program = self._program("construct")
        if program is not None:
            start_all(Frame(self), program)

    def _note(self, *event: Any) -> None:
        if self.label is not None:
            self._world.note(self.label, *event)

    def _program(self, kind: str) -> Program | None:
        return None if self.label is None else self._world.program(self.label, kind)

    async def _event(self, kind: str, ws: Any, event: dict[str, Any] | None) -> None:
        program = self._program(kind)
        if program is not None:
            await closure(Frame(self, ws=ws, event=event), program)

    async def run(self, program: str) -> str:
        """Run a program; it and its results travel as JSON, so that nothing is copied twice."""
        frame = Frame(self)
        try:
            return json.dumps(await closure(frame, json.loads(program)))
        finally:
            frame.dispose()


class Counter(RpcTarget):
    """What `counter(n)` gives."""

    def __init__(self, start: int = 0) -> None:
        self._value = start
        self.hidden = "instance property"

    @property
    def value(self) -> int:
        return self._value

    def increment(self, by: int = 1) -> int:
        self._value += by
        return self._value

    def fail(self, message: str) -> None:
        raise ValueError(message)

    def child(self, start: int) -> "Counter":
        return Counter(start)


class Service(Bare):
    """The methods that `rpc` ops call."""

    def __init__(self, ctx: Any, env: Any) -> None:
        self.secret = "instance property"
        super().__init__(ctx, env)

    @property
    def greeting(self) -> str:
        return "hello"

    @property
    def settings(self) -> dict[str, Any]:
        return {"colour": "blue", "nested": {"add": lambda a, b: a + b}}

    def echo(self, value: Any = None) -> Any:
        return value

    def kinds(self, *values: Any) -> list[str]:
        return [kind_of(value) for value in values]

    def sum(self, *numbers: Any) -> Any:
        return sum(numbers)

    def nothing(self) -> None:
        pass

    def fail(self, name: str, message: str, props: dict[str, Any] | None = None) -> None:
        raise make_error(name, message, props)

    async def failLater(self, name: str, message: str) -> None:
        await asyncio.sleep(0.01)
        self.fail(name, message)

    def failValue(self, value: Any) -> None:
        raise make_error("Error", str(value))

    async def slow(self, ms: int, value: Any = None) -> Any:
        await asyncio.sleep(ms / 1000)
        return value

    def counter(self, start: int) -> Counter:
        return Counter(start)

    def adder(self, n: Any) -> Any:
        return lambda x: x + n

    async def invoke(self, function: Any, *args: Any) -> Any:
        return await function(*args)

    async def invokeTwice(self, function: Any, argument: Any) -> Any:
        return [await function(argument), await function(argument)]

    async def bump(self, counter: Any, by: int) -> Any:
        return await counter.increment(by)

    def bag(self) -> dict[str, Any]:
        return {"label": "bag", "counter": Counter(10), "twice": lambda x: 2 * x}

    def remember(self, value: Any) -> Any:
        self.memory["remembered"] = value
        return value

    def recall(self) -> Any:
        return self.memory.get("remembered")

    def whoAmI(self) -> str | None:
        name = self.ctx.id.name
        return None if name is None else name.rpartition("/")[2]

    async def read(self, key: str) -> Any:
        return await self.ctx.storage.get(key)

    def runAbort(self, reason: str) -> None:
        self.ctx.abort(reason)

    async def callBack(self, label: str, method: str, *args: Any) -> Any:
        return await getattr(Frame(self).stub(label), method)(*args)


class Full(Service):
    """A class with every handler."""

    async def fetch(self, request: Any) -> Any:
        program = self._program("fetch")
        if program is None:
            echoed = {
                "method": request.method,
                "url": request.url,
                "headers": [list(pair) for pair in request.js_headers],
                "body": await request.text(),
            }
            return Response.from_json(echoed)
        frame = Frame(self, request=request)
        await closure(frame, program)
        return frame.exchange.response

    async def alarm(self, info: Any) -> None:
        if self.label is None:
            return
        world = self._world
        event = {"isRetry": info.isRetry, "retryCount": info.retryCount}
        at = {} if info.isRetry else {"at": world.moment(world.now_ms).shown}
        self._note("alarm", {**event, **at})
        scheduled = world.moment(info.scheduledTime)
        await self._event("alarm", None, {**event, "scheduled": scheduled})

    async def webSocketMessage(self, ws: Any, data: Any) -> None:
        self._note("message", encode(data))
        await self._event("message", ws, {"data": data})

    async def webSocketClose(self, ws: Any, code: int, reason: str, wasClean: bool) -> None:  # noqa: FBT001 - the platform's signature
        self._note("close", code, reason, wasClean)
        await self._event("close", ws, {"code": code, "reason": reason, "wasClean": wasClean})

    async def webSocketError(self, ws: Any, error: Any) -> None:
        await self._event("error", ws, {})


def kind_of(value: Any) -> str:
    """Return JavaScript's name for the type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "number" if abs(value) < 2**53 else "bigint"
        case float():
            return "number"
        case str():
            return "string"
        case bytes():
            return "Uint8Array"
        case list():
            return "Array"
        case set():
            return "Set"
        case dict():
            return "Object" if all(isinstance(key, str) for key in value) else "Map"
        case dt.datetime():
            return "Date"
        case re.Pattern() | JsRegExp():
            return "RegExp"
        case DurableObjectStub():
            return "Fetcher"
        case BaseException():
            return "Error"
    return "function" if callable(value) else "object"
