"""A class of objects as a live table: find one, open it, evict, crash or delete some of them."""

from collections.abc import Callable, Iterator
from typing import Any

from dobook.errors import PlatformTypeError, UsageError
from dobook.notebook.core.display import count
from dobook.notebook.core.session import Session, Target
from dobook.notebook.core.view import View
from dobook.notebook.inspector.acting import ObjectActions, delete_all
from dobook.notebook.inspector.inspection import inspect, target_of
from dobook.notebook.inspector.inspector_view import ObjectInspector
from dobook.notebook.overview.objects_table import ORDERS, Population, members, namespace_card
from dobook.runtime.calls.stub import DurableObjectStub
from dobook.runtime.objects.namespace import DurableObjectNamespace

_ID_DIGITS = 64


class PopulationActions(ObjectActions):
    """The part of a view that looks at a class of objects, and into one of them.

    Args:
        session: The session.
        binding: The class's binding; empty while none is open.
    """

    def __init__(self, session: Session, binding: str, **traits: Any) -> None:
        self._population = Population(session)
        self._turn_to(binding)
        super().__init__(session, **traits)  # type: ignore[call-arg]

    def _turn_to(self, binding: str) -> None:
        self.binding = binding
        self._opened = ""  # a name, or an id
        self._find, self._order = "", ORDERS[0]
        self._chosen: set[str] = set()

    @property
    def namespace(self) -> DurableObjectNamespace:
        """The class, in the runtime that is in use now."""
        return self.session.runtime.namespace(self.binding)

    @property
    def target(self) -> Target:
        """The object that is open."""
        if not self._opened:
            raise UsageError("no object is open: open one by its name.")
        return target_of(self._stub(self._opened))

    def objects(self) -> dict[str, Any]:
        """Return the facts of the class, and of the object that is open."""
        facts = self._population.look(
            self.namespace, find=self._find, order=self._order, chosen=self._chosen
        )
        return facts | {"opened": inspect(self.session, self.target) if self._opened else None}

    def _stub(self, text: str) -> DurableObjectStub:
        namespace = self.namespace
        if len(text) == _ID_DIGITS:
            try:
                return namespace.get(namespace.idFromString(text))
            except PlatformTypeError:
                pass  # a name may have 64 characters too
        return namespace.getByName(text)

    # ------------------------------------------------------------------ what buttons do

    def do_open(self, which: str) -> None:
        """Open an object; it need not exist yet."""
        if not which:
            raise UsageError("an object is opened by its name, or by its id of 64 digits.")
        self._opened = which

    def do_shut(self) -> None:
        """Close the object that is open."""
        self._opened = ""

    def do_find(self, text: str) -> None:
        """List only objects with a text in their name or id."""
        self._find = text

    def do_order(self, by: str) -> None:
        """List them in another order."""
        self._order = by

    def do_choose(self, which: str) -> None:
        """Tick an object, or untick it."""
        self._chosen ^= {which}

    def do_choose_all(self) -> None:
        """Tick all that are listed."""
        self._chosen = {row["id"] for row in self.objects()["rows"]}

    def do_choose_none(self) -> None:
        """Untick all."""
        self._chosen = set()

    def do_evict_chosen(self) -> str:
        """Take the ticked ones out of memory."""
        runtime = self.session.runtime
        done = self._each(lambda stub: runtime.run(runtime.evict(stub)), in_memory=True)
        return f"{done} evicted: their attributes are gone, their storage stays"

    def do_crash_chosen(self) -> str:
        """End the lives of the ticked ones at once."""
        runtime = self.session.runtime
        done = self._each(runtime.crash, in_memory=True)
        runtime.settle()
        return f"{done} crashed: what was not committed is gone, what was answered stays"

    def do_delete_chosen(self) -> str:
        """Delete all that the ticked ones keep, and their alarms."""
        done = self._each(lambda stub: delete_all(self.session.runtime, stub), in_memory=False)
        return f"{done} deleted: rows, tables and alarms"

    def _each(self, act: Callable[[DurableObjectStub], Any], *, in_memory: bool) -> str:
        stubs = list(self._ticked(in_memory=in_memory))
        if not stubs:
            kind = " that is in memory" if in_memory else ""
            raise UsageError(f"no object{kind} is ticked.")
        for stub in stubs:
            act(stub)
        return count(len(stubs), "object")

    def _ticked(self, *, in_memory: bool) -> Iterator[DurableObjectStub]:
        for member in members(self.namespace):
            if member.id in self._chosen and (not in_memory or member.state != "evicted"):
                yield self._stub(member.label)


class NamespaceView(PopulationActions, View):
    """A live view of a class of objects.

    Args:
        session: The session.
        namespace: The class.
    """

    file = "namespace"
    parts = (ObjectInspector,)
    shown_by = r"^env\.[A-Z_]+$"

    def __init__(self, session: Session, namespace: DurableObjectNamespace) -> None:
        super().__init__(session, namespace.binding)

    def look(self) -> dict[str, Any]:
        """Return the facts of the class, and of the object that is open."""
        return self.objects()

    def static(self) -> tuple[str, str]:
        """Return the class's card."""
        card = namespace_card(self.namespace)
        return repr(card), card._repr_html_()
