"""The two sides of `%storage A --diff B`: moments, bookmarks, forks, snapshots, other objects."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dobook.clock import format_time
from dobook.errors import DurationError, UnknownNameError, UsageError
from dobook.notebook.core.arguments import read_moment
from dobook.notebook.core.session import Session, Target
from dobook.notebook.storage.open_state import State
from dobook.runtime.access import kernel_of
from dobook.runtime.branching import world_of
from dobook.runtime.runtime import Runtime
from dobook.storage.contents import Contents, Place, World, contents_of
from dobook.storage.differences import Difference, differences, world_differences
from dobook.storage.history.history import History
from dobook.storage.state_reader import StateReader, is_state
from dobook.storage.store import ObjectStore

_BOOKMARK = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){2}-[0-9a-f]{32}")
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")
WAYS = (
    "Write BINDING/name, a bookmark, a time (2026-01-01T12:00) or how long ago (10m), the path of a "
    "snapshot or state directory, or $name of a variable that holds a runtime or a bookmark."
)


class Side(NamedTuple):
    """One side: an object or a whole world, and how it is called."""

    what: Contents | World
    called: str


def compare(
    session: Session, names: Mapping[str, Any], here: str | None, there: str
) -> tuple[list[Difference], str, str]:
    """Return what differs between two sides, and how they are called.

    Args:
        session: The session; without a first side it is its runtime.
        names: The notebook's variables.
        here: The first side as it was written; None for everything there is now.
        there: The second side.

    Raises:
        UsageError: If the sides cannot be compared or one cannot be found.
    """
    now = format_time(session.runtime.clock.now_ms)
    if here is None:
        one = Side(world_of(session.kernel), f"now ({now})")
        target = None
    else:
        target = _target(session, here)
        if target is None:
            one = _side(session, names, here, None)
        else:
            one = Side(_contents(session, target), f"{here} now ({now})")
    other = _side(session, names, there, target)
    if isinstance(one.what, World) and isinstance(other.what, World):
        return list(world_differences(one.what, other.what)), one.called, other.called
    if isinstance(one.what, World):
        raise UsageError(f"{other.called} is one object and {one.called} are all. {WAYS}")
    assert target is not None
    what = other.what if isinstance(other.what, Contents) else _of(other.what, target)
    return list(differences(one.what, what, target.label)), one.called, other.called


def _side(session: Session, names: Mapping[str, Any], text: str, target: Target | None) -> Side:
    variable = _VARIABLE.fullmatch(text)
    if variable:
        if variable[1] not in names:
            raise UnknownNameError("variable", variable[1], [n for n in names if n[0] != "_"])
        value = names[variable[1]]
        if isinstance(value, Runtime):
            return Side(world_of(kernel_of(value)), f"{text} ({format_time(value.clock.now_ms)})")
        if isinstance(value, State):
            return Side(value.reader.world(), text)
        if not isinstance(value, str | Path):
            raise UsageError(f"{text} is a {type(value).__name__}. {WAYS}")
        text = str(value)
    other = _target(session, text)
    if other is not None:
        return Side(_contents(session, other), text)
    if target is not None and _BOOKMARK.fullmatch(text):
        return Side(_at_bookmark(session, target, text), f"bookmark {text[:17]}…")
    path = Path(text).expanduser()
    if path.exists() and is_state(path):
        return Side(StateReader(path).world(), text)
    try:
        at_ms = read_moment(text, session.runtime.clock.now_ms)
    except DurationError:
        raise UsageError(f"{text!r} is nothing to compare with. {WAYS}") from None
    if target is None:
        raise UsageError(
            f"only one object can be compared with a time: %storage BINDING/name --diff {text}. To "
            "compare everything keep a fork: before = runtime.fork()"
        )
    store, history = _history(session, target)
    return Side(history.contents_at(store, history.at_time(at_ms)), format_time(at_ms))


def _target(session: Session, text: str) -> Target | None:
    """Return the live object a text names, None if it is something else."""
    binding, slash, name = text.partition("/")
    if slash and name and binding in {n.binding for n in session.kernel.namespaces}:
        return session.target(text)
    return None


def _contents(session: Session, target: Target) -> Contents:
    store = session.store(target)
    return Contents() if store is None else contents_of(store, target.stub.name)


def _history(session: Session, target: Target) -> tuple[ObjectStore, History]:
    store = session.store(target)
    if store is None or store.history is None:
        raise UsageError(
            f"{target.label} has no history: it has never been used, its class was declared with "
            "new_classes, or the runtime keeps none."
        )
    return store, store.history


def _at_bookmark(session: Session, target: Target, bookmark: str) -> Contents:
    store, history = _history(session, target)
    return history.contents_at(store, bookmark)


def _of(world: World, target: Target) -> Contents:
    """Return one object of a world; empty if it has none such."""
    place = Place(target.namespace.unique_key, target.stub.id.toString())
    if place in world.objects:
        return world.objects[place]
    for other, label in world.labels().items():
        if label == target.label:
            return world.objects[other]
    return Contents()
