"""The classes of a runtime: which there are, what they are called, and replacing their code."""

import random
import re
from typing import TYPE_CHECKING

from dobook.errors import PlatformError, UnknownNameError, UsageError
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.objects.namespace import DurableObjectNamespace

if TYPE_CHECKING:
    from dobook.runtime.protocols import Kernel

CODE_UPDATED = "Durable Object reset because its code was updated."
CLASS_DELETED = "Durable Object reset because its class was deleted."


class Registry:
    """The namespaces of a runtime, by their bindings.

    Args:
        runtime: Whose they are.
        rng: Where unique ids come from.
    """

    def __init__(self, runtime: "Kernel", rng: random.Random) -> None:
        self._runtime = runtime
        self.rng = rng
        self._namespaces: dict[str, DurableObjectNamespace] = {}
        self.configured: dict[str, set[str]] = {}  # by Worker: the names that it has in `env`

    def namespaces(self) -> list[DurableObjectNamespace]:
        """Return the namespaces, in the order they were registered."""
        return list(self._namespaces.values())

    def register(
        self, cls: type, binding: str | None, class_name: str, unique_key: str, *, sqlite: bool
    ) -> DurableObjectNamespace:
        """Add a class, or replace the code of one that is known by its unique key.

        Args:
            cls: The class.
            binding: Its name in `env`; None if it is reached by `ctx.exports` alone.
            class_name: What it is deployed as.
            unique_key: What its ids are derived from.
            sqlite: Whether its objects have SQL.

        Raises:
            UsageError: If it is known with the other kind of storage.
        """
        for known in self._namespaces.values():
            if known.unique_key == unique_key:
                if known.sqlite != sqlite:
                    raise UsageError(
                        f"{class_name} was declared with "
                        f"{'new_sqlite_classes' if known.sqlite else 'new_classes'}; the storage of "
                        "a class cannot be changed after it has been deployed. Use another class "
                        "name, or delete the class first."
                    )
                known.class_name = class_name
                self._replace(known, cls)
                self._name(known, binding)
                return known
        namespace = DurableObjectNamespace(
            self._runtime,
            binding or "",
            cls,
            class_name=class_name,
            unique_key=unique_key,
            sqlite=sqlite,
            rng=self.rng,
        )
        self._name(namespace, binding)
        self._runtime.stores.load_alarms(namespace)
        return namespace

    def of_key(self, unique_key: str) -> DurableObjectNamespace | None:
        """Return the namespace whose ids are derived from a key, or None."""
        for namespace in self._namespaces.values():
            if namespace.unique_key == unique_key:
                return namespace
        return None

    def unbind(self, namespace: DurableObjectNamespace) -> None:
        """Take a class's binding away; `ctx.exports` still reaches its objects, alarms still run.

        What names its objects from then on is the name of the class.
        """
        name = namespace.class_name
        other = self._namespaces.get(name)
        free = other is None or other is namespace
        self._label(namespace, name if free else f"<{namespace.unique_key}>")
        namespace.bound = False

    def delete(self, unique_key: str) -> None:
        """Delete a class with all its objects: their rows, alarms, files and history.

        Those that are running are reset; stubs of them fail from then on.
        """
        runtime = self._runtime
        runtime.stores.committer.flush()
        namespace = self.of_key(unique_key)
        if namespace is not None:
            for actor in list(namespace.actors.values()):
                namespace.release(actor)
                if actor.instance is not None:
                    actor.instance.reset(PlatformError(CLASS_DELETED))
                actor.drop_sockets()
                actor.store.forget()
            runtime.alarms.forget_class(namespace)
            self._take_away(namespace)
        runtime.stores.delete_class(unique_key)

    def _take_away(self, namespace: DurableObjectNamespace) -> None:
        namespace.withdrawn = True
        namespace.actors.clear()
        self._namespaces.pop(namespace.binding, None)
        self._runtime.env.unbind(namespace.binding)

    def find(self, which: str | type) -> DurableObjectNamespace:
        """Return a namespace by its binding, its class or its class's name.

        Raises:
            UnknownNameError: If no class is found; the message names the nearest.
        """
        bound = self._namespaces.get(which) if isinstance(which, str) else None
        if bound is not None:
            return bound
        for namespace in self._namespaces.values():
            if which in (namespace.cls, namespace.class_name):
                return namespace
        name = which if isinstance(which, str) else which.__name__
        raise UnknownNameError("binding", name, self._namespaces)

    def stub(self, path: str) -> DurableObjectStub:
        """Return a stub by `BINDING/name`, or `BINDING/` and the 64 digits of an id.

        Raises:
            UnknownNameError: If there is no such binding.
            UsageError: If the text is not of that form.
        """
        binding, slash, name = path.partition("/")
        namespace = self.find(binding)
        if not slash or not name:
            raise UsageError(f"{path!r} names no object. Write {binding}/name.")
        if re.fullmatch(r"[0-9a-fA-F]{64}", name):
            return namespace.get(namespace.idFromString(name))
        return namespace.getByName(name)

    def _replace(self, namespace: DurableObjectNamespace, cls: type) -> None:
        namespace.cls = cls
        namespace.methods = {}
        self._runtime.stores.committer.flush()  # what is written stays
        for actor in list(namespace.actors.values()):
            if actor.instance is not None:
                actor.instance.reset(PlatformError(CODE_UPDATED), stubs=False)
            else:
                actor.drop_sockets()

    def _name(self, namespace: DurableObjectNamespace, binding: str | None) -> None:
        if binding is None:
            self.unbind(namespace)
        else:
            self._bind(namespace, binding)

    def _bind(self, namespace: DurableObjectNamespace, binding: str) -> None:
        other = self._namespaces.get(binding)
        if other is not None and other is not namespace and not other.bound:
            self._label(other, f"<{other.unique_key}>")
            other = None
        if other is not None and other is not namespace:
            raise UsageError(
                f"{binding} is the binding of {other.class_name} already. Choose another one for "
                f"{namespace.class_name}."
            )
        if namespace.binding != binding:
            self._label(namespace, binding)
        self._namespaces[binding] = namespace
        namespace.bound = True
        self._runtime.env.bind(binding, namespace)

    def _label(self, namespace: DurableObjectNamespace, label: str) -> None:
        """Rebind a namespace under another name."""
        if namespace.bound:
            self._runtime.env.unbind(namespace.binding)
        if self._namespaces.get(namespace.binding) is namespace:
            del self._namespaces[namespace.binding]
        namespace.binding = label
        self._namespaces[label] = namespace


def default_binding(class_name: str) -> str:
    """Return a class's binding when none is given.

    Example:
        >>> default_binding("RateLimiter")
        'RATE_LIMITER'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name).upper()
