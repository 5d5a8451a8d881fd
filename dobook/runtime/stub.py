"""A stub: what callers hold of an object.

A call on a stub is on its way when the method returns; calls on one stub arrive in order. After a
call that failed because the object was reset, the stub stays broken and a new one works.

Source: developers.cloudflare.com/durable-objects/api/stub/
"""

from typing import TYPE_CHECKING, Any

from dobook.ids import DurableObjectId
from dobook.runtime.calls import Call, RpcPromise
from dobook.runtime.promise import Rejected
from dobook.runtime.rpc import Member, member
from dobook.runtime.turns import current_frame
from dobook.web import Request

if TYPE_CHECKING:
    from dobook.runtime.namespace import DurableObjectNamespace


class StubState:
    """What a stub knows of its object: the error that has broken it."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: BaseException | None = None


class DurableObjectStub:
    """A client of one object: `fetch` it, or call its methods.

    Example:
        >>> import dobook
        >>> class Greeter:
        ...     def __init__(self, ctx, env): ...
        ...     async def greet(self, whom):
        ...         return f"hello {whom}"
        >>> with dobook.Runtime() as runtime:
        ...     stub = runtime.register(Greeter).getByName("a")
        ...     runtime.run(stub.greet("world"))
        'hello world'
    """

    def __init__(self, namespace: "DurableObjectNamespace", identity: DurableObjectId) -> None:
        self._namespace = namespace
        self.id = identity
        self.name = identity.name
        self._state = StubState()

    def fetch(self, input: Any, init: Any = None, **options: Any) -> Any:  # noqa: A002
        """Send the object a request.

        Args:
            input: A URL, or a Request.
            init: `method`, `headers`, `body`, `redirect`; also as keywords.

        Returns:
            A promise of the Response.

        Raises:
            Awaiting raises what the handler raised, with the flag `remote`.
        """
        if self._state.error is not None:
            return Rejected(self._state.error)
        try:
            request = Request._for_delivery(
                input, {**(init or {}), **options} if init or options else None
            )
        except Exception as error:  # noqa: BLE001 - awaiting raises it, as the platform does
            return Rejected(error)
        namespace = self._namespace
        call = Call(namespace.actor(self.id), "fetch", (), (request,), stub=self._state)
        frame = current_frame.get()
        namespace.runtime.post.post(call, None if frame is None else frame.instance)
        return RpcPromise(call)

    def __getattr__(self, name: str) -> Member:
        found = self.__dict__[name] = member(self, (name,))
        return found

    def _invoke(
        self, path: tuple[str, ...], args: tuple[Any, ...] | None, kwargs: dict[str, Any] | None
    ) -> Any:
        if self._state.error is not None:
            return Rejected(self._state.error)
        namespace = self._namespace
        actor = namespace.actor(self.id)
        call = Call(actor, "rpc", path, args, kwargs, stub=self._state)
        frame = current_frame.get()
        return namespace.runtime.post.send(call, home=None if frame is None else frame.instance)

    def _carried_(self) -> "DurableObjectStub":
        return DurableObjectStub(self._namespace, self.id)

    def __repr__(self) -> str:
        named = self.name if self.name is not None else self.id.toString()[:8] + "…"
        return f"<{self._namespace.binding}/{named}>"
