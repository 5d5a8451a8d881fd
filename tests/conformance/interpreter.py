"""Running programs: what a program can see, how ops run, and the ops that control the others.

An op is `[name, argument, …]`. Its function is found in `OPS` under its name; it is given the frame
and the arguments, and gives the op's value or an awaitable of it. The meaning of each op is that of
the recorder, which ran the same programs inside the real engine.
"""

import asyncio
import copy
import re
from collections.abc import Callable
from types import CoroutineType
from typing import Any

from dobook.web import URL, ReadableStream, Request, Response

from .eager import seen, start
from .values import (
    EPOCH,
    MILLISECOND,
    Moment,
    ThrownValue,
    decode,
    describe_error,
    encode,
    error_from,
    make_error,
)

Op = list[Any]
Program = list[Op]


class Exchange:
    """The request a fetch handler was called with, and the answer it will give."""

    def __init__(self, request: Request | None) -> None:
        self.request = request
        self.response: Any = Response(None, status=204)
        self.client: Any = None  # the client's end of the last WebSocket pair


class Frame:
    """What a running program can see.

    Copies (`but`) share the variables and the exchange; they differ in what nested ops mean.
    """

    def __init__(self, me: Any, *, ws: Any = None, event: Any = None, request: Any = None) -> None:
        self.me = me
        self.world = me._world
        self.ctx = me.ctx
        self.storage = me.ctx.storage  # inside a transaction: the transaction
        self.backend: str = self.world.backend
        self.ws = ws
        self.event = event
        self.loopback = False  # whether classes are reached by `ctx.exports`
        self.vars: dict[str, Any] = {}
        self.raw: dict[int, Any] = {}  # the raw() iterators of cursors
        self.exchange = Exchange(request)

    def but(self, **changes: Any) -> "Frame":
        """Return a frame that differs in some attributes."""
        other = copy.copy(self)
        other.__dict__.update(changes)
        return other

    @property
    def namespace(self) -> Any:
        found = self.world.namespace(self.backend)
        return getattr(self.ctx.exports, found.class_name) if self.loopback else found

    def stub(self, target: Any) -> Any:
        """Return the stub that a target means: a label, or a stub already."""
        if not isinstance(target, str):
            return target
        known = self.world.stub(target, self.backend)
        return self.namespace.getByName(self.world.full_name(target)) if self.loopback else known

    def value(self, json: Any) -> Any:
        return decode(json, self.look)

    def encode(self, value: Any) -> Any:
        return encode(value, self.world.unique)

    def dispose(self) -> None:
        """Dispose of the stubs in variables."""
        for value in self.vars.values():
            if hasattr(type(value), "dispose"):
                value.dispose()

    def look(self, tag: str, argument: Any, whole: dict[str, Any]) -> Any:
        """Return what a tag means that needs the running scenario."""
        match tag:
            case "$var":
                value = self.vars.get(argument)
                if value is None and "or" in whole:
                    return self.value(whole["or"])
                return value.ms if isinstance(value, Moment) else value
            case "$add":
                left, right = map(self.value, argument)
                return left + right
            case "$text":
                return "".join(str(self.value(part)) for part in argument)
            case "$t":
                return self.world.t0 + argument
            case "$tdate":
                return EPOCH + (self.world.t0 + argument) * MILLISECOND
            case "$name":
                return self.world.full_name(argument)
            case "$event":
                return self.event[argument]
            case "$request":
                url, init = [*map(self.value, argument), {}][:2]
                return Request(url, **init)
            case "$url":
                return URL(argument)
            case "$stream":
                return ReadableStream(_pieces([self.value(piece) for piece in argument]))
        raise ValueError(f"unknown tag {tag}")


async def _pieces(pieces: list[Any]) -> Any:
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


# ---------------------------------------------------------------- the table of ops

OPS: dict[str, Callable[..., Any]] = {}
"""Each op's function by the op's name."""

RAW: set[str] = set()
"""The ops whose arguments are not read as values beforehand: they hold ops."""


def op(name: str, *, raw: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the op of a name."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        assert name not in OPS, f"two functions for the op {name}"
        OPS[name] = function
        if raw:
            RAW.add(name)
        return function

    return register


# ---------------------------------------------------------------- running


class Propagate(Exception):
    """Carries an error out of all ops around it, to where the program was called."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def begin(frame: Frame, an_op: Op) -> Any:
    """Begin an op; gives its value or an awaitable of it."""
    name, *arguments = an_op
    function = OPS.get(name)
    if function is None:
        raise Propagate(ValueError(f"unknown op {name}"))
    if name not in RAW:
        arguments = [frame.value(argument) for argument in arguments]
    return function(frame, *arguments)


async def awaited(value: Any) -> Any:
    """Return what JavaScript's `await` would: a value that is no promise is its own answer."""
    # The type is asked because a stub has every attribute: each is a remote method.
    return await value if hasattr(type(value), "__await__") else value


async def execute(frame: Frame, an_op: Op) -> Any:
    """Run an op and give its value."""
    return await awaited(begin(frame, an_op))


async def outcome(frame: Frame, an_op: Op) -> dict[str, Any]:
    """Run an op and write down how it ended: `{}`, `{"ok": value}` or `{"error": E}`."""
    try:
        value = await execute(frame, an_op)
        return {} if value is None else {"ok": frame.encode(value)}
    except Propagate:
        raise
    except Exception as error:
        return {"error": describe_error(error)}


async def results(frame: Frame, program: Program) -> list[dict[str, Any]]:
    """Run ops one after the other."""
    return [await outcome(frame, an_op) for an_op in program]


async def closure(frame: Frame, program: Program) -> list[dict[str, Any]]:
    """Run a program as the platform runs a function of the user's: errors leave it."""
    try:
        return await results(frame, program)
    except Propagate as propagate:
        raise propagate.error from None


def start_all(frame: Frame, program: Program) -> None:
    """Only start the ops, one after the other, as a constructor does, which cannot wait."""
    for an_op in program:
        try:
            value = begin(frame, an_op)
            if isinstance(value, CoroutineType):
                try:
                    value.send(None)
                except StopIteration:
                    continue
                value.close()
        except Propagate as propagate:
            raise propagate.error from None


# ---------------------------------------------------------------- control


@op("must", raw=True)
async def must(frame: Frame, an_op: Op) -> Any:
    try:
        return await execute(frame, an_op)
    except Propagate:
        raise
    except Exception as error:
        raise Propagate(error) from error


@op("throw")
def throw(_frame: Frame, name: str, message: str, props: dict[str, Any] | None = None) -> None:
    raise Propagate(make_error(name, message, props))


@op("throwValue")
def throw_value(_frame: Frame, value: Any) -> None:
    raise Propagate(ThrownValue(value))


@op("log", raw=True)
async def log(frame: Frame, what: Any) -> None:
    is_op = isinstance(what, list)
    shown = await outcome(frame, what) if is_op else frame.encode(frame.value(what))
    frame.me._note("log", shown)


@op("let", raw=True)
async def let(frame: Frame, name: str, an_op: Op) -> Any:
    value = frame.vars[name] = await execute(frame, an_op)
    return value


@op("hide", raw=True)
async def hide(frame: Frame, name: str, an_op: Op) -> None:
    frame.vars[name] = await execute(frame, an_op)


@op("value")
def value(_frame: Frame, given: Any) -> Any:
    return given


@op("matches", raw=True)
async def matches(frame: Frame, pattern: str, an_op: Op) -> bool:
    return re.search(pattern, await execute(frame, an_op)) is not None


@op("upper", raw=True)
async def upper(frame: Frame, an_op: Op) -> Any:
    return (await execute(frame, an_op)).upper()


@op("mutate")
def mutate(frame: Frame, name: str, key: Any, new: Any) -> None:
    frame.vars[name][key] = new


@op("mem")
def mem(frame: Frame, key: str, *new: Any) -> Any:
    if new:
        frame.me.memory[key] = new[0]
    return frame.me.memory.get(key)


@op("all", raw=True)
async def all_(frame: Frame, ops: Program) -> list[Any]:
    # The first that ends its program ends this one, as `Promise.all` does.
    started = [seen(start(outcome(frame, an_op))) for an_op in ops]
    return list(await asyncio.gather(*started))


@op("start", raw=True)
def start_(frame: Frame, name: str, an_op: Op) -> None:
    frame.vars[name] = start(outcome(frame, an_op))


@op("await")
async def await_(frame: Frame, name: str) -> Any:
    result = await frame.vars[name]
    if "error" in result:
        raise error_from(result["error"])
    return result.get("ok")


@op("sleep")
async def sleep(_frame: Frame, ms: int) -> None:
    await asyncio.sleep(ms / 1000)


@op("exports", raw=True)
async def exports(frame: Frame, an_op: Op) -> Any:
    return await execute(frame.but(loopback=True), an_op)


@op("ns", raw=True)
async def ns(frame: Frame, backend: str, an_op: Op) -> Any:
    return await execute(frame.but(backend=backend), an_op)
