"""JavaScript's `Promise`: several awaitables as one.

Source: developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/Promise
"""

import asyncio
from typing import Any

from dobook.runtime.calls.promise import Promise as _Promise
from dobook.runtime.calls.promise import Rejected, Resolved
from dobook.workers.js.objects import JsArray, JsObject, relaxed


class Promise(_Promise):
    """JavaScript's `Promise`, its static methods.

    Example:
        >>> await Promise.all([Promise.resolve(1), 2])
        [1, 2]
    """

    @staticmethod
    def new(executor: Any) -> "asyncio.Future[Any]":
        """Return a future that `executor(resolve, reject)` decides."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def resolve(value: Any = None) -> None:
            if not future.done():
                future.set_result(value)

        def reject(reason: Any = None) -> None:
            if not future.done():
                error = reason if isinstance(reason, BaseException) else RuntimeError(str(reason))
                future.set_exception(error)

        relaxed(executor, resolve, reject)
        return future

    @staticmethod
    def resolve(value: Any = None) -> Any:
        """Return a promise of a value; a promise is its own."""
        return value if hasattr(type(value), "__await__") else Resolved(value)

    @staticmethod
    def reject(reason: Any = None) -> Rejected:
        """Return a promise that fails."""
        return Rejected(reason if isinstance(reason, BaseException) else RuntimeError(str(reason)))

    @staticmethod
    async def all(promises: Any) -> JsArray:
        """Return all results; awaiting raises the first error."""
        return JsArray(await asyncio.gather(*map(_awaitable, promises)))

    @staticmethod
    async def allSettled(promises: Any) -> JsArray:
        """Return what became of each, as objects with `status` and `value` or `reason`."""
        results = await asyncio.gather(*map(_awaitable, promises), return_exceptions=True)
        return JsArray(
            JsObject(status="rejected", reason=r)
            if isinstance(r, BaseException)
            else JsObject(status="fulfilled", value=r)
            for r in results
        )

    @staticmethod
    async def race(promises: Any) -> Any:
        """Return the result of the first that is done; the others keep running."""
        tasks = [asyncio.ensure_future(_awaited(p)) for p in promises]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()


async def _awaited(value: Any) -> Any:
    return await value if hasattr(type(value), "__await__") else value


_awaitable = _awaited
