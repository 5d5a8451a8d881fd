"""The runtime's state at one instant: frozen records for frames and displays."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel


MAX_PEEKS = 1_000  # files opened to count the rows of objects that are not in memory


@dataclass(frozen=True, slots=True)
class ObjectSnapshot:
    """An object at one instant.

    Attributes:
        binding: Its class's binding.
        class_name: Its class.
        name: The name its id was made from, None for an id without a name.
        id: 64 hex digits.
        state: "running" (events under way), "idle" (in memory) or "evicted".
        keys: How many rows it has; None if there are too many objects to look into each.
        alarm_ms: Its alarm in ms since 1970, None without one.
        requests: How many events it has been sent since it was last read from disk.
    """

    binding: str
    class_name: str
    name: str | None
    id: str
    state: str
    keys: int | None
    alarm_ms: int | None
    requests: int


@dataclass(frozen=True, slots=True)
class AlarmSnapshot:
    """A scheduled alarm.

    Attributes:
        object: `BINDING/name`.
        due_ms: When it was set to run, in ms since 1970.
        runs_ms: When it will run next; later than `due_ms` while it is being retried.
        attempt: 0 before the first try, then the number of the coming retry.
    """

    object: str
    due_ms: int
    runs_ms: int
    attempt: int


def object_snapshots(runtime: "Kernel") -> list[ObjectSnapshot]:
    """Return the objects by binding: those known in the order of first use, then those on disk."""
    shown = []
    for namespace in runtime.namespaces:
        for actor in namespace.actors.values():
            instance = actor.instance
            state = "evicted" if instance is None else "running" if instance.busy else "idle"
            shown.append(
                ObjectSnapshot(
                    namespace.binding,
                    namespace.class_name,
                    actor.id.name,
                    actor.id.toString(),
                    state,
                    len(list(actor.store.kv.keys())),
                    actor.store.kv.alarm_ms,
                    actor.requests,
                )
            )
        for look, (identity, name) in enumerate(runtime.stores.asleep(namespace)):
            keys, alarm_ms = (
                runtime.stores.peek(namespace, identity) if look < MAX_PEEKS else (None, None)
            )
            shown.append(
                ObjectSnapshot(
                    namespace.binding,
                    namespace.class_name,
                    name,
                    identity,
                    "evicted",
                    keys,
                    alarm_ms,
                    0,
                )
            )
    return shown


def alarm_snapshots(runtime: "Kernel") -> list[AlarmSnapshot]:
    """Return the alarms that are waiting, soonest first."""
    shown = []
    for entry in runtime.alarms.scheduled():
        assert entry.timer is not None
        assert entry.due_ms is not None
        name = entry.id.name if entry.id.name is not None else entry.id.toString()[:8]
        runs_ms = runtime.loop.start_ms + round(entry.timer.when() * 1000)
        label = f"{entry.namespace.binding}/{name}"
        shown.append(AlarmSnapshot(label, entry.due_ms, runs_ms, entry.retries))
    return shown
