"""A promise of a client's next message; no message is lost when its wait is cancelled."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from dobook.errors import DeadlockError
from dobook.runtime.access import kernel_of
from dobook.runtime.calls.promise import Promise

if TYPE_CHECKING:
    from dobook.runtime.sockets.client import Client


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
