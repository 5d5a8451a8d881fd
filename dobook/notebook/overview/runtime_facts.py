"""A runtime at one instant: what its card and its live view both show.

Looking turns no loop.
"""

from typing import Any

from dobook.clock import format_duration, format_time
from dobook.notebook.core.display import Card, clock_text
from dobook.notebook.core.session import Session, where
from dobook.notebook.overview.objects_table import members, sockets_of, storage_text
from dobook.runtime.access import kernel_of
from dobook.runtime.calls.deadlock import why_awake
from dobook.runtime.objects.namespace import DurableObjectNamespace
from dobook.runtime.runtime import Runtime

MOST_ASKED = 12
MOST_LISTED = 20


def overview(session: Session) -> dict[str, Any]:
    """Return the facts of the session's runtime, as plain JSON; those of its clock are apart."""
    runtime = session.runtime
    kernel = session.kernel
    alarms = [entry.namespace for entry in kernel.alarms.scheduled()]
    classes = [_class_facts(namespace, alarms.count(namespace)) for namespace in kernel.namespaces]
    busy = [i for i in kernel.residency.instances() if i.busy]
    return {
        "title": "Runtime",
        "about": _about(session),
        "classes": classes,
        "objects": sum(one["objects"] for one in classes),
        "resident": sum(one["resident"] for one in classes),
        "idle": len(kernel.residency.instances()) - len(busy),
        "busy": len(busy),
        "under_way": [
            [instance.actor.label, "; ".join(why_awake(instance.actor))]
            for instance in busy[:MOST_LISTED]
        ],
        "connected": _connected(runtime),
        "asked": [
            [
                format_time(one.at_ms),
                one.object,
                f"{one.method} {one.path}",
                _answer(one),
                "" if one.answered_ms is None else format_duration(one.answered_ms - one.at_ms),
            ]
            for one in reversed(session.log.entries()[-MOST_ASKED:])
        ],
        "faults": [[one.object, one.kind, one.detail] for one in runtime.faults.planned()],
    }


def _about(session: Session) -> list[list[str]]:
    runtime = session.runtime
    given = session.deployer.described()
    worker = session.worker.class_name if session.worker else session.projects.front
    return [
        ["state", where(runtime)],
        ["seed", str(kernel_of(runtime).seed)],
        *([["configuration", given]] if given else []),
        ["worker", worker or "none"],
        [
            "recording",
            "a trace" if kernel_of(runtime).recorder.on else "no trace; %trace on begins one",
        ],
        ["help", "%dobook help lists the magics; %request? explains one"],
    ]


def _class_facts(namespace: DurableObjectNamespace, alarms: int) -> dict[str, Any]:
    found = members(namespace)
    return {
        "binding": namespace.binding,
        "class": namespace.class_name,
        "storage": storage_text(namespace),
        "objects": len(found),
        "resident": sum(m.state != "evicted" for m in found),
        "alarms": alarms,
        "sockets": sum(m.sockets for m in found),
        "requests": sum(m.actor.requests for m in found if m.actor is not None),
    }


def _connected(runtime: Runtime) -> list[list[Any]]:
    """Return the objects with WebSockets: what they are called, how many, how they are kept."""
    found = [
        actor
        for namespace in kernel_of(runtime).namespaces
        for actor in namespace.actors.values()
        if sockets_of(actor)
    ]
    return [
        [
            actor.label,
            str(sockets_of(actor)),
            "hibernating" if actor.instance is None else "with an object in memory",
        ]
        for actor in found[:MOST_LISTED]
    ]


def _answer(asked: Any) -> str:
    if asked.error:
        return f"✗ {asked.error}"
    if asked.answered_ms is None:
        return "under way"
    return "✓" if asked.status is None else str(asked.status)


def runtime_card(runtime: Runtime) -> Card:
    """Return the static card of a runtime."""
    if kernel_of(runtime).closed:
        return Card("Runtime", (("state", where(runtime)),), "closed")
    found = [member for namespace in kernel_of(runtime).namespaces for member in members(namespace)]
    rows = (
        ("state", where(runtime)),
        ("clock", clock_text(runtime.clock.now_ms, virtual=runtime.clock.virtual)),
        ("seed", str(kernel_of(runtime).seed)),
        (
            "classes",
            ", ".join(f"{n.binding} ({n.class_name})" for n in kernel_of(runtime).namespaces)
            or "none",
        ),
        ("objects", f"{len(found):,}, {sum(m.state != 'evicted' for m in found):,} in memory"),
        ("alarms", f"{len(kernel_of(runtime).alarms.scheduled()):,}"),
    )
    return Card("Runtime", rows)
