"""`durable_objects`: a test's own runtime, with what a test wants to do to objects."""

import asyncio
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from dobook.errors import UsageError, suggest
from dobook.runtime.access import kernel_of
from dobook.runtime.calls.promise import Promise
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.objects.namespace import DurableObjectNamespace
from dobook.runtime.reports.unheard import Unheard
from dobook.runtime.runtime import Runtime
from dobook.runtime.worker.env import Env

if TYPE_CHECKING:
    from dobook.wrangler import Configuration, Deployment

Storage = Literal["sqlite", "kv"]


class DurableObjects:
    """The objects of a test, in a runtime with virtual time that ends with the test.

    Args:
        path: A state directory; None keeps everything in memory.
        options: What `dobook.Runtime` takes, such as `seed` and `start`.

    Attributes:
        runtime: The runtime, for everything that is not here.

    Example:
        >>> class Counter:
        ...     def __init__(self, ctx, env):
        ...         self.ctx = ctx
        ...     async def increment(self):
        ...         n = (await self.ctx.storage.get("n") or 0) + 1
        ...         await self.ctx.storage.put("n", n)
        ...         return n
        >>> objects = DurableObjects()
        >>> counter = objects.stub(Counter, "a")
        >>> objects.run(objects.race(counter.increment(), counter.increment()))
        [1, 2]
        >>> objects.evict(counter)
        >>> objects.run(counter.increment())
        3
        >>> objects.close()
    """

    def __init__(self, path: Path | None = None, **options: Any) -> None:
        self._path = path
        self._options = options
        self._made: list[tuple[type, dict[str, Any]]] = []
        self._entry: Any = None
        self._entrypoints: list[type] = []
        self._project: tuple[Configuration, dict[str, type]] | None = None
        self.runtime = self._open()

    def _open(self) -> Runtime:
        runtime = Runtime(self._path, **self._options)
        runtime.tracing = True
        return runtime

    def __getattr__(self, name: str) -> Any:
        if name == "register":
            hint = "Call it: durable_objects(Counter), or at once stub(Counter, 'a')."
        elif hasattr(Runtime, name):
            hint = f"The runtime has it: durable_objects.runtime.{name}"
        else:
            hint = suggest(name, [n for n in dir(type(self)) if not n.startswith("_")])
        raise AttributeError(f"durable_objects has no {name!r}. {hint}", name=name, obj=self)

    @property
    def env(self) -> Env:
        """What a Worker has as `env`."""
        return self.runtime.env

    def __call__(
        self,
        cls: type,
        binding: str | None = None,
        *,
        name: str | None = None,
        storage: Storage = "sqlite",
    ) -> DurableObjectNamespace:
        """Make a class's objects available, or replace its code; returns the namespace.

        Args:
            cls: The class.
            binding: The name in `env`; by default the class's name in capitals.
            name: The class's name, if it is not its own.
            storage: "sqlite", as `new_sqlite_classes` gives, or "kv", as `new_classes` does.
        """
        options: dict[str, Any] = {
            "binding": binding,
            "name": name,
            "sqlite": storage == "sqlite",
        }
        namespace = self.runtime.register(cls, **options)
        self._made = [(c, o) for c, o in self._made if c.__name__ != cls.__name__]
        self._made.append((cls, options))
        return namespace

    def stub(self, which: type | str, name: str = "test") -> DurableObjectStub:
        """Return a stub of an object.

        Args:
            which: Its class, which need not be known yet; its binding; or `BINDING/name`.
            name: Its name, unless `which` has it.
        """
        if isinstance(which, type):
            known = [n for n in kernel_of(self.runtime).namespaces if n.cls is which]
            return (known[0] if known else self(which)).getByName(name)
        return self.runtime.stub(which if "/" in which else f"{which}/{name}")

    def deploy(self, project: str | Path, module: ModuleType) -> "Deployment":
        """Deploy a project's classes as its wrangler configuration says.

        Args:
            project: Its folder, or the configuration's file.
            module: Its entry module, imported by the test. Its class `Default` answers `fetch`.

        Raises:
            ConfigurationError: If the configuration cannot be used.
            DeploymentError: If Cloudflare would refuse.
        """
        from dobook.workers import WorkerEntrypoint  # only where a project is deployed
        from dobook.wrangler import deploy, load

        classes = {n: c for n, c in vars(module).items() if isinstance(c, type)}
        self._entry = getattr(module, "Default", None)
        workers = {c for c in classes.values() if issubclass(c, WorkerEntrypoint)}
        self._entrypoints = [c for c in workers if c not in (WorkerEntrypoint, self._entry)]
        self._project = (load(project), classes)
        return deploy(
            self.runtime, *self._project, entry=self._entry, entrypoints=self._entrypoints
        )

    # ------------------------------------------------------------------ asking

    def starts(self, which: Any) -> bool:
        """Return whether an object can be constructed; one that is running says yes at once.

        Args:
            which: A stub or `BINDING/name`.

        Raises:
            Exception: What its constructor raised.
        """
        actor = kernel_of(self.runtime).actor_of(which)
        if actor.instance is None:
            stub = actor.namespace.get(actor.id)
            try:
                self.run(stub.fetch("http://localhost/"))
            except Exception:
                if actor.instance is None:
                    raise
        return actor.instance is not None

    def worker(self, entry: Any) -> None:
        """Make a class or function the Worker that answers `fetch`."""
        self._entry, self._entrypoints = entry, []
        self.runtime.serve_worker(entry)

    def fetch(self, input: Any, init: Any = None, **options: Any) -> Promise:  # noqa: A002
        """Send the Worker a request: a URL, a path or a Request."""
        return self.runtime.fetch(input, init, **options)

    def run(self, awaitable: Any) -> Any:
        """Return the result of an awaitable, in a test that is a plain function.

        Raises:
            DeadlockError: If it can never be done.
        """
        return self.runtime.run(awaitable)

    async def race(self, *awaitables: Any) -> list[Any]:
        """Let calls that have been made run against each other; returns their results in order."""
        return list(await asyncio.gather(*awaitables))

    # ------------------------------------------------------------------ breaking

    def evict(self, which: Any) -> None:
        """Take an object out of memory, as the platform does with idle ones; storage stays.

        Args:
            which: A stub or `BINDING/name`. One that is not in memory stays as it is.
        """
        actor = kernel_of(self.runtime).actor_of(which)
        if actor.instance is not None:
            self.runtime.run(self.runtime.evict(actor))

    def crash(self, which: Any, at: str = "now") -> None:
        """End an object's life as a crash would: what was not committed is lost.

        Args:
            which: A stub or `BINDING/name`.
            at: When, as `runtime.faults.crash` takes it.
        """
        self.runtime.faults.crash(which, at)

    def restart(self) -> None:
        """Close the runtime and open it again: what is in memory is gone, the state is there.

        Existing stubs become invalid; get new ones.

        Raises:
            UsageError: If the state is in memory alone.
        """
        if self._path is None:
            raise UsageError(
                "the state is in memory and would be gone. Mark the test with "
                '@pytest.mark.durable_objects(state="disk").'
            )
        self.runtime.close()
        self.runtime = self._open()
        for cls, options in self._made:
            self.runtime.register(cls, **options)
        if self._project is not None:
            from dobook.wrangler import deploy

            deploy(self.runtime, *self._project)
        if self._entry is not None:
            self.runtime.serve_worker(self._entry, entrypoints=self._entrypoints)

    @property
    def unheard(self) -> list[Unheard]:
        """What was refused and awaited by nobody: the last thousand, oldest first."""
        return kernel_of(self.runtime).unheard

    def story(self, most: int = 60) -> str:
        """Return the last events, one a line, as a failed test shows them."""
        events = self.runtime.trace()
        lines = [str(event) for event in events[-most:]]
        if len(events) > most:
            lines.insert(0, f"… {len(events) - most:,} earlier events")
        return "\n".join(lines)

    def close(self) -> None:
        """Close the runtime. Twice is fine."""
        self.runtime.close()
