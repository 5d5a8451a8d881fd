"""A Python Workers project: its configuration, its modules, and deploying it to a runtime.

Source: developers.cloudflare.com/workers/languages/python/
"""

import dataclasses
import inspect
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from dobook.errors import ConfigurationError, UsageError
from dobook.project.assets import AssetsFetcher
from dobook.project.front import Front
from dobook.project.modules import ModuleSpace
from dobook.runtime.access import kernel_of
from dobook.runtime.patching.patches import patches
from dobook.runtime.runtime import Runtime
from dobook.runtime.worker.cron import Crontab
from dobook.runtime.worker.env import Env
from dobook.runtime.worker.services import Fetcher
from dobook.workers import DurableObject, WorkerEntrypoint
from dobook.workers.ambient import loading_env
from dobook.workers.js.objects import to_js_value
from dobook.wrangler import Configuration, Migration
from dobook.wrangler import load as load_configuration
from dobook.wrangler.deployment import Deployment, deploy

HANDLERS = ("fetch", "scheduled")
_UNUSED = ("queue", "email", "tail", "trace")


@dataclass(frozen=True)
class Code:
    """What a project's entry module offers.

    Attributes:
        classes: Its classes of Durable Objects, by name.
        entrypoints: Its Workers, by name.
        handlers: Its handlers of the older style, `on_fetch` as "fetch".
    """

    classes: Mapping[str, type]
    entrypoints: Mapping[str, type]
    handlers: Mapping[str, Any]

    @property
    def entry(self) -> Any:
        """What answers requests from outside: the class `Default`, or the module's handlers."""
        return self.entrypoints.get("Default") or dict(self.handlers)


class Project:
    """A project's folder, ready to be deployed.

    Args:
        path: The folder, or its wrangler configuration.
        environment: One of the configuration's environments; None for the top level.

    Attributes:
        configuration: What its wrangler configuration says.
        name: The Worker's name; the folder's if none is given.
        warnings: What may not be as meant.

    Raises:
        ConfigurationError: If there is no configuration, or it cannot be read.
    """

    def __init__(self, path: str | Path, environment: str | None = None) -> None:
        self.configuration: Configuration = load_configuration(path, environment=environment)
        assert self.configuration.path is not None
        self.folder = self.configuration.path.resolve().parent
        self.name = self.configuration.name or self.folder.name
        self.warnings: list[str] = list(self.configuration.warnings)
        self.space: ModuleSpace | None = None
        self.code: Code | None = None
        self._crontab: Crontab | None = None

    def deploy(self, runtime: Runtime, *, first: bool = True) -> Deployment:
        """Import the project and make it part of a runtime.

        Args:
            runtime: Where to.
            first: Whether it answers the runtime's requests. Others have bindings of their own, and
                are reached by service bindings.

        Raises:
            ConfigurationError: If its entry module cannot be found.
            DeploymentError: If Cloudflare would refuse it.
            BaseException: What its code raises while it is imported.
        """
        env = runtime.env if first else Env()
        self._offer(runtime, env)
        code = self.code = self._load(runtime, env)
        configuration = self._with_migrations()
        deployment = deploy(
            runtime,
            dataclasses.replace(configuration, name=self.name),
            code.classes,
            env=None if first else env,
        )
        for name, value in self.configuration.vars.items():
            if isinstance(value, Mapping | list):
                env.bind(name, to_js_value(value))
        for name, text in self._secrets().items():
            env.bind(name, text)
        worker = Front(
            runtime,
            code.entry,
            assets=self._assets,
            env=env,
            name=self.name,
            entrypoints=code.entrypoints,
        )
        kernel_of(runtime).workers[self.name] = worker
        if first:
            kernel_of(runtime).worker_entry = worker
        if self.configuration.crons and worker.has("scheduled"):
            self._crontab = Crontab(kernel_of(runtime), worker, self.configuration.crons)
        return deployment

    def close(self) -> None:
        """Forget the project's modules, and cancel its crons."""
        if self._crontab is not None:
            self._crontab.cancel()
            self._crontab = None
        if self.space is not None:
            self.space.close()

    # ------------------------------------------------------------------ what env has

    def _offer(self, runtime: Runtime, env: Env) -> None:
        """Bind what code may look at while it is imported."""
        env.take_secrets_from(".dev.vars")
        configuration = self.configuration
        for name, value in configuration.vars.items():
            env.bind(name, to_js_value(value))
        for name, text in self._secrets().items():
            env.bind(name, text)
        for service in configuration.services:
            made = Fetcher(
                kernel_of(runtime), service.service, service.entrypoint, props=service.props
            )
            env.bind(service.binding, made)
        assets = configuration.assets
        build = configuration.build_command
        self._assets = None if assets is None else AssetsFetcher(self.folder, assets, build)
        if self._assets is not None:
            self.warnings.extend(w for w in self._assets.warnings if w not in self.warnings)
        if assets is not None and assets.binding is not None:
            env.bind(assets.binding, self._assets)

    def _secrets(self) -> dict[str, str]:
        """Return what `.dev.vars` or else `.env` says, as `wrangler dev` reads it."""
        environment = self.configuration.environment
        names = [".dev.vars", ".env"]
        if environment:
            names = [f".dev.vars.{environment}", ".dev.vars", f".env.{environment}", ".env"]
        for name in names:
            file = self.folder / name
            if file.is_file():
                return _read_secrets(file.read_text("utf-8"))
        return {}

    def _with_migrations(self) -> Configuration:
        """Return the configuration; where it forgets the migrations, as `wrangler dev` takes it."""
        configuration = self.configuration
        own = [b.class_name for b in configuration.own_bindings]
        if not own or configuration.migrations or configuration.exports:
            return configuration
        self.warnings.append(
            "there are Durable Objects, but no migrations: the classes have key-value storage "
            "without SQL, as in `wrangler dev`, and `wrangler deploy` refuses them. Add "
            f'"migrations": [{{"tag": "v1", "new_sqlite_classes": ["{own[0]}"]}}].'
        )
        implied = Migration("implied", new_classes=tuple(dict.fromkeys(own)))
        return dataclasses.replace(configuration, migrations=(implied,))

    # ------------------------------------------------------------------ the code

    def _load(self, runtime: Runtime, env: Env) -> Code:
        main = self.configuration.main
        if main is None:
            if self._assets is not None:
                return Code({}, {}, {})
            raise ConfigurationError(
                'there is no "main". It names the entry module: "main": "src/entry.py".',
                self.configuration.path.name if self.configuration.path else "",
            )
        file = (self.folder / main).resolve()
        if file.suffix != ".py":
            raise ConfigurationError(
                f'"main" is {main!r}. Main module needs to end with a .py file extension: dobook '
                "runs Python Workers only.",
                self.configuration.path.name if self.configuration.path else "",
            )
        if not file.is_file():
            raise ConfigurationError(
                f'"main" is {main!r}, and there is no such file in {self.folder}.',
                self.configuration.path.name if self.configuration.path else "",
            )
        vendored = [self.folder / name for name in ("python_modules", "vendor")]
        self.close()
        self.space = ModuleSpace(
            file.parent,
            [path for path in vendored if path.is_dir()],
            lambda module: patches.watch(vars(module)),
        )
        token = loading_env.set(env)
        try:
            module = self.space.load(file.stem)
        except Exception as error:
            note = self._wants_newer_python()
            if note:
                error.add_note(note)
            raise
        finally:
            loading_env.reset(token)
        return self._look_at(module)

    def _wants_newer_python(self) -> str:
        """Return a sentence if `requires-python` is above this Python; empty if it is not."""
        file = self.folder / "pyproject.toml"
        if not file.is_file():
            return ""
        try:
            wanted = tomllib.loads(file.read_text("utf-8"))["project"]["requires-python"]
        except (tomllib.TOMLDecodeError, KeyError, TypeError):
            return ""
        lowest = re.search(r">=\s*(\d+)\.(\d+)", str(wanted))
        here = sys.version_info[:2]
        if lowest is None or here >= (int(lowest[1]), int(lowest[2])):
            return ""
        return (
            f"The project wants Python {wanted} (pyproject.toml), as Cloudflare runs it; this is "
            f"{here[0]}.{here[1]}."
        )

    def _warn_of_handlers(self, offered: Mapping[str, Any], handlers: Mapping[str, Any]) -> None:
        legacy = self.configuration.has_global_handlers
        for name, kind in offered.items():
            if isinstance(kind, type) and issubclass(kind, DurableObject | WorkerEntrypoint):
                warning = _uncalled(name, {*dir(kind)}, legacy=legacy)
                if warning:
                    self.warnings.append(warning)
        if handlers and not legacy:
            self.warnings.append(
                f"functions such as {next(iter(handlers.values())).__name__} are not called on "
                "Cloudflare with a compatibility_date from 2025-08-14. Write a class "
                "Default(WorkerEntrypoint); dobook calls them all the same."
            )

    def _look_at(self, module: ModuleType) -> Code:
        names = getattr(module, "__all__", None) or [n for n in vars(module) if n[:1] != "_"]
        offered = {name: getattr(module, name) for name in names}
        kinds = {n: v for n, v in offered.items() if isinstance(v, type)}
        entrypoints = _derived(kinds, WorkerEntrypoint)
        handlers = {
            kind: getattr(module, f"on_{kind}")
            for kind in HANDLERS
            if callable(getattr(module, f"on_{kind}", None))
        }
        if "Default" in entrypoints and handlers:
            kept = ", ".join(f"on_{kind}" for kind in handlers)
            self.warnings.append(f"the class Default answers; {kept} is not called.")
            handlers = {}
        if not handlers and "Default" not in entrypoints:
            near = list(entrypoints) or [
                n for n, v in offered.items() if inspect.isroutine(v) and n in ("fetch", "handler")
            ]
            hint = f" Rename {near[0]!r}?" if near else ""
            self.warnings.append(
                "nothing answers requests from outside: the entry module has neither a class "
                f"Default(WorkerEntrypoint) nor a function on_fetch.{hint}"
            )
        self._warn_of_handlers(offered, handlers)
        for kind in _UNUSED:
            if hasattr(entrypoints.get("Default"), kind) or hasattr(module, f"on_{kind}"):
                self.warnings.append(
                    f"the handler {kind!r} is never called: dobook has no {kind}s."
                )
        return Code(_derived(kinds, DurableObject), entrypoints, handlers)


def _uncalled(name: str, have: set[str], *, legacy: bool) -> str:
    """Return a warning of handlers that Cloudflare would not call at this date; empty for none.

    Source: cloudflare/workerd src/pyodide/python-entrypoint-helper.ts
    """
    for kind in ("fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError"):
        asked, other = (f"on_{kind}", kind) if legacy else (kind, f"on_{kind}")
        if other in have and asked not in have:
            when = "before" if legacy else "from"
            return (
                f"{name} has {other}, and Cloudflare calls {asked} with a compatibility_date {when} "
                f"2025-08-14. Rename it; dobook calls it all the same."
            )
    return ""


def _derived(kinds: Mapping[str, type], base: type) -> dict[str, type]:
    """Return the classes with a base, by the name they were made with and by other names for them."""
    found = {n: v for n, v in kinds.items() if issubclass(v, base) and v is not base}
    return {**{v.__name__: v for v in found.values()}, **found}


def _read_secrets(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*", line)
        if match:
            value = match[2]
            quoted = re.fullmatch(r"""(["'`])(.*)\1(?:\s*#.*)?""", value)
            found[match[1]] = quoted[2] if quoted else re.sub(r"\s+#.*$", "", value)
    return found


def open_projects(
    paths: list[str | Path], environment: str | None = None, **options: Any
) -> "Opened":
    """Return projects that run in one runtime; the first answers its requests.

    Args:
        paths: Their folders, or their wrangler configurations.
        environment: The environment of each configuration.
        **options: As for `dobook.Runtime`.

    Raises:
        UsageError: If two of them have the same name.
        ConfigurationError: If a configuration is missing or cannot be read.

    Example:
        >>> open_projects(["/nowhere"])
        Traceback (most recent call last):
        dobook.errors.ConfigurationError: nowhere: there is no file /nowhere.
    """
    projects = [Project(path, environment) for path in paths]
    names = [project.name for project in projects]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two of the projects are named {name!r}; give one another name.")
    runtime = Runtime(worker=names[0], **options)
    opened = Opened(runtime, projects)
    try:
        # The Workers behind come first: what is in front may bind their classes.
        for project in reversed(projects):
            project.deploy(runtime, first=project is projects[0])
    except BaseException:
        opened.close()
        raise
    return opened


class Opened:
    """Projects in a runtime: a context manager, which closes both."""

    def __init__(self, runtime: Runtime, projects: list[Project]) -> None:
        self.runtime = runtime
        self.projects = projects

    def close(self) -> None:
        """Close the runtime and forget the projects' modules."""
        self.runtime.close()
        for project in self.projects:
            project.close()

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
