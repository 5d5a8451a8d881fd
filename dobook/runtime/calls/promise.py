"""What the platform's methods return: awaitables that have already begun.

On the platform a call acts when it is made; awaiting only fetches the answer. So nothing here is a
plain coroutine, which would not start before it is awaited. All of them may be awaited, gathered
and, as they follow the coroutine protocol too, made into tasks.
"""

import sys
from asyncio import Future, ensure_future
from collections.abc import Generator
from typing import Any

from dobook.runtime.loop.frame import current_frame
from dobook.runtime.reports.portable import remark_if_called
from dobook.runtime.reports.unheard import Refusal, note, note_in_worker
from dobook.runtime.reports.users_code import place_of, users_frame


class Promise:
    """Base of everything awaitable; subclasses define `__await__`.

    The coroutine protocol (`send`, `throw`, `close`) lets `asyncio.create_task` take it.
    """

    __slots__ = ("_steps",)

    def __await__(self) -> Generator[Any, None, Any]:
        raise NotImplementedError

    def send(self, value: Any) -> Any:
        """Run one step, as a coroutine does."""
        steps = self._begun()
        try:
            return steps.send(value)
        except BaseException:
            del self._steps  # it has ended; awaiting the promise again gives the same result
            raise

    def throw(self, error: Any, *rest: Any) -> Any:
        """Raise an error where the promise waits, as in a coroutine."""
        return self._begun().throw(error, *rest)

    def close(self) -> None:
        """Stop waiting; the work that was begun continues."""
        steps = getattr(self, "_steps", None)
        if steps is not None:
            steps.close()

    def then(self, fulfilled: object = None, rejected: object = None) -> "Future[Any]":
        """Call a function with the result once it is there; returns a future of what that gives.

        Args:
            fulfilled: Called with the result; it may be asynchronous. None passes it on.
            rejected: Called with the error instead, if there is one.

        Source: pyodide.org/en/stable/usage/api/python-api/ffi.html#pyodide.ffi.JsPromise
        """
        self._hand_over()
        return ensure_future(_followed(self, fulfilled, rejected))

    def catch(self, rejected: object) -> "Future[Any]":
        """Call a function with the error, if there is one."""
        return self.then(None, rejected)

    def finally_(self, settled: object) -> "Future[Any]":
        """Call a function without arguments once there is a result or an error."""
        self._hand_over()
        return ensure_future(_settled(self, settled))

    def __bool__(self) -> bool:
        _remark_on_use("as a truth value, which it always is")
        return True

    def __eq__(self, other: object) -> Any:
        if self is not other and not isinstance(other, Promise):
            _remark_on_use("in a comparison, which is never equal")
        return NotImplemented

    __hash__ = object.__hash__

    def __format__(self, spec: str) -> str:
        _remark_on_use("in a text, which shows the promise")
        return format(repr(self), spec)

    def __str__(self) -> str:
        _remark_on_use("in a text, which shows the promise")
        return repr(self)

    def _hand_over(self) -> None:
        """Note that a task or a callback handles an error from now on."""

    def _begun(self) -> Generator[Any, None, Any]:
        steps = getattr(self, "_steps", None)
        if steps is None:
            steps = self._steps = self.__await__()
        return steps


def _remark_on_use(how: str) -> None:
    text = f"a promise is used {how}, and not its value: write `await` before the call."
    remark_if_called(text, anywhere=True, depth=3)


def _not_awaited(self: Promise, *_: Any) -> Any:
    raise TypeError(
        f"this is a promise, not its value yet: write `await` before it. It is {self!r}"
    )


for _operator in (
    *("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "mod", "floordiv"),
    *("lt", "le", "gt", "ge", "getitem", "setitem", "contains", "iadd", "int", "float", "index"),
    "len",
):
    setattr(Promise, f"__{_operator}__", _not_awaited)


async def _followed(promise: Promise, fulfilled: Any, rejected: Any) -> Any:
    try:
        value = await promise
    except Exception as error:
        if rejected is None:
            raise
        return await _awaited(rejected(error))
    return value if fulfilled is None else await _awaited(fulfilled(value))


async def _settled(promise: Promise, settled: Any) -> Any:
    try:
        return await promise
    finally:
        await _awaited(settled())


async def _awaited(value: Any) -> Any:
    return await value if hasattr(type(value), "__await__") else value


class _Own(Promise):
    """What the platform's own methods return; its attributes are not those of the value."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"a promise has no attribute {name!r}. For its value's, write `await` first: "
            f"(await …).{name}"
        )


class Resolved(_Own):
    """A promise that is resolved already; awaiting it does not yield to the loop."""

    __slots__ = ("_value",)

    def __init__(self, value: Any = None) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, Any]:
        return self._value
        yield

    def __repr__(self) -> str:
        return f"<resolved {self._value!r}>"


class Rejected(_Own):
    """An error that awaiting raises; one that nobody awaits is reported, see `insight.unheard`."""

    __slots__ = ("_error", "_refusal")

    def __init__(self, error: BaseException) -> None:
        self._error = error
        frame = current_frame.get()
        self._refusal: Refusal | None = (
            note_in_worker(_refused, error)
            if frame is None
            else note(frame.instance, _refused(), error, place_of(users_frame()))
        )

    def __await__(self) -> Generator[Any, None, Any]:
        self._hand_over()
        raise self._error
        yield

    def _hand_over(self) -> None:
        if self._refusal is not None:
            self._refusal.heard = True

    def __repr__(self) -> str:
        return f"<rejected {self._error!r}>"


def _refused() -> str:
    """Return what the user's code has called to get a rejected promise."""
    frame = sys._getframe(1)
    users = users_frame()
    while frame.f_back is not None and frame.f_back is not users:
        frame = frame.f_back
    name = frame.f_code.co_name
    if name != "__call__":
        return f"{name}()"
    called = frame.f_locals["self"]  # a member of something remote
    target = repr(getattr(called, "_target", called)).strip("<>")
    return f"a call of {'.'.join([target, *getattr(called, '_path', ())])}()"


class Pending(_Own):
    """A promise of the result of a future on the runtime's loop."""

    __slots__ = ("_future",)

    def __init__(self, future: Any) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, None, Any]:
        return (yield from self._future.__await__())

    def __repr__(self) -> str:
        return "<pending>" if not self._future.done() else "<done>"


NOTHING = Resolved()
