"""What a learner has made so far, and a runtime of its own to try it in."""

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dobook.errors import DeadlockError, suggest
from dobook.runtime.access import kernel_of
from dobook.runtime.runtime import Runtime

if TYPE_CHECKING:
    from dobook.notebook.core.session import Session


class Missing(Exception):
    """Something an exercise needs is not there, or does not work; the message says what to do."""


class Work:
    """The notebook as a check sees it. Nothing a check does touches the notebook's own runtime."""

    def __init__(self, session: "Session", names: Mapping[str, Any]) -> None:
        self._session = session
        self._names = names
        self.sources: dict[str, str] = {}  # of what a check has looked at, by name

    def variable(self, name: str, hint: str) -> Any:
        """Return a variable of the notebook.

        Raises:
            Missing: If it does not exist; `hint` says what it is to be.
        """
        if name not in self._names or self._names[name] is ...:
            raise Missing(f"there is no variable {name} yet: {hint}")
        value = self._names[name]
        try:
            self.sources[name] = inspect.getsource(value)
        except (TypeError, OSError):
            self.sources[name] = value if isinstance(value, str) else repr(value)
        return value

    def class_of(self, name: str, *methods: str) -> type:
        """Return a class that a cell has defined.

        Args:
            name: The class's name.
            methods: What it has to have.

        Raises:
            Missing: If it is not there, or lacks a method.
        """
        definition = self._session.definitions.get(name)
        if definition is None:
            known = list(self._session.definitions)
            near = f" {suggest(name, known)}" if known else ""
            raise Missing(f"define a class {name} in a %%durable_object cell.{near}")
        self.sources[name] = definition.source
        for method in methods:
            if not callable(getattr(definition.cls, method, None)):
                raise Missing(f"{name} has no method {method} yet. It is called from outside.")
        return definition.cls

    @property
    def migrations(self) -> list[dict[str, Any]]:
        """What the notebook's configuration lists."""
        return self._session.migrations

    @contextmanager
    def playing(self, *classes: str, sqlite: bool = True) -> Iterator["Play"]:
        """Open a fresh runtime in virtual time with classes of the notebook.

        Args:
            classes: Their names; each is bound under its own name. None for all there are.
            sqlite: Which kind of storage they get.
        """
        with Runtime() as runtime:
            kernel_of(runtime).loop.set_exception_handler(self._session.tell)
            for definition in self._session.definitions.values():
                if not classes or definition.class_name in classes:
                    runtime.register(
                        definition.cls,
                        definition.binding,
                        name=definition.class_name,
                        sqlite=sqlite,
                    )
            yield Play(runtime)


class Play:
    """A runtime in which a learner's classes are tried.

    What their code raises becomes a `Missing` that tells which call it was.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def stub(self, which: str, name: str = "a") -> Any:
        """Return a stub of a class's object."""
        return self.runtime.namespace(which).getByName(name)

    def call(self, stub: object, method: str, *args: Any) -> Any:
        """Call a method; returns its answer.

        Raises:
            Missing: If it raises.
        """
        return self._run(lambda: getattr(stub, method)(*args), _written(method, args))

    def race(self, stub: object, method: str, *each: tuple[Any, ...]) -> list[Any]:
        """Call a method several times at once, each with its arguments; returns the answers."""

        async def go() -> list[Any]:
            return await asyncio.gather(*(getattr(stub, method)(*args) for args in each))

        return list(self._run(go, f"{len(each)} calls of {method} at once"))

    def fetch(self, stub: Any, path: str, init: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Send a request; returns the status and the body, read as JSON where it is."""

        async def go() -> tuple[int, Any]:
            response = await stub.fetch(f"http://object{path}", init or {})
            return response.status, _read(await response.text())

        status, body = self._run(go, f"a request to {path}")
        return status, body

    def refuses(self, stub: object, method: str, *args: Any) -> bool:
        """Return whether a call raises."""
        try:
            self.call(stub, method, *args)
        except Missing:
            return True
        return False

    def wait(self, duration: str | int) -> None:
        """Let virtual time pass."""
        self.runtime.advance(duration)

    def connect(self, stub: Any, path: str) -> "Client":
        """Connect a WebSocket.

        Raises:
            Missing: If the answer is not a WebSocket.
        """
        init = {"headers": {"Upgrade": "websocket"}}
        response = self._run(
            lambda: stub.fetch(f"http://object{path}", init), f"a WebSocket to {path}"
        )
        if getattr(response, "web_socket", None) is None:
            raise Missing(
                f"a request to {path} with Upgrade: websocket was answered {response.status} and "
                "no WebSocket. Return Response(None, status=101, web_socket=client)."
            )
        return Client(self, response.web_socket)

    def evict(self, stub: object) -> None:
        """Take an object out of memory, if it is there."""
        self.runtime.settle()
        if kernel_of(self.runtime).actor_of(stub).instance is not None:
            self.runtime.run(self.runtime.evict(stub))

    def rows(self, stub: object) -> dict[str, Any]:
        """Return what an object has stored."""
        self.runtime.settle()
        return dict(kernel_of(self.runtime).actor_of(stub).store.kv.scan())

    def _run(self, begin: Callable[[], Any], what: str) -> Any:
        try:
            return self.runtime.run(begin())
        except DeadlockError:
            raise Missing(
                f"{what} never answers: it waits for something that cannot come."
            ) from None
        except Exception as error:
            raise Missing(f"{what} raised {type(error).__name__}: {error}") from error


class Client:
    """A WebSocket that a check has connected, and what it has been sent.

    Attributes:
        seen: The messages as text, oldest first.
    """

    def __init__(self, play: Play, socket: Any) -> None:
        self._play = play
        self.socket = socket
        self.seen: list[str] = []
        socket.addEventListener("message", lambda event: self.seen.append(event.data))
        socket.accept()
        play.runtime.settle()

    def say(self, text: str) -> None:
        """Send a text and let what it causes happen."""
        self.socket.send(text)
        self._play.runtime.settle()

    def take(self) -> list[Any]:
        """Return what came since the last time, read as JSON where it is."""
        seen, self.seen = self.seen, []
        return [_read(text) for text in seen]


def _read(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def _written(method: str, args: tuple[Any, ...]) -> str:
    shown = ", ".join(text if len(text := repr(arg)) < 40 else "…" for arg in args)
    return f"{method}({shown})"
