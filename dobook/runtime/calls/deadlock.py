"""The graph of waits: what keeps an object in memory, and deadlocks between objects."""

from typing import TYPE_CHECKING

from dobook.runtime.loop.livelock import where_it_waits

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Call, Instance, Kernel


def why_awake(actor: "Actor") -> list[str]:
    """Return what keeps an object from being evicted or hibernating, in words; empty for nothing.

    Source: developers.cloudflare.com/durable-objects/concepts/durable-object-lifecycle/
    """
    instance = actor.instance
    if instance is None:
        return []
    reasons = [f"{_what(call)} is under way" for call in instance.calls]
    waiting = [call for call in _all_calls(actor.runtime) if call.home is instance]
    reasons += [f"it waits for {call.actor.label} to answer {_what(call)}" for call in waiting]
    own = len(instance.tasks) - sum(call.task in instance.tasks for call in instance.calls)
    if instance.background:
        reasons.append(
            f"{_count(instance.background, 'piece')} of work of waitUntil(), "
            "blockConcurrencyWhile() or a transaction"
        )
    elif own > 0:
        reasons.append(
            f"{_count(own, 'task')} that its code has started, with a timer for instance"
        )
    if instance.sockets:
        reasons.append(
            f"{_count(len(instance.sockets), 'WebSocket')} accepted with accept(), or opened by the "
            "object; those of ctx.acceptWebSocket() hibernate"
        )
    return reasons


def deadlock(runtime: "Kernel", instance: "Instance | None" = None) -> str:
    """Describe a circle of objects that wait for each other; empty without one.

    Args:
        runtime: Where to look.
        instance: Only a circle that this one is part of.
    """
    waits: dict[Instance, list[Call]] = {}
    for call in _all_calls(runtime):
        if call.home is not None and call.instance is not None:
            waits.setdefault(call.home, []).append(call)
    for start in [instance] if instance is not None else list(waits):
        circle = _circle(start, start, waits, [])
        if circle:
            return _told(circle)
    return ""


def where_it_stands(call: "Call") -> str:
    """Return the line of the user's code at which a handler waits, in words; empty if unknown."""
    return where_it_waits(call.rest)


def _circle(
    start: "Instance", at: "Instance", waits: "dict[Instance, list[Call]]", path: "list[Call]"
) -> "list[Call]":
    for call in waits.get(at, ()):
        assert call.instance is not None
        if call.instance is start:
            return [*path, call]
        if all(call.instance is not known.instance for known in path):
            found = _circle(start, call.instance, waits, [*path, call])
            if found:
                return found
    return []


def _told(circle: "list[Call]") -> str:
    assert circle[0].home is not None
    text = circle[0].home.actor.label
    for number, call in enumerate(circle):
        text += (
            f"{', which' if number else ''} waits for {call.actor.label} to answer {_what(call)}"
        )
    last = circle[-1].instance
    if last is not None and last.gate.locks:
        by = " by blockConcurrencyWhile() or a transaction" if last.background else ""
        text += f"; but the input gate of {last.actor.label} is shut{by}"
    return text + "."


def _all_calls(runtime: "Kernel") -> "list[Call]":
    return [call for instance in runtime.residency.instances() for call in instance.calls]


def _what(call: "Call") -> str:
    if call.kind == "rpc":
        return f"{'.'.join(call.path) or 'a function'}()"
    return f"{call.kind}()" if call.kind in ("fetch", "alarm") else call.kind


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
