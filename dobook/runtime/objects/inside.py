"""Running a function inside an object, as an event of it, from outside: an inspector's edits.

The function gets the object's `ctx` and runs under the input gate like any handler; what it writes
is durable before its result is handed out. An object that is not in memory is started for it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dobook.runtime.calls.answer import RpcPromise, promise_for
from dobook.runtime.calls.call import Call
from dobook.runtime.calls.rpc import RpcTarget

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Kernel


class _Guest(RpcTarget):
    def __init__(self, actor: "Actor", function: Callable[[Any], Any]) -> None:
        self._actor = actor
        self._function = function

    def run_inside(self) -> Any:
        """Call the function; the gate has admitted the event."""
        instance = self._actor.instance
        assert instance is not None
        return self._function(instance.ctx)


def run_inside(runtime: "Kernel", which: object, function: Callable[[Any], Any]) -> RpcPromise:
    """Run a function of an object's `ctx` as an event of the object.

    Args:
        runtime: The runtime.
        which: A stub or `BINDING/name`.
        function: Called with `ctx`; what it returns is awaited if it can be, and copied.

    Returns:
        A promise of the result.

    Example:
        >>> import dobook
        >>> from dobook.runtime.access import kernel_of
        >>> from dobook.runtime.objects.inside import run_inside
        >>> class Counter:
        ...     def __init__(self, ctx, env): ...
        >>> with dobook.Runtime() as runtime:
        ...     counter = runtime.register(Counter).getByName("a")
        ...     kernel = kernel_of(runtime)
        ...     _ = runtime.run(run_inside(kernel, counter, lambda ctx: ctx.storage.put("n", 5)))
        ...     runtime.run(run_inside(kernel, counter, lambda ctx: ctx.storage.get("n")))
        5
    """
    actor = runtime.actor_of(which)
    call = Call(actor, "rpc", ("run_inside",), (), target=_Guest(actor, function))
    runtime.post.post(call, None)
    return promise_for(call)
