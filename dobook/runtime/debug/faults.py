"""Faults on purpose: slow storage, crashes at a chosen point, failed writes, lost answers.

A fault is planned for one object (slow storage also for a class) and, slow storage excepted,
happens once for each time it was planned. What has been planned is in `runtime.faults.planned()`,
what has happened is in the trace, as events of the kind "fault".
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dobook.errors import PlatformError, UsageError
from dobook.events import Fault
from dobook.runtime.aborts import DurableObjectAbort
from dobook.runtime.debug.commits import watch_commits
from dobook.runtime.debug.watched import set_watched
from dobook.runtime.objects.namespace import DurableObjectNamespace
from dobook.storage.store import ObjectStore

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Call, Instance, Kernel, Namespace

CRASHED: Final = "The Durable Object crashed."
CONNECTION_LOST: Final = "Network connection lost."
CRASH_POINTS: Final = "now, before commit, after commit, 1st write, 2nd await and so on"
_POINT = re.compile(r"(?:(before|after) commit)|(?:(\d+)(?:st|nd|rd|th)? (write|await))")


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault that is in force or will happen.

    Attributes:
        object: `BINDING/name`, or a binding.
        kind: "slow", "crash", "failed write", "lost reply" or "network error".
        detail: How slow, where, how often.
    """

    object: str
    kind: str
    detail: str


class ObjectFaults:
    """What is planned for one object; the engine asks at each point where something may happen."""

    def __init__(self, slow_ms: float = 0) -> None:
        self.slow_ms = slow_ms
        self.crash_commit = ""  # "before" or "after"
        self.writes_left = 0  # until the crash; 0 for none
        self.awaits_left = 0
        self.failed_writes = 0
        self.lost_replies = 0
        self.network_errors = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is planned any more."""
        return not any(vars(self).values())

    # ------------------------------------------------------------------ what the engine tells

    def operation_ms(self, instance: "Instance") -> float:
        """Return how long an operation on storage takes."""
        return self.slow_ms

    def wrote(self, instance: "Instance") -> None:
        """Note that the object has written; the write is not committed yet.

        Raises:
            DurableObjectAbort: If it crashes here.
        """
        if self.writes_left:
            self.writes_left -= 1
            if not self.writes_left:
                crash_at(instance.actor, "write")
                raise DurableObjectAbort(CRASHED)

    def awaited(self, instance: "Instance") -> None:
        """Note that the object's code begins to wait, for storage included; may crash it."""
        if self.awaits_left and instance.dead is None:
            self.awaits_left -= 1
            if not self.awaits_left:
                crash_at(instance.actor, "await")

    def refuses(self, call: "Call") -> bool:
        """Return whether a call gets lost on its way; marks one whose answer will be."""
        if call.kind not in ("fetch", "rpc"):
            return False
        if self.network_errors:
            self.network_errors -= 1
            happens(call.actor, "network error")
            call.reject(network_error())
            return True
        if self.lost_replies:
            self.lost_replies -= 1
            lose_answer(call)
        return False

    def before_commit(self, actor: "Actor") -> bool:
        """Return whether a commit may take place; False after its object has been reset."""
        if self.crash_commit == "before":
            self.crash_commit = ""
            crash_at(actor, "before commit")
            return False
        if self.failed_writes:
            self.failed_writes -= 1
            happens(actor, "failed write")
            actor.store.discard()
            actor.runtime.stores.failed(actor.store, OSError("disk I/O error"))
            return False
        return True

    def after_commit(self, actor: "Actor") -> None:
        """Note that a commit is durable, and nobody has been answered yet."""
        if self.crash_commit == "after":
            self.crash_commit = ""
            crash_at(actor, "after commit")

    def described(self, *, except_slow_ms: float = 0) -> list[tuple[str, str]]:
        """Return kind and detail of what is planned, a slowness of its class excepted."""
        lines = []
        if self.slow_ms and self.slow_ms != except_slow_ms:
            lines.append(("slow", f"{self.slow_ms:g} ms"))
        if self.crash_commit:
            lines.append(("crash", f"{self.crash_commit} commit"))
        for count, what in ((self.writes_left, "write"), (self.awaits_left, "await")):
            if count:
                lines.append(("crash", f"{_ordinal(count)} {what} from now"))
        for count, kind in (
            (self.failed_writes, "failed write"),
            (self.lost_replies, "lost reply"),
            (self.network_errors, "network error"),
        ):
            if count:
                lines.append((kind, f"{count} to come"))
        return lines


class Faults:
    """`runtime.faults`: breaks things on purpose.

    Example:
        >>> import dobook
        >>> class Counter:
        ...     def __init__(self, ctx, env):
        ...         self.storage = ctx.storage
        ...     async def increment(self):
        ...         await self.storage.put("n", (await self.storage.get("n") or 0) + 1)
        >>> with dobook.Runtime(start=0) as runtime:
        ...     counter = runtime.register(Counter).getByName("a")
        ...     runtime.faults.slow(counter, 100)
        ...     runtime.run(counter.increment())
        ...     runtime.clock.now_ms
        200
    """

    def __init__(self, runtime: "Kernel") -> None:
        self._runtime = runtime
        self._objects: dict[tuple[str, str], ObjectFaults] = {}
        self._labels: dict[tuple[str, str], str] = {}
        self._classes: dict[str, float] = {}  # unique key → slowness in ms

    # ------------------------------------------------------------------ planning

    def slow(self, which: object, ms: float) -> None:
        """Slow down each storage operation; 0 makes storage fast again.

        Args:
            which: A stub or `BINDING/name`; a namespace or binding for all objects of a class.
            ms: Milliseconds of virtual time.
        """
        if ms < 0:
            raise UsageError(f"storage cannot take {ms} ms.")
        namespace = self._namespace_of(which)
        if namespace is None:
            actor = self._runtime.actor_of(which)
            self._of(actor).slow_ms = ms
            self._apply(actor)
            return
        self._classes[namespace.unique_key] = ms
        for actor in namespace.actors.values():
            self._of(actor).slow_ms = ms
            self._apply(actor)

    def crash(self, which: object, at: str = "now") -> None:
        """End an object's life as a crash would, now or at a point that it will come to.

        Args:
            which: A stub or `BINDING/name`.
            at: "now", "before commit", "after commit" (durable, but nobody answered), "2nd write"
                (made, not committed) or "3rd await" (where its code begins to wait, for storage
                too), counted from now.

        Raises:
            UsageError: If `at` is not one of these.
        """
        point = at.strip().lower()
        actor = self._runtime.actor_of(which)
        if point == "now":
            crash_at(actor, "now")
            return
        found = _POINT.fullmatch(point)
        if found is None or found[2] == "0":
            raise UsageError(f"a crash is planned at one of: {CRASH_POINTS}; not {at!r}.")
        faults = self._of(actor)
        if found[1]:
            faults.crash_commit = found[1]
        elif found[3] == "write":
            faults.writes_left = int(found[2])
        else:
            faults.awaits_left = int(found[2])
        self._apply(actor)

    def fail_writes(self, which: object, times: int = 1) -> None:
        """Fail an object's next commits as a broken disk would; each resets the object."""
        self._count(which, "failed_writes", times)

    def lose_replies(self, which: object, times: int = 1) -> None:
        """Drop an object's next answers: it has done the work, its caller gets an error.

        The error says that it may be tried again (`retryable`), as on the platform.
        """
        self._count(which, "lost_replies", times)

    def network_errors(self, which: object, times: int = 1) -> None:
        """Drop the next calls to an object; the stub that called is broken then."""
        self._count(which, "network_errors", times)

    def clear(self, which: object = None) -> None:
        """Take back what is planned for an object or class, without an argument everything."""
        if which is None:
            self._classes.clear()
            keys = list(self._objects)
        elif (namespace := self._namespace_of(which)) is not None:
            self._classes.pop(namespace.unique_key, None)
            keys = [key for key in self._objects if key[0] == namespace.unique_key]
        else:
            keys = [_key(self._runtime.actor_of(which))]
        for key in keys:
            self._objects.pop(key, None)
        for namespace in self._runtime.namespaces:
            for actor in namespace.actors.values():
                if actor.faults is not None:  # its own, or the slowness of its class
                    self._apply(actor)

    def planned(self) -> list[PlannedFault]:
        """Return what is in force or will happen."""
        lines = [
            PlannedFault(n.binding, "slow", f"{ms:g} ms")
            for n in self._runtime.namespaces
            if (ms := self._classes.get(n.unique_key))
        ]
        for key, faults in self._objects.items():
            of_class = self._classes.get(key[0], 0)
            lines += [
                PlannedFault(self._labels[key], *line)
                for line in faults.described(except_slow_ms=of_class)
            ]
        return lines

    @property
    def any(self) -> bool:
        """Whether something is in force or planned."""
        return bool(self._objects or self._classes)

    # ------------------------------------------------------------------ the engine's side

    def of(self, namespace: "Namespace", identity: str) -> ObjectFaults | None:
        """Return the faults planned for an object that is being created, None without any."""
        if not self.any:
            return None
        found = self._objects.get((namespace.unique_key, identity))
        slow_ms = self._classes.get(namespace.unique_key, 0)
        return found or (ObjectFaults(slow_ms) if slow_ms else None)

    def before_commit(self, store: ObjectStore) -> bool:
        """Return whether a store may be committed; asked by the committer."""
        faults: ObjectFaults | None = store.owner.faults
        return faults is None or faults.before_commit(store.owner)

    def delay_ms(self, store: ObjectStore) -> float:
        """Return how much later than usual a store's writes become durable."""
        faults: ObjectFaults | None = store.owner.faults
        return 0 if faults is None else faults.slow_ms

    def happened(self, actor: "Actor") -> None:
        """Forget the object after a planned fault if nothing else is planned for it."""
        if actor.faults is not None and actor.faults.empty:
            self._apply(actor)

    def _count(self, which: object, what: str, times: int) -> None:
        actor = self._runtime.actor_of(which)
        setattr(self._of(actor), what, times)
        self._apply(actor)

    def _of(self, actor: "Actor") -> ObjectFaults:
        key = _key(actor)
        found = self._objects.get(key)
        if found is None:
            found = self.of(actor.namespace, key[1]) or ObjectFaults()
            self._objects[key] = found
            self._labels[key] = actor.label
        return found

    def _apply(self, actor: "Actor") -> None:
        faults = self.of(actor.namespace, actor.id.toString())
        actor.faults = None if faults is None or faults.empty else faults
        if faults is not None and faults.empty:
            self._objects.pop(_key(actor), None)
        committer = self._runtime.stores.committer
        anything = self.any
        committer.screen = self.before_commit if anything else None
        committer.delay_ms = self.delay_ms if anything else None
        committer.call_later = self._runtime.loop.call_later
        watch_commits(self._runtime)
        if actor.instance is not None:
            set_watched(actor.instance)

    def _namespace_of(self, which: object) -> DurableObjectNamespace | None:
        if isinstance(which, str) and "/" not in which:
            found: DurableObjectNamespace = self._runtime.registry.find(which)
            return found
        return which if isinstance(which, DurableObjectNamespace) else None


def network_error() -> PlatformError:
    """Return the error of a connection that breaks."""
    error = PlatformError(CONNECTION_LOST)
    error.retryable = True  # type: ignore[attr-defined]
    return error


def _key(actor: "Actor") -> tuple[str, str]:
    return actor.namespace.unique_key, actor.id.toString()


def happens(actor: "Actor", what: str) -> None:
    """Report a fault of an object that comes true now, and forget it."""
    actor.runtime.faults.happened(actor)
    observers = actor.runtime.observers
    if observers.detailed:
        observers.emit(Fault, actor.label, 0, what)


def crash_at(actor: "Actor", point: str) -> None:
    """Crash an object at a point of its life."""
    happens(actor, f"crash: {point}")
    if actor.instance is not None:
        actor.instance.reset(PlatformError(CRASHED), stubs=False)


def lose_answer(call: "Call") -> None:
    """Let the caller get an error of the network in place of the answer to a call."""

    def lost(_value: object, _error: BaseException | None) -> None:
        happens(call.actor, "lost reply")
        if call.stub is not None:
            call.stub.break_with(network_error())
        call.detour = None
        call.settle(None, network_error())

    call.detour = lost


def _ordinal(n: int) -> str:
    ending = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
