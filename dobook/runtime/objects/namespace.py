"""`env.BINDING`: a class of objects, its ids and its stubs.

The names are Cloudflare's. Source: developers.cloudflare.com/durable-objects/api/namespace/
"""

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from dobook.errors import PlatformTypeError, UsageError, misspelt
from dobook.ids import DurableObjectId, IdFactory
from dobook.ownership import current_owner
from dobook.runtime.calls.stub import DurableObjectStub, Tie, path_of
from dobook.runtime.objects.actor import Actor
from dobook.runtime.objects.context import DurableObjectState
from dobook.runtime.worker.env import Env
from dobook.web.text import js_string

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor as AnyActor
    from dobook.runtime.protocols import Instance, Kernel


class DurableObjectNamespace:
    """The objects of one class.

    Attributes:
        binding: The name under which `env` has it; of a class without a binding its own name.
        bound: Whether there is a binding.
        class_name: The name of the class.
        unique_key: What the ids are derived from, `{worker}-{class}`.
        sqlite: Whether the class was declared with `new_sqlite_classes`.

    Example:
        >>> import dobook
        >>> class Counter:
        ...     def __init__(self, ctx, env): ...
        >>> with dobook.Runtime() as runtime:
        ...     counters = runtime.register(Counter)
        ...     counters.getByName("a").name
        'a'
    """

    def __init__(
        self,
        runtime: "Kernel",
        binding: str,
        cls: type,
        *,
        class_name: str,
        unique_key: str,
        sqlite: bool,
        rng: random.Random,
    ) -> None:
        self.runtime = runtime
        self.binding = binding
        self.bound = False  # before the registry has bound it
        self.cls = cls
        self.methods: dict[str, Any] = {}  # functions of the class that have been called by name
        self.class_name = class_name
        self.unique_key = unique_key
        self.sqlite = sqlite
        self.withdrawn = False  # deleted, or moved to another name
        self.env: Env | None = None  # that of its Worker, if not the runtime's
        self.actors: dict[str, Actor] = {}
        # Of released actors, while a stub is bound to one: a reset of the successor breaks it too.
        self._ties: WeakValueDictionary[str, Tie] = WeakValueDictionary()
        self._ids = IdFactory(unique_key, rng)

    # ------------------------------------------------------------------ the platform's methods

    def idFromName(self, name: str | float) -> DurableObjectId:
        """Return the id of the object with a name; a number is taken as its text."""
        return self._ids.from_name(js_string(name) if isinstance(name, int | float) else name)

    def idFromString(self, id: str) -> DurableObjectId:  # noqa: A002
        """Return the id that `id.toString()` wrote.

        Raises:
            PlatformTypeError: If it is not an id, or is one of another class.
        """
        return self._ids.from_string(id)

    def newUniqueId(
        self, options: object = None, *, jurisdiction: str | None = None
    ) -> DurableObjectId:
        """Return the id of an object that has no name."""
        if isinstance(options, Mapping):
            jurisdiction = options.get("jurisdiction", jurisdiction)
        elif options is not None:
            raise PlatformTypeError(
                "Failed to execute 'newUniqueId' on 'DurableObjectNamespace': parameter 1 is not "
                "of type 'NewUniqueIdOptions'."
            )
        return self._ids.unique(jurisdiction)

    def get(self, id: DurableObjectId, options: object = None) -> DurableObjectStub:  # noqa: A002
        """Return a stub for the object with an id; the object need not exist yet.

        Raises:
            PlatformTypeError: If `id` is not an id.
        """
        if not isinstance(id, DurableObjectId):
            error = PlatformTypeError(
                "Failed to execute 'get' on 'DurableObjectNamespace': parameter 1 is not of type "
                "'DurableObjectId'."
            )
            if isinstance(id, str):
                error.add_note(f"For a name there is {path_of(self)}.getByName({id!r}).")
            raise error
        return DurableObjectStub(self, id, current_owner.get())

    def getByName(self, name: str | float, options: object = None) -> DurableObjectStub:
        """Return a stub for the object with a name."""
        return DurableObjectStub(self, self.idFromName(name), current_owner.get())

    def jurisdiction(self, jurisdiction: str) -> "DurableObjectNamespace":
        """Refuse: one machine has no jurisdictions."""
        self._ids.unique(jurisdiction)
        return self

    # ------------------------------------------------------------------ the runtime's side

    def actor(self, identity: DurableObjectId) -> Actor:
        """Return the object with an id, as the runtime knows it.

        Raises:
            UsageError: If the class is not there any more.
        """
        key = identity.toString()
        actor = self.actors.get(key)
        # An exception may have interrupted `release` before its last line.
        if actor is not None and actor.released:
            self.release(actor)
            actor = None
        if actor is None:
            self.runtime.check_open()
            if self.withdrawn:
                raise UsageError(
                    f"{self.class_name} is gone: a migration has deleted or moved it. Get a stub "
                    "from a binding that there is now."
                )
            actor = self.actors[key] = Actor(self, identity, self.runtime.stores.open(self, key))
            if self._ties:
                actor.tie = self._ties.pop(key, None)
            self.runtime.stores.name_of(self, identity)
        elif identity.name is not None and actor.id.name is None and actor.instance is None:
            actor.id = identity
        return actor

    def release(self, actor: "AnyActor") -> None:
        """Forget an object that has left memory; the next use of it makes another actor."""
        key = actor.id.toString()
        actor.released = True
        if self.actors.get(key) is actor:
            if actor.tie is not None:
                self._ties[key] = actor.tie
            # Last, so that `release` can be repeated after an exception in the lines above.
            del self.actors[key]

    def construct(self, instance: "Instance") -> None:
        """Make the user's object for an instance.

        Raises:
            BaseException: What its constructor raised.
        """
        env = self.runtime.env if self.env is None else self.env
        instance.construct(self.cls, DurableObjectState(instance), env)

    if not TYPE_CHECKING:  # a type checker is to find a misspelt name itself

        def __getattr__(self, name: str) -> Any:
            raise misspelt(self, name)

    def __repr__(self) -> str:
        return f"<DurableObjectNamespace {self.binding}: {self.class_name}>"
