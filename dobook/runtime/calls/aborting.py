"""Aborting a request: what `fetch(…, signal=…)` does when its signal fires.

The caller's promise fails with the signal's reason, at once if it was given before. A handler that
has begun runs on, as on the platform; one that has not never runs. The body of a response that has
come cannot be read any further.

Source: cloudflare/workerd src/workerd/api/http.c++ (`fetchImplNoOutputLock`, `AbortableInputStream`)
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from dobook.errors import PlatformError
from dobook.runtime.calls.answer import RpcPromise
from dobook.runtime.calls.promise import Promise, Rejected
from dobook.web import ReadableStream, Request
from dobook.web.streams import END

if TYPE_CHECKING:
    from dobook.runtime.protocols import Call


def heeding(request: Request, send: Callable[[], Promise]) -> Promise:
    """Send a request, and abort it when its signal fires.

    Args:
        request: The request. The signal stays with the caller: it is taken away.
        send: Sends it; not called if the signal has been given already.
    """
    signal, request._signal = request._signal, None
    if signal is None:
        return send()
    if signal.aborted:
        return Rejected(reason_of(signal))
    promise = send()
    if isinstance(promise, RpcPromise) and not promise._call.done:
        _watch(signal, promise._call)
    return promise


def reason_of(signal: Any) -> BaseException:
    """Return the reason of a signal that has fired, as an exception."""
    reason = signal.reason
    return reason if isinstance(reason, BaseException) else PlatformError(str(reason))


def _watch(signal: Any, call: "Call") -> None:
    post = call.actor.runtime.post
    before = call.on_done

    def given_up(_event: object) -> None:
        post.give_up(call, reason_of(signal))

    def over(done: "Call") -> None:
        signal.removeEventListener("abort", given_up)
        if done.error is None and done.value._body is not None:
            body = done.value.body
            done.value._body = ReadableStream(_Body(body, signal))
            done.value._body.expected = body.expected
        if before is not None:
            before(done)

    signal.addEventListener("abort", given_up)
    call.on_done = over


class _Body:
    """The source of a response's body, until the signal fires."""

    def __init__(self, body: ReadableStream, signal: Any) -> None:
        self._body = body
        self._signal = signal
        self._reading: asyncio.Task[Any] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        signal = self._signal
        if signal.aborted:
            await self._body.close_source(reason_of(signal))
            raise reason_of(signal)
        reading = self._reading = asyncio.ensure_future(self._body.pull_bytes())
        signal.addEventListener("abort", self._break_off)
        try:
            piece = await reading
        except asyncio.CancelledError:
            if not signal.aborted or not reading.cancelled():
                raise
            await self._body.close_source(reason_of(signal))
            raise reason_of(signal) from None
        finally:
            signal.removeEventListener("abort", self._break_off)
        if piece is END:
            raise StopAsyncIteration
        return piece  # type: ignore[no-any-return]

    def _break_off(self, _event: object) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def cancel(self, reason: object = None) -> None:
        """Tell the source that nobody reads any more."""
        await self._body.close_source(reason)
