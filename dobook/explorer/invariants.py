"""Invariants: what must always, or eventually, be true of an object, whatever the schedule.

A method that is marked with `@invariant` takes no arguments, reads memory and storage, and returns
False or raises when it is violated. It is asked between events, where another event might see the
object, so not in the middle of a turn.
"""

import datetime as dt
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from dobook.clock import parse_duration
from dobook.errors import UsageError
from dobook.runtime.access import kernel_of
from dobook.runtime.calls.call import Call

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Instance
    from dobook.runtime.runtime import Runtime

_MARK: Final = "__dobook_invariant__"
_WAKE: Final = "exploring"  # an event that no object handles; delivering it makes the instance
F = TypeVar("F", bound=Callable[..., Any])


@overload
def invariant(method: F) -> F: ...
@overload
def invariant(*, eventually: str | float | dt.timedelta) -> Callable[[F], F]: ...
def invariant(
    method: object = None, *, eventually: str | float | dt.timedelta | None = None
) -> Any:
    """Mark a method of a class as something that must be true.

    Args:
        method: The method; it returns False or raises when it does not hold.
        eventually: Within how much virtual time after the end of the scenario it has to become
            true: text such as "1m", a timedelta, or ms. Without it, it must always hold.

    Example:
        >>> import dobook
        >>> class Account:
        ...     def __init__(self, ctx, env):
        ...         self.kv = ctx.storage.kv
        ...     @dobook.invariant
        ...     def is_never_overdrawn(self):
        ...         return (self.kv.get("balance") or 0) >= 0
    """
    within_ms = None if eventually is None else parse_duration(eventually)

    def mark(function: object) -> Any:
        setattr(function, _MARK, (within_ms,))
        return function

    return mark if method is None else mark(method)


def is_invariant(member: object) -> bool:
    """Return whether a member of a class is marked with `@invariant`."""
    return hasattr(member, _MARK)


class Violation(AssertionError):
    """An invariant does not hold.

    Attributes:
        name: Of the method.
        label: Of the object.
    """

    def __init__(self, name: str, label: str, why: str) -> None:
        self.name = name
        self.label = label
        super().__init__(f"{label}: {name.replace('_', ' ')} does not hold" + (why and f": {why}"))


class Invariants:
    """The invariants of a runtime's classes.

    Args:
        runtime: The runtime.
    """

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._met: set[tuple[str, str]] = set()
        self._always: dict[type, list[str]] = {}
        self._eventually: dict[type, list[tuple[str, int]]] = {}
        for namespace in kernel_of(runtime).namespaces:
            cls = namespace.cls
            for name, member in inspect.getmembers_static(cls):
                mark = getattr(member, _MARK, None)
                if mark is None:
                    continue
                if mark[0] is None:
                    self._always.setdefault(cls, []).append(name)
                else:
                    self._eventually.setdefault(cls, []).append((name, mark[0]))

    @property
    def any_always(self) -> bool:
        """Whether there is one that must always hold."""
        return bool(self._always)

    @property
    def patience_ms(self) -> int | None:
        """How long to wait for those that must hold eventually; None without any."""
        times = [ms for found in self._eventually.values() for _, ms in found]
        return max(times) if times else None

    def broken(self) -> Violation | None:
        """Return the first that must always hold and does not."""
        for instance in kernel_of(self._runtime).residency.instances():
            for name in self._always.get(instance.actor.namespace.cls, ()):
                violation = self._ask(instance, name)
                if violation is not None:
                    return violation
        return None

    def overdue(self, waited_ms: int) -> tuple[Violation | None, bool]:
        """Ask for those that must hold eventually and have not yet.

        Args:
            waited_ms: For how long they have been waited for.

        Returns:
            One that should hold by now, and whether there is anything left to wait for.
        """
        waiting = False
        for instance in kernel_of(self._runtime).residency.instances():
            for name, within_ms in self._eventually.get(instance.actor.namespace.cls, ()):
                key = (instance.actor.label, name)
                if key in self._met:
                    continue
                violation = self._ask(instance, name)
                if violation is None:
                    self._met.add(key)
                elif waited_ms >= within_ms:
                    return violation, True
                else:
                    waiting = True
        return None, waiting

    def wake_all(self) -> None:
        """Restart the objects that were evicted or have crashed, so that they can be asked."""
        for namespace in kernel_of(self._runtime).namespaces:
            if namespace.cls in self._always or namespace.cls in self._eventually:
                for actor in list(namespace.actors.values()):
                    if actor.instance is None and not actor.released:
                        _wake(actor)

    def _ask(self, instance: "Instance", name: str) -> Violation | None:
        if instance.dead is not None or instance.gate.busy or instance.object is None:
            return None  # in the middle of something that nobody else can see
        label = instance.actor.label
        try:
            answer = instance.context().copy().run(getattr(instance.object, name))
            if hasattr(type(answer), "__await__"):
                answer = _at_once(answer)
        except UsageError:
            raise
        except Exception as error:
            text = str(error).partition("\n")[0]
            return Violation(name, label, text or type(error).__name__)
        return Violation(name, label, "") if answer is False else None


def _at_once(awaitable: Any) -> Any:
    steps = awaitable.__await__()
    try:
        steps.send(None)
    except StopIteration as stop:
        return stop.value
    steps.close()
    raise UsageError("an invariant may read storage and memory; it cannot wait for anything else.")


def _wake(actor: "Actor") -> None:
    actor.deliver(Call(actor, _WAKE, (), ()))
