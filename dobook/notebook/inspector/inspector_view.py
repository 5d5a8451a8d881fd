"""The object inspector: what an object keeps and does, live, and buttons that act on it."""

from typing import Any

from dobook.notebook.core.session import Session, Target
from dobook.notebook.core.view import View
from dobook.notebook.inspector.acting import ObjectActions
from dobook.notebook.inspector.inspection import card_of, inspect, target_of
from dobook.runtime.calls.stub import DurableObjectStub


class ObjectInspector(ObjectActions, View):
    """A live view of one object.

    Args:
        session: The session.
        stub: A stub of the object; it need not exist yet.
    """

    file = "inspector"
    shown_by = r"^kiosk$|^stub$"

    def __init__(self, session: Session, stub: DurableObjectStub) -> None:
        self._name, self._binding = stub.name, target_of(stub).namespace.binding
        self._identity = stub.id.toString()
        super().__init__(session)

    @property
    def target(self) -> Target:
        """The object, in the runtime that is in use now."""
        namespace = self.session.runtime.namespace(self._binding)
        if self._name is not None:
            return target_of(namespace.getByName(self._name))
        return target_of(namespace.get(namespace.idFromString(self._identity)))

    def look(self) -> dict[str, Any]:
        """Return the object's facts."""
        return inspect(self.session, self.target)

    def static(self) -> tuple[str, str]:
        """Return the object's card."""
        card = card_of(self.look())
        return repr(card), card._repr_html_()
