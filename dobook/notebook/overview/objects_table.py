"""The objects of a class at one instant: what the namespace's card and its live view both show.

Looking makes no object, wakes none and turns no loop.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from dobook.clock import format_duration, format_time
from dobook.notebook.core.display import Card
from dobook.notebook.core.session import Session
from dobook.runtime.objects.actor import Actor
from dobook.runtime.objects.namespace import DurableObjectNamespace

MOST_ROWS = 100
ORDERS = ("first used", "name", "last active", "alarm")
_CARD_NAMES = 8
_ID_DIGITS = 8


@dataclass(slots=True)
class Member:
    """One object of a class, as far as a table needs it.

    Attributes:
        id: 64 hex digits.
        name: The name its id was made from, None if it has none.
        actor: What the runtime knows of it; None for one that is only on disk.
    """

    id: str
    name: str | None
    actor: Actor | None

    @property
    def shown(self) -> str:
        """What people call it."""
        return self.name if self.name is not None else self.id[:8] + "…"

    @property
    def label(self) -> str:
        """What it can be asked for by, after the binding: its name, or its whole id."""
        return self.name if self.name is not None else self.id

    @property
    def state(self) -> str:
        """`running`, `idle` or `evicted`."""
        instance = None if self.actor is None else self.actor.instance
        return "evicted" if instance is None else "running" if instance.busy else "idle"

    @property
    def sockets(self) -> int:
        """How many WebSockets it has, hibernating ones included."""
        return 0 if self.actor is None else sockets_of(self.actor)


def sockets_of(actor: Actor) -> int:
    """Return how many WebSockets an object has, hibernating ones included."""
    found = 0 if actor.sockets is None else len(actor.sockets)
    return found if actor.instance is None else found + len(actor.instance.sockets)


def members(namespace: DurableObjectNamespace) -> list[Member]:
    """Return the objects of a class: those known in the order of first use, then those on disk."""
    found = [Member(i, a.id.name, a) for i, a in namespace.actors.items()]
    known = set(namespace.actors)
    asleep = namespace.runtime.stores.asleep(namespace)
    return found + [Member(i, name, None) for i, name in asleep if i not in known]


class Population:
    """Looks at the objects of a class, again and again.

    What is only on disk does not change, so each of its files is opened once.

    Args:
        session: The session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asleep: dict[str, tuple[int, int | None]] = {}

    def look(
        self,
        namespace: DurableObjectNamespace,
        *,
        find: str = "",
        order: str = ORDERS[0],
        chosen: Collection[str] = (),
    ) -> dict[str, Any]:
        """Return the facts, as plain JSON.

        Args:
            namespace: The class.
            find: Only rows of objects whose name has this text in it, or whose id begins so.
            order: One of `ORDERS`.
            chosen: Ids of the objects that are ticked.
        """
        runtime, everyone = namespace.runtime, members(namespace)
        due = {e.id.toString(): e for e in runtime.alarms.of(namespace)}
        alarms = {i: _runs_ms(e, runtime) for i, e in due.items()}
        by_id = len(find) >= _ID_DIGITS  # a short name is not meant to be found in ids
        found = [m for m in everyone if find in m.label or (by_id and m.id.startswith(find))]
        found.sort(key=self._order(namespace, order, alarms))
        return {
            "title": f"env.{namespace.binding}",
            "binding": namespace.binding,
            "class": namespace.class_name,
            "storage": storage_text(namespace),
            "unique_key": namespace.unique_key,
            "count": len(everyone),
            "resident": sum(m.state != "evicted" for m in everyone),
            "alarms": len(alarms),
            "sockets": sum(m.sockets for m in everyone),
            "find": find,
            "order": order,
            "orders": list(ORDERS),
            "matching": len(found),
            "chosen": sum(m.id in chosen for m in everyone),
            "rows": [
                self._row(namespace, m, alarms.get(m.id), ticked=m.id in chosen)
                for m in found[:MOST_ROWS]
            ],
        }

    def _order(
        self, namespace: DurableObjectNamespace, order: str, alarms: dict[str, int]
    ) -> Callable[[Member], Any]:
        if order == "name":
            return lambda member: (member.name is None, member.label)
        if order == "alarm":
            return lambda member: alarms.get(member.id, float("inf"))
        if order == "last active":
            return lambda member: -(self._last(namespace, member) or (0, ""))[0]
        return lambda member: 0

    def _last(self, namespace: DurableObjectNamespace, member: Member) -> tuple[int, str] | None:
        label = member.name if member.name is not None else member.id[:8]
        return self._session.log.last(f"{namespace.binding}/{label}")

    def _row(
        self,
        namespace: DurableObjectNamespace,
        member: Member,
        alarm_ms: int | None,
        *,
        ticked: bool,
    ) -> dict[str, Any]:
        runtime = namespace.runtime
        last = self._last(namespace, member)
        if member.actor is not None:
            self._asleep.pop(member.id, None)
            keys = len(list(member.actor.store.kv.keys()))
        else:
            if member.id not in self._asleep:
                self._asleep[member.id] = runtime.stores.peek(namespace, member.id)
            keys, on_disk_ms = self._asleep[member.id]
            alarm_ms = on_disk_ms if alarm_ms is None else alarm_ms
        in_ms = None if alarm_ms is None else max(alarm_ms - runtime.clock.now_ms, 0)
        return {
            "id": member.id,
            "name": member.shown,
            "label": member.label,
            "state": member.state,
            "alarm": "" if in_ms is None else f"in {format_duration(in_ms)}",
            "sockets": member.sockets,
            "keys": keys,
            "requests": 0 if member.actor is None else member.actor.requests,
            "last": "" if last is None else f"{format_time(last[0])}  {last[1]}",
            "chosen": ticked,
        }


def _runs_ms(entry: Any, runtime: Any) -> int:
    if entry.timer is None:  # it is running
        return runtime.clock.now_ms  # type: ignore[no-any-return]
    return runtime.loop.start_ms + round(entry.timer.when() * 1000)  # type: ignore[no-any-return]


def storage_text(namespace: DurableObjectNamespace) -> str:
    """Return what kinds of storage the objects of a class have."""
    return "SQLite and key-value" if namespace.sqlite else "key-value"


def namespace_card(namespace: DurableObjectNamespace) -> Card:
    """Return the static card of a class of objects."""
    found = members(namespace)
    shown = ", ".join(m.shown for m in found[:_CARD_NAMES])
    shown += ", …" if len(found) > _CARD_NAMES else ""
    rows = (
        ("class", namespace.class_name),
        ("storage", storage_text(namespace)),
        ("objects", f"{len(found):,}" + (f": {shown}" if shown else "")),
        ("unique key", namespace.unique_key),
    )
    return Card(f"env.{namespace.binding}", rows, "namespace")
