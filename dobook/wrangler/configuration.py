"""What a wrangler configuration says, typed and frozen.

Source: developers.cloudflare.com/workers/wrangler/configuration/
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from dobook.errors import UsageError
from dobook.wrangler.keys import ADVICE

Storage = Literal["sqlite", "legacy-kv"]
EXPORTS_SINCE: Final = "2025-11-17"  # the compatibility date from which there is `ctx.exports`


@dataclass(frozen=True, slots=True)
class DurableObjectBinding:
    """One entry of `durable_objects.bindings`.

    Attributes:
        name: Its name in `env`.
        class_name: The class of its objects.
        script_name: The Worker that has the class; None for this one.
    """

    name: str
    class_name: str
    script_name: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceBinding:
    """One entry of `services`: another Worker, or one of its entrypoints.

    Attributes:
        binding: Its name in `env`.
        service: The name of the Worker.
        entrypoint: The class that answers; None for the default one.
        props: What its `ctx.props` is; None for nothing.
    """

    binding: str
    service: str
    entrypoint: str | None = None
    props: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Rename:
    """One entry of `renamed_classes`: the objects of a class get another class name."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """One entry of `transferred_classes`: the objects of another Worker's class come here."""

    source: str
    source_script: str
    target: str


@dataclass(frozen=True, slots=True)
class Migration:
    """One entry of `migrations`, applied once, in the order of the file."""

    tag: str
    new_classes: tuple[str, ...] = ()
    new_sqlite_classes: tuple[str, ...] = ()
    renamed_classes: tuple[Rename, ...] = ()
    deleted_classes: tuple[str, ...] = ()
    transferred_classes: tuple[Transfer, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """One class of `exports`, the declarative way that does without `migrations`.

    Attributes:
        class_name: The class.
        state: "created", or what became of it: "deleted", "renamed", "transferred".
        storage: Its back end where it lives; None where it does not.
        target: Its new name, or the Worker it went to.
        source_script: The Worker it is expected from.
    """

    class_name: str
    state: str = "created"
    storage: Storage | None = None
    target: str | None = None
    source_script: str | None = None

    @property
    def lives(self) -> bool:
        """Whether the class has objects here."""
        return self.state in ("created", "expecting-transfer")


@dataclass(frozen=True, slots=True)
class Assets:
    """`assets`: files that are served beside the Worker."""

    directory: str | None = None
    binding: str | None = None
    not_found_handling: str | None = None
    html_handling: str | None = None
    run_worker_first: bool | tuple[str, ...] = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `rules`: which files are modules, and of what type."""

    type: str
    globs: tuple[str, ...]


class UnsupportedBinding:
    """What `env` has for a binding that dobook does not offer: using it raises, and names it.

    Attributes:
        name: Its name in `env`.
        kind: What the platform calls it.

    Example:
        >>> UnsupportedBinding("CACHE", "Workers KV").get
        Traceback (most recent call last):
        dobook.errors.UsageError: env.CACHE is Workers KV, which dobook does not offer. ...
    """

    __slots__ = ("kind", "name")

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # introspection asks for such names, and is content without
            raise AttributeError(attribute)
        raise UsageError(
            f"env.{self.name} is {self.kind}, which dobook does not offer. "
            + ADVICE.format(name=self.name)
        )

    def __repr__(self) -> str:
        return f"<env.{self.name}: {self.kind}, not offered by dobook>"


@dataclass(frozen=True, slots=True)
class Configuration:
    """A Worker's configuration, for one environment.

    Attributes:
        name: The Worker's name, with `-staging` for an environment `staging`; None if not given.
        main: The path of its entry module, relative to the file.
        compatibility_date: `2026-01-31`; None if not given.
        compatibility_flags: Flags, such as `python_workers`.
        vars: Texts and JSON values that `env` has by name.
        durable_objects: The bindings of Durable Objects.
        migrations: What happened to the classes, oldest first.
        exports: The same as a state to reach; a configuration has one of both.
        crons: When scheduled handlers run, in UTC.
        services: Bindings of other Workers.
        queue_consumers: Names of the queues whose messages it is to get.
        assets: Files served beside the Worker; None without any.
        rules: Which files are modules.
        unsupported: Bindings that dobook does not stand in for.
        environment: The environment it is for; None for the top level.
        environments: The environments that the file has.
        path: The file; None for a text.
        warnings: What wrangler would warn of.

    Example:
        >>> from dobook.wrangler import parse
        >>> parse('name = "chat"').name
        'chat'
    """

    name: str | None = None
    main: str | None = None
    compatibility_date: str | None = None
    compatibility_flags: tuple[str, ...] = ()
    vars: Mapping[str, Any] = field(default_factory=dict)
    durable_objects: tuple[DurableObjectBinding, ...] = ()
    migrations: tuple[Migration, ...] = ()
    exports: tuple[Export, ...] = ()
    crons: tuple[str, ...] = ()
    services: tuple[ServiceBinding, ...] = ()
    queue_consumers: tuple[str, ...] = ()
    assets: Assets | None = None
    rules: tuple[Rule, ...] = ()
    build_command: str | None = None
    unsupported: tuple[UnsupportedBinding, ...] = ()
    environment: str | None = None
    environments: tuple[str, ...] = ()
    path: Path | None = None
    warnings: tuple[str, ...] = ()

    @property
    def has_global_handlers(self) -> bool:
        """Whether the platform calls `on_fetch` rather than `fetch`.

        Source: cloudflare/workerd src/workerd/io/compatibility-date.capnp (pythonNoGlobalHandlers)
        """
        flags = self.compatibility_flags
        if "python_no_global_handlers" in flags or "disable_python_no_global_handlers" in flags:
            return "disable_python_no_global_handlers" in flags
        return self.compatibility_date is not None and self.compatibility_date < "2025-08-14"

    @property
    def has_exports(self) -> bool:
        """Whether there is `ctx.exports`.

        Source: cloudflare/workerd src/workerd/io/compatibility-date.capnp (enableCtxExports)
        """
        flags = self.compatibility_flags
        if "enable_ctx_exports" in flags or "disable_ctx_exports" in flags:
            return "disable_ctx_exports" not in flags
        return self.compatibility_date is None or self.compatibility_date >= EXPORTS_SINCE

    @property
    def own_bindings(self) -> tuple[DurableObjectBinding, ...]:
        """The bindings of this Worker's own classes."""
        return tuple(b for b in self.durable_objects if b.script_name in (None, self.name))
