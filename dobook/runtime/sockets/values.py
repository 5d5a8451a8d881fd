"""What a WebSocket is used with: events and listeners, messages, close frames, automatic answers.

Values, and `EventTarget`, which keeps listeners; nothing here knows where anything is sent.
Source: developers.cloudflare.com/workers/runtime-apis/websockets/,
cloudflare/workerd src/workerd/api/basics.c++
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dobook.errors import (
    InvalidAccessError,
    PlatformSyntaxError,
    PlatformTypeError,
    js_name,
    misspelt,
)
from dobook.runtime.sockets.transport import Close
from dobook.web.text import js_string, usv

if TYPE_CHECKING:
    from dobook.runtime.sockets.websocket import WebSocket

MAX_REASON_BYTES: Final = 123  # what a close frame has room for: RFC 6455, 5.5
_NEVER_SENT: Final = frozenset({1004, 1005, 1006, 1015})  # RFC 6455, 7.4.1

Listener = Callable[["Event"], Any]


class Event:
    """Something that happened to a WebSocket.

    Attributes:
        type: "open", "message", "close" or "error".
        target: The WebSocket.
    """

    __slots__ = ("target", "type")

    def __init__(self, type: str, target: "WebSocket | None" = None) -> None:  # noqa: A002
        self.type = type
        self.target = target

    @property
    def currentTarget(self) -> "WebSocket | None":
        """The same as `target`."""
        return self.target

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.type}>"


class MessageEvent(Event):
    """A message arrived: `data` is a text, or bytes."""

    __slots__ = ("data",)

    def __init__(self, data: Any, target: "WebSocket | None" = None) -> None:
        self.type = "message"
        self.target = target
        self.data = data

    def __repr__(self) -> str:
        return f"<MessageEvent {self.data!r:.80}>"


class CloseEvent(Event):
    """The connection is over: `code`, `reason`, and `wasClean` if there was a close frame."""

    __slots__ = ("code", "reason", "wasClean")

    def __init__(
        self,
        code: int,
        reason: str,
        wasClean: bool,  # noqa: FBT001 - the platform's order
        target: "WebSocket | None" = None,
    ) -> None:
        super().__init__("close", target)
        self.code = code
        self.reason = reason
        self.wasClean = wasClean

    def __repr__(self) -> str:
        return f"<CloseEvent {self.code} {self.reason!r}>"


class ErrorEvent(Event):
    """The connection broke: `error` is the exception, `message` its text."""

    __slots__ = ("error", "message")

    def __init__(self, error: BaseException, target: "WebSocket | None" = None) -> None:
        super().__init__("error", target)
        self.error = error
        self.message = f"Uncaught {js_name(error)}: {error}"

    def __repr__(self) -> str:
        return f"<ErrorEvent {self.message!r:.80}>"


class EventTarget:
    """Calls listeners: those that were added, and the attribute `on…` of the event's type."""

    onopen: Listener | None = None
    onmessage: Listener | None = None
    onclose: Listener | None = None
    onerror: Listener | None = None

    _listeners: dict[str, list[tuple[Listener, bool]]]

    def addEventListener(self, type: str, listener: Any, options: Any = None) -> None:  # noqa: A002
        """Call `listener` with every event of a type ("message", "close", "error").

        Args:
            type: The events' type.
            listener: A function, may be asynchronous; or an object with `handleEvent`.
            options: A mapping with `once`, to call it a single time.
        """
        if listener is None:
            return
        function = getattr(listener, "handleEvent", listener)
        if not callable(function):
            raise PlatformTypeError(
                "Failed to execute 'addEventListener' on 'EventTarget': parameter 2 is not of type "
                f"'EventHandler': {listener!r:.80}"
            )
        known = self._listeners.setdefault(type, [])
        if all(function != other for other, _ in known):
            once = bool(options.get("once")) if isinstance(options, Mapping) else False
            known.append((function, once))

    def removeEventListener(self, type: str, listener: Any, options: Any = None) -> None:  # noqa: A002
        """Stop calling a listener; an unknown one is ignored."""
        function = getattr(listener, "handleEvent", listener)
        known = self._listeners.get(type, [])
        known[:] = [entry for entry in known if entry[0] != function]

    def dispatchEvent(self, event: Event) -> bool:
        """Call the listeners of an event's type with it."""
        in_background(self._dispatch(event))
        return True

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> Any:
            raise misspelt(self, name)

    def _dispatch(self, event: Event) -> list[Any]:
        """Call the listeners; returns what those that are asynchronous left to await."""
        left: list[Any] = []
        kind = event.type
        handler = getattr(self, f"on{kind}", None)
        known = self._listeners.get(kind)
        try:
            if callable(handler):
                result = handler(event)
                if hasattr(type(result), "__await__"):
                    left.append(result)
            for entry in tuple(known) if known else ():
                if entry not in known:  # type: ignore[operator]
                    continue  # removed by one before it
                if entry[1]:
                    known.remove(entry)  # type: ignore[union-attr]
                result = entry[0](event)
                if hasattr(type(result), "__await__"):
                    left.append(result)
        except BaseException:
            # The first that raises is the last that is called; those before it have begun.
            in_background(left)
            raise
        return left


class WebSocketRequestResponsePair:
    """A message and its automatic answer, for `ctx.setWebSocketAutoResponse`.

    Example:
        >>> WebSocketRequestResponsePair("ping", "pong").response
        'pong'

    Source: developers.cloudflare.com/durable-objects/api/state/#setwebsocketautoresponse
    """

    __slots__ = ("_request", "_response")

    def __init__(self, request: Any, response: Any) -> None:
        self._request = js_string(request)
        self._response = js_string(response)

    @classmethod
    def new(cls, request: Any, response: Any) -> "WebSocketRequestResponsePair":
        """Make a pair, by Pyodide's name for it."""
        return cls(request, response)

    @property
    def request(self) -> str:
        """The message that is answered."""
        return self._request

    @property
    def response(self) -> str:
        """The answer."""
        return self._response

    def __repr__(self) -> str:
        return f"WebSocketRequestResponsePair({self._request!r}, {self._response!r})"


_under_way: set[asyncio.Task[Any]] = set()  # a loop alone would not keep its tasks alive


async def awaiting(awaitable: Any) -> Any:
    """Await anything that can be awaited."""
    return await awaitable


def in_background(awaitables: list[Any]) -> None:
    """Run the awaitables of asynchronous listeners as tasks, on behalf of their caller."""
    for awaitable in awaitables:
        task = asyncio.get_running_loop().create_task(awaiting(awaitable))
        _under_way.add(task)
        task.add_done_callback(_under_way.discard)


def close_frame(code: Any, reason: Any) -> Close:
    """Return the frame that `close(code, reason)` sends.

    Raises:
        InvalidAccessError: If the code is not allowed, or there is a reason without one.
        PlatformSyntaxError: If the reason is too long.
    """
    if code is not None:
        code = int(code)
        if not 1000 <= code < 5000 or code in _NEVER_SENT:
            raise InvalidAccessError(f"Invalid WebSocket close code: {code}.")
    if reason is not None:
        reason = js_string(reason)
        if len(reason.encode()) > MAX_REASON_BYTES:
            raise PlatformSyntaxError(
                f"WebSocket close reason must not be longer than {MAX_REASON_BYTES} bytes when "
                "UTF-8 encoded."
            )
        if code is None:
            raise InvalidAccessError(
                "If you specify a WebSocket close reason, you must also specify a code."
            )
    return Close(1005 if code is None else code, reason or "")


def payload(message: Any) -> str | bytes:
    """Return what is sent for a message.

    Raises:
        PlatformTypeError: If it is neither a text nor bytes, and no number either.
    """
    if isinstance(message, str):
        return usv(str(message))
    if isinstance(message, bytes | bytearray | memoryview):
        return bytes(message)
    stands_for = getattr(type(message), "_as_value_", None)  # a JavaScript buffer
    if stands_for is not None:
        return bytes(stands_for(message))
    try:
        return js_string(message)
    except PlatformTypeError:
        hint = ""
        if asyncio.iscoroutine(message):
            message.close()
            hint = "\n  You want:   ws.send(await …)"
        elif isinstance(message, dict | list | tuple):
            hint = "\n  You want:   ws.send(json.dumps(…))"
        raise PlatformTypeError(
            "Failed to execute 'send' on 'WebSocket': parameter 1 is not of type 'string' or "
            f"'ArrayBuffer', but {type(message).__name__}.{hint}"
        ) from None
