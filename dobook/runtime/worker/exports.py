"""`ctx.exports`: a Worker's own classes and entrypoints, without a binding for them.

A class with storage is a namespace, whose objects are those that a binding leads to. An entrypoint
is a service: call its methods, or call it with props first. A class without storage is the bare
class, which only facets can use.

Source: developers.cloudflare.com/workers/runtime-apis/context/#exports,
cloudflare/workerd src/workerd/api/export-loopback.h
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from dobook.codec import clone
from dobook.errors import DataCloneError, PlatformTypeError, UsageError, misspelt, suggest
from dobook.ids import DurableObjectId
from dobook.ownership import current_owner
from dobook.runtime.calls.post import giver
from dobook.runtime.calls.promise import Promise
from dobook.runtime.calls.rpc import RpcStub, RpcTarget, carry
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.reports.portable import (
    remark_on_raw_fetch,
    remark_on_raw_props,
    remark_on_raw_values,
)
from dobook.runtime.worker.services import Fetcher

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel, Namespace
    from dobook.runtime.worker.env import Env
    from dobook.runtime.worker.worker import Worker

DEFAULT = "default"  # how the platform calls the class `Default`
_PRIMITIVE = (str, int, float)  # what JavaScript does not count as objects; bool is an int
_NO_STORAGE = (
    "has no storage, and so no objects that can be named. List it in the migrations: "
    '"new_sqlite_classes": ["{}"].'
)


def exports_of(runtime: "Kernel", env: "Env") -> "Exports":
    """Return the exports of the Worker that has an `env`.

    Raises:
        AttributeError: If the Worker's compatibility date or flags switch them off.
    """
    exports = all_exports(runtime, env)
    if exports._refusal:
        raise AttributeError(exports._refusal)
    return exports


def configure_exports(
    runtime: "Kernel", env: "Env", *, stateless: Iterable[str] = (), refusal: str = ""
) -> None:
    """Configure the exports of a Worker with what only its deployment knows.

    Args:
        runtime: Where it is deployed.
        env: Its `env`.
        stateless: The classes of objects that have no storage.
        refusal: Why there are no exports at its compatibility date; empty if there are.
    """
    exports = all_exports(runtime, env)
    exports._stateless = tuple(stateless)
    exports._refusal = refusal


def all_exports(runtime: "Kernel", env: "Env") -> "Exports":
    """Return the exports of the Worker that has an `env`, even where they are switched off."""
    if env._exports is None:
        env._exports = Exports(runtime, env)
    exports: Exports = env._exports
    return exports


class Exports:
    """What `ctx.exports` is; each of its names is looked up when it is used.

    Example:
        >>> import dobook
        >>> class Counter:
        ...     def __init__(self, ctx, env):
        ...         self.ctx = ctx
        ...     async def total(self):
        ...         return await self.ctx.storage.get("n") or 0
        ...     async def of(self, name):
        ...         return await self.ctx.exports.Counter.getByName(name).total()
        >>> with dobook.Runtime() as runtime:
        ...     runtime.run(runtime.register(Counter).getByName("a").of("b"))
        0
    """

    def __init__(self, runtime: "Kernel", env: "Env") -> None:
        self._runtime = runtime
        self._env = env
        self._made: dict[str, Any] = {}
        self._stateless: tuple[str, ...] = ()
        self._refusal = ""

    def __getattr__(self, name: str) -> Any:
        make = None if name.startswith("_") else self._maker(name)
        if make is None:
            raise AttributeError(
                f"ctx.exports has no {name!r}. {suggest(name, self._names())}", name=name, obj=self
            )
        found = self._made.get(name)
        if type(found) is not make:
            found = self._made[name] = make(self, name)
        return found

    def __dir__(self) -> list[str]:
        return self._names()

    def object_keys(self) -> list[str]:
        """Return the names, as `Object.keys` does."""
        return self._names()

    def __repr__(self) -> str:
        return f"<ctx.exports: {', '.join(self._names()) or 'nothing yet'}>"

    # ------------------------------------------------------------------ what there is

    def _names(self) -> list[str]:
        found = [*self._entrypoints(), *self._namespaces(), *self._stateless]
        return sorted(dict.fromkeys(found))

    def _maker(self, name: str) -> "Callable[[Exports, str], Any] | None":
        if name in self._namespaces():
            return LoopbackDurableObjectNamespace
        if name in self._entrypoints():
            return LoopbackServiceStub
        return LoopbackDurableObjectClass if name in self._stateless else None

    def _namespaces(self) -> "dict[str, Namespace]":
        main = self._runtime.env
        return {
            n.class_name: n
            for n in self._runtime.namespaces
            if (main if n.env is None else n.env) is self._env
        }

    def _entrypoints(self) -> dict[str, str | None]:
        """Return the entrypoints: what they are called here, and what the Worker calls them."""
        worker = self._worker()
        if worker is None:
            return {}
        found: dict[str, str | None] = {}
        if worker.entry:
            found[DEFAULT] = None
            kind = worker.entry
            if isinstance(kind, type) and kind.__name__ != "Default":
                found[kind.__name__] = None
        others = {n: k for n, k in worker.entrypoints.items() if k is not worker.entry}
        return found | {name: name for name, kind in others.items() if name == kind.__name__}

    def _worker(self) -> "Worker | None":
        runtime = self._runtime
        known = [runtime.worker_entry, *runtime.workers.values()]
        return next((w for w in known if w is not None and w.env is self._env), None)


# ---------------------------------------------------------------------- entrypoints


class ServiceStub(Fetcher):
    """An entrypoint of the Worker itself, with the props that it was made with."""

    def __init__(
        self, exports: Exports, name: str, props: Any = None, *, converted: bool = False
    ) -> None:
        super().__init__(exports._runtime, name)
        self._exports = exports
        self._props = props
        self._converted = converted  # received over RPC: the SDK has wrapped it

    def fetch(self, input: Any, init: Any = None, **options: Any) -> Promise:  # noqa: A002
        """Send the entrypoint a request; awaiting raises what its handler raised."""
        if not self._converted:
            remark_on_raw_fetch(init, options)
        return super().fetch(input, init, **options)

    def _invoke(
        self, path: tuple[str, ...], args: tuple[Any, ...] | None, kwargs: dict[str, Any] | None
    ) -> Promise:
        if args and not self._converted:
            remark_on_raw_values(path, args)
        return super()._invoke(path, args, kwargs)

    def _asked(self) -> "tuple[Worker, str | None]":
        worker, names = self._exports._worker(), self._exports._entrypoints()
        if worker is None or self._service not in names:
            raise UsageError(f"there is no entrypoint {self._service!r} in this Worker any more.")
        return worker, names[self._service]

    def _given(self) -> Any:
        return None if self._props is None else _copied(self._props, self._runtime)

    def _carried_(self, _home: Any, _receiver: Any) -> Fetcher:
        return ServiceStub(self._exports, self._service, self._props, converted=True)

    def __repr__(self) -> str:
        return f"<ctx.exports.{self._service}, with props>"


class LoopbackServiceStub(ServiceStub):
    """An entrypoint of the Worker itself: a service without props, or a function that sets them.

    Example:
        `self.ctx.exports.Greeter(props={"lang": "cs"})` is a service whose `ctx.props` are these.
    """

    def __call__(self, options: Any = None, /, **keywords: Any) -> ServiceStub:
        """Return the service with props, which can be handed on.

        Args:
            options: `props`, an object; a copy of it is what `ctx.props` of the entrypoint is.
            **keywords: The same as keywords.

        Raises:
            PlatformTypeError: If there are no options, or the props are not an object.
            DataCloneError: If the props cannot be copied.
        """
        props = _props_of(self._runtime, options, keywords, "LoopbackServiceStub")
        return ServiceStub(self._exports, self._service, props)

    def _carried_(self, _home: Any, _receiver: Any) -> Fetcher:
        _refuse(self)

    def __repr__(self) -> str:
        return f"<ctx.exports.{self._service}>"


# ---------------------------------------------------------------------- classes of objects


class DurableObjectClass:
    """A class of objects with the props that it was made with, for facets."""

    def __init__(self, exports: Exports, name: str, props: Any = None) -> None:
        self._exports = exports
        self._class_name = name
        self._props = props

    def _carried_(self, _home: Any, _receiver: Any) -> Any:
        _refuse(self)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}. The class "
            f"{self._class_name} {_NO_STORAGE.format(self._class_name)}",
            name=name,
            obj=self,
        )

    def __repr__(self) -> str:
        return f"<class {self._class_name}, without storage>"


class LoopbackDurableObjectClass(DurableObjectClass):
    """A class of objects without storage: only facets can use it, which dobook does not offer."""

    def __call__(self, options: Any = None, /, **keywords: Any) -> DurableObjectClass:
        """Return the class with props.

        Raises:
            PlatformTypeError: If there are no options, or the props are not an object.
            DataCloneError: If the props cannot be copied.
        """
        runtime = self._exports._runtime
        props = _props_of(runtime, options, keywords, "LoopbackDurableObjectClass")
        return DurableObjectClass(self._exports, self._class_name, props)


class LoopbackDurableObjectNamespace(LoopbackDurableObjectClass):
    """A class of objects with storage: the namespace that a binding of the class is as well."""

    def idFromName(self, name: str | float) -> DurableObjectId:
        """Return the id of the object with a name."""
        return self._namespace().idFromName(name)

    def idFromString(self, id: str) -> DurableObjectId:  # noqa: A002
        """Return the id that `id.toString()` wrote.

        Raises:
            PlatformTypeError: If it is not an id, or is one of another class.
        """
        return self._namespace().idFromString(id)

    def newUniqueId(
        self, options: Any = None, *, jurisdiction: str | None = None
    ) -> DurableObjectId:
        """Return the id of an object that has no name."""
        return self._namespace().newUniqueId(options, jurisdiction=jurisdiction)

    def get(self, id: DurableObjectId, options: Any = None) -> DurableObjectStub:  # noqa: A002
        """Return a stub for the object with an id; the object need not exist yet.

        Raises:
            PlatformTypeError: If `id` is not an id.
        """
        namespace = self._namespace()
        return _LoopbackStub(namespace, namespace.get(id, options).id, current_owner.get())

    def getByName(self, name: str | float, options: Any = None) -> DurableObjectStub:
        """Return a stub for the object with a name."""
        namespace = self._namespace()
        return _LoopbackStub(namespace, namespace.idFromName(name), current_owner.get())

    def jurisdiction(self, jurisdiction: str) -> Any:
        """Refuse: one machine has no jurisdictions."""
        return self._namespace().jurisdiction(jurisdiction)

    def _namespace(self) -> "Namespace":
        found = self._exports._namespaces().get(self._class_name)
        if found is None:
            raise UsageError(
                f"{self._class_name} is gone: a migration has deleted or renamed it. Take the class "
                "that there is now from ctx.exports."
            )
        return found

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> Any:
            raise misspelt(self, name)

    def __repr__(self) -> str:
        return f"<DurableObjectNamespace ctx.exports.{self._class_name}>"


class _LoopbackStub(DurableObjectStub):
    """A stub that `ctx.exports` gave: the SDK does not wrap it, and so converts nothing."""

    def _remark_on_options(self, init: Any, options: dict[str, Any]) -> None:
        remark_on_raw_fetch(init, options)

    def _invoke(
        self, path: tuple[str, ...], args: tuple[Any, ...] | None, kwargs: dict[str, Any] | None
    ) -> Promise:
        if args:
            remark_on_raw_values(path, args)
        return super()._invoke(path, args, kwargs)


# ---------------------------------------------------------------------- props


def _props_of(runtime: "Kernel", options: Any, keywords: Mapping[str, Any], kind: str) -> Any:
    """Return a copy of the props that a call gives, None if it gives none."""
    remark_on_raw_props((options, *keywords.values()))
    if keywords and options is None:
        options = keywords
    if options is None or isinstance(options, _PRIMITIVE):
        raise PlatformTypeError(
            f"Failed to execute '(called as function)' on '{kind}': parameter 1 is not of type "
            "'Options'."
        )
    props = options.get("props") if isinstance(options, Mapping) else None
    if props is None:
        return None
    if isinstance(props, _PRIMITIVE):
        raise PlatformTypeError(
            "Incorrect type for the 'props' field on 'Options': the provided value is not of type "
            "'Object'."
        )
    return _copied(props, runtime)


def _copied(props: Any, runtime: "Kernel") -> Any:
    """Return a copy of props, in which stubs and services stay what they are."""
    try:
        return clone(props)
    except DataCloneError:
        _refuse_functions(props)
        return carry(props, giver(runtime))


def _refuse_functions(value: Any) -> None:
    """Raise for what would travel over RPC as a stub, and cannot be kept in props."""
    if isinstance(value, dict):
        value = list(dict.values(value))
    if isinstance(value, list | set):
        for member in value:
            _refuse_functions(member)
    elif isinstance(value, RpcStub | RpcTarget) or (
        callable(value) and not hasattr(type(value), "_carried_")
    ):
        clone(value)  # raises, with the engine's text


def _refuse(value: Any) -> NoReturn:
    clone(value)
    raise AssertionError(f"{value!r} was copied")
