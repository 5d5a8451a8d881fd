"""The runtime: its clock, classes, objects under way, sockets, requests and faults, live."""

from typing import Any

from dobook.errors import UsageError
from dobook.notebook.clock.clock_view import ClockActions, ClockView
from dobook.notebook.core.display import count
from dobook.notebook.core.session import Session
from dobook.notebook.core.view import View
from dobook.notebook.inspector.inspector_view import ObjectInspector
from dobook.notebook.overview.namespace_view import NamespaceView, PopulationActions
from dobook.notebook.overview.runtime_facts import overview, runtime_card
from dobook.runtime.access import kernel_of


class RuntimeView(ClockActions, PopulationActions, View):
    """A live view of the session's runtime; what it opens is shown inside of it.

    Args:
        session: The session.
        runtime: Its runtime; not looked at, since a session may have another one later.
    """

    file = "runtime"
    parts = (ClockView, ObjectInspector, NamespaceView)
    shown_by = r"^runtime$|^%dobook$"

    def __init__(self, session: Session, runtime: object = None) -> None:
        super().__init__(session, "")

    def look(self) -> dict[str, Any]:
        """Return the runtime's facts, its clock's, and those of the class that is open."""
        if self.binding not in {n.binding for n in self.session.kernel.namespaces}:
            self._turn_to("")  # another runtime, or the class is gone
        return overview(self.session) | {
            "clock": self.clock(),
            "opened": self.objects() if self.binding else None,
        }

    def static(self) -> tuple[str, str]:
        """Return the runtime's card."""
        card = runtime_card(self.session.runtime)
        return repr(card), card._repr_html_()

    # ------------------------------------------------------------------ what buttons do

    def do_class(self, binding: str) -> None:
        """Open a class, or close it if it is open."""
        self._turn_to("" if binding == self.binding else binding)

    def do_reach(self, path: str) -> None:
        """Open an object, `BINDING/name`, or a class, `BINDING`."""
        binding, _, name = path.strip().partition("/")
        if name:
            self.session.target(path.strip())  # or it says what was probably meant
        elif not any(n.binding == binding for n in self.session.kernel.namespaces):
            raise UsageError(
                f"there is no binding {binding[:40]!r}. Write BINDING or BINDING/name."
            )
        self._turn_to(binding)
        self._opened = name

    def do_evict_idle(self) -> str:
        """Take every object out of memory that has nothing to do."""
        runtime = self.session.runtime
        idle = [i.actor for i in kernel_of(runtime).residency.instances() if not i.busy]
        for actor in idle:
            runtime.run(runtime.evict(actor))
        return (
            f"{count(len(idle), 'object')} evicted: their attributes are gone, their storage stays"
        )

    def do_call_off(self) -> str:
        """Call off every fault that is planned."""
        self.session.runtime.faults.clear()
        return "no fault is planned any more"
