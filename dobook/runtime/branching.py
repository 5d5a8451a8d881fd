"""Snapshots and forks: a runtime's whole world in a file, and further runtimes that continue from it.

A world is what all objects have committed, their alarms with pending retries, the clock, and the
settings and names of classes; not what is in memory only: instances, calls under way, connections,
and the past that point-in-time recovery goes back to. The file is described in
`dobook.storage.snapshot_file`.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dobook.errors import UsageError
from dobook.runtime.access import kernel_of
from dobook.runtime.kernel import Kernel
from dobook.runtime.objects.namespace import DurableObjectNamespace
from dobook.runtime.worker.env import Env
from dobook.runtime.worker.exports import configure_exports
from dobook.runtime.worker.worker import Worker
from dobook.storage.contents import ClassRecord, Contents, Place, World
from dobook.storage.history.history import History
from dobook.storage.snapshot_file import check_values, load_world, save_world
from dobook.storage.world_files import write_state

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor
    from dobook.runtime.runtime import Runtime

_OPTIONS = ("seed", "worker", "unsafe_limits", "history")


def history_of(actor: "Actor") -> History:
    """Return an object's history.

    Raises:
        UsageError: If none is kept.
    """
    history = actor.store.history
    if history is None:
        raise UsageError(
            f"no history of {actor.label} is kept: it is for SQLite-backed classes, and a runtime "
            "that was not opened with history=0."
        )
    return history


def world_of(kernel: Kernel) -> World:
    """Return everything that is committed now, once all that needs no time has happened.

    Raises:
        UsageError: If an object is in the middle of a transaction with SQL.
    """
    kernel.check_open()
    kernel.settle()
    with kernel.driver.held:
        return _committed(kernel)


def snapshot(kernel: Kernel, path: str | Path) -> Path:
    """Write objects, alarms, clock and settings into one file; see `Runtime.snapshot`."""
    file = Path(path)
    save_world(world_of(kernel), file)
    return file


def restore(
    kind: "type[Runtime]",
    path: str | Path,
    classes: Iterable[type],
    into: str | Path | None,
    options: dict[str, Any],
) -> "Runtime":
    """Return a new runtime of a kind that continues from a snapshot; see `Runtime.restore`."""
    world = load_world(Path(path))
    check_values(world, Path(path))
    return _runtime_from(kind, world, classes, into, options)


def fork(
    kind: "type[Runtime]", kernel: Kernel, at: Mapping[Any, str], options: dict[str, Any]
) -> "Runtime":
    """Return a new runtime in memory with the same world; see `Runtime.fork`."""
    world = world_of(kernel)
    for which, bookmark in at.items():
        actor = kernel.actor_of(which)
        contents = history_of(actor).contents_at(actor.store, bookmark)
        place = Place(actor.namespace.unique_key, actor.id.toString())
        world.objects[place] = dataclasses.replace(contents, name=actor.id.name)
    runtime = _runtime_from(kind, world, (), None, options)
    try:
        made = kernel_of(runtime)
        for namespace in kernel.namespaces:
            made.registry.register(
                namespace.cls,
                namespace.binding if namespace.bound else None,
                namespace.class_name,
                namespace.unique_key,
                sqlite=namespace.sqlite,
            )
        _bind_again(kernel.env, made.env, made)
        worker = kernel.worker_entry
        if worker is not None:
            runtime.serve_worker(worker.entry)
            env = None if worker.env is kernel.env else Env()
            if env is not None:
                _bind_again(worker.env, env, made)
            made.worker_entry = Worker(
                made, worker.entry, env=env, name=worker.name, entrypoints=worker.entrypoints
            )
    except BaseException:
        runtime.close()
        raise
    return runtime


def _bind_again(old: Env, new: Env, made: Kernel) -> None:
    """Bind in a fork what was bound in the runtime it comes from."""
    for name in old.names():
        value = old[name]
        if isinstance(value, DurableObjectNamespace):
            value = made.registry.of_key(value.unique_key)
        new.bind(name, value)
    if old._exports is not None:
        known = old._exports
        configure_exports(made, new, stateless=known._stateless, refusal=known._refusal)


def _committed(kernel: Kernel) -> World:
    objects, notes = kernel.stores.world()
    for entry in kernel.alarms.scheduled():
        place = Place(entry.namespace.unique_key, entry.id.toString())
        if entry.retries and entry.timer is not None and place in objects:
            runs_ms = kernel.loop.start_ms + round(entry.timer.when() * 1000)
            objects[place] = dataclasses.replace(
                objects[place], retries=entry.retries, runs_ms=runs_ms
            )
    nothing = Contents()
    objects = {
        place: found
        for place, found in sorted(objects.items())
        if dataclasses.replace(found, name=None) != nothing
    }
    classes = [
        ClassRecord(
            n.unique_key, n.binding if n.bound else f"<{n.class_name}>", n.class_name, n.sqlite
        )
        for n in kernel.namespaces
    ]
    settings = {
        "seed": kernel.seed,
        "worker": kernel.worker,
        "unsafe_limits": int(kernel.stores.unsafe_limits),
        "history": kernel.stores.history_ms,
        "session": kernel.session,
    }
    return World(objects, classes, kernel.loop.now_ms, settings, notes)


def _runtime_from(
    kind: "type[Runtime]",
    world: World,
    classes: Iterable[type],
    into: str | Path | None,
    options: dict[str, Any],
) -> "Runtime":
    chosen = {name: world.settings[name] for name in _OPTIONS if name in world.settings}
    chosen["unsafe_limits"] = bool(chosen.get("unsafe_limits"))
    chosen |= options
    records = {record.class_name: record for record in world.classes}
    wanted = [(cls, records.get(cls.__name__)) for cls in classes]
    for cls, record in wanted:
        if record is None:
            raise UsageError(
                f"{cls.__name__} is not one of the snapshot's classes ({', '.join(records)}). "
                "Register it afterwards with runtime.register(...)."
            )
    if into is not None:
        write_state(world, Path(into))
    runtime = kind(into, start=world.clock_ms, **chosen)
    try:
        if into is None:
            kernel = kernel_of(runtime)
            kernel.stores.adopt(world)
            kernel.begin_session(world.settings.get("session", 0) + 1)
        for cls, record in wanted:
            assert record is not None
            runtime.register(
                cls,
                record.binding,
                name=record.class_name,
                sqlite=record.sqlite,
                unique_key=record.unique_key,
                bound=not record.binding.startswith("<"),  # as `_committed` marks it
            )
    except BaseException:
        runtime.close()
        raise
    return runtime
