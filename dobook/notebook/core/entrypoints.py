"""The Workers of a notebook: the one that answers requests, and those that `ctx.exports` reaches."""

from typing import TYPE_CHECKING

from dobook.errors import UsageError
from dobook.notebook.core.definitions import Definition
from dobook.notebook.core.display import Card

if TYPE_CHECKING:
    from dobook.notebook.core.session import Session
    from dobook.runtime.runtime import Runtime

_DEFAULT = "Default"


def define_workers(session: "Session", found: list[Definition]) -> list[Card]:
    """Take the Workers that a cell defines; returns their cards, that of the one in front last.

    Args:
        session: The notebook's session.
        found: The Workers of one cell.

    Raises:
        UsageError: If it is unclear which of them answers.
    """
    front = front_of(session, found)
    named = {d.class_name: d for d in found}
    before, known = session.worker, dict(session.entrypoints)
    session.entrypoints = {
        **session.entrypoints,
        **{name: d for name, d in named.items() if name != _DEFAULT},
    }
    session.worker = front or session.worker
    for definition in found:
        session.accepted.append(definition.source)
    serve(session, session.runtime)
    others = [d for d in found if d is not front]
    cards = [_card(session, d, known.get(d.class_name)) for d in others]
    return cards if front is None else [*cards, _card(session, front, before)]


def front_of(session: "Session", found: list[Definition]) -> Definition | None:
    """Return which Worker of a cell answers requests from outside: Default, or the only one.

    While there is a Default, classes with other names are entrypoints of it, and none is in front.

    Raises:
        UsageError: If it is unclear.
    """
    named = {d.class_name: d for d in found}
    if _DEFAULT in named:
        return named[_DEFAULT]
    if session.worker is not None and session.worker.class_name == _DEFAULT:
        return None
    if len(named) > 1:
        raise UsageError(
            f"name one of {', '.join(named)} Default: it is the one that answers requests."
        )
    return found[-1]


def serve(session: "Session", runtime: "Runtime") -> None:
    """Route the requests of a runtime to the notebook's Worker, if there is one."""
    if session.worker is not None:
        entrypoints = [d.cls for d in session.entrypoints.values()]
        runtime.serve_worker(session.worker.cls, entrypoints=entrypoints)


def _card(session: "Session", definition: Definition, old: Definition | None) -> Card:
    names = session.runtime.env.names()
    rows = [
        ("handlers", ", ".join(definition.handlers) or "none"),
        ("env", ", ".join(names) or "no bindings"),
    ]
    front = definition is session.worker
    if not front:
        rows.insert(1, ("methods", ", ".join(definition.methods) or "none"))
    if old is not None:
        rows.append(("new code", definition.changes_since(old)))
    name = definition.class_name
    says = "answers %request METHOD /path" if front else f"reached by ctx.exports.{name}"
    return Card(name, tuple(rows), f"Worker, {says}")
