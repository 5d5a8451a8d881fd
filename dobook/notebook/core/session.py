"""One notebook's session: its runtime, the classes its cells have defined, what was asked."""

import atexit
import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from IPython.core.interactiveshell import InteractiveShell

from dobook.clock import DEFAULT_START_MS, format_duration
from dobook.errors import DobookError, UnknownNameError, UsageError
from dobook.notebook.core.cell_texts import CellHistory
from dobook.notebook.core.definitions import Definition
from dobook.notebook.core.deploying import Deployer, origin, rename
from dobook.notebook.core.display import Card, clock_text, count
from dobook.notebook.core.entrypoints import serve
from dobook.notebook.core.hub import Views, front_end
from dobook.notebook.core.log import RequestLog
from dobook.notebook.core.projects import Projects
from dobook.notebook.core.tracebacks import below_the_cell, one_line
from dobook.runtime.access import kernel_of
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.client import Client
from dobook.runtime.debug.snapshots import ObjectSnapshot
from dobook.runtime.kernel import Durability
from dobook.runtime.protocols import Namespace
from dobook.runtime.registry import default_binding
from dobook.runtime.runtime import Runtime
from dobook.storage.store import ObjectStore
from dobook.wrangler import Deployment
from dobook.wrangler.writing import as_values

if TYPE_CHECKING:
    from dobook.serve import Server


@dataclass(frozen=True, slots=True)
class Settings:
    """How a session opens its runtime; see `dobook.Runtime` for what each means."""

    path: Path | None = None
    seed: int = 0
    start: str | int = DEFAULT_START_MS
    durability: Durability = "power"


@dataclass(frozen=True, slots=True)
class Target:
    """An object that a magic's line names.

    Attributes:
        label: `BINDING/name`, as it was written.
        namespace: Its class.
        stub: Its stub.
    """

    label: str
    namespace: Namespace
    stub: DurableObjectStub


class SessionCard(Card):
    """The full card of a session: where a front end is there, a live view of its runtime."""

    __slots__ = ()


class Session:
    """What `%load_ext dobook` opens. The notebook has its `runtime` and `env` as variables.

    Attributes:
        runtime: The runtime in use; another one after `%dobook reset` or `%dobook --state`.
        definitions: The classes of objects, by the name they are deployed under.
        worker: The entry Worker, if a cell has defined one.
        entrypoints: The Workers with names of their own, which `ctx.exports` reaches.
        deployer: The configuration of the notebook's Worker, and its deployments.
        projects: What `%worker --project` has deployed beside it.
        undo: What unloading has to call.
        cells: What has run.
        accepted: The texts of the cells whose classes were deployed, oldest first.
        families: The magics of this session.
        log: What was asked and printed.
        views: The live views that somebody looks at.
        live: Whether displays carry live views: "auto" where a front end is likely to be there.
        hints: Whether to point out what was probably meant.
        tell: What tells errors that nobody awaits, as the handler of a runtime's loop.
        clients: The WebSocket clients that `%websocket` has connected.
        server: What `%serve` has started.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.settings = Settings()
        self.definitions: dict[str, Definition] = {}
        self.worker: Definition | None = None
        self.entrypoints: dict[str, Definition] = {}
        self.deployer = Deployer(self)
        self.projects = Projects(self)
        self.cells = CellHistory(shell)
        self.accepted: list[str] = []
        self.undo: list[Callable[[], None]] = []
        self.families: list[Any] = []
        self.log = RequestLog()
        self.views = Views(self)
        self.live: Literal["auto", "always", "never"] = "auto"
        self.hints = True
        self.clients: list[Client] = []
        self.server: Server | None = None
        self.tell = below_the_cell(shell)
        self.runtime: Runtime
        self._take(self._open(self.settings))
        atexit.register(self._close_runtime)

    # ------------------------------------------------------------------ the runtime

    def reopen(self, settings: Settings) -> None:
        """Close the runtime and open another one, with the classes defined so far.

        Raises:
            UsageError: If the directory is in use or a setting cannot be used; the session keeps
                    what it had.
        """
        old, path = self.runtime, settings.path
        same = path is not None and path == self.kernel.path
        if same:
            old.close()  # it holds the lock
        try:
            runtime = self._open(settings)
        except DobookError as error:
            if same:
                self._take(self._open(self.settings))
            raise UsageError(one_line(error)) from error
        old.close()
        self.settings = settings
        self._take(runtime)

    def reset(self) -> None:
        """Start again with empty storage and the clock at its start; the classes stay.

        Raises:
            UsageError: If the state is on disk: deleting it is the user's to decide.
        """
        if self.settings.path is not None:
            raise UsageError(
                f"the state is kept in {self.settings.path}. Delete that directory yourself, or "
                "continue in memory with: %dobook --state memory"
            )
        self.reopen(self.settings)

    def _open(self, settings: Settings) -> Runtime:
        """Open a runtime and deploy the classes to it; one that refuses them is closed again."""
        options = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)}
        runtime = Runtime(**options)
        try:
            self.deployer.deploy(runtime, self.definitions)
            self.projects.deploy(runtime)
        except BaseException:
            runtime.close()
            raise
        return runtime

    def _take(self, runtime: Runtime) -> None:
        self.runtime, self.kernel = runtime, kernel_of(runtime)
        self.log = RequestLog()
        runtime.observers.add(self.log)
        self.kernel.meters.start()
        self.kernel.loop.set_exception_handler(self.tell)
        self.kernel.recorder.tap_output()
        self.views.attach(runtime)
        serve(self, runtime)
        self.shell.push({"runtime": runtime, "env": runtime.env}, interactive=False)

    def close(self) -> None:
        """Close the runtime and take back what was installed."""
        for undo in reversed(self.undo):
            undo()
        self.undo.clear()
        self._close_runtime()
        self.projects.close()
        atexit.unregister(self._close_runtime)

    def _close_runtime(self) -> None:
        self.runtime.close()

    # ------------------------------------------------------------------ classes

    def define(self, definition: Definition, *, renamed_from: str | None = None) -> Card:
        """Deploy a class of objects, new or with new code; returns its card.

        Args:
            definition: The class as a cell defines it.
            renamed_from: The class whose objects it takes over.

        Raises:
            DeploymentError: If Cloudflare would refuse; then nothing has changed.
        """
        name, runtime = definition.class_name, self.runtime
        old = self.definitions.get(renamed_from or name)
        known = next(
            (n for n in self.kernel.namespaces if n.class_name == (renamed_from or name)), None
        )
        definition = dataclasses.replace(
            definition,
            binding=definition.binding
            or (known.binding if known is not None and known.bound else ""),
            storage=definition.storage or (old.storage if old is not None else ""),
        )
        before = [o for o in runtime.objects() if known and o.binding == known.binding]
        definitions = {n: d for n, d in self.definitions.items() if n != renamed_from}
        definitions[name] = definition
        extra = () if renamed_from is None else (rename(renamed_from, name),)
        deployment = self.deployer.deploy(runtime, definitions, *extra)
        namespace = (deployment.namespaces or {}).get(name)
        if namespace is not None:
            definition = dataclasses.replace(
                definition,
                binding=namespace.binding if namespace.bound else "",
                storage="sqlite" if namespace.sqlite else "kv",
            )
        self.definitions = {**definitions, name: definition}
        self.accepted.append(definition.source)
        return self._class_card(definition, old, before, deployment)

    def _class_card(
        self,
        definition: Definition,
        old: Definition | None,
        before: list[ObjectSnapshot],
        deployment: Deployment,
    ) -> Card:
        name = definition.class_name
        namespace = (deployment.namespaces or {}).get(name)
        bound = namespace is not None and namespace.bound
        unbound = f"none: the configuration lists none; reached by ctx.exports.{name}"
        kv = "key-value, declared with new_classes"
        rows = [
            ("binding", f"env.{definition.binding}" if bound else unbound),
            ("storage", "SQLite and key-value" if definition.storage == "sqlite" else kv),
            ("handlers", ", ".join(definition.handlers) or "none"),
            ("methods", ", ".join(definition.methods) or "none"),
        ]
        if deployment.waiting:
            waiting = ", ".join(deployment.waiting)
            rows[:2] = [("waiting", f"nothing is deployed before these are defined too: {waiting}")]
        elif namespace is None:
            rows[:2] = [("binding", "none: the configuration lists none")]
        if old is not None:
            running = sum(o.state != "evicted" for o in before)
            alarms = sum(o.alarm_ms is not None for o in before)
            rows.append(("new code", definition.changes_since(old)))
            if alarms and "alarm" not in definition.handlers:
                rows.append(("warning", "an alarm is set, and there is no alarm() any more to run"))
            if not deployment.waiting:
                rows.append(
                    (
                        "kept",
                        f"storage of {count(len(before), 'object')}, {count(alarms, 'alarm')}; "
                        f"{count(running, 'instance')} restarted",
                    )
                )
        migration = origin(self.deployer.configuration, name)
        rows.append(("migration", migration or "none: the configuration lists none"))
        rows += [("warning", text) for text in (*deployment.warnings, *definition.warnings)]
        note = "durable object" if old is None else "durable object, redefined"
        return Card(name, tuple(rows), note)

    @property
    def migrations(self) -> list[dict[str, Any]]:
        """The migrations of the configuration in force, as its file would have them."""
        found: list[dict[str, Any]] = as_values(self.deployer.configuration).get("migrations", [])
        return found

    # ------------------------------------------------------------------ objects

    def target(self, text: str) -> Target:
        """Return the object that a line names: `BINDING/name`, or `BINDING/` and an id.

        Raises:
            UnknownNameError: If there is no such binding; the message names the nearest.
            UsageError: If no object is named.
        """
        binding, _, name = text.partition("/")
        unknown = re.match(r"\$([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\}", name)
        if unknown:
            raise UsageError(f"there is no variable {unknown[1] or unknown[2]!r} in the notebook.")
        if not self.definitions and not self.kernel.namespaces:
            raise UsageError(
                f"there is no class behind {binding!r} yet. Define one with %%durable_object."
            )
        known = {n.binding: n for n in self.kernel.namespaces}
        if binding not in known:
            unbound = {default_binding(name): name for name in self.definitions}
            if unbound.get(binding) in known:
                raise UsageError(
                    f"the configuration has no binding for {unbound[binding]}. Its objects, which "
                    f"ctx.exports.{unbound[binding]} reaches, are {unbound[binding]}/name here."
                )
            if binding in unbound:
                raise UsageError(
                    f"the configuration of the last %%wrangler cell has no binding for "
                    f"{unbound[binding]}, and so nothing is deployed. Add it there, or let dobook keep "
                    "the configuration again: %wrangler --keep"
                )
            raise UnknownNameError("binding", binding, known)
        return Target(text, known[binding], self.runtime.stub(text))

    def store(self, target: Target) -> ObjectStore | None:
        """Return an object's storage to look at, None if nothing of the object exists yet.

        What has been begun and needs no time is finished first.
        """
        self.runtime.settle(alarms=False)
        return self.peek(target)

    def peek(self, target: Target) -> ObjectStore | None:
        """Return an object's storage as it is, None if nothing of the object exists yet."""
        runtime = target.namespace.runtime
        known = target.stub.id.toString() in target.namespace.actors
        if not known and runtime.path is None:
            return None
        actor = runtime.actor_of(target.stub)
        if not known and actor.store.was_new:
            target.namespace.release(actor)  # looking at an object must not make it
            return None
        return actor.store

    def labels(self) -> list[str]:
        """Return `BINDING/name` of the objects the runtime knows."""
        return [f"{o.binding}/{o.name or o.id}" for o in self.runtime.objects()]

    @property
    def shows_views(self) -> bool:
        """Whether displays carry live views beside their static text and HTML."""
        return self.live == "always" or (self.live == "auto" and front_end(self.shell))

    # ------------------------------------------------------------------ cards

    def card(self, *, full: bool = False) -> Card:
        """Return the card of the session.

        Args:
            full: Also show classes, objects, alarms and the Worker.
        """
        runtime = self.runtime
        rows = [
            ("state", where(runtime)),
            ("clock", clock_text(runtime.clock.now_ms, virtual=runtime.clock.virtual)),
            ("seed", str(self.kernel.seed)),
        ]
        if full:
            rows += self._contents()
        rows.append(("help", "%dobook help lists the magics; %request? explains one"))
        kind = SessionCard if full else Card
        return kind("dobook", tuple(rows), "a Durable Objects runtime in this notebook")

    def _contents(self) -> list[tuple[str, str]]:
        runtime = self.runtime
        runtime.settle(alarms=False)
        classes = [f"{n.binding} ({n.class_name})" for n in self.kernel.namespaces]
        objects, alarms = runtime.objects(), runtime.scheduled_alarms()
        living = sum(o.state != "evicted" for o in objects)
        due = ""
        if alarms:
            in_ms = alarms[0].runs_ms - runtime.clock.now_ms
            due = f"; next {alarms[0].object} in {format_duration(in_ms)}"
        given = self.deployer.described()
        return [
            *([("configuration", given)] if given else []),
            ("classes", ", ".join(classes) or "none yet; define one with %%durable_object"),
            ("objects", f"{len(objects):,}, {living:,} in memory{self._undefined()}"),
            ("alarms", f"{len(alarms):,}{due}"),
            ("worker", self.worker.class_name if self.worker else self.projects.front or "none"),
        ]

    def _undefined(self) -> str:
        """Return what a state directory has of classes that no cell has defined yet."""
        directory = self.kernel.stores.directory
        if directory is None:
            return ""
        known = {namespace.unique_key for namespace in self.kernel.namespaces}
        left = [key for key in directory.unique_keys() if key not in known and directory.ids(key)]
        if not left:
            return ""
        names = ", ".join(key.removeprefix(f"{self.kernel.worker}-") for key in left)
        number = sum(len(directory.ids(key)) for key in left)
        return f"; {number:,} more of {names}, which no cell has defined yet"


def where(runtime: Runtime) -> str:
    """Return where a runtime's state lives, as people read it."""
    parts = kernel_of(runtime)
    if parts.path is None:
        return "in memory, gone with the kernel"
    wait = "the disk" if parts.durability == "power" else "the operating system"
    return f"{parts.path}, answers wait for {wait}"
