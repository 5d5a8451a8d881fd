"""A stub: what callers hold of an object.

A call on a stub is on its way when the method returns; calls on one stub arrive in order. After a
call that failed because the object was reset, the stub stays broken and a new one works.

Source: developers.cloudflare.com/durable-objects/api/stub/
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from dobook.errors import PlatformError
from dobook.ids import DurableObjectId
from dobook.ownership import STUB, Owner, check_owner, current_owner
from dobook.runtime.calls.aborting import heeding
from dobook.runtime.calls.answer import RpcPromise, promise_for
from dobook.runtime.calls.call import Call
from dobook.runtime.calls.promise import Promise, Rejected, Resolved
from dobook.runtime.calls.remote_stream import send_body
from dobook.runtime.calls.rpc import Member, carry_error, member
from dobook.runtime.loop.frame import current_frame
from dobook.runtime.reports.portable import remark
from dobook.web import ReadableStream, Request
from dobook.web.data_url import data_response

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Instance, Namespace
    from dobook.runtime.protocols import Tie as AnyTie


def _post(call: Call, home: "Instance | None") -> RpcPromise:
    call.actor.runtime.post.post(call, home)
    return promise_for(call)


class Tie:
    """What binds stubs to an object until it is reset; then each of them is broken.

    A stub is bound by its first call. Source: cloudflare/workerd src/workerd/server/server.c++
    """

    __slots__ = ("__weakref__", "error")

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class StubState:
    """What a stub knows of its object: whether it is bound to it, and the error that broke it."""

    __slots__ = ("tie",)

    def __init__(self) -> None:
        self.tie: AnyTie | None = None

    def break_with(self, error: BaseException) -> None:
        """Fail with an error from now on."""
        self.tie = Tie(error)


class DurableObjectStub:
    """A client of one object: `fetch` it, or call its methods.

    Example:
        >>> import dobook
        >>> class Greeter:
        ...     def __init__(self, ctx, env): ...
        ...     async def greet(self, name):
        ...         return f"hello {name}"
        >>> with dobook.Runtime() as runtime:
        ...     stub = runtime.register(Greeter).getByName("a")
        ...     runtime.run(stub.greet("world"))
        'hello world'
    """

    _uncloneable_ = (
        "ServiceStub cannot be serialized in this context.",
        "Keep the object's name, or its id as text: str(stub.id).",
    )

    def __init__(
        self,
        namespace: "Namespace",
        identity: DurableObjectId,
        owner: Owner | None,
    ) -> None:
        self._owner = owner  # the object whose code received it; None outside of objects
        self._namespace = namespace
        self.id = identity
        self.name = identity.name
        self._state = StubState()
        self._actor: Actor | None = None

    def fetch(self, input: Any, init: Any = None, **options: Any) -> Any:  # noqa: A002
        """Send the object a request.

        Args:
            input: A URL, or a Request.
            init: `method`, `headers`, `body`, `redirect`, `signal`; also as keywords.

        Returns:
            A promise of the Response.

        Raises:
            Awaiting raises what the handler raised, with the flag `remote`.
        """
        if init or options:
            self._remark_on_options(init, options)
        if current_owner.get() is not self._owner:
            try:
                check_owner(self._owner, STUB)
            except PlatformError as error:
                return Rejected(error)
        tie = self._state.tie
        if tie is not None and tie.error is not None:
            return Rejected(self._broken(tie.error))
        try:
            if isinstance(init, Request):
                input, init = Request._from_init(input, init), None  # noqa: A001
            request = Request._for_delivery(
                input, {**(init or {}), **options} if init or options else None
            )
            if request._body is not None:
                send_body(request, self._namespace.runtime)
        except Exception as error:
            answer = data_response(input)  # which asks nobody
            return Rejected(error) if answer is None else Resolved(answer)
        actor = self._actor
        if actor is None or actor.released or actor.runtime.closed:
            try:
                actor = self._known()
            except Exception as error:
                return Rejected(error)
        if tie is None:
            self._state.tie = actor.bind()
        request._owner = actor
        if type(request._body) is ReadableStream:
            request._body.owner = actor
        call = Call(actor, "fetch", (), (request,), None, None, self._state)
        frame = current_frame.get()
        home = None if frame is None else frame.instance
        if request._signal is not None:
            return heeding(request, partial(_post, call, home))
        actor.runtime.post.post(call, home)
        return promise_for(call)

    def _remark_on_options(self, init: object, options: dict[str, Any]) -> None:
        """Remark on what `fetch` is given and Cloudflare's SDK would not take."""
        if init:
            remark(
                "stub.fetch(url, {…}): fetch() of Cloudflare's Python SDK takes options as keywords "
                'only (TypeError). Write stub.fetch(url, method="POST", body=…).'
            )

    def __getattr__(self, name: str) -> Member:
        if name.startswith("_"):
            return member(self, (name,))  # raises
        found = self.__dict__[name] = Member(self, (name,))
        return found

    def _known(self) -> "Actor":
        """Return the object's current actor; called only if the one at hand is unusable."""
        runtime = self._namespace.runtime
        runtime.check_open()
        with runtime.driver.held:
            actor = self._actor = self._namespace.actor(self.id)
        return actor

    def _invoke(
        self, path: tuple[str, ...], args: tuple[Any, ...] | None, kwargs: dict[str, Any] | None
    ) -> Promise:
        if current_owner.get() is not self._owner:
            try:
                check_owner(self._owner, STUB)
            except PlatformError as error:
                return Rejected(error)
        state = self._state
        tie = state.tie
        if tie is not None and tie.error is not None:
            return Rejected(self._broken(tie.error))
        actor = self._actor
        if actor is None or actor.released or actor.runtime.closed:
            try:
                actor = self._known()
            except Exception as error:
                return Rejected(error)
        if tie is None:
            state.tie = actor.bind()
        frame = current_frame.get()
        home = None if frame is None else frame.instance
        call = Call(actor, "rpc", path, args, kwargs, None, state)
        promise: Promise = actor.runtime.post.send(call, home=home)
        return promise

    def _broken(self, error: BaseException) -> BaseException:
        """Return why this stub is broken: the old error, without the lines that got it first."""
        carried = carry_error(error, remote=False).with_traceback(None)
        name = f".getByName({self.name!r})" if self.name is not None else ".get(id)"
        note = (
            "The object was reset since this stub was made, which broke the stub. Get a new one: "
            f"{path_of(self._namespace)}{name}"
        )
        if note not in getattr(carried, "__notes__", ()):
            carried.__notes__ = [*getattr(carried, "__notes__", ()), note]
        return carried

    def _carried_(self, _home: object = None, receiver: Owner | None = None) -> "DurableObjectStub":
        check_owner(self._owner, STUB)
        return DurableObjectStub(self._namespace, self.id, receiver)

    def __repr__(self) -> str:
        named = self.name if self.name is not None else self.id.toString()[:8] + "…"
        return f"<{self._namespace.binding}/{named}>"


def path_of(namespace: "Namespace") -> str:
    """Return how an object's code reaches a class: by its binding, or by `ctx.exports`."""
    if namespace.bound:
        return f"env.{namespace.binding}"
    return f"ctx.exports.{namespace.class_name}"
