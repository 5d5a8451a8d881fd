"""What may happen to an object at each point of its life, when a schedule has it.

Takes the place of the runtime's planned faults: the engine asks at the same points, and the answer
comes from the run's decisions.
"""

from typing import TYPE_CHECKING

from dobook.explorer.decisions import Decisions
from dobook.explorer.schedule import DELAYS_MS, SLOW_MS, late, lateness
from dobook.explorer.scheduler import Scheduler
from dobook.runtime.aborts import DurableObjectAbort
from dobook.runtime.access import kernel_of
from dobook.runtime.debug.commits import watch_commits
from dobook.runtime.debug.faults import (
    CRASHED,
    Faults,
    ObjectFaults,
    crash_at,
    happens,
    lose_answer,
    network_error,
)
from dobook.storage.store import ObjectStore

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Call, Instance, Namespace
    from dobook.runtime.runtime import Runtime

_DELAYS = tuple(late(ms) for ms in DELAYS_MS)
_SLOW = tuple(late(ms) for ms in SLOW_MS)
_CRASH = ("crash",)


class Mishaps(Faults):
    """`runtime.faults` of a run that is explored.

    Args:
        runtime: The runtime.
        decisions: Who decides.
        scheduler: Where deliveries wait for their turn.
    """

    def __init__(self, runtime: "Runtime", decisions: Decisions, scheduler: Scheduler) -> None:
        kernel = kernel_of(runtime)
        super().__init__(kernel)
        self._decisions = decisions
        self._scheduler = scheduler
        committer = kernel.stores.committer
        committer.screen = self.before_commit
        committer.delay_ms = self.delay_ms
        committer.call_later = kernel.loop.call_later
        kernel.faults = self
        watch_commits(kernel)

    @property
    def any(self) -> bool:
        """Whether something may happen: always."""
        return True

    def of(self, namespace: "Namespace", identity: str) -> ObjectFaults:
        """Return what may happen to an object that is being created."""
        return ObjectMishaps(self._decisions, self._scheduler)

    def delay_ms(self, store: ObjectStore) -> float:
        """Return how much later than usual a store's writes become durable."""
        option = self._decisions.decide("commit", store.owner.label, _SLOW)
        if option is None:
            return 0
        happens(store.owner, f"commit {option[1:]} late")
        return lateness(option)


class ObjectMishaps(ObjectFaults):
    """What may happen to one object."""

    def __init__(self, decisions: Decisions, scheduler: Scheduler) -> None:
        super().__init__()
        self._decisions = decisions
        self._scheduler = scheduler
        self.awaits_left = 1  # waiting for storage is reported, too

    @property
    def empty(self) -> bool:
        """Whether nothing is planned any more: never."""
        return False

    def operation_ms(self, instance: "Instance") -> float:
        """Return how long an operation on storage takes."""
        option = self._decisions.decide("storage", instance.actor.label, _SLOW)
        if option is None:
            return 0
        happens(instance.actor, f"storage takes {option[1:]}")
        return lateness(option)

    def wrote(self, instance: "Instance") -> None:
        """Note that the object has written; it may crash before the write is committed."""
        if self._decisions.decide("write", instance.actor.label, _CRASH):
            crash_at(instance.actor, "write")
            raise DurableObjectAbort(CRASHED)

    def awaited(self, instance: "Instance") -> None:
        """Note that the object's code begins to wait for something; it may crash there."""
        if instance.dead is None and self._decisions.decide("await", instance.actor.label, _CRASH):
            crash_at(instance.actor, "await")

    def before_commit(self, actor: "Actor") -> bool:
        """Return whether a commit may take place; False after its object has crashed."""
        if self._decisions.decide("before-commit", actor.label, _CRASH):
            crash_at(actor, "before commit")
            return False
        return True

    def after_commit(self, actor: "Actor") -> None:
        """Note that a commit is durable and nobody has been answered yet; it may crash here."""
        if self._decisions.decide("after-commit", actor.label, _CRASH):
            crash_at(actor, "after commit")

    def refuses(self, call: "Call") -> bool:
        """Return whether an event does not arrive, now or ever."""
        mail = call.kind in ("fetch", "rpc")
        if not mail and self._scheduler.defer(call):
            return True
        if self._arrives(call, mail=mail):
            if mail:
                self._reply(call)
            return False
        call.reject(network_error())
        return True

    def _arrives(self, call: "Call", *, mail: bool) -> bool:
        actor = call.actor
        instance = actor.instance
        options = [] if instance is None else ["crash"] if instance.busy else ["evict", "crash"]
        if mail:
            options.append("lost")
        option = self._decisions.decide("delivery", actor.label, options) if options else None
        if option == "evict" and instance is not None:
            actor.runtime.residency.evict(instance, "explored")
        elif option == "crash":
            crash_at(actor, "between events")
        elif option == "lost":
            happens(actor, "lost message")
            return False
        return True

    def _reply(self, call: "Call") -> None:
        option = self._decisions.decide("reply", call.actor.label, ("lost", *_DELAYS))
        if option == "lost":
            lose_answer(call)
        elif option is not None:
            _delay_answer(call, lateness(option))


def _delay_answer(call: "Call", ms: int) -> None:

    def arrive(value: object, error: BaseException | None) -> None:
        call.detour = None
        call.settle(value, error)

    def later(value: object, error: BaseException | None) -> None:
        happens(call.actor, f"reply {ms} ms late")
        call.actor.runtime.loop.call_later(ms / 1000, arrive, value, error)

    call.detour = later
