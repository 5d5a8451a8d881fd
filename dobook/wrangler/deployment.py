"""Deploying a Worker to a runtime: its migrations are applied, its bindings made.

As on Cloudflare a deployment is code and configuration together, all of it or nothing: whatever is
refused leaves the runtime as it was. Renamed and transferred classes keep their unique keys, so
that their objects keep their ids and their data, as the hosted service has it.

Source: developers.cloudflare.com/durable-objects/reference/durable-objects-migrations/
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dobook.clock import format_time
from dobook.codec.jsdict import JsDict
from dobook.errors import DeploymentError
from dobook.runtime.access import kernel_of
from dobook.runtime.objects.namespace import DurableObjectNamespace
from dobook.runtime.runtime import Runtime
from dobook.runtime.worker.env import Env
from dobook.runtime.worker.exports import configure_exports
from dobook.wrangler import record
from dobook.wrangler.configuration import EXPORTS_SINCE, Configuration, UnsupportedBinding
from dobook.wrangler.keys import VERSION_METADATA
from dobook.wrangler.migrations import Plan, plan

_LOCAL_VERSION = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a deployment has done.

    Attributes:
        script: The Worker's name.
        tag: The tag of the last migration that was applied; None before the first.
        done: What happened to classes, one sentence each.
        warnings: What may not be as meant.
        waiting: Classes that the code does not have yet. If there are any, nothing was done.
        namespaces: The classes that have objects, by their names.
    """

    script: str
    tag: str | None
    done: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    namespaces: Mapping[str, DurableObjectNamespace] | None = None


def deploy(
    runtime: Runtime,
    configuration: Configuration,
    classes: Mapping[str, type],
    *,
    entry: object = None,
    entrypoints: Iterable[type] = (),
    env: Env | None = None,
    complete: bool = True,
) -> Deployment:
    """Deploy a Worker: apply the migrations that are new to the runtime, then bind what is bound.

    Args:
        runtime: Where to.
        configuration: Its configuration.
        classes: The classes of objects that its code has, by name.
        entry: What answers requests; None leaves the runtime's Worker as it is.
        entrypoints: Its other classes of Workers, which `ctx.exports` reaches.
        env: Its bindings, if they are not to be the runtime's own: where several Workers share a
            runtime, each has its own.
        complete: Whether this is all of the code. False, as in a notebook whose cells have not all
            run: a class that is missing is waited for rather than an error.

    Raises:
        DeploymentError: If Cloudflare would refuse, with its words; nothing has been done then.

    Example:
        >>> import dobook
        >>> from dobook.wrangler import parse
        >>> class Counter:
        ...     def __init__(self, ctx, env): ...
        >>> with dobook.Runtime() as runtime:
        ...     text = '{"durable_objects": {"bindings": [{"name": "C", "class_name": "Counter"}]}}'
        ...     deploy(runtime, parse(text), {"Counter": Counter})
        Traceback (most recent call last):
        dobook.errors.DeploymentError: Cannot create binding for class 'Counter' because it is not ...
    """
    kernel_of(runtime).check_open()
    script = configuration.name or kernel_of(runtime).worker
    known = record.read_all(runtime)
    if not complete:
        could = plan(configuration, script, known, _Everything(), complete=False)
        waiting = _waiting(configuration, could, known, classes)
        if waiting:
            return Deployment(
                script,
                known.get(script, record.Deployed(script)).tag,
                warnings=(*configuration.warnings, *could.warnings),
                waiting=waiting,
            )
    found = plan(configuration, script, known, classes, complete=complete)
    foreign = _foreign(runtime, configuration, known)
    labels = _labels(runtime, configuration, found, script, shared=env is None)
    for key in found.deleted:
        kernel_of(runtime).registry.delete(key)
    record.write(runtime, *found.others, found.deployed)
    namespaces = _bind(runtime, labels, found, classes)
    if env is not None:
        for namespace in namespaces.values():
            namespace.env = env
            if namespace.bound:
                runtime.env.unbind(namespace.binding)
    own = runtime.env if env is None else env
    _offer(runtime, configuration, script, namespaces, foreign, own)
    stateless = [n for n, c in classes.items() if n not in namespaces and _is_object(c)]
    configure_exports(
        kernel_of(runtime), own, stateless=stateless, refusal=_without_exports(configuration)
    )
    if entry is not None:
        runtime.serve_worker(entry, entrypoints=entrypoints)
    return Deployment(
        script,
        found.deployed.tag,
        tuple(found.done),
        (*configuration.warnings, *found.warnings),
        namespaces=namespaces,
    )


def _is_object(cls: type) -> bool:
    """Return whether a class derives from the SDK's DurableObject, among others of a module."""
    return hasattr(cls, "_has_every_name_")


class _Everything(Collection[str]):
    """Has every class: to find out what a configuration says, whatever the code has."""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _waiting(
    configuration: Configuration,
    could: Plan,
    known: Mapping[str, record.Deployed],
    classes: Mapping[str, type],
) -> tuple[str, ...]:
    before = known.get(could.deployed.script)
    needed = [b.class_name for b in configuration.own_bindings]
    needed += [c.name for c in could.deployed.classes if before is None or not before.find(c.name)]
    return tuple(dict.fromkeys(name for name in needed if name not in classes))


def _without_exports(configuration: Configuration) -> str:
    """Return why a Worker has no `ctx.exports`; empty if it has."""
    if configuration.has_exports:
        return ""
    if "disable_ctx_exports" in configuration.compatibility_flags:
        return "there is no ctx.exports: the compatibility flag disable_ctx_exports is set."
    return (
        f"there is no ctx.exports with the compatibility_date {configuration.compatibility_date}: "
        f"it is there from {EXPORTS_SINCE} on, or with the compatibility flag enable_ctx_exports."
    )


def _foreign(
    runtime: Runtime, configuration: Configuration, known: Mapping[str, record.Deployed]
) -> dict[str, DurableObjectNamespace]:
    """Return the namespaces of other Workers' classes, by the names that bind them."""
    found = {}
    own = configuration.own_bindings
    for binding in (b for b in configuration.durable_objects if b not in own):
        script = str(binding.script_name)
        other = known.get(script)
        if other is None:
            raise DeploymentError(
                f"Cannot create binding for class '{binding.class_name}' in script '{script}' that "
                "does not exist. Deploy that Worker to this runtime first.",
                10061,
            )
        cls = other.find(binding.class_name)
        namespace = None if cls is None else kernel_of(runtime).registry.of_key(cls.unique_key)
        if namespace is None:
            raise DeploymentError(
                f"Cannot create binding for class '{binding.class_name}' of script '{script}': it "
                "has no objects of such a class at the moment."
            )
        found[binding.name] = namespace
    return found


def _labels(
    runtime: Runtime, configuration: Configuration, found: Plan, script: str, *, shared: bool
) -> dict[str, str]:
    """Return what the runtime calls the classes that are bound: the names of their bindings.

    Raises:
        DeploymentError: If a name in `env` cannot be; nothing has been changed by then.
    """
    keys = {c.unique_key for c in found.deployed.classes} | {*found.deleted}
    taken = {
        n.binding: n for n in kernel_of(runtime).namespaces if n.bound and n.unique_key not in keys
    }
    labels = {}
    for binding in reversed(configuration.own_bindings):
        label = binding.name
        if not shared:  # other Workers may have the same name for something else
            label = re.sub(r"\W", "_", f"{script}_{label}")
        elif label in taken:
            raise DeploymentError(
                f"{label} is the binding of {taken[label].class_name} already, which "
                "does not belong to this Worker. Choose another name."
            )
        labels[binding.class_name] = label
    for name in configuration.vars:
        if not name.isidentifier():
            raise DeploymentError(f"{name!r} cannot be a variable: write it as an identifier.")
    return labels


def _bind(
    runtime: Runtime, bound: Mapping[str, str], found: Plan, classes: Mapping[str, type]
) -> dict[str, DurableObjectNamespace]:
    registry = kernel_of(runtime).registry
    for cls in found.deployed.classes:
        namespace = registry.of_key(cls.unique_key)
        if namespace is not None and namespace.bound and bound.get(cls.name) != namespace.binding:
            registry.unbind(namespace)
    result = {}
    for cls in found.deployed.classes:
        if cls.name not in classes:
            continue
        code, binding = classes[cls.name], bound.get(cls.name)
        namespace = registry.of_key(cls.unique_key)
        if namespace is None or (
            (namespace.cls, namespace.class_name) != (code, cls.name)
            or (namespace.binding if namespace.bound else None) != binding
        ):
            namespace = runtime.register(
                code,
                binding,
                name=cls.name,
                sqlite=cls.sqlite,
                unique_key=cls.unique_key,
                bound=binding is not None,
            )
        result[cls.name] = namespace
    return result


def _stand_in(binding: UnsupportedBinding, runtime: Runtime) -> Any:
    """Return what `env` has for another kind of binding: one that raises, or the version's texts.

    Source: developers.cloudflare.com/workers/runtime-apis/bindings/version-metadata/
    """
    if binding.kind != VERSION_METADATA:
        return binding
    at = format_time(kernel_of(runtime).loop.now_ms).replace(" ", "T")
    return JsDict({"id": _LOCAL_VERSION, "tag": "", "timestamp": f"{at}Z"})


def _offer(
    runtime: Runtime,
    configuration: Configuration,
    script: str,
    namespaces: Mapping[str, DurableObjectNamespace],
    foreign: Mapping[str, DurableObjectNamespace],
    env: Env,
) -> None:
    """Bind in `env` what the configuration lists, and unbind what it does not list any more."""
    offered: dict[str, Any] = {
        **configuration.vars,
        **{b.name: _stand_in(b, runtime) for b in configuration.unsupported},
        **foreign,
        **{b.name: namespaces[b.class_name] for b in configuration.own_bindings},
    }
    before = kernel_of(runtime).registry.configured
    for name in before.get(script, set()) - offered.keys():
        env.unbind(name)
    for name, value in offered.items():
        env.bind(name, value)
    before[script] = {*offered}
