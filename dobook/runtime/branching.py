"""Snapshots and forks: a runtime's whole world in a file, and further runtimes that go on from it.

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
from dobook.runtime.calls.namespace import DurableObjectNamespace, Env
from dobook.runtime.worker.exports import configure_exports
from dobook.runtime.worker.worker import Worker
from dobook.storage.contents import ClassRecord, Contents, Place, World
from dobook.storage.history.history import History
from dobook.storage.snapshot_file import check_values, load_world, save_world
from dobook.storage.world_files import write_state

if TYPE_CHECKING:
    from dobook.runtime.objects.actor import Actor
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


class Branching:
    """The part of a runtime that can be saved, brought back and branched.

    Attributes:
        session: How many runtimes this one goes on from, each with chances of its own.
    """

    session = 0

    def begin_session(self: Any, session: int) -> None:
        """Draw from another part of what the seed gives, or unique ids would come again."""
        runtime: Runtime = self
        runtime.session = session
        if session:
            for stream in (
                runtime.registry.rng,
                runtime.alarms.rng,
                runtime.time_and_chance.generator,
            ):
                stream.seed(f"{runtime.seed} session {session} {stream.random()}")

    def world(self: Any) -> World:
        """Return everything that is committed now, once all that needs no time has happened.

        Raises:
            UsageError: If an object is in the middle of a transaction with SQL.
        """
        runtime: Runtime = self
        runtime.check_open()
        runtime.settle()
        with runtime.driver.held:
            return _world_of(runtime)

    def snapshot(self: Any, path: str | Path) -> Path:
        """Write objects, alarms, clock and settings into one file, for `restore`.

        Args:
            path: The file. One that is there already is replaced once the new one is whole.

        Returns:
            The file.

        Raises:
            StateDirectoryError: If it cannot be written.
            UsageError: If an object is in the middle of a transaction with SQL.

        Example:
            >>> import dobook, tempfile, pathlib
            >>> class Counter:
            ...     def __init__(self, ctx, env):
            ...         self.storage = ctx.storage
            ...     async def increment(self):
            ...         n = (await self.storage.get("n") or 0) + 1
            ...         await self.storage.put("n", n)
            ...         return n
            >>> with tempfile.TemporaryDirectory() as folder, dobook.Runtime() as runtime:
            ...     counter = runtime.register(Counter).getByName("a")
            ...     first = runtime.run(counter.increment())
            ...     file = runtime.snapshot(pathlib.Path(folder) / "one.dobook")
            ...     with dobook.Runtime.restore(file, classes=[Counter]) as other:
            ...         other.run(other.env.COUNTER.getByName("a").increment())
            2
        """
        file = Path(path)
        save_world(self.world(), file)
        return file

    @classmethod
    def restore(
        cls,
        path: str | Path,
        *,
        classes: Iterable[type] = (),
        into: str | Path | None = None,
        **options: Any,
    ) -> "Runtime":
        """Return a new runtime that goes on from a snapshot.

        Args:
            path: What `snapshot` wrote.
            classes: The classes again, as code is not in the file; they get the bindings and kinds
                of storage they had. Others can be registered later.
            into: A new state directory to keep it in; by default it is kept in memory.
            options: Options of `Runtime`, in place of the ones the snapshot was made with.

        Raises:
            StateDirectoryError: If the file is not a snapshot, is damaged or has something in it that
                dobook does not write, or if `into` is not empty.
            UsageError: If one of the classes was not in the snapshot.
        """
        world = load_world(Path(path))
        check_values(world, Path(path))
        return _runtime_from(cls, world, classes, into, options)

    def fork(self: Any, *, at: Mapping[Any, str] | None = None, **options: Any) -> "Runtime":
        """Return a new runtime in memory with the same classes, objects, alarms and clock.

        Both go their own ways from here. What is under way in this one is not in the other.

        Args:
            at: Objects (stubs, or `BINDING/name`) that have there what they had at a bookmark.
            options: Options of `Runtime`, in place of this one's, for instance another `seed`.

        Raises:
            UsageError: If an object is in the middle of a transaction with SQL.
            PlatformError: If a bookmark is none of its object's, or its state is not kept.

        Example:
            >>> import dobook
            >>> class Box:
            ...     def __init__(self, ctx, env):
            ...         self.storage = ctx.storage
            ...     async def put(self, key, value):
            ...         await self.storage.put(key, value)
            ...     async def keys(self):
            ...         return list(await self.storage.list())
            >>> with dobook.Runtime() as runtime:
            ...     box = runtime.register(Box).getByName("a")
            ...     runtime.run(box.put("x", 1))
            ...     with runtime.fork() as other:
            ...         other.run(other.stub("BOX/a").put("y", 2))
            ...         other.run(other.stub("BOX/a").keys()), runtime.run(box.keys())
            (['x', 'y'], ['x'])
        """
        runtime: Runtime = self
        world = runtime.world()
        for which, bookmark in (at or {}).items():
            actor = runtime.actor_of(which)
            contents = history_of(actor).contents_at(actor.store, bookmark)
            place = Place(actor.namespace.unique_key, actor.id.toString())
            world.objects[place] = dataclasses.replace(contents, name=actor.id.name)
        made = _runtime_from(type(runtime), world, (), None, options)
        try:
            for namespace in runtime.namespaces:
                made.registry.register(
                    namespace.cls,
                    namespace.binding if namespace.bound else None,
                    namespace.class_name,
                    namespace.unique_key,
                    sqlite=namespace.sqlite,
                )
            _bind_again(runtime.env, made.env, made)
            worker = runtime.worker_entry
            if worker is not None:
                made.serve_worker(worker.entry)
                env = None if worker.env is runtime.env else Env()
                if env is not None:
                    _bind_again(worker.env, env, made)
                made.worker_entry = Worker(
                    made, worker.entry, env=env, name=worker.name, entrypoints=worker.entrypoints
                )
        except BaseException:
            made.close()
            raise
        return made


def _bind_again(old: Env, new: Env, made: "Runtime") -> None:
    """Bind in a fork what was bound in the runtime it comes from."""
    for name in old.names():
        value = old[name]
        if isinstance(value, DurableObjectNamespace):
            value = made.registry.of_key(value.unique_key)
        new.bind(name, value)
    if old._exports is not None:
        known = old._exports
        configure_exports(made, new, stateless=known._stateless, refusal=known._refusal)


def _world_of(runtime: "Runtime") -> World:
    objects, notes = runtime.stores.world()
    for entry in runtime.alarms.scheduled():
        place = Place(entry.namespace.unique_key, entry.id.toString())
        if entry.retries and entry.timer is not None and place in objects:
            runs_ms = runtime.loop.start_ms + round(entry.timer.when() * 1000)
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
        for n in runtime.namespaces
    ]
    settings = {
        "seed": runtime.seed,
        "worker": runtime.worker,
        "unsafe_limits": int(runtime.stores.unsafe_limits),
        "history": runtime.stores.history_ms,
        "session": runtime.session,
    }
    return World(objects, classes, runtime.loop.now_ms, settings, notes)


def _runtime_from(
    kind: Any,
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
                f"{cls.__name__} is none of the snapshot's classes ({', '.join(records)}). "
                "Register it afterwards with runtime.register(...)."
            )
    if into is not None:
        write_state(world, Path(into))
    runtime: Runtime = kind(into, start=world.clock_ms, **chosen)
    try:
        if into is None:
            runtime.stores.adopt(world)
            runtime.begin_session(world.settings.get("session", 0) + 1)
        for cls, record in wanted:
            assert record is not None
            runtime.register(
                cls,
                record.binding,
                name=record.class_name,
                sqlite=record.sqlite,
                unique_key=record.unique_key,
                bound=not record.binding.startswith("<"),  # as `_world_of` marks it
            )
    except BaseException:
        runtime.close()
        raise
    return runtime
