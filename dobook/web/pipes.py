"""Pipes: everything that a readable stream gives is written to a writable one.

Source: developer.mozilla.org/docs/Web/API/ReadableStream/pipeTo
"""

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from dobook.errors import PlatformTypeError

if TYPE_CHECKING:
    from dobook.web.readers import StreamReader
    from dobook.web.streams import ReadableStream


def pipe(
    source: "ReadableStream", destination: object, options: Mapping[str, Any]
) -> Awaitable[None]:
    """Start writing a stream to another; returns a promise of the end.

    Args:
        source: What is read.
        destination: A WritableStream.
        options: `preventClose`, `preventAbort`, `preventCancel`.

    Raises:
        PlatformTypeError: If `destination` is not a writable stream, or a side is locked already.
    """
    if not hasattr(destination, "getWriter"):
        raise PlatformTypeError(f"a stream is piped to a WritableStream, not {destination!r:.60}")
    reader = source.getReader()
    try:
        writer = destination.getWriter()
    except PlatformTypeError:
        reader.releaseLock()
        raise
    return begun(_pipe(reader, writer, options))


def begun(work: Coroutine[Any, Any, None]) -> Awaitable[None]:
    """Return work that runs whether or not somebody awaits it, as JavaScript's promises do.

    Outside of any loop it begins when it is awaited.
    """
    try:
        going = asyncio.get_running_loop().create_task(work)
    except RuntimeError:
        return work
    going.add_done_callback(_seen)
    return going


async def _pipe(reader: "StreamReader", writer: Any, options: Mapping[str, Any]) -> None:
    try:
        while True:
            try:
                done, chunk = await reader.read()
            except Exception as error:
                if not options.get("preventAbort"):
                    await writer.abort(error)
                raise
            if done:
                break
            try:
                await writer.write(chunk)
            except Exception as error:
                if not options.get("preventCancel"):
                    await reader.cancel(error)
                raise
        if not options.get("preventClose"):
            await writer.close()
    finally:
        reader.releaseLock()
        writer.releaseLock()


def _seen(piping: "asyncio.Future[None]") -> None:
    if not piping.cancelled():
        piping.exception()  # nobody has to await it
