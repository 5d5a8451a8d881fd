"""The point-in-time slider: storage at any moment, what differs from now, fork, go back."""

from typing import Any

from dobook.clock import format_time
from dobook.errors import UsageError
from dobook.notebook.core.display import shorten
from dobook.notebook.core.session import Session
from dobook.notebook.core.view import View
from dobook.notebook.inspector.object_frames import type_name
from dobook.notebook.past.moments import ObjectPast, side_text
from dobook.runtime.reports.shown import shown

MOST_ROWS = 100


class PastView(View):
    """A live view of an object's moments.

    Args:
        session: The session.
        past: The moments.
    """

    file = "past"
    shown_by = r"%storage .*--history"

    def __init__(self, session: Session, past: ObjectPast) -> None:
        self.past = past
        self._number: int | None = None  # of the moment looked at; None for the last
        super().__init__(session)

    def look(self) -> dict[str, Any]:
        """Return the moments, and what there was at the one that is selected."""
        moments = self.past.moments()
        numbers = [point.number for point in moments]
        place = numbers.index(self._number) if self._number in numbers else len(moments) - 1
        facts = {
            "title": f"Past of {self.past.label}",
            "moments": [format_time(point.at_ms) for point in moments],
            "place": place,
            "rows": [],
            "tables": "",
            "alarm": "",
            "changes": [],
        }
        if not moments:
            return facts
        found = self.past.contents(moments[place])
        keys = found.keys()
        facts["rows"] = [
            [key, shorten(shown(found.value(key)), 200), type_name(found.value(key))]
            for key in keys[:MOST_ROWS]
        ]
        facts["tables"] = ", ".join(found.tables())
        facts["alarm"] = "" if found.alarm_ms is None else format_time(found.alarm_ms)
        facts["changes"] = [
            [one.what, one.key, side_text(one, one.here), side_text(one, one.there)]
            for one in self.past.to_now(moments[place])[:MOST_ROWS]
        ]
        return facts

    def static(self) -> tuple[str, str]:
        """Return the moments' card."""
        card = self.past.card()
        return repr(card), card._repr_html_()

    # ------------------------------------------------------------------ what buttons do

    def do_go(self, place: str) -> None:
        """Show a moment."""
        moments = self.past.moments()
        if not 0 <= int(place) < len(moments):
            raise UsageError(f"there is no moment {place}.")
        last = int(place) == len(moments) - 1
        self._number = None if last else moments[int(place)].number

    def do_fork(self, name: str) -> str:
        """Fork a new runtime from the moment, as a variable of the notebook."""
        if not name.isidentifier():
            raise UsageError(f"{name[:20]!r} cannot be a variable's name.")
        shell = self.session.shell
        if name in shell.user_ns:
            raise UsageError(f"there is a variable {name!r} already. Choose another name.")
        shell.push({name: self.past.fork(self.look()["place"])})
        return f"{name} is a runtime of its own: {name}.stub({self.past.label!r})"

    def do_restore(self) -> str:
        """Take the object back to the moment."""
        undo = self.past.restore(self.look()["place"])
        self._number = None
        return f"gone back; this bookmark undoes it: {undo}"
