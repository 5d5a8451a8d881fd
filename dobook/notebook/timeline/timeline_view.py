"""The timeline: a trace's space-time diagram to go through, event by event."""

from typing import Any

from dobook.clock import format_time
from dobook.errors import UsageError
from dobook.events import AnyEvent
from dobook.notebook.core.session import Session
from dobook.notebook.core.view import View
from dobook.notebook.timeline.diagram import Diagram
from dobook.notebook.timeline.plan import described, plan
from dobook.notebook.timeline.state_at import facts, moment
from dobook.trace_model import place_of


class TimelineView(View):
    """A live view of a diagram: filter it, select an event, see each object at that moment.

    Args:
        session: The session.
        diagram: The diagram. What is recorded later is added to its events when asked for.
    """

    file = "timeline"
    shown_by = r"%trace --diagram"

    def __init__(self, session: Session, diagram: Diagram) -> None:
        self._diagram = diagram
        self._filter = {"object": "", "kind": "", "text": ""}
        self._selected = 0
        self._events = list(diagram.events)
        self._take()
        super().__init__(session)

    def look(self) -> dict[str, Any]:
        """Return the diagram and the moment that is selected."""
        events = self._events
        at = self._event(self._selected)
        place = None if at is None or at.seq not in self._seqs else self._seqs.index(at.seq)
        return {
            "title": f"Timeline of {len(events):,} events",
            "svg": self._svg,
            "fresh": len(self._fresh()),
            "filter": dict(self._filter),
            "objects": list(dict.fromkeys(map(place_of, events))),
            "kinds": sorted({e.kind for e in events}),
            "count": len(self._seqs),
            "place": place,
            "event": None if at is None else _facts(at),
            "moment": [] if at is None else [facts(*one) for one in moment(events, at.seq).items()],
        }

    def static(self) -> tuple[str, str]:
        """Return the events as text, and the picture."""
        return repr(self._diagram), self._diagram.svg

    # ------------------------------------------------------------------ what buttons do

    def do_select(self, seq: str) -> None:
        """Select an event by its number."""
        if self._event(int(seq)) is None:
            raise UsageError(f"event {seq} is not in this timeline.")
        self._selected = int(seq)

    def do_go(self, to: str) -> None:
        """Go to the first, previous, next or last event of those shown."""
        seqs = self._seqs
        if not seqs:
            return
        after = [seq for seq in seqs if seq > self._selected]
        before = [seq for seq in seqs if seq < self._selected]
        self._selected = {
            "first": seqs[0],
            "previous": before[-1] if before else seqs[0],
            "next": after[0] if after else seqs[-1],
            "last": seqs[-1],
        }[to]

    def do_filter(self, **fields: str) -> None:
        """Show only events of an object, of a kind, with a text."""
        self._filter = {**self._filter, **fields}
        self._take()

    def do_more(self) -> None:
        """Show what has been recorded since; what is selected stays selected."""
        self._events += self._fresh()
        self._take()

    def _fresh(self) -> list[AnyEvent]:
        last = self._events[-1].seq if self._events else 0
        return [event for event in self._diagram.again() if event.seq > last]

    def _take(self) -> None:
        """Choose the events that the filter lets through, and draw them."""
        name, kind, text = (self._filter[key] for key in ("object", "kind", "text"))
        shown = [
            event
            for event in self._events
            if (not name or place_of(event) == name or event.get("to") == name)
            and (not kind or event.kind == kind)
            and text.lower() in f"{event.object} {event.kind} {described(event)}".lower()
        ]
        self._seqs = _rows(shown)
        self._svg = self._diagram.of(shown).svg

    def _event(self, seq: int) -> AnyEvent | None:
        return next((event for event in self._events if event.seq == seq), None)


def _rows(events: list[AnyEvent]) -> list[int]:
    """Return the numbers of the events with a row of their own in the picture."""
    return [row.seq for row in plan(events, most_rows=len(events) + 3).rows]


def _facts(event: AnyEvent) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "at": format_time(event.t_ms),
        "object": place_of(event),
        "kind": event.kind,
        "what": described(event),
        "cause": event.cause,
        "detail": [[name, str(value)] for name, value in event.detail if value not in (None, "")],
    }
