"""An object as it is at one instant: the facts that its card and its live inspector both show.

Looking makes no object, wakes none and turns no loop.
"""

from typing import Any

from dobook.clock import format_duration, format_time
from dobook.codec import serialize
from dobook.notebook.core.display import Card, count, shorten
from dobook.notebook.core.log import Asked, RequestLog
from dobook.notebook.core.session import Session, Target
from dobook.notebook.inspector.editing import editable
from dobook.notebook.inspector.object_frames import type_name
from dobook.notebook.inspector.sql_reader import sql_tables
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.protocols import Actor
from dobook.runtime.reports.shown import shown
from dobook.runtime.sockets.hibernation import tags_of
from dobook.storage.store import ObjectStore

MOST_ROWS = 100
MOST_TABLE_ROWS = 20
MOST_EVENTS = 20
_CARD_ROWS = 8  # of storage, in the static card
_CARD_EVENTS = 3
_READY = ("connecting", "open", "closing", "closed")


def inspect(session: Session, target: Target) -> dict[str, Any]:
    """Return the facts of an object, as plain JSON.

    Args:
        session: The session.
        target: The object; it need not exist yet.
    """
    namespace = target.namespace
    runtime, log = namespace.runtime, session.log
    if runtime is not session.kernel:
        log = RequestLog()  # a runtime that the notebook has made for itself
    now_ms = runtime.clock.now_ms
    store = session.peek(target)
    actor = namespace.actors.get(target.stub.id.toString())
    label = f"{namespace.binding}/{target.stub.name or target.stub.id.toString()[:8]}"
    return {
        "title": repr(target.stub)[1:-1],
        "id": target.stub.id.toString(),
        "class": namespace.class_name,
        "sqlite": namespace.sqlite,
        "now": format_time(now_ms),
        "state": _state(actor, store),
        "memory": _memory(actor),
        "rows": [] if store is None else _rows(store),
        "keys": 0 if store is None else len(list(store.kv.keys())),
        "tables": [] if store is None or not namespace.sqlite else _tables(store),
        "alarm": _alarm(target, store),
        "sockets": [] if actor is None else _sockets(actor),
        "requests": 0 if actor is None else actor.requests,
        "asked": [_asked(a) for a in log.entries(label)[-MOST_EVENTS:]],
        "log": [{"at": format_time(t), "text": text} for t, text in log.lines(label)],
    }


def target_of(stub: DurableObjectStub) -> Target:
    """Return a stub as a target."""
    return Target(repr(stub)[1:-1], stub._namespace, stub)  # noqa: SLF001


def _state(actor: Actor | None, store: ObjectStore | None) -> str:
    if actor is not None and actor.instance is not None:
        return "running" if actor.instance.busy else "idle"
    return "not used yet" if store is None else "evicted"


def _memory(actor: Actor | None) -> list[list[str]]:
    """Return the attributes of the instance, which are lost when it is evicted."""
    if actor is None or actor.instance is None:
        return []
    attributes = getattr(actor.instance.object, "__dict__", {})
    return [
        [name, shorten(shown(value))]
        for name, value in attributes.items()
        if name not in ("ctx", "env")
    ][:MOST_EVENTS]


def _rows(store: ObjectStore) -> list[dict[str, Any]]:
    rows = []
    for key, value in store.kv.scan(limit=MOST_ROWS).items():
        rows.append(
            {
                "key": key,
                "text": shorten(shown(value), 400) if not isinstance(value, str) else value[:400],
                "edit": editable(value),
                "type": type_name(value),
                "bytes": len(serialize(value)),
            }
        )
    return rows


def _tables(store: ObjectStore) -> list[dict[str, Any]]:
    return [
        {
            "name": table.name,
            "columns": list(table.columns),
            "count": table.count,
            "rows": [[shorten(shown(v)) for v in row] for row in table.rows],
        }
        for table in sql_tables(store, MOST_TABLE_ROWS)
    ]


def _alarm(target: Target, store: ObjectStore | None) -> dict[str, Any] | None:
    if store is None or store.kv.alarm_ms is None:
        return None
    runtime = target.namespace.runtime
    due_ms = runs_ms = store.kv.alarm_ms
    attempt = 0
    for entry in runtime.alarms.of(target.namespace):
        if entry.id.toString() == target.stub.id.toString():
            attempt = entry.retries
            if entry.timer is not None:
                runs_ms = runtime.loop.start_ms + round(entry.timer.when() * 1000)
    return {
        "due": format_time(due_ms),
        "runs": format_time(runs_ms),
        "in": format_duration(max(runs_ms - runtime.clock.now_ms, 0)),
        "in_ms": max(runs_ms - runtime.clock.now_ms, 0),
        "attempt": attempt,
    }


def _sockets(actor: Actor) -> list[dict[str, Any]]:
    sockets: list[dict[str, Any]] = []
    if actor.sockets is not None:
        for socket in reversed(actor.sockets.sockets()):
            attachment = socket.deserializeAttachment()
            sockets.append(
                {
                    "kind": "hibernatable",
                    "state": _READY[socket.readyState],
                    "tags": ", ".join(tags_of(socket)),
                    "attachment": "" if attachment is None else shorten(shown(attachment)),
                }
            )
    if actor.instance is not None:
        sockets += [
            {"kind": "in memory", "state": "open", "tags": "", "attachment": ""}
            for _ in actor.instance.sockets
        ]
    return sockets


def _asked(asked: Asked) -> dict[str, Any]:
    return {
        "at": format_time(asked.at_ms),
        "method": asked.method,
        "path": asked.path,
        "status": asked.status,
        "took": ""
        if asked.answered_ms is None
        else format_duration(asked.answered_ms - asked.at_ms),
        "error": asked.error,
    }


def card_of(facts: dict[str, Any]) -> Card:
    """Return the static card with an object's facts."""
    rows = [
        ("class", facts["class"] + ("" if facts["sqlite"] else ", key-value only")),
        ("id", facts["id"]),
        ("state", facts["state"]),
    ]
    if facts["memory"]:
        rows.append(("memory", _lines([f"{n} = {v}" for n, v in facts["memory"]])))
    if facts["state"] == "not used yet":
        return Card(facts["title"], tuple(rows), "stub")
    entries = [f"{r['key']} = {_short(r)}" for r in facts["rows"]]
    rows.append(
        ("storage", "\n".join([count(facts["keys"], "key"), *_few(entries, facts["keys"])]))
    )
    if facts["tables"]:
        texts = [
            f"{t['name']} ({', '.join(t['columns'])}): {count(t['count'], 'row')}"
            for t in facts["tables"]
        ]
        rows.append(("tables", _lines(texts)))
    rows.append(("alarm", alarm_text(facts["alarm"])))
    if facts["sockets"]:
        texts = [
            " ".join(filter(None, (s["state"], s["kind"], s["tags"], s["attachment"])))
            for s in facts["sockets"]
        ]
        rows.append(("sockets", _lines(texts)))
    rows.append(("requests", f"{facts['requests']:,}"))
    if facts["log"]:
        texts = [f"{line['at']}  {line['text']}" for line in facts["log"][-_CARD_EVENTS:]]
        rows.append(("log", "\n".join(texts)))
    return Card(facts["title"], tuple(rows), "stub")


def alarm_text(alarm: dict[str, Any] | None) -> str:
    """Return when an alarm runs, as people read it."""
    if alarm is None:
        return "none"
    text = f"{alarm['runs']}, in {alarm['in']}"
    return text + (f", retry {alarm['attempt']}" if alarm["attempt"] else "")


def _short(row: dict[str, Any]) -> str:
    return shorten(repr(row["text"]) if row["type"] == "str" else row["text"], 60)


def _few(texts: list[str], total: int) -> list[str]:
    few = texts[:_CARD_ROWS]
    return [*few, f"… and {total - len(few):,} more"] if total > len(few) else few


def _lines(texts: list[str]) -> str:
    return "\n".join(_few(texts, len(texts)))
