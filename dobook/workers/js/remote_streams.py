"""A `WritableStream` as an argument or a result of a call: the other side writes, this side takes.

The stream stays where it was made, and is locked. What the other side gets outlives the call.
Source: cloudflare/workerd src/workerd/api/streams/writable.c++ (`WritableStream::serialize`)
"""

from typing import Any

from dobook.errors import PlatformError, PlatformTypeError
from dobook.runtime.calls.rpc import RpcStub
from dobook.web.streams import chunk_bytes
from dobook.workers.js.streams import WritableStream, Writer

_DISCONNECTED = (
    "WritableStream received over RPC was disconnected because the remote execution context has "
    "ended."
)
_NOT_BYTES = (
    "This TransformStream is being used as a byte stream, but received an object of "
    "non-ArrayBuffer/ArrayBufferView type on its writable side."
)


def lent(writer: Writer, home: Any, receiver: Any) -> WritableStream:
    """Return a stream of another object whose pieces a writer of `home` takes.

    Args:
        writer: It has locked the stream that is lent.
        home: Where that is.
        receiver: The object that gets the new stream; None outside of objects.
    """

    async def take(piece: bytes) -> None:
        await writer.write(piece)

    async def end() -> None:
        await writer.close()

    async def give_up() -> None:
        await writer.abort(PlatformError(_DISCONNECTED))

    taking, ending, giving_up = (RpcStub(home, f, receiver) for f in (take, end, give_up))

    async def write(piece: Any) -> None:
        await taking(_bytes_of(piece))

    async def close() -> None:
        await ending()

    async def abort(_reason: Any) -> None:
        await giving_up()

    return WritableStream(write=write, close=close, abort=abort)


def _bytes_of(piece: Any) -> bytes:
    try:
        return chunk_bytes(piece)
    except PlatformTypeError:
        raise PlatformTypeError(_NOT_BYTES) from None
