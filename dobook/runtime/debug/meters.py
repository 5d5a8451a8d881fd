"""The meters of all objects of a runtime: what the platform bills, once counting has begun."""

from typing import TYPE_CHECKING

from dobook.ids import DurableObjectId
from dobook.runtime.debug.meter import Meter
from dobook.runtime.debug.watched import set_watched

if TYPE_CHECKING:
    from dobook.runtime.protocols import Actor, Kernel


class Meters:
    """Counts reads and writes of all objects of a runtime.

    Args:
        kernel: The runtime's parts.

    Attributes:
        on: Whether reads and writes are counted.
        of_objects: The meters, each with its object's id, by unique key and id.
    """

    def __init__(self, kernel: "Kernel") -> None:
        self._kernel = kernel
        self.on = False
        self.of_objects: dict[tuple[str, str], tuple[Meter, DurableObjectId]] = {}

    def start(self) -> None:
        """Count reads and writes from now on."""
        if self.on:
            return
        self.on = True
        for namespace in self._kernel.namespaces:
            for actor in namespace.actors.values():
                actor.meter = self.of(actor)
                if actor.instance is not None:
                    set_watched(actor.instance)

    def of(self, actor: "Actor") -> Meter:
        """Return the meter of an object, the same one for all its instances."""
        key = (actor.namespace.unique_key, actor.id.toString())
        found = self.of_objects.get(key)
        if found is None:
            found = self.of_objects[key] = (Meter(), actor.id)
        return found[0]
